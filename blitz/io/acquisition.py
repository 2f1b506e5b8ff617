"""The acquisition: all links, the appender, and the session that is recorded.

Owns who delivers where and what the server can say of itself. Calls may come from any thread; those that wait for
boards or for the store say so. Viewers are told through the hub and never waited for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime

import blitz
from blitz.config import DEFAULT_BAUD, Durability, SerialPort
from blitz.data.blocks import PREVIEW_ID, Read
from blitz.data.boards import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.records import (
    BoardRecord,
    Event,
    EventKind,
    Gap,
    Notice,
    SessionRecord,
    Source,
    StatusRecord,
    StoreRecord,
)
from blitz.errors import BoardTimeout, NoSession, SessionNotFound, StoreInUse, StoreUnavailable, UnknownBoard
from blitz.io.appender import Appender
from blitz.io.board_link import BoardLink, LinkOptions
from blitz.io.delivery import Severity
from blitz.io.link import find_usb_ports, real_port
from blitz.io.live import LiveHub
from blitz.io.store_watch import StoreWatch

log = logging.getLogger(__name__)

SCAN_S = 5.0
DRAIN_S = 5.0
CLOSE_S = 8.0  # with the draining: less than clients wait for an answer
COMMAND_WAIT_S = 6.0
_NOTICES_KEPT = 200
_LEVELS: dict[Severity, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class AcquisitionOptions:
    """How the acquisition is run; the settings of the same names."""

    serial: Sequence[SerialPort] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Source names for ports, where the port's own name would say less."""
    scan_usb: bool = True
    never_touch: Sequence[str] = ()
    poll_interval_s: float = 0.1
    preview: bool = True
    durability: Durability = "always"
    is_private_store: bool = True
    revive_store: Callable[[], bool] | None = None
    """Starts a private Redis again that has died; says whether it had."""


