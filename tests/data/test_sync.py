"""Downloads through `sync.download`: whole, cut short, cancelled, resumed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Session
from blitz.data.sync import FETCH_MESSAGES, Progress, cache_path, download
from blitz.errors import BlockError, CacheError, ServerUnreachable


class Server:
    """Answers like a server, with at most `cap` messages; what it is to do at a request can be told."""

    def __init__(self, session: Any, cap: int = 65536) -> None:
        self.session = session
        self.cap = cap
        self.asked: list[tuple[int, int]] = []
        self.before: Callable[[int], Awaitable[None]] | None = None

    async def fetch(self, first: int, count: int) -> list[MessageBlock]:
        self.asked.append((first, count))
        if self.before is not None:
            await self.before(len(self.asked))
        return [self.session.block(first, min(count, self.cap))]


def count_messages(cache: DatabaseClient) -> int:
    return sum(len(block) for block in cache.session_blocks(7))


def test_a_download_asks_for_consecutive_runs_and_reports(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    total = FETCH_MESSAGES + 5
    server = Server(example(total))
    seen: list[tuple[int, int]] = []
    watched: list[Progress] = []
    asyncio.run(
        download(server.session.record, server.fetch, cache, lambda *counts: seen.append(counts), watch=watched.append)
    )
    assert server.asked == [(0, FETCH_MESSAGES), (FETCH_MESSAGES, 5)]
    assert seen == [(0, total), (FETCH_MESSAGES, total), (total, total)]
    assert [progress.done for progress in watched] == [done for done, _ in seen]
    assert watched[0].left_s is None
    assert watched[1].left_s > 0
    assert (watched[-1].share, watched[-1].left_s) == (1, 0)
    assert watched[-1].received_bytes >= sum(map(len, (server.session.message(seq) for seq in range(total))))
    assert count_messages(cache) == total
    assert cache.get(Session, {"ref_id": 7}).available


def test_short_answers_are_asked_on_from(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    server = Server(example(1000), cap=300)
    asyncio.run(download(server.session.record, server.fetch, cache))
    assert [first for first, _ in server.asked] == [0, 300, 600, 900]
    assert count_messages(cache) == 1000


def test_an_empty_session_asks_for_nothing(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    server = Server(example(0))
    asyncio.run(download(server.session.record, server.fetch, cache))
    assert server.asked == []
    assert cache.get(Session, {"ref_id": 7}).available


def test_a_cancelled_download_leaves_the_older_copy_and_can_go_on(
    file_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(10).fill(file_cache)
    server = Server(example(2 * GRID_MESSAGES), cap=GRID_MESSAGES)

    async def run() -> None:
        reached = asyncio.Event()

        async def hang(request: int) -> None:
            if request == 2:
                reached.set()
                await asyncio.Event().wait()

        server.before = hang
        task = asyncio.create_task(download(server.session.record, server.fetch, file_cache))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert count_messages(file_cache) == 10
    server.before, server.asked = None, []
    asyncio.run(download(server.session.record, server.fetch, file_cache))
    assert server.asked == [(GRID_MESSAGES, GRID_MESSAGES)]
    assert count_messages(file_cache) == 2 * GRID_MESSAGES


def test_a_lost_connection_leaves_what_came(tmp_path: Path, example: Callable[..., Any]) -> None:
    server = Server(example(2 * GRID_MESSAGES), cap=GRID_MESSAGES)

    async def break_off(request: int) -> None:
        if request == 2:
            raise ServerUnreachable("The server is gone.")

    server.before = break_off
    with DatabaseClient(path=tmp_path / "a.db") as cache, pytest.raises(ServerUnreachable):
        asyncio.run(download(server.session.record, server.fetch, cache))
    with DatabaseClient(path=tmp_path / "a.db") as cache:
        assert cache.begin_download(server.session.record) == GRID_MESSAGES


def test_a_server_that_has_less_than_it_said_is_told(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    server = Server(example(100))
    record = server.session.record.model_copy(update={"message_count": 120})
    with pytest.raises(BlockError, match="did not send those from 100 on"):
        asyncio.run(download(record, server.fetch, cache))


def test_an_answer_to_another_question_is_refused(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(100)

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [session.block(first + 1, count)]

    with pytest.raises(BlockError, match="did not send those from 0 on"):
        asyncio.run(download(session.record, fetch, cache))


def test_a_cache_file_is_named_after_the_store_and_stays_in_the_folder(tmp_path: Path) -> None:
    assert cache_path(tmp_path, "11111111-2222-4333-8444-555555555555").parent == tmp_path
    for name in ("../evil", "", "a/b", "a\\b", ".hidden", "x" * 65):
        with pytest.raises(CacheError, match="no UUID"):
            cache_path(tmp_path, name)
