"""What the console keeps: the newest raw messages of all boards, bounded in number and bytes. Pure.

Messages stay in columns, as the blocks brought them; no object is made a message. A part is never changed, so that
who looks at a :class:`Snapshot` keeps what it saw, however much arrives meanwhile.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.records import Source

MOST_MESSAGES = 50_000
MOST_BYTES = 64 << 20
_PART_MESSAGES = 1024
"""Shorter parts are joined: a slow board would else leave a part a message."""
NO_SEQ = -1


class Kind(IntEnum):
    """Where a line comes from."""

    RECEIVED = 0
    SENT = 1
    ANSWER = 2


@dataclass(frozen=True, eq=False)
class Part:
    """Some consecutive lines: columns of one length.

    :param row: of the first line, counted over all lines that ever came.
    :param board: places in the ring's list of names.
    :param seq: :data:`NO_SEQ` where a line is no message.
    :param raw: Arrow binary array.
    """

    row: int
    arrived_ns: NDArray[np.int64]
    board: NDArray[np.uint16]
    seq: NDArray[np.int64]
    kind: NDArray[np.uint8]
    raw: Any = field(repr=False)

    def __len__(self) -> int:
        return len(self.arrived_ns)

    @cached_property
    def byte_count(self) -> int:
        """The bytes of the messages alone."""
        return int(self.raw.nbytes)

    def behind(self, count: int) -> "Part":
        """Return the part without its first lines."""
        return Part(
            self.row + count,
            self.arrived_ns[count:],
            self.board[count:],
            self.seq[count:],
            self.kind[count:],
            self.raw.slice(count),
        )

    def joined(self, other: "Part") -> "Part":
        """Return this part with the one that follows it."""
        return Part(
            self.row,
            np.concatenate((self.arrived_ns, other.arrived_ns)),
            np.concatenate((self.board, other.board)),
            np.concatenate((self.seq, other.seq)),
            np.concatenate((self.kind, other.kind)),
            pa.concat_arrays([self.raw, other.raw]),
        )


@dataclass(frozen=True)
class Line:
    """One line, for the eye."""

    arrived_ns: int
    board: str
    seq: int
    kind: Kind
    raw: bytes


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the ring held at a moment; rows are counted over all lines that ever came."""

    parts: tuple[Part, ...] = ()
    boards: tuple[str, ...] = ()
    next_row: int = 0
    """The row behind the newest line."""

    @property
    def first_row(self) -> int:
        """The oldest line's row."""
        return self.parts[0].row if self.parts else self.next_row

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.array([part.row for part in self.parts], np.int64)

    def line(self, row: int) -> Line:
        """Return one line.

        :raises IndexError: if it is not here.
        """
        if not self.first_row <= row < self.next_row:
            raise IndexError(row)
        part = self.parts[int(np.searchsorted(self._starts, row, "right")) - 1]
        place = row - part.row
        return Line(
            int(part.arrived_ns[place]),
            self.boards[part.board[place]],
            int(part.seq[place]),
            Kind(part.kind[place]),
            part.raw[place].as_py(),
        )

    def since(self, row: int) -> Iterator[Part]:
        """Iterate over the parts from a row on."""
        for part in self.parts:
            if part.row >= row:
                yield part
            elif part.row + len(part) > row:
                yield part.behind(row - part.row)


