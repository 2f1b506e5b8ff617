"""Going on with a session that was running when the server ended: what is known of it, and what was missed. Pure.

Whatever the earlier server knew and had not written down is gone with it; nothing here is guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blitz.data.records import Account, SessionRecord, Source

RESTARTED = "the server was restarted"
MILLISECOND_NS = 1_000_000
EXAMINED_AGAIN = 4096
"""So many messages before the end are looked at once more, so that what the numbers skip over it is counted."""


@dataclass(frozen=True)
class Resumption:
    """A session to go on with.

    :param last_ns: when its last message came, or its start.
    :param arrivals: when a message of each source row came last, as far as that is known.
    """

    record: SessionRecord
    last_ns: int
    arrivals: Mapping[int, int]

    @classmethod
    def of(cls, record: SessionRecord, arrivals: Mapping[int, int]) -> "Resumption":
        """Gather what is known.

        :param record: complete, its count including what the spool holds.
        """
        started_ns = record.started_ms * MILLISECOND_NS
        return cls(record, max([*arrivals.values(), started_ns]), arrivals)

    @property
    def examined_from(self) -> int:
        """The sequence number from which messages are examined for losses."""
        return max(self.record.message_count - EXAMINED_AGAIN, 0)

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


def _closed(account: Account) -> Account:
    """What was under way when the account was written is settled: nothing of it is known."""
    settled = account.messages_appended + account.messages_previewed + account.messages_dropped
    discarded = dict(account.discarded)
    if account.pending_bytes:
        discarded[RESTARTED] = discarded.get(RESTARTED, 0) + account.pending_bytes
    return account.model_copy(
        update={"messages_read": settled, "messages_waiting": 0, "discarded": discarded, "pending_bytes": 0}
    )
