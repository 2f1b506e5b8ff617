"""`blitz backup` and `blitz restore` against a real server, as an operator uses them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.cli.main import invoke
from blitz.data.database import DatabaseServer
from blitz.io.redis_child import RedisChild, running_redis


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*arguments: object, expect: int = 0) -> str:
        code = invoke([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return printed.out if code == 0 else printed.err

    return run


def record(client: blitz.Client, count: int, name: str) -> int:
    number = client.start(name).id
    deadline_s = time.monotonic() + 30
    while client.session(number).message_count < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    return number


def test_from_a_recording_server_to_a_new_data_folder(
    run_server: Callable[..., Any], shell: Callable[..., str], tmp_path: Path
) -> None:
    server = run_server("--simulate", "2", "--durability", "none")
    with blitz.Client(server.url) as client:
        client.scan()
        first = record(client, 20, "pump")
        client.stop()
        whole = client.messages(first, 0, 10_000)
        second = record(client, 20, "still running")
        said = shell("backup", tmp_path / "b.tar", "--data-dir", server.data_dir)
        assert said.startswith(f"Saved and verified in {tmp_path / 'b.tar'} (")
        assert f"Session {second} was being recorded: its first " in said
        assert client.session(second).is_running
        refused = shell("restore", tmp_path / "b.tar", "--data-dir", server.data_dir, expect=4)
        assert "uses the data folder" in refused
        assert "is there already" in shell("backup", tmp_path / "b.tar", "--data-dir", server.data_dir, expect=1)
        store_id = client.status().store_id
    server.stop()

    said = shell("backup", "--verify", tmp_path / "b.tar")
    assert "2 sessions" in said
    in_use = shell("restore", tmp_path / "b.tar", "--data-dir", server.data_dir, expect=1)
    assert "is in use: " in in_use

    said = shell("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "new")
    assert said.startswith(f"Restored into {tmp_path / 'new'}, counts and checksums compared:\n2 sessions")
    assert running_redis(tmp_path / "new") is None
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["lock", "redis", "server.db"]

    again = run_server("--data-dir", str(tmp_path / "new"))
    with blitz.Client(again.url) as client:
        assert client.status().store_id == store_id
        assert client.messages(first, 0, 10_000).checksum == whole.checksum
        session = client.session(second)
        assert (session.interrupted, session.is_running) == (True, False)
        assert session.message_count >= 20


def test_without_a_server_its_redis_is_started_and_ended_again(shell: Callable[..., str], tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        store.start_session("by a script")
        store.queue("hello")
        store.stop_session()
        store.close()
    document = json.loads(shell("backup", tmp_path / "b.tar", "--data-dir", tmp_path / "data", "--json"))
    assert document["backup"]["sessions"][0]["message_count"] == 1
    assert running_redis(tmp_path / "data") is None
    shell("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "new")
    with RedisChild(tmp_path / "new", "none") as child:
        store = DatabaseServer(child.url)
        assert store.get_all_from_session(1) == ["hello"]
        store.close()


def test_a_redis_elsewhere_is_named(redis_url: str, shell: Callable[..., str], tmp_path: Path) -> None:
    store = DatabaseServer(redis_url, "one:")
    store.start_session("by a script")
    store.queue("hello")
    store.stop_session()
    store.close()
    where = ("--redis-url", redis_url, "--data-dir", tmp_path / "data")
    shell("backup", tmp_path / "b.tar", *where, "--redis-prefix", "one:")
    assert "has sessions already" in shell("restore", tmp_path / "b.tar", *where, "--redis-prefix", "one:", expect=1)
    shell("restore", tmp_path / "b.tar", *where, "--redis-prefix", "two:")
    back = DatabaseServer(redis_url, "two:")
    assert back.get_all_from_session(1) == ["hello"]
    back.close()


def test_what_cannot_be_done_is_said_and_changes_nothing(shell: Callable[..., str], tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    assert "is not the data folder" in shell("backup", tmp_path / "b.tar", "--data-dir", nothing, expect=1)
    (tmp_path / "b.tar").write_text("no backup at all")
    assert "is not a backup" in shell("restore", tmp_path / "b.tar", "--data-dir", nothing, expect=1)
    assert "is not a backup" in shell("backup", "--verify", tmp_path / "b.tar", expect=1)
    assert not nothing.exists()


def test_a_folder_that_is_in_use_is_not_restored_into(shell: Callable[..., str], tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        store.start_session("by a script")
        store.close()
    shell("backup", tmp_path / "b.tar", "--data-dir", tmp_path / "data")
    (tmp_path / "used" / "archive" / "session_1").mkdir(parents=True)
    said = shell("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "used", expect=1)
    assert "is in use: archive is there" in said
    assert sorted(path.name for path in (tmp_path / "used").iterdir()) == ["archive", "lock"]
    (tmp_path / "used" / "archive" / "session_1").rmdir()
    shell("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "used")


def test_after_a_restore_that_was_killed_the_next_one_begins_anew(shell: Callable[..., str], tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        store.start_session("by a script")
        store.queue("hello")
        store.stop_session()
        store.close()
    shell("backup", tmp_path / "b.tar", "--data-dir", tmp_path / "data")
    killed = """
import os, sys
from pathlib import Path
from blitz.data.database import DatabaseServer
from blitz.io.redis_child import RedisChild
child = RedisChild(Path(sys.argv[1]), "none").__enter__()
DatabaseServer(child.url).client.rpush("session_1", "half", "a", "session")
os.kill(os.getpid(), 9)
"""
    stage = tmp_path / "new" / "restoring"
    assert subprocess.run([sys.executable, "-c", killed, str(stage)], timeout=60).returncode == -9
    assert running_redis(stage) is not None
    shell("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "new")
    assert running_redis(stage) is None
    assert not stage.exists()
    with RedisChild(tmp_path / "new", "none") as child:
        store = DatabaseServer(child.url)
        assert store.get_all_from_session(1) == ["hello"]
        store.close()


def test_what_waits_in_the_spool_is_said_not_to_be_in_the_backup(shell: Callable[..., str], tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        store.start_session("by a script")
        store.close()
    (tmp_path / "data" / "spool" / "of a store").mkdir(parents=True)
    assert "server's spool" not in shell("backup", tmp_path / "one.tar", "--data-dir", tmp_path / "data")
    (tmp_path / "data" / "spool" / "of a store" / "1.spool").write_bytes(b"seven..")
    assert "Not in it: 7 bytes in the server's spool" in shell(
        "backup", tmp_path / "two.tar", "--data-dir", tmp_path / "data"
    )
