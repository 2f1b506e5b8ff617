"""Commands to streams in a real Redis: each is over once, with what it did, and none waits behind its time."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from blitz.data.backup import write_backup
from blitz.data.database_server import DatabaseServer
from blitz.data.restoring import restore_backup
from blitz.data.store_schema import migrate
from blitz.data.stream_commands import read_command
from blitz.data.stream_records import CommandState, StreamCommand
from blitz.errors import CommandOver, PointsRefused, StreamNotFound

SENT, ACKNOWLEDGED, FAILED, TIMED_OUT = CommandState


@pytest.fixture
def lamp(store: DatabaseServer) -> DatabaseServer:
    store.streams.create("lamp", schema={"type": "boolean"}, downlink=True)
    return store


def send(store: DatabaseServer, value: Any, timeout_s: float = 60) -> StreamCommand:
    command = store.streams.commands.send("lamp", value, timeout_s, "ann")
    assert command is not None
    return command


def states(store: DatabaseServer) -> list[StreamCommand]:
    messages = store.messages(store.streams.stream("lamp").downlink_id, 0, 1_000).messages()
    return [read_command(message) for message in messages]


def values(store: DatabaseServer) -> list[Any]:
    messages = store.messages(store.streams.stream("lamp").id, 0, 1_000).messages()
    return [json.loads(message)["d"] for message in messages]


def overdue(store: DatabaseServer) -> None:
    """Let all the time go by that commands have."""
    for member in store.client.zrange(store.keys.stream_deadlines, 0, -1):
        store.client.zadd(store.keys.stream_deadlines, {member: 1})


def test_a_command_is_sent_and_acknowledged_with_its_own_value(lamp: DatabaseServer) -> None:
    told: list[tuple[int, int]] = []
    lamp.streams.listeners.append(lambda *entry: told.append(entry))
    before = time.time()
    sent = send(lamp, True)
    assert (sent.id, sent.stream, sent.d, sent.by, sent.state, sent.timeout_s) == (1, "lamp", True, "ann", SENT, 60)
    assert before <= sent.t <= time.time()
    assert lamp.streams.commands.commands("lamp") == [sent]
    done = lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED, by="bob")
    assert (done.state, done.answered_by, done.reason) == (ACKNOWLEDGED, "bob", "")
    assert states(lamp) == [sent, done]
    assert lamp.streams.commands.commands("lamp") == [done]
    assert values(lamp) == [True]
    record = lamp.streams.stream("lamp")
    assert sent.t <= (record.newest_t or 0) <= time.time()
    assert told == [(record.downlink_id, 1), (record.downlink_id, 2), (record.id, 1)]
    assert not lamp.client.exists(lamp.keys.stream_deadlines)


def test_an_answer_may_bring_points_or_say_that_it_failed(lamp: DatabaseServer) -> None:
    for value in (True, False):
        send(lamp, value)
    lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED, points=[{"t": 5, "d": False}, {"t": 6, "d": True}])
    failed = lamp.streams.commands.answer("lamp", 2, FAILED, reason="The bulb is broken")
    assert (failed.state, failed.reason, failed.d) == (FAILED, "The bulb is broken", False)
    assert values(lamp) == [False, True]
    send(lamp, True)
    lamp.streams.commands.answer("lamp", 3, ACKNOWLEDGED, points=[])
    assert values(lamp) == [False, True]


def test_a_command_is_over_once(lamp: DatabaseServer) -> None:
    send(lamp, True)
    lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED)
    for command_id in (1, 2):
        with pytest.raises(CommandOver, match=f"No command {command_id} to the stream 'lamp' waits"):
            lamp.streams.commands.answer("lamp", command_id, FAILED)
    assert len(states(lamp)) == 2
    assert values(lamp) == [True]


def test_of_many_answers_at_once_one_counts(lamp: DatabaseServer) -> None:
    for _ in range(20):
        send(lamp, True)
    outcomes: list[bool] = []

    def answer(state: Any) -> None:
        for command_id in range(1, 21):
            try:
                lamp.streams.commands.answer("lamp", command_id, state)
                outcomes.append(True)
            except CommandOver:
                outcomes.append(False)

    threads = [threading.Thread(target=answer, args=(state,)) for state in (ACKNOWLEDGED, FAILED, ACKNOWLEDGED)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count(True), outcomes.count(False)) == (20, 40)
    final = lamp.streams.commands.commands("lamp")
    assert [command.id for command in final] == list(range(1, 21))
    assert len(values(lamp)) == sum(command.state is ACKNOWLEDGED for command in final)
    assert len(states(lamp)) == 40


def test_points_that_cannot_be_stored_leave_the_command_waiting(lamp: DatabaseServer) -> None:
    lamp.streams.append("lamp", [{"t": 100, "d": True}])
    send(lamp, False)
    for points in ([{"t": 99, "d": False}], [{"t": 101, "d": "off"}], [{"t": 102, "d": True}, {"t": 101, "d": True}]):
        with pytest.raises(PointsRefused):
            lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED, points=points)
    assert values(lamp) == [True]
    assert [command.state for command in states(lamp)] == [SENT]
    assert lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED, points=[{"t": 100, "d": False}]).state is ACKNOWLEDGED


def test_the_commands_own_value_fits_behind_points_of_the_future(lamp: DatabaseServer) -> None:
    ahead = time.time() + 1e6
    lamp.streams.append("lamp", [{"t": ahead, "d": True}])
    send(lamp, False)
    lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED)
    assert values(lamp) == [True, False]
    assert lamp.streams.stream("lamp").newest_t == ahead


def test_what_cannot_be_sent_is_not(lamp: DatabaseServer) -> None:
    with pytest.raises(PointsRefused, match="not sent: 'on' is not of type"):
        send(lamp, "on")
    lamp.streams.update("lamp", {"downlink": False})
    assert lamp.streams.commands.send("lamp", True, 1) is None
    for call in (
        lambda: lamp.streams.commands.send("no lamp", True, 1),
        lambda: lamp.streams.commands.answer("no lamp", 1, FAILED),
        lambda: lamp.streams.commands.commands("no lamp"),
    ):
        with pytest.raises(StreamNotFound):
            call()
    assert states(lamp) == []


def test_a_command_whose_time_is_over_is_ended_and_cannot_be_answered(lamp: DatabaseServer) -> None:
    assert lamp.streams.commands.expire() is None
    send(lamp, True, 0.05)
    send(lamp, False, 3600)
    found: list[float | None] = []
    wait_until(lambda: found.append(lamp.streams.commands.expire()) or len(states(lamp)) == 3)
    assert 3590 < (found[-1] or 0) <= 3600
    ended = states(lamp)[-1]
    assert (ended.id, ended.state, ended.reason) == (1, TIMED_OUT, "Nobody has answered within 0.05 s.")
    with pytest.raises(CommandOver):
        lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED)
    assert [command.state for command in lamp.streams.commands.commands("lamp")] == [TIMED_OUT, SENT]
    assert values(lamp) == []


def test_an_answer_behind_the_time_is_none_even_if_nobody_has_looked(lamp: DatabaseServer) -> None:
    send(lamp, True)
    overdue(lamp)
    with pytest.raises(CommandOver):
        lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED)
    assert [command.state for command in states(lamp)] == [SENT, TIMED_OUT]
    assert values(lamp) == []
    send(lamp, True)
    overdue(lamp)
    assert lamp.streams.commands.commands("lamp")[-1].state is TIMED_OUT


def test_hundreds_of_commands_are_ended_and_listed_from_any_of_them(lamp: DatabaseServer) -> None:
    for place in range(1_100):
        send(lamp, bool(place % 2))
    overdue(lamp)
    assert lamp.streams.commands.expire() is None
    listed = lamp.streams.commands.commands("lamp")
    assert [command.id for command in listed] == list(range(101, 1_101))
    assert {command.state for command in listed} == {TIMED_OUT}
    assert [command.id for command in lamp.streams.commands.commands("lamp", 1)] == list(range(1, 1_001))
    assert [command.id for command in lamp.streams.commands.commands("lamp", 1_099)] == [1_099, 1_100]
    assert lamp.streams.commands.commands("lamp", 2_000) == []


def test_commands_of_a_stream_that_is_deleted_are_forgotten(lamp: DatabaseServer) -> None:
    send(lamp, True)
    overdue(lamp)
    number = lamp.streams.stream("lamp").downlink_id
    lamp.streams.delete("lamp")
    with pytest.raises(StreamNotFound):
        lamp.streams.commands.answer("lamp", 1, FAILED)
    with pytest.raises(StreamNotFound):
        send(lamp, True)
    assert lamp.streams.commands.expire() is None
    assert not [key for key in lamp.client.scan_iter() if b"session_%d" % number in key]
    assert not lamp.client.exists(lamp.keys.stream_deadlines)


def test_an_answer_that_got_lost_counts_once(lamp: DatabaseServer) -> None:
    """The connection asks a second time by itself."""
    execute = lamp.client.execute_command

    def lose_reply(*command: Any, **options: Any) -> Any:
        reply = execute(*command, **options)
        return execute(*command, **options) if command[0] == "EVAL" else reply

    lamp.client.execute_command = lose_reply  # type: ignore[method-assign]
    assert send(lamp, True).id == 1
    assert send(lamp, False).id == 2
    assert lamp.streams.commands.answer("lamp", 1, ACKNOWLEDGED).state is ACKNOWLEDGED
    overdue(lamp)
    lamp.streams.commands.expire()
    assert [(command.id, command.state) for command in states(lamp)] == [
        (1, SENT),
        (2, SENT),
        (1, ACKNOWLEDGED),
        (2, TIMED_OUT),
    ]
    assert values(lamp) == [True]


def test_a_command_that_waits_in_a_backup_is_over_when_it_is_restored(
    redis_url: str, lamp: DatabaseServer, tmp_path: Path
) -> None:
    migrate(lamp)
    send(lamp, True)
    write_backup(lamp, tmp_path / "b.tar")
    other = DatabaseServer(redis_url, "other:")
    restore_backup(tmp_path / "b.tar", other)
    other.streams.commands.recover()
    other.streams.commands.recover()
    assert other.streams.commands.expire() is None
    assert [command.state for command in states(other)] == [SENT, TIMED_OUT]
    assert send(other, False).id == 2
    other.close()


def test_a_value_of_any_kind_comes_as_it_was_sent(store: DatabaseServer) -> None:
    store.streams.create("any", downlink=True)
    for value in (None, {"a": None, "b": [1.5, "ü"]}, "", 0, []):
        sent = store.streams.commands.send("any", value, 60)
        assert sent is not None
        store.streams.commands.answer("any", sent.id, ACKNOWLEDGED)
        assert store.streams.commands.commands("any", sent.id)[0].d == value
