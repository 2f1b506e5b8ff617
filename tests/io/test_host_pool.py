"""Several hosts of one store, over real sockets."""

import asyncio
import json
import logging
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

import blitz
from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind, StatusRecord
from blitz.errors import (
    ConfigError,
    DatabaseNotFound,
    NoSession,
    PoolError,
    ServerUnreachable,
)
from blitz.io.host_list import parse_hosts
from blitz.io.host_pool import HostPool
from blitz.io.redis_child import RedisChild

pytestmark = pytest.mark.anyio

STORE_ID = "5f0c2b1e-0000-4000-8000-000000000001"


class Desk:
    """A small HTTP server: tells its status, gives each caller its own number back, and fails as it is told."""

    def __init__(self, store_id: str = STORE_ID) -> None:
        self.store_id = store_id
        self.calls: Counter[str] = Counter()
        self.is_silent = False
        self.batches: list[tuple[str, int]] = []
        """Writer and number of the points that came, answered or not."""
        self.drops_answers = False
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=200)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._released.set()
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, *_ = head.split(" ")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                self.calls[f"{method} {path.partition('?')[0]}"] += 1
                if path.endswith("/points"):
                    self.batches.append((json.loads(body)["writer"], json.loads(body)["batch"]))
                if self.is_silent:
                    await self._released.wait()
                    return
                if self.drops_answers and not path.endswith("/status"):
                    return
                answer = json.dumps(self._answer(path, body)).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _answer(self, path: str, body: bytes) -> Any:
        if path.endswith("/status"):
            status = {"version": blitz.__version__, "store_id": self.store_id, "now": "2026-03-01T12:00:00Z"}
            return {**status, "store": {"is_up": True}}
        if path.endswith("/points"):
            return {"first": 0, "count": 1, "repeated": True}
        number = int(path.rpartition("/")[2])
        return {"id": number, "started_at": "2026-03-01T12:00:00Z", "name": f"session {number}"}


@asynccontextmanager
async def open_desks(count: int, **options: Any) -> AsyncIterator[list[Desk]]:
    async with AsyncExitStack() as stack:
        desks = [Desk(**options) for _ in range(count)]
        for desk in desks:
            await desk.open()
            stack.push_async_callback(desk.close)
        yield desks


def hosts_of(desks: list[Desk], *options: dict[str, Any]) -> list[Any]:
    return [("127.0.0.1", desk.port, option) for desk, option in zip(desks, options, strict=True)]


async def test_calls_go_to_hosts_by_weight_and_to_the_backup_not_at_all() -> None:
    async with open_desks(3) as desks:
        hosts = hosts_of(desks, {"weight": 3}, {"weight": 1}, {"backup": True})
        async with blitz.AsyncClient(hosts) as client:
            for number in range(400):
                await client.session(number)
    calls = [sum(count for call, count in desk.calls.items() if "/sessions" in call) for desk in desks]
    assert calls == [pytest.approx(300, rel=0.05), pytest.approx(100, rel=0.05), 0]


async def test_connect_gives_one_result_a_host_errors_included() -> None:
    async with open_desks(2) as desks:
        await desks[1].close()
        client = blitz.AsyncClient(hosts_of(desks, {}, {}))
        first, second = await client.connect(timeout=5)
        await client.close()
        assert isinstance(first, StatusRecord)
        assert isinstance(second, ServerUnreachable)
        assert str(desks[1].port) in str(second)
        assert client.address.port == desks[0].port
        assert client.is_closed


async def test_the_backup_answers_while_no_other_does_and_a_host_that_is_back_is_used_again() -> None:
    wakes: list[tuple[float, asyncio.Event]] = []

    async def sleep(seconds: float) -> None:
        event = asyncio.Event()
        wakes.append((seconds, event))
        await event.wait()

    async with open_desks(2) as (main, spare):
        pool = HostPool(
            parse_hosts(hosts_of([main, spare], {}, {"backup": True})),
            10,
            keepalive=False,
            sleep=sleep,
            clock=lambda: 0.0,
        )
        await pool.fetch_json("GET", "/sessions/1")
        assert not spare.calls
        await main.close()
        await pool.fetch_json("GET", "/sessions/2")
        assert spare.calls["GET /api/v1/sessions/2"] == 1
        while not wakes:
            await asyncio.sleep(0)
        await main.open()
        assert wakes[0][0] == 1.0
        wakes[0][1].set()
        while main.calls["GET /api/v1/status"] != 2:
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            while not main.calls["GET /api/v1/sessions/4"]:  # as soon as the answer is noted
                await pool.fetch_json("GET", "/sessions/4")
        spare.calls.clear()
        await pool.fetch_json("GET", "/sessions/5")
        assert not spare.calls
        await pool.close()


