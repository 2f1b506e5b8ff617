"""A simulated device's port: a program on a real pseudo terminal, in real time (Unix only).

A plain pty would make a fast writer wait for a slow reader, and prove nothing: like a UART, this one sends at most
baud / 10 bytes a second, and what the reader has no room for when it is due is lost, line by line, and counted.
"""

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from blitz.io.pty_port import PtyPort
from blitz.io.simulated_uart import SimulatedUart

log = logging.getLogger(__name__)

UART_BUFFER_BYTES = 2048

_TICK_S = 0.004
_LOOK_FOR_READER_S = 0.02
_IDLE_S = 0.25
_CATCH_UP_WAIT_MS = 2


class SimulatedProgram(Protocol):
    """What runs on a simulated device. All times are seconds of one monotonic clock."""

    ring: deque[bytes]
    """Messages that wait to be asked for."""
    generated: int
    overwritten: int
    forgotten: int
    is_logging: bool

    def power_up(self, now_s: float) -> None:
        """Begin anew, as after a reset: nothing is kept but the numbering."""

    def hold(self, now_s: float, is_held: bool) -> list[bytes]:
        """Suspend making messages, or go on with the next number; return what :meth:`advance` does."""

    def advance(self, now_s: float) -> list[bytes]:
        """Return the messages to send by now, oldest first, each with its framing."""

    def next_due_s(self) -> float:
        """When :meth:`advance` will have something to send; infinity where nothing comes unasked."""

    def receive(self, chunk: bytes, now_s: float) -> list[tuple[bytes, bool]]:
        """Take bytes from the server; return what to answer, and whether each is a message."""


