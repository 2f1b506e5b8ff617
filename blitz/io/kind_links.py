"""Sources of kinds that plug-ins bring: their links opened, and their messages counted where the kind numbers them.

A counted source says which of its messages a session begins with, and from which message of the session on to count
them: the next one is that plus their number. That is written into ``server.db`` before a session's first message;
nothing is written with each. What a kind's code raises is told like a lost link, with its name; the server goes on.
"""

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from blitz.data.blocks import GRID_MESSAGES, PREVIEW_ID
from blitz.data.board_definition import BoardDefinition
from blitz.data.kind_tables import only_tables_of
from blitz.data.records import Account, BoardRecord
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import CountedLink, SourceKind, load_kind
from blitz.data.source_places import SourcePlace
from blitz.data.source_store import SourceStore
from blitz.errors import BlitzError, LinkError, SessionNotFound
from blitz.io.delivery import Identified, Severity, Sink
from blitz.io.kind_guard import Guard, GuardedLink
from blitz.io.stream_sources import Sessions

QUIET_S = 2.0

log = logging.getLogger(__name__)


class KindSource:
    """One source of a kind: opens its links, and takes their messages on their way. Outlives the source's changes.

    Used in the thread of the link that there is. See :class:`~blitz.io.delivery.Sink`.

    :param link: as configured.
    :param store: keeps where it stands, and the kind's tables.
    :param sink: where messages go.
    """

    def __init__(self, link: str, sessions: Sessions, store: SourceStore, data_dir: Path, sink: Sink) -> None:
        self._adding: Connection | None = None
        """The transaction in which it is being added: what it does to its tables belongs to that."""
        self._adding_turn = threading.Lock()
        self._link = link
        self._sessions = sessions
        self._store = store
        self._data_dir = data_dir
        self._sink = sink
        self._counted: CountedLink | None = None
        self._place: SourcePlace | None = None
        """Where it stands, with the present number of delivered messages."""
        self._is_recalled = False
        self._told: int | None = None
        self._described: BoardDefinition | None = None
        self._guard = Guard(link)

    @contextmanager
    def added_in(self, db: Connection) -> Iterator[None]:
        """Let all that its kind does to its tables be part of a transaction; for the thread whose transaction it is."""
        self._adding = db
        try:
            yield
        finally:
            is_quiet = self._adding_turn.acquire(timeout=QUIET_S)
            self._adding = None
            if is_quiet:
                self._adding_turn.release()

    # ---- opening -----------------------------------------------------------------------------------------------

    def open(
        self, config: SourceConfig, active: int | None, is_leaving: Callable[[], bool], notice: "Notice"
    ) -> GuardedLink:
        """Open a link.

        :param active: the session that is delivered to, the preview, or None.
        :param is_leaving: asked again and again where that takes long; ends it.
        :raises LinkError: if it cannot be opened, or its kind cannot be used.
        """
        try:
            kind = load_kind(str(config.kind))
            self._recall(is_leaving)
        except LinkError:
            raise
        except BlitzError as error:
            raise LinkError(str(error)) from error
        session_id = None if active in (None, PREVIEW_ID) else active
        context = _Context(self, kind, config, session_id, is_leaving, notice)
        opened = self._guard(lambda: kind.open(config, context))
        self._counted = opened if isinstance(opened, CountedLink) else None
        link = GuardedLink(opened, self._guard, self._closed)
        self._told = PREVIEW_ID
        self.begin(active, is_first=True)
        return link

    @property
    def position(self) -> int | None:
        """How many of its messages are in sessions."""
        return None if self._place is None else self._place.position + self._place.delivered

    def begin(self, active: int | None, *, is_first: bool = False) -> None:
        """Messages go to that session, or to the preview, from now on."""
        active = PREVIEW_ID if active is None else active
        if active == self._told and not is_first:
            return
        self._told, counted = active, self._counted
        if counted is not None:
            self._guard(lambda: counted.begin(None if active == PREVIEW_ID else active))
            self._keep_delivered()

    def take_description(self, guesses: Callable[[BoardDefinition], None]) -> bool:
        """Say, once, that its kind has said what messages mean from now on."""
        described, self._described = self._described, None
        if described is None:
            return False
        guesses(described)
        return True

    def describe(self, definition: BoardDefinition) -> None:
        """Take what its kind says of its messages."""
        self._described = definition

    @contextmanager
    def transaction(self, prefix: str) -> Iterator[Connection]:
        """Give a connection that reaches the kind's tables."""
        with self._adding_turn:
            if self._adding is not None:
                with self._adding.begin_nested(), only_tables_of(self._adding, prefix) as db:
                    yield db
                return
        with self._store.transaction() as db, only_tables_of(db, prefix):
            yield db

    # ---- counting ------------------------------------------------------------------------------------------------

    def _recall(self, is_leaving: Callable[[], bool]) -> None:
        """Find out which of its messages are in sessions, once."""
        if self._is_recalled or self._adding is not None:  # which is new
            self._is_recalled = True
            return
        place = self._store.place(self._link)
        if place is not None:
            if self._sessions.is_spooling():
                raise LinkError(f"{self._link} waits until all that was spooled is in the store.")
            place = place._replace(delivered=self._count(place, is_leaving))
            log.info("%s goes on at message %d", self._link, place.position + place.delivered)
        self._place, self._is_recalled = place, True

    def _count(self, place: SourcePlace, is_leaving: Callable[[], bool]) -> int:
        try:
            sources = self._sessions.record(place.session_id).sources
            rows = [source.index for source in sources if source.link == self._link]
            seq, count = place.seq, 0
            while not is_leaving() and len(block := self._sessions.messages(place.session_id, seq, GRID_MESSAGES)):
                count += int(np.isin(block.source, rows).sum())
                seq = block.next_seq
        except SessionNotFound:
            return place.delivered  # what it had is not to come again because somebody has deleted it
        if is_leaving():
            raise LinkError(f"{self._link} was not opened: it is left.")
        return count

    def _is_written_down(self, session_id: int, at: int) -> bool:
        """See to it that it is known where a session's messages of it come from."""
        place = self._place
        if place is None or place.session_id != session_id:
            place = SourcePlace(session_id, self._sessions.next_seq(session_id) or 0, at)
        else:
            place = place._replace(position=at - place.delivered)
        if place == self._place:
            return True
        try:
            self._store.keep_place(self._link, place)
        except BlitzError as error:
            log.warning("Where %s stands cannot be written down: %s", self._link, error)
            return False
        self._place = place
        return True

    def _keep_delivered(self) -> None:
        """Write down how much a session got that is over, or will be gone on with by another server."""
        place = self._place
        if place is None or self._adding is not None:
            return
        try:
            if self._store.place(self._link) not in (None, place):
                self._store.keep_place(self._link, place)
        except BlitzError as error:
            log.warning("Where %s stands cannot be written down: %s", self._link, error)

    def _closed(self) -> None:
        if self._counted is not None:
            self._keep_delivered()

    # ---- what the link tells (see delivery.Sink) -----------------------------------------------------------------

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Hand messages on; those of a counted source that are not taken are read again."""
        counted = self._counted
        if counted is None:
            return self._sink.deliver(session_id, source, arrived_ns, messages)
        is_recorded = session_id != PREVIEW_ID
        is_taken = False
        if not is_recorded or self._is_written_down(session_id, self._guard(lambda: counted.position)):
            is_taken = self._sink.deliver(session_id, source, arrived_ns, messages)
        if not is_taken:
            self._guard(counted.rewind)
            return False
        if is_recorded and self._place is not None:
            self._place = self._place._replace(delivered=self._place.delivered + len(messages))
        self._guard(lambda: counted.delivered(len(messages), session_id if is_recorded else None))
        return True

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Pass it on, but of a counted source: what its link missed is delivered later."""
        if self._counted is None:
            self._sink.report_gap(session_id, source, from_ns, to_ns, reason, recovered)

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Pass it on."""
        return self._sink.identify(name, link, board_id, heard)

    def close_account(self, session_id: int, account: Account) -> None:
        """Pass it on."""
        self._sink.close_account(session_id, account)

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Pass it on."""
        self._sink.notice(severity, text, source)

    def link_changed(self, board: BoardRecord) -> None:
        """Pass it on."""
        self._sink.link_changed(board)

    def now_ns(self) -> int:
        """Pass it on."""
        return self._sink.now_ns()


