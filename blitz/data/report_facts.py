"""What a template is given: a session's facts as a report tells them.

Texts are ready to be shown; numbers that stand in tables come with their exact value. Nothing here can do anything: a
template, which a laboratory may have got from anywhere, reaches only what a report may tell.
"""

from dataclasses import dataclass, field

from markupsafe import Markup

from blitz.data.records import SessionRecord


@dataclass(frozen=True)
class Cell:
    """A number of a table.

    :param words: as people read it.
    :param exact: as programs read it: the shortest text of exactly this number, or a time in ISO 8601 and UTC; empty
        where there is none.
    """

    words: str
    exact: str = ""


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics of one channel.

    :param values: by the names of the fields of :class:`~blitz.data.range_statistics.RangeStatistics`, such as
        ``values["mean"]``.
    """

    label: str
    unit: str
    values: dict[str, Cell]


@dataclass(frozen=True)
class StatisticsTable:
    """Some of the statistics, as a table has room for.

    :param columns: name in ``values`` and heading.
    """

    title: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Key:
    """Which curve of a plot is which channel."""

    label: str
    color: str


@dataclass(frozen=True)
class Plot:
    """A drawing and its legend.

    :param svg: the drawing, to be put into the page as it is.
    """

    title: str
    svg: Markup = field(repr=False)
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class ChannelFacts:
    """One channel of a board's definition.

    :param conversion: how its value is made of the number n that the device sends.
    :param calibrated: when, by whom, against what; empty where nothing is known of that.
    """

    name: str
    label: str
    unit: str
    conversion: str
    valid: str
    limits: str
    calibrated: str


@dataclass(frozen=True)
class BoardFacts:
    """One row of the source table."""

    name: str
    link: str
    board_id: str
    definition: str
    format: str
    facts: tuple[tuple[str, str], ...]
    channels: tuple[ChannelFacts, ...]


@dataclass(frozen=True)
class ComputedFacts:
    """A channel that is computed from others.

    :param steps: what is done with the formula's result, one after another; empty for nothing.
    :param longest_gap: between readings of other devices that is bridged; empty where there are none.
    """

    label: str
    unit: str
    formula: str
    steps: str
    longest_gap: str


@dataclass(frozen=True)
class Entry:
    """A line of a list by time.

    :param number: of a marker, as in the plots.
    :param at: the moment, or the beginning of a span.
    :param since: how long after the session's start that was.
    :param lasted: how long, of a span; else empty.
    :param kind: of an entry of the time line.
    """

    at: str
    since: str
    text: str
    source: str = ""
    who: str = ""
    lasted: str = ""
    number: str = ""
    kind: str = ""
    sent: str = ""
    answer: str = ""


@dataclass(frozen=True)
class List:
    """The entries of a kind, no more than a page has room for.

    :param total: how many there are in the time that the report is about.
    """

    entries: tuple[Entry, ...]
    total: int

    @property
    def left_out(self) -> int:
        """How many are not in ``entries``."""
        return self.total - len(self.entries)


@dataclass(frozen=True)
class AccountRow:
    """What became of what a device sent, in messages and in bytes, and in a sentence whether that balances."""

    name: str
    messages: tuple[Cell, ...]
    bytes: tuple[Cell, ...]
    discarded: str
    balance: str
    is_balanced: bool


@dataclass(frozen=True)
class VersionFacts:
    """One version of the definitions by which the session can be read."""

    number: int
    at: str
    who: str
    reason: str
    sources: str
    is_used: bool


@dataclass(frozen=True)
class Report:
    """All that a template is given, as ``report``.

    :param session: the record as the cache has it.
    :param facts: name and value of what is told first.
    :param lacks: what the report cannot tell of, a sentence each; empty where it is whole.
    :param loss_words: gaps and losses in a paragraph.
    """

    title: str
    session: SessionRecord
    facts: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str], ...]
    lacks: tuple[str, ...]
    plots: tuple[Plot, ...]
    plot_words: str
    statistics: tuple[ChannelStatistics, ...]
    statistics_tables: tuple[StatisticsTable, ...]
    boards: tuple[BoardFacts, ...]
    computed: tuple[ComputedFacts, ...]
    versions: tuple[VersionFacts, ...]
    markers: List
    commands: List
    events: List
    changes: List
    gaps: List
    loss_words: str
    message_columns: tuple[str, ...]
    byte_columns: tuple[str, ...]
    accounts: tuple[AccountRow, ...]
    origin: tuple[tuple[str, str], ...]
    made_words: str
