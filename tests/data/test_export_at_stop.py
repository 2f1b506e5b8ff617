"""Sessions that are exported by themselves when they stop: named, tried again, once, and after a restart."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.export_at_stop import ExportsAtStop
from blitz.data.export_rule import ExportRule
from blitz.data.models import Config
from blitz.data.pending_exports import ExportState
from blitz.data.records import SessionRecord
from blitz.errors import ConfigError


class Clock:
    """Milliseconds that pass when they are told to."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def pass_s(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exports(cache: DatabaseClient, tmp_path: Path, clock: Clock) -> ExportsAtStop:
    return ExportsAtStop(cache, ExportRule(tmp_path / "out"), clock)


def running(record: SessionRecord) -> SessionRecord:
    return record.model_copy(update={"is_running": True, "stopped_at": None})


def test_a_session_that_was_seen_running_is_exported_when_it_has_stopped(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any], tmp_path: Path
) -> None:
    session, before = example(50), example(10, session_id=6)
    before.fill(cache)
    session.fill(cache)
    assert exports.see([running(session.record), before.record]) == []
    assert exports.due() == []
    (due,) = exports.see([session.record, before.record])
    assert (due.session_id, exports.due()) == (7, [due])
    outcome = exports.attempt(due)
    assert outcome is not None
    day = session.record.started_at.astimezone().strftime("%Y-%m-%d")
    assert outcome.path == tmp_path / "out" / f"{day}_A try_7.csv"
    assert outcome.path.read_text().startswith("time_utc,seconds,")
    assert (exports.pending(), exports.next_in_s()) == ([], None)
    # Neither is it done again when another program tells of it.
    exports.stopped(session.record)
    assert exports.see([session.record]) == []
    assert exports.attempt(due) is None


def test_what_is_not_here_is_wanted_first(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any], clock: Clock
) -> None:
    session = example(50)
    cache.update_session_records([session.record])
    exports.stopped(session.record)
    outcome = exports.attempt(exports.due()[0])
    assert outcome is not None
    assert (outcome.is_wanted, outcome.retry_s) == (True, 5)
    session.fill(cache)
    clock.pass_s(5)
    outcome = exports.attempt(exports.due()[0])
    assert outcome is not None
    assert outcome.path is not None


def test_a_folder_that_is_away_is_tried_again_ever_later_also_after_a_restart(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, clock: Clock
) -> None:
    session = example(50)
    session.fill(cache)
    rule = ExportRule(tmp_path / "drive" / "out")
    exports = ExportsAtStop(cache, rule, clock)
    exports.stopped(session.record)
    waits = []
    for _ in range(7):
        exports = ExportsAtStop(cache, rule, clock)  # as after a restart
        (due,) = exports.due()
        outcome = exports.attempt(due)
        assert outcome is not None
        assert "no such file or directory" in outcome.error
        assert exports.due() == []
        waits.append(outcome.retry_s)
        clock.pass_s(outcome.retry_s or 0)
    assert waits == [5, 15, 60, 300, 900, 900, 900]
    exports.retry(7)
    (tmp_path / "drive").mkdir()
    (due,) = exports.due()
    outcome = exports.attempt(due)
    assert outcome is not None
    assert (outcome.export.attempts, outcome.path is not None) == (8, True)


def test_two_programs_do_not_do_it_twice(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any], tmp_path: Path, clock: Clock
) -> None:
    session = example(50)
    session.fill(cache)
    exports.stopped(session.record)
    (due,) = exports.due()
    other = ExportsAtStop(cache, ExportRule(tmp_path / "out"), clock)
    seen: list[object] = []

    def look(done: int, total: int) -> None:
        seen.append(other.attempt(due))

    assert exports.attempt(due, progress=look) is not None
    assert seen
    assert set(seen) == {None}
    assert len(list((tmp_path / "out").glob("*.csv"))) == 1


def test_an_export_that_was_written_and_not_noted_is_not_written_again(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any], tmp_path: Path, clock: Clock
) -> None:
    session = example(50)
    session.fill(cache)
    exports.stopped(session.record)
    done = exports.attempt(exports.due()[0])
    assert done is not None
    row = cache.find(Config, {"key": done.export.key})[0]
    row.value = json.dumps(json.loads(row.value) | {"state": "pending", "next_try_ms": 0})
    cache.add(row)
    again = exports.attempt(exports.due()[0])
    assert again is not None
    assert again.path == done.path
    assert len(list((tmp_path / "out").glob("*.csv"))) == 1


