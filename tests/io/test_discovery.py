"""Servers that announce themselves, and finding them, by real multicast DNS on the loopback interface."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from zeroconf import ServiceInfo

from blitz.config import DEFAULT_PORT
from blitz.io import discovery
from blitz.io.discovery import (
    SERVICE_TYPE,
    Announcement,
    Announcer,
    FoundServer,
    ServerBrowser,
    discover,
    read_announcement,
)

LOOPBACK = ["127.0.0.1"]


def announcement(name: str, port: int = DEFAULT_PORT) -> Announcement:
    return Announcement(name, "0.0.0.0", port, True, True, "0.3.0", "a-store")


@contextmanager
def announced(what: Announcement) -> Iterator[Announcer]:
    announcer = Announcer(what, LOOPBACK)
    announcer.start()
    try:
        assert announcer.announced.wait(30)
        yield announcer
    finally:
        announcer.stop(30)


@pytest.fixture
def name() -> str:
    """One that no other test on this machine has."""
    return f"lab-{uuid.uuid4().hex[:12]}"


class Seen:
    """What a browser has told."""

    def __init__(self) -> None:
        self.servers: dict[str, FoundServer] = {}
        self._changed = threading.Condition()

    def found(self, server: FoundServer) -> None:
        with self._changed:
            self.servers[server.name] = server
            self._changed.notify_all()

    def lost(self, name: str) -> None:
        with self._changed:
            self.servers.pop(name, None)
            self._changed.notify_all()

    def wait(self, is_so: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(is_so, 30)


def test_a_server_is_found_with_its_address(name: str) -> None:
    seen = Seen()
    with ServerBrowser(seen.found, seen.lost, LOOPBACK), announced(announcement(f"{name}.example.org")):
        assert seen.wait(lambda: name in seen.servers)
        server = seen.servers[name]
        assert (server.addresses, server.port, server.url) == (("127.0.0.1",), 8999, "https://127.0.0.1:8999")
        assert (server.uses_tls, server.needs_fingerprint) == (True, True)
        assert (server.version, server.store_id) == ("0.3.0", "a-store")


def test_a_server_that_ends_is_lost(name: str) -> None:
    seen = Seen()
    with ServerBrowser(seen.found, seen.lost, LOOPBACK):
        with announced(announcement(name)):
            assert seen.wait(lambda: name in seen.servers)
        assert seen.wait(lambda: name not in seen.servers)


def test_two_servers_of_one_machine_have_two_names(name: str) -> None:
    seen = Seen()
    with ExitStack() as stack:
        stack.enter_context(ServerBrowser(seen.found, seen.lost, LOOPBACK))
        stack.enter_context(announced(announcement(name)))
        stack.enter_context(announced(announcement(name, 9002)))
        assert seen.wait(lambda: {name, f"{name}-9002"} <= set(seen.servers))
        assert seen.servers[f"{name}-9002"].port == 9002


def test_who_asks_later_hears_of_servers_that_are_there(name: str) -> None:
    with announced(announcement(name)):
        assert name in {server.name for server in discover(interfaces=LOOPBACK)}
        assert name in {server.name for server in discover(interfaces=LOOPBACK)}, "and so does who asks right behind"


def test_what_makes_no_sense_is_no_server() -> None:
    def service(**fields: object) -> ServiceInfo:
        kept = {"port": 1, "parsed_addresses": LOOPBACK, "properties": {}} | fields
        return ServiceInfo(SERVICE_TYPE, f"x.{SERVICE_TYPE}", **kept)

    assert read_announcement(service(port=0)) is None
    assert read_announcement(service(parsed_addresses=[])) is None
    found = read_announcement(service(properties={"tls": "0", "private": "?", b"\xff": b"\xff", "version": "9" * 240}))
    assert found is not None
    assert (found.uses_tls, found.needs_fingerprint, len(found.version)) == (False, True, 200)
    assert found.url == "http://127.0.0.1:1"


def test_a_network_that_comes_late_and_changes_is_announced_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    addresses: list[str] = []
    open_network = discovery.open_network
    monkeypatch.setattr(discovery, "LOOK_S", 0.05)
    monkeypatch.setattr(discovery, "own_addresses", lambda: list(addresses))
    monkeypatch.setattr(discovery, "open_network", lambda interfaces: open_network(LOOPBACK))
    seen = Seen()
    announcer = Announcer(announcement(name))
    with ServerBrowser(seen.found, seen.lost, LOOPBACK):
        announcer.start()
        try:
            assert not announcer.announced.wait(0.3)
            addresses.append("127.0.0.1")
            assert seen.wait(lambda: name in seen.servers)
            addresses[:] = ["127.0.0.5"]
            assert seen.wait(lambda: name in seen.servers and seen.servers[name].addresses == ("127.0.0.5",))
        finally:
            announcer.stop(30)


def test_a_network_that_cannot_be_used_is_one_warning_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = Announcer(announcement("lab"), ["192.0.2.1"])  # an address that no machine has
    announcer.start()
    announcer.stop(30)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.name for record in warnings] == [discovery.__name__]
    assert "is not announced" in warnings[0].getMessage()
