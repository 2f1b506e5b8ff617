"""Blocks as they travel in a download: cut at the grid and compressed as they lie at rest, each behind its size.

Whoever receives them checks them and stores the same bytes; nothing is compressed or summed up twice. Pure.
"""

import struct
from collections.abc import Sequence

from blitz.data.blocks import MessageBlock
from blitz.errors import BlockError

PACKED_TYPE = "application/vnd.blitz.blocks"
"""The media type."""

_SIZE = struct.Struct("<I")


def pack_blocks(block: MessageBlock) -> bytes:
    """Return a run of messages as blocks of the grid, each behind its size (32 bits, little-endian)."""
    parts = []
    for part in block.on_grid():
        parts += [_SIZE.pack(len(part.at_rest)), part.at_rest]
    return b"".join(parts)


def unpack_blocks(packed: bytes) -> Sequence[MessageBlock]:
    """Return the blocks, whose checksums are verified; each keeps the bytes that it came as.

    :raises BlockError: if the bytes are damaged, cut short, or from a newer version.
    """
    blocks = []
    position = 0
    while position < len(packed):
        begin = position + _SIZE.size
        position = begin + (_SIZE.unpack_from(packed, position)[0] if begin <= len(packed) else _SIZE.size)
        if position > len(packed):
            raise BlockError("These are no whole blocks of messages: the bytes are cut short.")
        blocks.append(MessageBlock.decode(packed[begin:position], is_kept=True))
    return blocks
