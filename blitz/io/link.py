"""Links: bytes to and from a serial port.

Owns opening, reading in bulk, writing, and the sentences for what the system says when a port cannot be used. Knows
nothing of lines and boards. Pseudo-terminals are opened by their path like any port.
"""

import errno
import logging
import os
import threading
from collections.abc import Iterable
from typing import NamedTuple

import serial
from serial.tools import list_ports

from blitz.errors import LinkError

log = logging.getLogger(__name__)

_READ_LIMIT = 65536
_WRITE_TIMEOUT_S = 2.0

KNOWN_USB_VENDORS = {
    0x0403: "FTDI",
    0x10C4: "Silicon Labs CP210x",
    0x1A86: "QinHeng CH340",
    0x1B4F: "SparkFun",
    0x2341: "Arduino",
    0x239A: "Adafruit",
    0x2A03: "Arduino",
    0x2E8A: "Raspberry Pi",
    0x303A: "Espressif",
}
"""Makers of the serial chips and boards that laboratories use; a port of any other kind is opened only if named."""


class UsbPort(NamedTuple):
    """A USB serial port of a known kind."""

    port: str
    description: str


def real_port(port: str) -> str:
    """Return a port's own path: one device may be known by several names, such as those in /dev/serial/by-id."""
    return os.path.normcase(os.path.realpath(port) if port.startswith("/") else port)


def find_usb_ports(never_touch: Iterable[str] = ()) -> list[UsbPort]:
    """Return the USB serial ports of known kinds, without those that must never be opened."""
    forbidden = set(map(real_port, never_touch))
    return [
        UsbPort(found.device, f"{KNOWN_USB_VENDORS[found.vid]} {found.serial_number or ''}".strip())
        for found in list_ports.comports()
        if found.vid in KNOWN_USB_VENDORS and real_port(found.device) not in forbidden
    ]


class SerialLink:
    """One open port, held by us alone, used by one thread (:meth:`wake` may be called from any).

    :raises LinkError: if the port cannot be opened; one sentence that says what to do.
    """

    def __init__(self, port: str, baud: int, timeout_s: float = 0.1) -> None:
        self.port = port
        self._wake_lock = threading.Lock()
        self._is_closed = False
        try:
            self._serial = serial.Serial(
                port, baud, timeout=timeout_s, write_timeout=_WRITE_TIMEOUT_S, exclusive=_exclusive()
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise LinkError(_why_not_opened(port, baud, error)) from error

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

        :raises LinkError: if the device is gone.
        """
        port = self._serial
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
            raise LinkError(f"Lost {self.port}: {_reason(error)}. It is opened again when it is back.") from error

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises LinkError: if the device is gone or takes nothing.
        """
        try:
            self._serial.write(line)
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(f"Cannot write to {self.port}: {_reason(error)}.") from error

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
            log.debug("Closing %s: %s", self.port, error)


def _exclusive() -> bool | None:
    return True if hasattr(serial.Serial, "fileno") else None  # Windows is exclusive by itself, and refuses the word


def _reason(error: Exception) -> str:
    if "returned no data" in str(error):  # pyserial's words for a hang-up
        return "the device was unplugged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".") or type(error).__name__


def _why_not_opened(port: str, baud: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    text = str(error).lower()
    if number == errno.ENOENT or "filenotfounderror" in text:
        return f"Cannot open {port}: there is no such port. Plug the device in, or check the name."
    if number == errno.EACCES or "permission" in text:
        return (
            f"Cannot open {port}: permission denied. Add your user to the group dialout "
            "(sudo usermod -a -G dialout $USER), then log in again."
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "access is denied" in text:
        return f"Cannot open {port}: another program uses it. Close that program (a serial monitor, perhaps)."
    if isinstance(error, ValueError) or number == errno.EINVAL:
        return f"Cannot open {port} with {baud} baud: the device does not know this rate. Try 57600, 9600 or 115200."
    return f"Cannot open {port}: {_reason(error)}."
