"""Whose a device's messages are: the session they go to, and what of it is missing.

A link's thread delivers; another thread says which session is wanted. A session is let go only when its last message
was delivered, and whoever stops it can wait for that.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol

from blitz.data.blocks import PREVIEW_ID
from blitz.data.board_definition import BoardDefinition
from blitz.data.records import Account, BoardRecord
from blitz.data.source_examiner import AGAIN_AND_AGAIN, GAPS_KEPT
from blitz.io.ledger import NOT_WANTED, Ledger, Tally, account_between

Severity = Literal["info", "warning", "error"]

NOT_THERE = "was not there at the start"
DROPPED = "dropped, the store was away or too slow"


class Identified(NamedTuple):
    """What the server makes of a device: its row in source tables, the name of its kind, what its messages mean."""

    source: int
    kind: str
    definition: BoardDefinition | None = None
    is_guessed: bool = False


class Sink(Protocol):
    """Where links deliver, each from its own thread: the acquisition."""

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the source row for a device; ``heard`` are the first lines of one that only prints."""

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Record that messages are missing; the same source and ``from_ns`` again: more is known of that gap."""

    def close_account(self, session_id: int, account: Account) -> None:
        """Take the account of what a session got of a source: nothing more comes for it."""

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Tell the operator."""

    def link_changed(self, board: BoardRecord) -> None:
        """Tell viewers how a board is doing now."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds from a clock that never goes back."""


