"""The calls of :class:`~blitz.io.notes_calls.NotesCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from blitz.data.markers import Moment
from blitz.data.records import Marker
from blitz.io.notes_calls import NotesCalls

_T = TypeVar("_T")


class BlockingNotesCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> NotesCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def markers(self, session_id: int, *, versions: bool = False) -> list[Marker]:
        """Return a session's markers, by time; with `versions` all versions of all of them, oldest first."""
        return self._call(partial(self._calls.markers, session_id, versions=versions))

    def add_marker(
        self,
        session_id: int,
        text: str,
        at: Moment | None = None,
        until: Moment | None = None,
        source: str | None = None,
    ) -> Marker:
        """Add a marker to a session, without a time at the present, and return it."""
        return self._call(partial(self._calls.add_marker, session_id, text, at, until, source))

    def edit_marker(
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
        """Change a marker and return it as it is now; what is None stays. One that was deleted comes back by that."""
        edit = partial(self._calls.edit_marker, session_id, marker, text=text, at=at, until=until)
        return self._call(partial(edit, source=source, is_point=is_point))

    def delete_marker(self, session_id: int, marker: Marker) -> Marker:
        """Delete a marker and return what is left of it, which `edit_marker` brings back."""
        return self._call(partial(self._calls.delete_marker, session_id, marker))
