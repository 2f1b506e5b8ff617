"""Streams as sources, on real servers over a real Redis: shown beside boards, recorded on request, each point once."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import wait_until

import blitz
from blitz.data.database_server import DatabaseServer
from blitz.data.records import BoardRecord, LinkState
from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError, ConfigError, SourceExists, StoreUnavailable

NUMBER = {"type": "number"}


@pytest.fixture
def server(run_server: Callable[..., Any], redis_url: str) -> Iterator[Any]:
    server = run_server("--redis-url", redis_url)
    yield server
    server.end()


@pytest.fixture
def client(server: Any) -> Iterator[blitz.Client]:
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as client:
        yield client


def insert(store: DatabaseServer, *values: Any, name: str = "room") -> None:
    """Put points in as another server of the same store does, with the time 1000, 1001 …"""
    first = store.streams.stream(name).point_count
    store.streams.append(name, [{"t": 1000.0 + first + place, "d": value} for place, value in enumerate(values)])


def board(client: blitz.Client, name: str = "room") -> BoardRecord:
    return next(record for record in client.boards() if record.name == name)


def add(client: blitz.Client, **fields: Any) -> None:
    """Let a stream be a source, and wait until it is read."""
    client.add_source(SourceConfig(**{"name": "room", "link": "stream:room"} | fields))
    name = fields.get("name", "room")
    wait_until(lambda: board(client, name).state in (LinkState.READY, LinkState.RECORDING))


def values(client: blitz.Client, session_id: int) -> list[Any]:
    """Return the values of a session's points, in their order."""
    record = client.session(session_id)
    return [json.loads(message)["d"] for message in client.messages(session_id, 0, record.message_count).messages()]


def kill(server: Any, store: DatabaseServer) -> None:
    """Kill it, and do not wait until its lease has run out."""
    server.kill()
    store.client.delete(store.keys.server)


def preview(client: blitz.Client) -> int:
    return board(client).message_count


def test_points_of_a_session_are_in_it_and_those_before_and_after_it_are_not(
    client: blitz.Client, store: DatabaseServer
) -> None:
    store.streams.create("room", schema=NUMBER, unit="°C", nickname="Room temperature")
    insert(store, 1, 2)
    add(client)
    insert(store, 3)
    wait_until(lambda: preview(client) == 1)
    session = client.start("run")
    insert(store, *range(4, 2004))
    wait_until(lambda: client.status().session.message_count == 2000)  # type: ignore[union-attr]
    assert board(client).state is LinkState.RECORDING
    insert(store, 2004)
    record = client.stop()
    insert(store, 2005)
    assert values(client, session.id) == list(range(4, 2005))
    assert record.verdict == "no gaps, nothing lost, account balances"
    (source,) = client.session(session.id).sources
    assert source.definition is not None
    assert [(c.name, c.label, c.unit) for c in source.definition.channels] == [("room", "Room temperature", "°C")]
    assert store.streams.stream("room").point_count == 2005
    wait_until(lambda: preview(client) == 2003)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_a_session_that_outlives_its_server_has_each_point_once_and_in_order(
    server: Any, client: blitz.Client, store: DatabaseServer, kills: int
) -> None:
    store.streams.create("room", schema=NUMBER)
    insert(store, -1)
    add(client)
    session = client.start("run")
    is_over = threading.Event()
    count = 0

    def go_on() -> None:
        nonlocal count
        while not is_over.wait(0.002):
            insert(store, count)
            count += 1

    script = threading.Thread(target=go_on)
    script.start()
    try:
        for times in range(1, kills + 1):
            before = count
            wait_until(lambda before=before: count > before + 50)  # type: ignore[misc]
            kill(server, store)
            before = count
            wait_until(lambda before=before: count > before + 50)  # type: ignore[misc]
            server.start()
            with contextlib.closing(blitz.Client(server.url, timeout=60)) as after:
                wait_until(lambda after=after: board(after).state is LinkState.RECORDING)  # type: ignore[misc]
                assert after.session(session.id).resumed == times
    finally:
        is_over.set()
        script.join()
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as after:
        record = after.stop()
        assert values(after, session.id) == list(range(count))
        assert not record.gaps


