"""A session that a server recorded, and was killed in: what server, account and alarms say, against its export."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import independent
import independent_alarms
import numpy as np
import pandas as pd
import pytest
from waiting import wait_until

import blitz
from blitz.data.alarm_records import AlarmOccurrence
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.records import SessionRecord

LIMIT, HYSTERESIS = 6.0, 1.0
DEFINITION = """\
id = "rig"
name = "Rig"
format = "columns"

[clock]
column = 0
unit = "ms"

[[channels]]
name = "number"
column = 1
counts_messages = true

[[channels]]
name = "pressure"
column = 2
unit = "bar"
"""


class Rig:
    """A device that numbers its messages, at uneven steps by a clock of its own; its reader may come and go."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(9)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self._rhythm = threading.Event()
        self.link = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._zero_s = time.monotonic() - 70
        self.next_number = 0
        self.sent: dict[int, float] = {}
        """What was measured, NaN where the message was garbled, by number."""

    def close(self) -> None:
        """Be gone."""
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def accept(self) -> None:
        """Wait for a reader."""
        if self._connection is not None:
            self._connection.close()
        self._listener.settimeout(60)
        self._connection, _ = self._listener.accept()

    def measure(self, count: int) -> None:
        """Measure so many times, and send it: all but one in ten, one in twenty garbled."""
        assert self._connection is not None
        for number in range(self.next_number, self.next_number + count):
            self._rhythm.wait(int(self._random.integers(3, 14)) / 1000)
            clock_ms = int((time.monotonic() - self._zero_s) * 1000)
            value = round(5 + 3 * float(np.sin(number / 20)) + float(self._random.normal(0, 0.2)), 3)
            if number % 10 == 4:
                continue
            is_garbled = number % 20 == 7
            line = b"%d,%d,%.3f\n" % (clock_ms, number, value)
            self._connection.sendall(b"%d,%d,--\n" % (clock_ms, number) if is_garbled else line)
            self.sent[number] = np.nan if is_garbled else value
        self.next_number += count

    def pause(self, seconds: float) -> None:
        """Say nothing."""
        self._rhythm.wait(seconds)

    def reset(self) -> None:
        """Let the clock begin anew; numbers go on."""
        self._zero_s = time.monotonic() - 0.04


@dataclass(frozen=True, eq=False)
class Recorded:
    """What was recorded, as server, cache and export have it."""

    client: blitz.Client
    record: SessionRecord
    cache: DatabaseClient
    rig: Rig
    frame: pd.DataFrame
    alarms: list[AlarmOccurrence]


