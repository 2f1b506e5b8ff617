"""Whether the computer's clock was set: by hand, by a time server, or by a sleep.

Within a session times go on evenly all the same, from the monotonic clock; but whoever compares them with another
clock has to know.
"""

import time
from collections.abc import Callable

STEP_NS = 100_000_000
"""A smaller difference within a second is the work of a time server, which goes on all the time."""
_ATTEMPTS = 20


class ClockWatch:
    """Looks at the clocks about once a second.

    :param wall_ns: Unix time in ns.
    :param steady_ns: a clock that nobody sets, and that stands still while the computer sleeps.
    :param boot_ns: the same, going on while the computer sleeps; the system's where none is given.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
        boot_ns: Callable[[], int] | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._boot_ns = boot_ns or _boot_clock()
        self._ahead_ns, self._slept_ns = self._differences()

    def look(self) -> str | None:
        """Return a sentence if the clock was set since the last look."""
        ahead_ns, slept_ns = self._differences()
        step_ns, sleep_ns = ahead_ns - self._ahead_ns, slept_ns - self._slept_ns
        self._ahead_ns, self._slept_ns = ahead_ns, slept_ns
        if sleep_ns >= STEP_NS:
            return f"The computer slept for {sleep_ns / 1e9:.1f} s: nothing was read from any device meanwhile."
        if abs(step_ns) < STEP_NS:
            return None
        direction = "forward" if step_ns > 0 else "back"
        return (
            f"The computer's clock was set {direction} by {abs(step_ns) / 1e9:.3f} s. "
            "Times within a running session go on evenly; the next session begins with the new time."
        )

    def _differences(self) -> tuple[int, int]:
        """Read the clocks together: whoever is held up in between would see a step where there is none."""
        for _ in range(_ATTEMPTS):
            before_ns = self._steady_ns()
            wall_ns, boot_ns = self._wall_ns(), self._boot_ns()
            if self._steady_ns() - before_ns < STEP_NS // 10:
                break
        return wall_ns - before_ns, boot_ns - before_ns


def _boot_clock() -> Callable[[], int]:
    number = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns if number is None else lambda: time.clock_gettime_ns(number)