def test_a_stream_is_shown_beside_a_session_and_recorded_when_somebody_asks_for_it(
    client: blitz.Client, store: DatabaseServer
) -> None:
    store.streams.create("room", schema=NUMBER)
    add(client, is_recorded=False)
    session = client.start("run")
    insert(store, 1, 2)
    wait_until(lambda: preview(client) == 2)
    assert (board(client).state, board(client).is_recorded) == (LinkState.READY, False)
    assert client.session(session.id).sources == ()
    client.update_source("room", is_recorded=True)
    wait_until(lambda: board(client).state is LinkState.RECORDING)
    insert(store, 3, 4)
    wait_until(lambda: client.session(session.id).message_count == 2)
    client.update_source("room", is_recorded=False)
    wait_until(lambda: board(client).state is LinkState.READY)
    insert(store, 5)
    wait_until(lambda: preview(client) == 1)
    client.update_source("room", is_recorded=True, name="hall")
    wait_until(lambda: board(client, "hall").state is LinkState.RECORDING)
    insert(store, 6)
    record = client.stop()
    assert values(client, session.id) == [3, 4, 6]
    assert record.verdict.endswith("account balances")


def test_what_was_recorded_in_parts_goes_on_behind_them_when_the_server_is_killed(
    server: Any, client: blitz.Client, store: DatabaseServer
) -> None:
    store.streams.create("room", schema=NUMBER)
    add(client)
    session = client.start("run")
    insert(store, 1, 2)
    wait_until(lambda: client.session(session.id).message_count == 2)
    client.delete_source("room")
    insert(store, 3)
    add(client, name="again")
    insert(store, 4)
    wait_until(lambda: client.session(session.id).message_count == 3)
    kill(server, store)
    insert(store, 5)
    server.start()
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as after:
        wait_until(lambda: after.session(session.id).message_count == 4)
        after.stop()
        assert values(after, session.id) == [1, 2, 4, 5]


def test_a_stream_that_is_made_later_or_anew_is_read_from_its_first_point(
    client: blitz.Client, store: DatabaseServer
) -> None:
    client.add_source(SourceConfig(name="room", link="stream:room"), later=True)
    session = client.start("run")
    wait_until(lambda: "There is no stream 'room'" in (board(client).error or ""))
    store.streams.create("room")
    insert(store, {"in": 21.5, "open": True}, {"in": 22, "open": False})
    wait_until(lambda: client.session(session.id).message_count == 2)
    definition = client.definition("room")
    assert [channel.name for channel in definition.channels] == ["in", "open"]
    assert not board(client).is_guessed
    store.streams.delete("room")
    wait_until(lambda: board(client).state is LinkState.AWAY)
    store.streams.create("room", schema=NUMBER)
    insert(store, 7, 8)
    wait_until(lambda: client.session(session.id).message_count == 4)
    record = client.stop()
    assert values(client, session.id)[2:] == [7, 8]
    assert not record.gaps


def test_readings_have_the_time_that_their_points_have(client: blitz.Client, store: DatabaseServer) -> None:
    store.streams.create("room")
    add(client)
    session = client.start("run")
    began_s = session.started_at.timestamp()
    points = [{"t": began_s + 0.25 * number, "d": {"on": number % 2 == 0, "v": number}} for number in range(-20, 1)]
    store.streams.append("room", points)
    wait_until(lambda: client.session(session.id).message_count == len(points))
    client.stop()
    found = client.readings(session.id, "v")["v"]
    assert found.values.tolist() == list(range(-20, 1))
    times_s = found.time.astype(np.int64) / 1e9
    assert np.allclose(np.diff(times_s), 0.25, atol=0.001)
    assert 0 <= times_s[-1] - began_s < 5  # the newest arrived so much later than it was made


