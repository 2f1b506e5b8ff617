"""Definitions by which a cached session is read: those of the recording, and corrected ones."""

from blitz.data.records import Source
from blitz.data.session_copies import SessionCopies


class DefinitionVersions(SessionCopies):
    """The part of the cache that says how a session's raw messages are read."""

    def session_sources(self, session_id: int, version: int | None = None) -> tuple[Source, ...]:
        """Return a downloaded session's source table with the definitions of a version.

        :param version: 0 for those of the recording; None for the newest.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        return self.session_record(session_id).sources
