"""The transmitter of a simulated board: so many bytes a second, and usually no patience with a slow reader.

Pure: it is told the time and given a function that writes.
"""

from collections import deque
from collections.abc import Callable, Sequence

_NEWLINE = ord("\n")


class SimulatedUart:
    """Lines that wait to be sent, byte by byte at the baud rate.

    Only whole lines are ever lost, so that no line runs into another unnoticed: a line that has begun is finished as
    soon as there is room.

    :param buffer_bytes: what a board that does not wait for its UART can leave here.
    :param waits_for_reader: keep what the reader has no room for, as far as the buffer goes, instead of losing it.
    """

    def __init__(self, baud: int, buffer_bytes: int, *, waits_for_reader: bool = False) -> None:
        self.sent = 0
        """Messages of which the last byte was written."""
        self.dropped = 0
        """Messages for which the buffer or the reader had no room."""
        self._bytes_per_s = baud / 10
        self._buffer_bytes = buffer_bytes
        self._waits_for_reader = waits_for_reader
        self._waiting = bytearray()
        self._are_messages: deque[bool] = deque()
        self._sent_until_s = 0.0
        self._is_mid_line = False

    @property
    def is_busy(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    @property
    def remaining_s(self) -> float:
        """How long it takes to send what waits."""
        return len(self._waiting) / self._bytes_per_s

    def put(self, line: bytes, is_message: bool, now_s: float) -> None:
        """Queue a line of a program that waits for its UART: it always fits."""
        if not self._waiting:
            self._sent_until_s = now_s
        self._waiting += line
        self._are_messages.append(is_message)

    def offer(self, messages: Sequence[bytes], now_s: float) -> None:
        """Queue the messages that fit into the buffer; drop the others."""
        for count, message in enumerate(messages):
            if len(self._waiting) + len(message) > self._buffer_bytes:
                self.dropped += len(messages) - count
                return
            self.put(message, True, now_s)

    def send(
        self, write: Callable[[bytes], int], now_s: float, wait_for_room: Callable[[], None] | None = None
    ) -> None:
        """Write what is due by now; lose what the reader has no room for, unless we wait for it.

        :param write: returns how many bytes were taken.
        :param wait_for_room: called before anything is lost, for a second try.
        """
        due = min(int((now_s - self._sent_until_s) * self._bytes_per_s), len(self._waiting))
        if due <= 0:
            return
        self._sent_until_s += due / self._bytes_per_s
        written = self._write(write, due)
        if written < due and wait_for_room is not None:
            wait_for_room()
            written += self._write(write, due - written)
        if written < due and not self._waits_for_reader:
            self._lose(due - written)

    def break_off(self, write: Callable[[bytes], int]) -> None:
        """Write half of what is left of the first line."""
        self._write(write, (self._waiting.find(_NEWLINE) + 1) // 2)

    def clear(self) -> None:
        """Lose everything."""
        self.dropped += sum(self._are_messages)
        self._waiting.clear()
        self._are_messages.clear()
        self._is_mid_line = False

    def _write(self, write: Callable[[bytes], int], count: int) -> int:
        written = write(bytes(self._waiting[:count])) if count else 0
        if written:
            chunk = self._waiting[:written]
            del self._waiting[:written]
            self._is_mid_line = chunk[-1] != _NEWLINE
            self.sent += sum(self._are_messages.popleft() for _ in range(chunk.count(_NEWLINE)))
        return written

    def _lose(self, count: int) -> None:
        """Drop the lines that end within the next ``count`` bytes, except one that has begun."""
        start = self._waiting.find(_NEWLINE) + 1 if self._is_mid_line else 0
        stop = self._waiting.rfind(_NEWLINE, 0, count) + 1
        if stop <= start:
            return
        begun = [self._are_messages.popleft()] if self._is_mid_line else []
        self.dropped += sum(self._are_messages.popleft() for _ in range(self._waiting.count(_NEWLINE, start, stop)))
        self._are_messages.extendleft(begun)
        del self._waiting[start:stop]
