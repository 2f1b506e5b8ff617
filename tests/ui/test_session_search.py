"""The search in the list of sessions: it finds what the server and the command line find."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.io.address import ServerAddress
from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.server_link import ServerLink

WAIT_MS = 20_000


def found(window: MainWindow) -> list[int]:
    page = window.sessions_page
    rows = [page.proxy.mapToSource(page.proxy.index(row, 0)).row() for row in range(page.proxy.rowCount())]
    return sorted(page.sessions.record(row).id for row in rows)


def test_sessions_whose_markers_have_the_words_come_with_the_answer(
    window: MainWindow, feed: Any, make: Any, qtbot: QtBot
) -> None:
    feed.go_online()
    feed.sessions_listed.emit(SessionList((make.session(8, name="leak"), make.session(7), make.session(6))))
    page = window.sessions_page
    with qtbot.waitSignal(page.search_requested, timeout=WAIT_MS) as asked:
        page.search.setText("leak")
    assert asked.args == ["leak"]
    page.search.setText("nowhere")
    assert page.selected is None
    page.search.setText("leak")
    assert found(window) == [8]
    feed.sessions_found.emit("leak", frozenset({8, 6}))
    assert found(window) == [6, 8]
    assert page.selected is not None
    assert page.selected.id == 8
    feed.sessions_found.emit("lea", frozenset({7}))  # an answer that is late
    assert found(window) == [6, 8]
    with qtbot.waitSignal(page.search_requested, timeout=WAIT_MS):  # what was written may have changed
        feed.sessions_listed.emit(SessionList((make.session(8, name="leak"), make.session(7), make.session(6))))
    page.search.clear()
    assert found(window) == [6, 7, 8]


def test_what_rows_say_of_copies_and_states_is_not_searched(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.sessions_listed.emit(SessionList((make.session(8), make.session(7))))
    window.sessions_page.search.setText("server")
    assert found(window) == []


def test_the_window_finds_what_the_command_line_finds(
    qtbot: QtBot, server: Any, show_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    feed = ServerLink(tmp_path / "caches")
    window = show_window(feed)
    with Client(server.url, timeout=60) as client:
        numbers = []
        for name in ("first", "second", "third"):
            numbers.append(client.start(name).id)
            client.stop()
        noted = client.add_marker(numbers[0], "Ventil geöffnet", at=client.session(numbers[0]).started_at)
        window.connect_to(ServerAddress.parse(server.url))
        qtbot.waitUntil(lambda: found(window) == numbers, timeout=WAIT_MS)

        def agrees(words: str, expected: list[int]) -> None:
            with qtbot.waitSignal(feed.sessions_found, timeout=WAIT_MS):
                window.sessions_page.search.setText(words)
            assert found(window) == expected
            assert sorted(record.id for record in client.sessions(words)) == expected

        agrees("GEOFFNET ventil", numbers[:1])
        agrees("second", numbers[1:2])
        agrees("no gaps", [])
        agrees("leck", [])
        client.edit_marker(numbers[0], noted, text="Leck gefunden")
        qtbot.waitUntil(lambda: found(window) == numbers[:1], timeout=WAIT_MS)
    feed.close()
