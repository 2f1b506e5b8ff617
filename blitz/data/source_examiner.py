"""What the messages of one source show of themselves: what is missing, how its clock runs, how its reads are bunched.

Pure, streaming: blocks in, gaps out. Decodes no values: only the device's clock and the number that counts messages.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from blitz.data.arrival_timer import ArrivalBunching, short_timer_command
from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import clock_of, layout_of, ticks_of
from blitz.data.hole import Hole
from blitz.data.layout import Rows
from blitz.data.losses import LossFinder, Restart
from blitz.data.records import Account, Gap, Source
from blitz.data.source_config import stream_of

_REASONS = {
    "numbers": "numbers are missing",
    "clock": "the device's clock skips",
    "arrival": "nothing arrived",
    "restart": "the device began anew",
}
_SLACK_NS = 2_000_000_000
"""Times of a link's gap are arrivals, those of a hole the device's: as far apart as a poll or a stalled reader."""
_RECENT_GAPS = 64
"""Among so many a hole is looked for."""
_MOST_NS = 1 << 62
_MOST_COUNTED = 1 << 53
"""Beyond it, numbers that differ by one are the same."""
_DOUBT_PPM = 50.0
"""A drift that is less certain is not told."""
_TAIL = 64
"""So many messages back a hole may be found: in the clock, one learns of it four messages later."""

GAPS_KEPT = 2000
"""What is found missing of a source after so many gaps is added to the last of them: a session's record is bounded."""
AGAIN_AND_AGAIN = "messages are missing again and again"

_WIDTHS = {"u8": 8, "i8": 8, "u16": 16, "i16": 16, "u24": 24, "i24": 24, "u32": 32, "i32": 32, "u64": 64, "i64": 64}


class GapList:
    """The gaps of one source: those that its link reported, and those that its messages show."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._gaps: dict[int, Gap] = {}
        self._recent: deque[int] = deque(maxlen=_RECENT_GAPS)
        self._guessed: set[int] = set()
        """Gaps whose loss is estimated from the usual rate, until something better is known."""
        self._anew: set[int] = set()
        """Gaps in which the device's numbers began anew: nothing better will be known."""

    def add(self, gap: Gap) -> None:
        """Take a gap that is stored; what was found of the same one meanwhile stays."""
        known = self._gaps.get(gap.from_ns)
        if known is not None and known.lost is not None:
            gap = gap.model_copy(update={"lost": known.lost, "is_exact": known.is_exact})
        self._keep(gap)

    def all(self) -> list[Gap]:
        """Return them by time."""
        return [self._gaps[from_ns] for from_ns in sorted(self._gaps)]

    def explain(self, hole: Hole, before_seq: int) -> Gap:
        """Return the gap that a hole belongs to, with what is missing in it; a new one if no link knows of it.

        :param before_seq: the source's last message before the hole.
        """
        # Messages of one read arrived at one time: what is missing between them is one gap.
        known = self._find(hole, before_seq) or self._gaps.get(hole.from_ns)
        if known is not None:
            is_anew = known.from_ns in self._anew or hole.by == "restart"
            before = 0 if known.from_ns in self._guessed and not is_anew else known.lost or 0
            self._guessed.discard(known.from_ns)
            is_exact = hole.by == "numbers" and not is_anew
            explained = known.model_copy(update={"lost": before + hole.lost, "is_exact": is_exact})
        elif len(self._gaps) >= GAPS_KEPT:
            last = self._gaps[self._recent[-1]]
            lost = (last.lost or 0) + hole.lost
            update = {"to_ns": hole.to_ns, "lost": lost, "reason": AGAIN_AND_AGAIN}
            explained = last.model_copy(update={**update, "is_exact": last.is_exact and hole.by == "numbers"})
        else:
            explained = Gap(
                source=self._source,
                seq=hole.seq,
                from_ns=hole.from_ns,
                to_ns=hole.to_ns,
                reason=_REASONS[hole.by],
                lost=hole.lost,
                is_exact=hole.by == "numbers",
            )
        self._keep(explained)
        return explained

    def begin_anew(self, restart: Restart, before_seq: int) -> Gap | None:
        """Return the gap in which the numbers began anew: its loss can only be guessed. None if no link knows of it."""
        gap = next((gap for gap in self._recent_gaps() if before_seq < gap.seq <= restart.seq), None)
        if gap is not None:
            self._anew.add(gap.from_ns)
            gap = gap.model_copy(update={"is_exact": False})
            self._keep(gap)
        return gap

    @property
    def are_exact(self) -> bool:
        """Whether no loss of a gap is an estimate, or will be one."""
        return all(gap.is_exact for gap in self._gaps.values() if gap.lost or gap.from_ns in self._anew)

    def guess(self, lost_in: Callable[[Gap], int | None], before_ns: int, *, only_anew: bool = False) -> list[Gap]:
        """Estimate what is missing in gaps that ended before then and are not explained; return them.

        :param only_anew: only where numbers began anew: of the others they tell.
        """
        guessed = []
        for gap in self._recent_gaps():
            from_ns = gap.from_ns
            if gap.lost is None and gap.to_ns < before_ns and (from_ns in self._anew or not only_anew):
                lost = lost_in(gap)
                if lost is not None:
                    gap = gap.model_copy(update={"lost": lost})
                    self._guessed.add(from_ns)
                    self._keep(gap)
                    guessed.append(gap)
        return guessed

    def unexplained(self) -> list[Gap]:
        """Return those of the latest in which nobody knows yet what is missing."""
        return [gap for gap in self._recent_gaps() if gap.lost is None]

    def settle(self, after_seq: int, last_seq: int) -> list[Gap]:
        """Nothing is missing where the numbers go on; return the gaps of which that is known now.

        :param after_seq: the first message whose number counts; before it they tell nothing.
        :param last_seq: the last one.
        """
        open_gaps = [
            gap
            for gap in self.all()
            if gap.lost is None and gap.from_ns not in self._anew and after_seq < gap.seq <= last_seq
        ]
        whole = [gap.model_copy(update={"lost": 0, "is_exact": True}) for gap in open_gaps]
        for gap in whole:
            self._keep(gap)
        return whole

    def _keep(self, gap: Gap) -> None:
        if gap.from_ns not in self._gaps:
            self._recent.append(gap.from_ns)
        self._gaps[gap.from_ns] = gap

    def _recent_gaps(self) -> list[Gap]:
        return [self._gaps[from_ns] for from_ns in self._recent]

    def _find(self, hole: Hole, before_seq: int) -> Gap | None:
        recent = self._recent_gaps()
        there = [gap for gap in recent if before_seq < gap.seq <= hole.seq]
        # Of messages that had to be dropped a link knows when the first one behind them was taken, so the gap is late.
        late = [
            gap
            for gap in recent
            if gap.seq > hole.seq and gap.from_ns <= hole.to_ns + _SLACK_NS and hole.from_ns <= gap.to_ns
        ]
        return next(iter(there or late), None)


