import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind, SessionRecord
from blitz.errors import AuthenticationError, RemoteError, ServerUnreachable, SessionNotFound
from blitz.io import live_reader
from blitz.io.connection import AsyncClient

pytestmark = pytest.mark.anyio
Make = Callable[..., SessionRecord]


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.01)


async def collect(client: AsyncClient, count: int, **options: Any) -> tuple[list[bytes], list[EventKind]]:
    """Read until `count` messages are there, and return them and the kinds of the events between."""
    messages: list[bytes] = []
    kinds: list[EventKind] = []
    async with asyncio.timeout(60), client.live(raw=True, **options) as stream:
        async for entry in stream:
            if isinstance(entry, Event):
                kinds.append(entry.event)
            else:
                messages += entry.messages()
                if len(messages) >= count:
                    break
    return messages, kinds


def numbers(first: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, stop)]


async def test_stream_goes_on_at_its_cursor_after_cuts(scripted: Any) -> None:
    async def part(wire: Any, query: dict[str, str]) -> None:
        first = int(query["first"])
        await wire.status()
        await wire.sources(1)
        await wire.block(1, max(0, first - 3), first + 10)
        await wire.cut()

    scripted.scripts[:] = [part]
    async with AsyncClient(scripted.url) as client:
        messages, kinds = await collect(client, 40, session=1, first=0)
    assert messages == numbers(0, 40)
    assert scripted.queries[:4] == [{"session": "1", "first": str(n)} for n in (0, 10, 20, 30)]
    assert kinds.count(EventKind.DISCONNECTED) == kinds.count(EventKind.RECONNECTED) == 3


async def test_stream_survives_a_server_that_is_started_again(scripted: Any) -> None:
    async def part(wire: Any, query: dict[str, str]) -> None:
        first = int(query.get("first", 0))
        await wire.status()
        await wire.block(1, first, first + 5)
        await wire.hold()

    scripted.scripts[:] = [part]
    async with (
        AsyncClient(scripted.url, max_wait_retry=0.05) as client,
        asyncio.timeout(60),
        client.live(raw=True) as stream,
    ):
        assert isinstance(await anext(stream), Event)
        assert isinstance(await anext(stream), MessageBlock)
        await asyncio.to_thread(scripted.close)
        lost = await anext(stream)
        assert isinstance(lost, Event)
        assert lost.event is EventKind.DISCONNECTED
        assert lost.notice is not None
        assert "was lost" in lost.notice.text
        await asyncio.to_thread(scripted.open)
        back = await anext(stream)
        assert isinstance(back, Event)
        assert back.event is EventKind.RECONNECTED
        messages: list[bytes] = []
        while not messages:
            entry = await anext(stream)
            messages = [] if isinstance(entry, Event) else entry.messages()
        assert messages == numbers(5, 10)


async def test_a_connection_that_is_waited_for_can_be_tried_at_once(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.block(1, int(query.get("first", 0)), int(query.get("first", 0)) + 5)
        if "first" not in query:
            await wire.cut()
        await wire.hold()

    scripted.scripts[:] = [part]
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 600.0)
    async with AsyncClient(scripted.url, max_wait_retry=600) as client, asyncio.timeout(60):
        assert client.next_try_s is None
        async with client.live(raw=True) as stream:
            async for entry in stream:
                if not isinstance(entry, Event):
                    continue
                if entry.event is EventKind.DISCONNECTED:
                    while client.next_try_s is None:
                        await asyncio.sleep(0.01)
                    assert client.next_try_s > time.monotonic() + 500
                    client.try_now()
                if entry.event is EventKind.RECONNECTED:
                    break
        assert client.next_try_s is None


