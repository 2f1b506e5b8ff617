"""Devices that send: each in a process of its own, so that it is no burden on whoever reads."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_WRITE_BYTES = 65536


def in_a_process(send: Callable[[], None]) -> int:
    """Do it in a process of its own; return its id. :func:`wait_for_end` waits for it."""
    process_id = os.fork()
    if process_id:
        return process_id
    status = 1
    try:
        send()
        status = 0
    finally:
        os._exit(status)


def wait_for_end(process_id: int) -> None:
    """Wait until such a process has ended, well."""
    if os.waitpid(process_id, 0)[1]:
        raise SystemExit("The process that writes has failed")


def send_all(master: int, wire: bytes) -> None:
    """Write everything, as fast as the reader takes it."""
    view = memoryview(wire)
    while view:
        view = view[os.write(master, view[:_WRITE_BYTES]) :]


def send_paced(master: int, wire: bytes, bytes_per_s: float, tick_s: float) -> None:
    """Write at a rate, what is due at each tick, waiting for the reader where the port is full."""
    began_s = time.monotonic()
    sent, ticks = 0, 0
    while sent < len(wire):
        ticks += 1
        time.sleep(max(began_s + ticks * tick_s - time.monotonic(), 0.0))
        due = min(int((time.monotonic() - began_s) * bytes_per_s), len(wire))
        while sent < due:
            sent += os.write(master, wire[sent:due])


class Uart:
    """A transmitter that waits for nobody: what the terminal has no room for when it is due is lost.

    :param frame_bytes: drop whole frames only, as a driver does that takes a frame or none; None drops bytes, as a UART
        does, and tears frames.
    """

    def __init__(self, master: int, wire: bytes, bytes_per_s: float, frame_bytes: int | None) -> None:
        self.taken = bytearray()
        """What the terminal has taken."""
        os.set_blocking(master, False)
        self._master = master
        self._wire = wire
        self._bytes_per_s = bytes_per_s
        self._frame_bytes = frame_bytes
        self._sent = 0

    def send(self, elapsed_s: float) -> None:
        """Send what is due by now."""
        due = min(int(elapsed_s * self._bytes_per_s), len(self._wire))
        if self._frame_bytes is not None:
            due -= due % self._frame_bytes
        chunk, self._sent = self._wire[self._sent : due], due
        written = self._write(chunk)
        if self._frame_bytes is not None and written % self._frame_bytes:
            # The frame that has begun goes on as soon as there is room; those behind it are lost.
            begun = chunk[written : written + self._frame_bytes - written % self._frame_bytes]
            while begun:
                begun = begun[self._write(begun) :]
                time.sleep(0.0005)

    def _write(self, chunk: bytes) -> int:
        try:
            written = os.write(self._master, chunk) if chunk else 0
        except BlockingIOError:
            written = 0
        self.taken += chunk[:written]
        return written


def send_as_uarts(uarts: Sequence[Uart], seconds: float, tick_s: float, folder: Path) -> None:
    """Send at each tick what is due on all of them, then write down what was taken, a file each.

    Where this program itself was late, the devices are late, too: their readers are not to blame for it.
    """
    began_s = time.monotonic()
    elapsed_s = 0.0
    while elapsed_s < seconds:
        time.sleep(tick_s)
        late_s = time.monotonic() - began_s - elapsed_s - 5 * tick_s
        began_s += max(late_s, 0.0)
        elapsed_s = time.monotonic() - began_s
        for uart in uarts:
            uart.send(elapsed_s)
    for number, uart in enumerate(uarts):
        (folder / f"taken_{number}").write_bytes(uart.taken)
