"""Known servers and their tokens, with a key ring of the test's own."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QSettings
from pytestqt.qtbot import QtBot

from blitz.io.address import ServerAddress
from blitz.ui import servers as servers_module
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.key_store import SERVICE, KeyStore, find_key_ring
from blitz.ui.preferences import MOST_SERVERS, KnownServer, Preferences
from blitz.ui.servers import Servers

ADDRESS = "https://lab-pi:9000"
TOKEN = "blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ"
FINGERPRINT = "0f" * 32
LINK = f"blitz://lab-pi:9000/#{TOKEN}&{FINGERPRINT}"
WAIT_MS = 30_000


class Ring:
    """A key ring in memory, which can hang or fail."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fault: Exception | None = None

    def _look(self) -> None:
        self.may_answer.wait(WAIT_MS / 1000)
        if self.fault is not None:
            raise self.fault

    def get_password(self, service: str, username: str) -> str | None:
        self._look()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._look()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._look()
        del self.kept[service, username]


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def open_servers(feed: Any, preferences: Preferences, ring: Ring, qtbot: QtBot) -> Callable[..., Servers]:
    def make(has_ring: bool = True) -> Servers:
        store = KeyStore(lambda: ring if has_ring else None)
        servers = Servers(feed, preferences, store)
        store.setParent(servers)
        servers.setParent(feed)
        return servers

    return make


def go_online(feed: Any) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))


