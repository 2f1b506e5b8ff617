"""A link to a serial port or a pseudo-terminal.

pyserial opens and configures. On Unix we wait and read by ourselves: pyserial's way takes three times as long.
"""

import array
import contextlib
import logging
import os
import select
import struct
import sys
import threading
import time
from typing import NamedTuple

import serial

from blitz.data.source_config import SerialOptions
from blitz.errors import LinkError
from blitz.io.port_faults import busy, check_rate, is_in_use_by_others, reason, why_not_opened
from blitz.io.usb_ports import real_port
from blitz.io.waker import Waker

log = logging.getLogger(__name__)

_READ_LIMIT = 65536
_TTY_BYTES = 4096
_FULL_READ = _TTY_BYTES - 1  # what Linux gives at once; then there may be more
_WRITE_TIMEOUT_S = 2.0
_POURING_BYTES = 250
_POURING_S = 0.01
_LINGER_BYTES = 3072
_LINGER_S = 0.005
_MOST_SLICES = 4
_PARITIES = {
    "none": serial.PARITY_NONE,
    "even": serial.PARITY_EVEN,
    "odd": serial.PARITY_ODD,
    "mark": serial.PARITY_MARK,
    "space": serial.PARITY_SPACE,
}
_TCGETS2 = 0x802C542A  # of most machines; where it is another number, the rate is not read back
_TIOCGICOUNT = 0x545D


class LineErrors(NamedTuple):
    """What the driver has counted since the port was opened."""

    framing: int = 0
    overruns: int = 0
    """Bytes that were lost, in the chip or in the driver's buffer."""
    parity: int = 0
    breaks: int = 0


class PyserialLink:
    """One open port, read as pyserial reads: on any system.

    Held by us alone, used by one thread (:meth:`wake` may be called from any).

    :raises LinkError: if the port cannot be opened; one sentence that says what to do.
    """

    reopens = True

    def __init__(self, port: str, options: SerialOptions | None = None) -> None:
        options = options or SerialOptions()
        self.name = port
        self.baud = options.baud
        """The rate that the driver really set, where it tells."""
        self._wake_lock = threading.Lock()
        self._is_closed = False
        self._serial = serial.Serial()
        try:
            self._configure(port, options)
            self._serial.open()
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(why_not_opened(port, options, error)) from error
        try:
            self._claim(options)
        except BaseException:
            self._serial.close()
            raise

    @property
    def line_errors(self) -> LineErrors | None:
        """What the driver has counted; None if it counts nothing."""
        return None

    @property
    def overruns(self) -> int | None:
        """Bytes lost in the chip or the driver since the port was opened; None if the driver does not tell."""
        errors = self.line_errors
        return None if errors is None else errors.overruns

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

        :raises LinkError: if the device is gone.
        """
        port = self._serial
        timeout_s = max(timeout_s, 0.0)
        try:
            if port.timeout != timeout_s:
                port.timeout = timeout_s
            received: bytes = port.read(port.in_waiting or 1)
            if not received:
                return b""
            # What came meanwhile belongs to the same arrival; the limit keeps a torrent from holding it back.
            while (waiting := port.in_waiting) and len(received) < _READ_LIMIT:
                received += port.read(waiting)
            return received
        except (serial.SerialException, OSError, TypeError) as error:
            # pyserial raises TypeError where the port was closed under it.
            raise self._lost(error) from error

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises LinkError: if the device is gone or takes nothing.
        """
        try:
            self._serial.write(line)
        except serial.SerialTimeoutException as error:
            raise LinkError(
                f"Cannot write to {self.name}: the device takes nothing. If flow control is set, check that the device "
                "and the cable have it, too."
            ) from error
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(f"Cannot write to {self.name}: {reason(error)}.") from error

    def change_rate(self, baud: int) -> None:
        """Set another rate on the open port, which does not reset the device, and drop what has come at the old one.

        :raises LinkError: if the driver refuses it.
        """
        try:
            self._serial.baudrate = baud
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(why_not_opened(self.name, SerialOptions(baud=baud), error)) from error
        self.baud = baud

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""
        with self._wake_lock:
            if not self._is_closed:
                self._serial.cancel_read()

    def close(self) -> None:
        """Close the port, whatever state it is in."""
        with self._wake_lock:
            # pyserial wakes by writing to a pipe. Closed meanwhile, its number may be another file's already.
            self._is_closed = True
        try:
            self._serial.close()
        except (serial.SerialException, OSError) as error:
            log.debug("Closing %s: %s", self.name, error)

    def _configure(self, port: str, options: SerialOptions) -> None:
        """Set all before the port is opened, so that lines are as wanted from the first moment that the system allows.

        Unix raises DTR and RTS by itself when it opens a port; where they are to be off, they are lowered at once.
        """
        settings = self._serial
        settings.port = port
        settings.baudrate = options.baud
        settings.bytesize = options.data_bits
        settings.parity = _PARITIES[options.parity]
        settings.stopbits = options.stop_bits
        settings.rtscts = options.flow_control == "rtscts"
        settings.xonxoff = options.flow_control == "xonxoff"
        settings.dsrdtr = options.flow_control == "dsrdtr"
        settings.dtr = options.dtr == "on"
        settings.rts = options.rts == "on"
        settings.write_timeout = _WRITE_TIMEOUT_S
        if hasattr(serial.Serial, "fileno"):  # Windows is exclusive by itself, and refuses the word
            settings.exclusive = True

    def _claim(self, options: SerialOptions) -> None:
        """Check what was opened."""

    def _lost(self, error: Exception) -> LinkError:
        return LinkError(f"Lost {self.name}: {reason(error)}. It is opened again when it is back.")


