"""The one way to decode a cached session: block by block, from any message on."""

import itertools
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import Readings, SessionDecoder

if TYPE_CHECKING:
    from blitz.data.pyramid_format import Pyramid
    from blitz.data.session_overviews import OpenedSession, SessionOverviews

_BLOCKS_AT_ONCE = 4
_CELLS_AT_ONCE = 1 << 19
"""What is decoded together, at most: 4 MB of values, or one block."""


def decoded_blocks(
    cache: "SessionOverviews",
    session_id: int,
    *,
    version: int | None = None,
    first: int = 0,
    stop: int | None = None,
    only: Collection[int] | None = None,
) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    """Iterate over a downloaded session's messages and what they mean, in the memory of a few blocks.

    Readings have the times that they have when the session is decoded from its start, wherever ``first`` is: with an
    overview, decoding begins at the block of ``first``; without one, at the session's start.

    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :param first: seq of the first message that is wanted.
    :param stop: seq behind the last message that is wanted; None for all.
    :param only: the sources that are wanted, by index; None for all.
    :raises SessionNotFound: at once, if the session is not downloaded, or has no such version.
    :raises BlockError: while iterating, at a block that is damaged.
    :raises CacheError: while iterating, if the copy was replaced or deleted meanwhile.
    """
    opened = cache.open_session(session_id, version)
    pyramid = cache.overviews.find(opened.key) if first else None
    return decode_part(cache, opened, pyramid, first, stop, only)


def decode_part(
    cache: "SessionOverviews",
    opened: "OpenedSession",
    pyramid: "Pyramid | None",
    first: int,
    stop: int | None,
    only: Collection[int] | None,
    *,
    is_ahead: bool = True,
) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    """Do what :func:`decoded_blocks` does where the session and its overview have been looked up already.

    :param is_ahead: as for :meth:`~blitz.data.copy_reading.CopyReading.session_blocks`.
    """
    decoder = SessionDecoder(source for source in opened.sources if only is None or source.index in only)
    begin = 0
    if pyramid is not None and first >= GRID_MESSAGES:
        begin, clocks = cache.overviews.clocks_before(pyramid, first)
        decoder.restore_clocks(clocks)
    # The rest of the last message's read tells its time, too; a read never goes on beyond its block.
    end = None if stop is None else -(-stop // GRID_MESSAGES) * GRID_MESSAGES
    blocks = cache.session_blocks(opened.key.session_id, begin, end, is_ahead=is_ahead)
    return _wanted(decoder, blocks if stop is None else _whole_reads(blocks, stop), first, stop)


def _whole_reads(blocks: Iterator[MessageBlock], stop: int) -> Iterator[MessageBlock]:
    """Leave out what comes behind the read that message ``stop - 1`` is of."""
    for block in blocks:
        latest_ns = block.arrived_ns[min(stop, block.next_seq) - 1 - block.first_seq]
        yield block.between(0, block.first_seq + int(block.arrived_ns.searchsorted(latest_ns, "right")))


def _wanted(
    decoder: SessionDecoder, blocks: Iterator[MessageBlock], first: int, stop: int | None
) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    for block, decoded in _decoded(decoder, blocks):
        part = block.between(first, block.next_seq if stop is None else stop)
        if len(part):
            trimmed = (_between(readings, part.first_seq, part.next_seq) for readings in decoded)
            yield part, [readings for readings in trimmed if len(readings)]


def _decoded(decoder: SessionDecoder, blocks: Iterator[MessageBlock]) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    """Decode a few blocks at a time, one step after the other: code that has just run is in the processor's cache."""
    widest = max((len(source.definition.channels) for source in decoder.sources if source.definition), default=0)
    most = max(1, min(_BLOCKS_AT_ONCE, _CELLS_AT_ONCE // (GRID_MESSAGES * (widest + 1))))
    while together := list(itertools.islice(blocks, most)):
        untimed = [decoder.read(block) for block in together]
        yield from zip(together, [[decoder.follow(each) for each in one] for one in untimed], strict=True)


def _between(readings: Readings, first: int, stop: int) -> Readings:
    start, end = readings.seq.searchsorted([first, stop]).tolist()
    if end - start == len(readings):
        return readings
    return Readings(
        readings.session_id,
        readings.source,
        readings.seq[start:end],
        readings.time_ns[start:end],
        readings.values[start:end],
        readings.uncertainty_ns[start:end],
    )
