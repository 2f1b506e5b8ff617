"""The way from a store to its archive: where the folder is, and what is done there besides moving messages.

The folder's path stands in the store, so that scripts on the same machine find it. Looked for when it is first needed:
most stores have nothing in an archive.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from blitz.data.archive import Archive
from blitz.data.blocks import MessageBlock
from blitz.errors import ArchiveError

log = logging.getLogger(__name__)


class ArchiveAccess:
    """Finds and reads a store's archive. May be used from several threads.

    :param find_folder: tells where the archive is, as the store has it written down; None where it has not.
    :param read_store_id: tells the store's UUID.
    """

    def __init__(self, find_folder: Callable[[], Path | None], read_store_id: Callable[[], str]) -> None:
        self._find_folder = find_folder
        self._read_store_id = read_store_id
        self._archive: Archive | None = None

    def find(self) -> Archive | None:
        """Return the archive as the store says now where it is; None where it says nothing."""
        folder = self._find_folder()
        if folder is None:
            return None
        archive = self._archive
        if archive is None or archive.folder != folder:
            archive = self._archive = Archive(folder, self._read_store_id())
        return archive

    def read(self, session_id: int, first: int, stop: int) -> MessageBlock:
        """Return archived messages, first <= seq < stop.

        :raises ArchiveError: if the archive is not found, or messages are missing or damaged there.
        """
        known = self._archive
        if known is not None:
            try:
                return known.read(session_id, first, stop)
            except ArchiveError:
                if self.find() is known:
                    raise
        archive = self.find()
        if archive is None:
            raise ArchiveError(
                f"Messages of session {session_id} lie in an archive, and the store does not say where it is. Start "
                "the server with the right --archive-dir."
            )
        return archive.read(session_id, first, stop)

    def size_bytes(self, session_id: int) -> int:
        """Return how much a session takes in the archive; 0 where that cannot be told."""
        try:
            archive = self.find()
            return 0 if archive is None else sum(map(archive.size_bytes, archive.segments(session_id)))
        except ArchiveError as error:
            log.debug("Session %s: %s", session_id, error)
            return 0

    def remove(self, session_id: int) -> None:
        """Remove the files of a session that was deleted. What cannot be removed is when the server starts anew."""
        self._remove(lambda session: session == session_id)

    def remove_all_but(self, exists: Callable[[int], bool]) -> None:
        """Remove the files of all sessions that do not exist any more."""
        self._remove(lambda session: not exists(session))

    def _remove(self, is_meant: Callable[[int], bool]) -> None:
        try:
            archive = self.find()
            if archive is None or not archive.is_ours():
                return
            for session_id in filter(is_meant, archive.sessions()):
                archive.remove(session_id)
        except ArchiveError as error:
            log.warning("The session is deleted, but not its files in the archive: %s", error)
