"""Deleting, restoring and retention in a real Redis, with a disk that a test fills and a clock that it sets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.records import Event, EventKind
from blitz.data.retention import GIGABYTE, RetentionRule
from blitz.errors import SessionNotFound, SessionRunning
from blitz.io.session_keeper import RETENTION_EACH_S, SessionKeeper


class SmallDisk(LocalDisk):
    """A disk with as much room as a test says."""

    free = 50 * GIGABYTE

    def free_bytes(self, folder: Path) -> int:
        return self.free


class Bench:
    """A keeper and what it tells."""

    def __init__(self, url: str) -> None:
        self.store = DatabaseServer(url)
        self.disk = SmallDisk()
        self.events: list[Event] = []
        self.told: list[str] = []
        self.now_s = 0.0
        self.passed = timedelta()

    def keeper(self, **rule: Any) -> SessionKeeper:
        return SessionKeeper(
            self.store,
            RetentionRule(**rule),
            (Path("/"),),
            self.events.append,
            lambda severity, text, source: self.told.append(text),
            disk=self.disk,
            clock_s=lambda: self.now_s,
            now=lambda: datetime.now(UTC) + self.passed,
        )

    def record(self, messages: int = 3, *, starred: bool = False) -> int:
        session_id = self.store.start_session()
        writer = self.store.writer(session_id)
        writer.append([Read(1, 0, [b"%020d" % number for number in range(messages)])])
        writer.close()
        self.store.stop_session()
        if starred:
            self.store.update_session(session_id, starred=True)
        return session_id

    def posted(self) -> list[tuple[EventKind, int | None]]:
        return [(event.event, event.session_id) for event in self.events]


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    bench.store.close()


def test_viewers_are_told_of_what_goes_and_comes_back(bench: Bench) -> None:
    keeper = bench.keeper()
    session_id = bench.record()
    keeper.trash(session_id, "ann")
    assert [record.id for record in keeper.in_trash()] == [session_id]
    restored = keeper.restore(session_id, "bob")
    assert (restored.id, restored.message_count, restored.trashed_at) == (session_id, 3, None)
    keeper.trash(session_id)
    keeper.delete(session_id)
    assert bench.posted() == [
        (EventKind.SESSION_DELETED, session_id),
        (EventKind.SESSION_RESTORED, session_id),
        (EventKind.SESSION_DELETED, session_id),
        (EventKind.SESSION_DELETED, session_id),
    ]
    assert bench.events[1].session == restored.brief()
    with pytest.raises(SessionNotFound):
        keeper.restore(session_id)


def test_room_on_disk_comes_back_once_behind_many_deletions(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk: list[float] = []
    monkeypatch.setattr(bench.store.sizes, "shrink_files", lambda: shrunk.append(bench.now_s))
    keeper = bench.keeper()
    for second in range(4):
        session_id = bench.record()
        keeper.trash(session_id)
        keeper.delete(session_id)
        bench.now_s = second
        keeper.look()
        keeper.join()
    for second in range(4, 20):
        bench.now_s = second
        keeper.look()
        keeper.join()
    assert shrunk == [7]


def test_a_running_session_is_not_deleted(bench: Bench) -> None:
    session_id = bench.store.start_session()
    with pytest.raises(SessionRunning):
        bench.keeper().trash(session_id)
    assert bench.posted() == []


def test_a_plan_changes_nothing_and_is_then_carried_out(bench: Bench) -> None:
    old, starred = bench.record(), bench.record(starred=True)
    running = bench.store.start_session()
    bench.passed = timedelta(days=91)
    keeper = bench.keeper(keep_days=90)
    plan = keeper.plan()
    assert [(step.session.id, step.action.value) for step in plan.steps] == [(old, "trash")]
    assert plan.steps[0].bytes > 0
    assert plan.free_bytes == 50 * GIGABYTE
    assert bench.store.available_sessions() == [running, starred, old]

    done = keeper.apply("ann")
    assert [step.session.id for step in done.steps] == [old]
    assert bench.store.available_sessions() == [running, starred]
    assert bench.told == [f"Retention (by ann): {done.describe()}"]
    assert keeper.apply().steps == ()
    assert len(bench.told) == 1, "nothing happened, nothing is told"


def test_for_room_the_trash_goes_first_and_sessions_wait_there_for_the_next_time(bench: Bench) -> None:
    first, second, third = (bench.record(20_000) for _ in range(3))
    keeper = bench.keeper(keep_free_gb=10)
    keeper.trash(first)
    bench.disk.free = 10 * GIGABYTE - 700_000
    plan = keeper.apply()
    assert [(step.session.id, step.action.value) for step in plan.steps] == [(first, "purge"), (second, "trash")]
    assert plan.freed_bytes == plan.steps[0].bytes
    assert bench.store.available_sessions() == [third]
    assert [record.id for record in keeper.in_trash()] == [second]
    bench.disk.free = 11 * GIGABYTE
    assert keeper.apply().steps == ()


def test_it_looks_by_itself_once_an_hour_and_purges_what_was_long_in_the_trash(bench: Bench) -> None:
    old, kept = bench.record(), bench.record(starred=True)
    keeper = bench.keeper(keep_days=1, trash_days=30)
    bench.passed = timedelta(days=2)
    keeper.look()
    keeper.join()
    assert bench.store.available_sessions() == [kept, old], "not right after the start"
    bench.now_s = 301
    keeper.look()
    keeper.join()
    assert bench.store.available_sessions() == [kept]
    keeper.trash(kept)

    bench.passed = timedelta(days=31)
    bench.now_s = 301 + RETENTION_EACH_S
    keeper.look()
    keeper.join()
    assert {record.id for record in keeper.in_trash()} == {old, kept}, "29 days are not 30"
    bench.passed = timedelta(days=33)
    bench.now_s += RETENTION_EACH_S
    keeper.look()
    keeper.join()
    assert [record.id for record in keeper.in_trash()] == [kept], "starred"
    assert bench.told[-1].startswith(f"The trash was purged of session {old}, which frees about ")


def test_what_is_starred_between_plan_and_deed_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, trashed = bench.record(), bench.record()
    keeper = bench.keeper(keep_days=1)
    keeper.trash(trashed)
    bench.passed = timedelta(days=40)
    plan = keeper.plan()
    assert {step.session.id for step in plan.steps} == {listed, trashed}
    monkeypatch.setattr(keeper, "plan", lambda: plan)
    bench.store.update_session(listed, starred=True)
    keeper.restore(trashed)
    assert keeper.apply().steps == ()
    assert bench.store.available_sessions() == [trashed, listed]


def test_while_redis_is_away_retention_waits(bench: Bench) -> None:
    away = DatabaseServer("redis://127.0.0.1:1")
    rule = RetentionRule(keep_days=1)
    keeper = SessionKeeper(away, rule, (Path("/"),), bench.events.append, lambda *_: None, clock_s=lambda: bench.now_s)
    bench.now_s = 400
    keeper.look()
    keeper.stop()
    away.close()