async def test_waits_are_logged_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 8:
            enough.set()
            await asyncio.Event().wait()

    caplog.set_level(logging.INFO, "blitz.io.host_pool")
    async with open_desks(2) as desks:
        await desks[1].close()
        pool = HostPool(
            parse_hosts(hosts_of(desks, {}, {})), 10, keepalive=False, max_wait_s=20, sleep=sleep, clock=lambda: 0.0
        )
        await pool.connect()
        await enough.wait()
        await pool.close()
    told = [float(record.getMessage().split("again in ")[1].split(" s")[0]) for record in caplog.records]
    assert told == [1, 2, 4, 8, 16, 20, 20, 20, 20]
    assert waits == told
    caplog.clear()


async def test_a_host_that_does_not_answer_is_left_and_rests(caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []
    rests = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds:
            rests.set()
            await asyncio.Event().wait()

    async with open_desks(2) as desks:
        pool = HostPool(
            parse_hosts(hosts_of(desks, {}, {})), 0.2, keepalive=False, inactive_s=17, sleep=sleep, clock=lambda: 0.0
        )
        await pool.connect()
        desks[0].is_silent = True
        for number in range(10):
            await pool.fetch_json("GET", f"/sessions/{number}")
        await rests.wait()
        assert waits == [0, 17]
        assert desks[0].calls["GET /api/v1/status"] == 2, "asked once more, and left in peace then"
        await pool.close()
    caplog.clear()


async def test_keepalive_asks_each_host_every_45_seconds_and_finds_one_that_fell_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waits: list[float] = []
    rounds = asyncio.Event()
    rests = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds == 45:
            await rounds.wait()
        else:
            rests.set()
            await asyncio.Event().wait()

    async with open_desks(2) as desks:
        hosts = parse_hosts(hosts_of(desks, {}, {}))
        pool = HostPool(hosts, 0.2, inactive_s=30, sleep=sleep, clock=lambda: 0.0)
        await pool.connect()
        while len(waits) < 2:
            await asyncio.sleep(0)
        for desk in desks:
            desk.is_silent = True
        rounds.set()
        await rests.wait()
        with pytest.raises(PoolError, match="did not answer"):
            await pool.fetch_json("GET", "/sessions/1")
        await pool.close()
    assert waits[:2] == [45, 45]
    assert 30 in waits
    caplog.clear()


async def test_a_call_that_must_not_be_made_twice_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async with open_desks(2) as desks:
        for desk in desks:
            desk.drops_answers = True
        client = blitz.AsyncClient(hosts_of(desks, {}, {}))
        await client.connect()
        with pytest.raises(ServerUnreachable, match="broke during POST"):
            await client.stop(7)
        assert sum(desk.calls["POST /api/v1/sessions/7/stop"] for desk in desks) == 1
        await client.close()
    caplog.clear()


async def test_an_insert_whose_replies_were_all_lost_is_asked_again_under_its_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_desks(2) as desks, blitz.AsyncClient(hosts_of(desks, {}, {})) as client:
        for desk in desks:
            desk.drops_answers = True
        inserting = asyncio.create_task(client.insert({"x": [[1, 2]]}))
        async with asyncio.timeout(30):
            while not all(desk.batches for desk in desks):
                await asyncio.sleep(0.01)
            for desk in desks:
                desk.drops_answers = False
            await inserting
        await client.insert({"x": [[2, 2]]})
    batches = [batch for desk in desks for batch in desk.batches]
    assert len(batches) >= 4
    assert {number for _, number in batches} == {1, 2}
    assert len({writer for writer, _ in batches}) == 1
    caplog.clear()


async def test_no_host_at_all_is_a_pool_error_with_the_reasons(caplog: pytest.LogCaptureFixture) -> None:
    async with open_desks(2) as desks:
        for desk in desks:
            await desk.close()
        with pytest.raises(PoolError) as caught:
            async with blitz.AsyncClient(hosts_of(desks, {}, {})):
                pass
        assert all(str(desk.port) in str(caught.value) for desk in desks)
        assert isinstance(caught.value, ConnectionError)
    caplog.clear()


async def test_a_host_of_another_store_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with open_desks(1) as (one,), open_desks(1, store_id="another") as (other,):
        client = blitz.AsyncClient(hosts_of([one, other], {}, {}))
        first, second = await client.connect()
        assert isinstance(first, StatusRecord)
        assert isinstance(second, ConfigError)
        assert "blitz.Servers" in str(second)
        for number in range(10):
            await client.session(number)
        assert not [call for call in other.calls if "/sessions" in call]
        await client.close()
    caplog.clear()


async def test_1000_parallel_requests_are_answered_to_the_right_callers() -> None:
    async with open_desks(2) as desks, blitz.AsyncClient(hosts_of(desks, {}, {}), timeout=60) as client:
        numbers = random.Random(3).sample(range(10_000), 1000)
        records = await asyncio.gather(*map(client.session, numbers))
        assert [record.id for record in records] == numbers
        calls = [sum(count for call, count in desk.calls.items() if "/sessions" in call) for desk in desks]
        assert calls == [500, 500]


# ---- real servers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RedisChild(tmp_path_factory.mktemp("redis"), "none") as child:
        yield child.url


@pytest.fixture(scope="module")
def pair(run_server: Callable[..., Any], own_redis: str) -> tuple[Any, Any]:
    where = ("--redis-url", own_redis, "--redis-prefix", "dbtest:")
    return run_server("--simulate", "1", *where), run_server("--no-acquisition", *where)


async def test_a_paused_server_is_found_and_calls_and_live_views_go_on(
    pair: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    recording, following = pair
    async with blitz.AsyncClient([recording.url, following.url], timeout=3, inactive_time=3) as client:
        async with client.live() as stream:
            await anext(stream)
            os.kill(following.process.pid, signal.SIGSTOP)
            try:
                for _ in range(10):
                    await client.sessions()
                async with asyncio.timeout(60):
                    async for entry in stream:
                        if isinstance(entry, Event) and entry.status is not None and entry.status.acquires:
                            break
            finally:
                os.kill(following.process.pid, signal.SIGCONT)
        with pytest.raises(NoSession):
            await client.stop()
        assert [board.name for board in await client.boards()] == ["sim1"], "whichever host is asked first"
    caplog.clear()


async def test_a_live_view_goes_on_at_another_host_without_a_gap(
    pair: tuple[Any, Any], run_server: Callable[..., Any], own_redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = run_server("--no-acquisition", "--redis-url", own_redis, "--redis-prefix", "dbtest:")
    place = urlsplit(pair[0].url)
    hosts = [other.url, (place.hostname, place.port, {"backup": True})]
    async with asyncio.timeout(120), blitz.AsyncClient(hosts, timeout=30) as client:
        session = await client.start()
        async with client.live(session.id, 0, raw=True) as stream:
            seen: list[int] = []
            is_back = False
            async for entry in stream:
                if isinstance(entry, MessageBlock):
                    seen += range(entry.first_seq, entry.next_seq)
                    if other.process.poll() is None and len(seen) >= 5:
                        other.kill()
                    elif is_back:
                        break
                elif entry.event is EventKind.RECONNECTED:
                    is_back = True
        assert seen == list(range(len(seen)))
        await client.stop()
        await client.delete(session.id)
    caplog.clear()


async def test_the_database_is_checked_where_it_has_a_name(pair: tuple[Any, Any]) -> None:
    for hosts in ([pair[0].url], [pair[0].url, pair[1].url]):
        with pytest.raises(DatabaseNotFound, match="'dbtest'") as caught:
            async with blitz.AsyncClient(hosts, dbname="other"):
                pass
        assert isinstance(caught.value, IndexError)
        async with blitz.AsyncClient(hosts, dbname="dbtest", username="iris", loop=None) as client:
            assert client.owner == "iris"


def test_the_blocking_client_takes_several_hosts(pair: tuple[Any, Any]) -> None:
    hosts = [pair[0].url, pair[1].url]
    with blitz.Client(hosts, username="iris", dbname="dbtest") as client:
        assert len(client.connect()) == 2
        assert client.sessions() == []
