"""What is said on one open link: requests and answers, and messages that come in between.

Used by one thread. Hands messages on as they come, stamped once a read; never parses values, never sends an empty
line, never waits for a line that is longer in coming than it was told to wait.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from blitz.errors import BoardTimeout, CommandRefused
from blitz.io import protocol
from blitz.io.framing import LineFraming
from blitz.io.link import SerialLink
from blitz.io.protocol import LineKind

ANSWER_S = 1.0
"""How long a board may take to answer, or to go on with a long answer."""
COMMAND_S = 2.0
"""The same for an operator's command: a motor may have to get there first."""


class Answer(NamedTuple):
    """What came of a request: the messages, and the code of the short line that ended it (None: no end came)."""

    message_count: int
    code: int | None


class Conversation:
    """Speak with the device on an open link.

    :param deliver: takes messages and their arrival in ns.
    :param complain: takes a sentence about an error that the board sent, asked or not.
    :param is_wanted_elsewhere: ends a wait for unasked messages, and an answer that has no end.
    :param stop: ends every wait.
    """

    def __init__(
        self,
        link: SerialLink,
        framing: LineFraming,
        deliver: Callable[[Sequence[bytes], int], None],
        complain: Callable[[str], None],
        now_ns: Callable[[], int],
        is_wanted_elsewhere: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        self.takes_every_line = False
        """The device only prints: whatever it says is a message."""
        self._link = link
        self._framing = framing
        self._deliver = deliver
        self._complain = complain
        self._now_ns = now_ns
        self._is_wanted_elsewhere = is_wanted_elsewhere
        self._stop = stop
        self._leftover: list[bytes] = []
        self._arrived_ns = 0

    def lines(self, wait_s: float) -> Iterator[bytes]:
        """Yield line by line what comes within ``wait_s``; what the caller leaves is there for the next question."""
        deadline_s = time.monotonic() + wait_s
        while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._stop.is_set():
            lines = self._receive(remaining_s)
            while lines:
                line, *self._leftover = lines
                yield line
                lines, self._leftover = self._leftover, []

    def listen(self, wait_s: float) -> None:
        """Take what comes unasked, until the time is over or the caller has something else to do."""
        deadline_s = time.monotonic() + wait_s
        while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._is_wanted_elsewhere():
            self.take(self._receive(remaining_s))

    def take_rest(self, quiet_s: float = 0.0, limit_s: float = 1.0) -> None:
        """Take what is still on its way: until nothing has come for ``quiet_s``, or the limit is reached."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s and (lines := self._receive(quiet_s)):
            self.take(lines)

    def request(self, request: bytes) -> int | None:
        """Send a request; return the code of the board's short answer, None if none came in time."""
        self._link.write(request)
        return self.finish_answer(is_transmitting=False).code

    def transmit(self, board_id: str) -> Answer:
        """Ask for all that the board has logged since the last time."""
        self._link.write(protocol.transmit(board_id))
        return self.finish_answer()

    def finish_answer(self, *, is_transmitting: bool = True) -> Answer:
        """Read up to the end of an answer; each part of it may take a second.

        A board that logs faster than its line can carry never comes to the end.

        :param is_transmitting: TRANSMIT is what was asked.
        """
        count = 0
        started_s = time.monotonic()
        deadline_s = started_s + ANSWER_S
        while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._stop.is_set():
            if self._is_wanted_elsewhere() and time.monotonic() - started_s > ANSWER_S:
                break
            lines = self._receive(remaining_s)
            if not lines:
                continue
            deadline_s = time.monotonic() + ANSWER_S
            code = self.take(lines, is_transmitting=is_transmitting)
            count += len(lines)
            if code is not None:
                return Answer(count - 1, code)
        return Answer(count, None)

    def send(self, request: bytes) -> None:
        """Send a request whose answer is read by :meth:`lines`, or not at all."""
        self._link.write(request)

    def command(self, line: str, *, is_polled: bool) -> str:
        """Send an operator's line and return the board's answer; messages that come in between are kept.

        :raises CommandRefused: if the board answers with an error.
        :raises BoardTimeout: if it does not answer in two seconds.
        """
        is_status = line[2:4] == "83"
        self._link.write(line.encode("ascii") + b"\n")
        for received in self.lines(COMMAND_S):
            parsed = protocol.classify(received)
            if parsed.kind is LineKind.DATA and is_status and (is_polled or parsed.code == protocol.STATUS_ANSWER):
                return received.decode("ascii")
            if parsed.kind is LineKind.ERROR:
                raise CommandRefused(protocol.describe_error(int(parsed.code or 0)))
            if parsed.kind in (LineKind.ACK, LineKind.SHORT):
                return received.decode("ascii")
            self.take([received])
        raise BoardTimeout(f"The board did not answer {line!r} within {COMMAND_S:g} seconds.")

    def take(self, lines: Sequence[bytes], *, is_transmitting: bool = False) -> int | None:
        """Deliver the messages, keep the bad lines, tell of errors; return the code of the first ACK or error.

        Any other short line ends no answer: it comes late, from when the board was asked who it is.

        :param is_transmitting: TRANSMIT was asked: that the board is not logging is an answer, and no error.
        """
        if not lines:
            return None
        if self.takes_every_line or protocol.is_data_run(lines):
            self._deliver(lines, self._arrived_ns)
            return None
        code: int | None = None
        messages: list[bytes] = []
        for line in lines:
            parsed = protocol.classify(line)
            if parsed.kind is LineKind.DATA:
                messages.append(line)
            elif parsed.kind is LineKind.OTHER:
                self._framing.keep_bad(line)
            elif parsed.kind is not LineKind.SHORT:
                is_answer = is_transmitting and code is None and parsed.code == protocol.NOT_LOGGING
                if parsed.kind is LineKind.ERROR and not is_answer:
                    self._complain(protocol.describe_error(int(parsed.code or 0)))
                code = parsed.code if code is None else code
        if messages:
            self._deliver(messages, self._arrived_ns)
        return code

    def _receive(self, timeout_s: float) -> list[bytes]:
        if self._leftover:
            lines, self._leftover = self._leftover, []
            return lines
        chunk = self._link.read(min(timeout_s, 1.0))
        if not chunk:
            return []
        self._arrived_ns = self._now_ns()
        return self._framing.feed(chunk)
