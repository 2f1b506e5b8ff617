"""What the acquisition is told by its parts: links, appender, intake and observer, each from its own thread."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

from blitz.data.blocks import PREVIEW_ID, Read
from blitz.data.records import (
    Account,
    BoardRecord,
    Event,
    EventKind,
    FoundDevice,
    Gap,
    SessionRecord,
    Source,
    TimelineEntry,
    TimelineKind,
)
from blitz.data.spool_records import Change, ChangeKind
from blitz.errors import (
    SessionNotFound,
    StoreUnavailable,
)
from blitz.io.acquisition_parts import AcquisitionParts
from blitz.io.delivery import Identified
from blitz.io.device_link import DeviceLink

log = logging.getLogger(__name__)


class AcquisitionTold(AcquisitionParts):
    """Takes what they tell, and tells viewers and operators."""

    # ---- what links tell (see delivery.Sink) ---------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the source row of a device and what its messages mean."""
        return self.devices.identify(name, link, board_id, heard)

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""
        self._flow.add(messages)
        arrived_ns = self._clock_change.stamp(session_id, arrived_ns)
        return self.appender.put(session_id, Read(arrived_ns, source, messages))

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Record that messages are missing, or what is known of a gap by now."""
        gap = Gap(source=source, seq=0, from_ns=from_ns, to_ns=to_ns, reason=reason, recovered=recovered)
        self.appender.put_gap(session_id, gap)

    def close_account(self, session_id: int, account: Account) -> None:
        """Take the account of what a session got of a source."""
        self._accounting.book.close(session_id, account)

    def link_changed(self, board: BoardRecord) -> None:
        """Tell viewers how a board is doing now."""
        log.info("%s is %s%s", board.name, board.state.value, f": {board.error}" if board.error else "")
        self.hub.post(Event(event=EventKind.LINK_CHANGED, board=board))

    def _tell_found(self, found: tuple[FoundDevice, ...]) -> None:
        self.hub.post(Event(event=EventKind.FOUND, found=found))

    # ---- what the appender tells (see appender.Publisher) --------------------------------------------------------

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show what became durable."""
        self._accounting.append(session_id, reads)
        self.hub.publish(session_id, first_seq, reads, count)
        if first_seq + count >= self.planner.wanted_count and session_id != PREVIEW_ID:
            self.planner.wake()

    def kept_before(self, since_ns: int) -> list[Read]:
        """Return what was published of the preview since a time."""
        return self.hub.preview_since(since_ns)

    def adopted(self, session_id: int, reads: Sequence[Read], shown: int) -> None:
        """A session gets what came for the preview before it: it is part of its account."""
        self._accounting.adopt(session_id, reads)
        for tell in self.hub.adopting:
            tell(session_id, shown)

    def add_source(self, session_id: int, source: Source) -> None:
        """Show a new row of a source table."""
        if session_id != PREVIEW_ID:
            self._accounting.observer.add_source(source)
        self.hub.add_source(session_id, source)

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        """Show a gap."""
        self._accounting.observer.add_gap(session_id, gap)
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def entry_recorded(self, session_id: int, entry: TimelineEntry) -> None:
        """Show an entry of the time line."""
        self.hub.post(Event(event=EventKind.TIMELINE, session_id=session_id, entry=entry))

    def session_closed(self, session_id: int, message_count: int, closed: "Future[SessionRecord]") -> None:
        """All messages of the session are safe and shown: let the observer finish with it."""
        try:
            record = self.session_record(session_id)
        except (SessionNotFound, StoreUnavailable) as error:
            closed.set_exception(error)
            return
        if record.is_running:  # its end waits in the spool
            end = {"is_running": False, "stopped_at": datetime.now(UTC), "message_count": message_count}
            record = record.model_copy(update=end)
        self._accounting.observer.finish(record, closed.set_result)

    def session_lost(self, session_id: int) -> None:
        """Another program stopped the session: stop delivering to it."""
        self._let_go(session_id, f"Session {session_id} was stopped by another program.")

    def _let_go(self, session_id: int, why: str) -> None:
        with self._state_lock:
            if self._session is None or self._session.id != session_id:
                return
            self._session = None
            self.devices.deliver_to(PREVIEW_ID)
        self.planner.forget(session_id)
        self.notice("warning", why, None)
        try:
            record = self._store.session(session_id).brief()
        except (SessionNotFound, StoreUnavailable):
            record = None
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record))

    def intake_changed(self, error: str | None) -> None:
        """Neither store nor spool takes anything, or one does again."""
        self._watch.report("intake", error)

    # ---- what the intake tells (see intake.Listener) -------------------------------------------------------------

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        """What had been safe is not there any more."""
        self.notice("error", f"Session {session_id}, from message {seq} on: {why}.", None)

    def moved_up(self, session_id: int, next_seq: int) -> None:
        """Show what comes where the store has it."""
        self.hub.rewind(session_id, next_seq)

    def store_changed(self, error: str | None) -> None:
        """The store refuses messages, or has taken all that the spool held."""
        self._watch.report("spool", error)

    def _store_changed(self, error: str | None) -> None:
        is_recording = self._session is not None or self.intake.is_spooling
        if error is not None:
            hint = " Its own words stand in redis.log in the data folder." if self._options.is_private_store else ""
            kept = (
                " What boards send is kept on disk, in the spool, and enters the session later." if is_recording else ""
            )
            text = f"{error}{hint}{kept}"
            self.notice("error", text, None)
        else:
            text = "Redis answers again and has everything." if is_recording else "Redis answers again."
            self.notice("info", text, None)
        if self._session is not None:
            self.record(TimelineKind.SERVER, text)

    # ---- what the observer tells (see observer.Reporter) ---------------------------------------------------------

    def store_gap(self, session_id: int, gap: Gap) -> None:
        """Store a gap that messages show, or what is missing in one that is known."""
        self.intake.put(Change(session_id, ChangeKind.GAP, gap.model_dump_json()))
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def warn(self, source: str, text: str) -> None:
        """Tell the operator."""
        self.notice("warning", text, source)

    def finish_session(self, record: SessionRecord) -> SessionRecord:
        """The session is over, and all that can be known of it is known: write it down and tell viewers."""
        record = self._accounting.finish(record)
        with self._state_lock:
            if self._session is not None and self._session.id == record.id and not self._is_followed:
                self._session = None
            for link in self.devices.links():
                if link.delivery.wanted == record.id:  # it was plugged in while the others were drained
                    self.devices.deliver_to(PREVIEW_ID)
        self.planner.forget(record.id)
        self._ended_ns = self.now_ns()
        log.info("Session %s stopped with %s messages: %s", record.id, record.message_count, record.verdict)
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=record.id, session=record.brief()))
        return record

    def _keep_accounts(self) -> None:
        if self._session is not None:
            self._accounting.keep(self._session.id)

    def _account(self, link: DeviceLink) -> Account | None:
        session = self._session
        return self._accounting.of_link(link, None if session is None else session.id)