class Delivery:
    """The way of one device's messages into sessions.

    :param sink: where messages and gaps go.
    :param ledger: counts them.
    """

    def __init__(self, sink: Sink, ledger: Ledger) -> None:
        self._order: tuple[int, int | None] = (PREVIEW_ID, None)
        """The session that is wanted, and the one that follows the active one without a break; changed together."""
        self.active: int | None = None
        """The session that is delivered to. Changed by the link's thread only."""
        self.source: int | None = None
        """The device's row in source tables; none before it is known."""
        self.reserved: int | None = None
        """The row that is kept for the device: until it is known, its bytes are accounted for there."""
        self.tally = Tally()
        """How the ledger stood when last every byte had its place; read from other threads."""
        self.last_arrival_ns = 0
        self._sink = sink
        self._ledger = ledger
        self._begun = Tally()
        self._is_recovering = False
        self._since_ns = 0
        self._lost: tuple[int, str] | None = None
        self._last_gap: tuple[int, int, str] | None = None
        self._gap_count = 0
        self._dropping_since_ns: int | None = None
        self._is_settled = True
        """Whether nothing was delivered since the ledger was settled."""
        self._changed = threading.Condition()

    @property
    def wanted(self) -> int:
        """The session to deliver to, as other threads want it."""
        return self._order[0]

    @wanted.setter
    def wanted(self, session_id: int) -> None:
        with self._changed:
            self._order = (session_id, self._order[1])

    @property
    def is_current(self) -> bool:
        """Whether what is active is what is wanted."""
        wanted, following = self._order
        return following is None and wanted == self.active

    @property
    def is_followed(self) -> bool:
        """Whether another session follows the active one without a break: the device is not told anything."""
        return self._order[1] is not None

    def follow_on(self, before_id: int, session_id: int) -> None:
        """From the next message on, deliver to the session that follows the one before; for any thread.

        A device that delivers to another one changes over as usual.
        """
        with self._changed:
            delivers = before_id in (self.active, self._order[1])
            self._order = (session_id, session_id if delivers else None)

    @property
    def is_recording(self) -> bool:
        """Whether messages go to a session rather than to the preview."""
        return self.active is not None and self.active != PREVIEW_ID

    @property
    def row(self) -> int | None:
        """The row in accounts: that of source tables, or the one that is kept for it."""
        source = self.source
        return self.reserved if source is None else source

    @property
    def covered_until_ns(self) -> int:
        """Until when nothing of the present session is missing: the last message, or the session's beginning."""
        return max(self.last_arrival_ns, self._since_ns)

    def account(self) -> Account | None:
        """Return the account of the session that is delivered to; None where no row is kept for the device."""
        row = self.row
        return None if row is None else account_between(self._begun, self.tally, row, "")

    def wait_until_released(self, session_id: int, deadline_s: float) -> bool:
        """Wait until nothing more goes to the session; False if the (monotonic) deadline came first."""
        return self._wait_until(lambda: self.active != session_id, deadline_s)

    def wait_until_taken_up(self, session_id: int, deadline_s: float) -> bool:
        """Wait until messages go to the session; False if the (monotonic) deadline came first."""
        return self._wait_until(lambda: self.active == session_id, deadline_s)

    def _wait_until(self, is_so: Callable[[], bool], deadline_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(is_so, max(deadline_s - time.monotonic(), 0.0))

    # ---- from the link's thread -------------------------------------------------------------------------------

    def settle(self, tally: Tally) -> None:
        """Every byte so far has its place."""
        self.tally = tally
        self._is_settled = True
        if self.is_followed:
            self.activate()

    def become(self, source: int) -> None:
        """The device is known, or is known better, as that row of source tables."""
        if self.source is not None and self.source != source:
            self._close_account()
            self._begun = self.tally
        self.source = source

    def activate(self, *, is_away: bool = False, reason: str = NOT_THERE, since_ns: int | None = None) -> None:
        """Let the present session go and deliver to the wanted one.

        :param is_away: the device is not there, so that messages are missing from the session's start.
        :param reason: why it is not there.
        :param since_ns: since when, where it is missing already.
        """
        self.release()
        with self._changed:
            wanted, following = self._order
            self._order = (wanted, None)
            self.active = wanted if following is None else following
            self._changed.notify_all()
        if following is not None:
            self._last_gap = None
        self._begun = self.tally
        self._gap_count = 0
        self._since_ns = self._sink.now_ns()
        if is_away and self.is_recording:
            self._lost = (self._since_ns if since_ns is None else since_ns, reason)

    def release(self) -> None:
        """Nothing more comes for the present session."""
        self._end_dropping()
        self.end_absence()
        self._close_account()
        with self._changed:
            self.active = None
            self._changed.notify_all()

    def deliver(self, messages: Sequence[bytes], arrived_ns: int) -> bool:
        """Hand messages on; False if they had to be dropped."""
        if self.is_followed and self._is_settled:
            self.activate()
        self._is_settled = False
        arrived_ns = max(arrived_ns, self._since_ns)  # it may have been heard before the device was known
        before_ns, self.last_arrival_ns = self.last_arrival_ns, arrived_ns
        if self.active is None or self.source is None:
            self._ledger.discard(messages, NOT_WANTED)
            return True
        is_taken = self._sink.deliver(self.active, self.source, arrived_ns, messages)
        self._ledger.deliver(messages, is_dropped=not is_taken, is_recovered=self._is_recovering)
        if is_taken:
            self._end_dropping()
        elif self._dropping_since_ns is None:
            self._dropping_since_ns = max(before_ns, self._since_ns)
            self._report_gap(self._dropping_since_ns, DROPPED)  # now, so that it stands before what comes next
        return is_taken

    def begin_absence(self, reason: str = "unplugged") -> None:
        """The device is gone: what is missing begins behind its last message."""
        if self._lost is None and self.is_recording:
            self._lost = (max(self.last_arrival_ns, self._since_ns), reason)

    def end_absence(self) -> None:
        """The device is back, or the session is over without it."""
        lost, self._lost = self._lost, None
        if lost is not None:
            self._report_gap(*lost)

    @contextmanager
    def recovering(self) -> Iterator[None]:
        """What comes in here was logged while the device was away."""
        before = self._ledger.recovered
        self._is_recovering = self.is_recording and self._last_gap is not None
        try:
            yield
        finally:
            self._is_recovering = False
            recovered = self._ledger.recovered - before
            if recovered and self._last_gap is not None and self.source is not None:
                from_ns, to_ns, reason = self._last_gap
                self._sink.report_gap(int(self.active or 0), self.source, from_ns, to_ns, reason, recovered)

    def report_reset(self) -> None:
        """The device has forgotten what it logged since its last message."""
        self._report_gap(max(self.last_arrival_ns, self._since_ns), "board was reset")

    def _close_account(self) -> None:
        if not self.is_recording:
            return
        account = self.account()
        if account is not None and (self.source is not None or account.bytes_read):
            self._sink.close_account(int(self.active or 0), account)
        self._begun = self.tally

    def _end_dropping(self) -> None:
        since_ns, self._dropping_since_ns = self._dropping_since_ns, None
        if since_ns is not None:
            self._report_gap(since_ns, DROPPED)

    def _report_gap(self, from_ns: int, reason: str) -> None:
        if self.is_recording and self.source is not None:
            to_ns = self._sink.now_ns()
            self._gap_count += 1
            if self._gap_count > GAPS_KEPT and self._last_gap is not None:
                from_ns, reason = self._last_gap[0], AGAIN_AND_AGAIN
            self._last_gap = (from_ns, to_ns, reason)
            self._sink.report_gap(int(self.active or 0), self.source, from_ns, to_ns, reason)
