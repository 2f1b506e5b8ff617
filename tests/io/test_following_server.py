"""Two real servers over one Redis: one records, the other serves without acquiring."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.config import ServerSettings
from blitz.data.blocks import MessageBlock
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Event, EventKind
from blitz.errors import ConfigError, NoAcquisition, NoSession, SessionRunning, StoreError
from blitz.io.redis_child import RedisChild
from blitz.server import run

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RedisChild(tmp_path_factory.mktemp("redis"), "none") as child:
        yield child.url


@pytest.fixture(scope="module")
def pair(run_server: Callable[..., Any], own_redis: str) -> tuple[str, str]:
    """The addresses of a server with a simulated board, and of one that follows it."""
    recording = run_server("--simulate", "1", "--redis-url", own_redis, "--redis-prefix", "{bench}:")
    following = run_server("--no-acquisition", "--redis-url", own_redis, "--redis-prefix", "{bench}:")
    return recording.url, following.url


@pytest.fixture
async def clients(pair: tuple[str, str]) -> AsyncIterator[tuple[blitz.AsyncClient, blitz.AsyncClient]]:
    async with blitz.AsyncClient(pair[0], timeout=30) as first, blitz.AsyncClient(pair[1], timeout=30) as second:
        await first.scan()
        yield first, second


async def _next_event(stream: Any, kind: EventKind) -> Event:
    async for entry in stream:
        if isinstance(entry, Event) and entry.event is kind:
            return entry
    raise AssertionError(f"the stream ended before {kind}")


async def _blocks(stream: Any, count: int) -> MessageBlock:
    """Read until the session stops, or that many messages came."""
    blocks: list[MessageBlock] = []
    async for entry in stream:
        if isinstance(entry, MessageBlock):
            blocks.append(entry)
            if entry.next_seq >= count:
                break
    return MessageBlock.concatenate(blocks)


async def test_a_session_started_on_the_second_is_recorded_by_the_first_and_live_on_both(
    clients: tuple[blitz.AsyncClient, blitz.AsyncClient],
) -> None:
    first, second = clients
    async with asyncio.timeout(60), first.live(raw=True) as one, second.live(raw=True) as two:
        await _next_event(one, EventKind.STATUS)
        await _next_event(two, EventKind.STATUS)
        session = await second.start("from the second", tags=["pump"], duration_s=3600)
        assert (session.name, session.tags, session.is_running) == ("from the second", ("pump",), True)
        assert session.plan is not None
        started = [await _next_event(stream, EventKind.SESSION_STARTED) for stream in (one, two)]
        assert [event.session_id for event in started] == [session.id, session.id]
        blocks = [await _blocks(stream, 20) for stream in (one, two)]
        stop = min(len(block) for block in blocks)
        assert stop >= 20
        assert blocks[0].between(0, stop).checksum == blocks[1].between(0, stop).checksum
        with pytest.raises(SessionRunning):
            await second.start()
        stopped = await second.stop(session.id)
        assert not stopped.is_running
        ends = [await _next_event(stream, EventKind.SESSION_STOPPED) for stream in (one, two)]
        assert [event.session_id for event in ends] == [session.id, session.id]
    full = await first.session(session.id)
    assert full.verdict, "the first drained its board and made the account"
    assert full.accounts
    both = [await client.messages(session.id) for client in clients]
    assert both[0].checksum == both[1].checksum
    assert len(both[0]) == full.message_count


async def test_a_session_of_the_first_is_followed_and_its_sources_decode(
    clients: tuple[blitz.AsyncClient, blitz.AsyncClient],
) -> None:
    first, second = clients
    session = await first.start("from the first")
    async with asyncio.timeout(60), second.live(session.id, 0) as readings:
        entry = await anext(_readings(readings))
        assert entry.source.name == "sim1"
        marker = await second.add_marker(session.id, "valve opened")
        await first.stop()
    assert [found.text for found in (await first.session(session.id)).markers] == [marker.text]
    with pytest.raises(NoSession):
        await second.stop(session.id)


async def _readings(stream: Any) -> AsyncIterator[Any]:
    async for entry in stream:
        if not isinstance(entry, Event):
            yield entry


async def test_the_second_says_what_it_is_and_refuses_what_only_the_first_can_do(
    clients: tuple[blitz.AsyncClient, blitz.AsyncClient],
) -> None:
    first, second = clients
    one, two = await first.status(), await second.status()
    assert (one.acquires, two.acquires) == (True, False)
    assert (one.database, two.database) == ("bench", "bench")
    assert one.store_id == two.store_id
    with pytest.raises(NoAcquisition, match="does not acquire"):
        await second.boards()
    shown = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "blitz", "status", "--server", str(second.address)], capture_output=True
    )
    assert shown.returncode == 0
    assert b"It does not acquire" in shown.stdout
    with pytest.raises(NoAcquisition):
        await second.command("sim1", "0885")
    with pytest.raises(NoAcquisition):
        await second.planned()


async def test_without_a_recording_server_nothing_is_started_and_what_runs_is_closed_as_it_is(
    run_server: Callable[..., Any], own_redis: str
) -> None:
    recording = run_server("--redis-url", own_redis, "--redis-prefix", "{late}:")
    following = run_server("--no-acquisition", "--redis-url", own_redis, "--redis-prefix", "{late}:")
    recording.stop()
    store = DatabaseServer(own_redis, "{late}:")
    try:
        async with blitz.AsyncClient(following.url) as client:
            with pytest.raises(NoAcquisition, match="No server acquires"):
                await client.start()
            session_id = store.start_session("a program's own")
            store.queue("one")
            assert (await client.stop(session_id)).message_count == 1
            assert store.running_session() is None
    finally:
        store.close()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [({}, "--redis-url"), ({"redis_url": "redis://127.0.0.1:1", "simulate": 1}, "opens no port")],
)
def test_settings_that_contradict_are_refused(tmp_path: Path, more: dict[str, Any], sentence: str) -> None:
    settings = ServerSettings(port=0, data_dir=tmp_path, acquisition=False, **more)
    with pytest.raises(ConfigError, match=sentence):
        run(settings)


def test_an_empty_store_is_not_made_ready(tmp_path: Path, redis_url: str) -> None:
    settings = ServerSettings(port=0, data_dir=tmp_path, acquisition=False, redis_url=redis_url)
    with pytest.raises(StoreError, match="Start the server that records first"):
        run(settings)