class Acquisition:
    """Boards in, sessions out.

    :param definitions: board definitions by id; those in force go into each session's source table.
    """

    def __init__(
        self, store: DatabaseServer, definitions: Mapping[str, BoardDefinition], options: AcquisitionOptions
    ) -> None:
        self.store_id = store.store_id
        self.ended_incomplete = False
        """Whether :meth:`stop` found the store away: a session stayed open, or messages were lost."""
        self.hub = LiveHub(self.store_id, store.messages, store.session, self.status)
        self._store = store
        self._definitions = definitions
        self._options = options
        self._appender = Appender(store, self, self._find_source)
        self._boards: dict[str, BoardLink] = {}
        self._sources: dict[int, Source] = {}
        self._reserved_rows: dict[str, int] = {}
        """The row that waits for each board: in the order of the ports, not of who answers first."""
        self._row_count = 0
        self._session: SessionRecord | None = None
        self._session_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._notices: deque[Notice] = deque(maxlen=_NOTICES_KEPT)
        self._closing: Future[SessionRecord] | None = None
        self._watch = StoreWatch(
            store, is_private=options.is_private_store, revive=options.revive_store, changed=self._store_changed
        )
        self._anchor_ns = time.time_ns() - time.monotonic_ns()
        self._housekeeping_stop = threading.Event()
        self._housekeeping = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the lease, close what a crash left open, open the ports.

        :raises StoreInUse: if another server acquires into this store.
        """
        self._watch.take_lease()
        interrupted = self._store.close_interrupted()
        if interrupted is not None:
            count = self._store.session(interrupted).message_count
            self.notice(
                "warning",
                f"Session {interrupted} was being recorded when the server ended unexpectedly. It is closed and marked "
                f"as interrupted; its {count} messages are all there.",
                None,
            )
        self._appender.start()
        for port in self._options.serial:
            self._add_board(port.port, port.baud, is_named=True)
        self._find_new_ports()
        self._housekeeping.start()

    def stop(self) -> None:
        """Stop a running session in good order, close the ports, give the lease up; a second time does nothing."""
        if self._housekeeping_stop.is_set():
            return
        self._housekeeping_stop.set()
        if self._housekeeping.is_alive():
            self._housekeeping.join(5.0)
        try:
            self.stop_session(None)
        except NoSession:
            pass
        except StoreUnavailable:
            self.ended_incomplete = True
            log.error("Redis is away: the session is left open, and marked as interrupted at the next start.")
        for board in list(self._boards.values()):
            try:
                board.stop()
            except Exception:
                log.exception("%s did not end well", board.name)
        try:
            self._appender.stop()
            self._watch.release_lease()
        except StoreUnavailable as error:
            self.ended_incomplete = True
            log.error("%s", error)

    # ---- sessions -----------------------------------------------------------------------------------------------

    def start_session(self, name: str = "", notes: str = "", owner: str = "") -> SessionRecord:
        """Start recording; boards follow at once, each with its answer to START.

        :raises SessionRunning: if a session runs already.
        :raises StoreUnavailable: if Redis is away.
        :raises StoreInUse: if another server has taken over this store.
        """
        with self._session_lock:
            if self._watch.is_standing_by:
                raise StoreInUse("Another server acquires into this store now. Stop one of the two.")
            self._anchor_ns = time.time_ns() - time.monotonic_ns()
            sources = [
                self._sources[row]
                for board in list(self._boards.values())
                if (row := board.delivery.source) is not None
            ]
            session_id = self._store.start_session(name, notes, owner, sources)
            record = self._store.session(session_id)
            self._follow(record)
            log.info("Session %s started by %s", session_id, owner or "an unnamed client")
            return record

    def _follow(self, record: SessionRecord) -> None:
        """Record into a session that runs in the store."""
        self.hub.open_session(record.id, record.sources)
        self._appender.open_session(record)
        with self._state_lock:
            self._session = record
        self.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=record.id, session=_brief(record)))
        with self._state_lock:
            # Who lets a session go does it under this lock, too: an older one must not take boards from a newer.
            if self._session is not None and self._session.id == record.id:
                for board in self._boards.values():
                    board.deliver_to(record.id)

    def stop_session(self, session_id: int | None) -> SessionRecord:
        """Stop recording: fetch what the boards still hold, then close the session. Waits for both.

        :param session_id: None means the running one.
        :raises NoSession: if it does not run.
        :raises StoreUnavailable: if Redis is away; the session is closed when it is back.
        """
        with self._session_lock:
            running = self._session
            if running is None or session_id not in (None, running.id):
                which = "No session runs" if session_id is None else f"Session {session_id} does not run"
                raise NoSession(f"{which}. There is nothing to stop.")
            boards = list(self._boards.values())
            for board in boards:
                board.deliver_to(PREVIEW_ID)
            began_s = time.monotonic()
            deadline_s = began_s + DRAIN_S
            for board in boards:
                if not board.delivery.wait_until_released(running.id, deadline_s):
                    self.notice("warning", f"{board.name} did not finish within {DRAIN_S:g} s of Stop.", board.name)
            if self._closing is None or self._closing.done():
                self._closing = self._appender.close_session(running.id)
            # A store that is known to be away is not waited for; the appender goes on trying.
            wait_s = CLOSE_S if self._watch.error is None else 1.0
            try:
                return self._closing.result(max(began_s + wait_s - time.monotonic(), 1.0))
            except FutureTimeoutError:
                raise StoreUnavailable(
                    f"Session {running.id} takes no more messages, but Redis is away or slow: the session is closed "
                    "as soon as Redis has taken all of it."
                ) from None

    def announce_changed(self, record: SessionRecord) -> None:
        """Tell viewers of a new name or notes."""
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = record
        self.hub.post(Event(event=EventKind.SESSION_CHANGED, session_id=record.id, session=_brief(record)))

    def announce_deleted(self, session_id: int) -> None:
        """Tell viewers that a session is gone."""
        self.hub.post(Event(event=EventKind.SESSION_DELETED, session_id=session_id))

    # ---- boards -------------------------------------------------------------------------------------------------

    def boards(self) -> list[BoardRecord]:
        """Return how all boards are doing."""
        return [board.record() for board in list(self._boards.values())]

    def scan(self) -> list[BoardRecord]:
        """Look for new ports, ask silent devices again, and wait, at most five seconds, for what comes of it."""
        self._find_new_ports()
        for board in list(self._boards.values()):
            board.identify_again()
        deadline_s = time.monotonic() + SCAN_S
        for board in list(self._boards.values()):
            board.identified.wait(max(deadline_s - time.monotonic(), 0.0))
        return self.boards()

    def command(self, name: str, line: str) -> str:
        """Send a line to a board and return its answer.

        :raises UnknownBoard: if there is none with that name.
        :raises ValueError: if the line is empty (which boards take for START) or is no single ASCII line.
        :raises BoardTimeout: if the board does not answer.
        :raises CommandRefused: if it answers with an error.
        :raises LinkError: if the port is away.
        """
        board = self._boards.get(name)
        if board is None:
            known = ", ".join(list(self._boards)) or "none is connected"
            raise UnknownBoard(f"There is no board {name!r}. Known are: {known}.")
        if not line.strip() or not line.isascii() or not line.isprintable():
            raise ValueError(f"Cannot send {line!r}: a command is one line of printable ASCII, and never empty.")
        log.info("Command to %s: %s", name, line)
        answer = board.send(line)
        wait([answer], COMMAND_WAIT_S)
        if not answer.done() and answer.cancel():
            raise BoardTimeout(f"{name} is busy or away: {line!r} was not sent. Try again when it is back.")
        wait([answer], COMMAND_WAIT_S)  # it is being sent at this moment
        if not answer.done():
            raise BoardTimeout(f"{name} was sent {line!r}, but nothing is known of its answer.")
        return answer.result()

    def _find_new_ports(self) -> None:
        if self._options.scan_usb:
            for found in find_usb_ports(self._options.never_touch):
                self._add_board(found.port, DEFAULT_BAUD, is_named=False)

    def _add_board(self, port: str, baud: int, *, is_named: bool) -> None:
        with self._state_lock:
            place = real_port(port)
            if place in map(real_port, self._options.never_touch):
                return
            if any(real_port(board.port) == place for board in self._boards.values()):
                return
            name = self._options.names.get(port) or port.replace("\\", "/").rstrip("/").rpartition("/")[2]
            while name in self._boards:
                name += "'"
            options = LinkOptions(baud, self._options.poll_interval_s, self._options.preview, is_named)
            board = BoardLink(name, port, options, self)
            self._boards[name] = board
            self._reserved_rows[name] = self._new_row()
            if self._session is not None:
                board.deliver_to(self._session.id)
        board.start()

    def _new_row(self) -> int:
        self._row_count += 1
        return self._row_count - 1

    def _find_source(self, index: int) -> Source:
        return self._sources[index]

    # ---- what links tell (see delivery.Sink) ------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None) -> tuple[int, str]:
        """Return the source row of a device and the name of its kind; a row is made for one not seen before."""
        definition = self._definitions.get(board_id or "")
        kind = definition.name if definition is not None else ("" if board_id is None else f"board {board_id}")
        with self._state_lock:
            for source in self._sources.values():
                if (source.name, source.link, source.board_id) == (name, link, board_id):
                    return source.index, kind
            row = self._reserved_rows.pop(name, None)
            if row is None:  # another device at a port that was known: another source
                row = self._new_row()
            source = Source(index=row, name=name, link=link, board_id=board_id, definition=definition)
            self._sources[row] = source
        log.info("%s on %s is %s", name, link, kind or "a device that prints lines")
        return source.index, kind

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""
        return self._appender.put(session_id, Read(arrived_ns, source, messages))

    def report_gap(self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str) -> None:
        """Record that messages are missing."""
        self._appender.put_gap(session_id, Gap(source=source, seq=0, from_ns=from_ns, to_ns=to_ns, reason=reason))

    def notice(self, severity: Severity, text: str, source: str | None) -> None:
        """Tell the operator, and the log."""
        log.log(_LEVELS[severity], "%s", text)
        notice = Notice(severity=severity, text=text, time=datetime.now(UTC), source=source)
        self._notices.append(notice)
        self.hub.post(Event(event=EventKind.NOTICE, notice=notice))

    def link_changed(self, board: BoardRecord) -> None:
        """Tell viewers how a board is doing now."""
        log.info("%s is %s%s", board.name, board.state.value, f": {board.error}" if board.error else "")
        self.hub.post(Event(event=EventKind.LINK_CHANGED, board=board))

    def now_ns(self) -> int:
        """Return Unix time in ns from the monotonic clock, anchored at the session's start."""
        return self._anchor_ns + time.monotonic_ns()

    # ---- what the appender tells (see appender.Publisher) ---------------------------------------------------------

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show what became durable."""
        self.hub.publish(session_id, first_seq, reads, count)

    def add_source(self, session_id: int, source: Source) -> None:
        """Show a new row of a source table."""
        self.hub.add_source(session_id, source)

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        """Show a gap."""
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def session_closed(self, record: SessionRecord) -> None:
        """The session is over, and all its messages were shown before."""
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = None
            for board in self._boards.values():
                if board.delivery.wanted == record.id:  # it was plugged in while the others were drained
                    board.deliver_to(PREVIEW_ID)
        log.info("Session %s stopped with %s messages", record.id, record.message_count)
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=record.id, session=_brief(record)))

    def session_lost(self, session_id: int) -> None:
        """Another program stopped the session: stop delivering to it."""
        self._let_go(session_id, f"Session {session_id} was stopped by another program.")

    def _let_go(self, session_id: int, why: str) -> None:
        with self._state_lock:
            if self._session is None or self._session.id != session_id:
                return
            self._session = None
            for board in self._boards.values():
                board.deliver_to(PREVIEW_ID)
        self.notice("warning", why, None)
        try:
            record = _brief(self._store.session(session_id))
        except (SessionNotFound, StoreUnavailable):
            record = None
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record))

    def store_changed(self, error: str | None) -> None:
        """The store refuses what the appender brings, or takes it again."""
        self._watch.report("appender", error)

    def _store_changed(self, error: str | None) -> None:
        if error is not None:
            hint = " Its own words stand in redis.log in the data folder." if self._options.is_private_store else ""
            self.notice("error", f"{error}{hint} What boards send is kept in memory for now.", None)
        else:
            self.notice("info", "The store answers again.", None)

    # ---- what the server says of itself ---------------------------------------------------------------------------

    @property
    def notices(self) -> list[Notice]:
        """The last notices, oldest first."""
        return list(self._notices)

    def status(self) -> StatusRecord:
        """Return everything in one look, from memory."""
        with self._state_lock:
            session = self._session
        if session is not None:
            count = self.hub.next_seq(session.id) or 0
            session = _brief(session).model_copy(update={"message_count": count})
        boards = tuple(self.boards())
        return StatusRecord(
            version=blitz.__version__,
            store_id=self.store_id,
            now=datetime.now(UTC),
            session=session,
            store=StoreRecord(
                is_up=self._watch.error is None,
                is_private=self._options.is_private_store,
                durability=self._options.durability if self._options.is_private_store else "external",
                append_ms=round(self._appender.append_ms, 2),
                waiting_messages=self._appender.waiting_messages,
                error=self._watch.error,
            ),
            boards=boards,
            rate_hz=round(sum(board.rate_hz for board in boards), 1),
            preview=self._options.preview,
        )

    def _keep_house(self) -> None:
        """Once a second: rates, status for viewers, new ports; every third: the lease."""
        round_number = 0
        while not self._housekeeping_stop.wait(1.0):
            round_number += 1
            try:
                for board in list(self._boards.values()):
                    board.measure_rate()
                if self.hub.viewer_count:
                    self.hub.post(Event(event=EventKind.STATUS, status=self.status()))
                self._find_new_ports()
                self._watch.look()
                self.follow_store()
                if round_number % 3 == 0:
                    self._renew_lease()
            except StoreUnavailable as error:
                log.debug("Housekeeping: %s", error)
            except Exception:
                log.exception("Housekeeping failed once")

    def follow_store(self) -> None:
        """Follow what other programs do in the store: start a session, queue messages, stop it."""
        if self._watch.is_standing_by or not self._session_lock.acquire(blocking=False):
            return  # not ours, or a session is being started or stopped right now
        try:
            session, running = self._session, self._store.running_session()
            if self._closing is not None and not self._closing.done():
                pass  # the appender is about to stop it
            elif session is None and running is not None:
                log.info("Session %s was started by another program", running)
                self._follow(self._store.session(running))
            elif session is not None and running != session.id:
                self.session_lost(session.id)
            elif session is not None:
                self.hub.advance(session.id, self._store.count_messages(session.id))
        finally:
            self._session_lock.release()

    def _renew_lease(self) -> None:
        taken_by = self._watch.renew_lease()
        if taken_by is not None:
            why = f"{taken_by} This server stops recording until that one is gone."
            if self._session is None:
                self.notice("error", why, None)
            else:
                self._let_go(self._session.id, why)


def _brief(record: SessionRecord) -> SessionRecord:
    return record.model_copy(update={"sources": (), "gaps": ()})
