"""A Redis reply of many byte strings as one Arrow array, without a Python object for each. Pure.

A reply looks like ``*2\\r\\n$3\\r\\nabc\\r\\n$1\\r\\nd\\r\\n``. Where its elements begin is guessed from what looks
like the beginning of one, and then proved by the lengths; where the proof fails, since a message has such bytes in it,
hiredis reads the reply.
"""

import functools
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
    return parse_arrays(reply, [len(reply)])


def parse_arrays(replies: "bytes | bytearray | memoryview", ends: Sequence[int]) -> Any:
    """Return the elements of whole replies, which stand end to end, as one Arrow binary array.

    :param ends: where each of them ends.
    :raises hiredis.ReplyError: if one of them is an error.
    :raises ValueError: if one of them is no array of byte strings.

    >>> parse_arrays(b"*1\\r\\n$3\\r\\nabc\\r\\n*1\\r\\n$1\\r\\nd\\r\\n", [13, 24]).to_pylist()
    [b'abc', b'd']
    """
    view = np.frombuffer(replies, np.uint8)
    parts = _parts(view, ends) if 0 < len(view) < _LONGEST_BYTES else None
    if parts is not None:
        quickly = _parse_quickly(view, parts, replies)
        if quickly is not None:
            return quickly
    starts = [0, *ends[:-1]]
    exactly = [_parse_exactly(view[start:end].data) for start, end in zip(starts, ends, strict=True)]
    return exactly[0] if len(exactly) == 1 else pa.concat_arrays(exactly)


class _Part(NamedTuple):
    """A reply that has elements."""

    begin: int
    """Where the line end stands that is behind their number, as there is one before each element."""
    end: int
    size: int


def _parts(view: NDArray[np.uint8], ends: Sequence[int]) -> list[_Part] | None:
    """Return the replies that are not empty; None if one of them is something else."""
    parts, start = [], 0
    for end in ends:
        head = _line(view, start)
        if head[:1] != b"*" or not head[1:].isdigit():
            return None
        if int(head[1:]):
            parts.append(_Part(start + len(head), end, int(head[1:])))
        start = end
    return parts


def _line(view: NDArray[np.uint8], start: int) -> bytes:
    return bytes(view[start : start + _LONGEST_NUMBER + 3]).partition(b"\r\n")[0]


def _parse_quickly(view: NDArray[np.uint8], parts: Sequence[_Part], replies: "bytes | bytearray | memoryview") -> Any:
    if not parts:
        return pa.array([], pa.binary())
    uniform = _parse_uniform(view, parts)
    return _parse_varied(view, parts, replies) if uniform is None else uniform


def _parse_uniform(view: NDArray[np.uint8], parts: Sequence[_Part]) -> Any:
    """Read elements that all have the same length: then they stand in tables."""
    head = _line(view, parts[0].begin + 2) + b"\r\n"
    length = int(head[1:-2]) if head[1:-2].isdigit() else -1
    stride = len(head) + length + 2
    if any(part.end - part.begin - 2 != part.size * stride for part in parts):
        return None
    count = sum(part.size for part in parts)
    # Arrow's memory, unlike numpy's, is used again and again: no page is asked of the system for each reply.
    content, offsets = pa.allocate_buffer(count * length), pa.allocate_buffer(4 * (count + 1))
    target, done = np.frombuffer(content, f"V{length}") if length else None, 0
    for begin, shape, step in _tables(parts):
        if not _begin_with(view, begin, (*shape, stride), step, head):
            return None
        if target is not None:
            cells = math.prod(shape)
            found = np.ndarray(shape, target.dtype, view.data, begin + len(head), (step, stride))
            np.copyto(target[done : done + cells].reshape(shape), found)
            done += cells
    np.multiply(_counting(count + 1), np.int32(length), out=np.frombuffer(offsets, np.int32))
    return pa.Array.from_buffers(pa.binary(), count, [None, offsets, content])


def _tables(parts: Sequence[_Part]) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Yield replies of equal size that are at equal steps: where the first element begins, how many replies have how
    many elements, and the step in bytes.
    """
    group: list[_Part] = []
    step = 0
    for part in parts:
        next_step = part.begin - group[-1].begin if group else 0
        if group and (part.size != group[0].size or next_step != (step or next_step)):
            yield group[0].begin + 2, (len(group), group[0].size), step
            group, next_step = [], 0
        group.append(part)
        step = next_step
    if group:
        yield group[0].begin + 2, (len(group), group[0].size), step


@functools.lru_cache(4)
def _counting(count: int) -> NDArray[np.int32]:
    return np.arange(count, dtype=np.int32)


def _begin_with(view: NDArray[np.uint8], begin: int, shape: tuple[int, int, int], step: int, head: bytes) -> bool:
    """Say whether all rows begin with the same bytes, at most eight; where rows are that long, as one number each.

    :param shape: tables, rows in each, bytes in each.
    :param step: from table to table.
    """
    stride = shape[2]
    if stride < 8 or len(head) > 8:
        rows = np.ndarray(shape, np.uint8, view.data, begin, (step, stride, 1))
        return bool((rows[:, :, : len(head)] == np.frombuffer(head, np.uint8)).all())
    begins = np.ndarray(shape[:2], np.uint64, view.data, begin, (step, stride))
    mask = int.from_bytes(b"\xff" * len(head) + bytes(8 - len(head)), sys.byteorder)
    number = int.from_bytes(head + bytes(8 - len(head)), sys.byteorder)
    return bool(((begins & np.uint64(mask)) == np.uint64(number)).all())


def _parse_varied(view: NDArray[np.uint8], parts: Sequence[_Part], replies: "bytes | bytearray | memoryview") -> Any:
    counts = np.array([part.size for part in parts])
    firsts, count = np.cumsum(counts) - counts, int(counts.sum())
    begin = parts[0].begin
    marks = np.flatnonzero(view[begin + 2 :] == _DOLLAR) + begin
    if len(marks) != count:  # messages have this character, too
        marks = marks[(view[marks + 1] == _LF) & (view[marks] == _CR)]
    if len(marks) != count or marks[firsts].tolist() != [part.begin for part in parts]:
        return None
    spans = np.diff(marks, append=0)
    lasts = firsts + counts - 1
    spans[lasts] = [part.end - 2 for part in parts] - marks[lasts]
    if spans.min() < 0 or spans.max() > _LONGEST_SPAN:
        return None
    heads, masks, sizes = _heads_by_span()
    words = np.ndarray((len(view) - 7,), "<u8", view.data, strides=(1,))
    if ((words[marks] ^ heads.take(spans)) & masks.take(spans)).any():
        return None
    # Heads and elements by turns, over the replies' own bytes; the elements are then taken out in one go.
    offsets = np.empty(2 * count + 1, np.int32)
    offsets[0], offsets[1::2], offsets[2::2] = 0, marks + sizes.take(spans), marks + spans
    every = pa.Array.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(offsets), pa.py_buffer(replies)])
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
