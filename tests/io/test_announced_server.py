"""A real server that is found on the network; the loopback interface stands for it."""

import os
import signal
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.io.discovery import FoundServer, ServerBrowser

TOKEN = "one-of-16-letters-or-more"
LOOPBACK = ["127.0.0.1"]


def test_a_server_beyond_loopback_is_found_as_long_as_it_serves(
    run_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"lab-{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("BLITZ_ANNOUNCE_NAME", name)
    monkeypatch.setenv("BLITZ_ANNOUNCE_ON", LOOPBACK[0])
    servers: dict[str, FoundServer] = {}

    def found(server: FoundServer) -> None:
        servers[server.name] = server

    with ServerBrowser(found, lambda lost: servers.pop(lost, None) and None, LOOPBACK):
        server = run_server("--host", "127.0.0.2", "--token", TOKEN, "--durability", "none")
        wait_until(lambda: any(each.startswith(name) for each in servers))
        (there,) = [each for each in servers.values() if each.name.startswith(name)]
        assert there.url == server.url
        assert (there.uses_tls, there.needs_fingerprint, there.version) == (True, True, blitz.__version__)
        assert TOKEN not in repr(there)
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(60) == 0
        wait_until(lambda: there.name not in servers)
        assert "not announced" not in server.log_path.read_text()


def test_a_server_of_this_machine_alone_is_not_announced(run_server: Callable[..., Any]) -> None:
    server = run_server("--durability", "none")
    with blitz.Client(server.url) as client:
        assert client.status().store_id
    log = server.log_path.read_text()
    assert "Announced on the network" not in log
    assert "not announced" not in log
