"""Several sessions laid upon each other: who they are, and at which moments. Knows no widget.

What is drawn comes from each session's :class:`~blitz.ui.history.History`; what is computed, from every reading in the
cache, part by part, in a thread of the pool.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from blitz.data.aligning import usual_gap_ns
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.data.series import Series
from blitz.data.session_moments import AtMarker, AtStart, AtTrigger, Moment, crossing_ns, marker_ns
from blitz.errors import DownloadCancelled, SeriesError
from blitz.ui.analysis import NotWantedError, Stretch
from blitz.ui.history import History, load_history
from blitz.ui.history_computed import compute_channels
from blitz.ui.live_store import LiveChannel
from blitz.ui.models.sessions import session_title

MOST_SESSIONS = 8
"""There are so many colours."""
PART_MESSAGES = 1 << 17
"""About so many are looked at together."""
Progress = Callable[[int, int], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Member:
    """One of the sessions.

    :param zero_ns: the moment that is laid upon the others', nanoseconds since the Unix epoch; None where it has none.
    :param problem: why it has none.
    """

    history: History
    zero_ns: int | None
    problem: str = ""

    @property
    def session_id(self) -> int:
        """The session's id."""
        return self.history.record.id

    @property
    def title(self) -> str:
        """The session as people know it."""
        return session_title(self.history.record)

    def channels(self, label: str) -> list[LiveChannel]:
        """Return the channels under a label: several where a definition was changed in mid-session."""
        return [channel for channel in self.history.channels if channel.label == label]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Sessions in the order in which they began, and where they are laid upon each other."""

    members: tuple[Member, ...]
    moment: Moment = field(default_factory=AtStart)
    place: str = ""
    """The cache that they were read from: its path or URL."""
    remarks: tuple[str, ...] = ()
    """What is to be known of computed channels, and of those that could not be computed."""

    @property
    def session_ids(self) -> tuple[int, ...]:
        """The sessions' ids."""
        return tuple(member.session_id for member in self.members)

    @property
    def labels(self) -> tuple[str, ...]:
        """The channels of all sessions, those first that the most of them have."""
        found: dict[str, int] = {}
        for member in self.members:
            for label in dict.fromkeys(channel.label for channel in member.history.channels):
                found[label] = found.get(label, 0) + 1
        return tuple(sorted(found, key=lambda label: -found[label]))

    def unit(self, label: str) -> str:
        """Return a channel's unit, as the first session that has it says."""
        channels = (channel for member in self.members for channel in member.channels(label))
        return next((channel.channel.unit for channel in channels), "")

    def close(self) -> None:
        """Let go of what the sessions are read from."""
        for member in self.members:
            member.history.close()


def is_comparable(record: SessionRecord) -> bool:
    """Whether a session has an end, and something in it."""
    return not record.is_running and record.message_count > 0


def can_compare(records: Sequence[SessionRecord]) -> bool:
    """Whether the sessions that are selected can be laid upon each other; a single one is, upon the one before."""
    return 1 <= len(records) <= MOST_SESSIONS and all(is_comparable(record) for record in records)


def load_comparison(
    place: Path | str,
    session_ids: Sequence[int],
    progress: Progress,
    is_cancelled: IsCancelled,
    computed: Iterable[ComputedChannel] = (),
) -> Comparison:
    """Read sessions that are whole in the cache, aligned at their start, oldest first.

    :param computed: channels that are computed of each that has what they are made of.

    :param progress: called with messages read and messages in all.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    histories: list[History] = []
    remarks: list[str] = []
    wanted = tuple(computed)
    try:
        for number, session_id in enumerate(session_ids):
            histories.append(load_history(place, session_id, _share(progress, number, len(session_ids)), is_cancelled))
            if wanted:
                histories[-1], told = with_computed(histories[-1], wanted, is_cancelled)
                remarks += (f"{session_title(histories[-1].record)}: {remark}" for remark in told)
    except BaseException:
        for history in histories:
            history.close()
        raise
    histories.sort(key=lambda history: history.record.started_at)
    members = tuple(Member(history, started_ns(history)) for history in histories)
    return Comparison(members, AtStart(), str(place), tuple(remarks))


def with_computed(
    history: History, wanted: Iterable[ComputedChannel], is_cancelled: IsCancelled
) -> tuple[History, tuple[str, ...]]:
    """Return a session with its computed channels among its own, and what is to be known of them."""
    if history.time_limits is None:
        return history, ()
    try:
        found = compute_channels(history, wanted, Stretch(history, *history.time_limits, is_cancelled))
    except NotWantedError as error:
        raise DownloadCancelled("Opening the sessions was cancelled.") from error
    history.show_computed(found.series)
    return replace(history, channels=(*history.channels, *found.channels)), found.remarks


def align(comparison: Comparison, moment: Moment, is_cancelled: IsCancelled) -> Comparison:
    """Return a comparison aligned at another moment.

    A session without that moment keeps its place in the list, and says why it is not drawn.

    :raises SeriesError: if no session has it.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    members = []
    with DatabaseClient(path=comparison.place) as cache:
        for member in comparison.members:
            try:
                members.append(replace(member, zero_ns=_zero_ns(cache, member, moment, is_cancelled), problem=""))
            except SeriesError as error:
                members.append(replace(member, zero_ns=None, problem=str(error)))
    if all(member.zero_ns is None for member in members):
        raise SeriesError(f"None of the sessions can be aligned there. {members[0].title}: {members[0].problem}")
    return replace(comparison, members=tuple(members), moment=moment)


