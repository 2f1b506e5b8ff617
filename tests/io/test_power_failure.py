"""A server that records, and whose Redis' file is torn: at its next start, and while it runs."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

import blitz
from blitz.data.database_server import DatabaseServer
from blitz.io.redis_child import socket_path

TORN_BYTES = 3000


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _fail_redis(data_dir: Path) -> None:
    """Kill it, and tear its file before anybody can start it again: the end is lost, and some of it is zeros."""
    with redis.Redis(unix_socket_path=str(socket_path(data_dir))) as client:
        process_id = int(client.info("server")["process_id"])
    os.kill(process_id, signal.SIGSTOP)
    path = max((data_dir / "redis" / "appendonlydir").glob("*.incr.aof"))
    os.truncate(path, path.stat().st_size - TORN_BYTES)
    with path.open("ab") as file:
        file.write(bytes(TORN_BYTES // 2))
    os.kill(process_id, signal.SIGKILL)


def _told(client: blitz.Client, text: str) -> bool:
    return any(text in notice.text for notice in client.notices())


def test_after_a_power_failure_the_session_goes_on_and_says_that_messages_may_be_missing(
    run_server: Callable[..., Any],
) -> None:
    server = run_server("--simulate", "2")
    with blitz.Client(server.url) as client:
        session = client.start()
        _wait_for(lambda: client.session(session.id).message_count >= 40)
    server.kill()
    store = DatabaseServer(f"unix://{socket_path(server.data_dir)}")
    stored = store.messages(session.id, 0, 10_000).messages()
    store.close()
    _fail_redis(server.data_dir)
    server.start()
    with blitz.Client(server.url) as client:
        assert _told(client, "messages before Redis ended may be missing")
        found = re.search(r"goes on with session 1, which has (\d+)", " ".join(n.text for n in client.notices()))
        assert found is not None
        left = int(found[1])
        _wait_for(lambda: client.session(session.id).message_count >= left + 20)
        record = client.stop()
        messages = client.messages(session.id, 0, 10_000).messages()
        assert 0 < left < len(stored)
        assert messages[:left] == stored[:left]
        assert len(messages) == record.message_count
        assert {gap.reason for gap in record.gaps} == {"the server was restarted"}
        assert min(gap.seq for gap in record.gaps) == left
    assert server.stop() == 0


def test_while_a_server_records_a_torn_file_costs_the_torn_messages_alone(run_server: Callable[..., Any]) -> None:
    server = run_server("--simulate", "2")
    with blitz.Client(server.url) as client:
        session = client.start()
        _wait_for(lambda: client.session(session.id).message_count >= 40)
        seen = client.messages(session.id, 0, 10_000).messages()
        _fail_redis(server.data_dir)
        _wait_for(lambda: _told(client, "Redis answers again"))
        assert _told(client, "messages before Redis ended may be missing")
        count = client.session(session.id).message_count
        _wait_for(lambda: client.session(session.id).message_count >= count + 20)
        record = client.stop()
        messages = client.messages(session.id, 0, 10_000).messages()
        assert messages[:10] == seen[:10]
        assert len(messages) == record.message_count
        assert _told(client, "messages that had been safe were lost by Redis or by the disk")
        assert "were stored are not there" in record.verdict
    assert server.stop() == 0
