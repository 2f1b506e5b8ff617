"""Frames as viewers get them: made once for all who stand at the same place, kept within a bound, few at one time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import numpy as np

from blitz.data.blocks import MessageBlock

FRAME_BYTES = 1 << 20
"""What the messages of one frame have at most, so that a viewer that does not read holds no more than that."""
_CACHED_BYTES = 16 << 20

Place = tuple[int, int, int, bool]
"""Session, first seq, where it should end, and whether as NDJSON."""
Frame = tuple[bytes | str, int]
"""A block as it goes over the wire, and where it ends."""


class Frames:
    """The frames of late. Belongs to the event loop."""

    def __init__(self, make: Callable[[Place], Awaitable[Frame]]) -> None:
        self._make = make
        self._kept: OrderedDict[Place, Frame] = OrderedDict()
        self._kept_bytes = 0
        self._under_way: dict[Place, asyncio.Future[Frame]] = {}

    async def get(self, place: Place) -> Frame:
        """Return the frame for a place; who asks for one that is being made waits for that one."""
        kept = self._kept.get(place)
        if kept is not None:
            return kept
        under_way = self._under_way.get(place)
        if under_way is None:
            under_way = self._under_way[place] = asyncio.ensure_future(self._make(place))
            under_way.add_done_callback(lambda made: self._keep(place, made))
        return await asyncio.shield(under_way)  # others may wait for it when this viewer leaves

    def clear(self) -> None:
        """Forget all, those that are being made as well: what they hold may not be true any more."""
        self._kept.clear()
        self._kept_bytes = 0
        self._under_way.clear()

    def _keep(self, place: Place, made: "asyncio.Future[Frame]") -> None:
        is_wanted = self._under_way.get(place) is made
        if is_wanted:
            del self._under_way[place]
        if not is_wanted or made.cancelled() or made.exception() is not None:
            return
        self._kept[place] = made.result()
        self._kept_bytes += len(made.result()[0])
        while self._kept_bytes > _CACHED_BYTES:
            _, (frame, _) = self._kept.popitem(last=False)
            self._kept_bytes -= len(frame)


def within(block: MessageBlock, limit_bytes: int) -> MessageBlock:
    """Return as many messages from the beginning of a block as fit, one at least.

    >>> from blitz.data.blocks import Read
    >>> [len(within(MessageBlock.from_reads(1, 0, [Read(0, 0, [b"12"] * 3)]), limit)) for limit in (1, 4, 5, 6)]
    [1, 2, 2, 3]
    """
    _, offsets = block.bytes_and_offsets()
    if offsets[-1] <= limit_bytes:
        return block
    fitting = int(np.searchsorted(offsets, limit_bytes, side="right")) - 1
    return block.between(block.first_seq, block.first_seq + max(fitting, 1))
