"""The ledger of one link: what became of every byte that was read.

Pure counting, in the link's thread. What each part counts is counted where it happens, not derived from the rest, so
that something that goes missing between two parts shows: the account does not balance then.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from blitz.data.records import Account
from blitz.io.framing import Framing

ANSWERS = "answers"
"""Lines that are no messages but answers: to requests, to commands."""
NOT_WANTED = "before anybody wanted it"
"""Messages that came while the device was delivered to nobody."""


class Tally(NamedTuple):
    """What a ledger held at one moment, between two reads."""

    bytes_read: int = 0
    message_bytes: int = 0
    bad_bytes: int = 0
    discarded: Mapping[str, int] = {}
    pending_bytes: int = 0
    bad_frames: int = 0
    messages_read: int = 0
    messages_dropped: int = 0
    recovered: int = 0
    overruns: int | None = None


class Ledger:
    """Counts of one link since it was made, over all its connections.

    :param framing: cuts the link's bytes, and counts what it drops.
    """

    def __init__(self, framing: Framing) -> None:
        self.bytes_read = 0
        self.message_bytes = 0
        self.messages_read = 0
        self.messages_dropped = 0
        self.recovered = 0
        self.overruns: int | None = None
        self._framing = framing
        self._discarded: dict[str, int] = {}

    def discard(self, frames: Sequence[bytes], reason: str) -> None:
        """Count frames that are no messages."""
        self._discarded[reason] = self._discarded.get(reason, 0) + sum(map(len, frames))

    def deliver(self, messages: Sequence[bytes], *, is_dropped: bool, is_recovered: bool) -> None:
        """Count messages that were handed on, or could not be."""
        # Of all ways to add up the lengths of many short messages, joining them is the fastest.
        self.message_bytes += len(b"".join(messages))
        self.messages_read += len(messages)
        if is_dropped:
            self.messages_dropped += len(messages)
        if is_recovered:
            self.recovered += len(messages)

    def tally(self, held: Sequence[bytes]) -> Tally:
        """Return what there is now.

        :param held: frames that were cut and have not found their place yet.
        """
        framing = self._framing
        discarded = dict(framing.discarded)
        for reason, count in self._discarded.items():
            discarded[reason] = discarded.get(reason, 0) + count
        # In the order of the fields: naming them would take half as long again, and this is done behind each read.
        return Tally(
            self.bytes_read,
            self.message_bytes,
            framing.bad_bytes,
            discarded,
            framing.pending_bytes + sum(map(len, held)) if held else framing.pending_bytes,
            framing.bad_count,
            self.messages_read,
            self.messages_dropped,
            self.recovered,
            self.overruns,
        )


def account_between(begin: Tally, end: Tally, source: int, name: str) -> Account:
    """Return the account of what happened between two moments; what the store took is for others to add."""
    discarded = {
        reason: count - begin.discarded.get(reason, 0)
        for reason, count in end.discarded.items()
        if count != begin.discarded.get(reason, 0)
    }
    return Account(
        source=source,
        name=name,
        bytes_read=end.bytes_read - begin.bytes_read,
        carried_in=begin.pending_bytes,
        message_bytes=end.message_bytes - begin.message_bytes,
        bad_bytes=end.bad_bytes - begin.bad_bytes,
        discarded=discarded,
        pending_bytes=end.pending_bytes,
        bad_frames=end.bad_frames - begin.bad_frames,
        messages_read=end.messages_read - begin.messages_read,
        messages_dropped=end.messages_dropped - begin.messages_dropped,
        recovered=end.recovered - begin.recovered,
        overruns=None if end.overruns is None else end.overruns - (begin.overruns or 0),
    )


_COUNTS = (
    *("bytes_read", "carried_in", "message_bytes", "bad_bytes", "pending_bytes", "bad_frames", "messages_read"),
    *("messages_appended", "messages_spooled", "messages_previewed", "messages_served", "messages_dropped"),
    *("messages_waiting", "lost", "recovered", "duplicates", "gaps", "restarts", "unexamined"),
)


def join_accounts(accounts: Sequence[Account]) -> Account:
    """Return the one account of a device over several stretches, or rows, of one session.

    >>> before, after = Account(source=0, messages_read=3, lost=1), Account(source=2, messages_read=4)
    >>> whole = join_accounts([before, after])
    >>> whole.source, whole.messages_read, whole.lost
    (2, 7, 1)
    """
    last = accounts[-1]
    discarded: Counter[str] = Counter()
    for account in accounts:
        discarded.update(account.discarded)
    overruns = [account.overruns for account in accounts if account.overruns is not None]
    lossy = [account for account in accounts if account.lost] or [last]
    return last.model_copy(
        update={
            **{name: sum(getattr(account, name) for account in accounts) for name in _COUNTS},
            "discarded": dict(discarded),
            "overruns": sum(overruns) if overruns else None,
            "is_lost_exact": all(account.is_lost_exact for account in lossy),
        }
    )
