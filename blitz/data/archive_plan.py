"""What goes to the archive next, and when: pure rules over how long the sessions are and how full the memory is."""

from collections.abc import Iterable
from dataclasses import dataclass

from blitz.data.blocks import GRID_MESSAGES


@dataclass(frozen=True)
class Extent:
    """What the store itself holds of a session: first <= seq < stop.

    :param is_running: more messages may come.
    :param was_restored: somebody wanted it in memory again; it goes last.
    """

    session_id: int
    first: int
    stop: int
    is_running: bool = False
    was_restored: bool = False


@dataclass(frozen=True)
class Limits:
    """How segments are cut.

    :param grid_messages: blocks lie on this grid; a running session is cut nowhere else.
    :param keep_messages: the newest messages of a running session, which stay in memory.
    :param segment_blocks: blocks a segment at most.
    :param least_blocks: a running session is not cut into smaller segments than that, unless memory is tight.
    :param segment_bytes: a segment ends with the block that reaches so many bytes of messages.
    """

    grid_messages: int = GRID_MESSAGES
    keep_messages: int = 8 * GRID_MESSAGES
    segment_blocks: int = 64
    least_blocks: int = 8
    segment_bytes: int = 64 << 20


@dataclass(frozen=True)
class Piece:
    """Messages of one session that become a segment: first <= seq < stop."""

    session_id: int
    first: int
    stop: int


def next_piece(extents: Iterable[Extent], limits: Limits, *, is_tight: bool = False) -> Piece | None:
    """Choose what moves next: closed sessions, the oldest first and restored ones last, then the running one.

    :param is_tight: of a running session only one block is kept.

    >>> small = Limits(grid_messages=10, keep_messages=20, segment_blocks=3, least_blocks=2)
    >>> next_piece([Extent(3, 0, 75, is_running=True), Extent(2, 0, 4), Extent(1, 30, 64)], small)
    Piece(session_id=1, first=30, stop=60)
    >>> next_piece([Extent(3, 20, 75, is_running=True)], small)
    Piece(session_id=3, first=20, stop=50)
    >>> next_piece([Extent(3, 40, 75, is_running=True)], small)
    >>> next_piece([Extent(3, 40, 75, is_running=True)], small, is_tight=True)
    Piece(session_id=3, first=40, stop=60)
    """
    ordered = sorted(extents, key=lambda extent: (extent.is_running, extent.was_restored, extent.session_id))
    grid = limits.grid_messages
    for extent in ordered:
        end, least = movable_end(extent, limits, is_tight=is_tight), 1
        if extent.is_running:
            least = 1 if is_tight else limits.least_blocks * grid
        if end - extent.first >= least:
            longest = (extent.first // grid + limits.segment_blocks) * grid
            return Piece(extent.session_id, extent.first, min(end, longest))
    return None


def movable_end(extent: Extent, limits: Limits, *, is_tight: bool = False) -> int:
    """Return how far a session may move: all of a closed one.

    >>> movable_end(Extent(3, 0, 75, is_running=True), Limits(grid_messages=10, keep_messages=20))
    50
    """
    if not extent.is_running:
        return extent.stop
    keep = min(limits.keep_messages, limits.grid_messages) if is_tight else limits.keep_messages
    return (extent.stop - keep) // limits.grid_messages * limits.grid_messages


@dataclass(frozen=True)
class Pressure:
    """When memory is full enough to move messages, as parts of the budget.

    While Redis writes its append-only file anew it may take as much again, so that moving begins below a half. It goes
    on to well below that: fewer and larger segments.
    """

    begin: float = 0.40
    end: float = 0.20
    tight: float = 0.60

    def is_due(self, used_bytes: int, budget_bytes: int, *, was_due: bool) -> bool:
        """Say whether messages should move.

        >>> [Pressure().is_due(used, 100, was_due=True) for used in (10, 30, 50)]
        [False, True, True]
        >>> [Pressure().is_due(used, 100, was_due=False) for used in (10, 30, 50)]
        [False, False, True]
        """
        return budget_bytes > 0 and used_bytes > budget_bytes * (self.end if was_due else self.begin)

    def is_tight(self, used_bytes: int, budget_bytes: int) -> bool:
        """Say whether even the newest messages of the running session should move."""
        return budget_bytes > 0 and used_bytes > budget_bytes * self.tight
