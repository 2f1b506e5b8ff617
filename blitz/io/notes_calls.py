"""The client library's calls about markers: an operator's notes at a time of a session, or over a span of it."""

from typing import Any

from pydantic import TypeAdapter

from blitz.data.markers import Moment, unix_ns
from blitz.data.records import Marker
from blitz.io.calls import Calls

_MARKER = TypeAdapter(Marker)
_MARKERS = TypeAdapter(list[Marker])


class NotesCalls(Calls):
    """Listing, adding, changing and deleting markers. All viewers see at once what became of one.

    Times are aware datetimes, numpy times (UTC), or seconds since the Unix epoch. Every call raises
    :class:`~blitz.errors.SessionNotFound` where there is no such session.
    """

    async def markers(self, session_id: int, *, versions: bool = False) -> list[Marker]:
        """Return a session's markers, by time.

        :param versions: all versions of all of them, oldest first, those that were deleted included.
        """
        return await self._ask(_MARKERS, "GET", f"{_path(session_id)}{'?versions=true' if versions else ''}")

    async def add_marker(
        self,
        session_id: int,
        text: str,
        at: Moment | None = None,
        until: Moment | None = None,
        source: str | None = None,
    ) -> Marker:
        """Add a marker to a session that is recorded or one that is over, and return it.

        :param text: at most 4000 characters.
        :param at: when it was, or began; None for now, by the server's clock, in the session that is being recorded.
        :param until: the end, where it lasted.
        :param source: the name of the source that it is about.
        :raises ServerError: if it cannot be, such as a span that ends before it begins.
        """
        body: dict[str, Any] = {"text": text, "source": source}
        if at is not None:
            body["from_ns"] = unix_ns(at)
        if until is not None:
            body["to_ns"] = unix_ns(until)
        return await self._ask(_MARKER, "POST", _path(session_id), body)

    async def edit_marker(
        self,
        session_id: int,
        marker: Marker,
        *,
        text: str | None = None,
        at: Moment | None = None,
        until: Moment | None = None,
        source: str | None = None,
        is_point: bool = False,
    ) -> Marker:
        """Change a marker and return it as it is now; what is None stays. One that was deleted comes back by that.

        :param marker: as it was when it was looked at.
        :param source: an empty one makes it about the whole session.
        :param is_point: take its end away, where it has one.
        :raises EditConflict: if somebody has changed it since.
        :raises MarkerNotFound: if there is none with its id.
        """
        body: dict[str, Any] = {"version": marker.version}
        body |= {name: value for name, value in (("text", text), ("source", source)) if value is not None}
        if at is not None:
            body["from_ns"] = unix_ns(at)
        if until is not None or is_point:
            body["to_ns"] = None if until is None else unix_ns(until)
        return await self._ask(_MARKER, "PATCH", f"{_path(session_id)}/{marker.id}", body)

    async def delete_marker(self, session_id: int, marker: Marker) -> Marker:
        """Delete a marker and return what is left of it; :meth:`edit_marker` brings that back.

        :raises EditConflict: if somebody has changed it since it was looked at.
        :raises MarkerNotFound: if there is none with its id.
        """
        return await self._ask(_MARKER, "DELETE", f"{_path(session_id)}/{marker.id}?version={marker.version}")


def _path(session_id: int) -> str:
    return f"/sessions/{int(session_id)}/markers"
