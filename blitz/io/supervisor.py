"""What the service manager is told: that the server is ready, lives, what it does, and that it ends.

Speaks systemd's notify protocol (sd_notify(3)): datagrams of ``NAME=value`` lines to the socket in ``NOTIFY_SOCKET``.
Where there is none, nothing is sent. It runs on the event loop, so that a loop that hangs sends no ping either.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable

from blitz.data.records import StatusRecord
from blitz.io.pulse import Pulse

log = logging.getLogger(__name__)

LIMIT_S = 120.0
"""A part without a sign of life for so long hangs; where systemd watches, three quarters of its time at the most."""
STATUS_EVERY_S = 10.0
ROUND_S = 1.0
_SAY_EVERY_S = 10.0


class Notifier:
    """The way to the service manager.

    :param address: of its socket; empty: there is none.
    :param watchdog_s: it wants a sign of life so often; None: it does not watch.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def from_environment(cls) -> "Notifier":
        """Take what systemd says, and take it out of the environment: programs that we start must not speak for us."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        is_for_us = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watches = is_for_us and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if watches else None)

    def tell(self, **state: str) -> None:
        """Send ``NAME=value`` lines; a service manager that does not take them is not waited for."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        message = "\n".join(f"{name}={' '.join(value.split())}" for name, value in state.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("The service manager was not told %s: %s", message, error)


class Supervisor:
    """Watches the server's parts, and tells the service manager.

    :param describe: gives what the server does now, in a line.
    """

    def __init__(self, notifier: Notifier, describe: Callable[[], str] = lambda: "") -> None:
        self._notifier = notifier
        self._describe = describe
        watchdog_s = notifier.watchdog_s
        self._limit_s = LIMIT_S if watchdog_s is None else min(LIMIT_S, 0.75 * watchdog_s)
        self._pulses: list[Pulse] = []

    def watch(self, name: str, beat_s: Callable[[], float], limit_s: float | None = None) -> None:
        """Watch a part, which does something at least every few seconds.

        :param beat_s: tells when it last did, by ``time.monotonic``.
        :param limit_s: for a part that may have to wait for longer.
        """
        self._pulses.append(Pulse(name, beat_s, self._limit_s if limit_s is None else limit_s))

    def troubles(self) -> list[str]:
        """Return a sentence for each part that hangs."""
        try:
            return [trouble for pulse in self._pulses if (trouble := pulse.trouble) is not None]
        except Exception as error:
            log.exception("The parts of the server cannot be watched")
            return [f"The parts of the server cannot be watched, by a fault of ours: {error!r}."]

    async def run(self) -> None:
        """Say that the server is ready, and then, until cancelled, that it lives: as long as all its parts do."""
        self._notifier.tell(READY="1", STATUS=self._line())
        said_s = status_s = time.monotonic()
        while True:
            await asyncio.sleep(min(ROUND_S, self._limit_s / 3))
            now_s = time.monotonic()
            troubles = self.troubles()
            if not troubles:
                self._notifier.tell(WATCHDOG="1")
            elif now_s - said_s >= _SAY_EVERY_S:
                said_s = now_s
                log.error("%s", " ".join(troubles))
            if now_s - status_s >= STATUS_EVERY_S:
                status_s = now_s
                self._notifier.tell(STATUS=" ".join(troubles) or self._line())

    def _line(self) -> str:
        try:
            return self._describe()
        except Exception:  # no reason to be taken for dead
            log.exception("What the server does could not be told")
            return "Running"

    def stopping(self) -> None:
        """Say that the server ends."""
        self._notifier.tell(STOPPING="1", STATUS="Stopping: draining the boards")


def describe_status(status: StatusRecord) -> str:
    """Return what the server does, in the line that ``systemctl status`` shows."""
    count = f"{len(status.boards)} source{'' if len(status.boards) == 1 else 's'}"
    what = f"{count}, {status.rate_hz:.0f} messages a second"
    doing = "Not recording" if status.session is None else f"Recording session {status.session.id}"
    line = f"{doing}; {what}"
    if status.store.spooled_messages:
        line += f"; {status.store.spooled_messages} messages in the spool"
    return line
