"""The client library's calls about the server's archive."""

from collections.abc import Callable

from pydantic import TypeAdapter

from blitz.data.archive_records import ArchiveCheck, ArchiveRecord, ArchiveRestored
from blitz.io.calls import Calls

_CHECK = TypeAdapter(ArchiveCheck)
_RECORD = TypeAdapter(ArchiveRecord)
_RESTORED = TypeAdapter(ArchiveRestored)
_PATIENCE_S = 90.0
"""The worker may have to finish what it is at, and reads for some seconds."""


class ArchiveCalls(Calls):
    """Looking at the archive, verifying it, bringing sessions back into memory."""

    async def archive(self) -> ArchiveRecord:
        """Return what lies in the archive, and when messages move there."""
        return await self._ask(_RECORD, "GET", "/archive")

    async def verify_archive(
        self, session_id: int | None = None, progress: Callable[[ArchiveCheck], None] | None = None
    ) -> ArchiveCheck:
        """Let the server read its archive, compare all checksums, and return what it found; that may take long.

        :param session_id: only this session's files.
        :param progress: called now and then with what was found so far.
        :raises SessionNotFound: if there is no such session.
        """
        whole = ArchiveCheck()
        where: dict[str, int] = {}
        only = {} if session_id is None else {"only": int(session_id)}
        while True:
            timeout_s = max(self._timeout_s, _PATIENCE_S)
            part = await self._ask(_CHECK, "POST", "/archive/verify", where | only, timeout_s)
            whole = ArchiveCheck(
                files=whole.files + part.files,
                messages=whole.messages + part.messages,
                faults=whole.faults + part.faults,
            )
            if progress is not None:
                progress(whole)
            if part.next_session is None:
                return whole
            where = {"session": part.next_session, "first": part.next_first}

    async def restore_from_archive(
        self, session_id: int, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveRestored:
        """Let the server put a session's archived messages back into Redis' memory.

        :param progress: called now and then with (messages put back, messages in all).
        :raises SessionNotFound: if there is no such session.
        :raises ArchiveError: if there is no room for them in memory, or a file is missing or damaged.
        """
        restored = 0
        while True:
            timeout_s = max(self._timeout_s, _PATIENCE_S)
            path = f"/archive/{int(session_id)}/restore"
            part = await self._ask(_RESTORED, "POST", path, timeout_s=timeout_s)
            restored += part.restored
            if progress is not None:
                progress(restored, restored + part.archived_count)
            if not part.archived_count or not part.restored:
                return part.model_copy(update={"restored": restored})
