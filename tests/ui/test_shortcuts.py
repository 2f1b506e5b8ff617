"""Keys: each is listed, none means two things, and menus can be used without a mouse."""

import itertools
from collections import Counter
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QKeySequence
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QAction, QApplication, QMenu

from blitz.ui.dialogs.shortcuts import ShortcutsDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.shortcuts import keys_in_force, list_shortcuts


@pytest.fixture
def online(window: MainWindow, feed: Any, make: Any) -> MainWindow:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "http://127.0.0.1:8999"))
    feed.status_received.emit(make.status(boards=2))
    return window


def menus_of(window: MainWindow) -> list[QMenu]:
    tops = [action.menu() for action in window.menuBar().actions()]
    inner = [action.menu() for menu in tops for action in menu.actions() if action.menu() is not None]
    return [*tops, *inner]


def mnemonic(label: str) -> str:
    place = label.replace("&&", "  ").find("&")
    return label[place + 1].lower() if place >= 0 else ""


def test_no_two_keys_that_count_at_once_are_the_same(online: MainWindow) -> None:
    online.show_trash()
    keys = keys_in_force(online)
    assert len(keys) > 20
    clashes = [
        f"{one.key.toString()}: “{one.words}” and “{other.words}”"
        for one, other in itertools.combinations(keys, 2)
        if one.clashes_with(other)
    ]
    assert clashes == []


def test_each_entry_of_a_menu_has_a_letter_and_none_has_the_same(online: MainWindow) -> None:
    tops = Counter(mnemonic(action.text()) for action in online.menuBar().actions())
    assert [letter for letter, count in tops.items() if count > 1 or not letter] == []
    wrong = []
    for menu in menus_of(online):
        labels = [action.text() for action in menu.actions() if not action.isSeparator()]
        letters = Counter(mnemonic(label) for label in labels)
        wrong += [f"{menu.title()}: {label}" for label in labels if letters[mnemonic(label)] > 1 or not mnemonic(label)]
    assert wrong == [], "\n".join(wrong)


def test_all_actions_with_a_key_are_in_the_list(online: MainWindow) -> None:
    listed = {(line.words, keys) for line in list_shortcuts(online, online.tabs) for keys in line.keys.split(", ")}
    pages = online.tabs.pages()
    for action in online.findChildren(QAction):
        on_page = any(
            page.isAncestorOf(widget) or page is widget for page in pages for widget in action.associatedWidgets()
        )
        if on_page or action in online.menus.values():
            words = action.text().replace("&", "").rstrip("…")
            for key in action.shortcuts():
                assert (words, key.toString(QKeySequence.NativeText)) in listed


def test_f1_shows_the_keys_and_a_search_finds_them(online: MainWindow) -> None:
    online.menus["shortcuts"].trigger()
    dialog = next(each for each in online.findChildren(ShortcutsDialog) if each.isVisible())
    assert online.menus["shortcuts"].shortcut().toString() == "F1"
    rows = dialog.shortcuts.rowCount()
    assert rows > 20
    QTest.keyClicks(dialog.words, "console pause")
    assert [tuple(line) for line in dialog.shortcuts.lines] == [("Console", "Pause, or go on", "Space")]
    dialog.copy.click()
    assert QApplication.clipboard().text() == f"Console\n  {'Space':<16}  Pause, or go on\n"
    dialog.words.setText("nothing at all")
    assert dialog.shortcuts.rowCount() == 0
    QTest.keyClick(dialog, Qt.Key_Escape)
    assert not dialog.isVisible()


def test_places_stand_once_above_their_keys(online: MainWindow) -> None:
    lines = list_shortcuts(online, online.tabs)
    dialog = ShortcutsDialog(lines, online)
    shown = [dialog.shortcuts.index(row, 0).data() for row in range(dialog.shortcuts.rowCount())]
    assert [place for place in shown if place] == list(dict.fromkeys(line.place for line in lines))
    assert {"Server", "Session", "View", "Help", "Console", "Events"} <= set(shown)
