"""What every message format has in common: rows of messages in, numbers out.

Pure. A layout is made once a definition and asked block by block. What the numbers mean, in units, is the business of
:mod:`blitz.data.calibration`; plug-ins implement :class:`Layout` too.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock

# Arrow looks for types to infer, dateutil's among them, at each call with plain bytes.
_NO_BYTES, _LINE_FEED = pa.scalar(b"", pa.binary()), pa.scalar(b"\n", pa.binary())


class Rows:
    """The messages of one source in one block, in order.

    :param data: uint8, all messages' bytes end to end.
    :param offsets: int64, shape (n + 1,): message i is ``data[offsets[i]:offsets[i + 1]]``.
    :param raw: the same as an Arrow binary array.
    """

    def __init__(self, data: NDArray[np.uint8], offsets: NDArray[np.int64], raw: Any) -> None:
        self.data = data
        self.offsets = offsets
        self._raw = raw

    @classmethod
    def of_block(cls, block: MessageBlock, places: NDArray[np.int64]) -> "Rows":
        """Take a block's messages at those places, which rise."""
        if len(places) == len(block):
            return cls(*block.bytes_and_offsets(), block.raw)
        return cls._of_array(block.raw.take(pa.array(places)))

    @classmethod
    def of_messages(cls, messages: Sequence[bytes]) -> "Rows":
        """Make rows of messages; for tests.

        >>> Rows.of_messages([b"1,2", b"", b"33"]).lengths.tolist()
        [3, 0, 2]
        """
        return cls._of_array(pa.array(messages, pa.binary()))

    @classmethod
    def _of_array(cls, raw: Any) -> "Rows":
        nothing = np.zeros(len(raw), np.int64)
        return cls(*MessageBlock(0, 0, nothing, nothing.astype(np.uint16), raw).bytes_and_offsets(), raw)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """How many bytes each message has, int64, shape (n,)."""
        return np.diff(self.offsets)

    @cached_property
    def even_length(self) -> int | None:
        """The length that all messages share; None where they differ, or where there are none."""
        if not len(self) or not (self.lengths == self.lengths[0]).all():
            return None
        return int(self.lengths[0])

    def messages(self) -> list[bytes]:
        """Return the messages as Python bytes."""
        messages: list[bytes] = self._raw.to_pylist()
        return messages

    def message(self, place: int) -> bytes:
        """Return one message."""
        return self.data[self.offsets[place] : self.offsets[place + 1]].tobytes()

    def take(self, places: NDArray[np.int64]) -> "Rows":
        """Return the messages at those places."""
        return self if len(places) == len(self) else self._of_array(self._raw.take(pa.array(places)))

    def matrix(self, length: int, places: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Return the first ``length`` bytes of messages, none of which may be shorter.

        :param places: of which messages; all when absent.
        :returns: uint8, shape (n, length).
        """
        if self.even_length is not None and (places is None or len(places) == len(self)):
            return self.data.reshape(len(self), -1)[:, :length]
        starts = self.offsets[:-1] if places is None else self.offsets[places]
        gathered: NDArray[np.uint8] = self.data[starts[:, np.newaxis] + np.arange(length)]
        return gathered

    def lines(self) -> NDArray[np.uint8]:
        """Return all messages with a line feed behind each, uint8."""
        if not len(self):
            return np.empty(0, np.uint8)
        joined = pc.binary_join_element_wise(self._raw, _NO_BYTES, _LINE_FEED)
        _, offset_buffer, data = joined.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)
        text: NDArray[np.uint8] = np.frombuffer(data, np.uint8)[
            offsets[joined.offset] : offsets[joined.offset + len(self)]
        ]
        return text


class Decoded(NamedTuple):
    """The numbers that stand in messages.

    :param numbers: float64, shape (n, n_channels), NaN where there is none: a row of NaN is a message that cannot be
        decoded. Calibration makes readings of them.
    :param clock: shape (n,), the device's time in the unit of the definition's clock (milliseconds on Blitz boards),
        NaN or negative where a message has none; None where no message has.
    """

    numbers: NDArray[np.float64]
    clock: NDArray[np.float64] | NDArray[np.int64] | None = None


class Layout(Protocol):
    """How the messages of one definition are decoded.

    It keeps nothing from one call to the next: blocks are decoded in any order, again, and in several threads.
    """

    def decode(self, rows: Rows) -> Decoded:
        """Decode messages, whatever was sent; nothing is raised."""
        ...
