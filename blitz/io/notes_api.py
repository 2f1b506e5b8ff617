"""The HTTP calls about what people write of a session: markers, and name, notes, star, tags and fields.

Owns how these requests look. Plain functions run in worker threads, so that a call which waits for Redis holds up
nobody; errors become problem details in :mod:`blitz.io.api`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.database_server import DatabaseServer
from blitz.data.markers import TEXT_LENGTH, newest_versions
from blitz.data.records import Marker, SessionRecord
from blitz.data.session_search import SEARCH_LENGTH, SessionSearch
from blitz.data.session_words import FIELD_LENGTH, MOST_FIELDS, MOST_TAGS, NAME_LENGTH, NOTES_LENGTH, TAG_LENGTH
from blitz.errors import EditConflict
from blitz.io.acquisition import Acquisition
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.refusal import problem
from blitz.io.source_api import Owner

_LARGEST_NS = 2**63 - 1

TimeNs = Annotated[int, Field(ge=0, le=_LARGEST_NS, description="nanoseconds since the Unix epoch")]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH)]
SourceName = Annotated[str, Field(max_length=200, description="the source that it is about; empty: the session")]
Tag = Annotated[str, Field(max_length=TAG_LENGTH)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
FieldName = Annotated[str, Field(max_length=40)]
FieldText = Annotated[str, Field(max_length=FIELD_LENGTH)]
Fields = Annotated[dict[FieldName, FieldText], Field(max_length=MOST_FIELDS)]
Search = Annotated[
    str,
    Query(
        max_length=SEARCH_LENGTH,
        description='words, all of which are to be found; tag:x, owner:x, FIELD:"x y", starred',
    ),
]
Version = Annotated[int, Field(ge=1, le=_LARGEST_NS, description="the version that the change is based on")]


class _Request(BaseModel):
    """A mistyped field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class NewMarker(_Request):
    """A note at a time of a session, or over a span of it."""

    text: Text
    from_ns: TimeNs | None = Field(None, description="absent: now, where the session is recorded")
    to_ns: TimeNs | None = Field(None, description="the end of a span")
    source: SourceName | None = None


class MarkerChanges(_Request):
    """What is new of a marker; what is absent stays, and a `to_ns` of null makes a point in time of a span."""

    version: Version
    text: Text | None = None
    from_ns: TimeNs | None = None
    to_ns: TimeNs | None = None
    source: SourceName | None = None


class SessionChanges(_Request):
    """New words of a session, and whether it is starred; what is absent stays.

    `fields` names those that change: an empty value takes a field away.
    """

    name: str | None = Field(None, max_length=NAME_LENGTH)
    notes: str | None = Field(None, max_length=NOTES_LENGTH)
    starred: bool | None = None
    tags: Tags | None = None
    fields: Fields | None = None


def find_sessions(acquisition: Acquisition, store: DatabaseServer, search: str) -> list[SessionRecord]:
    """Return all sessions, newest first and briefly, or those that a search finds."""
    records = acquisition.session_list()
    wanted = SessionSearch(search)
    if wanted.is_empty:
        return records
    texts = store.notes.texts([record.id for record in records if record.revision])
    return [record for record in records if wanted.matches(record, texts.get(record.id, ()))]


def notes_calls(acquisition: Acquisition, store: DatabaseServer) -> APIRouter:
    """Return the calls, `PATCH /sessions/{id}` and `/sessions/{id}/markers`."""
    calls = APIRouter(tags=["notes"])

    @calls.patch("/sessions/{session_id}", response_model_exclude_none=True)
    def change_session(session_id: int, changes: SessionChanges, owner: Owner, token: TokenName) -> SessionRecord:
        """Change name, notes, star, tags or fields; what was before stays in the session's `changes`."""
        return acquisition.change_session(session_id, changes.model_dump(exclude_none=True), who=token or owner)

    @calls.get("/sessions/{session_id}/markers", response_model_exclude_none=True)
    def list_markers(session_id: int, versions: bool = False) -> list[Marker]:
        """Return a session's markers by time; with `versions` all versions of all of them, oldest first."""
        return list(store.notes.markers(session_id, versions=versions))

    @calls.post("/sessions/{session_id}/markers", status_code=201, response_model_exclude_none=True)
    def add_marker(
        session_id: int, request: NewMarker, owner: Owner, token: TokenName, note_subject: NoteSubject
    ) -> Marker:
        """Add a marker, to a session that is recorded or one that is over; without a time it is put at the present."""
        from_ns = acquisition.present_ns(session_id) if request.from_ns is None else request.from_ns
        marker = store.notes.add_marker(
            session_id, request.text, from_ns, request.to_ns, source=request.source, who=token or owner
        )
        note_subject(marker.id)
        acquisition.announce_marker(session_id, marker)
        return marker

    @calls.patch("/sessions/{session_id}/markers/{marker_id}", response_model_exclude_none=True)
    def change_marker(session_id: int, marker_id: int, changes: MarkerChanges, owner: Owner, token: TokenName) -> Any:
        """Write a marker's next version, which brings a deleted one back; 409 with the present one if it is another."""
        fields = changes.model_dump(exclude_unset=True, exclude={"version"})
        for name in ("text", "from_ns"):
            if fields.get(name, "") is None:
                del fields[name]
        return write(session_id, marker_id, changes.version, fields, token or owner)

    @calls.delete("/sessions/{session_id}/markers/{marker_id}", response_model_exclude_none=True)
    def delete_marker(
        session_id: int,
        marker_id: int,
        version: Annotated[int, Query(ge=1, le=_LARGEST_NS, description="the version that was seen")],
        owner: Owner,
        token: TokenName,
    ) -> Any:
        """Write a version that says that the marker is deleted; 409 with the present one if it is another."""
        return write(session_id, marker_id, version, {"is_deleted": True}, token or owner)

    def write(session_id: int, marker_id: int, version: int, fields: dict[str, Any], who: str) -> Any:
        try:
            marker = store.notes.edit_marker(session_id, marker_id, version, fields, who=who)
        except EditConflict as error:
            present = newest_versions(store.notes.markers(session_id, versions=True))[marker_id]
            details = problem(409, error.code, str(error), marker=present.model_dump(mode="json", exclude_none=True))
            return JSONResponse(details, 409, media_type="application/problem+json")
        acquisition.announce_marker(session_id, marker)
        return marker

    return calls