def started_ns(history: History) -> int:
    """Return when a session began, nanoseconds since the Unix epoch."""
    return round(history.record.started_at.timestamp() * 1_000_000) * 1000


def _zero_ns(cache: DatabaseClient, member: Member, moment: Moment, is_cancelled: IsCancelled) -> int:
    if isinstance(moment, AtMarker):
        return marker_ns(member.history.record.markers, moment.text)
    if isinstance(moment, AtTrigger):
        if not member.channels(moment.label):
            raise SeriesError(f"There is no channel “{moment.label}” in it.")
        gap_ns = usual_channel_gap_ns(cache, member.history, moment.label)
        parts = channel_parts(cache, member.history, moment.label, is_cancelled)
        found = crossing_ns(parts, moment.level, moment.edge, gap_ns)
        if found is None:
            way = "rises to" if moment.edge == "rising" else "falls to"
            raise SeriesError(f"{moment.label} never {way} {moment.level:g}.")
        return found
    return started_ns(member.history)


def usual_channel_gap_ns(cache: DatabaseClient, history: History, label: str) -> int:
    """Return the longest gap of a channel that is bridged: five of its usual steps, as its beginning has them."""
    computed = _computed(history, label)
    if computed is not None:
        return usual_gap_ns(computed)
    count = PART_MESSAGES
    while True:
        found = usual_gap_ns(_read(cache, history, label, count=count))
        if found or count >= history.record.message_count:
            return found
        count *= 8


def channel_parts(
    cache: DatabaseClient, history: History, label: str, is_cancelled: IsCancelled = lambda: False
) -> Iterator[Series]:
    """Iterate over a channel's readings, a part after the other.

    :raises DownloadCancelled: while iterating, if ``is_cancelled`` said so.
    """
    for begin_ns, end_ns in itertools.pairwise(part_edges(history, history.record.message_count)):
        if is_cancelled():
            raise DownloadCancelled("The search was cancelled.")
        yield read_between(cache, history, label, begin_ns, end_ns)


def read_between(cache: DatabaseClient, history: History, label: str, begin_ns: int, end_ns: int) -> Series:
    """Return a channel's readings from a time on up to another, itself not included."""
    computed = _computed(history, label)
    if computed is not None:
        begin, end = np.searchsorted(computed.time_ns, [begin_ns, end_ns]).tolist()
        return replace(computed, time_ns=computed.time_ns[begin:end], values=computed.values[begin:end])
    start, stop = (np.datetime64(max(edge, 0), "ns") for edge in (begin_ns, end_ns))
    found = cache.series(history.record.id, label, start, stop, version=history.version)
    return found[label]


def part_edges(history: History, messages: int) -> list[int]:
    """Return where parts of a session begin and end that hold about :data:`PART_MESSAGES` each."""
    if history.time_limits is None:
        return []
    first, last = (round(limit * 1e9) for limit in history.time_limits)
    # Seconds since 1970 as a float are exact to a quarter of a microsecond.
    first, last = max(first - 1000, 0), last + 1000
    parts = max(1, -(-messages // PART_MESSAGES))
    return [first + (last - first) * place // parts for place in range(parts + 1)]


def _read(cache: DatabaseClient, history: History, label: str, count: int) -> Series:
    return cache.series(history.record.id, label, first=0, count=count, version=history.version)[label]


def _computed(history: History, label: str) -> Series | None:
    rows = (channel.source.index for channel in history.channels if channel.label == label)
    return next((history.computed[row] for row in rows if row in history.computed), None)


def _share(progress: Progress, number: int, count: int) -> Progress:
    """Report the progress of one of several sessions as that of all."""
    return lambda done, total: progress(number * total + done, count * total)
