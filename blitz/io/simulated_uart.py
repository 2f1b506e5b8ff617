"""The transmitter of a simulated device: so many bytes a second, and usually no patience with a slow reader.

Pure: it is told the time and given a function that writes.
"""

from collections import deque
from collections.abc import Callable, Sequence


class SimulatedUart:
    """Lines, or frames, that wait to be sent, byte by byte at the baud rate.

    Only whole ones are ever lost, so that none runs into another unnoticed: one that has begun is finished as soon as
    there is room.

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
        self._lines: deque[tuple[int, bool]] = deque()
        """Length of each line that waits, as it was before it had begun, and whether it is a message."""
        self._begun = 0
        """How much of the first one is gone."""
        self._sent_until_s = 0.0

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
        self._lines.append((len(line), is_message))

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
        if self._lines:
            self._write(write, (self._lines[0][0] - self._begun) // 2)

    def clear(self) -> None:
        """Lose everything."""
        self.dropped += sum(is_message for _, is_message in self._lines)
        self._waiting.clear()
        self._lines.clear()
        self._begun = 0

    def _write(self, write: Callable[[bytes], int], count: int) -> int:
        written = write(bytes(self._waiting[:count])) if count else 0
        if written:
            del self._waiting[:written]
            gone = self._begun + written
            while self._lines and self._lines[0][0] <= gone:
                length, is_message = self._lines.popleft()
                gone -= length
                self.sent += is_message
            self._begun = gone
        return written

    def _lose(self, count: int) -> None:
        """Drop the lines that end within the next ``count`` bytes, except one that has begun."""
        begun = self._lines.popleft() if self._begun else None
        start = stop = begun[0] - self._begun if begun else 0
        while self._lines and stop + self._lines[0][0] <= count:
            length, is_message = self._lines.popleft()
            stop += length
            self.dropped += is_message
        del self._waiting[start:stop]
        if begun:
            self._lines.appendleft(begun)
