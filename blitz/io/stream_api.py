"""The HTTP calls about streams: data that scripts send, outside recordings.

Owns how these requests look. Points are checked and stored in worker threads of their own. They are read as messages
of the stream's session, by the calls for those.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from blitz.data.database_server import DatabaseServer
from blitz.data.stream_records import (
    DESCRIPTION_LENGTH,
    LARGEST_BATCH,
    NAME_LENGTH,
    NICKNAME_LENGTH,
    POINTS_AT_ONCE,
    UNIT_LENGTH,
    CommandState,
    InsertResult,
    PointRange,
    StreamCommand,
    StreamName,
    StreamRecord,
)
from blitz.data.stream_store import WRITER_LENGTH
from blitz.io.askers import NoteSubject, TokenName
from blitz.io.lanes import Lanes
from blitz.io.refusal import problem
from blitz.io.source_api import Owner

_LARGEST = 2**63 - 1

GivenName = Annotated[str, Path(max_length=NAME_LENGTH, description="the stream's name, percent-encoded")]
CommandId = Annotated[int, Path(ge=1, le=_LARGEST)]
Index = Annotated[int | None, Query(ge=-_LARGEST, le=_LARGEST, description="negative from the end")]
Time = Annotated[float | None, Query(allow_inf_nan=False, description="Unix seconds")]


class _Request(BaseModel):
    """A mistyped field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class StreamChanges(_Request):
    """New words of a stream, and whether it takes commands; what is absent stays."""

    nickname: str | None = Field(None, max_length=NICKNAME_LENGTH)
    description: str | None = Field(None, max_length=DESCRIPTION_LENGTH)
    unit: str | None = Field(None, max_length=UNIT_LENGTH)
    downlink: bool | None = None


class NewStream(_Request):
    """A stream that is to be made."""

    name: StreamName
    schema_: dict[str, Any] = Field(
        default_factory=dict, alias="schema", description="JSON schema of each value; empty: anything"
    )
    nickname: str = Field("", max_length=NICKNAME_LENGTH)
    description: str = Field("", max_length=DESCRIPTION_LENGTH)
    unit: str = Field("", max_length=UNIT_LENGTH)
    downlink: bool = Field(False, description="it takes commands")


class NewPoints(_Request):
    """Points that are to be stored, all or none of them."""

    points: list[Any] = Field(
        max_length=POINTS_AT_ONCE, description='`{"t": Unix seconds, "d": value}` each, in the order of their times'
    )
    writer: str = Field("", max_length=WRITER_LENGTH, description="who numbers its batches, so that each counts once")
    batch: int | None = Field(None, ge=0, le=LARGEST_BATCH, description="above those that this writer has sent before")
    restamp: bool = Field(False, description="a point that is too old gets the newest time of the stream")
    partial: bool = Field(False, description="store those that can be, and report the others")


class NewCommand(_Request):
    """What is wanted of whoever serves the stream's downlink."""

    d: Any = Field(description="a value that the stream's schema allows")
    timeout_s: float = Field(10.0, gt=0, le=86_400, description="when it is over without an answer")


class CommandOutcome(_Request):
    """What became of a command."""

    state: Literal["acknowledged", "failed"]
    points: list[Any] | None = Field(
        None, max_length=POINTS_AT_ONCE, description="for the stream; absent: the command's own value, at the present"
    )
    reason: str = Field("", max_length=2_000, description="why it failed")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.points is not None and self.state == "failed":
            raise ValueError("a command that failed brings no points")
        return self


def stream_calls(store: DatabaseServer, lanes: Lanes, check_room: Callable[[], None]) -> APIRouter:
    """Return the calls, ``/streams``.

    :param check_room: refuses points that could not be stored, as no room is left.
    """
    calls = APIRouter(tags=["streams"])
    streams = store.streams

    @calls.get("/streams", response_model_exclude_none=True)
    def list_streams() -> list[StreamRecord]:
        """Return all streams, by name."""
        return streams.streams()

    @calls.post("/streams", status_code=201, response_model_exclude_none=True)
    def create_stream(request: NewStream, note_subject: NoteSubject) -> StreamRecord:
        """Make a stream; 409 if there is one of that name, 422 if its schema is none."""
        words = request.model_dump(exclude={"name", "schema_"})
        record = streams.create(request.name, schema=request.schema_, **words)
        note_subject(record.name)
        return record

    @calls.get("/streams/{name}", response_model_exclude_none=True)
    def read_stream(name: GivenName) -> StreamRecord:
        """Return one stream; its points are the messages of the session with its id."""
        return streams.stream(name)

    @calls.patch("/streams/{name}", response_model_exclude_none=True)
    def change_stream(name: GivenName, changes: StreamChanges) -> StreamRecord:
        """Change the words of a stream, or whether it takes commands."""
        return streams.update(name, changes.model_dump(exclude_none=True))

    @calls.delete("/streams/{name}", status_code=204)
    def delete_stream(name: GivenName) -> None:
        """Delete a stream with all its points, for good."""
        streams.delete(name)

    @calls.post("/streams/{name}/points", response_model_exclude_none=True)
    @lanes.streams
    def insert_points(name: GivenName, request: NewPoints) -> InsertResult:
        """Store points, all or none; 422 names the first that cannot be stored."""
        check_room()
        return streams.append(
            name,
            request.points,
            writer=request.writer,
            batch=request.batch,
            restamp=request.restamp,
            partial=request.partial,
        )

    @calls.get("/streams/{name}/range")
    def find_range(
        name: GivenName,
        i1: Index = None,
        i2: Index = None,
        t1: Time = None,
        t2: Time = None,
        limit: Annotated[int | None, Query(ge=0, le=_LARGEST)] = None,
    ) -> PointRange:
        """Return which messages of which session lie between two places, or at times t1 <= t < t2."""
        return streams.range(name, i1=i1, i2=i2, t1=t1, t2=t2, limit=limit)

    @calls.get("/streams/{name}/commands", response_model_exclude_none=True)
    def list_commands(
        name: GivenName,
        first: Annotated[
            int | None, Query(ge=1, le=_LARGEST, description="from this id on; absent: the newest")
        ] = None,
    ) -> list[StreamCommand]:
        """Return commands as they are now, oldest first, 1000 at most."""
        return streams.commands.commands(name, first)

    @calls.post("/streams/{name}/commands", status_code=201, response_model_exclude_none=True)
    @lanes.streams
    def send_command(name: GivenName, request: NewCommand, owner: Owner, token: TokenName) -> Any:
        """Send a command to whoever serves the stream's downlink; 409 if it takes none.

        What becomes of it is a message of the session `downlink_id`, which the live connection follows.
        """
        check_room()
        command = streams.commands.send(name, request.d, request.timeout_s, token or owner)
        if command is None:
            details = problem(409, "no_downlink", f"The stream {name!r} takes no commands. Set its `downlink` first.")
            return JSONResponse(details, 409, media_type="application/problem+json")
        return command

    @calls.post("/streams/{name}/commands/{command_id}/answer", response_model_exclude_none=True)
    @lanes.streams
    def answer_command(
        name: GivenName, command_id: CommandId, request: CommandOutcome, owner: Owner, token: TokenName
    ) -> StreamCommand:
        """Say what became of a command, and store what it did, in one step; 409 if it does not wait any more."""
        if request.state == "acknowledged":
            check_room()
        return streams.commands.answer(
            name,
            command_id,
            CommandState.ACKNOWLEDGED if request.state == "acknowledged" else CommandState.FAILED,
            points=request.points,
            reason=request.reason,
            by=token or owner,
        )

    return calls
