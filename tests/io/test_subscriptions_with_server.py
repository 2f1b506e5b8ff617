"""Subscriptions of streams by the client library, with a real server."""

import itertools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import pytest
from waiting import wait_until

import blitz
from blitz.data.points import Points
from blitz.errors import (
    ConfigError,
    RemoteError,
    StreamNotFound,
)
from blitz.io import live_reader

WAIT_S = 60


class Seen:
    """What a callback was called with."""

    def __init__(self, answer: Any = None) -> None:
        self.calls: SimpleQueue[tuple[str, Points]] = SimpleQueue()
        self.points = Points()
        self.answer = answer

    def __call__(self, path: str, data: Points) -> Any:
        self.points += data
        self.calls.put((path, data))
        return self.answer

    def next(self) -> tuple[str, Points]:
        return self.calls.get(timeout=WAIT_S)


def test_a_subscription_is_called_with_each_point_from_then_on(db: blitz.Client) -> None:
    stream = db["mystream"]
    stream.create({"type": "string"})
    stream.insert("before")
    seen = Seen()
    stream.subscribe(seen)
    stream.insert("Hello World!")
    path, data = seen.next()
    assert path == "mystream"
    assert data.d() == ["Hello World!"]
    assert data[-1] == stream[-1]
    stream.unsubscribe()
    stream.insert("after")
    assert not any(thread.name.startswith("blitz subscription") for thread in threading.enumerate())
    assert seen.points.d() == ["Hello World!"]


def test_a_point_inserted_right_after_subscribing_is_seen(db: blitz.Client) -> None:
    stream = db["quick"]
    stream.create()
    for n in range(20):
        seen = Seen()
        stream.subscribe(seen)
        stream.insert(n)
        assert seen.next()[1].d() == [n]
        stream.unsubscribe()


def test_calls_come_one_at_a_time_and_in_order_also_where_a_callback_is_slow(db: blitz.Client) -> None:
    stream = db["slow"]
    stream.create()
    under_way, most = 0, 0
    values: list[int] = []
    go_on = threading.Event()

    def callback(_: str, data: Points) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        go_on.wait(WAIT_S)
        values.extend(data.d())
        under_way -= 1

    stream.subscribe(callback)
    for n in range(100):
        stream.insert(n)
    assert values == []
    go_on.set()
    wait_until(lambda: len(values) >= 100)
    assert (values, most) == (list(range(100)), 1)


def test_a_callback_that_raises_is_logged_and_called_again(db: blitz.Client, caplog: pytest.LogCaptureFixture) -> None:
    stream = db["faulty"]
    stream.create()
    seen = Seen()

    def callback(path: str, data: Points) -> None:
        seen(path, data)
        raise StopIteration("no more") if data.d() == [1] else SystemExit(1)

    stream.subscribe(callback)
    for n in (1, 2, 3):
        stream.insert(n)
        assert seen.next()[1].d() == [n]
    stream.unsubscribe()
    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in failed] == ["The callback of stream faulty failed"] * 3


def test_two_callbacks_and_two_streams_are_called_beside_each_other(db: blitz.Client) -> None:
    one, other, both = Seen(), Seen(), Seen()
    for name in ("x", "y"):
        db[name].create()
        db[name].subscribe(both)
    db["x"].subscribe(one)
    db["y"].subscribe(other)
    db["x"].insert(1)
    db["y"].insert(2)
    assert (one.next()[1].d(), other.next()[1].d()) == ([1], [2])
    assert sorted([both.next()[0], both.next()[0]]) == ["x", "y"]
    db["x"].unsubscribe()
    db["y"].insert(3)
    assert both.next()[1].d() == [3]


@pytest.mark.parametrize("by", ["unsubscribe", "close"])
def test_a_callback_may_end_its_own_subscription(plain_server: Any, db: blitz.Client, by: str) -> None:
    db["ending"].create()
    called, ended = Seen(), threading.Event()

    def callback(path: str, data: Points) -> None:
        called(path, data)
        client["ending"].unsubscribe() if by == "unsubscribe" else client.close()
        ended.set()

    client = blitz.Client(plain_server.url)
    client["ending"].subscribe(callback)
    db["ending"].insert(1)
    assert ended.wait(WAIT_S)
    db["ending"].insert(2)
    client.close()
    wait_until(lambda: not any(thread.name == "blitz subscription ending" for thread in threading.enumerate()))
    assert called.points.d() == [1]