def test_sessions_that_follow_one_another_have_each_point_once_between_them(
    client: blitz.Client, store: DatabaseServer
) -> None:
    store.streams.create("room", schema=NUMBER)
    add(client)
    first = client.start("run", repeat_every_s=1.0)
    count = 0
    while len(client.sessions()) < 4:
        insert(store, *range(count, count + 5))
        count += 5
    client.stop()
    ids = sorted(record.id for record in client.sessions())
    assert ids[0] == first.id
    found = [values(client, session_id) for session_id in ids]
    assert list(itertools.chain(*found)) == list(range(count))
    assert sum(map(bool, found)) > 2


def test_a_store_that_is_killed_costs_no_point(run_server: Callable[..., Any]) -> None:
    server = run_server("--durability", "always")
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as client:
        client["room"].create(NUMBER)
        add(client)
        session = client.start("run")
        for number in range(5):
            client["room"].insert(number)
        wait_until(lambda: client.session(session.id).message_count == 5)
        texts = [path.read_text("ascii") for path in Path(f"/proc/{server.process.pid}/task").glob("*/children")]
        (redis,) = {int(number) for text in texts for number in text.split()}
        os.kill(redis, signal.SIGKILL)
        count = 5
        while count < 10:
            with contextlib.suppress(StoreUnavailable):
                client["room"].insert(count)
                count += 1
        wait_until(lambda: client.session(session.id).message_count >= 10)
        record = client.stop()
        assert values(client, session.id) == [point["d"] for point in client["room"][:]]
        assert record.verdict.endswith("account balances")
    assert server.stop() == 0


def test_what_cannot_be_a_source_is_refused_in_a_sentence(client: blitz.Client, store: DatabaseServer) -> None:
    store.streams.create("room", schema=NUMBER)
    add(client)
    with pytest.raises(SourceExists, match="is the source 'room' already"):
        client.add_source(SourceConfig(name="other", link="stream:room"))
    with pytest.raises(ConfigError, match="1 to 200 characters"):
        client.add_source(SourceConfig(name="other", link="stream:"))
    with pytest.raises(BlitzError, match="no device"):
        client.examine("stream:hall", seconds=0.1)
    with pytest.raises(BlitzError, match="downlink"):
        client.command("room", "on")
    with pytest.raises(ConfigError, match="neither a protocol nor a framing"):
        client.update_source("room", protocol="netscanner")
    with pytest.raises(ValueError, match="only a stream"):
        SourceConfig(name="bench", link="COM3", is_recorded=False)


def test_a_value_that_is_longer_than_a_message_may_be_leaves_its_time(
    client: blitz.Client, store: DatabaseServer
) -> None:
    store.streams.create("room")
    add(client)
    session = client.start("run")
    insert(store, 1, "x" * (1 << 20), "y" * 100_000, 2)
    wait_until(lambda: client.session(session.id).message_count == 4)
    client.stop()
    assert values(client, session.id) == [1, None, "y" * 100_000, 2]


def test_a_stream_is_added_and_recorded_by_commands(server: Any, client: blitz.Client, store: DatabaseServer) -> None:
    store.streams.create("room temperature", schema=NUMBER)
    for words in ("add stream:room temperature", "change room_temperature"):
        command, _, rest = words.partition(" ")
        run_cli(server, "sources", command, rest, "--no-record" if command == "add" else "--record")
        assert client.sources()[0].is_recorded is (command == "change")
    assert client.sources()[0].link == "stream:room temperature"
    assert "stream:room temperature" in run_cli(server, "sources", "list")
    wait_until(lambda: board(client, "room_temperature").state is LinkState.READY)


def run_cli(server: Any, *arguments: str) -> str:
    command = [sys.executable, "-m", "blitz", *arguments, "--server", server.url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
