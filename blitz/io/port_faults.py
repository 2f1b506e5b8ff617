"""Why a serial port cannot be used: sentences that say what to do.

Owns what the system is asked for them: the port's group, the programs that have it open, the ports that are there.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

from blitz.data.source_config import SerialOptions
from blitz.errors import LinkError
from blitz.io.usb_ports import find_ports, real_port

RATE_TOLERANCE = 0.025
"""Beyond it, the last bits of a byte are sampled in the wrong place."""
_USUAL_RATES = "9600, 57600 or 115200"
_CUSTOM_RATE_REMEDY = f"Give a rate that both the device and the adapter know, such as {_USUAL_RATES}."


A_SERVER = "a Blitz server"
LENDS = "It lends the port to another program: blitz release NAME -- PROGRAM. 'blitz boards' tells the name."


def why_not_opened(port: str, options: SerialOptions, error: Exception) -> str:
    """Return the sentence for an error that came of opening a port."""
    number = getattr(error, "errno", None)
    text = str(error).lower()
    start = f"Cannot open {port}"
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "filenotfounderror" in text:
        return f"{start}: there is no such port. Plug the device in, or check the name. {_ports_there()}"
    if number == errno.EACCES or ("permission" in text and number is None and os.name == "posix"):
        return f"{start}: permission denied. {_permission_remedy(port)}"
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "permissionerror" in text:
        return busy(port)
    if isinstance(error, ValueError) or number == errno.EINVAL:
        return f"{start} with {options.baud} baud: the driver refuses this rate or framing. {_CUSTOM_RATE_REMEDY}"
    if number in (errno.ENOTTY, errno.EISDIR) or "inappropriate ioctl" in text:
        return f"{start}: it is no serial port. Check the name. {_ports_there()}"
    return f"{start}: {reason(error)}."


def busy(port: str) -> str:
    """Return the sentence for a port that is in use, with the program's name where the system tells it."""
    programs = is_in_use_by_others(port)
    if programs:
        is_lent = any(program.startswith(A_SERVER) for program in programs)
        remedy = LENDS if is_lent else "Close that program, or let it release the port."
        return f"Cannot open {port}: {' and '.join(programs)} uses it. {remedy}"
    return f"Cannot open {port}: another program uses it. Close that program (a serial monitor, perhaps)."


def may_not_open(port: str) -> str:
    """Return what to do so that this user may open a port; empty where there is nothing to do, or no such port."""
    is_closed = os.path.exists(port) and not os.access(port, os.R_OK | os.W_OK)
    return _permission_remedy(port) if is_closed else ""


def check_rate(port: str, asked: int, real: int | None) -> None:
    """Compare the rate that was asked for with what the driver made of it; None: it does not tell.

    :raises LinkError: if nothing legible could come of it.

    >>> check_rate("/dev/ttyUSB0", 250_000, 230_400)
    Traceback (most recent call last):
    blitz.errors.LinkError: Cannot open /dev/ttyUSB0 with 250000 baud: the driver set 230400 instead, 7.8 % off. \
Give a rate that both the device and the adapter know, such as 9600, 57600 or 115200.
    """
    if real and abs(real / asked - 1) > RATE_TOLERANCE:
        off = f"{abs(real / asked - 1):.1%}".replace("%", " %")
        raise LinkError(
            f"Cannot open {port} with {asked} baud: the driver set {real} instead, {off} off. {_CUSTOM_RATE_REMEDY}"
        )


def reason(error: Exception) -> str:
    """Return what went wrong on an open port, in a few words."""
    is_gone = isinstance(error, OSError) and error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV)
    # pyserial's words for a hang-up, and the system's within them.
    if is_gone or "returned no data" in str(error) or os.strerror(errno.EIO) in str(error):
        return "the device was unplugged"
    if isinstance(error, OSError) and error.strerror and not error.strerror.startswith("could not"):
        return error.strerror.lower()
    return str(error).rstrip(".") or type(error).__name__


def is_in_use_by_others(port: str, proc: Path = Path("/proc")) -> list[str]:
    """Return the programs, other than this one, that have a port open: ``minicom (process 4711)``.

    A Blitz server, which the system knows as Python, begins with ``A_SERVER``.

    Empty where the system does not tell (anything but Linux, and other users' programs unless we are root).
    """
    place = real_port(port)
    found = []
    for process in proc.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        # A process may end, and forbid to look at it.
        with contextlib.suppress(OSError):
            if any(_leads_to(process / "fd" / number, place) for number in os.listdir(process / "fd")):
                name = _name(process)
                found.append(f"{name} (process {process.name})")
    return found


def _name(process: Path) -> str:
    arguments = (process / "cmdline").read_text(errors="replace").split("\0")
    if any(Path(part).name == "blitz" and "serve" in arguments[place:] for place, part in enumerate(arguments)):
        return A_SERVER
    return (process / "comm").read_text().strip() or "a program"


def _leads_to(path: Path, place: str) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(path) == place
    return False


def _ports_there() -> str:
    names = [found.port for found in find_ports()]
    return f"There are: {', '.join(names)}." if names else "This machine has no serial port now."


def _permission_remedy(port: str) -> str:
    if os.name != "posix":
        return "Close the program that uses it."
    import grp

    try:
        status = os.stat(port)
        group = grp.getgrgid(status.st_gid)
    except (OSError, KeyError):
        return "Ask the administrator for access to it."
    if group.gr_name == "root" or status.st_mode & (stat.S_IRGRP | stat.S_IWGRP) != stat.S_IRGRP | stat.S_IWGRP:
        return f"Only its owner may open it: let the administrator give it to a group (sudo chmod g+rw {port})."
    if _user() in group.gr_mem:
        return f"You are in the group {group.gr_name} already, but since after you logged in: log in again."
    return f"Add your user to the group {group.gr_name} (sudo usermod -a -G {group.gr_name} $USER), then log in again."


def _user() -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return ""
