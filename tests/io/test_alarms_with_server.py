"""Alarms on a real server: raised once each whatever is killed, told by mail, acted upon, acknowledged."""

import contextlib
import os
import random
import signal
import tty
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, serving
from waiting import wait_until

import blitz
from blitz.data.alarm_records import AlarmOccurrence, AlarmState
from blitz.data.alarm_store import MOST_OPEN
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import SessionDecoder
from blitz.data.records import EventKind, LinkState
from blitz.data.session_alarms import SessionAlarms
from blitz.data.source_config import SourceConfig
from blitz.errors import AlarmNotFound, AlarmRuleExists, ConfigError, EditConflict, UnknownSource
from blitz.io.calls import default_owner

DEFINITION = BoardDefinition(
    id="oven",
    name="Oven",
    format=Format.COLUMNS,
    channels=(Channel(name="number", column=0), Channel(name="temp", column=1, unit="°C")),
)
HOT = {"name": "Too hot", "source": "oven", "channel": "temp", "condition": {"kind": "level", "above": 90}}


class Oven:
    """A device that prints what it is told to: its number, and a temperature."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.count = 0

    def say(self, *temperatures: float) -> None:
        for temperature in temperatures:
            os.write(self.master, b"%d,%g\n" % (self.count, temperature))
            self.count += 1

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


class Bench:
    """A server with an oven."""

    def __init__(self, server: Any, oven: Oven) -> None:
        self.server = server
        self.oven = oven

    def client(self) -> blitz.Client:
        return blitz.Client(self.server.url, timeout=60)

    def is_there(self, client: blitz.Client) -> bool:
        boards = [board for board in client.boards() if board.name == "oven"]
        return bool(boards) and boards[0].state in (LinkState.READY, LinkState.RECORDING)

    def evaluator(self) -> int | None:
        """Return the process that evaluates alarms; None while there is none."""
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_child = f"\nPPid:\t{self.server.process.pid}\n" in (path / "status").read_text()
                if is_child and b"blitz.io.alarm_process" in (path / "cmdline").read_bytes():
                    return int(path.name)
        return None


@pytest.fixture(scope="module")
def bench(run_server: Callable[..., Any]) -> Iterator[Bench]:
    server = run_server("--durability", "none")
    with contextlib.closing(Oven()) as oven:
        bench = Bench(server, oven)
        with bench.client() as client:
            client.add_source(SourceConfig(name="oven", link=oven.path, definition=DEFINITION))
            oven.say(20, 20)
            wait_until(lambda: bench.is_there(client))
        yield bench
        server.end()


@pytest.fixture
def client(bench: Bench) -> Iterator[blitz.Client]:
    """Rules and sessions end with the test."""
    with bench.client() as client:
        client.change_alarm_rule("no_data:oven", is_enabled=False)  # it raises an alarm where a test takes its time
        client.acknowledge_alarms()
        yield client
    with bench.client() as client:  # the server may have been started again
        if client.status().session is not None:
            client.stop()
        for kept in client.alarm_rules():
            if not kept.is_default:
                client.remove_alarm_rule(kept.id)
        client.acknowledge_alarms()


def of_rule(client: blitz.Client, rule_id: str) -> list[AlarmOccurrence]:
    return client.alarm_history(rule_id=rule_id, count=1000)[::-1]


def test_an_alarm_is_told_to_viewers_and_by_mail_and_so_is_its_end(bench: Bench, client: blitz.Client) -> None:
    with serving(MailServer(None)) as mail_server, bench.client() as viewer:
        place = {"host": "127.0.0.1", "port": mail_server.server_address[1], "security": "none"}
        client.add_hook("mail", sender="blitz@lab.example", to=["ada@lab.example"], on=["alarm", "alarm_over"], **place)
        assert client.test_hook("mail").is_sent
        session = client.start("bake")
        actions = [{"kind": "marker"}]
        rule = {**HOT, "severity": "critical", "advice": "Open the door.", "hooks": ["mail"], "actions": actions}
        rule_id = client.add_alarm_rule(rule).id
        told = []
        with viewer.live(session.id, raw=True) as live:
            bench.oven.say(20, 95, 96, 60)
            for entry in live:
                if getattr(entry, "event", None) is EventKind.ALARM and entry.alarm.occurrence is not None:
                    told.append(entry.alarm)
                if len(told) == 2:
                    break
        raised, cleared = told
        assert (raised.what, raised.counts.active, raised.counts.worst) == ("raised", 1, "critical")
        assert (cleared.what, cleared.counts.active, cleared.counts.unacknowledged) == ("cleared", 0, 1)
        assert (raised.occurrence.value, raised.occurrence.unit, raised.occurrence.rule_id) == (95, "°C", rule_id)
        wait_until(lambda: len(mail_server.mails) == 3)
        first, second = (message_from_bytes(mail[1], policy=policy.default) for mail in mail_server.mails[1:])
        assert "Critical: Too hot (95 °C)" in first["Subject"]
        assert "Open the door." in first.get_content()
        assert "Back to normal: Too hot (60 °C)" in second["Subject"]
        wait_until(lambda: client.markers(session.id))
        (marker,) = client.markers(session.id)
        assert (marker.text, marker.who) == ("Too hot: oven temp above 90 °C (95 °C)", "alarm Too hot")
        (occurrence,) = client.alarms()
        assert occurrence.state is AlarmState.LATCHED
        assert occurrence.done == (f"Session {session.id} has a marker.",)
        assert client.acknowledge_alarm(occurrence.id, "door opened").acknowledged_by == default_owner()
        assert client.alarms() == []
        assert client.status().alarms.unacknowledged == 0
        assert client.alarm_history(count=1)[0].note == "door opened"
        client.remove_hook("mail")


def test_each_crossing_is_there_once_and_latched_ones_stay_whatever_is_killed(
    bench: Bench, client: blitz.Client, request: pytest.FixtureRequest, seed: int
) -> None:
    _kill_again_and_again(bench, client, random.Random(seed), rounds=4)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_each_crossing_is_there_once_over_many_kills(bench: Bench, client: blitz.Client, seed: int) -> None:
    _kill_again_and_again(bench, client, random.Random(seed), rounds=60)


def _kill_again_and_again(bench: Bench, client: blitz.Client, chance: random.Random, rounds: int) -> None:
    session = client.start("killed")
    rule_id = client.add_alarm_rule({**HOT, "name": f"Killed {session.id}"}).id
    said: list[float] = []

    def say(count: int) -> None:
        values = [chance.choice((20.0, 95.0)) for _ in range(count)]
        said.extend(values)
        bench.oven.say(*values)

    for number in range(rounds):
        say(chance.randrange(5, 40))
        if number % 2 == 0:
            if (process_id := bench.evaluator()) is not None:
                os.kill(process_id, signal.SIGKILL)
            say(5)
        else:
            bench.server.kill()
            say(5)
            bench.server.start()
        with bench.client() as again:
            wait_until(lambda again=again: bench.is_there(again))
            record = again.status().session
            assert record is not None
            assert record.id == session.id
        if number % 2 == 0:  # else what is said now may be among the first lines of a port that was opened anew
            continue
    with bench.client() as again:
        say(3)
        last = bench.oven.count - 1

        def has_last() -> bool:
            count = again.session(session.id).message_count
            block = again.messages(session.id, max(count - 1, 0), 1)
            return [int(raw.split(b",")[0]) for raw in block.messages()] == [last]

        wait_until(has_last)
        bench.oven.say(20, 99)
        wait_until(lambda: of_rule(again, rule_id) and of_rule(again, rule_id)[-1].value == 99)
        count = again.session(session.id).message_count
        lines = again.messages(session.id, 0, count).messages()
        values = [float(raw.split(b",")[1]) for raw in lines]
        hot = [value > 90 for value in values]
        ups = [seq for seq, is_hot in enumerate(hot) if is_hot and not (seq and hot[seq - 1])]
        downs = [seq for seq, is_hot in enumerate(hot) if not is_hot and seq and hot[seq - 1]]
        occurrences = of_rule(again, rule_id)
        # What was said before the rule was there, or across the kill of the server into another session, is not in it.
        assert [each.seq for each in occurrences] == ups
        assert sum(each.cleared_at is not None for each in occurrences) == len(downs)
        latched = [each.id for each in again.alarms() if each.rule_id == rule_id]
        assert sorted(latched) == [each.id for each in occurrences][-MOST_OPEN:]  # none was acknowledged
        again.acknowledge_alarms("seen")
        bench.oven.say(20)
        wait_until(lambda: not [each for each in again.alarms() if each.rule_id == rule_id])
    client.close()


def test_a_session_that_is_over_has_the_alarms_that_the_server_raised_in_it(bench: Bench, client: blitz.Client) -> None:
    session = client.start("played")
    rules = {
        client.add_alarm_rule({**HOT, "name": name, "condition": condition, **fields}).id: name
        for name, condition, fields in (
            ("Level", {"kind": "level", "above": 90, "hysteresis": 5}, {"is_latched": False}),
            ("Band", {"kind": "band", "low": 50, "high": 95}, {"only_recording": True, "is_latched": False}),
            ("Equal", {"kind": "equal", "value": 93}, {"is_latched": False}),
        )
    }
    chance = random.Random(5)
    for _ in range(10):
        bench.oven.say(*(chance.choice((20, 60, 88, 91, 93, 97)) for _ in range(20)))
    bench.oven.say(70, 97, 70, 93, 70)  # all is well at the end
    last = {"Level": 203, "Band": 201, "Equal": 203}

    def is_over(key: str) -> bool:
        """Alarms come behind what is stored: a moment without an open one may be in the middle."""
        alarms = of_rule(client, key)
        return any(each.seq == last[rules[key]] for each in alarms) and all(each.cleared_at for each in alarms)

    wait_until(lambda: all(map(is_over, rules)))
    raised = {key: of_rule(client, key) for key in rules}
    client.stop()
    record = client.session(session.id)
    block = client.messages(session.id)
    kept = {each.id: each.rule for each in client.alarm_rules() if each.id in rules}
    alarms = SessionAlarms(kept, record)
    found = alarms.take(block, SessionDecoder(record.sources).decode(block))
    for key, name in rules.items():
        told = [(each.raised_ns, each.seq, each.value) for each in raised[key]]
        assert len(told) > 5, name
        assert [(e.time_ns, e.seq, e.value) for e in found if e.rule_id == key and e.is_raised] == told
        over = [round(each.cleared_at.timestamp() * 1e6) for each in raised[key] if each.cleared_at is not None]
        assert [e.time_ns // 1000 for e in found if e.rule_id == key and not e.is_raised] == pytest.approx(over, abs=1)


def test_a_source_that_says_nothing_raises_an_alarm_by_itself_until_it_speaks(
    bench: Bench, client: blitz.Client
) -> None:
    bench.oven.say(20)
    soon = {"kind": "no_data", "after_s": 0.2}
    client.change_alarm_rule("no_data:oven", is_enabled=True, condition=soon)
    wait_until(lambda: [each for each in client.alarms() if each.cleared_at is None])
    alarm = client.alarms()[0]
    assert alarm.rule_id == "no_data:oven"
    assert alarm.rule.name == "No data from oven"
    bench.oven.say(20)
    wait_until(lambda: client.alarm_history(count=1, rule_id="no_data:oven")[0].cleared_at is not None)
    client.acknowledge_alarms()
    off = client.change_alarm_rule("no_data:oven", is_enabled=False)
    assert off.is_default
    assert off.rule.condition.kind == "no_data"
    assert [kept.rule.is_enabled for kept in client.alarm_rules() if kept.id == "no_data:oven"] == [False]
    client.remove_alarm_rule("no_data:oven")
    assert [kept.rule.is_enabled for kept in client.alarm_rules() if kept.id == "no_data:oven"] == [True]


def test_a_rule_says_while_its_delay_runs_that_it_is_about_to_be_raised(bench: Bench, client: blitz.Client) -> None:
    rule_id = client.add_alarm_rule({**HOT, "on_delay_s": 3600}).id
    silent = client.change_alarm_rule("no_data:oven", is_enabled=True, on_delay_s=3600,
                                      condition={"kind": "no_data", "after_s": 0.2}).id  # fmt: skip
    bench.oven.say(20, 95)
    wait_until(lambda: set(client.status().alarms.pending) == {rule_id, silent})
    states = {kept.id: kept.state for kept in client.alarm_rules()}
    assert states[rule_id] is states[silent] is AlarmState.PENDING
    assert client.alarms() == []
    client.change_alarm_rule("no_data:oven", is_enabled=False)
    bench.oven.say(20)
    wait_until(lambda: client.status().alarms.pending == ())
    client.remove_alarm_rule("no_data:oven")


def test_a_stream_and_a_file_may_be_silent_unless_somebody_says_otherwise(bench: Bench, client: blitz.Client) -> None:
    folder = bench.server.data_dir / "files"
    folder.mkdir(exist_ok=True)
    (folder / "run.csv").write_text("t,x\n1,2\n")
    room = client["room"]
    room.create({"type": "number"})
    room.insert(1.0)
    try:
        client.add_source(SourceConfig(name="room", link="stream:room"))
        client.add_source(SourceConfig(name="run", link=f"csv:{folder / 'run.csv'}"))
        client.remove_alarm_rule("no_data:oven")

        def own() -> dict[str, bool]:
            return {kept.id: kept.rule.is_enabled for kept in client.alarm_rules() if kept.is_default}

        assert own() == {"no_data:oven": True, "no_data:room": False, "no_data:run": False}
        changed = client.change_alarm_rule(
            "no_data:room", is_enabled=True, condition={"kind": "no_data", "after_s": 0.2}
        )
        assert (changed.rule.is_enabled, changed.is_default) == (True, True)
        wait_until(lambda: [each.rule_id for each in client.alarms() if each.source == "room"] == ["no_data:room"])
        client.remove_alarm_rule("no_data:room")
        assert not own()["no_data:room"]
        wait_until(lambda: not any(each.cleared_at is None for each in of_rule(client, "no_data:room")))
        assert client.change_alarm_rule("no_data:run", severity="info").rule.is_enabled is False
    finally:
        client.remove_alarm_rule("no_data:run")
        for name in ("room", "run"):
            client.delete_source(name)


def test_an_alarm_starts_a_session_and_another_one_stops_it_saying_why(bench: Bench, client: blitz.Client) -> None:
    begin = client.add_alarm_rule(
        {**HOT, "name": "Begin", "actions": [{"kind": "start", "name": "hot", "before_s": 30}]}
    ).id
    end = {"kind": "level", "above": 200}
    client.add_alarm_rule({**HOT, "name": "End", "condition": end, "actions": [{"kind": "stop"}]})
    first = bench.oven.count
    bench.oven.say(20, 95)
    wait_until(lambda: client.status().session is not None)
    session = client.status().session
    assert session is not None
    assert (session.name, session.owner) == ("hot", "alarm Begin")
    bench.oven.say(96, 250)
    wait_until(lambda: client.status().session is None)
    record = client.session(session.id)
    lines = client.messages(session.id, 0, record.message_count).messages()
    numbers = [int(raw.partition(b",")[0]) for raw in lines]
    assert numbers[0] <= first, "what came before is there, too"
    assert numbers == list(range(numbers[0], bench.oven.count))
    assert record.started_at <= client.alarm_history(rule_id=begin)[0].raised_at
    assert record.verdict == "no gaps, nothing lost, account balances"
    assert len(client.alarm_history(rule_id=begin)) == 1, "it is not seen twice"
    assert record.stop_reason.startswith("The alarm 'End' stopped it: End: oven temp above 200 °C (250 °C)")


def test_rules_are_checked_changed_by_version_and_what_moves_waits_for_two_confirmations(
    bench: Bench, client: blitz.Client
) -> None:
    kept = client.add_alarm_rule(HOT)
    with pytest.raises(AlarmRuleExists):
        client.add_alarm_rule(HOT)
    with pytest.raises(UnknownSource, match="no source 'stove'"):
        client.add_alarm_rule({**HOT, "name": "x", "source": "stove"})
    with pytest.raises(UnknownSource, match="no channel 'pressure', but number, temp"):
        client.add_alarm_rule({**HOT, "name": "x", "channel": "pressure"})
    later = client.add_alarm_rule({**HOT, "name": "later", "source": "stove"}, later=True)
    assert "no source 'stove'" in later.fault
    with pytest.raises(ConfigError, match="no hook 'nobody'"):
        client.change_alarm_rule(kept.id, hooks=["nobody"])
    changed = client.change_alarm_rule(kept.id, version=1, severity="critical")
    assert (changed.version, changed.rule.severity) == (2, "critical")
    with pytest.raises(EditConflict):
        client.change_alarm_rule(kept.id, version=1, severity="info")
    with pytest.raises(AlarmNotFound):
        client.acknowledge_alarm(999_999)
    client.change_alarm_rule("no_data:oven", severity="critical")
    client.update_source("oven", name="kiln")
    names = {each.id: (each.rule.source, each.rule.name) for each in client.alarm_rules()}
    assert names[kept.id] == ("kiln", "Too hot")
    assert names["no_data:kiln"] == ("kiln", "No data from kiln")
    client.update_source("kiln", name="oven")
    client.remove_alarm_rule("no_data:oven")
    assert {each.rule.source for each in client.alarm_rules()} == {"oven", "stove"}
    moving = [{"kind": "command", "board": "oven", "command": "098500000000001400000000000"}]
    kept = client.change_alarm_rule(kept.id, actions=moving)
    assert "confirmed twice" in kept.fault
    assert kept.must_confirm == 2
    kept = client.confirm_alarm_rule(kept.id)
    assert kept.must_confirm == 1
    assert "confirmed twice" in kept.fault
    with pytest.raises(blitz.errors.BlitzError, match="a moment ago"):
        client.confirm_alarm_rule(kept.id)
