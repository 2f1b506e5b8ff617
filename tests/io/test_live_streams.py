"""Following streams: a subscriber sees each point once, in order, whoever stores it and whatever breaks."""

import asyncio
import itertools
import json
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_redis import running_redis
from waiting import wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from blitz.data.blocks import MessageBlock
from blitz.data.database_server import DatabaseServer
from blitz.data.records import StatusRecord, StoreRecord
from blitz.io.live import LiveHub


class Bench:
    """A hub over a real store, without a server."""

    def __init__(self, store: DatabaseServer) -> None:
        self.store = store
        self.hub = LiveHub(store.store_id, store.messages, store.session, self.status, store)
        self.hub.attach(asyncio.get_running_loop())

    def status(self) -> StatusRecord:
        return StatusRecord.model_validate(
            {"version": "0", "store_id": "s", "now": "2026-01-01T00:00:00Z", "store": StoreRecord(is_up=True)}
        )


async def values(frames: AsyncIterator[bytes | str], count: int) -> list[Any]:
    """Return the values of the next so many points."""
    seen: list[Any] = []
    async with asyncio.timeout(30):
        async for frame in frames:
            if isinstance(frame, bytes):
                seen += [json.loads(message)["d"] for message in MessageBlock.decode(frame).messages()]
            if len(seen) >= count:
                break
    return seen


def insert(store: DatabaseServer, *wanted: Any) -> None:
    store.streams.append("a", [{"t": time.time(), "d": value} for value in wanted], restamp=True)


def test_viewers_of_a_stream_get_what_there_is_and_what_comes_without_an_end(store: DatabaseServer) -> None:
    async def run() -> None:
        bench = Bench(store)
        number = store.streams.create("a").id
        insert(store, 0, 1, 2)
        early, late = bench.hub.frames(number, 0), bench.hub.frames(number, -1, as_ndjson=True)
        assert await values(early, 3) == [0, 1, 2]
        lines = [await anext(late) for _ in range(3)]
        assert json.loads(lines[1])["sources"][0]["name"] == "a"
        assert json.loads(json.loads(lines[2])["raw"])["d"] == 2
        await asyncio.to_thread(insert, store, *range(3, 5_000))  # as another program does
        assert await values(early, 4_997) == list(range(3, 5_000))
        assert bench.hub.streams is not None
        assert bench.hub.streams.get(number) is not None
        assert [thread.name for thread in threading.enumerate()].count("streams") == 1
        await early.aclose()  # type: ignore[attr-defined]
        await late.aclose()  # type: ignore[attr-defined]
        assert bench.hub.streams.get(number) is None

    asyncio.run(run())
    wait_until(lambda: "streams" not in [thread.name for thread in threading.enumerate()])


def test_a_viewer_of_a_stream_that_is_deleted_is_let_go(store: DatabaseServer) -> None:
    async def run() -> None:
        bench = Bench(store)
        number = store.streams.create("a").id
        frames = bench.hub.frames(number, None)
        await anext(frames)
        await anext(frames)
        store.streams.delete("a")
        async with asyncio.timeout(30):
            assert [frame async for frame in frames] == []

    asyncio.run(run())
    wait_until(lambda: "streams" not in [thread.name for thread in threading.enumerate()])


def test_where_the_store_has_lost_the_last_points_those_that_come_in_their_place_are_shown(
    store: DatabaseServer,
) -> None:
    async def run() -> None:
        bench = Bench(store)
        number = store.streams.create("a").id
        insert(store, *range(10))
        frames = bench.hub.frames(number, 0)
        assert await values(frames, 10) == list(range(10))
        feed = bench.hub.stream_feed(number)
        assert feed is not None
        store.client.ltrim(store.keys.messages(number), 0, 6)
        async with asyncio.timeout(30):
            while feed.next_seq != 7:
                await asyncio.sleep(0.01)
        insert(store, "new")
        assert await values(frames, 1) == ["new"]
        await frames.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())


def subscribe(url: str, session_id: int, first: int) -> ClientConnection:
    place = f"{url.replace('http', 'ws')}/api/v1/live?session={session_id}&first={first}"
    return connect(place, proxy=None, open_timeout=30)


def read_points(viewer: ClientConnection) -> tuple[int, list[Any]]:
    """Return the place and the values of the next block."""
    while True:
        frame = viewer.recv(timeout=30)
        if isinstance(frame, bytes):
            block = MessageBlock.decode(frame)
            return block.first_seq, [json.loads(message)["d"] for message in block.messages()]


def test_a_subscriber_sees_each_point_once_over_a_restart_and_through_both_of_two_servers(
    run_server: Callable[..., Any], steady_port: int
) -> None:
    """One server goes away and comes back while points go in through the other one."""
    with tempfile.TemporaryDirectory() as name, running_redis(Path(name)):
        options = ("--redis-url", f"unix://{name}/redis.sock")
        one = run_server(*options)
        two = run_server(*options, "--no-acquisition", "--port", str(steady_port))
        with httpx.Client(base_url=f"{one.url}/api/v1", trust_env=False, timeout=60) as http:
            number = http.post("/streams", json={"name": "a"}).json()["id"]
            counter = itertools.count()
            is_over = threading.Event()

            def write() -> None:
                while not is_over.is_set():
                    points = [{"t": time.time(), "d": next(counter)} for _ in range(5)]
                    body = {"points": points, "restamp": True}
                    http.post("/streams/a/points", json=body).raise_for_status()

            writing = threading.Thread(target=write)
            writing.start()
            try:
                seen: list[Any] = []
                restarted_at = 0
                while len(seen) < restarted_at + 100 or not restarted_at:
                    try:
                        with subscribe(two.url, number, len(seen)) as viewer:
                            while len(seen) < restarted_at + 100 or not restarted_at:
                                first, values = read_points(viewer)
                                assert first == len(seen)
                                seen += values
                                if not restarted_at and len(seen) > 100:
                                    two.stop()
                                    two.start()
                                    restarted_at = len(seen)
                    except ConnectionClosed:
                        continue
            finally:
                is_over.set()
                writing.join()
            assert seen == list(range(len(seen)))
            http.delete("/streams/a").raise_for_status()
        with pytest.raises(InvalidStatus, match="404"):
            subscribe(two.url, number, 0)


def test_a_point_reaches_viewers_of_the_same_server_in_far_less_time_than_they_would_look(server: Any) -> None:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        number = http.post("/streams", json={"name": "quick"}).json()["id"]
        with subscribe(server.url, number, 0) as viewer:
            for value in range(20):
                http.post("/streams/quick/points", json={"points": [{"t": value, "d": value}]}).raise_for_status()
                assert read_points(viewer) == (value, [value])
            http.delete("/streams/quick").raise_for_status()
            with pytest.raises(ConnectionClosed):
                read_points(viewer)
