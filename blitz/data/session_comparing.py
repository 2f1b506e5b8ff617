"""Whether two copies of a session agree, message by message. Pure."""

from collections.abc import Iterable, Iterator

import numpy as np

from blitz.data.blocks import MessageBlock


def first_difference(kept: Iterable[MessageBlock], given: Iterable[MessageBlock]) -> int | None:
    """Return a message from which on two copies of a session differ; None where they agree as far as both go.

    Both are in order of seq, however they are cut; what one of them leaves out is not compared. Ids of sessions and
    stores do not matter, since a copy may have been given another.

    :returns: the first seq of a run in which they differ.
    """
    coming: Iterator[MessageBlock] = iter(given)
    other = next(coming, None)
    for block in kept:
        while other is not None and other.first_seq < block.next_seq:
            first, stop = max(block.first_seq, other.first_seq), min(block.next_seq, other.next_seq)
            if first < stop and not _is_same(block.between(first, stop), other.between(first, stop)):
                return first
            if other.next_seq > block.next_seq:
                break
            other = next(coming, None)
    return None


def _is_same(one: MessageBlock, other: MessageBlock) -> bool:
    return (
        np.array_equal(one.arrived_ns, other.arrived_ns)
        and np.array_equal(one.source, other.source)
        and bool(one.raw.equals(other.raw))
    )
