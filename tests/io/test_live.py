"""Viewers: the cursor from any place, order of events and blocks, slow viewers; the real hub, a real server."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from blitz.data.blocks import MessageBlock, Read
from blitz.data.database import DatabaseServer
from blitz.data.records import Event, EventKind, Source, StatusRecord, StoreRecord
from blitz.io.live import LiveHub
from blitz.io.live_feed import Feed

SOURCE = Source(index=0, name="sim1", link="/dev/x")


def _reads(first: int, count: int) -> list[Read]:
    return [Read(1000 + n, 0, [b"%d" % n]) for n in range(first, first + count)]


# ---- the feed and the hub, without a server ---------------------------------------------------------------------


def test_a_feed_gives_any_run_that_it_still_has() -> None:
    feed = Feed(7, "store")
    for first in range(0, 100, 10):
        feed.append(first, _reads(first, 10), 10)
    for first, stop in [(0, 100), (0, 1), (5, 15), (99, 100), (10, 20), (40, 40), (100, 100)]:
        block = feed.block(first, stop)
        assert block is not None
        assert (block.first_seq, block.messages()) == (first, [b"%d" % n for n in range(first, stop)])
    assert feed.block(0, 101) is None


def test_a_feed_stays_bounded_and_forgets_the_oldest() -> None:
    feed = Feed(7, "store")
    for first in range(0, 1_000_000, 1000):
        feed.append(first, [Read(1, 0, [b"x" * 28] * 1000)], 1000)
    assert feed.next_seq == 1_000_000
    assert 100_000 < feed.next_seq - feed.first_seq <= 132_000
    assert feed.block(0, 10) is None
    assert len(feed.block(feed.next_seq - 10, feed.next_seq) or []) == 10


class _Bench:
    """A hub over a real store, fed by hand as the appender does it."""

    def __init__(self, store: DatabaseServer) -> None:
        self.store = store
        self.hub = LiveHub(store.store_id, store.messages, store.session, self._status)
        self.hub.attach(asyncio.get_running_loop())

    def _status(self) -> StatusRecord:
        return StatusRecord.model_validate(
            {"version": "0", "store_id": "s", "now": "2026-01-01T00:00:00Z", "store": StoreRecord(is_up=True)}
        )

    def start(self) -> int:
        session_id = self.store.start_session(sources=[SOURCE])
        self.writer = self.store.writer(session_id)
        self.hub.open_session(session_id, [SOURCE])
        self.hub.post(
            Event(event=EventKind.SESSION_STARTED, session_id=session_id, session=self.store.session(session_id))
        )
        return session_id

    def append(self, session_id: int, first: int, count: int) -> None:
        reads = _reads(first, count)
        self.hub.publish(session_id, self.writer.append(reads), reads, count)

    def stop(self, session_id: int) -> None:
        self.writer.close()
        self.store.close_session(session_id)
        record = self.store.session(session_id)
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record))


async def _collect(frames: AsyncIterator[bytes | str], until: str) -> list[object]:
    """Read frames up to an event; return kinds of events and, for blocks, (session, first, next)."""
    seen: list[object] = []
    async for frame in frames:
        if isinstance(frame, str):
            event = json.loads(frame)
            seen.append(event["event"])
            if event["event"] == until:
                return seen
        else:
            block = MessageBlock.decode(frame)
            seen.append((block.session_id, block.first_seq, block.next_seq))
    return seen


def test_a_follower_sees_start_sources_blocks_and_stop_in_this_order(store: DatabaseServer) -> None:
    async def run() -> list[object]:
        bench = _Bench(store)
        frames = bench.hub.frames(None, None)
        assert json.loads(await anext(frames))["event"] == "status"
        watching = asyncio.create_task(_collect(frames, "session_stopped"))
        await asyncio.sleep(0)
        session_id = bench.start()
        bench.append(session_id, 0, 5)
        bench.stop(session_id)
        return await asyncio.wait_for(watching, 30)

    assert asyncio.run(run()) == ["session_started", "sources", (1, 0, 5), "session_stopped"]


@pytest.mark.parametrize(
    ("first", "expected"),
    [(None, []), (0, [(1, 0, 30)]), (-10, [(1, 20, 30)]), (-99, [(1, 0, 30)]), (25, [(1, 25, 30)])],
)
def test_a_late_joiner_begins_where_it_asks_to(
    store: DatabaseServer, first: int | None, expected: list[object]
) -> None:
    async def run() -> list[object]:
        bench = _Bench(store)
        session_id = bench.start()
        bench.append(session_id, 0, 30)
        frames = bench.hub.frames(None, first)
        for _ in range(2 + len(expected)):
            seen.append(await asyncio.wait_for(anext(frames), 30))
        watching = asyncio.create_task(_collect(frames, "session_stopped"))
        await asyncio.sleep(0)
        bench.append(session_id, 30, 3)
        bench.stop(session_id)
        return await asyncio.wait_for(watching, 30)

    seen: list[bytes | str] = []
    rest = asyncio.run(run())
    assert [json.loads(frame)["event"] for frame in seen[:2]] == ["status", "sources"]
    blocks = [MessageBlock.decode(frame) for frame in seen[2:] if isinstance(frame, bytes)]
    assert [(block.session_id, block.first_seq, block.next_seq) for block in blocks] == expected
    assert rest == [(1, 30, 33), "session_stopped"]


def test_what_memory_has_lost_comes_from_the_store_without_a_seam(store: DatabaseServer) -> None:
    async def run() -> list[tuple[int, int, int]]:
        bench = _Bench(store)
        session_id = bench.start()
        for first in range(0, 200_000, 5000):
            bench.append(session_id, first, 5000)
        feed = bench.hub._feeds[session_id]
        assert feed.first_seq > 0
        frames = bench.hub.frames(session_id, 0)
        bench.stop(session_id)
        seen = await asyncio.wait_for(_collect(frames, "session_stopped"), 30)
        return [part for part in seen if isinstance(part, tuple)]

    parts = asyncio.run(run())
    assert parts[0][1] == 0
    assert parts[-1][2] == 200_000
    assert all(before[2] == after[1] for before, after in itertools.pairwise(parts))


def test_viewers_at_one_place_share_one_encoded_block(store: DatabaseServer) -> None:
    async def run() -> None:
        bench = _Bench(store)
        session_id = bench.start()
        bench.append(session_id, 0, 100)
        first, _ = await bench.hub.encoded_block(session_id, 0, 100, as_ndjson=False)
        second, _ = await bench.hub.encoded_block(session_id, 0, 100, as_ndjson=False)
        assert first is second
        bench.stop(session_id)

    asyncio.run(run())


def test_a_slow_viewer_gets_later_larger_blocks_and_no_queue_grows(store: DatabaseServer) -> None:
    async def run() -> list[object]:
        bench = _Bench(store)
        session_id = bench.start()
        frames = bench.hub.frames(None, 0)
        await anext(frames)
        await anext(frames)
        for first in range(0, 10_000, 10):  # the viewer does not take a frame all this time
            bench.append(session_id, first, 10)
        block = await asyncio.wait_for(anext(frames), 30)
        assert isinstance(block, bytes)
        bench.stop(session_id)
        return [len(MessageBlock.decode(block))]

    assert asyncio.run(run()) == [10_000]


# ---- the WebSocket of a real server -----------------------------------------------------------------------------


def _url(server, query: str) -> str:
    return f"{server.url.replace('http', 'ws')}/api/v1/live{query}"


def _next(viewer: ClientConnection, kind: str) -> dict[str, object]:
    """Read on to an event of this kind."""
    deadline_s = time.monotonic() + 30
    while True:
        frame = viewer.recv(timeout=deadline_s - time.monotonic())
        if isinstance(frame, str) and (event := json.loads(frame)).get("event") == kind:
            return event


def test_a_viewer_follows_a_real_session_and_replays_it_afterwards(server) -> None:
    with (
        httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http,
        connect(_url(server, ""), proxy=None, open_timeout=30) as viewer,
    ):
        assert _next(viewer, "status")["status"]["version"]
        session_id = http.post("/sessions", json={"name": "live"}).json()["session"]["id"]
        assert _next(viewer, "session_started")["session"]["name"] == "live"
        assert {row["board_id"] for row in _next(viewer, "sources")["sources"]} == {"08", "09"}
        blocks: list[MessageBlock] = []
        while sum(map(len, blocks)) < 20:
            frame = viewer.recv(timeout=60)
            if isinstance(frame, bytes):
                blocks.append(MessageBlock.decode(frame))
        http.post(f"/sessions/{session_id}/stop").raise_for_status()
        while True:
            frame = viewer.recv(timeout=60)
            if isinstance(frame, bytes):
                blocks.append(MessageBlock.decode(frame))
            elif json.loads(frame)["event"] == "session_stopped":
                break
        whole = MessageBlock.concatenate(blocks)
        assert whole.first_seq == 0
        assert len(whole) == json.loads(frame)["session"]["message_count"]

        with connect(_url(server, f"?session={session_id}&first=0"), proxy=None, open_timeout=30) as replay:
            _next(replay, "sources")
            again = MessageBlock.decode(replay.recv(timeout=60))
            assert again.checksum == whole.checksum
            _next(replay, "session_stopped")
            with pytest.raises(ConnectionClosedOK):
                replay.recv(timeout=60)


def test_a_viewer_may_ask_for_lines_of_json(server) -> None:
    with connect(_url(server, "?session=preview&format=ndjson&first=-3"), proxy=None, open_timeout=30) as viewer:
        _next(viewer, "sources")
        while "event" in (row := json.loads(viewer.recv(timeout=60).splitlines()[0])):
            pass
        assert set(row) == {"seq", "arrived_ns", "source", "raw"}


def test_wrong_wishes_are_refused_before_the_connection_stands(server) -> None:
    for query, status in [("?session=12345", 404), ("?session=nonsense", 422), ("?first=x", 422)]:
        with pytest.raises(InvalidStatus) as refusal, connect(_url(server, query), proxy=None, open_timeout=30):
            pass
        assert refusal.value.response.status_code == status
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(_url(server, ""), origin="http://evil.example", proxy=None, open_timeout=30),
    ):
        pass
    assert refusal.value.response.status_code == 403
    assert json.loads(refusal.value.response.body)["code"] == "foreign_origin"


def test_a_session_that_this_server_has_yet_to_hear_of_is_followed_and_not_taken_for_finished(
    store: DatabaseServer,
) -> None:
    """Another server over the same store has started it just now."""

    async def run() -> list[object]:
        bench = _Bench(store)
        session_id = store.start_session(sources=[SOURCE])
        frames = bench.hub.frames(session_id, 0)
        assert json.loads(await anext(frames))["event"] == "status"
        watching = asyncio.create_task(_collect(frames, "session_stopped"))
        await asyncio.sleep(0)
        bench.writer = store.writer(session_id)
        bench.hub.open_session(session_id, [SOURCE])
        bench.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=session_id, session=store.session(session_id)))
        bench.append(session_id, 0, 5)
        bench.stop(session_id)
        async with asyncio.timeout(30):
            return await watching

    seen = asyncio.run(run())
    assert (1, 0, 5) in seen
    assert seen[-1] == "session_stopped"