def test_a_name_that_is_taken_gets_a_number(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, clock: Clock
) -> None:
    exports = ExportsAtStop(cache, ExportRule(tmp_path, "{name}", "parquet"), clock)
    for session_id in (7, 8, 9):
        session = example(10, session_id=session_id)
        session.fill(cache)
        exports.stopped(session.record)
    for due in exports.due():
        exports.attempt(due)
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == [
        "A try-2.parquet",
        "A try-3.parquet",
        "A try.parquet",
    ]


def test_a_session_that_was_deleted_is_given_up(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any]
) -> None:
    exports.stopped(example(10).record)
    outcome = exports.attempt(exports.due()[0])
    assert outcome is not None
    assert (outcome.export.state, outcome.retry_s) == (ExportState.GIVEN_UP, None)
    assert exports.pending() == []


def test_an_export_that_was_cancelled_is_due_at_once(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any]
) -> None:
    session = example(10)
    session.fill(cache)
    exports.stopped(session.record)
    assert exports.attempt(exports.due()[0], is_cancelled=lambda: True) is None
    assert len(exports.due()) == 1


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{date}_{name}_{id}", "_a-b- c-_7.csv"),
        ("{sample}/{name}", "brass-a-b- c-.csv"),
        ("{missing}_{id}", "7.csv"),
        ("con", "_con.csv"),
        ("", "session-7.csv"),
    ],
)
def test_names_are_ones_that_every_system_takes(pattern: str, name: str) -> None:
    record = SessionRecord(
        id=7, name='a/b: c"', started_at=datetime(2024, 5, 1, 12, tzinfo=UTC), fields={"sample": "brass"}
    )
    assert ExportRule(Path("x"), pattern).file_name(record).endswith(name)
    assert len(ExportRule(Path("x"), "ü" * 300).file_name(record).encode()) < 200


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(ConfigError, match="export_pattern"):
        ExportRule(Path("x"), "{date")


def test_a_session_that_came_and_went_unseen_is_exported_too(
    cache: DatabaseClient, exports: ExportsAtStop, example: Callable[..., Any], clock: Clock
) -> None:
    before = example(10, session_id=6, started_s=clock.ms // 1000 - 60).record
    assert exports.see([before]) == []
    meanwhile = example(10, session_id=7, started_s=clock.ms // 1000 + 60).record
    assert [each.session_id for each in exports.see([before, meanwhile])] == [7]
    assert exports.see([before, meanwhile]) == []


def test_what_is_forgotten_is_not_exported_again(
    cache: DatabaseClient,
    exports: ExportsAtStop,
    example: Callable[..., Any],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("blitz.data.pending_exports._MOST_SETTLED", 5)
    exports.see([])
    records = [
        example(1, session_id=number, started_s=clock.ms // 1000 + 60 * number).record for number in range(1, 11)
    ]
    for record in records:
        exports.see([record])
        exports.attempt(exports.due()[0])  # given up: it is not there
    assert len(cache.pending_exports()) == 5
    assert exports.see(records) == []


def test_a_report_is_written_beside_the_file_and_tried_again_without_the_file(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, clock: Clock
) -> None:
    template = tmp_path / "own.html"
    template.write_text("{{ titel }}")
    exports = ExportsAtStop(cache, ExportRule(tmp_path / "out", "{id}", has_report=True, template=template), clock)
    session = example(50)
    session.fill(cache)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "7.html").write_text("mine")
    exports.stopped(session.record)
    failed = exports.attempt(exports.due()[0])
    assert failed is not None
    assert failed.error == f"{template}, line 1: 'titel' is undefined."
    written = tmp_path / "out" / "7-2.csv"
    before = written.stat().st_mtime_ns
    template.write_text("{{ report.title }}")
    clock.pass_s(60)
    done = exports.attempt(exports.due()[0])
    assert done is not None
    assert (done.path, done.error) == (written, "")
    assert written.stat().st_mtime_ns == before
    assert written.with_suffix(".html").read_text() == "A try"
    assert (tmp_path / "out" / "7.html").read_text() == "mine"
    assert exports.due() == []