if sys.platform != "win32":
    import fcntl
    import termios

    class SerialLink(PyserialLink):
        """One open port, read with two system calls a read."""

        def __init__(self, port: str, options: SerialOptions | None = None) -> None:
            self._waker = Waker()
            self._last_read_s = 0.0
            self._is_pouring = False
            self._slice_s = 0.0
            self._errors_before: LineErrors | None = None
            self._errors: LineErrors | None = None
            try:
                super().__init__(port, options)
            except BaseException:
                self._waker.close()
                raise

        def read(self, timeout_s: float) -> bytes:
            """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

            When bytes pour in, it lingers for five milliseconds, so that fewer reads carry more. Meanwhile it empties
            the terminal's buffer whenever that may be three quarters full: every 2.6 ms at 1.2 MB/s.

            :raises LinkError: if the device is gone.
            """
            if self._is_closed:
                raise LinkError(f"{self.name} is closed.")
            try:
                chunk = self._linger() if self._is_pouring else None
                if chunk is None:
                    if not self._wait(timeout_s):
                        return b""
                    chunk = self._read_all()
                if not chunk:
                    raise self._lost(serial.SerialException("returned no data"))
            except BlockingIOError:
                return b""
            except LinkError:
                raise
            except (OSError, ValueError, TypeError) as error:
                raise self._lost(error) from error
            now_s = time.monotonic()
            since_s, self._last_read_s = now_s - self._last_read_s, now_s
            self._is_pouring = len(chunk) >= _POURING_BYTES and since_s < _POURING_S
            if self._is_pouring:
                self._slice_s = min(_LINGER_S, since_s * _LINGER_BYTES / len(chunk))
            return chunk

        def wake(self) -> None:
            """Make a waiting :meth:`read` return now."""
            self._waker.wake()

        def close(self) -> None:
            """Close the port, whatever state it is in."""
            self._waker.close()
            if self._serial.is_open and not self._is_pty:
                with contextlib.suppress(OSError, TypeError):
                    fcntl.ioctl(self._fd, termios.TIOCNXCL)
            super().close()

        @property
        def line_errors(self) -> LineErrors | None:
            """What the driver has counted since the port was opened; None if it counts nothing, as for a pty."""
            before = self._errors_before
            if before is not None and not self._is_closed and (counted := _count_errors(self._fd)) is not None:
                self._errors = LineErrors(*(max(now - then, 0) for now, then in zip(counted, before, strict=True)))
            return self._errors

        def _configure(self, port: str, options: SerialOptions) -> None:
            super()._configure(port, options)
            # Makes VMIN 1, and nothing else: reading from an empty port is then told from reading from a dead one.
            self._serial.inter_byte_timeout = 0.01

        def _claim(self, options: SerialOptions) -> None:
            self._fd = self._serial.fileno()
            self._is_pty = real_port(self.name).startswith("/dev/pts/")
            # pyserial's lock stops only programs that ask for it. A pty keeps the mark when we are killed: without.
            if not self._is_pty:
                if is_in_use_by_others(self.name):
                    raise LinkError(busy(self.name))
                with contextlib.suppress(OSError):
                    fcntl.ioctl(self._fd, termios.TIOCEXCL)
            real = _real_baud(self._fd)
            check_rate(self.name, options.baud, real)
            if real and real != options.baud:
                log.info("%s runs at %s baud: the driver has no %s", self.name, real, options.baud)
            self.baud = real or options.baud
            self._errors_before = _count_errors(self._fd)
            if sys.platform == "linux":
                self._poller = select.poll()
                self._poller.register(self._fd, select.POLLIN)
                self._poller.register(self._waker.fileno(), select.POLLIN)

        def _wait(self, timeout_s: float) -> bool:
            """Wait for bytes or a hang-up; False if there are none when the time is over or somebody called."""
            timeout_s = max(timeout_s, 0.0)
            if sys.platform == "linux":
                ready = [fd for fd, _ in self._poller.poll(timeout_s * 1000)]
            else:  # macOS cannot poll terminals
                ready = select.select([self._fd, self._waker], [], [], timeout_s)[0]
                ready = [each if isinstance(each, int) else each.fileno() for each in ready]
            if self._waker.fileno() in ready:
                self._waker.clear()
            return self._fd in ready

        def _linger(self) -> bytes | None:
            """Let bytes gather and return them; None if none came."""
            parts: list[bytes] = []
            # In equal slices, of which the last one ends about when the time is over.
            for _ in range(min(max(round(_LINGER_S / max(self._slice_s, 1e-6)), 1), _MOST_SLICES)):
                time.sleep(self._slice_s)
                try:
                    parts.append(self._read_all())
                except OSError as error:
                    if not parts and not isinstance(error, BlockingIOError):
                        raise
                    break  # what is wrong, the next read finds as well
                if not _POURING_BYTES <= len(parts[-1]) < _FULL_READ:
                    break  # it has come to an end, or there is more than expected
            return b"".join(parts) if parts else None

        def _read_all(self) -> bytes:
            """Read what is there, all that has piled up; the limit keeps a torrent from holding it back."""
            chunk = os.read(self._fd, _TTY_BYTES)
            if len(chunk) < _FULL_READ:
                return chunk
            parts, size = [chunk], len(chunk)
            with contextlib.suppress(OSError):  # a hang-up is found by the next read
                while size < _READ_LIMIT and (more := os.read(self._fd, _TTY_BYTES)):
                    parts.append(more)
                    size += len(more)
            return b"".join(parts)

    def _real_baud(fd: int) -> int | None:
        """Return the rate that the driver has set, None where it does not tell."""
        if sys.platform != "linux":
            return None
        settings = array.array("I", bytes(256))
        try:
            fcntl.ioctl(fd, _TCGETS2, settings)
        except OSError:
            return None
        return settings[10] or None

    def _count_errors(fd: int) -> LineErrors | None:
        """Return the driver's counters, None where it has none."""
        if sys.platform != "linux":
            return None
        try:
            counters = fcntl.ioctl(fd, _TIOCGICOUNT, bytes(80))
        except (OSError, ValueError):
            return None
        return parse_counters(counters)

else:
    SerialLink = PyserialLink


def parse_counters(counters: bytes) -> LineErrors:
    """Read Linux's ``struct serial_icounter_struct``.

    It holds cts, dsr, rng, dcd, rx, tx, frame, overrun, parity, brk, buf_overrun.

    >>> parse_counters(struct.pack("20i", 1, 1, 0, 0, 900, 20, 3, 5, 2, 1, 40, *[0] * 9))
    LineErrors(framing=3, overruns=45, parity=2, breaks=1)
    """
    framing, overrun, parity, breaks, buffer_overrun = struct.unpack_from("5i", counters, 6 * 4)
    return LineErrors(framing, overrun + buffer_overrun, parity, breaks)
