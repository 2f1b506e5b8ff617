"""A real server under supervision: it tells the service manager and a hook what becomes of it."""

import contextlib
import json
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from blitz.cli.main import invoke

NOTE = """
import sys
with open(sys.argv[1], "a") as file:
    file.write(sys.argv[2] + "\\n")
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield sock


def _ask(url: str, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{url}/api/v1{path}", method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        body = answer.read()
    return json.loads(body) if answer.headers["content-type"] == "application/json" else body.decode()


def _told(manager: socket.socket) -> list[bytes]:
    """Return what waits to be read."""
    manager.setblocking(False)
    told = []
    with contextlib.suppress(BlockingIOError):
        while True:
            told.append(manager.recv(1000))
    return told


def test_a_server_tells_its_manager_and_a_hook_what_becomes_of_it(
    run_server: Callable[..., Any],
    manager: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = tmp_path / "notes"
    command = json.dumps([sys.executable, "-c", NOTE, str(notes), "{event}: {text}"])
    settings = tmp_path / "blitz.toml"
    settings.write_text(f'[[server.hooks]]\nname = "note"\nkind = "command"\ncommand = {command}\n')
    monkeypatch.setenv("BLITZ_CONFIG", str(settings))
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    server = run_server("--simulate", "1", "--durability", "none")
    assert manager.recv(1000).startswith(b"READY=1\nSTATUS=Not recording; ")
    assert manager.recv(1000) == b"WATCHDOG=1"

    assert _ask(server.url, "/health") == {"status": "ok"}
    deadline_s = time.monotonic() + 30
    while _ask(server.url, "/status").get("room") is None:  # it is measured a moment after the start
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    values = {
        sample.name
        for family in text_string_to_metric_families(_ask(server.url, "/metrics"))
        for sample in family.samples
    }
    assert {"blitz_build_info", "blitz_source_up", "blitz_store_up", "blitz_disk_free_bytes"} <= values
    assert _ask(server.url, "/hooks/note/test", "POST")["is_sent"]
    assert invoke(["hooks", "test", "note", "--server", server.url]) == 0
    assert invoke(["hooks", "test", "nobody", "--server", server.url]) == 1
    assert invoke(["hooks", "--server", server.url]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Sent in ")
    assert f"note  command  {sys.executable}" in shown.out
    assert "There is no hook 'nobody'" in shown.err
    (record,) = _ask(server.url, "/hooks")
    assert (record["name"], record["kind"], record["sent"]) == ("note", "command", 2)
    assert notes.read_text().startswith("test: This is a test of the hook 'note'.")

    server.kill()
    server.start()
    deadline_s = time.monotonic() + 30
    while "server_started_after_crash" not in notes.read_text():
        assert time.monotonic() < deadline_s, server.log_path.read_text()
        time.sleep(0.02)
    assert re.search(r"started at 20\S+ had ended unexpectedly", notes.read_text())

    _told(manager)  # else there is no room for more: the system keeps ten
    assert server.stop() == 0
    assert _told(manager)[-1].startswith(b"STOPPING=1")
    assert not (server.data_dir / "running").exists()
    log = (server.data_dir / "blitz.log").read_text()
    assert "Blitz serves" in log
    assert "Stopping: draining the boards" in log
