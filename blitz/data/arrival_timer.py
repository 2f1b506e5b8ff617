"""Whether reads come by the timer of a USB chip instead of when the device sends.

Pure. An FTDI chip keeps what it has received until 62 bytes are there or its latency timer fires: every 16 ms, unless
the driver was told otherwise. Messages then arrive in bunches, and are late by up to 16 ms.
"""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

TIMER_NS = 16_000_000

_TOLERANCE_NS = 1_500_000
"""A USB frame of 1 ms, and the thread that reads."""

_ENOUGH = 50
_MEMORY = 256
_MOST_PERIODS = 3


class ArrivalBunching:
    """Follows the arrivals of one source that sends by itself; a board that is asked for its messages has its own beat.

    What cannot be told from the timer: a device that really sends several messages together every 16 ms.
    """

    def __init__(self) -> None:
        self._begins_ns = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)

    def add(self, arrived_ns: NDArray[np.int64]) -> None:
        """Take more messages' arrivals.

        :param arrived_ns: shape (n,), a message each, never falling; equal for those that came in one read.
        """
        # A bunch may take two reads: one that catches its beginning, and the rest at once.
        times_ns = np.concatenate((self._begins_ns, arrived_ns))
        if not len(times_ns):
            return
        counts = np.concatenate((self._counts, np.ones(len(arrived_ns), np.int64)))
        begins = np.concatenate(([0], np.flatnonzero(np.diff(times_ns) > 2 * _TOLERANCE_NS) + 1))
        self._begins_ns = times_ns[begins][-_MEMORY:]
        self._counts = np.add.reduceat(counts, begins)[-_MEMORY:]

    @property
    def is_bunched(self) -> bool:
        """Whether the last 50 to 256 bunches came by the timer, most with several messages.

        >>> bunching = ArrivalBunching()
        >>> bunching.add(np.repeat(np.arange(100) * 16_000_000, 3))
        >>> bunching.is_bunched
        True
        """
        if len(self._begins_ns) <= _ENOUGH:
            return False
        if np.count_nonzero(self._counts > 1) * 2 < len(self._counts):
            return False
        pauses_ns = np.diff(self._begins_ns)
        periods = np.rint(pauses_ns / TIMER_NS)
        is_near = np.abs(pauses_ns - periods * TIMER_NS) <= _TOLERANCE_NS
        by_timer = is_near & (periods >= 1) & (periods <= _MOST_PERIODS)
        return bool(np.mean(by_timer) >= 0.8 and np.mean(by_timer & (periods == 1)) >= 0.5)

    @property
    def period_ns(self) -> int | None:
        """The timer's period; None where none is seen."""
        return TIMER_NS if self.is_bunched else None


def short_timer_command(port: str) -> str | None:
    """Return the shell command that sets a port's timer to 1 ms until it is unplugged; None where there is none.

    The driver has the file: Documentation/ABI/testing/sysfs-bus-usb of Linux.

    >>> short_timer_command("/dev/ttyUSB0")
    'echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB0/latency_timer'
    >>> short_timer_command("/dev/ttyACM0") is None
    True
    """
    name = PurePosixPath(port).name
    if not (name.startswith("ttyUSB") and name[6:].isdigit()):
        return None
    return f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{name}/latency_timer"