class RawRing:
    """Keeps the newest lines. Used by one thread.

    :param most_messages: how many.
    :param most_bytes: and how many bytes of messages at most.
    """

    def __init__(self, most_messages: int = MOST_MESSAGES, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_messages
        self._most_bytes = most_bytes
        self._parts: deque[Part] = deque()
        self._boards: list[str] = []
        self._places: dict[tuple[str, int], NDArray[np.uint16]] = {}
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}
        self._bytes = 0
        self.next_row = 0

    def __len__(self) -> int:
        return self.next_row - self._parts[0].row if self._parts else 0

    @property
    def byte_count(self) -> int:
        """What the kept messages take."""
        return self._bytes

    @property
    def boards(self) -> tuple[str, ...]:
        """The names that lines have had, in the order in which they came first."""
        return tuple(self._boards)

    def snapshot(self) -> Snapshot:
        """Return what is here now."""
        return Snapshot(tuple(self._parts), tuple(self._boards), self.next_row)

    def resize(self, most_messages: int) -> None:
        """Keep more, or fewer."""
        self._most = most_messages
        self._bound()

    def clear(self) -> None:
        """Forget all lines; rows count on."""
        self._parts.clear()
        self._bytes = 0

    def forget(self) -> None:
        """Forget all lines, and what has been seen: messages that were here before may come again."""
        self.clear()
        self._seen.clear()

    def take_over(self, other: "RawRing") -> None:
        """Forget all lines, and have those of another ring instead; that one is not to be used any more."""
        self.forget()
        self._seen = other._seen
        places = np.array([self._place(name) for name in other._boards], np.uint16)
        for part in other._parts:
            self._append(replace(part, row=self.next_row, board=places[part.board]))

    def add(self, block: MessageBlock, sources: Sequence[Source]) -> int:
        """Add what a live view brought; what was there before, as after a reconnection, is left out.

        :param sources: of the block's session.
        :returns: how many lines were added.
        """
        view = (block.store_id, block.session_id)
        next_seq, last_ns = self._seen.get(view, (0, 0))
        # Lower numbers at later times are new ones: the preview's begin again with the server.
        if len(block) and block.first_seq < next_seq and block.arrived_ns[0] <= last_ns:
            block = block.between(next_seq, block.next_seq)
        if not len(block):
            return 0
        self._seen.pop(view, None)
        self._seen[view] = (block.next_seq, int(block.arrived_ns[-1]))
        for old in list(self._seen)[:-16]:
            del self._seen[old]
        names = {source.index: source.name for source in sources}
        places = np.zeros(int(block.source.max()) + 1, np.uint16)
        for index in np.unique(block.source):
            places[index] = self._place(names.get(int(index), f"source {index}"))
        self._append(
            Part(
                self.next_row,
                block.arrived_ns,
                places[block.source],
                np.arange(block.first_seq, block.next_seq, dtype=np.int64),
                np.zeros(len(block), np.uint8),
                block.raw,
            )
        )
        return len(block)

    def add_line(self, kind: Kind, board: str, raw: bytes, at_ns: int) -> None:
        """Add what was sent to a board, or its answer."""
        self._append(
            Part(
                self.next_row,
                np.array([at_ns], np.int64),
                np.array([self._place(board)], np.uint16),
                np.array([NO_SEQ], np.int64),
                np.array([kind], np.uint8),
                pa.array([raw], pa.binary()),
            )
        )

    def _place(self, board: str) -> int:
        if board not in self._boards:
            self._boards.append(board)
        return self._boards.index(board)

    def _append(self, part: Part) -> None:
        self.next_row += len(part)
        self._bytes += part.byte_count
        last = self._parts[-1] if self._parts else None
        if last is not None and len(last) + len(part) <= _PART_MESSAGES:
            self._bytes -= last.byte_count + part.byte_count
            part = last.joined(part)
            self._bytes += part.byte_count
            self._parts[-1] = part
        else:
            self._parts.append(part)
        self._bound()

    def _bound(self) -> None:
        while self._parts:
            surplus, is_heavy = len(self) - self._most, self._bytes > self._most_bytes
            if surplus <= 0 and not is_heavy:
                return
            first = self._parts.popleft()
            self._bytes -= first.byte_count
            if surplus >= len(first) or (is_heavy and self._parts):
                continue
            rest = first.behind(max(surplus, (len(first) + 1) // 2 if is_heavy else 0))
            if len(rest):
                self._parts.appendleft(rest)
                self._bytes += rest.byte_count
