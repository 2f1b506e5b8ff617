"""Which of several hosts is asked next, and when one that fails is tried again. Pure: clock and chance are given."""

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Any

from blitz.io.host_list import HostEntry

FIRST_WAIT_S = 1.0


class _State:
    def __init__(self) -> None:
        self.due_s: float | None = None
        """When it is tried again; None: it is available."""
        self.wait_s = FIRST_WAIT_S
        self.acquires = True
        self.error: Exception | None = None


class HostChoice:
    """What is known of the hosts of one store, by their place in the list.

    :param inactive_s: how long a host rests that could be reached and did not answer.
    :param max_wait_s: hosts that cannot be reached are tried after 1, 2, 4, 8 … seconds, at most this many.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        hosts: Sequence[HostEntry],
        *,
        inactive_s: float,
        max_wait_s: float,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        self._hosts = hosts
        self._inactive_s = inactive_s
        self._max_wait_s = max_wait_s
        self._random = random
        self._clock = clock
        self._states = [_State() for _ in hosts]
        self._bag: list[int] = []

    def choose(self, but: Collection[int] = (), *, acquiring: bool = False) -> int | None:
        """Return a host that is available; None where there is none.

        In each run of as many calls as all weights together each host comes as often as its weight says, in an order
        by chance: what a weight promises holds for few calls, too.

        :param but: those that were tried already.
        :param acquiring: rather the one that acquires, where it is known and available.
        """
        free = [n for n in range(len(self._hosts)) if self.is_available(n) and n not in but]
        free = [n for n in free if not self._hosts[n].is_backup] or free
        if acquiring:
            free = [n for n in free if self._states[n].acquires] or free
        if not free:
            return None
        for _ in range(2):
            for place, number in enumerate(self._bag):
                if number in free:
                    return self._bag.pop(place)
            self._fill()
        return free[0]

    def _fill(self) -> None:
        """Put each available host into the bag as often as its weight says: what is left there is nobody's now."""
        self._bag = [n for n, host in enumerate(self._hosts) if self.is_available(n) for _ in range(host.weight)]
        self._random.shuffle(self._bag)

    def is_available(self, number: int) -> bool:
        """Whether calls go to that host."""
        return self._states[number].due_s is None

    def wait_s(self, number: int) -> float | None:
        """Return in how many seconds a host that fails is to be tried again; None: it is available."""
        due_s = self._states[number].due_s
        return None if due_s is None else max(0.0, due_s - self._clock())

    def error(self, number: int) -> Exception | None:
        """Return why a host is not available."""
        return self._states[number].error

    def note_answer(self, number: int, *, acquires: bool | None = None) -> bool:
        """It answers; return whether it had failed before."""
        state = self._states[number]
        was_away, state.due_s = state.due_s is not None, None
        state.wait_s = FIRST_WAIT_S
        state.error = None
        if acquires is not None:
            state.acquires = acquires
        if was_away:
            self._bag = []
        return was_away

    def suspect(self, number: int, error: Exception) -> bool:
        """A call was not answered in time: the host is to be tried at once. False if it was known to fail."""
        if not self.is_available(number):
            return False
        self._states[number].due_s, self._states[number].error = self._clock(), error
        return True

    def note_failure(self, number: int, error: Exception, *, is_reached: bool) -> float:
        """It failed; return after how many seconds it is tried again.

        :param is_reached: something took the call, and did not answer it in time, or could not.
        """
        state = self._states[number]
        state.error = error
        wait_s = self._inactive_s if is_reached else min(state.wait_s, self._max_wait_s)
        if not is_reached:
            state.wait_s = min(2 * state.wait_s, self._max_wait_s)
        state.due_s = self._clock() + wait_s
        return wait_s


def is_repeatable(method: str, path: str, body: Mapping[str, Any] | None) -> bool:
    """Whether a call may be made again where nobody knows if the first one arrived.

    Reading may, and points with the number of their batch: the store takes them once.

    >>> is_repeatable("GET", "/sessions", None), is_repeatable("POST", "/sessions", {})
    (True, False)
    >>> is_repeatable("POST", "/streams/x/points", {"points": [], "writer": "a", "batch": 7})
    True
    """
    is_numbered = method == "POST" and path.startswith("/streams/") and path.endswith("/points")
    return method == "GET" or path == "/query" or (is_numbered and (body or {}).get("batch") is not None)