async def test_stream_asks_again_after_a_damaged_block_and_after_a_hole(scripted: Any) -> None:
    async def damaged(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.block(1, 0, 5)
        await wire.send(b"\x00\x01 this is no block")
        await wire.hold()

    async def with_hole(wire: Any, query: dict[str, str]) -> None:
        await wire.block(1, 7, 9)
        await wire.hold()

    async def good(wire: Any, query: dict[str, str]) -> None:
        await wire.block(1, int(query["first"]), 10)
        await wire.hold()

    scripted.scripts[:] = [damaged, with_hole, good]
    async with AsyncClient(scripted.url) as client:
        messages, kinds = await collect(client, 10, session=1, first=0)
    assert messages == numbers(0, 10)
    assert kinds.count(EventKind.DISCONNECTED) == 2


async def test_stream_ends_with_the_session_that_was_asked_for(scripted: Any) -> None:
    async def whole(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.block(4, 0, 3)
        await wire.stopped(4)

    scripted.scripts[:] = [whole]
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60):
        entries = [entry async for entry in client.live(4, 0, raw=True)]
    assert [entry.event if isinstance(entry, Event) else len(entry) for entry in entries] == [
        EventKind.STATUS,
        3,
        EventKind.SESSION_STOPPED,
    ]
    assert len(scripted.queries) == 1


async def test_following_stream_brings_sessions_that_were_recorded_while_it_was_away(
    scripted: Any, record: Make
) -> None:
    async def cut_in_session_one(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.block(1, 0, 5)
        await wire.cut()

    async def rest_of_one(wire: Any, query: dict[str, str]) -> None:
        await wire.block(1, 5, 8)
        await wire.stopped(1)

    async def all_of_two(wire: Any, query: dict[str, str]) -> None:
        await wire.block(2, 0, 4)
        await wire.stopped(2)

    async def next_one(wire: Any, query: dict[str, str]) -> None:
        await wire.event(EventKind.SESSION_STARTED, session_id=3, session=record(id=3, is_running=True))
        await wire.block(3, 0, 2)
        await wire.hold()

    scripted.script.sessions = [record(id=2), record(id=1)]
    scripted.scripts[:] = [cut_in_session_one, rest_of_one, all_of_two, next_one]
    async with AsyncClient(scripted.url) as client:
        messages, kinds = await collect(client, 14)
    assert messages == numbers(0, 8) + numbers(0, 4) + numbers(0, 2)
    assert scripted.queries == [
        {},
        {"session": "1", "first": "5"},
        {"session": "2", "first": "0"},
        {"first": "0"},
    ]
    assert kinds.count(EventKind.SESSION_STARTED) == 2
    assert kinds.count(EventKind.DISCONNECTED) == 1


async def test_slow_consumer_holds_the_server_back_and_gets_everything(scripted: Any) -> None:
    sent = 0
    block_messages = 20_000

    async def flood(wire: Any, query: dict[str, str]) -> None:
        nonlocal sent
        for number in range(100):
            await wire.block(1, number * block_messages, (number + 1) * block_messages)
            sent += 1

    scripted.scripts[:] = [flood]
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60), client.live(1, 0, raw=True) as stream:
        next_seq = 0
        while next_seq < 10 * block_messages:
            entry = await anext(stream)
            assert isinstance(entry, MessageBlock)
            assert entry.first_seq == next_seq
            next_seq = entry.next_seq
        # What went ahead is a handful of blocks in the library, the mailbox and the two sockets, of 60 more.
        assert sent < 60


async def test_latest_gives_a_lagging_consumer_the_newest_block_and_keeps_events(scripted: Any) -> None:
    async def burst(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.sources(1)
        for number in range(50):
            await wire.block(1, number, number + 1)
            await wire.status()
        await wire.stopped(1)

    scripted.scripts[:] = [burst]
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60):
        stream = client.live(1, 0, raw=True, latest=True)
        await asyncio.wait([stream._task])
        entries = [entry async for entry in stream]
    assert [entry.event if isinstance(entry, Event) else entry.first_seq for entry in entries] == [
        EventKind.SOURCES,
        49,
        EventKind.STATUS,
        EventKind.SESSION_STOPPED,
    ]


async def test_silent_server_counts_as_lost(scripted: Any) -> None:
    async def silent(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.hold()

    scripted.scripts[:] = [silent]
    async with AsyncClient(scripted.url, inactive_time=0.1) as client, asyncio.timeout(60):
        with pytest.raises(ServerUnreachable, match=r"nothing came for 0\.1 s"):
            async for _ in client.live(reconnect=False):
                pass


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(401, "authentication", AuthenticationError), (404, "session_not_found", SessionNotFound)],
)
async def test_refusal_of_the_live_connection_is_raised_and_not_tried_again(
    scripted: Any, status: int, code: str, error: type[Exception]
) -> None:
    scripted.refuse("/live", status, code, "A sentence of the server's.")
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60):
        with pytest.raises(error, match="A sentence of the server's"):
            await anext(client.live(7))
    assert [path for path, _ in scripted.requests].count("/live") == 1


async def test_other_store_at_the_same_address_ends_the_stream(scripted: Any) -> None:
    async def first(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.cut()

    async def other(wire: Any, query: dict[str, str]) -> None:
        await wire.status(store_id="another")
        await wire.hold()

    scripted.scripts[:] = [first, other]
    async with AsyncClient(scripted.url) as client:
        with pytest.raises(RemoteError, match="Another store answers"):
            await collect(client, 1)


async def test_unknown_events_of_a_newer_server_are_skipped(scripted: Any) -> None:
    async def newer(wire: Any, query: dict[str, str]) -> None:
        await wire.send('{"event": "moon_phase", "phase": 3}')
        await wire.block(1, 0, 1)
        await wire.hold()

    scripted.scripts[:] = [newer]
    async with AsyncClient(scripted.url) as client:
        assert await collect(client, 1, first=0) == (numbers(0, 1), [])


async def test_waiting_can_be_cancelled_without_loss(scripted: Any) -> None:
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def late(wire: Any, query: dict[str, str]) -> None:
        await wire.block(1, 0, 1)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
        await wire.block(1, 1, 2)
        await wire.hold()

    scripted.scripts[:] = [late]
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60), client.live(1, 0, raw=True) as stream:
        assert (await anext(stream)).messages() == numbers(0, 1)  # type: ignore[union-attr]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
        go_on.set()
        assert (await anext(stream)).messages() == numbers(1, 2)  # type: ignore[union-attr]


async def test_closing_the_client_ends_a_stream_that_waits(scripted: Any) -> None:
    async def silent(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.hold()

    scripted.scripts[:] = [silent]
    client = AsyncClient(scripted.url)
    stream = client.live(raw=True)
    async with asyncio.timeout(60):
        await anext(stream)
        waiting = asyncio.ensure_future(collect_all(stream))
        await asyncio.sleep(0)
        await client.close()
        await client.close()
        assert await waiting == []


async def test_stream_left_with_break_and_forgotten_ends_its_connection(scripted: Any) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def watch(wire: Any, query: dict[str, str]) -> None:
        await wire.status()
        await wire.hold()
        loop.call_soon_threadsafe(ended.set)

    scripted.scripts[:] = [watch]
    async with AsyncClient(scripted.url) as client, asyncio.timeout(60):
        async for _ in client.live():
            break
        gc.collect()
        await ended.wait()


async def collect_all(stream: Any) -> list[Any]:
    return [entry async for entry in stream]
