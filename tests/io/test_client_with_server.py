"""The client library against a real server with simulated boards."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

import blitz
from blitz.data.blocks import MessageBlock
from blitz.data.boards import Readings
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Event, EventKind
from blitz.errors import CommandRefused, NoSession, SessionNotFound, SessionRunning, UnknownBoard
from blitz.io import live_reader

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(server: Any) -> AsyncIterator[blitz.AsyncClient]:
    async with blitz.AsyncClient(server.url) as client:
        yield client
        with contextlib.suppress(NoSession):
            await client.stop()


async def test_session_is_started_joined_renamed_stopped_and_deleted(client: blitz.AsyncClient) -> None:
    session = await client.start("pump", "cold", owner="ann@lab")
    assert (session.name, session.notes, session.owner, session.is_running) == ("pump", "cold", "ann@lab", True)
    with pytest.raises(SessionRunning, match="ann@lab"):
        await client.start()
    joined, is_new = await client.start_or_join()
    assert (joined.id, is_new) == (session.id, False)
    with pytest.raises(SessionRunning):
        await client.delete(session.id)
    assert (await client.update_session(session.id, name="pump 2")).notes == "cold"
    stopped = await client.stop()
    assert (stopped.id, stopped.is_running, stopped.name) == (session.id, False, "pump 2")
    with pytest.raises(NoSession):
        await client.stop()
    with pytest.raises(NoSession):
        await client.stop(session.id)
    await client.delete(session.id)
    with pytest.raises(SessionNotFound):
        await client.session(session.id)
    assert session.id not in [record.id for record in await client.sessions()]


async def test_owner_is_user_and_machine_when_not_given(client: blitz.AsyncClient) -> None:
    owner = (await client.start()).owner
    assert owner.endswith(f"@{socket.gethostname()}")
    assert owner.index("@") > 0


async def test_boards_are_listed_and_take_commands(client: blitz.AsyncClient) -> None:
    assert {board.name: board.board_id for board in await client.boards()} == {"sim1": "08", "sim2": "09"}
    assert await client.command("sim2", "0985000000000014" + "0" * 11) == "0940"
    with pytest.raises(UnknownBoard, match="nobody"):
        await client.command("nobody", "0885")
    with pytest.raises(CommandRefused, match="65"):
        await client.command("sim1", "0899")


async def test_live_view_gives_readings_with_units_and_each_message_once(client: blitz.AsyncClient) -> None:
    session = await client.start()
    async with asyncio.timeout(60), client.live(first=0) as stream:
        seen: list[int] = []
        sources = set()
        async for entry in stream:
            if isinstance(entry, Readings):
                assert entry.session_id == session.id
                assert entry.values.shape == (len(entry), len(entry.channels))
                sources.add(entry.source.name)
                seen += entry.seq.tolist()
            if len(seen) >= 20 and sources == {"sim1", "sim2"}:
                break
    assert sorted(seen) == list(range(len(seen)))


async def test_live_view_of_a_finished_session_equals_its_messages_and_its_download(
    client: blitz.AsyncClient, tmp_path: Path
) -> None:
    session = await client.start()
    async with asyncio.timeout(60):
        async for entry in client.live(first=0, raw=True):
            if isinstance(entry, MessageBlock) and entry.next_seq >= 10:
                break
    count = (await client.stop()).message_count
    entries = [entry async for entry in client.live(session.id, 0, raw=True)]
    block = MessageBlock.concatenate([entry for entry in entries if isinstance(entry, MessageBlock)])
    assert (await client.messages(session.id)).checksum == block.checksum
    assert len(block) == count
    last = entries[-1]
    assert isinstance(last, Event)
    assert last.event is EventKind.SESSION_STOPPED
    reports: list[tuple[int, int]] = []
    with DatabaseClient(path=str(tmp_path / "cache.db")) as cache:
        await client.download(session.id, cache, lambda *report: reports.append(report))
        assert cache.store_id == (await client.status()).store_id
        cached = MessageBlock.concatenate(list(cache.session_blocks(session.id)))
    assert cached.checksum == block.checksum
    assert reports[-1] == (count, count)


async def test_preview_comes_while_nothing_is_recorded(client: blitz.AsyncClient) -> None:
    async with asyncio.timeout(60):
        async for entry in client.live("preview"):
            if isinstance(entry, Readings):
                assert entry.session_id == 0
                return


async def test_following_view_goes_from_one_session_to_the_next(client: blitz.AsyncClient) -> None:
    async with asyncio.timeout(60), client.live(raw=True) as stream:
        for _ in range(2):
            session = await client.start()
            next_seq = 0
            async for entry in stream:
                if isinstance(entry, MessageBlock):
                    assert (entry.session_id, entry.first_seq) == (session.id, next_seq)
                    next_seq = entry.next_seq
                    if next_seq >= 4:
                        break
            count = (await client.stop()).message_count
            async for entry in stream:
                if isinstance(entry, MessageBlock):
                    next_seq = entry.next_seq
                elif entry.event is EventKind.SESSION_STOPPED:
                    break
            assert next_seq == count


async def test_live_view_through_a_line_that_breaks_again_and_again_has_every_message_once(
    client: blitz.AsyncClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.02)
    session = await client.start()
    async with asyncio.timeout(60), breaking_line(server.url, Random(1)) as url:
        shaky = blitz.AsyncClient(url, max_wait_retry=0.05)
        await shaky.connect()
        blocks: list[MessageBlock] = []
        kinds: list[EventKind] = []
        async for entry in shaky.live(session.id, 0, raw=True):
            if isinstance(entry, Event):
                kinds.append(entry.event)
            else:
                blocks.append(entry)
            if kinds.count(EventKind.RECONNECTED) >= 5 and blocks and blocks[-1].next_seq > 20:
                break
        await shaky.close()
    await client.stop()
    block = MessageBlock.concatenate(blocks)
    assert block.checksum == (await client.messages(session.id, 0, len(block))).checksum


async def test_session_of_a_killed_server_is_read_on_when_the_server_is_back_and_resumes_it(
    run_server: Callable[..., Any], steady_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.1)
    server = await asyncio.to_thread(run_server, "--simulate", "1", "--port", str(steady_port))
    async with asyncio.timeout(100), blitz.AsyncClient(server.url, max_wait_retry=0.5) as client:
        await client.scan()
        session = await client.start()
        blocks: list[MessageBlock] = []
        kinds: list[EventKind] = []
        is_stopping = False
        async for entry in client.live(session.id, 0, raw=True):
            if isinstance(entry, MessageBlock):
                blocks.append(entry)
                if not kinds.count(EventKind.DISCONNECTED) and entry.next_seq >= 5:
                    server.kill()
                elif EventKind.RECONNECTED in kinds and not is_stopping:
                    is_stopping = True
                    await client.stop(session.id)
            else:
                kinds.append(entry.event)
                if entry.event is EventKind.DISCONNECTED:
                    await asyncio.to_thread(server.start)
        block = MessageBlock.concatenate(blocks)
        record = await client.session(session.id)
        assert record.resumed == 1
        assert not record.interrupted
        assert len(block) == record.message_count
        assert block.checksum == (await client.messages(session.id)).checksum
    assert kinds[-1] is EventKind.SESSION_STOPPED
    assert EventKind.RECONNECTED in kinds


def test_blocking_client_does_the_same(server: Any) -> None:
    with blitz.Client(server.url) as client:
        session = client.start("script", join=True)
        try:
            values = next(entry for entry in client.live() if isinstance(entry, Readings))
            assert values.session_id == session.id
            assert {board.name for board in client.boards()} == {"sim1", "sim2"}
            assert client.command("sim2", "0985000000000014" + "0" * 11) == "0940"
        finally:
            client.stop(session.id)
        cache = DatabaseClient()
        assert client.download(session.id, cache).id == session.id
        cache.close()
        client.delete(session.id)


@asynccontextmanager
async def breaking_line(url: str, random: Random) -> AsyncIterator[str]:
    """A TCP line to the server that breaks, in the middle of whatever it is, after some kilobytes of a connection."""
    there = urlsplit(url)
    ended = asyncio.Event()
    connections: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        while limit > 0 and (chunk := await reader.read(min(limit, 65536))):
            limit -= len(chunk)
            writer.write(chunk)
            await writer.drain()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        there_reader, there_writer = await asyncio.open_connection(there.hostname, there.port)
        waits = [
            asyncio.create_task(carry(reader, there_writer, 1 << 30)),
            asyncio.create_task(carry(there_reader, writer, random.randrange(1000, 16_000))),
            asyncio.create_task(ended.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        for end in (writer, there_writer):
            end.transport.abort()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    line = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        # The server checks the name that it is called by, not the port.
        yield f"http://127.0.0.1:{line.sockets[0].getsockname()[1]}"
    finally:
        line.close()
        ended.set()
        await asyncio.gather(*connections)
