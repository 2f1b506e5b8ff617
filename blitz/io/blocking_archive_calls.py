"""The calls of :class:`~blitz.io.archive_calls.ArchiveCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from blitz.data.archive_records import ArchiveCheck, ArchiveRecord, ArchiveRestored
from blitz.io.archive_calls import ArchiveCalls

_T = TypeVar("_T")


class BlockingArchiveCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> ArchiveCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def archive(self) -> ArchiveRecord:
        """Return what lies in the archive, and when messages move there."""
        return self._call(self._calls.archive)

    def verify_archive(
        self, session_id: int | None = None, progress: Callable[[ArchiveCheck], None] | None = None
    ) -> ArchiveCheck:
        """Let the server read its archive, or that of one session, compare all checksums, and return what it found."""
        return self._call(partial(self._calls.verify_archive, session_id, progress))

    def restore_from_archive(
        self, session_id: int, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveRestored:
        """Let the server put a session's archived messages back into Redis' memory."""
        return self._call(partial(self._calls.restore_from_archive, session_id, progress))