Notice = Callable[[Severity, str], None]


class _Context:
    """See :class:`blitz.data.source_kinds.SourceContext`."""

    def __init__(
        self,
        source: KindSource,
        kind: SourceKind,
        config: SourceConfig,
        session_id: int | None,
        is_leaving: Callable[[], bool],
        notice: Notice,
    ) -> None:
        self.data_dir = source._data_dir
        self.position = source.position
        self.session_id = session_id
        self.is_leaving = is_leaving
        self.notice = notice
        self.describe = source.describe
        self.transaction = lambda: source.transaction(kind.prefix)


class KindSources:
    """All sources of kinds, by their links; what is known of one outlives the source's changes."""

    def __init__(self, sessions: Sessions, store: SourceStore) -> None:
        self._sessions = sessions
        self._store = store
        self._data_dir = Path(tempfile.gettempdir()) if store.path == ":memory:" else Path(store.path).parent
        self._sources: dict[str, KindSource] = {}

    def source(self, link: str, sink: Sink) -> KindSource:
        """Return the one for a link; it is made where there is none yet."""
        if link not in self._sources:
            self._sources[link] = KindSource(link, self._sessions, self._store, self._data_dir, sink)
        return self._sources[link]

    def forget(self, link: str) -> None:
        """The source was deleted: should it be added again, it begins anew."""
        self._sources.pop(link, None)

    def remove_files(self, kind: SourceKind, config: SourceConfig) -> None:
        """Let a kind remove the files of a source that was deleted."""
        try:
            kind.forgotten(config, self._data_dir)
        except Exception:  # other people's code
            log.exception("The files of %s could not be removed", config.name)
