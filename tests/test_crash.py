"""What is left when the server is killed in mid-session."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

import blitz
from blitz.data.database import DatabaseServer
from blitz.io.redis_child import RedisChild, runtime_folder

_SERVE = (sys.executable, "-m", "blitz", "serve", "--no-scan-usb")


def _wait_for_messages(client: blitz.Client, session_id: int, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while client.session(session_id).message_count < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _kill_redis(data_dir: Path) -> None:
    with redis.Redis(unix_socket_path=f"{runtime_folder(data_dir)}/redis.sock") as client:
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)


def test_after_kill_9_the_redis_is_adopted_and_the_session_goes_on(run_server: Callable[..., object]) -> None:
    server = run_server("--simulate", "2")
    with blitz.Client(server.url) as client:
        session = client.start("long")
        _wait_for_messages(client, session.id, 40)
    store = DatabaseServer(f"unix://{runtime_folder(server.data_dir)}/redis.sock")
    server.kill()
    left = store.get_all_from_session(session.id)
    assert len(left) >= 40
    assert store.running_session() == session.id

    server.start()
    with blitz.Client(server.url) as client:
        assert "Adopted the running Redis" in server.log_path.read_text()
        running = client.status().session
        assert running is not None
        assert running.id == session.id
        assert any("goes on with session" in notice.text for notice in client.notices())
        _wait_for_messages(client, session.id, len(left) + 40)
        record = client.stop()
        assert record.resumed == 1
        assert not record.interrupted
        assert {gap.reason for gap in record.gaps} == {"the server was restarted"}
        assert len(record.gaps) == 2, "one a board"
        assert store.get_all_from_session(session.id)[: len(left)] == left
        block = client.messages(session.id, 0, 10_000)
        assert len(block) == record.message_count
        assert (block.arrived_ns[1:] >= block.arrived_ns[:-1]).all()
        assert client.start("next").id == session.id + 1
    store.close()
    assert server.stop() == 0


def test_after_kill_9_of_server_and_redis_together_every_message_is_there(run_server: Callable[..., object]) -> None:
    server = run_server("--simulate", "2")
    with blitz.Client(server.url) as client:
        session = client.start()
        _wait_for_messages(client, session.id, 40)
        seen = client.messages(session.id, 0, 10_000).messages()
    server.kill()
    _kill_redis(server.data_dir)
    server.start()
    with blitz.Client(server.url) as client:
        _wait_for_messages(client, session.id, len(seen) + 40)
        record = client.stop()
        messages = client.messages(session.id, 0, 10_000).messages()
        assert messages[: len(seen)] == seen
        assert len(messages) == record.message_count
    assert server.stop() == 0


def test_after_kill_9_the_session_is_closed_as_interrupted_where_it_is_configured_so(
    run_server: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLITZ_AFTER_CRASH", "close")
    server = run_server("--simulate", "2")
    with blitz.Client(server.url) as client:
        session = client.start("doomed")
        _wait_for_messages(client, session.id, 40)
    store = DatabaseServer(f"unix://{runtime_folder(server.data_dir)}/redis.sock")
    server.kill()
    left = store.get_all_from_session(session.id)
    server.start()
    with blitz.Client(server.url) as client:
        assert client.status().session is None
        record = client.session(session.id)
        assert record.interrupted
        assert not record.is_running
        assert record.message_count == len(left)
        assert record.stopped_at is not None
        assert record.stopped_at >= record.started_at
        assert any("interrupted" in notice.text for notice in client.notices())

        assert store.queue("by accident") is None
        client.scan()
        following = client.start("next")
        assert following.id == session.id + 1
        _wait_for_messages(client, following.id, 10)
        client.stop()
        assert store.get_all_from_session(session.id) == left
    store.close()
    assert server.stop() == 0


def test_a_second_server_on_the_same_folder_or_port_is_told_so(run_server: Callable[..., object]) -> None:
    first = run_server()
    for arguments in (["--port", "0", "--data-dir", str(first.data_dir)], ["--port", first.url.rpartition(":")[2]]):
        second = subprocess.run(
            [*_SERVE, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode != 0
        assert "Another" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize("seen", ["Started Redis", "is IDENTIFYING"])
def test_sigterm_while_the_server_starts_leaves_nothing_behind(tmp_path: Path, seen: str) -> None:
    data_dir = tmp_path / "data"
    with subprocess.Popen(
        [*_SERVE, "--port", "0", "--data-dir", str(data_dir), "--simulate", "1"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while seen.lower() not in said.lower():
            line = process.stderr.readline()
            assert line, said
            said += line
        process.terminate()
        said += process.stderr.read()
        assert process.wait(60) == 0
    assert "Traceback" not in said
    with RedisChild(data_dir) as child:
        assert not child.was_adopted
    assert not child._socket.parent.exists()


def test_sigterm_closes_a_running_session_in_good_order(run_server: Callable[..., object]) -> None:
    server = run_server("--simulate", "1")
    with blitz.Client(server.url) as client:
        session = client.start("short")
        _wait_for_messages(client, session.id, 5)
    assert server.stop() == 0
    server.start()
    with blitz.Client(server.url) as client:
        record = client.session(session.id)
    assert not record.interrupted
    assert record.stopped_at is not None
    assert record.message_count >= 5
    assert server.stop() == 0


def test_a_server_that_could_not_store_everything_ends_with_another_exit_code(
    run_server: Callable[..., object], tmp_path: Path
) -> None:
    with RedisChild(tmp_path, "none") as child:
        server = run_server("--simulate", "1", "--redis-url", child.url)
        with blitz.Client(server.url) as client:
            session = client.start("Redis goes first")
            _wait_for_messages(client, session.id, 5)
        assert child._process is not None
        shutil.rmtree(server.data_dir / "spool")
        (server.data_dir / "spool").write_text("no folder, so that nothing can be spooled either")
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait(60)
        assert server.stop() == 1
    words = server.log_path.read_text()
    assert "The session is left open" in words
    assert "Traceback" not in words
