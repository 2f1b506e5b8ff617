"""Overviews of the cache's sessions: which there are, and what they were made of."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, or_, select

from blitz.data.definition_versions import DefinitionVersions
from blitz.data.models import Config, DefinitionVersion, SessionCopy, StoredBlock
from blitz.data.pyramid_format import Pyramid, PyramidKey
from blitz.data.pyramids import DEFAULT_LIMIT_BYTES, Pyramids, definitions_hash
from blitz.data.records import Source
from blitz.data.series_request import WantedChannel, session_channels
from blitz.errors import SessionNotFound

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 16
_LIMIT = "overview_limit_bytes"


class OpenedSession(NamedTuple):
    """What is known of a downloaded session, read by certain definitions, without looking into its blocks."""

    sources: tuple[Source, ...]
    channels: Mapping[str, WantedChannel]
    key: PyramidKey


class SessionOverviews(DefinitionVersions):
    """The part of the cache that keeps overviews of its sessions.

    An overview (a min/max pyramid, and where the devices' clocks stood) is derived: it lies in files beside the cache,
    and may be deleted at any time.
    """

    def __init__(self, verbose: bool = False, path: str | Path = ":memory:") -> None:
        super().__init__(verbose, path)
        url = self._engine.url
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self.overviews = Pyramids(Path(f"{url.database}.overview") if is_file else None)
        self._remembered: dict[tuple[Any, ...], OpenedSession] = {}
        self._remembering = threading.Lock()

    def close(self) -> None:
        """Release the database and the overviews. A second call does nothing."""
        super().close()
        self.overviews.close()

    @property
    def overview_limit_bytes(self) -> int:
        """What the overviews of this cache may take on disk; kept in the cache, so that all programs keep to it."""
        with self._reading() as db:
            value = db.scalar(select(Config.value).where(Config.key == _LIMIT))
        return DEFAULT_LIMIT_BYTES if value is None or not value.isdecimal() else int(value)

    @overview_limit_bytes.setter
    def overview_limit_bytes(self, limit_bytes: int) -> None:
        with self._writing() as db:
            row = db.scalar(select(Config).where(Config.key == _LIMIT))
            if row is None:
                db.add(Config(key=_LIMIT, value=str(limit_bytes)))
            else:
                row.value = str(limit_bytes)

    def open_session(self, session_id: int, version: int | None = None) -> OpenedSession:
        """Return a downloaded session's sources and channels.

        :param version: of the definitions, 0 for those of the recording; None for the newest.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        with self._asking() as db:
            copy = db.execute(_COPY, {"session": int(session_id)}).one_or_none()
            if copy is None:
                raise SessionNotFound(f"Session {session_id} is not in the cache. Download it first.")
            copy_id, started_ms, record, message_count = copy
            newest = None
            if version != 0:
                wanted = {"session": int(session_id), "started": started_ms, "number": version}
                newest = db.execute(_VERSION, wanted).first()
        # Ids are used again, and a record can be replaced by the server's newer one.
        about = (session_id, version, copy_id, started_ms, hash(record), message_count, *(newest or ()))
        with self._remembering:
            known = self._remembered.get(about)
        if known is None:
            sources = self.session_sources(session_id, version)
            key = PyramidKey(int(session_id), started_ms, message_count or 0, definitions_hash(sources))
            known = OpenedSession(sources, session_channels(sources), key)
            with self._remembering:
                self._remembered[about] = known
                while len(self._remembered) > _MOST_REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
        return known

    def find_overview(self, session_id: int, version: int | None = None) -> Pyramid | None:
        """Return a session's overview; None where it was not made yet, or is out of date.

        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        """
        return self.overviews.find(self.open_session(session_id, version).key)

    def make_overview(
        self,
        session_id: int,
        version: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Pyramid | None:
        """Return a session's overview; it is made, by decoding the session once, if it is missing.

        :param progress: called with messages done and messages in all.
        :returns: None where it cannot be kept, for want of room; the log says why.
        :raises SessionNotFound: if the session is not downloaded, or has no such version.
        :raises BlockError: at a block that is damaged.
        :raises DownloadCancelled: if ``is_cancelled`` said so.
        """
        opened = self.open_session(session_id, version)
        try:
            return self.overviews.make(
                opened.key,
                opened.sources,
                lambda: self.session_blocks(session_id),
                self.overview_limit_bytes,
                progress,
                is_cancelled,
            )
        except OSError as error:
            log.warning("Session %d has no overview, which makes it slower to look at: %s", session_id, error)
            return None


# Put together once: with SQLAlchemy that takes longer than to ask.
_END = (
    select(StoredBlock.first_seq + StoredBlock.count)
    .where(StoredBlock.copy_id == SessionCopy.id)
    .order_by(StoredBlock.grid_index.desc())
    .limit(1)
)
_COPY = select(SessionCopy.id, SessionCopy.started_ms, SessionCopy.record, _END.scalar_subquery()).where(
    SessionCopy.session_ref_id == bindparam("session"), SessionCopy.is_whole
)
_VERSION = (
    select(DefinitionVersion.id, DefinitionVersion.number, DefinitionVersion.created_ms)
    .where(
        DefinitionVersion.session_ref_id == bindparam("session"),
        DefinitionVersion.started_ms == bindparam("started"),
        or_(bindparam("number", type_=Integer).is_(None), DefinitionVersion.number == bindparam("number")),
    )
    .order_by(DefinitionVersion.number.desc())
    .limit(1)
)
