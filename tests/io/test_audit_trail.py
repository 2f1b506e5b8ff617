"""The audit trail is written beside the calls: they never wait, and a broken disk harms none of them."""

import logging
import threading
from collections.abc import Sequence

import pytest
from waiting import wait_until

from blitz.data.audit import AuditEntry, AuditStore, Outcome
from blitz.errors import TablesError
from blitz.io import audit_trail as subject
from blitz.io.audit_trail import AuditTrail


def entry(number: int, origin: str = "10.0.0.7", outcome: Outcome = Outcome.DONE) -> AuditEntry:
    return AuditEntry(1_700_000_000_000 + number, "ann", origin, f"POST /{number}", 401, outcome)


class Disk(AuditStore):
    """Tables on a disk that hangs or fails when a test says so."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.is_broken = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.tried = threading.Semaphore(0)

    def add(self, entries: Sequence[AuditEntry]) -> None:
        self.tried.release()
        assert self.goes_on.wait(30)
        if self.is_broken:
            raise TablesError("The disk is gone.")
        super().add(entries)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr("blitz.data.audit.KEPT_DAYS", 100_000)
    return Disk()


def test_a_hanging_disk_holds_up_nobody_and_nothing_is_lost(disk: Disk) -> None:
    disk.goes_on.clear()
    trail = AuditTrail(disk)
    for number in range(5000):
        trail.note(entry(number))
    disk.goes_on.set()
    trail.stop()
    assert [row.what for row in disk.last(10_000)] == [f"POST /{number}" for number in range(5000)]


def test_a_disk_that_is_back_gets_what_waited(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.is_broken = True
    trail = AuditTrail(disk)
    for number in range(10):
        trail.note(entry(number))
    for _ in range(3):
        assert disk.tried.acquire(timeout=30)
    disk.is_broken = False
    trail.stop()
    assert [row.what for row in disk.last(100)] == [f"POST /{number}" for number in range(10)]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "The audit trail cannot be written" in warnings[0].getMessage()
    caplog.clear()


def test_what_waits_is_bounded(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WAITING_LIMIT", 100)
    disk.goes_on.clear()
    trail = AuditTrail(disk)
    for number in range(1000):
        trail.note(entry(number))
    disk.goes_on.set()
    trail.stop()
    assert 100 <= len(disk.last(10_000)) <= 200


def test_a_flood_of_refusals_is_counted_and_bounded(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    trail = AuditTrail(disk, clock=lambda: 0.0)
    for number in range(20_000):
        trail.note_refusal(entry(number, f"10.{number >> 8 & 7}.{number & 255}.1", Outcome.REFUSED), "authentication")
    trail.stop()
    rows = disk.last(10_000)
    assert sum(row.count for row in rows) == 20_000
    assert len(rows) <= 2 * subject._KINDS_LIMIT + 2
    assert any(row.origin == "many" for row in rows)
    assert len([record for record in caplog.records if "Refused" in record.getMessage()]) == 1
    caplog.clear()


def test_points_that_come_without_an_end_are_one_entry_an_hour(disk: Disk) -> None:
    clock_s = [0.0]
    trail = AuditTrail(disk, lambda: clock_s[0])
    for number in range(1000):
        trail.note_data(entry(number), "points")
    trail.note(entry(5000))
    trail.note_data(entry(1000, "10.0.0.8"), "points")
    clock_s[0] = 3600.0
    wait_until(lambda: [row.count for row in disk.last(10) if row.what == "points"])
    trail.note_data(entry(2000), "points")
    trail.stop()
    rows = [(row.what, row.origin, row.count) for row in disk.last(100)]
    assert rows == [
        ("POST /0", "10.0.0.7", 1),
        ("POST /5000", "10.0.0.7", 1),
        ("POST /1000", "10.0.0.8", 1),
        ("points", "10.0.0.7", 999),
        ("POST /2000", "10.0.0.7", 1),
    ]