@pytest.fixture(scope="module")
def recorded(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder: Path = tmp_path_factory.mktemp("recorded")
    (folder / "rig.toml").write_text(DEFINITION)
    rig = Rig()
    server = run_server("--definitions-dir", str(folder), "--serial", f"{rig.link}=rig")
    rig.accept()
    with blitz.Client(server.url) as client:
        (board,) = client.boards()
        condition = {"kind": "level", "above": LIMIT, "hysteresis": HYSTERESIS}
        fields = {"name": "High", "source": board.name, "channel": "pressure", "on_gap": "normal"}
        rule = client.add_alarm_rule({**fields, "condition": condition, "only_recording": True}, later=True)
        session = client.start("rough")
        rig.measure(150)
        rig.reset()
        rig.measure(60)
        rig.pause(2.3)
        rig.measure(60)
        wait_until(lambda: client.session(session.id).message_count >= len(rig.sent))
    server.kill()
    rig.next_number += 25  # what it measured meanwhile
    server.start()
    rig.accept()
    with blitz.Client(server.url) as client, DatabaseClient(path=folder / "cache.db") as cache:
        wait_until(lambda: client.status().session is not None)
        rig.measure(120)
        wait_until(lambda: client.session(session.id).message_count >= len(rig.sent))
        record = client.stop()
        client.download(record.id, cache)
        frame = independent.read(export_session(cache, record.id, folder / "rough.parquet"))
        wait_until(lambda: all(each.cleared_at for each in client.alarm_history(rule_id=rule.id)))
        alarms = sorted(client.alarm_history(rule_id=rule.id), key=lambda each: each.raised_ns)
        yield Recorded(client, client.session(record.id), cache, rig, frame, alarms)
    rig.close()


def test_what_was_sent_is_there(recorded: Recorded) -> None:
    assert recorded.frame.number.tolist() == list(recorded.rig.sent)
    np.testing.assert_array_equal(recorded.frame.pressure.to_numpy(), list(recorded.rig.sent.values()))
    steps_ms = np.diff(recorded.frame.index.to_numpy()) / 1e6
    assert (steps_ms >= 0).all()
    assert (steps_ms > 2000).sum() >= 1


def test_the_account_is_what_the_numbers_say(recorded: Recorded) -> None:
    record, frame = recorded.record, recorded.frame
    numbers = frame.number.to_numpy()
    lost = int((np.diff(numbers) - 1).sum())
    (account,) = record.accounts
    # Of the last seconds before the server was killed no account had been written down; the verdict says so.
    unaccounted = re.search("([0-9]+) messages before that are in no account", record.verdict)
    appended = account.messages_appended + (0 if unaccounted is None else int(unaccounted[1]))
    assert record.message_count == len(frame) == appended
    assert (account.lost, account.is_lost_exact) == (lost, True)
    assert sum(gap.lost or 0 for gap in record.gaps) == lost
    assert account.restarts == 1
    assert record.resumed == 1


def test_statistics_spans_and_pictures_of_the_server(recorded: Recorded) -> None:
    client, record, column = recorded.client, recorded.record, recorded.frame.pressure
    series = client.readings(record.id)["pressure"]
    assert series.time_ns.tolist() == column.index.tolist()
    np.testing.assert_array_equal(series.values, column.to_numpy())
    found = recorded.cache.series(record.id).statistics()["pressure"]
    for name, value in independent.statistics(column).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-9), name
    start_ns, stop_ns = (round(moment.timestamp() * 1e6) * 1000 for moment in (record.started_at, record.stopped_at))
    picture = (column.index - start_ns) * 50 // (stop_ns - start_ns)
    for spans, places in (
        (client.aggregated(record.id, 0.25)["pressure"], column.index // 250_000_000),
        (client.overview(record.id, 50)["pressure"], picture),
    ):
        expected = column.groupby(places).agg(["count", "mean", "min", "max"])
        expected = expected[expected["count"] > 0]
        known = np.asarray(spans.count) > 0
        for name, other in (("count", "count"), ("mean", "mean"), ("minimum", "min"), ("maximum", "max")):
            np.testing.assert_allclose(np.asarray(getattr(spans, name))[known], expected[other], rtol=1e-12)


def test_alarms_were_raised_and_cleared_when_the_readings_say(recorded: Recorded) -> None:
    stop_ns = round(recorded.record.stopped_at.timestamp() * 1e9)
    killed = next(gap for gap in recorded.record.gaps if gap.reason.startswith("the server was restarted"))
    expected = independent_alarms.crossings(
        recorded.frame.pressure,
        independent_alarms.outside(-np.inf, LIMIT, HYSTERESIS),
        on_gap="normal",
        end_ns=stop_ns,
        excused=(killed.from_ns, killed.to_ns),
    )
    raised = [at_ns for at_ns, is_raised in expected if is_raised]
    assert [each.raised_ns for each in recorded.alarms] == pytest.approx(raised, abs=20_000_000)
    values = recorded.frame.pressure.to_numpy()
    assert [each.value for each in recorded.alarms] == [values[each.seq or 0] for each in recorded.alarms]
    cleared = [pd.Timestamp(each.cleared_at).value for each in recorded.alarms]
    known = [at_ns for at_ns, is_raised in expected if not is_raised]
    assert cleared[: len(known)] == pytest.approx(known, abs=20_000_000)
    assert 0 <= len(raised) - len(known) <= 1  # the last one ended with the session
