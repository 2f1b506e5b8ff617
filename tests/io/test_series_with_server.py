"""Series in and out: insert and query, on real servers, with fail-over."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import blitz
from blitz.data.time_precision import NANOSECOND
from blitz.errors import InsertError, InsertOverflow, QueryError, QueryTimeout
from blitz.io.redis_child import RedisChild

pytestmark = pytest.mark.anyio

T = 1_700_000_000
PASSWORD = "siri-siri-siri-siri"


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RedisChild(tmp_path_factory.mktemp("redis"), "none") as child:
        yield child.url


@pytest.fixture(scope="module")
def pair(run_server: Callable[..., Any], own_redis: str) -> tuple[Any, Any]:
    where = ("--redis-url", own_redis)
    return run_server("--token", PASSWORD, *where), run_server("--no-acquisition", "--token", PASSWORD, *where)


@pytest.fixture
async def client(pair: tuple[Any, Any]) -> AsyncIterator[blitz.AsyncClient]:
    async with blitz.AsyncClient(pair[0].url, token=PASSWORD, timeout=30) as client:
        yield client
        for stream in await client.streams():
            await client.delete_stream(stream.name)


async def test_the_documents_example_in_python_3(pair: tuple[Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    place = urlsplit(pair[0].url)
    siri = blitz.AsyncClient(
        username="iris",
        password=PASSWORD,
        dbname="dbtest",
        hostlist=[(place.hostname, place.port)],  # several connections are possible
        keepalive=True,
    )
    await siri.connect()
    try:
        ts = int(time.time())
        await siri.insert({"some_measurement": [[ts, 0.25]]})
        resp = await siri.query('select * from "some_measurement"')
        assert resp == {"some_measurement": [[ts, 0.25]]}
        assert isinstance(resp["some_measurement"][0][0], int)
        await siri["some_measurement"].delete()
    finally:
        await siri.close()
    assert siri.is_closed


async def test_precisions_conditions_and_aggregates(client: blitz.AsyncClient) -> None:
    await client.insert({"a b": [[T, 1], [T + 1.5, 2], [T + 60, 6]], "on": [[T, True]], "words": [[T, "x"], [T, [1]]]})
    expected = {
        None: [T, T + 1.5, T + 60],
        NANOSECOND: [T * 10**9, T * 10**9 + 1_500_000_000, (T + 60) * 10**9],
    }
    for precision, times in expected.items():
        answer = await client.query('select * from "a b"', time_precision=precision)
        assert answer == {"a b": [[t, value] for t, value in zip(times, (1, 2, 6), strict=True)]}
    assert await client.query(f'select * from "a b" where time >= to_timestamp({T + 1})') == {
        "a b": [[T + 1.5, 2], [T + 60, 6]]
    }
    assert await client.query('select sum(value) as total, avg(value) as n from "A B"') == {
        "total": [[None, 9]],
        "n": [[None, 3.0]],
    }
    minutes = "select time_bucket(interval '1 minute', time) as time, max(value) as most"
    sql = f'{minutes} from "a b" group by all order by 1'
    start = T - T % 60
    assert await client.query(sql) == {"a b": [[start, 2], [start + 60, 6]]}
    union = "select 'p' as name, time, value from \"a b\" where value > 5 union all select 'q', time, 7 from \"on\""
    assert await client.query(union) == {"p": [[T + 60, 6]], "q": [[T, 7]]}
    assert await client.query("select * from words") == {"words": [[T, "x"], [T, "[1]"]]}
    assert await client.query('select * from "on"') == {"on": [[T, True]]}
    assert (await client.query("select name, point_count from streams order by name"))["a b"] == [[None, 3]]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("select * from nothing", "table streams lists"),
        ("drop table x", "only read"),
        ("select 1; select 2", "2 statements"),
        ("selct", "cannot run"),
        ("select * from read_csv('/etc/passwd')", "no files"),
        ("select * from 'x.parquet'", "cannot run"),
        ("copy (select 1) to '/tmp/x.csv'", "only read"),
        ("set memory_limit = '99GB'", "only read"),
        ("select a.i from range(100000000) a(i) order by hash(a.i)", "more memory"),
        (
            "select count(*) from range(9999999) a, range(9999999) b where a.range + b.range = -1",
            "longer",
        ),
    ],
)
async def test_what_a_query_may_not_do_is_a_sentence(client: blitz.AsyncClient, sql: str, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence) as caught:
        await client.query(sql, timeout=5 if sentence == "longer" else 60)
    assert isinstance(caught.value, QueryTimeout) == ("longer" in sentence)
    assert isinstance(caught.value, TimeoutError) == ("longer" in sentence)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({}, InsertError),
        ([], InsertError),
        ({"x": []}, InsertError),
        ({"x": [[1]]}, InsertError),
        ({"x": "ab"}, InsertError),
        ({"x": ["ab"]}, InsertError),
        ({"x": [["soon", 1]]}, InsertError),
        ({"x": [[float("nan"), 1]]}, InsertError),
        ({"x": [[1, float("inf")]]}, InsertError),
        ({"a/b": [[1, 1]]}, InsertError),
        ({7: [[1, 1]]}, InsertError),
        ({"x": [[1, 2**63]]}, InsertOverflow),
        ({"x": [[2**63, 1]]}, OverflowError),
        ({"x": [[1, -(2**63) - 1]]}, OverflowError),
        ({"x": [[2, 1], [1, 1]]}, InsertError),
    ],
)
async def test_what_is_no_series_is_refused(client: blitz.AsyncClient, data: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await client.insert(data)


async def test_large_integers_come_back_as_they_are(client: blitz.AsyncClient) -> None:
    await client.insert({"large": [[T, 2**63 - 1], [T + 1, -(2**63)]]})
    assert await client.query("select * from large") == {"large": [[T, 2**63 - 1], [T + 1, -(2**63)]]}


async def test_points_older_than_the_newest_are_refused_and_later_ones_taken(client: blitz.AsyncClient) -> None:
    await client.insert({"x": [[T, 1]]})
    with pytest.raises(InsertError, match="x: "):
        await client.insert({"x": [[T - 1, 1]]})
    await client.insert({"x": [[T + 1, 2]]})
    assert (await client.query("select * from x"))["x"] == [[T, 1], [T + 1, 2]]


async def test_inserts_through_many_tasks_are_each_stored_once(client: blitz.AsyncClient) -> None:
    await asyncio.gather(*(client.insert({"many": [[T, n]], f"own {n}": [[T, n]]}) for n in range(50)))
    answer = await client.query("select * from many")
    assert sorted(value for _, value in answer["many"]) == list(range(50))


def test_the_blocking_client_inserts_and_queries(pair: tuple[Any, Any]) -> None:
    with blitz.Client([server.url for server in pair], password=PASSWORD, timeout=30) as client:
        client.insert({"b": [[T, 1]]})
        assert client.query("select * from b", time_precision="ms") == {"b": [[T * 1000, 1]]}
        client["b"].delete()


async def test_inserts_during_failover_are_stored_once_each(
    run_server: Callable[..., Any], own_redis: str, steady_port: int
) -> None:
    """One server is paused, goes on with what it had not answered, and is killed and started in between."""
    where = ("--redis-url", own_redis, "--redis-prefix", "failover:")
    first = run_server(*where)
    second = run_server("--no-acquisition", *where, "--port", str(steady_port))
    async with blitz.AsyncClient([first.url, second.url], timeout=2, inactive_time=1, max_wait_retry=1) as client:

        async def trouble() -> None:
            os.kill(second.process.pid, signal.SIGSTOP)
            await asyncio.sleep(2.5)  # longer than it is waited for
            os.kill(second.process.pid, signal.SIGCONT)
            second.kill()
            await asyncio.to_thread(second.start)

        async def log(series: str) -> list[int]:
            count = 0
            while not troubling.done() or count < 20:
                await client.insert({series: [[T + count, count]]})
                count += 1
                await asyncio.sleep(0.01)
            return list(range(count))

        async with asyncio.timeout(120):
            troubling = asyncio.create_task(trouble())
            try:
                logged = await asyncio.gather(*(log(f"s{n}") for n in range(3)))
            finally:
                troubling.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await troubling
                with contextlib.suppress(ProcessLookupError):
                    os.kill(second.process.pid, signal.SIGCONT)
            for n, values in enumerate(logged):
                record = await client.stream(f"s{n}")
                points = await client.stream_points(record.id, 0, record.point_count)
                assert [point["d"] for point in points] == values
