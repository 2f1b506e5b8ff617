"""Signs of life: a part of the server beats, and whoever supervises it sees when it has stopped."""

import time
from collections.abc import Callable


class Pulse:
    """The pulse of one part, which :meth:`beat` is called by again and again. May be used from any thread.

    :param limit_s: without a beat for so long, the part hangs.
    :param now_s: a clock that nobody sets.
    """

    def __init__(self, name: str, limit_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.limit_s = limit_s
        self._now_s = now_s
        self._beaten_s = now_s()

    def beat(self) -> None:
        """Show a sign of life."""
        self._beaten_s = self._now_s()

    @property
    def trouble(self) -> str | None:
        """A sentence if the part hangs; None while it lives.

        >>> clock = [0.0]
        >>> pulse = Pulse("appender", 30, lambda: clock[0])
        >>> clock[0] = 31
        >>> pulse.trouble
        'The appender has shown no sign of life for 31 s.'
        >>> pulse.beat()
        >>> pulse.trouble is None
        True
        """
        silent_s = self._now_s() - self._beaten_s
        if silent_s <= self.limit_s:
            return None
        return f"The {self.name} has shown no sign of life for {silent_s:.0f} s."
