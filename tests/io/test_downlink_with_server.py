"""Commands to streams by the client library, with a real server: a light switch and its lamp."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.points import Points
from blitz.data.stream_records import CommandState, StreamCommand
from blitz.errors import CommandOver, ConfigError, PointsRefused, RemoteError
from blitz.io import live_reader

WAIT_S = 60


@pytest.fixture
def switch(plain_server: Any, db: blitz.Client) -> Iterator[Any]:
    """The stream of a light, as another script sees it."""
    light = db["mylight"]
    light.create({"type": "boolean"})
    light.downlink = True
    with blitz.Client(plain_server.url) as client:
        yield client["mylight"]


def test_a_lamp_writes_down_what_it_did(db: blitz.Client, switch: Any) -> None:
    lamp: list[bool] = []

    def callback(path: str, data: Points) -> list[dict[str, Any]]:
        assert path == "mylight"
        ison = data[-1]["d"]
        lamp.append(ison)
        return [{"t": time.time(), "d": ison}]

    assert switch.downlink
    db["mylight"].subscribe(callback, downlink=True)
    for value in (True, False, True):
        command = switch.send(value, timeout=WAIT_S)
        assert (command.d, command.state, command.stream) == (value, CommandState.ACKNOWLEDGED, "mylight")
    assert lamp == [True, False, True]
    assert switch[:].d() == [True, False, True]


def test_true_acknowledges_with_the_commands_own_value(db: blitz.Client, switch: Any) -> None:
    db["mylight"].subscribe(lambda *_: True, downlink=True)
    assert switch.send(True, timeout=WAIT_S).state is CommandState.ACKNOWLEDGED
    assert switch[:].d() == [True]


@pytest.mark.parametrize("answer", [None, False])
def test_who_does_not_acknowledge_lets_the_command_time_out(db: blitz.Client, switch: Any, answer: Any) -> None:
    db["mylight"].subscribe(lambda *_: answer, downlink=True)
    assert switch.send(True, timeout=0.2).state is CommandState.TIMED_OUT
    assert len(switch) == 0


def test_a_command_that_nobody_listens_to_times_out(switch: Any) -> None:
    assert switch.send(False, timeout=0.2).state is CommandState.TIMED_OUT


def test_an_exception_tells_the_sender_what_went_wrong(db: blitz.Client, switch: Any) -> None:
    def callback(*_: Any) -> None:
        raise OSError("The bulb is broken. " + "x" * 5000)

    db["mylight"].subscribe(callback, downlink=True)
    command = switch.send(True, timeout=WAIT_S)
    assert command.state is CommandState.FAILED
    assert "The bulb is broken" in command.reason
    assert len(switch) == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [(1, "neither True nor False"), ([{"t": time.time(), "d": "on"}], "cannot be stored"), ([5], "cannot be stored")],
)
def test_an_answer_that_is_none_fails_with_a_reason(db: blitz.Client, switch: Any, answer: Any, words: str) -> None:
    db["mylight"].subscribe(lambda *_: answer, downlink=True)
    command = switch.send(True, timeout=WAIT_S)
    assert command.state is CommandState.FAILED
    assert words in command.reason


def test_what_no_stream_takes_is_refused(db: blitz.Client, switch: Any) -> None:
    for wrong in ("on", float("nan"), b"on"):
        with pytest.raises(PointsRefused, match="command was not sent"):
            switch.send(wrong)
    switch.downlink = False
    with pytest.raises(ConfigError, match="takes no commands"):
        db["mylight"].subscribe(print, downlink=True)
    with pytest.raises(RemoteError, match="takes no commands"):
        switch.send(True)


def test_a_command_that_still_waits_is_delivered_to_who_subscribes_later(db: blitz.Client, switch: Any) -> None:
    answered: SimpleQueue[StreamCommand] = SimpleQueue()
    assert switch.send(False, timeout=0.1).state is CommandState.TIMED_OUT
    sending = threading.Thread(target=lambda: answered.put(switch.send(True, timeout=WAIT_S)))
    sending.start()
    downlink_id = switch.record().downlink_id
    wait_until(lambda: b'"d":true' in b"".join(db.messages(downlink_id).messages()).replace(b" ", b""))
    values: list[bool] = []
    db["mylight"].subscribe(lambda _, data: bool(values.extend(data.d())) or True, downlink=True)
    sending.join()
    assert answered.get().state is CommandState.ACKNOWLEDGED
    assert values == [True]


def test_a_command_whose_time_went_by_behind_a_slow_one_is_not_delivered(db: blitz.Client, switch: Any) -> None:
    values: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def callback(_: str, data: Points) -> bool:
        values.extend(data.d())
        begun.set()
        return go_on.wait(WAIT_S)

    db["level"].create(downlink=True)
    db["level"].subscribe(callback, downlink=True)
    outcomes: dict[int, CommandState] = {}

    def send(value: int, timeout: float) -> None:
        outcomes[value] = db["level"].send(value, timeout).state

    first = threading.Thread(target=send, args=(1, WAIT_S))
    first.start()
    assert begun.wait(WAIT_S)
    send(2, 0.2)
    go_on.set()
    first.join()
    send(3, WAIT_S)
    assert values == [1, 3]
    acknowledged = CommandState.ACKNOWLEDGED
    assert outcomes == {1: acknowledged, 2: CommandState.TIMED_OUT, 3: acknowledged}


def test_commands_and_points_are_subscribed_and_unsubscribed_apart(db: blitz.Client, switch: Any) -> None:
    points: SimpleQueue[Any] = SimpleQueue()
    commands: SimpleQueue[Any] = SimpleQueue()
    light = db["mylight"]
    light.subscribe(lambda _, data: points.put(data.d()))
    light.subscribe(lambda _, data: bool(commands.put(data.d())) or True, downlink=True)
    switch.send(True, timeout=WAIT_S)
    assert points.get(timeout=WAIT_S) == commands.get(timeout=WAIT_S) == [True]
    light.unsubscribe()
    switch.send(False, timeout=WAIT_S)
    assert commands.get(timeout=WAIT_S) == [False]
    light.unsubscribe(downlink=True)
    assert switch.send(True, timeout=0.2).state is CommandState.TIMED_OUT
    assert points.empty()
    assert commands.empty()


def test_after_a_kill_of_the_server_open_commands_are_delivered_and_answered(
    run_server: Callable[..., Any], steady_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 1000.0)
    server = run_server("--durability", "none", "--port", str(steady_port))
    values: SimpleQueue[int] = SimpleQueue()
    killed_at = 4

    def callback(_: str, data: Points) -> bool:
        value = data[-1]["d"]
        values.put(value)
        if value == killed_at:
            server.kill()
            restarting.start()
        return bool(value >= 0)

    restarting = threading.Thread(target=lambda: server.start())

    async def try_now() -> None:
        client._client.try_now()

    with blitz.Client(server.url) as client, blitz.Client(server.url) as other:
        level = client["level"]
        level.create({"type": "integer"}, downlink=True)
        level.subscribe(callback, downlink=True)
        assert other["level"].send(1, WAIT_S).state is CommandState.ACKNOWLEDGED
        open_command = other._call(lambda: other._calls.send_command("level", -2, WAIT_S))
        assert [values.get(timeout=WAIT_S) for _ in range(2)] == [1, -2]
        server.kill()
        wait_until(lambda: client._client.next_try_s is not None)
        server.start()
        assert other["level"].send(2, 0.2).state is CommandState.TIMED_OUT
        client._call(try_now)
        assert other["level"].send(3, WAIT_S).state is CommandState.ACKNOWLEDGED
        assert values.get(timeout=WAIT_S) == 3
        other._call(lambda: other._calls.answer_command("level", open_command.id, is_done=False, reason="enough"))
        with pytest.raises(CommandOver):
            other._call(lambda: other._calls.answer_command("level", open_command.id))
        assert level[:].d() == [1, 3]
        assert values.empty()
        monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.1)
        # The answer goes out while the server is away, and again until it is back.
        assert other["level"].send(killed_at, WAIT_S).state is CommandState.ACKNOWLEDGED
        restarting.join()
        assert level[:].d() == [1, 3, killed_at]
