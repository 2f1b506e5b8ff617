"""What a report lists by time: markers, commands, what happened, what was edited, gaps; and the account. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from blitz.data.records import Account, Gap, Marker, SessionChange, SessionRecord, TimelineEntry, TimelineKind
from blitz.data.report_facts import AccountRow, Cell, Entry, List
from blitz.data.report_plot import Flag
from blitz.data.report_words import MISSING, count_words, duration_words, edit_words, many, moment_words, since_words
from blitz.data.series_request import nanoseconds

MOST_LISTED = 500
"""Entries of a list, so that a report can be printed whatever happened."""
MESSAGE_COLUMNS = ("Read", "Stored", "Dropped", "Waiting", "Lost", "Recovered", "Twice", "Gaps", "Restarts")
BYTE_COLUMNS = (
    "Read",
    "Carried in",
    "In messages",
    "In bad frames",
    "Discarded",
    "Unfinished",
    "Bad frames",
    "Overruns",
)
_KINDS = {
    TimelineKind.CLOCK_STEP: "clock",
    TimelineKind.DEFINITION: "definition",
    TimelineKind.LINK: "link",
    TimelineKind.SERVER: "server",
}


@dataclass(frozen=True)
class Teller:
    """Writes moments of one session.

    :param start_ns: what the report is about begins here, and ends at ``stop_ns``.
    :param origin_ns: the session's start.
    """

    start_ns: int
    stop_ns: int
    origin_ns: int
    zone: tzinfo | None

    def at(self, time_ns: int) -> str:
        """Write a moment."""
        return moment_words(time_ns, self.zone)

    def since(self, time_ns: int) -> str:
        """Write how long after the session's start it was."""
        return since_words(time_ns - self.origin_ns)

    def is_within(self, from_ns: int, to_ns: int | None = None) -> bool:
        """Whether any of a span lies in what the report is about."""
        return from_ns <= self.stop_ns and (from_ns if to_ns is None else to_ns) >= self.start_ns


def wanted_markers(record: SessionRecord, teller: Teller) -> list[tuple[str, Marker]]:
    """Return the markers, each with the number that it has in plots and list, the same in a report of a part."""
    there = sorted((each for each in record.markers if not each.is_deleted), key=lambda each: each.from_ns)
    numbered = [(str(number), each) for number, each in enumerate(there, 1)]
    return [(number, each) for number, each in numbered if teller.is_within(each.from_ns, each.to_ns)]


def marker_flags(markers: Iterable[tuple[str, Marker]]) -> list[Flag]:
    """Return markers as plots have them."""
    return [Flag(each.from_ns, each.to_ns, number) for number, each in markers]


def marker_list(markers: Sequence[tuple[str, Marker]], teller: Teller) -> List:
    """Return the markers by time."""
    entries = [
        Entry(
            at=teller.at(each.from_ns),
            since=teller.since(each.from_ns),
            lasted="" if each.to_ns is None else duration_words((each.to_ns - each.from_ns) / 1e9),
            text=each.text,
            source=each.source or "",
            who=each.who,
            number=number,
        )
        for number, each in markers[:MOST_LISTED]
    ]
    return List(tuple(entries), len(markers))


def command_list(timeline: Iterable[TimelineEntry], teller: Teller) -> List:
    """Return what was sent to devices."""
    return _happened([each for each in timeline if each.kind is TimelineKind.COMMAND], teller)


def event_list(timeline: Iterable[TimelineEntry], teller: Teller) -> List:
    """Return what happened besides commands."""
    return _happened([each for each in timeline if each.kind is not TimelineKind.COMMAND], teller)


def _happened(entries: list[TimelineEntry], teller: Teller) -> List:
    inside = sorted((each for each in entries if teller.is_within(each.time_ns)), key=lambda each: each.time_ns)
    listed = [
        Entry(
            at=teller.at(each.time_ns),
            since=teller.since(each.time_ns),
            text=each.text,
            source=each.source or "",
            who=each.who,
            kind=_KINDS.get(each.kind, each.kind.value),
            sent=each.sent or "",
            answer=each.answer or (f"no answer: {each.error}" if each.error else ""),
        )
        for each in inside[:MOST_LISTED]
    ]
    return List(tuple(listed), len(inside))


def change_list(changes: Sequence[SessionChange], teller: Teller) -> List:
    """Return what was edited of the session's words, whenever that was."""
    entries = []
    for each in changes[:MOST_LISTED]:
        time_ns = nanoseconds("changed_at", each.changed_at)
        text = edit_words(each.name, each.before, each.after)
        entries.append(Entry(teller.at(time_ns), teller.since(time_ns), text, who=each.who))
    return List(tuple(entries), len(changes))


def wanted_gaps(record: SessionRecord, teller: Teller, indices: Iterable[int] | None = None) -> list[Gap]:
    """Return the gaps by time, of sources that are named by their indices, or of all."""
    wanted = None if indices is None else set(indices)
    inside = (each for each in record.gaps if wanted is None or each.source in wanted)
    return sorted(
        (each for each in inside if teller.is_within(each.from_ns, each.to_ns)), key=lambda each: each.from_ns
    )


