"""How far the archive may go in sessions that a server may still put messages into."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from blitz.data.archive_plan import Extent


@dataclass(frozen=True)
class Reach:
    """What a server knew at a moment: messages of its own, which are not in the store yet, go to no earlier place.

    It has shown them there, or may: what other programs have queued in their place moves behind them. What is archived
    cannot move, so it stays in the store until the server knows of it, also when a session has ended meanwhile.

    :param newest: sessions with a higher id were not there yet.
    :param ends: where such messages would begin, of each session that may get some.
    """

    newest: int = 0
    ends: Mapping[int, int] = field(default_factory=dict)

    def within(self, extents: Iterable[Extent]) -> list[Extent]:
        """Leave out what must stay in the store.

        >>> Reach(2, {2: 40}).within([Extent(1, 0, 9), Extent(2, 0, 50), Extent(3, 0, 9)])
        [Extent(session_id=1, first=0, stop=9, is_running=False, was_restored=False), \
Extent(session_id=2, first=0, stop=40, is_running=True, was_restored=False)]
        """
        found = []
        for extent in extents:
            end = self.ends.get(extent.session_id, extent.stop) if extent.session_id <= self.newest else 0
            if end >= extent.stop:
                found.append(extent)
            elif end > extent.first:
                found.append(replace(extent, stop=end, is_running=True))
        return found
