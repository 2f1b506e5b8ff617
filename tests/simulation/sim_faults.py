"""What goes wrong in a world, drawn from its seed: at which call the server dies, what the disk and Redis refuse."""

import contextlib
from collections.abc import Callable, Iterator
from random import Random

DISK_FAULTS = ("refuse", "full")
STORE_FAULTS = ("refuse", "lose", "lose", "late", "crash")
SYNCHRONISING = ("sync", "sync_folder")
DEATHS_BEHIND_SYNC = 0.3
"""How often a server is killed while it puts right what a synchronisation that failed has left."""
DEATHS_BEHIND_LATE = 0.5
"""How often a server is killed before it has put elsewhere what Redis, which hangs, will execute after all."""


class Crash(BaseException):
    """The server dies here. Not an Exception: nothing in the server may survive it."""


class Faults:
    """Decides at each call of disk and store whether it fails. The two functions are their ``step``.

    :param note: told what goes wrong, for the trace.
    :param meanwhile: called before conversations of the server, for what other programs do just then.
    """

    def __init__(self, random: Random, note: Callable[..., None], meanwhile: Callable[[], None]) -> None:
        self.is_dead = False
        """The server's process has ended: whatever it still tries does not happen."""
        self.is_calm = False
        """Nothing fails."""
        self.is_lying = False
        """The disk says that it has synchronised, and has not."""
        self.spools = random.random() < 0.2
        """Much goes through the spool, on a bad disk, and is long in it; server and power fail often."""
        self.disk_rate = random.choice((0.05, 0.1) if self.spools else (0.0, 0.0, 0.0, 0.02, 0.1))
        self.hangs = random.random() < 0.15
        """Redis hangs at times, and then executes late what it was given; the server is killed meanwhile."""
        self.store_rate = 0.0 if self.hangs else random.choice((0.0, 0.02, 0.1, 0.3))
        self.store_faults = ("late",) if self.hangs or random.random() < 0.2 else STORE_FAULTS
        self.promptness = 0.03 if self.hangs else random.choice((0.5, 0.5, 0.03))
        """How likely a late command is executed before the next conversation."""
        self.calls_until_death = -1
        self.disk_has_failed = False
        self._was_given_up = False
        self.was_late = False
        """Redis executed something long after it was given up: a gap may have gone back to what was known before."""
        self._mean_life = random.choice((0, 40, 120, 400))
        self._others_rate = random.choice((0.0, 0.0, 0.05, 0.2))
        self._random = random
        self._note = note
        self._meanwhile = meanwhile
        self._is_others = False

    def new_life(self) -> None:
        """A new process of the server begins; how many calls it lives is drawn now."""
        self.is_dead = self._was_given_up = False
        self.calls_until_death = self._random.randrange(2 * self._mean_life) if self._mean_life else -1

    def die(self) -> None:
        """The server's process ends here."""
        self.is_dead = True
        raise Crash

    def _lives_on(self) -> bool:
        if self.is_dead:
            raise Crash
        if self.is_calm or self.calls_until_death < 0:
            return True
        self.calls_until_death -= 1
        return self.calls_until_death >= 0

    def disk_step(self, call: str) -> str | None:
        was_given_up, self._was_given_up = self._was_given_up, False
        if was_given_up and self.hangs and not self.is_calm and self._random.random() < DEATHS_BEHIND_LATE:
            self._note("the server dies with what Redis has not executed yet")
            self.die()
        if call == "die" or not self._lives_on():
            if call == "write" and self._random.random() < 0.7:
                self._note("the server dies while it writes")
                return "part"
            self._note("the server dies before", call)
            self.die()
        if self.is_calm:
            return None
        if self.is_lying and call in SYNCHRONISING:
            return "lie"
        if self.disk_rate and self._random.random() < self.disk_rate:
            fault = self._random.choice(DISK_FAULTS)
            self._note("the disk:", call, fault)
            self.disk_has_failed = True
            if call == "sync" and self._mean_life and self._random.random() < DEATHS_BEHIND_SYNC:
                self.calls_until_death = 0
            return fault
        return None

    def store_step(self, call: str) -> str | None:
        if self._is_others:
            return None
        if call == "die" or not self._lives_on():
            if call != "die" and self._random.random() < 0.5:
                self._note("the server dies when Redis has executed")
                return "part"
            self._note("the server dies before it asks Redis")
            self.die()
        if self.is_calm:
            return None
        self._was_given_up = False
        if self._others_rate and self._random.random() < self._others_rate:
            self._meanwhile()
        if self.store_rate and self._random.random() < self.store_rate:
            fault = self._random.choice(self.store_faults)
            self._note("Redis:", fault)
            self._was_given_up = fault == "late"
            self.was_late = self.was_late or fault == "late"
            return fault
        return None

    @contextlib.contextmanager
    def nothing_fails(self) -> Iterator[None]:
        """For a look at the disk that is not the server's."""
        was, self.is_dead, self.is_calm = (self.is_dead, self.is_calm), False, True
        try:
            yield
        finally:
            self.is_dead, self.is_calm = was

    def others(self, act: Callable[[], None]) -> None:
        """Let another program do something; nothing of it fails, but for a Redis that is away."""
        was, self._is_others = self._is_others, True
        try:
            act()
        finally:
            self._is_others = was
