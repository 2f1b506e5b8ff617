"""The calls of :class:`~blitz.io.trash_calls.TrashCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from blitz.data.access_records import WhoRecord
from blitz.data.records import SessionRecord
from blitz.io.trash_calls import TrashCalls

_T = TypeVar("_T")


class BlockingTrashCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> TrashCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def whoami(self) -> WhoRecord:
        """Return whom the server takes this client for, and what that one may do."""
        return self._call(self._calls.whoami)

    def trash(self) -> list[SessionRecord]:
        """Return the sessions in the trash, each with the time at which it was moved there."""
        return self._call(self._calls.trash)

    def restore(self, session_id: int) -> SessionRecord:
        """Take a session out of the trash."""
        return self._call(partial(self._calls.restore, session_id))

    def delete_for_good(self, session_id: int) -> None:
        """Delete a session that is in the trash, and its messages; nobody can bring it back."""
        self._call(partial(self._calls.delete_for_good, session_id))
