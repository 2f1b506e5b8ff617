"""Reading downloaded sessions, several blocks at a time."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.copy_reading import _Place, _together
from blitz.data.database_client import DatabaseClient
from blitz.data.models import StoredBlock
from blitz.errors import BlockError, CacheError

_BLOCKS = 12


@pytest.mark.parametrize("is_ahead", [True, False])
def test_a_long_session_is_read_in_its_order(
    any_cache: DatabaseClient, example: Callable[..., Any], is_ahead: bool
) -> None:
    session = example(_BLOCKS * GRID_MESSAGES + 1)
    session.fill(any_cache)
    first, stop = 5, _BLOCKS * GRID_MESSAGES - 5
    blocks = list(any_cache.session_blocks(7, first, stop, is_ahead=is_ahead))
    assert MessageBlock.concatenate(blocks).checksum == session.block(first, stop - first).checksum
    assert len(list(any_cache.session_blocks(7, is_ahead=is_ahead))) == _BLOCKS + 1


@pytest.mark.parametrize("is_ahead", [True, False])
def test_what_lies_before_a_damaged_block_is_given(
    cache: DatabaseClient, example: Callable[..., Any], is_ahead: bool
) -> None:
    example(_BLOCKS * GRID_MESSAGES).fill(cache)
    with cache._writing() as db:
        row = db.scalars(select(StoredBlock).where(StoredBlock.grid_index == 4)).one()
        row.body = row.body[:-100]
    blocks = cache.session_blocks(7, is_ahead=is_ahead)
    assert [next(blocks).first_seq for _ in range(4)] == [GRID_MESSAGES * number for number in range(4)]
    with pytest.raises(BlockError, match=f"damaged in the cache at seq {4 * GRID_MESSAGES}"):
        next(blocks)


@pytest.mark.parametrize("is_ahead", [True, False])
def test_a_long_session_that_is_deleted_while_it_is_read_is_told(
    any_cache: DatabaseClient, example: Callable[..., Any], is_ahead: bool
) -> None:
    example(_BLOCKS * GRID_MESSAGES).fill(any_cache)
    blocks = any_cache.session_blocks(7, is_ahead=is_ahead)
    next(blocks)
    any_cache.delete_session(7)
    with pytest.raises(CacheError, match="deleted or downloaded anew"):
        list(blocks)


def test_as_many_blocks_are_read_together_as_are_small() -> None:
    small = [_Place(number, number, 100_000) for number in range(9)]
    assert [len(places) for places in _together(small)] == [4, 4, 1]
    large = [_Place(number, number, 700_000) for number in range(5)]
    assert [len(places) for places in _together(large)] == [2, 2, 1]
    assert [len(places) for places in _together([_Place(1, 1, 1 << 28), *small[:1]])] == [1, 1]
    assert list(_together([])) == []
