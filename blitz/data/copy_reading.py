"""Reading downloaded sessions out of the cache, block after block, the next ones ahead in a thread.

A block is checked whenever it is read. How copies come into the cache stands in :mod:`blitz.data.session_copies`.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import and_, bindparam, func, outerjoin, select

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.models import SessionCopy, StoredBlock
from blitz.data.session_list import SessionList
from blitz.errors import BlockError, CacheError, SessionNotFound

_ALONE = 2
"""So many blocks are read without a thread: looking at a place is no reading of the whole."""

_BLOCKS_AT_ONCE = 4
_BYTES_AT_ONCE = 1 << 20
"""Blocks are asked for together up to so many, or so many bytes: to ask takes nearly as long as to decode one."""

_AHEAD = 2
"""So many times are blocks asked for ahead: the thread that reads waits for nobody."""

_LATEST_SEQ = (1 << 63) - 1

# Put together once: with SQLAlchemy that takes longer than to ask.
_WHOLE_COPY = select(SessionCopy.id).where(SessionCopy.session_ref_id == bindparam("session"), SessionCopy.is_whole)
_IN_RANGE = (
    # By the index; a last block can end before what is wanted.
    StoredBlock.grid_index.between(bindparam("grid"), bindparam("last_grid")),
    StoredBlock.first_seq + StoredBlock.count > bindparam("first"),
    StoredBlock.first_seq < bindparam("stop"),
)
_PLACES = (
    select(StoredBlock.id, StoredBlock.first_seq, func.length(StoredBlock.body))
    .where(StoredBlock.copy_id == bindparam("copy"), *_IN_RANGE)
    .order_by(StoredBlock.grid_index)
)
_BLOCKS = select(
    StoredBlock.body, StoredBlock.session_ref_id, StoredBlock.first_seq, StoredBlock.count, StoredBlock.checksum
)
# In no order: SQLite would copy the bodies to sort them.
_STORED = _BLOCKS.where(StoredBlock.id.in_(bindparam("rows", expanding=True)))
_FEW_STORED = (
    _BLOCKS.select_from(outerjoin(SessionCopy, StoredBlock, and_(StoredBlock.copy_id == SessionCopy.id, *_IN_RANGE)))
    .where(SessionCopy.session_ref_id == bindparam("session"), SessionCopy.is_whole)
    .order_by(StoredBlock.grid_index)
)
"""The blocks, or one row of nothing where the copy has none there."""


class _Place(NamedTuple):
    row_id: int
    first_seq: int
    size: int


_Found: TypeAlias = Generator[MessageBlock | BlockError, None, None]


class CopyReading(SessionList):
    """The part of the cache that views read."""

    def session_blocks(
        self, session_id: int, first: int = 0, stop: int | None = None, *, is_ahead: bool = True
    ) -> Iterator[MessageBlock]:
        """Iterate over a downloaded session's messages from seq ``first`` up to, not including, ``stop``.

        A few blocks are read at once; many as they are asked for, a few ahead. No transaction stays open between.

        :param is_ahead: read ahead in a thread of its own; False where the caller iterates in such a thread already.
        :raises SessionNotFound: at once, if the session is not downloaded.
        :raises BlockError: while iterating, at a block that is damaged.
        :raises CacheError: while iterating over many blocks, if the copy was replaced or deleted meanwhile.
        """
        behind = _LATEST_SEQ if stop is None else stop
        grid, last_grid = first // GRID_MESSAGES, (behind - 1) // GRID_MESSAGES
        wanted = {"session": int(session_id), "grid": grid, "last_grid": last_grid, "first": first, "stop": behind}
        blocks = (
            self._few_blocks(wanted)
            if last_grid - grid < _ALONE
            else self._many_blocks(session_id, wanted, is_ahead=is_ahead)
        )
        if blocks is None:
            raise SessionNotFound(f"Session {session_id} is not in the cache. Download it first.")
        return _in_order(session_id, blocks, first, behind)

    def _few_blocks(self, wanted: Mapping[str, int]) -> _Found | None:
        with self._asking() as db:
            rows = db.execute(_FEW_STORED, wanted).all()
        return (_found(*row) for row in rows if row.body is not None) if rows else None

    def _many_blocks(self, session_id: int, wanted: Mapping[str, int], *, is_ahead: bool) -> _Found | None:
        with self._reading() as db:
            copy_id = db.scalar(_WHOLE_COPY, wanted)
            if copy_id is None:
                return None
            places = [_Place(*row) for row in db.execute(_PLACES, {**wanted, "copy": copy_id})]
        if is_ahead:
            return self._read_ahead(session_id, places)
        return (block for together in _together(places) for block in self._read_together(session_id, together))

    def _read_ahead(self, session_id: int, places: list[_Place]) -> _Found:
        """Read blocks; from the third on, the next ones are read and checked while those before are used."""
        for place in places[:_ALONE]:
            yield from self._read_together(session_id, [place])
        together = _together(places[_ALONE:])
        if len(places) <= _ALONE:
            return
        with ThreadPoolExecutor(1, "blitz reading") as reader:
            coming = deque(reader.submit(self._read_together, session_id, ahead) for ahead in islice(together, _AHEAD))
            while coming:
                blocks = coming.popleft().result()
                coming.extend(reader.submit(self._read_together, session_id, ahead) for ahead in islice(together, 1))
                yield from blocks

    def _read_together(self, session_id: int, places: Sequence[_Place]) -> list[MessageBlock | BlockError]:
        with self._reading() as db:
            rows = db.execute(_STORED, {"rows": [place.row_id for place in places]}).all()
        if len(rows) != len(places):
            raise CacheError(f"Session {session_id} was deleted or downloaded anew meanwhile. Open it again.")
        return [_found(*row) for row in sorted(rows, key=lambda row: row.first_seq)]

    def _read_block(self, session_id: int, row_id: int) -> MessageBlock:
        (block,) = self._read_together(session_id, [_Place(row_id, 0, 0)])
        if isinstance(block, BlockError):
            raise block
        return block


def _in_order(session_id: int, blocks: _Found, first: int, stop: int) -> Iterator[MessageBlock]:
    next_seq = None
    with closing(blocks):  # a thread that reads ahead ends with it
        for block in blocks:
            if isinstance(block, BlockError):
                raise block
            if next_seq not in (None, block.first_seq):
                raise BlockError(damaged(session_id, block.first_seq, f"messages from {next_seq} on are missing"))
            next_seq = block.next_seq
            yield block.between(first, stop)


def _found(*row: Any) -> MessageBlock | BlockError:
    """Decode a stored block; in the place of one that is damaged stands what is wrong with it."""
    try:
        return checked_block(*row)
    except BlockError as error:
        return error


def _together(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    found: list[_Place] = []
    for place in places:
        found.append(place)
        if len(found) >= _BLOCKS_AT_ONCE or sum(each.size for each in found) >= _BYTES_AT_ONCE:
            yield found
            found = []
    if found:
        yield found


def checked_block(body: bytes, session_id: int, first_seq: int, count: int, checksum: str) -> MessageBlock:
    """Decode a stored block, and see that it is the one that its row says.

    :raises BlockError: if it is damaged, or another one.
    """
    try:
        block = MessageBlock.decode(body)
    except BlockError as error:
        raise BlockError(damaged(session_id, first_seq, str(error).rstrip("."))) from error
    if (block.session_id, block.first_seq, len(block), block.checksum) != (session_id, first_seq, count, checksum):
        raise BlockError(damaged(session_id, first_seq, "the block is another one than its row says"))
    return block


def damaged(session_id: int, seq: int, reason: str) -> str:
    """Say that a copy is damaged, and what to do."""
    return f"Session {session_id} is damaged in the cache at seq {seq}: {reason}. Download it again."
