"""Whose a device's messages are: the session they go to, and what of it is missing.

A link's thread delivers; another thread says which session is wanted. A session is let go only when its last message
was delivered, and whoever stops it can wait for that.
"""

import threading
import time
from collections.abc import Sequence
from typing import Literal, Protocol

from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import BoardRecord

Severity = Literal["info", "warning", "error"]


class Sink(Protocol):
    """Where links deliver, each from its own thread: the acquisition."""

    def identify(self, name: str, link: str, board_id: str | None) -> tuple[int, str]:
        """Return the source row for a device and the name of its kind."""

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""

    def report_gap(self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str) -> None:
        """Record that messages are missing."""

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Tell the operator."""

    def link_changed(self, board: BoardRecord) -> None:
        """Tell viewers how a board is doing now."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds from a clock that never goes back."""


class Delivery:
    """The way of one device's messages into sessions.

    :param sink: where messages and gaps go.
    """

    def __init__(self, sink: Sink) -> None:
        self.wanted = PREVIEW_ID
        """The session to deliver to, as other threads want it."""
        self.active: int | None = None
        """The session that is delivered to. Changed by the link's thread only."""
        self.source: int | None = None
        """The device's row in source tables; none before it is known."""
        self.message_count = 0
        self.dropped = 0
        self._sink = sink
        self._since_ns = 0
        self._last_arrival_ns = 0
        self._lost: tuple[int, str] | None = None
        self._dropping_since_ns: int | None = None
        self._changed = threading.Condition()

    @property
    def is_current(self) -> bool:
        """Whether what is active is what is wanted."""
        return self.wanted == self.active

    @property
    def is_recording(self) -> bool:
        """Whether messages go to a session rather than to the preview."""
        return self.active is not None and self.active != PREVIEW_ID

    def wait_until_released(self, session_id: int, deadline_s: float) -> bool:
        """Wait until nothing more goes to the session; False if the (monotonic) deadline came first."""
        with self._changed:
            while self.active == session_id:
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    return False
                self._changed.wait(min(remaining_s, 1.0))
        return True

    # ---- from the link's thread -------------------------------------------------------------------------------

    def activate(self, *, is_away: bool = False) -> None:
        """Let the present session go and deliver to the wanted one.

        :param is_away: the device is not there, so that messages are missing from the session's start.
        """
        self.release()
        with self._changed:
            self.active = self.wanted
        self._since_ns = self._sink.now_ns()
        if is_away and self.is_recording:
            self._lost = (self._since_ns, "was not there at the start")

    def release(self) -> None:
        """Nothing more comes for the present session."""
        self._end_dropping()
        self.end_absence()
        with self._changed:
            self.active = None
            self._changed.notify_all()

    def deliver(self, messages: Sequence[bytes], arrived_ns: int) -> bool:
        """Hand messages on; False if they had to be dropped."""
        before_ns, self._last_arrival_ns = self._last_arrival_ns, arrived_ns
        self.message_count += len(messages)
        if self.active is None or self.source is None:
            return True
        is_taken = self._sink.deliver(self.active, self.source, arrived_ns, messages)
        if is_taken:
            self._end_dropping()
        else:
            self.dropped += len(messages)
            if self._dropping_since_ns is None:
                self._dropping_since_ns = max(before_ns, self._since_ns)
        return is_taken

    def begin_absence(self) -> None:
        """The device is gone: what is missing begins behind its last message."""
        if self._lost is None and self.is_recording:
            self._lost = (max(self._last_arrival_ns, self._since_ns), "unplugged")

    def end_absence(self) -> None:
        """The device is back, or the session is over without it."""
        lost, self._lost = self._lost, None
        if lost is not None:
            self._report_gap(*lost)

    def report_reset(self) -> None:
        """The device has forgotten what it logged since its last message."""
        self._report_gap(max(self._last_arrival_ns, self._since_ns), "board was reset")

    def _end_dropping(self) -> None:
        since_ns, self._dropping_since_ns = self._dropping_since_ns, None
        if since_ns is not None:
            self._report_gap(since_ns, "dropped, the store was away or too slow")

    def _report_gap(self, from_ns: int, reason: str) -> None:
        if self.is_recording and self.source is not None:
            self._sink.report_gap(int(self.active or 0), self.source, from_ns, self._sink.now_ns(), reason)