class SimulatedPort:
    """A program on a pty, in a thread of its own. A context manager that starts and stops it.

    Opening the port resets the device (DTR), and it says nothing for ``silence_s``; what comes in that time is lost.

    :param name: what the thread and complaints call the device.
    :param link_path: a symbolic link that leads to the pty, and stays when the device is plugged in anew.
    :param own_power: the device is not powered nor reset by its port: its memory and clock outlive an unplug.
    :param uart_buffer_bytes: a device that sends unasked drops the lines that do not fit into this.
    :param waits_for_reader: hold back what the reader has no room for, as devices with a USB port of their own do,
        instead of losing it as a UART does.
    """

    def __init__(
        self,
        name: str,
        program: SimulatedProgram,
        *,
        baud: int,
        silence_s: float,
        link_path: Path | None = None,
        own_power: bool = False,
        uart_buffer_bytes: int = UART_BUFFER_BYTES,
        waits_for_reader: bool = False,
    ) -> None:
        self.name = name
        self._program = program
        # A fast UART sends more in a tick than a small buffer holds.
        buffer_bytes = max(uart_buffer_bytes, int(4 * _TICK_S * baud / 10))
        self._uart = SimulatedUart(baud, buffer_bytes, waits_for_reader=waits_for_reader)
        self._silence_s = silence_s
        self._own_power = own_power
        self._port = PtyPort(link_path)
        self._was_open = False
        self._silent_until_s = 0.0
        self._now_s = 0.0
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._wake_read, self._wake_write = -1, -1
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def path(self) -> str:
        """What to open: the link, or the pty, whose name changes when the device is plugged in anew."""
        return self._port.path

    @property
    def generated(self) -> int:
        """Messages logged so far. At any rest it is the sum of the other counters and what waits to be sent."""
        return self._program.generated

    @property
    def sent(self) -> int:
        """Messages that left through the port as a whole."""
        return self._uart.sent

    @property
    def overwritten(self) -> int:
        """Messages lost in the ring, because nobody asked for them in time."""
        return self._program.overwritten

    @property
    def forgotten(self) -> int:
        """Messages in the ring when START or a reset came."""
        return self._program.forgotten

    @property
    def dropped(self) -> int:
        """Messages lost behind the ring: the UART or its reader was too slow, or the plug was pulled."""
        return self._uart.dropped

    @property
    def is_logging(self) -> bool:
        """Whether it makes messages: START has come, or it sends unasked."""
        return self._program.is_logging

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Plug the device in; on return :attr:`path` can be opened."""
        self._stopping.clear()
        self._wake_read, self._wake_write = os.pipe()
        self._now_s = time.monotonic()
        self._program.power_up(self._now_s)
        self._port.plug_in()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port; raise what ended it early, if anything did."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        self._port.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def unplug(self, *, mid_line: bool = False) -> None:
        """Pull the plug: the port goes away. Whatever waits in the UART is lost, without own power the ring too.

        :param mid_line: break off in the middle of a line.
        """
        self._order(lambda: self._pull_out(mid_line))

    def replug(self) -> None:
        """Plug in again, under another port name; the link, if there is one, leads there."""
        self._order(self._port.plug_in)

    def hold(self) -> None:
        """Log nothing until :meth:`release`; answer as before."""
        self._hold(True)

    def release(self) -> None:
        """Go on logging with the next number."""
        self._hold(False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _hold(self, is_held: bool) -> None:
        def change() -> None:
            now_s = max(self._now_s, self._silent_until_s)
            self._uart.offer(self._program.hold(now_s, is_held), now_s)

        if self._thread is None:
            change()
        else:
            self._order(change)

    def _order(self, action: Callable[[], None]) -> None:
        """Have the thread do it, and wait until it is done."""
        done = threading.Event()
        self._orders.append((action, done))
        self._wake()
        while not done.wait(0.1):
            if not self.is_alive:
                raise RuntimeError(f"The simulated device {self.name} does not run.")

    def _wake(self) -> None:
        os.write(self._wake_write, b"\0")

    # From here on everything runs in the device's thread.

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._wait()
                while self._orders:
                    action, done = self._orders.popleft()
                    action()
                    done.set()
                if self._look_for_reader():
                    self._serve(time.monotonic())
                else:
                    self._skip(time.monotonic())
        except BaseException as error:  # stop() raises it in the caller's thread
            log.exception("The simulated device %s failed.", self.name)
            self._failure = error
        finally:
            self._pull_out(mid_line=False)

    def _wait(self) -> None:
        now_s = time.monotonic()
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if self._port.is_open:
            poll.register(self._port, select.POLLIN)
            due_s = max(self._program.next_due_s(), self._silent_until_s)
            if self._uart.is_busy:
                due_s = min(due_s, now_s + self._uart.remaining_s)
            wait_s = min(max(due_s - now_s, _TICK_S), _IDLE_S)
        else:
            # A pty without a reader reports a hang-up at once: it can only be looked at from time to time.
            wait_s = _LOOK_FOR_READER_S if self._port.is_plugged_in else _IDLE_S
        if (self._wake_read, select.POLLIN) in poll.poll(wait_s * 1000):
            os.read(self._wake_read, 4096)

    def _look_for_reader(self) -> bool:
        """Notice that somebody opened or closed the port; return whether it is open."""
        was_open = self._port.is_open
        is_open = self._port.look()
        if is_open == was_open:
            return is_open
        if not (is_open and self._own_power):
            self._uart.clear()
        if is_open:
            self._was_open = True
            if not self._own_power:
                self._now_s = time.monotonic()
                self._silent_until_s = self._now_s + self._silence_s
                self._program.power_up(self._silent_until_s)
        return is_open

    def _serve(self, now_s: float) -> None:
        """Bring the device's time to ``now_s``, in steps of a tick, so that lateness is not taken for slowness."""
        if now_s < self._silent_until_s:
            self._port.read()
            self._now_s = now_s
            return
        self._now_s = max(self._now_s, self._silent_until_s)
        while self._now_s < now_s:
            is_last = now_s - self._now_s <= 2 * _TICK_S or not self._has_to_send()
            self._now_s = now_s if is_last else self._now_s + _TICK_S
            self._uart.offer(self._program.advance(self._now_s), self._now_s)
            if is_last:
                for line, is_message in self._program.receive(self._port.read(), self._now_s):
                    self._uart.put(line, is_message, self._now_s)
            self._uart.send(self._port.write, self._now_s, None if is_last else self._wait_for_room)

    def _has_to_send(self) -> bool:
        return self._uart.is_busy or self._program.next_due_s() < float("inf")

    def _skip(self, now_s: float) -> None:
        """Nobody reads: without a cable or its own power a device is off, at a closed port it talks to nobody."""
        self._now_s = now_s
        if self._was_open and (self._port.is_plugged_in or self._own_power):
            self._uart.dropped += len(self._program.advance(now_s))

    def _wait_for_room(self) -> None:
        """While catching up on a delay of its own, the device grants the reader a moment: it may be as late."""
        self._port.wait_for_room(_CATCH_UP_WAIT_MS)

    def _pull_out(self, mid_line: bool) -> None:
        if not self._port.is_plugged_in:
            return
        if mid_line:
            self._break_off()
        self._port.pull_out()
        self._uart.clear()
        if not self._own_power:
            self._was_open = False
            self._program.power_up(time.monotonic())

    def _break_off(self) -> None:
        if not self._uart.is_busy:
            next_due_s = self._program.next_due_s()
            if next_due_s < float("inf"):
                self._uart.offer(self._program.advance(next_due_s), self._now_s)
            elif self._program.ring:
                self._uart.put(self._program.ring.popleft(), True, self._now_s)
        self._uart.break_off(self._port.write)
        # What a pty still holds is lost to its reader when the other end closes.
        self._stopping.wait(2 * _LOOK_FOR_READER_S)
