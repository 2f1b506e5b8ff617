"""One session as a server lists it. Pure."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from blitz.data.records import SessionRecord


class ListedSession(NamedTuple):
    """A count of None, from a short list, leaves the known one."""

    ref_id: int
    started_ms: int
    stopped_ms: int | None
    message_count: int | None
    record: SessionRecord | None = None

    @classmethod
    def from_entry(cls, entry: Sequence[int | None]) -> "ListedSession":
        """Read ``[id, start, end or None, count]``; count may be left out."""
        ref_id, started_ms, stopped_ms, count = itertools.islice(itertools.chain(entry, itertools.repeat(None)), 4)
        if ref_id is None or started_ms is None:
            raise ValueError(f"{entry!r} is no session: [id, start, end or None, count] is wanted, in milliseconds.")
        return cls(
            int(ref_id),
            int(started_ms),
            None if stopped_ms is None else int(stopped_ms),
            None if count is None else int(count),
        )

    @classmethod
    def from_record(cls, record: SessionRecord) -> "ListedSession":
        """Take over what a record says."""
        return cls(record.id, record.started_ms, record.stopped_ms, record.message_count, record)
