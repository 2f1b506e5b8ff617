"""The notify protocol, on a real datagram socket; health and metrics from a state."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from blitz.data.hook_config import HookEvent
from blitz.data.hook_records import HookRecord
from blitz.data.records import Account, BoardRecord, LinkState, RoomRecord, SessionRecord, StatusRecord, StoreRecord
from blitz.io import supervisor as supervisor_module
from blitz.io.health import examine
from blitz.io.lanes import Lanes
from blitz.io.metrics import Metrics, MetricSources
from blitz.io.supervision_api import supervision_calls
from blitz.io.supervisor import Notifier, Supervisor, describe_status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(20)
        yield sock


def _status(**fields: Any) -> StatusRecord:
    return StatusRecord(**{"version": "1", "store_id": "x", "now": NOW, "store": StoreRecord(is_up=True), **fields})


def test_the_manager_is_named_by_the_environment_and_programs_that_are_started_do_not_see_it(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier.from_environment()
    assert notifier.watchdog_s == 30.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
    notifier.tell(READY="1", STATUS="two\nlines")
    assert manager.recv(1000) == b"READY=1\nSTATUS=two lines"
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Notifier.from_environment().watchdog_s is None


def test_without_a_manager_nothing_is_sent_and_one_that_is_gone_is_no_error(tmp_path: Path) -> None:
    Notifier().tell(READY="1")
    Notifier(str(tmp_path / "nobody")).tell(READY="1")


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"blitz-test-{os.getpid()}"
        sock.bind(f"\0{name}")
        sock.settimeout(20)
        Notifier(f"@{name}").tell(STOPPING="1")
        assert sock.recv(100) == b"STOPPING=1"


def test_pings_come_only_while_every_part_lives(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = Notifier(manager.getsockname(), watchdog_s=100)
    monkeypatch.setattr(supervisor_module, "ROUND_S", 0.05)
    supervisor = Supervisor(notifier, lambda: "Recording")
    beats = {"appender": time.monotonic(), "housekeeping": time.monotonic() + 3600}
    supervisor.watch("appender", lambda: beats["appender"])
    supervisor.watch("housekeeping", lambda: beats["housekeeping"])

    async def run() -> None:
        task = asyncio.create_task(supervisor.run())
        try:
            assert await asyncio.to_thread(manager.recv, 1000) == b"READY=1\nSTATUS=Recording"
            for _ in range(3):
                assert await asyncio.to_thread(manager.recv, 1000) == b"WATCHDOG=1"
            beats["appender"] -= 100
            (trouble,) = supervisor.troubles()
            assert trouble.startswith("The appender has shown no sign of life for 10")
            monkeypatch.setattr(supervisor_module, "STATUS_EVERY_S", 0.0)
            while (told := await asyncio.to_thread(manager.recv, 1000)) == b"WATCHDOG=1":
                pass  # sent before
            assert told.startswith(b"STATUS=The appender has shown no sign of life")
            assert (await asyncio.to_thread(manager.recv, 1000)).startswith(b"STATUS=The appender")
            beats["appender"] += 3700
            while (told := await asyncio.to_thread(manager.recv, 1000)) != b"WATCHDOG=1":
                assert told.startswith(b"STATUS=")
        finally:
            task.cancel()
        supervisor.stopping()
        while not (told := await asyncio.to_thread(manager.recv, 1000)).startswith(b"STOPPING=1"):
            pass
        assert b"STATUS=Stopping" in told

    asyncio.run(run())


def test_the_manager_is_shown_what_the_server_does() -> None:
    board = BoardRecord(name="scale", link="x", baud=0, state=LinkState.READY)
    assert describe_status(_status(boards=(board,), rate_hz=10)) == "Not recording; 1 source, 10 messages a second"
    session = SessionRecord(id=7, started_at=NOW)
    store = StoreRecord(is_up=False, spooled_messages=12)
    assert describe_status(_status(session=session, store=store)) == (
        "Recording session 7; 0 sources, 0 messages a second; 12 messages in the spool"
    )


def test_health_names_each_reason() -> None:
    assert examine(_status(room=RoomRecord(level="warning"))).status == "ok"
    store = StoreRecord(is_up=False, error="Redis is away.", spooling_since=NOW, spooled_messages=3)
    found = examine(
        _status(store=store, room=RoomRecord(level="critical", text="One hour left.")),
        ["The appender hangs."],
        ["scale"],
    )
    assert found.status == "degraded"
    assert list(found.reasons or ()) == ["store", "spool", "disk", "parts", "links"]
    assert str(found.reason).startswith("Redis is away. 3 messages are in the spool")


def _busy_status() -> StatusRecord:
    account = Account(
        source=0, bytes_read=100, message_bytes=90, messages_read=10, messages_appended=10, lost=2, gaps=1, bad_frames=3
    )
    boards = (
        BoardRecord(name='a "b"\\c', link="x", baud=0, state=LinkState.RECORDING, rate_hz=9.5, account=account),
        BoardRecord(name="new", link="y", baud=0, state=LinkState.AWAY),
    )
    room = RoomRecord(redis_used_bytes=1 << 20, full_in_s=3600.0, level="warning")
    return _status(boards=boards, session=SessionRecord(id=7, started_at=NOW, message_count=10), room=room, rate_hz=9.5)


def _metrics() -> Metrics:
    hook = HookRecord(name="mail", kind="email", target="x", on=tuple(HookEvent), after_s=60, sent=4, error="no")
    return Metrics(
        MetricSources(
            status=_busy_status,
            viewers=lambda: 3,
            refused=lambda: 8,
            hooks=lambda: [hook],
            troubles=lambda: ["It hangs."],
        )
    )


def test_metrics_are_read_by_prometheus_own_parsers() -> None:
    body, content_type = _metrics().render()
    assert content_type.startswith("text/plain")
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    name = 'a "b"\\c'
    assert values["blitz_source_messages_total", name] == 10
    assert values["blitz_source_messages_lost_total", name] == 2
    assert values["blitz_source_gaps_total", name] == 1
    assert values["blitz_source_bad_frames_total", name] == 3
    assert values["blitz_source_account_balanced", name] == 0
    assert values["blitz_source_unaccounted_bytes", name] == 10
    assert (values["blitz_source_up", name], values["blitz_source_up", "new"]) == (1, 0)
    assert values["blitz_session_running",] == 1
    assert values["blitz_viewers",] == 3
    assert values["blitz_connections_refused_total",] == 8
    assert values["blitz_stalled_parts",] == 1
    assert values["blitz_full_in_seconds",] == 3600
    assert (values["blitz_room_level", "ok"], values["blitz_room_level", "warning"]) == (0, 1)
    assert (values["blitz_hook_sent_total", "mail"], values["blitz_hook_failing", "mail"]) == (4, 1)
    assert any(key[0] == "blitz_build_info" and "1" in key for key in values)
    assert ("process_resident_memory_bytes",) in values
    body, content_type = _metrics().render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert len(list(parse_openmetrics(body.decode()))) > 30


def test_the_calls_answer_with_status_and_content_type() -> None:
    healths = [examine(_status()), examine(_status(store=StoreRecord(is_up=False)))]
    app = FastAPI()
    app.include_router(supervision_calls(lambda: healths.pop(0), _metrics(), Lanes()))

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    assert asyncio.run(ask("/health")).json() == {"status": "ok"}
    degraded = asyncio.run(ask("/health"))
    assert (degraded.status_code, degraded.json()["reasons"]) == (503, {"store": "The store is away."})
    answer = asyncio.run(ask("/metrics"))
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "blitz_source_up" in answer.text