def gap_list(gaps: Sequence[Gap], record: SessionRecord, teller: Teller) -> List:
    """Return the gaps as a list."""
    names = {source.index: source.name for source in record.sources}
    entries = [
        Entry(
            at=teller.at(each.from_ns),
            since=teller.since(each.from_ns),
            lasted=duration_words((each.to_ns - each.from_ns) / 1e9),
            text=each.reason,
            source=names.get(each.source, str(each.source)),
            kind=lost_words(each),
        )
        for each in gaps[:MOST_LISTED]
    ]
    return List(tuple(entries), len(gaps))


def lost_words(gap: Gap) -> str:
    """Say how much is missing in a gap.

    >>> lost_words(Gap(source=0, seq=5, from_ns=0, to_ns=9, reason="", lost=12, recovered=3))
    'about 12, 3 recovered'
    """
    if gap.lost is None:
        words = "not known"
    else:
        words = f"{'' if gap.is_exact or not gap.lost else 'about '}{count_words(gap.lost)}"
    return f"{words}, {count_words(gap.recovered)} recovered" if gap.recovered else words


def loss_words(gaps: Sequence[Gap], accounts: Sequence[Account]) -> str:
    """Say in a paragraph what is known to be missing.

    :param gaps: of the whole session, as the accounts are.

    >>> loss_words([], [])
    'No gap is known.'
    >>> loss_words([Gap(source=0, seq=5, from_ns=0, to_ns=1_500_000_000, reason="", lost=12, is_exact=True)], [])
    'Messages are missing in 1 gap, 1.500 s in all. 12 messages were lost, as the devices number them.'
    """
    sentences = ["No gap is known."]
    if gaps:
        lengths = [(each.to_ns - each.from_ns) / 1e9 for each in gaps]
        longest = f"; the longest is {duration_words(max(lengths))}" if len(gaps) > 1 else ""
        sentences = [
            f"Messages are missing in {many(len(gaps), 'gap')}, {duration_words(sum(lengths))} in all{longest}."
        ]
    parts: Sequence[tuple[int, bool]] = [(each.lost, each.is_lost_exact) for each in accounts]
    if not accounts:
        parts = [(each.lost, each.is_exact) for each in gaps if each.lost is not None]
    for is_exact, how in ((True, "as the devices number them"), (False, "as their clocks or usual rates tell")):
        lost = sum(count for count, exact in parts if exact is is_exact)
        if lost:
            about = "" if is_exact else "About "
            were = "was" if lost == 1 else "were"
            sentences.append(f"{about}{many(lost, 'message')} {were} lost, {how}.")
    unknown = sum(each.lost is None for each in gaps)
    if unknown:
        sentences.append(f"How much is missing in {many(unknown, 'of the gaps', 'of the gaps')} nobody can tell.")
    elif accounts and not any(count for count, _ in parts):
        sentences.append("No message is known to be lost.")
    if recovered := sum(each.recovered for each in accounts):
        sentences.append(f"{many(recovered, 'message')} of such times came later: the boards still held them.")
    if dropped := sum(each.messages_dropped for each in accounts):
        sentences.append(
            f"{many(dropped, 'message')} came and could not be stored, for the store was away for too long."
        )
    if bad := sum(each.bad_frames for each in accounts):
        sentences.append(f"{many(bad, 'frame')} meant nothing, and were kept to be looked at.")
    return " ".join(sentences)


def account_rows(accounts: Iterable[Account]) -> list[AccountRow]:
    """Return what became of what each device sent."""
    return [
        AccountRow(
            name=each.name or str(each.source),
            messages=(
                _count(each.messages_read),
                _count(each.messages_appended),
                _count(each.messages_dropped),
                _count(each.messages_waiting),
                _count(each.lost, "" if each.is_lost_exact or not each.lost else "≈ "),
                _count(each.recovered),
                _count(each.duplicates),
                _count(each.gaps),
                _count(each.restarts),
            ),
            bytes=(
                _count(each.bytes_read),
                _count(each.carried_in),
                _count(each.message_bytes),
                _count(each.bad_bytes),
                _count(sum(each.discarded.values())),
                _count(each.pending_bytes),
                _count(each.bad_frames),
                Cell(MISSING) if each.overruns is None else _count(each.overruns),
            ),
            discarded=", ".join(
                f"{many(count, 'byte')} {why}" for why, count in sorted(each.discarded.items()) if count
            ),
            balance=_balance(each),
            is_balanced=each.is_balanced,
        )
        for each in accounts
    ]


def _count(count: int, about: str = "") -> Cell:
    return Cell(f"{about}{count_words(count)}", str(count))


def _balance(account: Account) -> str:
    if account.is_balanced:
        return "The account balances: every byte and every message is accounted for."
    surplus = [
        f"{many(abs(count), what)} {'unaccounted for' if count > 0 else 'too many accounted for'}"
        for count, what in ((account.surplus_bytes, "byte"), (account.surplus_messages, "message"))
        if count
    ]
    return f"The account does not balance: {', '.join(surplus)}."
