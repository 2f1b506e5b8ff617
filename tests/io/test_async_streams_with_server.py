"""Streams by the asynchronous client, with a real server."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import blitz
from blitz.data.points import Points
from blitz.data.stream_records import CommandState
from blitz.errors import ConfigError

pytestmark = pytest.mark.anyio
WAIT_S = 60


@pytest.fixture
async def client(plain_server: Any) -> AsyncIterator[blitz.AsyncClient]:
    async with asyncio.timeout(WAIT_S), blitz.AsyncClient(plain_server.url) as client:
        yield client
        for stream in await client.streams():
            await client[stream.name].delete()


async def test_points_are_inserted_and_read(client: blitz.AsyncClient) -> None:
    stream = client["temperature"]
    assert not await stream.exists()
    await stream.create({"type": "number"}, unit="°C")
    await stream.insert(20, t=1000)
    await stream.insert_array([{"t": 1001 + n, "d": 21 + n} for n in range(9)])
    assert (await stream.insert_array([])).first == await stream.length() == 10
    assert await stream[0] == {"t": 1000.0, "d": 20}
    assert (await stream[-2:]).d() == [28, 29]
    assert (await stream(t1=1003, t2=1005)).d() == [23, 24]
    assert [point["d"] async for point in stream] == list(range(20, 30))
    assert (await stream.update(nickname="Oven")).nickname == (await stream.record()).nickname == "Oven"
    with pytest.raises(IndexError):
        await stream[10]
    with pytest.raises(ConfigError):
        client[0]  # type: ignore[index]


async def test_callbacks_are_functions_or_coroutines_on_the_loop(client: blitz.AsyncClient) -> None:
    stream = client["beats"]
    await stream.create()
    plain: asyncio.Queue[Any] = asyncio.Queue()
    waited: asyncio.Queue[Any] = asyncio.Queue()
    threads: set[int] = set()

    def function(path: str, data: Points) -> None:
        threads.add(threading.get_ident())
        plain.put_nowait((path, data.d()))

    async def coroutine(path: str, data: Points) -> None:
        threads.add(threading.get_ident())
        await waited.put((path, (await stream[-1])["d"]))

    await stream.subscribe(function)
    await stream.subscribe(coroutine)
    await stream.insert(1)
    assert await plain.get() == ("beats", [1])
    assert await waited.get() == ("beats", 1)
    assert threads == {threading.get_ident()}


async def test_a_coroutine_answers_commands(client: blitz.AsyncClient) -> None:
    stream = client["set point"]
    await stream.create({"type": "number"}, downlink=True)

    async def move(_: str, data: Points) -> list[dict[str, Any]] | bool:
        await asyncio.sleep(0)
        return data.shifted(0.5) if data[-1]["d"] < 100 else False

    await stream.subscribe(move, downlink=True)
    done, late = await asyncio.gather(stream.send(5, WAIT_S), stream.send(500, 0.3))
    assert (done.state, late.state) == (CommandState.ACKNOWLEDGED, CommandState.TIMED_OUT)
    assert await stream[:] == [{"t": done.t + 0.5, "d": 5}]


async def test_unsubscribing_lets_a_call_end_and_none_follows(client: blitz.AsyncClient) -> None:
    stream = client["ends"]
    await stream.create()
    begun, go_on = asyncio.Event(), asyncio.Event()
    ends: list[Any] = []

    async def slow(_: str, data: Points) -> None:
        begun.set()
        await go_on.wait()
        ends.append(data.d())

    await stream.subscribe(slow)
    await stream.insert(1)
    await begun.wait()
    await stream.insert(2)
    ending = asyncio.create_task(stream.unsubscribe())
    await asyncio.sleep(0)
    go_on.set()
    await ending
    assert ends == [[1]]
    assert not client.subscriptions


@pytest.mark.parametrize("by", ["unsubscribe", "close"])
async def test_a_callback_may_end_its_own_subscription(plain_server: Any, client: blitz.AsyncClient, by: str) -> None:
    await client["own"].create()
    ended = asyncio.Event()
    other = blitz.AsyncClient(plain_server.url)

    async def callback(*_: Any) -> None:
        await (other["own"].unsubscribe() if by == "unsubscribe" else other.close())
        ended.set()

    subscription = await other["own"].subscribe(callback)
    await client["own"].insert(1)
    await ended.wait()
    await subscription.end()
    await other.close()
    assert not other.subscriptions


async def test_closing_ends_subscriptions_whatever_they_wait_for(plain_server: Any, client: blitz.AsyncClient) -> None:
    await client["never"].create()
    begun = asyncio.Event()

    async def for_ever(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    other = blitz.AsyncClient(plain_server.url)
    await other["never"].subscribe(for_ever)
    await client["never"].insert(1)
    await begun.wait()
    await other.close()
    assert not other.subscriptions


async def test_a_subscription_that_has_not_begun_ends_with_its_client(
    plain_server: Any, client: blitz.AsyncClient
) -> None:
    await client["early"].create()
    for is_client_closed in (True, False):
        other = blitz.AsyncClient(plain_server.url)
        await other["early"].subscribe(print)
        await (other.close() if is_client_closed else other["early"].unsubscribe())
        await asyncio.sleep(0)
        assert not other.subscriptions
        await other.close()
