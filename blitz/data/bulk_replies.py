"""A Redis reply of many byte strings as one Arrow array, without a Python object for each. Pure.

A reply looks like ``*2\\r\\n$3\\r\\nabc\\r\\n$1\\r\\nd\\r\\n``. Where its elements begin is guessed from what looks
like the beginning of one, and then proved by the lengths; where the proof fails, since a message has such bytes in it,
hiredis reads the reply.
"""

import functools
import sys
from typing import Any

import hiredis
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_CR, _LF, _DOLLAR = 13, 10, 36
_LONGEST_NUMBER = 10
_LONGEST_QUICK = 999
"""Bytes of a message: with more digits its head is no number of 64 bits. So long ones need not be read quickly."""
_LONGEST_SPAN = len(b"\r\n$999\r\n") + _LONGEST_QUICK
_LONGEST_BYTES = 1 << 31
"""What the offsets of an Arrow binary array can tell apart."""


def parse_array(reply: "bytes | bytearray | memoryview") -> Any:
    """Return the elements of a whole reply as an Arrow binary array.

    :raises hiredis.ReplyError: if the reply is an error.
    :raises ValueError: if it is no array of byte strings.

    >>> parse_array(b"*2\\r\\n$3\\r\\nabc\\r\\n$1\\r\\nd\\r\\n").to_pylist()
    [b'abc', b'd']
    """
    view = np.frombuffer(reply, np.uint8)
    is_array = 0 < len(view) < _LONGEST_BYTES and view[0] == ord("*")
    parsed = _parse_quickly(view, reply) if is_array else None
    return _parse_exactly(reply) if parsed is None else parsed


def _parse_quickly(view: NDArray[np.uint8], reply: "bytes | bytearray | memoryview") -> Any:
    head = bytes(view[: _LONGEST_NUMBER + 3]).partition(b"\r\n")[0]
    count = int(head[1:])
    begin = len(head)  # where the line end stands, as it does before each element
    if count == 0:
        return pa.array([], pa.binary())
    uniform = _parse_uniform(view, begin + 2, count)
    return _parse_varied(view, begin, count, reply) if uniform is None else uniform


def _parse_uniform(view: NDArray[np.uint8], begin: int, count: int) -> Any:
    """Read elements that all have the same length: then they stand in a table."""
    stride, rest = divmod(len(view) - begin, count)
    head = bytes(view[begin : begin + _LONGEST_NUMBER + 3]).partition(b"\r\n")[0] + b"\r\n"
    length = int(head[1:-2]) if head[1:-2].isdigit() else -1
    if rest or stride != len(head) + length + 2:
        return None
    rows = view[begin:].reshape(count, stride)
    if not _begin_with(rows, head):
        return None
    # Arrow's memory, unlike numpy's, is used again and again: no page is asked of the system for each reply.
    content, offsets = pa.allocate_buffer(count * length), pa.allocate_buffer(4 * (count + 1))
    if length:
        element = f"V{length}"
        found = np.ndarray((count,), element, view.data, offset=begin + len(head), strides=(stride,))
        np.copyto(np.frombuffer(content, element), found)
    np.multiply(_counting(count + 1), np.int32(length), out=np.frombuffer(offsets, np.int32))
    return pa.Array.from_buffers(pa.binary(), count, [None, offsets, content])


@functools.lru_cache(4)
def _counting(count: int) -> NDArray[np.int32]:
    return np.arange(count, dtype=np.int32)


def _begin_with(rows: NDArray[np.uint8], head: bytes) -> bool:
    """Say whether all rows begin with the same bytes, at most eight; where rows are that long, as one number each."""
    count, stride = rows.shape
    if stride < 8 or len(head) > 8:
        return bool((rows[:, : len(head)] == np.frombuffer(head, np.uint8)).all())
    begins = np.ndarray((count,), np.uint64, rows.data, strides=(stride,))
    mask = int.from_bytes(b"\xff" * len(head) + bytes(8 - len(head)), sys.byteorder)
    number = int.from_bytes(head + bytes(8 - len(head)), sys.byteorder)
    return bool(((begins & np.uint64(mask)) == np.uint64(number)).all())


def _parse_varied(view: NDArray[np.uint8], begin: int, count: int, reply: "bytes | bytearray | memoryview") -> Any:
    marks = np.flatnonzero(view[begin + 2 :] == _DOLLAR) + begin
    if len(marks) != count:  # messages have this character, too
        marks = marks[(view[marks + 1] == _LF) & (view[marks] == _CR)]
    if len(marks) != count:
        return None
    spans = np.diff(marks, append=len(view) - 2)
    if spans.min() < 0 or spans.max() > _LONGEST_SPAN:
        return None
    heads, masks, sizes = _heads_by_span()
    words = np.ndarray((len(view) - 7,), "<u8", view.data, strides=(1,))
    if not np.array_equal(words[marks] & masks[spans], heads[spans]):
        return None
    # Heads and elements by turns, over the reply's own bytes; the elements are then taken out in one go.
    offsets = np.empty(2 * count + 1, np.int32)
    offsets[0], offsets[1::2], offsets[2::2] = 0, marks + sizes[spans], marks + spans
    every = pa.Array.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(offsets), pa.py_buffer(reply)])
    return every.take(_odd_places(count))


@functools.lru_cache(1)
def _heads_by_span() -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """Return what stands between an element and the one before it, by how many bytes both have together.

    :returns: the eight bytes that begin there; which of them count; and how many these are.
    """
    heads = np.ones(_LONGEST_SPAN + 1, np.uint64)  # none, where no length fits: no masked word is equal
    masks = np.zeros(_LONGEST_SPAN + 1, np.uint64)
    sizes = np.zeros(_LONGEST_SPAN + 1, np.int64)
    for length in range(_LONGEST_QUICK + 1):
        head = b"\r\n$%d\r\n" % length
        span = len(head) + length
        heads[span], sizes[span] = int.from_bytes(head, "little"), len(head)
        masks[span] = int.from_bytes(b"\xff" * len(head), "little")
    return heads, masks, sizes


@functools.lru_cache(4)
def _odd_places(count: int) -> Any:
    return pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.arange(1, 2 * count, 2, dtype=np.int64))])


def _parse_exactly(reply: "bytes | bytearray | memoryview") -> Any:
    reader = hiredis.Reader()
    reader.feed(bytes(reply))
    elements = reader.gets()
    if isinstance(elements, Exception):
        raise elements
    if not isinstance(elements, list):
        raise ValueError(f"This is no list of messages: {elements!r}")
    return pa.array(elements, pa.binary())
