"""The menus of the window, with every shortcut."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QActionGroup, QMenu, QMessageBox, QWidget

from blitz import __version__
from blitz.ui.dialogs.shortcuts import ShortcutsDialog
from blitz.ui.shortcuts import list_shortcuts
from blitz.ui.theme import ThemeChoice

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

_ABOUT = (
    "Blitz {version} records what boards send over serial ports, and shows it.\n\n"
    "Blitz is under the MIT licence; PyQt5, which draws this window, is under the GPL, version 3."
)


def build_menus(window: "MainWindow") -> dict[str, QAction]:
    """Fill the window's menu bar; returns the actions by name."""
    actions: dict[str, QAction] = {}

    def add(menu: QMenu, name: str, label: str, key: str, act: Callable[[], object]) -> QAction:
        action = QAction(label, window)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda _=False: act())
        menu.addAction(action)
        actions[name] = action
        return action

    bar = window.menuBar()
    server = bar.addMenu("&Server")
    add(server, "servers", "&Servers…", "Ctrl+K", window.first.show_servers)
    add(server, "all_servers", "A&ll servers…", "Ctrl+Shift+A", window.all_servers.ask)
    add(server, "disconnect", "&Disconnect", "Ctrl+Shift+K", window.feed.disconnect_from)
    server.addSeparator()
    add(server, "add_device", "&Add a device…", "", window.new_devices.ask)
    add(server, "streams", "S&treams…", "", window.stream_actions.ask)
    add(server, "phone_page", "&Phone page…", "", window.phone_page.ask)
    server.addSeparator()
    actions.update(window.cache_actions.serve(server.addMenu("&Cache")))
    add(server, "settings", "S&ettings…", "Ctrl+,", window.settings_actions.ask)
    server.addSeparator()
    add(server, "quit", "&Quit", "Ctrl+Q", window.close)

    session = bar.addMenu("Sessi&on")
    add(session, "start", "&Start", "F5", window.header.start.click)
    add(session, "start_notes", "Start &with…", "Ctrl+F5", window.recording_actions.ask)
    add(session, "stop", "S&top", "Shift+F5", window.recording_actions.stop)
    session.addSeparator()
    add(session, "marker", "Add a &marker…", "Ctrl+M", window.ask_for_marker)
    add(session, "view_last", "&View the last session", "Ctrl+L", window.finished_sessions.view_last)
    add(session, "export_last", "&Export the last session…", "Ctrl+Shift+E", window.finished_sessions.export_last)
    add(session, "report_last", "Re&port of the last session…", "", window.finished_sessions.report_last)
    session.addSeparator()
    add(session, "import", "&Import a file…", "Ctrl+Shift+I", window.import_actions.ask_for_file)
    add(session, "open", "&Open a session file…", "Ctrl+O", window.session_actions.files.ask_for_file)
    add(session, "refresh", "&Refresh the list", "Ctrl+R", window.feed.refresh_sessions)

    view = bar.addMenu("&View")
    for place, page in enumerate(window.tabs.pages()):
        title = window.tabs.tabText(place)
        add(view, title.lower(), f"&{title}", f"Ctrl+{place + 1}", _show_page(window, page))
    add(view, "trash", "T&rash", "Ctrl+T", window.show_trash)
    add(view, "close_tab", "Close the &page shown", "Ctrl+W", window.close_tab)
    view.addAction(window.channel_pages.full_screen)
    view.addSeparator()
    _add_themes(view.addMenu("&Theme"), window, actions)
    add(view, "dismiss", "&Dismiss all notices", "Ctrl+Shift+D", window.notices.dismiss_all)

    about = bar.addMenu("&Help")
    add(about, "shortcuts", "&Keyboard shortcuts", "F1", lambda: _show_shortcuts(window))
    add(about, "about", "&About Blitz", "", lambda: _show_about(window))
    return actions


def _add_themes(menu: QMenu, window: "MainWindow", actions: dict[str, QAction]) -> None:
    group = QActionGroup(menu)
    for choice in ThemeChoice:
        action = QAction(f"&{choice.value}", menu)
        action.setCheckable(True)
        action.setChecked(window.preferences.theme is choice)
        action.triggered.connect(lambda _=False, choice=choice: window.choose_theme(choice))
        group.addAction(action)
        menu.addAction(action)
        actions[f"theme_{choice.name.lower()}"] = action


def _show_page(window: "MainWindow", page: QWidget) -> Callable[[], None]:
    return lambda: window.tabs.setCurrentWidget(page)


def _show_shortcuts(window: "MainWindow") -> None:
    dialog = ShortcutsDialog(list_shortcuts(window, window.tabs), window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def _show_about(window: "MainWindow") -> None:
    box = QMessageBox(QMessageBox.Information, "About Blitz", _ABOUT.format(version=__version__), parent=window)
    box.finished.connect(box.deleteLater)
    box.open()