def test_a_token_goes_into_the_key_ring_once_it_was_taken_and_comes_back_at_the_next_start(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    servers = open_servers()
    servers.connect_to(ServerAddress.parse(LINK))
    assert feed.requests == [("connect", ADDRESS, TOKEN, FINGERPRINT)]
    with qtbot.waitSignal(servers.keeping_offered, timeout=WAIT_MS) as offered:
        go_online(feed)
    assert offered.args == [ADDRESS]
    assert servers.has_key_ring
    servers.keep_token(ADDRESS, is_wanted=True)
    qtbot.waitUntil(lambda: preferences.known_servers[0].is_token_kept is True, timeout=WAIT_MS)
    assert ring.kept == {(SERVICE, ADDRESS): TOKEN}
    settings = preferences._settings
    assert TOKEN not in "".join(str(settings.value(key)) for key in settings.allKeys())

    again = open_servers()
    with qtbot.waitSignal(again.key_settled, timeout=WAIT_MS):
        again.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests[-1] == ("connect", ADDRESS, TOKEN, FINGERPRINT)


def test_it_is_asked_once_whether_a_token_is_kept(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    servers = open_servers()
    servers.connect_to(ServerAddress.parse(LINK))
    with qtbot.waitSignal(servers.keeping_offered, timeout=WAIT_MS):
        go_online(feed)
    servers.keep_token(ADDRESS, is_wanted=False)
    assert preferences.known_servers[0].is_token_kept is False
    assert ring.kept == {}
    servers.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests[-1] == ("connect", ADDRESS, TOKEN, FINGERPRINT)  # until the window is closed
    with qtbot.assertNotEmitted(servers.keeping_offered, wait=50):
        go_online(feed)


def test_without_a_key_ring_a_token_is_kept_until_the_window_closes(
    open_servers: Callable[..., Servers], feed: Any, preferences: Preferences, qtbot: QtBot
) -> None:
    servers = open_servers(has_ring=False)
    servers.connect_to(ServerAddress.parse(LINK))
    with qtbot.waitSignal(servers.keeping_offered, timeout=WAIT_MS):
        go_online(feed)
    assert servers.has_key_ring is False
    assert preferences.known_servers[0].is_token_kept is None
    with qtbot.assertNotEmitted(servers.keeping_offered, wait=50):
        go_online(feed)  # said once
    servers.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests[-1] == ("connect", ADDRESS, TOKEN, FINGERPRINT)


def test_a_key_ring_that_hangs_holds_up_nothing(
    open_servers: Callable[..., Servers],
    feed: Any,
    ring: Ring,
    preferences: Preferences,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    monkeypatch.setattr(servers_module, "KEY_RING_MS", 100)
    ring.may_answer.clear()
    servers = open_servers()
    servers.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests == []
    qtbot.waitUntil(lambda: bool(feed.requests), timeout=WAIT_MS)
    assert feed.requests == [("connect", ADDRESS, "", FINGERPRINT)]
    ring.kept[SERVICE, ADDRESS] = TOKEN
    ring.may_answer.set()  # too late
    qtbot.wait(50)
    assert len(feed.requests) == 1


def test_a_key_ring_that_fails_counts_as_one_that_has_nothing(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.fault = OSError("no bus")
    servers = open_servers()
    with qtbot.waitSignal(servers.key_settled, timeout=WAIT_MS):
        servers.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests == [("connect", ADDRESS, "", FINGERPRINT)]


def test_waiting_for_the_key_ring_can_be_given_up(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.may_answer.clear()
    servers = open_servers()
    servers.connect_to(ServerAddress.parse(ADDRESS))
    servers.stop_waiting()
    ring.may_answer.set()
    qtbot.wait(50)
    assert feed.requests == []


def test_another_server_ends_the_waiting(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.may_answer.clear()
    servers = open_servers()
    servers.connect_to(ServerAddress.parse(ADDRESS))
    with qtbot.waitSignal(servers.key_settled, timeout=WAIT_MS):
        servers.connect_to(ServerAddress.parse("bench"))
    ring.may_answer.set()
    qtbot.wait(50)
    assert feed.requests == [("connect", "http://bench:8999", "", "")]


def test_a_new_token_replaces_the_one_that_is_kept(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.kept[SERVICE, ADDRESS] = "blz_old"
    open_servers().connect_to(ServerAddress.parse(LINK))
    go_online(feed)
    qtbot.waitUntil(lambda: ring.kept == {(SERVICE, ADDRESS): TOKEN}, timeout=WAIT_MS)


def test_a_server_is_forgotten_with_its_token(
    open_servers: Callable[..., Servers], ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.kept[SERVICE, ADDRESS] = TOKEN
    open_servers().forget(ADDRESS)
    assert preferences.known_servers == ()
    qtbot.waitUntil(lambda: ring.kept == {}, timeout=WAIT_MS)


@pytest.mark.parametrize("is_connected", [True, False])
def test_the_token_of_a_server_goes_with_it_to_another_address(
    open_servers: Callable[..., Servers],
    feed: Any,
    ring: Ring,
    preferences: Preferences,
    qtbot: QtBot,
    is_connected: bool,
) -> None:
    new = "https://lab-pi2:9000"
    servers = open_servers()
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.kept[SERVICE, ADDRESS] = TOKEN
    if is_connected:
        servers.connect_to(ServerAddress.parse(LINK))
        go_online(feed)
    servers.change(ADDRESS, ServerAddress.parse(new, fingerprint=FINGERPRINT), "")
    qtbot.waitUntil(lambda: ring.kept == {(SERVICE, new): TOKEN}, timeout=WAIT_MS)
    assert preferences.known_servers[0].name == "lab-pi2"
    connected = servers.connected_to(ADDRESS)
    assert (connected is not None and connected.token == TOKEN) is is_connected  # the connection goes on
    servers.connect_to(ServerAddress.parse(new))
    assert feed.requests[-1] == ("connect", new, TOKEN, FINGERPRINT)


def test_a_new_token_replaces_the_one_that_is_kept_and_is_not_the_one_of_the_connection(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    servers = open_servers()
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.kept[SERVICE, ADDRESS] = TOKEN
    servers.connect_to(ServerAddress.parse(LINK))
    with qtbot.waitSignal(servers.changed, timeout=WAIT_MS):
        servers.change(ADDRESS, ServerAddress.parse(LINK.replace(TOKEN, "blz_new")), "Pump")
    qtbot.waitUntil(lambda: ring.kept == {(SERVICE, ADDRESS): "blz_new"}, timeout=WAIT_MS)
    assert servers.name(ADDRESS) == "Pump"
    current = servers.connected_to(ADDRESS)
    assert current is not None
    assert current.token == TOKEN
    servers.connect_to(ServerAddress.parse(ADDRESS))
    assert feed.requests[-1] == ("connect", ADDRESS, "blz_new", FINGERPRINT)
    servers.change("http://nobody:1", ServerAddress.parse(ADDRESS), "")  # not in the list: nothing
    assert preferences.servers == (ADDRESS,)


def test_what_is_known_of_servers_is_kept_in_order_and_bounded(tmp_path: Path) -> None:
    path = str(tmp_path / "client.ini")
    preferences = Preferences(QSettings(path, QSettings.IniFormat))
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(MOST_SERVERS + 2):
        preferences.remember_server(ServerAddress.parse(f"bench{number}"), f"Bench {number}", now)
    preferences.remember_server(ServerAddress.parse(LINK), now=now)
    preferences._settings.sync()
    again = Preferences(QSettings(path, QSettings.IniFormat))
    assert len(again.known_servers) == MOST_SERVERS
    assert again.known_servers[0] == KnownServer(ADDRESS, "lab-pi", FINGERPRINT, now)
    assert again.known_servers[1].name == f"Bench {MOST_SERVERS + 1}"
    assert again.fingerprint(ADDRESS) == FINGERPRINT


def test_a_list_of_servers_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "client.ini"), QSettings.IniFormat)
    settings.setValue("servers", 'http://old:1\n{"address": 1, "wrong": 2}\n[]')
    assert Preferences(settings).known_servers == ()


def test_a_key_ring_that_keeps_nothing_safe_counts_as_none() -> None:
    assert find_key_ring() is None  # the tests' own keeps nothing


def test_the_token_of_a_server_is_recalled_without_connecting_to_it(
    open_servers: Callable[..., Servers], feed: Any, ring: Ring, preferences: Preferences, qtbot: QtBot
) -> None:
    servers, told = open_servers(), []
    unknown = ServerAddress.parse("http://elsewhere:1")
    servers.recall(unknown, told.append)
    assert told == [unknown]
    preferences.remember_server(ServerAddress.parse(LINK))
    preferences.remember_token_choice(ADDRESS, is_kept=True)
    ring.kept[SERVICE, ADDRESS] = TOKEN
    servers.recall(ServerAddress.parse(ADDRESS), told.append)
    qtbot.waitUntil(lambda: len(told) == 2, timeout=WAIT_MS)
    assert (told[1].token, told[1].fingerprint) == (TOKEN, FINGERPRINT)
    assert feed.requests == []
    servers.connect_to(ServerAddress.parse(LINK))
    assert [server.token for server in servers.connected] == [TOKEN]
    servers.recall(ServerAddress.parse(ADDRESS), told.append)
    assert told[2].token == TOKEN
