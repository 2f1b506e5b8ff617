"""Every key of the window, as the actions themselves tell it: there is no other list that could become wrong.

Menus and pages have actions with shortcuts. A widget that takes keys by itself says which in ``key_words``, beside the
method that takes them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QMainWindow, QMenu, QShortcut, QTabWidget, QWidget

KeyWords = tuple[tuple[str, str], ...]
"""Keys and what they do, of a widget that takes them by itself."""


class ShortcutLine(NamedTuple):
    """What keys do, and where."""

    place: str
    words: str
    keys: str


class KeyInForce(NamedTuple):
    """One key with the widget in which it counts."""

    key: QKeySequence
    scope: QWidget
    reaches_children: bool
    words: str

    def clashes_with(self, other: "KeyInForce") -> bool:
        """Whether one press of the key could mean both."""
        if self.key != other.key:
            return False
        if self.scope is other.scope:
            return True
        if self.reaches_children and self.scope.isAncestorOf(other.scope):
            return True
        return other.reaches_children and other.scope.isAncestorOf(self.scope)


def list_shortcuts(window: QMainWindow, tabs: QTabWidget) -> list[ShortcutLine]:
    """Return all keys: those of the menus, then those of the pages, from left to right."""
    lines = [line for menu in _menus(window) for line in _of_menu(menu, _plain(menu.title()))]
    for place in range(tabs.count()):
        page = tabs.widget(place)
        title = tabs.tabText(place).partition(" (")[0]
        lines += [ShortcutLine(title, words, keys) for words, keys in _of_page(page)]
    return list(dict.fromkeys(lines))


def find_shortcuts(lines: Iterable[ShortcutLine], words: str) -> list[ShortcutLine]:
    """Return the lines that have all of the words.

    >>> find_shortcuts([ShortcutLine("View", "Trash", "Ctrl+T"), ShortcutLine("Session", "Stop", "F5")], "view ctrl")
    [ShortcutLine(place='View', words='Trash', keys='Ctrl+T')]
    """
    wanted = words.casefold().split()
    return [line for line in lines if all(word in " ".join(line).casefold() for word in wanted)]


def shortcuts_text(lines: Iterable[ShortcutLine]) -> str:
    """Write lines for paper, a heading a place.

    >>> print(shortcuts_text([ShortcutLine("View", "Trash", "Ctrl+T")]))
    View
      Ctrl+T            Trash
    <BLANKLINE>
    """
    text, place = "", ""
    for line in lines:
        if line.place != place:
            text += f"{chr(10) if text else ''}{line.place}\n"
            place = line.place
        text += f"  {line.keys:<16}  {line.words}\n"
    return text


def keys_in_force(window: QMainWindow) -> list[KeyInForce]:
    """Return each key of the window's actions and shortcuts with where it counts, dialogs left out."""
    found = []
    for action in window.findChildren(QAction):
        context = action.shortcutContext()
        scopes = [window] if context in (Qt.WindowShortcut, Qt.ApplicationShortcut) else action.associatedWidgets()
        for key in action.shortcuts():
            found += [KeyInForce(key, scope, context != Qt.WidgetShortcut, _plain(action.text())) for scope in scopes]
    for shortcut in window.findChildren(QShortcut):
        context = shortcut.context()
        scope = window if context in (Qt.WindowShortcut, Qt.ApplicationShortcut) else shortcut.parentWidget()
        if scope is not None and shortcut.isEnabled():
            found.append(KeyInForce(shortcut.key(), scope, context != Qt.WidgetShortcut, shortcut.whatsThis()))
    return [each for each in found if each.scope.window() is window]


def _menus(window: QMainWindow) -> Iterator[QMenu]:
    for action in window.menuBar().actions():
        menu: Any = action.menu()  # None where it is an entry
        if menu is not None:
            yield menu


def _of_menu(menu: QMenu, place: str) -> Iterator[ShortcutLine]:
    for action in menu.actions():
        inner: Any = action.menu()  # None where it is no menu
        if inner is not None:
            yield from _of_menu(inner, place)
        elif action.shortcuts():
            yield ShortcutLine(place, _plain(action.text()), _keys(action))


def _of_page(page: QWidget) -> Iterator[tuple[str, str]]:
    for action in page.findChildren(QAction):
        if action.shortcuts() and action.shortcutContext() != Qt.WindowShortcut:
            yield _plain(action.text()), _keys(action)
    for shortcut in page.findChildren(QShortcut):
        if shortcut.whatsThis():
            yield shortcut.whatsThis(), shortcut.key().toString(QKeySequence.NativeText)
    for widget in (page, *page.findChildren(QWidget)):
        told: KeyWords = getattr(type(widget), "key_words", ())
        for keys, words in told:
            yield words, keys


def _keys(action: QAction) -> str:
    return ", ".join(key.toString(QKeySequence.NativeText) for key in action.shortcuts())


def _plain(label: str) -> str:
    """Return a label without its mnemonic."""
    return label.replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…")


def lettered(labels: Iterable[str]) -> list[str]:
    """Give each entry of a menu a letter of its own.

    >>> lettered(["Light", "Dark", "Last"])
    ['&Light', '&Dark', 'L&ast']
    """
    taken: set[str] = set()
    marked = []
    for label in labels:
        place = next((n for n, char in enumerate(label) if char.isalnum() and char.lower() not in taken), -1)
        taken.add(label[place].lower() if place >= 0 else "")
        marked.append(f"{label[:place]}&{label[place:]}" if place >= 0 else label)
    return marked
