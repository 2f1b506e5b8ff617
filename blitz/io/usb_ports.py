"""Who is there: the serial ports of this machine, and what tells their devices apart.

Owns the list of known makers, what must never be opened, and what the system says of a port. Opens nothing.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from serial.tools import list_ports

from blitz.data.source_config import UsbIdentity, kind_of, stream_of
from blitz.errors import ConfigError

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

_USB_ENTRY = re.compile(r"usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?", re.IGNORECASE)


class ListedPort(Protocol):
    """A port as pyserial lists it."""

    device: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    location: str | None
    product: str | None


class FoundPort(NamedTuple):
    """A serial port that is there."""

    port: str
    description: str = ""
    identity: UsbIdentity | None = None
    """None: no USB device."""

    @property
    def is_known_kind(self) -> bool:
        """Whether it is of a maker whose devices laboratories use."""
        return self.identity is not None and self.identity.vendor_id in KNOWN_USB_VENDORS

    @property
    def maker(self) -> str:
        """Maker and kind of the serial chip, as far as they are known."""
        if self.identity is None:
            return self.description or "serial port"
        known = KNOWN_USB_VENDORS.get(self.identity.vendor_id) or self.identity.product
        return known or f"USB device {self.identity.vendor_id:04x}:{self.identity.product_id:04x}"


def real_port(port: str) -> str:
    """Return a port's own path: one device may be known by several names, such as those in /dev/serial/by-id."""
    if stream_of(port) is not None or kind_of(port) is not None:
        return port
    if port.startswith("replay:"):
        path, mark, query = port.removeprefix("replay:").partition("?")
        return f"replay:{os.path.normcase(os.path.realpath(path))}{mark}{query}"
    if "://" in port:
        return port.lower()
    return os.path.normcase(os.path.realpath(port) if os.name == "posix" else port)


def find_ports(
    never_touch: Iterable[str] = (), *, list_them: Callable[[], Iterable[ListedPort]] = list_ports.comports
) -> list[FoundPort]:
    """Return the serial ports of this machine, without those that must never be opened.

    :param never_touch: see :func:`is_forbidden`.
    """
    forbidden = tuple(never_touch)
    found = (_describe(port) for port in list_them())
    return [port for port in found if not any(_forbids(entry, port.port, port.identity) for entry in forbidden)]


def find_usb_ports(
    never_touch: Iterable[str] = (), *, list_them: Callable[[], Iterable[ListedPort]] = list_ports.comports
) -> list[FoundPort]:
    """Return the USB serial ports of known kinds, without those that must never be opened."""
    return [port for port in find_ports(never_touch, list_them=list_them) if port.is_known_kind]


def is_forbidden(
    port: str,
    identity: UsbIdentity | None,
    never_touch: Iterable[str],
    *,
    list_them: Callable[[], Iterable[ListedPort]] = list_ports.comports,
) -> bool:
    """Say whether a port is on the never-touch list.

    :param identity: None: it is looked up.
    :param never_touch: paths (also those in /dev/serial/by-id), or ``usb:VID:PID`` or ``usb:VID:PID:SERIAL`` in hex.
    :raises ConfigError: if an entry that begins with ``usb:`` is not of that form: it would protect nothing.

    >>> is_forbidden("/dev/ttyUSB7", UsbIdentity(vendor_id=0x1A86, product_id=0x7523), ["usb:1a86:7523"])
    True
    """
    entries = tuple(never_touch)
    if identity is None and any(map(_is_usb_entry, entries)):
        place = real_port(port)
        there = (_describe(each) for each in list_them() if real_port(each.device) == place)
        identity = next((each.identity for each in there), None)
    return any(_forbids(entry, port, identity) for entry in entries)


def latency_timer(port: str, sys_root: Path = Path("/sys")) -> tuple[Path, int] | None:
    """Return where the latency timer of an FTDI chip is set, and its value in ms; None for any other chip.

    The chip passes on what it has received once its buffer is full or this timer (16 ms by default) has run out:
    stamps then come in bunches. Root may write a 1 into the file.
    """
    place = sys_root / "class" / "tty" / Path(real_port(port)).name / "device" / "latency_timer"
    try:
        return place, int(place.read_text())
    except (OSError, ValueError):
        return None


def _is_usb_entry(entry: str) -> bool:
    return entry.lower().startswith("usb:")


def _forbids(entry: str, port: str, identity: UsbIdentity | None) -> bool:
    if not _is_usb_entry(entry):
        return real_port(entry) == real_port(port)
    fields = _USB_ENTRY.fullmatch(entry)
    if fields is None:
        raise ConfigError(f"{entry!r} of never_touch is not usb:VID:PID or usb:VID:PID:SERIAL, such as usb:0403:6001.")
    if identity is None:
        return False
    kind = int(fields[1], 16), int(fields[2], 16)
    return identity.kind == kind and fields[3] in (None, identity.serial_number)


def _describe(port: ListedPort) -> FoundPort:
    if port.vid is None or port.pid is None:
        description = "" if port.description == "n/a" else port.description or ""
        return FoundPort(port.device, description)
    identity = UsbIdentity(
        vendor_id=port.vid,
        product_id=port.pid,
        serial_number=port.serial_number or "",
        usb_path=port.location or "",
        product=port.product or "",
    )
    maker = FoundPort(port.device, "", identity).maker
    return FoundPort(port.device, f"{maker} {identity.serial_number}".strip(), identity)