class SourceExaminer:
    """Examines the messages of one source of a session, block by block in order.

    :param source: its row of the source table.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.gaps = GapList(source.index)
        self.unexamined = 0
        self.has_failed = False
        """Whether a fault of ours ended the examination: nothing is exact then."""
        self._is_stream = stream_of(source.link) is not None
        self._definition = source.definition and _without_values(source.definition)
        self._layout = layout_of(self._definition) if self._definition else None
        self._clock = clock_of(self._definition) if self._definition else None
        self._counts_at, self._modulo = _counter(source.definition)
        self._finder = LossFinder(self._clock.tick_ns if self._clock else 1_000_000)
        self._bunching = ArrivalBunching()
        self._has_warned = False
        self._counted_behind: int | None = None
        """Numbers tell what is missing behind this message; before the first one there are none."""
        self._recent_seq = np.full(1, -1, np.int64)
        self._last = (-1, -1)
        """Number and device's time of the last message that was examined."""
        self._steps: dict[int, int] = {}
        """How much time the device's clock says lies in a gap, by the gap's beginning."""

    def examine(self, block: MessageBlock) -> list[Gap]:
        """Return the gaps that the next messages show, and those of which more is known now.

        Of a stream none are: its points come when a script has one, and all that it has are here.
        """
        if self._is_stream:
            return []
        places = np.flatnonzero(block.source == self.source.index)
        arrived_ns = block.arrived_ns if len(places) == len(block) else block.arrived_ns[places]
        seq = block.first_seq + places
        self._bunching.add(arrived_ns)
        time_ns, device_ns, numbers, is_restart = arrived_ns, None, None, None
        if self._layout is not None and self._definition is not None and self._clock is not None:
            decoded, clock = self._layout.decode(Rows.of_block(block, places))
            if clock is not None:
                ticks = ticks_of(self._definition, clock)
                is_time = (ticks >= 0) & (ticks <= _MOST_NS // self._clock.tick_ns)
                device_ns = np.where(is_time, ticks, -1) * self._clock.tick_ns
                time_ns = self._clock.times_ns(ticks, arrived_ns)
                if self._clock.restarted_at:
                    is_restart = np.zeros(len(ticks), np.bool_)
                    is_restart[self._clock.restarted_at] = True
            if self._counts_at is not None:
                column = decoded[:, self._counts_at]
                is_count = (column >= 0) & (column < _MOST_COUNTED)  # no comparison is true of NaN
                numbers = np.where(is_count, column, -1.0).astype(np.int64)
        self._measure_gaps(seq, device_ns, is_restart)
        found = self._finder.examine(seq, time_ns, arrived_ns, numbers, self._modulo, is_restart, device_ns)
        recent = np.concatenate((self._recent_seq, seq))
        if self._counted_behind is None and self._finder.are_counting:
            last = int(self._recent_seq[-1])
            self._counted_behind = int(seq[0]) if last < 0 else last
        self._recent_seq = recent[-_TAIL:]
        before = np.searchsorted(recent, [hole.seq for hole in found]) - 1
        told = [self.gaps.explain(hole, int(recent[max(at, 0)])) for hole, at in zip(found, before, strict=True)]
        are_counting = self._finder.are_counting
        if are_counting:
            for restart in self._finder.restarted:
                at = int(np.searchsorted(recent, restart.seq)) - 1
                told += self._begin_anew(restart, int(recent[max(at, 0)]))
        told += self.gaps.guess(self._lost_in, int(arrived_ns[-1]) - _SLACK_NS, only_anew=are_counting)
        return told

    def _begin_anew(self, restart: Restart, before_seq: int) -> list[Gap]:
        gap = self.gaps.begin_anew(restart, before_seq)
        if gap is not None:
            return [gap]
        # A reset that no link saw.
        lost = self._finder.estimate(restart.from_ns, restart.to_ns)
        if not lost or not self._finder.is_pause(restart.from_ns, restart.to_ns):
            return []
        return [self.gaps.explain(Hole(*restart, lost, "restart"), before_seq)]

    def close(self) -> list[Gap]:
        """The session is over: tell what is missing in the gaps of which nothing was known so far."""
        settled = []
        if self._finder.are_counting and self._counted_behind is not None:
            settled = self.gaps.settle(self._counted_behind, int(self._recent_seq[-1]))
        return settled + self.gaps.guess(self._lost_in, _MOST_NS)

    def _measure_gaps(
        self, seq: NDArray[np.int64], device_ns: NDArray[np.int64] | None, is_restart: NDArray[np.bool_] | None
    ) -> None:
        """Measure by the device's own clock how much time lies between the messages before and behind a gap."""
        if device_ns is None or not len(seq):
            return
        seqs, times_ns = np.append(self._last[0], seq), np.append(self._last[1], device_ns)
        for gap in self.gaps.unexplained():
            at = int(np.searchsorted(seqs, gap.seq))
            if 0 < at < len(seqs) and (is_restart is None or not is_restart[at - 1]):
                before_ns, behind_ns = int(times_ns[at - 1]), int(times_ns[at])
                if 0 <= before_ns <= behind_ns:
                    self._steps[gap.from_ns] = behind_ns - before_ns
        self._last = int(seq[-1]), int(device_ns[-1])

    def _lost_in(self, gap: Gap) -> int | None:
        """Estimate what is missing in a gap: by the device's clock if it ran on evenly, else by the usual rate."""
        step_ns, period_ns = self._steps.pop(gap.from_ns, None), self._finder.period_ns
        if step_ns is not None and period_ns and self._finder.is_regular:
            return max(round(step_ns / period_ns) - 1, 0)
        lost = self._finder.estimate(gap.from_ns, gap.to_ns)
        return None if lost is None else max(lost - gap.recovered, 0)

    def complete(self, account: Account) -> Account:
        """Add to the source's account what was found."""
        gaps, clock = self.gaps.all(), self._clock
        jitter_ns = clock.jitter_ns if clock else None
        drift_ppm, doubt_ppm = (clock.drift_ppm, clock.drift_uncertainty_ppm) if clock else (None, None)
        if doubt_ppm is None or doubt_ppm > _DOUBT_PPM:
            drift_ppm = None
        return account.model_copy(
            update={
                "lost": sum(gap.lost or 0 for gap in gaps),
                "is_lost_exact": self._finder.are_counting and self.gaps.are_exact and not self.has_failed,
                "duplicates": self._finder.duplicates,
                "gaps": len(gaps),
                "restarts": clock.restarts if clock else 0,
                "drift_ppm": drift_ppm and round(drift_ppm, 1),
                "jitter_ms": None if jitter_ns is None else round(jitter_ns / 1e6, 3),
                "unexamined": self.unexamined,
            }
        )

    def take_warnings(self) -> list[str]:
        """Return, once, what the operator should know of the way messages arrive."""
        if self._has_warned or not self._bunching.is_bunched:
            return []
        self._has_warned = True
        command = short_timer_command(self.source.link)
        remedy = f" With 1 ms their times are better: {command}" if command else ""
        return [
            f"Messages of {self.source.name} arrive in bunches of 16 ms: likely the latency timer of an FTDI chip."
            + remedy
        ]


def _without_values(definition: BoardDefinition) -> BoardDefinition:
    counters = tuple(channel for channel in definition.channels if channel.counts_messages)
    return definition.model_copy(update={"channels": counters})


def _counter(definition: BoardDefinition | None) -> tuple[int | None, int | None]:
    """Return the column of the first channel that counts messages, and where it begins at 0 again."""
    channels: tuple[Channel, ...] = definition.channels if definition else ()
    counter = next((channel for channel in channels if channel.counts_messages), None)
    if counter is None or definition is None:
        return None, None
    bits = counter.bits if definition.format is Format.BLITZ else None
    if definition.format is Format.STRUCT:
        bits = _WIDTHS.get(counter.type or "")
    # One of more bits has not wrapped yet.
    return 0, None if bits is None or 1 << bits > _MOST_COUNTED else 1 << bits
