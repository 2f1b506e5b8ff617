"""A device that prints numbered lines on a port of its own, so that whoever reads can be told exactly what is missing.

Like a device with a USB port of its own it waits for a slow reader; while nobody has the port open it goes on
numbering, and what it says then is heard by nobody (Unix only).
"""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.io.pty_port import PtyPort

LINE_DIGITS = 28
BOARD = 255
"""Whose messages the polled board's are, in :func:`numbers_of`."""
BOARD_MODULO = 1 << 16
DEFINITION = {
    "id": "0e",
    "name": "Numbered lines",
    "channels": [{"name": "number", "bit": 0, "bits": 32, "counts_messages": True}],
}
_TICK_S = 0.005
_LINES_AT_ONCE = 256
_HEX = np.full(256, -1, np.int64)
_HEX[list(b"0123456789")] = range(10)
_HEX[list(b"abcdef")] = _HEX[list(b"ABCDEF")] = range(10, 16)


class PrintingDevice:
    """A device on a pty, in a thread of its own. A context manager that plugs it in.

    :param index: which device it is, 0 to 254; stands in each line.
    :param rate_hz: lines a second, on a schedule that does not drift.
    :param link_path: a symbolic link that leads to the pty.
    """

    def __init__(self, index: int, rate_hz: float, link_path: Path) -> None:
        self.name = link_path.name
        self.index = index
        self.link_path = link_path
        self.made = 0
        """How many lines it has numbered, from 0 on."""
        self._rate_hz = rate_hz
        self._port = PtyPort(link_path)
        self._written = 0
        self._pending = b""
        self._is_held = False
        self._since_s = 0.0
        self._made_since = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"device {self.name}", daemon=True)

    def __enter__(self) -> Self:
        self._since_s = time.monotonic()
        self._port.plug_in()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._port.close()

    @property
    def is_quiet(self) -> bool:
        """Whether it is held and has written all that it had to say."""
        with self._lock:
            return self._is_held and not self._pending and self._written == self.made

    def unplug(self) -> None:
        """Pull the plug: what its reader has not read is lost, and it goes on numbering."""
        with self._lock:
            self._port.pull_out()

    def replug(self) -> None:
        """Plug it in again, under another port name."""
        with self._lock:
            self._port.plug_in()

    def hold(self) -> None:
        """Make no more lines until :meth:`release`."""
        with self._lock:
            self._make(time.monotonic())
            self._is_held = True

    def release(self) -> None:
        """Go on with the next number."""
        with self._lock:
            self._is_held = False
            self._since_s, self._made_since = time.monotonic(), 0

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_S):
            with self._lock:
                self._make(time.monotonic())
                if self._port.is_plugged_in and self._port.look():
                    self._write()
                else:
                    self._pending, self._written = b"", self.made

    def _make(self, now_s: float) -> None:
        if not self._is_held:
            due = int((now_s - self._since_s) * self._rate_hz) - self._made_since
            self.made += due
            self._made_since += due

    def _write(self) -> None:
        while self._pending or self._written < self.made:
            if not self._pending:
                stop = min(self.made, self._written + _LINES_AT_ONCE)
                self._pending = lines(self.index, self._written, stop, self._rate_hz)
                self._written = stop
            try:
                self._pending = self._pending[self._port.write(self._pending) :]
            except OSError:  # closed at the other end
                return
            if self._pending:
                return


def lines(device: int, first: int, stop: int, rate_hz: float) -> bytes:
    r"""Return the lines with these numbers, as a Blitz board prints them: its id, milliseconds, and what it measures.

    >>> lines(2, 17, 18, rate_hz=100.0)
    b'0ea0000000aa00000011020000ab\r\n'
    """
    tail = b"%02x0000ab\r\n" % device
    ms = 1000.0 / rate_hz
    return b"".join([b"0ea0%08x%08x" % (int(n * ms) & 0xFFFFFFFF, n) + tail for n in range(first, stop)])


def numbers_of(block: MessageBlock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return whose the messages are (:data:`BOARD`: the polled board's) and their numbers; -1 for what is neither.

    The board's numbers are modulo :data:`BOARD_MODULO`.
    """
    devices, numbers = np.full(len(block), -1, np.int64), np.full(len(block), -1, np.int64)
    content, offsets = block.bytes_and_offsets()
    whole = np.flatnonzero(np.diff(offsets) == LINE_DIGITS)
    digits = (
        _HEX[content[offsets[whole, None] + np.arange(LINE_DIGITS)]]
        if len(whole)
        else np.empty((0, LINE_DIGITS), np.int64)
    )
    is_board = (digits[:, 0] == 0) & (digits[:, 1] == 8)
    is_printed = (digits[:, 0] == 0) & (digits[:, 1] == 0xE)
    devices[whole[is_board]] = BOARD
    word = _value(digits[is_board, 24:28])
    numbers[whole[is_board]] = word >> 4 | (word & 0xF) << 12
    devices[whole[is_printed]] = _value(digits[is_printed, 20:22])
    numbers[whole[is_printed]] = _value(digits[is_printed, 12:20])
    return devices, numbers


def _value(digits: NDArray[np.int64]) -> NDArray[np.int64]:
    weights = 16 ** np.arange(digits.shape[1] - 1, -1, -1, dtype=np.int64)
    value: NDArray[np.int64] = digits @ weights
    return value
