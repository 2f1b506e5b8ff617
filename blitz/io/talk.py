"""What is said on one open link: frames as they come, stamped once a read, and what is sent.

Used by one thread. Hands messages on, never parses values, and gives account of every byte. What the frames of the
Blitz protocol mean is the business of :mod:`blitz.io.conversation`.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from blitz.io.framing import Framing
from blitz.io.ledger import ANSWERS, Ledger, Tally
from blitz.io.link import Link

SILENCE_NS = 50_000_000
"""On the line: longer than any device pauses within a frame, in a framing that is told where frames begin by it."""


class Talk:
    """Listen to the device on an open link, and send to it.

    :param deliver: takes messages and their arrival in ns.
    :param is_wanted_elsewhere: ends a wait for what comes unasked.
    :param stop: ends every wait.
    :param settled: told the tally behind each read, when every byte has its place.
    """

    def __init__(
        self,
        link: Link,
        framing: Framing,
        ledger: Ledger,
        deliver: Callable[[Sequence[bytes], int], None],
        now_ns: Callable[[], int],
        is_wanted_elsewhere: Callable[[], bool],
        stop: threading.Event,
        settled: Callable[[Tally], None],
    ) -> None:
        self.heard: list[bytes] = []
        """Frames of a device that is not known yet: whoever finds out what it is takes them."""
        self._heard_ns: list[int] = []
        self.arrived_ns = 0
        self.framing = framing
        self._link = link
        self._ledger = ledger
        self._deliver = deliver
        self._now_ns = now_ns
        self._is_wanted_elsewhere = is_wanted_elsewhere
        self._stop = stop
        self._settled = settled
        self._leftover: list[bytes] = []

    def lines(self, wait_s: float) -> Iterator[bytes]:
        """Yield frame by frame what comes within ``wait_s``; what the caller leaves is there for the next question."""
        deadline_s = time.monotonic() + wait_s
        while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._stop.is_set():
            lines = self.receive(remaining_s)
            while lines:
                line, *self._leftover = lines
                yield line
                lines, self._leftover = self._leftover, []

    def listen(self, wait_s: float) -> None:
        """Take what comes unasked, until the time is over or the caller has something else to do."""
        deadline_s = time.monotonic() + wait_s
        while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._is_wanted_elsewhere():
            self.take(self.receive(remaining_s))
            self.settle()

    def take_rest(self, quiet_s: float = 0.0, limit_s: float = 1.0) -> None:
        """Take what is still on its way: until nothing has come for ``quiet_s``, or the limit is reached."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s and (lines := self.receive(quiet_s)):
            self.take(lines)
        self.settle()

    def take(self, frames: Sequence[bytes]) -> int | None:
        """Deliver frames as messages."""
        if frames:
            self._deliver(frames, self.arrived_ns)
        return None

    def take_heard(self) -> None:
        """Take what was heard while it was not known what the device is."""
        heard = zip(self._heard_ns, self.heard, strict=True)
        self.heard, self._heard_ns = [], []
        for arrived_ns, frames in itertools.groupby(heard, key=lambda pair: pair[0]):
            self.arrived_ns = arrived_ns
            self.take([frame for _, frame in frames])

    def hear(self, frames: Sequence[bytes]) -> None:
        """Keep frames of the last read until it is known what the device is, with the time of their arrival."""
        self.heard += frames
        self._heard_ns += [self.arrived_ns] * len(frames)

    def abandon(self, *, is_known: bool) -> None:
        """The link is being closed: what was cut and has no place yet is taken, or kept as bad frames."""
        frames = [*self.heard, *self._leftover]
        self.heard, self._heard_ns, self._leftover = [], [], []
        if is_known:
            self.take(frames)
        else:
            for frame in frames:
                self.framing.keep_bad(frame, "from a device that was not known yet")
        self.settle()

    def discard_answer(self, frame: bytes) -> None:
        """A frame was an answer and is no message."""
        self._ledger.discard([frame], ANSWERS)

    def discard(self, frame: bytes, reason: str) -> None:
        """Bytes that are no message, for a reason."""
        self._ledger.discard([frame], reason)

    def send(self, payload: bytes) -> None:
        """Send bytes; an answer is read by :meth:`lines`, or taken with everything else."""
        self._link.write(payload)

    def settle(self) -> None:
        """Every frame so far has its place: tell how the ledger stands."""
        self._settled(self.tally())

    def tally(self) -> Tally:
        """Return how the ledger stands."""
        are_held = self._leftover or self.heard
        return self._ledger.tally((*self._leftover, *self.heard) if are_held else ())

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return the frames that the next read completes; none if nothing came in time."""
        if self._leftover:
            lines, self._leftover = self._leftover, []
            return lines
        chunk = self.receive_bytes(timeout_s)
        if chunk:
            return self.framing.feed(chunk)
        # Only what lasts is a silence: a read may have had the last millisecond of somebody's wait.
        is_silent = self._now_ns() - self.arrived_ns >= SILENCE_NS
        return self.framing.flush() if is_silent else []

    def receive_bytes(self, timeout_s: float) -> bytes:
        """Return what the next read brings, for a device whose answers no framing cuts; nothing if nothing came."""
        chunk = self._link.read(min(timeout_s, 1.0))
        if chunk:
            self.arrived_ns = self._now_ns()
            self._ledger.bytes_read += len(chunk)
        return chunk