def test_closing_the_client_lets_a_call_end_and_ends_all(plain_server: Any, db: blitz.Client) -> None:
    db["closing"].create()
    begun, go_on = threading.Event(), threading.Event()
    ends: list[str] = []

    def callback(*_: Any) -> None:
        begun.set()
        go_on.wait(WAIT_S)
        ends.append("call")

    client = blitz.Client(plain_server.url)
    client["closing"].subscribe(callback)
    db["closing"].insert(1)
    assert begun.wait(WAIT_S)
    closing = threading.Thread(target=lambda: (client.close(), ends.append("close")))
    closing.start()
    wait_until(lambda: client.is_closed)
    go_on.set()
    closing.join(WAIT_S)
    assert ends == ["call", "close"]
    assert not any(thread.name.startswith("blitz ") for thread in threading.enumerate() if "closing" in thread.name)


@pytest.mark.parametrize("last_line", ["", "raise SystemExit(0)", "client = stream = None"])
def test_a_script_that_forgets_its_subscription_ends_all_the_same(
    plain_server: Any, db: blitz.Client, last_line: str
) -> None:
    db["forgotten"].create()
    script = (
        f"import blitz\nclient = blitz.Client({plain_server.url!r})\nstream = client['forgotten']\n"
        f"stream.subscribe(print)\nstream.insert(1)\n{last_line}\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_subscription_keeps_a_client_that_is_not_kept_otherwise(plain_server: Any, db: blitz.Client) -> None:
    db["kept"].create()
    script = f"""
import gc, threading, blitz
called = threading.Event()
blitz.Client({plain_server.url!r})["kept"].subscribe(lambda path, data: called.set())
gc.collect()
with blitz.Client({plain_server.url!r}) as other:
    other["kept"].insert(1)
print(called.wait(30))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("True\n", "")


def test_subscribing_to_what_is_not_there_says_so_and_leaves_no_thread(db: blitz.Client) -> None:
    with pytest.raises(StreamNotFound):
        db["nothing"].subscribe(print)

    async def coroutine(*_: Any) -> None: ...

    with pytest.raises(ConfigError, match="AsyncClient"):
        db["nothing"].subscribe(coroutine)
    wait_until(lambda: not any(thread.name == "blitz subscription nothing" for thread in threading.enumerate()))


def test_a_subscription_ends_with_its_stream(db: blitz.Client, caplog: pytest.LogCaptureFixture) -> None:
    db["gone"].create()
    db["gone"].subscribe(print)
    db["gone"].delete()
    wait_until(lambda: not any(thread.name == "blitz subscription gone" for thread in threading.enumerate()))
    assert any("The subscription to stream gone has ended" in record.getMessage() for record in caplog.records)


class Writing:
    """Inserts 1, 2, 3, …, each again and again until it is acknowledged, by numbered batches: each is stored once."""

    def __init__(self, *hosts: tuple[str, int]) -> None:
        self.count = 0
        self._hosts = hosts
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Writing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with blitz.Client(self._hosts) as client:
            for n in itertools.count(1):
                while True:
                    try:
                        client.insert_points("paced", [{"t": float(n), "d": n}], writer="test", batch=n)
                        break
                    except RemoteError:
                        self._stopping.wait(0.02)
                self.count = n
                if self._stopping.wait(0.005):
                    return


def host_of(server: Any) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(server.url).port or 0


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=(pytest.mark.soak, pytest.mark.timeout(600)))])
def test_each_point_is_seen_once_and_in_order_over_kills_of_the_server(
    run_server: Callable[..., Any], steady_port: int, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.1)
    server = run_server("--durability", "none", "--port", str(steady_port))
    with blitz.Client(server.url, max_wait_retry=0.3) as client:
        client["paced"].create({"type": "integer"})
        seen = Seen()
        client["paced"].subscribe(seen)
        with Writing(host_of(server)) as writing:
            for _ in range(kills):
                before = len(seen.points)
                wait_until(lambda least=before + 40: len(seen.points) >= least)
                server.kill()
                server.start()
            before = len(seen.points)
            wait_until(lambda: len(seen.points) >= before + 40)
        wait_until(lambda: len(seen.points) >= writing.count)
        assert seen.points.d() == list(range(1, writing.count + 1))
        assert seen.points == client["paced"][:]


def test_each_point_is_seen_once_and_in_order_where_one_of_two_servers_is_killed(
    run_server: Callable[..., Any], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.1)
    servers = run_server("--redis-url", redis_url), run_server("--no-acquisition", "--redis-url", redis_url)
    hosts = [host_of(server) for server in servers]
    with blitz.Client(hosts, max_wait_retry=0.3) as client:
        client["paced"].create({"type": "integer"})
        all_seen = [Seen() for _ in range(4)]  # one or the other server has each
        for seen in all_seen:
            client["paced"].subscribe(seen)
        with Writing(*hosts) as writing:
            wait_until(lambda: min(len(seen.points) for seen in all_seen) >= 40)
            servers[1].kill()
            before = writing.count
            wait_until(lambda: min(len(seen.points) for seen in all_seen) >= before + 40)
        for seen in all_seen:
            wait_until(lambda seen=seen: len(seen.points) >= writing.count)
            assert seen.points.d() == list(range(1, writing.count + 1))
