import asyncio

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.sync import FETCH_MESSAGES, next_run
from blitz.io.read_ahead import ReadAhead

pytestmark = pytest.mark.anyio


def block(first: int, count: int) -> MessageBlock:
    return MessageBlock.from_reads(1, first, [Read(0, 0, [b""] * count)])


async def test_each_block_is_asked_for_once_and_some_at_the_same_time() -> None:
    count = 4 * FETCH_MESSAGES + 100
    asked: list[tuple[int, int]] = []
    most = under_way = 0

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        nonlocal most, under_way
        asked.append((first, count))
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return [block(first, count)]

    next_seq = 40  # a download that goes on within a block of the grid
    async with ReadAhead(fetch, count) as read_ahead:
        while next_seq < count:
            wanted = next_run(next_seq, count)
            (came,) = await read_ahead.fetch(*wanted)
            assert (came.first_seq, len(came)) == wanted
            next_seq = came.next_seq
    assert len(asked) == len(set(asked)) == 5
    assert most > 1


async def test_unexpected_wish_is_fetched_anew_and_faults_ahead_are_nobodys() -> None:
    async def fetch(first: int, count: int) -> list[MessageBlock]:
        if first:
            raise OSError("not this one")
        return [block(first, count)]

    async with ReadAhead(fetch, 10 * FETCH_MESSAGES) as read_ahead:
        assert len((await read_ahead.fetch(0, FETCH_MESSAGES))[0]) == FETCH_MESSAGES
        assert len((await read_ahead.fetch(0, 5))[0]) == 5
        with pytest.raises(OSError, match="not this one"):
            await read_ahead.fetch(FETCH_MESSAGES, 7)


async def test_cancelling_gives_up_what_is_under_way() -> None:
    cancelled = 0

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise
        raise AssertionError

    async def run() -> None:
        async with ReadAhead(fetch, 10 * FETCH_MESSAGES) as read_ahead:
            await read_ahead.fetch(0, FETCH_MESSAGES)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == 2
