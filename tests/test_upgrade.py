"""A server of this version on what an older, or a newer, version left."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blitz
from blitz.data.database import DatabaseServer
from blitz.data.store_schema import SCHEMA_VERSION
from blitz.io.redis_child import RedisChild


def test_a_store_of_version_1_is_migrated_at_start_and_recorded_to(
    run_server: Callable[..., Any], load_store: Callable[[DatabaseServer, int], None], tmp_path: Path
) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        load_store(store, 1)
        store.close()
    server = run_server("--data-dir", str(tmp_path / "data"), "--simulate", "1", "--durability", "none")
    assert "Migrated the store: version 2 of the store: 3 sessions" in server.log_path.read_text()
    with blitz.Client(server.url) as client:
        sessions = {session.id: session for session in client.sessions()}
        assert sorted(sessions) == [1, 3, 4]
        assert sessions[1].name == "pump test"
        assert sessions[1].notes == "Zwölf °C, first try"
        assert len(client.messages(3, 0, 100)) == sessions[3].message_count == 10
        running = client.status().session
        if running is not None:  # it was recording when it was killed, and goes on
            assert running.id == 4
            client.stop()
        assert client.session(4).message_count >= 30
        assert client.start("with the new version").id == 5
        client.stop()
    server.stop()
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        assert store.client.get(store.keys.schema) == b"%d" % SCHEMA_VERSION
        store.close()


def test_a_newer_store_is_refused_at_start_with_a_sentence(tmp_path: Path) -> None:
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        store.client.set(store.keys.schema, SCHEMA_VERSION + 1)
        store.close()
    command = [sys.executable, "-m", "blitz", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    ended = subprocess.run([*command, "--no-scan-usb"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "was written by a newer Blitz" in ended.stderr
    assert "Traceback" not in ended.stderr
    with RedisChild(tmp_path / "data", "none") as child:
        store = DatabaseServer(child.url)
        assert store.client.keys() == [b"schema"]
        store.close()
