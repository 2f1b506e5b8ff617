"""Going on with a session that was running when the server ended: what is known of it, and what was missed. Pure.

Whatever the earlier server knew and had not written down is gone with it; nothing here is guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blitz.data.records import Account, Gap, SessionRecord, Source

RESTARTED = "the server was restarted"
MILLISECOND_NS = 1_000_000
EXAMINED_AGAIN = 4096
"""So many messages before the end are looked at once more, so that what the numbers skip over it is counted."""
EXAMINED_OF_EACH = 32
"""So many of each source at least: one that sends seldom has none among the last."""
EXAMINED_AT_MOST = 500_000


@dataclass(frozen=True)
class Resumption:
    """A session to go on with.

    :param last_ns: when its last message came, or its start.
    :param arrivals: when a message of each source row came last, as far as that is known.
    :param examined_from: the sequence number from which messages are examined for losses.
    :param seen_from: the first message of each source row that is examined, as far as that is known.
    """

    record: SessionRecord
    last_ns: int
    arrivals: Mapping[int, int]
    examined_from: int
    seen_from: Mapping[int, int]

    @classmethod
    def of(
        cls, record: SessionRecord, arrivals: Mapping[int, int], reads: Sequence[tuple[int, int, int, int]] = ()
    ) -> "Resumption":
        """Gather what is known.

        :param record: complete, its count including what the spool holds.
        :param reads: the last ones in the store, oldest first: first seq, time of arrival, source, and messages.
        """
        started_ns = record.started_ms * MILLISECOND_NS
        last_ns = max([*arrivals.values(), started_ns])
        begin = _examined_from(record, reads)
        seen_from = {source: max(seq, begin) for seq, _, source, count in reversed(reads) if seq + count > begin}
        return cls(record, last_ns, arrivals, begin, seen_from)

    def gaps(self) -> list[Gap]:
        """Return the gaps that are known; of those that are examined once more it is open what is missing in them."""
        return [
            gap.model_copy(update={"lost": None, "is_exact": False})
            if gap.seq > self.seen_from.get(gap.source, gap.seq)
            else gap
            for gap in self.record.gaps
        ]

    def missed(self) -> dict[str, tuple[int, Source]]:
        """Return since when messages of each source are missing, by its name, and its last row."""
        rows: dict[str, tuple[int, Source]] = {}
        for source in self.record.sources:
            since_ns = self.arrivals.get(source.index, self.last_ns)
            name = source.name.partition(" (board")[0]
            before = rows.get(name)
            rows[name] = (max(since_ns, before[0]) if before and source.index in self.arrivals else since_ns, source)
        return rows

    def accounts(self) -> list[Account]:
        """Return the accounts as they were written down last, brought to a close."""
        return [_closed(account) for account in self.record.accounts]


def unaccounted(accounts: Sequence[Account], message_count: int) -> int:
    """Return how many of a session's messages came behind the last account that an earlier server wrote down."""
    return max(message_count - sum(account.messages_appended for account in accounts), 0)


def _examined_from(record: SessionRecord, reads: Sequence[tuple[int, int, int, int]]) -> int:
    """Return how far back to look, so that enough of each source is seen before what is not known of it."""
    unknown: dict[int, int] = {}
    for gap in record.gaps:
        if gap.lost is None:
            unknown[gap.source] = min(gap.seq, unknown.get(gap.source, gap.seq))
    begin = min([record.message_count, *unknown.values()]) - EXAMINED_AGAIN
    seen: dict[int, int] = {}
    for first_seq, _, source, count in reversed(reads):
        if seen.get(source, 0) < EXAMINED_OF_EACH and first_seq < unknown.get(source, record.message_count):
            seen[source] = seen.get(source, 0) + count
            begin = min(begin, first_seq)
    return max(begin, record.message_count - EXAMINED_AT_MOST, 0)


def _closed(account: Account) -> Account:
    """What was under way when the account was written is settled: nothing of it is known."""
    settled = account.messages_appended + account.messages_previewed + account.messages_dropped
    discarded = dict(account.discarded)
    if account.pending_bytes:
        discarded[RESTARTED] = discarded.get(RESTARTED, 0) + account.pending_bytes
    return account.model_copy(
        update={"messages_read": settled, "messages_waiting": 0, "discarded": discarded, "pending_bytes": 0}
    )
