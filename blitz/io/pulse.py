"""Signs of life: a part of the server says when it last did something, and whoever supervises it sees when it hangs."""

import time
from collections.abc import Callable


class Pulse:
    """The pulse of one part.

    :param beat_s: tells when the part last did something, by the clock ``now_s``.
    :param limit_s: a part that has done nothing for so long hangs.
    :param now_s: a clock that nobody sets.
    """

    def __init__(
        self, name: str, beat_s: Callable[[], float], limit_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._beat_s = beat_s
        self._limit_s = limit_s
        self._now_s = now_s

    @property
    def trouble(self) -> str | None:
        """A sentence if the part hangs; None while it lives.

        >>> Pulse("appender", lambda: 5.0, 30, lambda: 36.0).trouble
        'The appender has shown no sign of life for 31 s.'
        >>> Pulse("appender", lambda: 5.0, 30, lambda: 35.0).trouble is None
        True
        """
        silent_s = self._now_s() - self._beat_s()
        if silent_s <= self._limit_s:
            return None
        return f"The {self.name} has shown no sign of life for {silent_s:.0f} s."
