"""Which links have died or hang: what their threads show of themselves, looked at once a second.

Counts looks and reads no clock: a computer that was held up as a whole takes nobody for hanging. Starting links anew is
the business of :mod:`blitz.io.device_links`.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from blitz.data.records import Account, BoardRecord
from blitz.errors import LinkError
from blitz.io.delivery import Identified, Severity

HANG_LOOKS = 60
"""So many looks, a second apart, without a sign of life: longer than a name server that is away is waited for."""
DELAYS = (0, 1, 2, 5, 10, 30, 60)
"""In looks: how long the next start is put off for a link that fails again and again."""
CALM_LOOKS = 300
"""A link that lived so long is no longer one that fails again and again."""


class Fault(StrEnum):
    """What became of a link's thread; the reason of the gap that it leaves."""

    DIED = "its link failed and was started anew"
    HANGS = "its link hung and was started anew"


class Watched(Protocol):
    """What a link shows of its thread."""

    beats: int
    failure: BaseException | None

    @property
    def name(self) -> str:
        """The source's name."""

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended."""

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was told to end."""


_W = TypeVar("_W", bound=Watched)


class LinkWatch:
    """Remembers what links showed at the last look. Used by one thread."""

    def __init__(self, hang_looks: int = HANG_LOOKS) -> None:
        self._hang_looks = hang_looks
        self._beats: dict[str, tuple[int, int, int]] = {}
        """By name: which link, its beats, and how many looks ago they were other ones."""
        self._failures: dict[str, tuple[int, int]] = {}
        """By name: how often it failed in a row, and how many looks ago."""

    def look(self, links: Iterable[_W]) -> list[tuple[_W, Fault]]:
        """Return the links that have failed; called once a second."""
        for name, (count, looks) in list(self._failures.items()):
            if looks + 1 >= CALM_LOOKS:
                del self._failures[name]
            else:
                self._failures[name] = (count, looks + 1)
        links = [link for link in links if not link.is_stopping]
        self._beats = {link.name: self._count(link) for link in links}
        failed: list[tuple[_W, Fault]] = []
        for link in links:
            if link.is_over:
                if link.failure is not None:  # else it is a recording at its end
                    failed.append((link, Fault.DIED))
            elif self._beats[link.name][2] >= self._hang_looks:
                failed.append((link, Fault.HANGS))
        return failed

    def delay_s(self, name: str) -> int:
        """Count a failure; return how long to wait before the link is opened again."""
        count = self._failures.get(name, (0, 0))[0]
        self._failures[name] = (count + 1, 0)
        return DELAYS[min(count, len(DELAYS) - 1)]

    def _count(self, link: Watched) -> tuple[int, int, int]:
        identity, beats, looks = self._beats.get(link.name, (0, 0, 0))
        if (identity, beats) != (id(link), link.beats):
            return id(link), link.beats, 0
        return identity, beats, looks + 1


class Nobody:
    """The sink of a link whose thread was given up: should it ever move again, nobody hears it."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Know nobody."""
        raise LinkError(f"{name} was started anew meanwhile.")

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take nothing."""
        return False

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Record nothing."""

    def close_account(self, session_id: int, account: Account) -> None:
        """Take no account."""

    def notice(self, severity: Severity, text: str, source: str) -> None:
        """Tell nobody."""

    def link_changed(self, board: BoardRecord) -> None:
        """Tell nobody."""
