"""Blocks on their way: the bytes that come are those that are stored."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import StoredBlock
from blitz.data.packed_blocks import pack_blocks, unpack_blocks
from blitz.errors import BlockError

COUNT = 2 * GRID_MESSAGES + 50


def bodies(cache: DatabaseClient) -> list[bytes]:
    with cache._reading() as db:
        return list(db.scalars(select(StoredBlock.body).order_by(StoredBlock.grid_index)))


@pytest.mark.parametrize(("first", "counts"), [(0, [16384, 16384, 50]), (16000, [384, 16384, 50]), (COUNT, [])])
def test_a_run_is_cut_at_the_grid_and_comes_back(example: Callable[..., Any], first: int, counts: list[int]) -> None:
    block = example(COUNT).block(first, COUNT)
    parts = unpack_blocks(pack_blocks(block))
    assert [len(part) for part in parts] == counts
    assert [message for part in parts for message in part.messages()] == block.messages()
    assert all(part.store_id == block.store_id for part in parts)


def test_blocks_are_stored_as_the_bytes_that_came(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(COUNT)
    parts = unpack_blocks(pack_blocks(session.block(0, COUNT)))
    cache.begin_download(session.record)
    assert cache.store_blocks(7, parts) == COUNT
    assert bodies(cache) == [part.at_rest for part in parts]
    assert [len(part.at_rest) for part in parts] == [len(part.encode(compressed=True)) for part in parts]


def test_what_is_joined_or_cut_here_is_encoded_anew(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(COUNT)
    cache.begin_download(session.record)
    cache.store_blocks(7, unpack_blocks(pack_blocks(session.block(0, 10_000))))
    cache.store_blocks(7, unpack_blocks(pack_blocks(session.block(9_000, 10_000))))
    stored = [MessageBlock.decode(body) for body in bodies(cache)]
    assert [(block.first_seq, len(block)) for block in stored] == [(0, GRID_MESSAGES), (GRID_MESSAGES, 19_000 - 16_384)]
    assert [message for block in stored for message in block.messages()] == session.block(0, 19_000).messages()


def test_bytes_that_are_cut_short_or_turned_over_are_no_blocks(example: Callable[..., Any]) -> None:
    packed = pack_blocks(example(100).block(0, 100))
    for length in range(1, len(packed)):
        with pytest.raises(BlockError):
            unpack_blocks(packed[:length])
    with pytest.raises(BlockError):
        unpack_blocks(packed + b"\0")
    for place in range(0, len(packed), 7):
        turned = packed[:place] + bytes([packed[place] ^ 0x41]) + packed[place + 1 :]
        try:
            blocks = unpack_blocks(turned)
        except BlockError:
            continue
        assert [block.checksum for block in blocks] == [block.checksum for block in unpack_blocks(packed)]
