"""The one way to decode a cached session: block by block, from any message on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from blitz.data.blocks import MessageBlock
from blitz.data.boards import Readings, SessionDecoder

if TYPE_CHECKING:
    from blitz.data.definition_versions import DefinitionVersions


def decoded_blocks(
    cache: "DefinitionVersions", session_id: int, *, version: int | None = None, first: int = 0, stop: int | None = None
) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    """Iterate over a downloaded session's messages and what they mean, in the memory of a few blocks.

    Readings have the times that they have when the session is decoded from its start, wherever ``first`` is.

    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :param first: seq of the first message that is wanted.
    :param stop: seq behind the last message that is wanted; None for all.
    :raises SessionNotFound: at once, if the session is not downloaded, or has no such version.
    :raises BlockError: while iterating, at a block that is damaged.
    :raises CacheError: while iterating, if the copy was replaced or deleted meanwhile.
    """
    decoder = SessionDecoder(cache.session_sources(session_id, version))
    return _wanted(decoder, cache.session_blocks(session_id, 0, stop), first)


def _wanted(
    decoder: SessionDecoder, blocks: Iterator[MessageBlock], first: int
) -> Iterator[tuple[MessageBlock, list[Readings]]]:
    for block in blocks:
        decoded = decoder.decode(block)
        if block.next_seq > first:
            trimmed = (_from(readings, first) for readings in decoded)
            yield block.between(first, block.next_seq), [readings for readings in trimmed if len(readings)]


def _from(readings: Readings, first: int) -> Readings:
    start = int(readings.seq.searchsorted(first))
    if not start:
        return readings
    return Readings(
        readings.session_id,
        readings.source,
        readings.seq[start:],
        readings.time_ns[start:],
        readings.values[start:],
        readings.uncertainty_ns[start:],
    )
