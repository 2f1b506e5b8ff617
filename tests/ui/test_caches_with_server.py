"""The window and caches that have names, at a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import empty_database, running_postgresql
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.cache_places import CachePlace
from blitz.data.cache_setup import look_at, register
from blitz.data.database_client import DatabaseClient
from blitz.data.named_caches import NamedCaches
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.caches import CachesDialog
from blitz.ui.dialogs.export import ExportWish
from blitz.ui.dialogs.new_cache import NewCacheDialog
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.server_link import ServerLink

WAIT_MS = 30_000
OTHER_STORE = "99999999-2222-4333-8444-555555555555"


class Bench:
    """A window at a server whose caches lie in a folder."""

    def __init__(self, window: MainWindow, feed: ServerLink, folder: Path, qtbot: QtBot) -> None:
        self.window = window
        self.feed = feed
        self.folder = folder
        self._qtbot = qtbot

    @property
    def sessions(self) -> Any:
        return self.window.sessions_page.sessions

    def wait(self, is_so: Callable[[], object]) -> None:
        self._qtbot.waitUntil(lambda: bool(is_so()), timeout=WAIT_MS)

    def choose(self, name: str) -> None:
        """Take a cache from the menu."""
        next(each for each in self.window.cache_actions.listed() if each.data() == name).trigger()

    def uses(self, name: str) -> bool:
        place = self.window.cache_actions._used
        return place is not None and place.name == name

    def place(self, name: str) -> CachePlace:
        return CachePlace.of(NamedCaches(self.folder).get(name))

    def answer(self, words: str) -> None:
        self.wait(lambda: [box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox)])
        box = next(box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox) and box.isVisible())
        button = next(each for each in box.buttons() if each.text().replace("&", "") == words)
        QTest.mouseClick(button, Qt.LeftButton)

    def said(self, words: str) -> bool:
        return any(words in text for text in self.window.notices.texts)


@pytest.fixture
def open_bench(
    show_window: Callable[..., MainWindow], server: Any, tmp_path: Path, qtbot: QtBot
) -> Callable[..., Bench]:
    def open_it(cache: CachePlace | None = None, *, url: str = "") -> Bench:
        folder = tmp_path / "caches"
        feed = ServerLink(folder, cache=cache)
        window = show_window(feed)
        bench = Bench(window, feed, folder, qtbot)
        window.connect_to(ServerAddress.parse(url or server.url))
        bench.wait(lambda: window.cache_actions._used is not None)
        return bench

    return open_it


@pytest.fixture
def recorded(server: Any) -> int:
    """A session that has ended."""
    with Client(server.url) as client:
        session = client.start(name="a run")
        for arrived in client.live():
            if getattr(arrived, "seq", None) is not None and arrived.seq[-1] >= 20:
                break
        client.stop(session.id)
        return session.id


def test_the_window_works_with_another_cache_and_comes_back(
    open_bench: Callable[..., Bench], recorded: int, tmp_path: Path
) -> None:
    bench = open_bench()
    window, sessions = bench.window, bench.sessions
    assert window.status_line.cache.isHidden()
    bench.wait(lambda: sessions.find(recorded) is not None)
    window.session_actions.view(recorded)
    bench.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    assert sessions.is_local(recorded)

    register(bench.folder, "experiment", None, "the pump")
    bench.choose("experiment")
    bench.wait(lambda: bench.uses("experiment"))
    bench.wait(lambda: not sessions.is_local(recorded))
    assert window.histories.pages == []  # what was open from the other cache
    assert window.status_line.cache.isVisible()
    assert window.status_line.cache.text() == "Cache: experiment"
    bench.wait(lambda: bench.said("in the cache “experiment” from now on"))
    assert NamedCaches(bench.folder).in_use == NamedCaches(bench.folder).get("experiment")
    usual, action = window.cache_actions.listed()
    assert (action.isChecked(), action.toolTip(), usual.isChecked()) == (True, "the pump", False)

    window.session_actions.view(recorded)  # brought into the new one
    bench.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    window.session_actions.export_to(recorded, ExportWish(tmp_path / "a.csv"))
    bench.wait(lambda: (tmp_path / "a.csv").is_file() and not window.jobs.running)
    (tmp_path / "b.csv").write_text("time,x\n0,1\n1,2\n")
    window.import_actions.bring_in(tmp_path / "b.csv")
    bench.wait(lambda: sessions.find(-1) is not None)
    facts = look_at(bench.place("experiment"))
    assert (facts.sessions, facts.only_here) == (2, 1)

    bench.choose("")
    bench.wait(lambda: bench.uses(""))
    bench.wait(lambda: sessions.is_local(recorded) and sessions.find(-1) is None)
    assert NamedCaches(bench.folder).in_use is None
    assert window.status_line.cache.isHidden()


def test_live_view_and_recording_go_on_and_the_session_comes_whole_into_the_new_cache(
    open_bench: Callable[..., Bench],
) -> None:
    bench = open_bench()
    window = bench.window
    register(bench.folder, "experiment")
    bench.wait(lambda: window.header.start.isEnabled() and not window.recording_actions.checklist.red)
    window.header.start.click()
    bench.wait(lambda: window.header.is_recording and window.store.newest_time() is not None)
    session_id = window.header.session.id
    bench.wait(lambda: any(window.store.count(each.index) > 20 for each in window.store.sources))
    before = {each.index: window.store.count(each.index) for each in window.store.sources}
    bench.choose("experiment")
    bench.wait(lambda: bench.uses("experiment"))
    bench.wait(lambda: all(window.store.count(index) > count + 20 for index, count in before.items()))
    window.header.stop.click()
    bench.wait(lambda: not window.header.is_recording)
    bench.wait(lambda: bench.sessions.is_local(session_id))
    count = bench.sessions.find(session_id).message_count
    with bench.place("experiment").open() as cache:
        assert sum(map(len, cache.session_blocks(session_id))) == count
    assert not any("Cannot" in text or "closed" in text for text in window.notices.texts)


def test_a_cache_of_another_server_is_refused_and_nothing_changes(
    open_bench: Callable[..., Bench], recorded: int
) -> None:
    bench = open_bench()
    named = register(bench.folder, "foreign")
    with CachePlace.of(named).open() as foreign:
        foreign.bind_store(OTHER_STORE)
    bench.choose("foreign")
    bench.wait(lambda: bench.said("The cache is as before: The cache foreign"))
    assert bench.said(f"belongs to the store {OTHER_STORE}")
    assert bench.said("Server, Cache, New… makes one for this server")
    assert bench.uses("")
    assert bench.window.cache_actions.usual.isChecked()
    assert NamedCaches(bench.folder).in_use is None


@pytest.mark.parametrize(("problem", "words"), [("foreign", "belongs to the store"), ("away", "Cannot use the cache")])
def test_a_chosen_cache_that_cannot_be_used_is_told_and_the_usual_one_serves(
    open_bench: Callable[..., Bench], recorded: int, tmp_path: Path, problem: str, words: str
) -> None:
    place = CachePlace("postgresql+psycopg://ann:secret@127.0.0.1:1/x", "away")
    if problem == "foreign":
        place = CachePlace.of(register(tmp_path / "caches", "foreign"))
        with place.open() as foreign:
            foreign.bind_store(OTHER_STORE)
    bench = open_bench(place)
    bench.wait(lambda: bench.said(words))
    assert bench.said("sessions go to the usual cache of this server")
    assert not bench.said("secret")
    assert bench.uses("")
    bench.wait(lambda: bench.sessions.find(recorded) is not None)
    bench.feed.download(recorded)
    bench.wait(lambda: bench.sessions.is_local(recorded))


def test_a_cache_is_made_and_managed_in_dialogs(
    open_bench: Callable[..., Bench], recorded: int, tmp_path: Path
) -> None:
    bench = open_bench()
    window = bench.window
    window.menus["cache_new"].trigger()
    dialog = window.findChild(NewCacheDialog)
    dialog.accept()
    assert dialog.wrong.text() == "Give it a name."
    dialog.name.setText("2nd")
    dialog.accept()
    bench.wait(lambda: "is no name of a cache" in dialog.wrong.text())
    dialog.name.setText("experiment")
    dialog.place.setText(":memory:")
    dialog.accept()
    bench.wait(lambda: "cannot have a name" in dialog.wrong.text())
    dialog.place.setText(str(tmp_path / "stick" / "runs.db"))
    dialog.description.setText("on the stick")
    dialog.accept()
    bench.wait(lambda: bench.uses("experiment"))
    assert (tmp_path / "stick" / "runs.db").is_file()

    window.menus["cache_manage"].trigger()
    manage = window.findChild(CachesDialog)
    bench.wait(lambda: manage.caches.rowCount() == 2)
    assert [manage.caches.index(row, 0).data() for row in range(2)] == ["experiment, in use", "usual"]
    manage.table.selectRow(0)
    assert (manage.use.isEnabled(), manage.forget.isEnabled(), manage.delete.isEnabled()) == (False, True, False)
    manage.table.selectRow(1)
    assert (manage.use.isEnabled(), manage.forget.isEnabled(), manage.delete.isEnabled()) == (True, False, True)
    manage.use.click()
    bench.wait(lambda: bench.uses(""))
    bench.wait(lambda: manage.caches.index(1, 0).data() == "usual, in use")
    manage.table.selectRow(0)
    manage.delete.click()
    bench.answer("Delete")
    bench.wait(lambda: manage.caches.rowCount() == 1)
    assert NamedCaches(bench.folder).all() == []
    assert not (tmp_path / "stick" / "runs.db").exists()

    register(bench.folder, "second")
    bench.choose("second")
    bench.wait(lambda: bench.uses("second") and manage.caches.rowCount() == 2)
    bench.wait(lambda: manage.caches.index(0, 0).data() == "second, in use")
    manage.table.selectRow(0)
    manage.forget.click()
    bench.answer("Forget the name")
    bench.wait(lambda: bench.uses("") and NamedCaches(bench.folder).all() == [])
    assert (bench.folder / "named" / "second.db").is_file()
    manage.close()


def test_a_cache_that_is_chosen_without_a_server_is_used_from_the_next_connection_on(
    open_bench: Callable[..., Bench], recorded: int, server: Any
) -> None:
    bench = open_bench()
    window = bench.window
    for name in ("one", "two"):
        register(bench.folder, name)
    window.menus["disconnect"].trigger()
    bench.wait(lambda: window.header.state.text() == "Not connected")
    bench.choose("one")
    bench.wait(lambda: bench.said("in the cache “one” from now on"))
    assert bench.uses("")
    window.connect_to(ServerAddress.parse("http://127.0.0.1:9"))  # nobody is there
    bench.wait(lambda: window.header.state.text() == "Connecting…")
    bench.choose("two")
    bench.wait(lambda: bench.said("in the cache “two” from now on"))
    assert look_at(bench.place("two")).store_id is None
    window.connect_to(ServerAddress.parse(server.url))
    bench.wait(lambda: bench.uses("two"))
    bench.wait(lambda: bench.sessions.find(recorded) is not None)
    assert look_at(bench.place("one")).store_id is None
    bench.feed.download(recorded)
    bench.wait(lambda: bench.sessions.is_local(recorded))


def test_a_download_under_way_is_asked_about(open_bench: Callable[..., Bench], recorded: int) -> None:
    bench = open_bench()
    window = bench.window
    bench.wait(lambda: bench.sessions.find(recorded) is not None)
    register(bench.folder, "experiment")
    bench.sessions.set_progress(recorded, 1, 100)  # as one that takes long
    bench.choose("experiment")
    bench.answer("Cancel")
    assert bench.uses("")
    assert window.cache_actions.usual.isChecked()
    bench.choose("experiment")
    bench.answer("Change the cache")
    bench.wait(lambda: bench.uses("experiment"))


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_postgresql() as address:
        yield address


def test_a_postgresql_database_is_a_cache_of_the_window(
    open_bench: Callable[..., Bench], recorded: int, postgresql: str, tmp_path: Path
) -> None:
    try:
        place = CachePlace.of(register(tmp_path / "caches", "shared", postgresql))
        bench = open_bench(place)
        window = bench.window
        assert bench.uses("shared")
        bench.wait(lambda: bench.sessions.find(recorded) is not None)
        window.session_actions.view(recorded)
        bench.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
        window.session_actions.export_to(recorded, ExportWish(tmp_path / "a.csv"))
        bench.wait(lambda: (tmp_path / "a.csv").is_file() and not window.jobs.running)
        with DatabaseClient(path=postgresql) as cache:
            assert cache.is_available(recorded)
        window.close()
    finally:
        empty_database(postgresql)
