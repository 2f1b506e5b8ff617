"""Putting messages that were safe elsewhere into a session's list, at the places that they have already.

While the store was away viewers were shown messages under sequence numbers that follow from what it had taken before.
What other programs have queued since it is back comes behind them; what it took in spite of a lost reply is known by
its batch's number.
"""

from collections.abc import Sequence
from typing import Any

import redis

from blitz.data.blocks import Read
from blitz.data.spool_records import Batch
from blitz.data.store_faults import translated
from blitz.data.store_keys import ARRIVAL, QUEUE_SOURCE, StoreKeys
from blitz.data.store_reader import not_found

_VALUES_A_COMMAND = 2000


def place(client: "redis.Redis", keys: StoreKeys, batches: Sequence[Batch]) -> int:
    """Put batches of one writer and session into its list, running or not, in one transaction; each once.

    :returns: how many messages the store had, and has lost: everything comes so many places earlier; else 0.
    :raises SessionNotFound: if the session was deleted.
    :raises StoreUnavailable: if Redis does not answer; the same batches may be placed again.
    """
    session_id, writer = batches[0].session_id, batches[0].writer
    messages, meta, start = keys.messages(session_id), keys.meta(session_id), keys.start(session_id)
    pipe: Any
    with translated(), client.pipeline(transaction=True) as pipe:
        while True:
            pipe.watch(messages, start)
            if not pipe.exists(start):
                raise not_found(session_id)
            landed = int((pipe.hget(meta, f"batch:{writer}") or b"0").partition(b":")[0])
            left = _after(batches, landed)
            if not left:
                return 0
            first = int(pipe.get(keys.first(session_id)) or 0)
            end = first + int(pipe.llen(messages))
            # Not below the border to the archive: that is moved only past what programs queued behind a session's end.
            at = max(min(left[0].first_seq, end), first)
            behind = pipe.lrange(messages, at - first, -1) if at < end else []
            entries = _last_arrivals(pipe, keys.arrivals(session_id), at, len(behind))
            pipe.multi()
            if behind:
                pipe.ltrim(messages, 0, at - first - 1) if at > first else pipe.delete(messages)
                pipe.ltrim(keys.arrivals(session_id), 0, -sum(entry[0] >= at for entry in entries) - 1)
                if entries and entries[0][0] < at:
                    begin, arrived_ns, source, _ = entries[0]
                    pipe.lset(keys.arrivals(session_id), -1, ARRIVAL.pack(begin, arrived_ns, source, at - begin))
            last_at, next_seq = _push(pipe, keys, session_id, at, left)
            if behind:
                latest_ns = max((read.arrived_ns for batch in left for read in batch.reads), default=0)
                _push_reads(pipe, keys, session_id, next_seq, _moved(behind, at, entries, latest_ns))
            pipe.hset(meta, f"batch:{writer}", f"{left[-1].number}:{last_at}")
            try:
                pipe.execute()
            except redis.WatchError:
                continue
            return left[0].first_seq - at


def _after(batches: Sequence[Batch], landed: int) -> list[Batch]:
    """Leave out what is in the store, and what stands in the spool twice after a write that failed."""
    left: list[Batch] = []
    for batch in batches:
        if batch.number > landed:
            left.append(batch)
            landed = batch.number
    return left


def _last_arrivals(pipe: Any, key: str, seq: int, most: int) -> list[tuple[int, int, int, int]]:
    """Return the entries of messages from a place on: (seq, ns, source, count); the first may begin before it."""
    if not most:
        return []
    entries = [ARRIVAL.unpack(entry) for entry in pipe.lrange(key, -most, -1)]
    return [entry for entry in entries if entry[0] + entry[3] > seq]


def _push(pipe: Any, keys: StoreKeys, session_id: int, at: int, batches: Sequence[Batch]) -> tuple[int, int]:
    """Push the batches' messages; return where the last batch begins, and where it ends."""
    last_at = at
    for batch in batches:
        last_at = at
        at = _push_reads(pipe, keys, session_id, at, batch.reads)
    return last_at, at


def _push_reads(pipe: Any, keys: StoreKeys, session_id: int, at: int, reads: Sequence[Read]) -> int:
    values: list[bytes] = []
    arrivals: list[bytes] = []
    for arrived_ns, source, lines in reads:
        arrivals.append(ARRIVAL.pack(at + len(values), arrived_ns, source, len(lines)))
        values.extend(lines)
    for key, entries in ((keys.messages(session_id), values), (keys.arrivals(session_id), arrivals)):
        for begin in range(0, len(entries), _VALUES_A_COMMAND):
            pipe.rpush(key, *entries[begin : begin + _VALUES_A_COMMAND])
    return at + len(values)


def _moved(
    behind: Sequence[bytes], first_seq: int, entries: Sequence[tuple[int, int, int, int]], latest_ns: int
) -> list[Read]:
    """Return what other programs queued meanwhile, to go on behind: all of it, its arrivals not below ours.

    >>> _moved([b"a", b"b", b"c"], 10, [(9, 70, 3, 2)], 50)
    [Read(arrived_ns=70, source=3, messages=[b'a']), Read(arrived_ns=70, source=65535, messages=[b'b', b'c'])]
    """
    reads: list[Read] = []
    seq, stop = first_seq, first_seq + len(behind)

    def add(until: int, source: int) -> None:
        nonlocal seq
        if until > seq:
            reads.append(Read(latest_ns, source, behind[seq - first_seq : until - first_seq]))
            seq = until

    for begin, arrived_ns, source, count in entries:
        add(min(begin, stop), QUEUE_SOURCE)  # what somebody pushed without saying when
        latest_ns = max(latest_ns, arrived_ns)
        add(min(begin + count, stop), source)
    add(stop, QUEUE_SOURCE)
    return reads
