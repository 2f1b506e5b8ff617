"""The running session's copy, fed by the live view: holes, late joins, faults, and Stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.data.sync_changes import CopyState
from blitz.errors import ServerUnreachable, SessionNotFound
from blitz.io import sync_live
from blitz.io.sync_live import LiveCopy

pytestmark = pytest.mark.anyio


def block(first: int, stop: int, session_id: int = 7) -> MessageBlock:
    messages = [b"%d" % number for number in range(first, stop)]
    return MessageBlock.from_reads(session_id, first, [Read(1_000_000 * first, 0, messages)], "a-store")


class Server:
    """Has sessions of so many messages; can be away."""

    def __init__(self, **counts: int) -> None:
        self.counts = {int(name.removeprefix("s")): count for name, count in counts.items()}
        self.running = set(self.counts)
        self.asked: list[tuple[int, int]] = []
        self.gone: set[int] = set()
        self.is_away = False
        self.refused = 0

    def _answer(self) -> None:
        if self.is_away:
            self.refused += 1
            raise ServerUnreachable("It is away.")

    async def session(self, session_id: int) -> SessionRecord:
        self._answer()
        if session_id in self.gone:
            raise SessionNotFound("It was deleted.")
        return SessionRecord(
            id=session_id,
            started_at=datetime(2026, 3, 1, tzinfo=UTC),
            stopped_at=None if session_id in self.running else datetime(2026, 3, 2, tzinfo=UTC),
            is_running=session_id in self.running,
            message_count=self.counts[session_id],
        )

    async def grid_blocks(self, session_id: int, first: int, count: int) -> list[MessageBlock]:
        self._answer()
        self.asked.append((first, count))
        return [block(first, min(first + count, self.counts[session_id]), session_id)]


class Bench:
    """A live copy that runs, and waiting for what it does."""

    def __init__(self, server: Server, cache: DatabaseClient) -> None:
        self.server, self.cache = server, cache
        self.whole: list[int] = []
        self.copy = LiveCopy(server, lambda: self.cache, self._told, period_s=0.01)  # type: ignore[arg-type]

    async def _told(self, session_id: int) -> None:
        self.whole.append(session_id)

    async def wait_for(self, is_so: Any) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.005)

    def stored(self, session_id: int = 7) -> int:
        return self.cache.begin_download(SessionRecord(id=session_id, started_at=datetime(2026, 3, 1, tzinfo=UTC)))

    def stop(self, session_id: int = 7) -> None:
        self.server.running.discard(session_id)
        self.copy.end(session_id)

    def numbers(self, session_id: int = 7) -> list[int]:
        return [int(message) for part in self.cache.session_blocks(session_id) for message in part.messages()]


@asynccontextmanager
async def bench(server: Server) -> AsyncIterator[Bench]:
    with DatabaseClient() as cache:
        there = Bench(server, cache)
        running = asyncio.create_task(there.copy.run())
        try:
            yield there
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_live_blocks_flow_into_the_cache_and_at_stop_the_session_is_there() -> None:
    async with bench(Server(s7=100)) as there:
        there.copy.take(block(0, 40))
        await there.wait_for(lambda: there.stored() == 40)
        assert there.cache.copy_states() == {7: CopyState.PART}
        there.copy.take(block(40, 70))
        there.copy.take(block(70, 100))
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert there.server.asked == []
        assert there.numbers() == list(range(100))
        assert there.cache.copy_states() == {7: CopyState.WHOLE}


async def test_late_joiner_fetches_the_beginning_and_what_the_live_view_did_not_bring() -> None:
    async with bench(Server(s7=130)) as there:
        there.copy.take(block(60, 80))
        await there.wait_for(lambda: there.stored() == 80)
        there.copy.take(block(90, 100))
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert there.server.asked == [(0, 60), (80, 10), (100, 30)]
        assert there.numbers() == list(range(130))


async def test_hole_among_waiting_blocks_is_fetched() -> None:
    async with bench(Server(s7=100)) as there:
        there.copy.take(block(0, 20))
        there.copy.take(block(50, 100))
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert there.numbers() == list(range(100))


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_live, "_MOST_WAITING", 30)
    async with bench(Server(s7=100)) as there:
        for first in range(0, 100, 10):
            there.copy.take(block(first, first + 10))
        assert sum(map(len, there.copy._waiting)) == 30
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert there.numbers() == list(range(100))


async def test_session_that_follows_ends_the_one_before_even_if_nobody_said_so() -> None:
    async with bench(Server(s7=50, s8=20)) as there:
        there.copy.take(block(0, 50))
        await there.wait_for(lambda: there.stored() == 50)
        there.server.running.discard(7)
        there.copy.take(block(0, 20, 8))
        await there.wait_for(lambda: there.whole == [7] and there.stored(8) == 20)
        there.stop(8)
        await there.wait_for(lambda: there.whole == [7, 8])
        assert (there.numbers(7), there.numbers(8)) == (list(range(50)), list(range(20)))


async def test_server_that_is_away_is_asked_again_and_nothing_is_lost() -> None:
    async with bench(Server(s7=60)) as there:
        there.server.is_away = True
        there.copy.take(block(30, 60))
        await there.wait_for(lambda: there.server.refused)
        there.server.is_away = False
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert there.numbers() == list(range(60))


@pytest.mark.parametrize("has_stored", [True, False])
async def test_server_that_is_away_for_long_at_stop_is_asked_until_it_is_back(
    monkeypatch: pytest.MonkeyPatch, has_stored: bool
) -> None:
    monkeypatch.setattr(sync_live, "_LONGEST_WAIT_S", 0.02)
    async with bench(Server(s7=60)) as there:
        there.copy.take(block(0, 30))
        if has_stored:
            await there.wait_for(lambda: there.stored() == 30)
        there.server.is_away = True
        there.stop()
        await there.wait_for(lambda: there.server.refused > 4 * sync_live._ATTEMPTS)
        there.server.is_away = False
        await there.wait_for(lambda: there.whole == [7])
        assert there.numbers() == list(range(60))


async def test_download_of_the_running_session_meanwhile_does_not_make_the_copy_begin_again() -> None:
    async with bench(Server(s7=20_000)) as there:
        there.copy.take(block(0, 18_000))
        await there.wait_for(lambda: there.stored() == 18_000)
        snapshot = (await there.server.session(7)).model_copy(update={"message_count": 18_000})
        there.cache.finish_download(snapshot)
        there.copy.take(block(18_000, 20_000))
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert len(there.numbers()) == 20_000
        assert there.server.asked[0][0] == 16_384


async def test_session_that_was_deleted_at_once_does_not_hold_up_the_next_one() -> None:
    async with bench(Server(s7=50, s8=20)) as there:
        there.server.gone.add(7)
        there.copy.take(block(0, 50))
        there.stop()
        there.copy.take(block(0, 20, 8))
        await there.wait_for(lambda: there.stored(8) == 20)
        assert there.server.asked == []


async def test_preview_is_not_kept() -> None:
    async with bench(Server(s7=20)) as there:
        there.copy.take(block(0, 20, 0))
        there.copy.take(block(0, 20))
        there.stop()
        await there.wait_for(lambda: there.whole == [7])
        assert set(there.cache.copy_states()) == {7}


async def test_it_ends_when_it_is_cancelled_at_whatever_moment() -> None:
    async def told(_: int) -> None:
        pass

    for turns in range(40):
        copy = LiveCopy(Server(s7=10), lambda: None, told, period_s=0.01)  # type: ignore[arg-type]
        running = asyncio.create_task(copy.run())
        copy.take(block(0, 10))
        copy.end(7)
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=5)
        running.cancel()
        assert done, f"after {turns} turns"
