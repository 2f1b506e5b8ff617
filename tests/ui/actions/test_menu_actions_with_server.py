"""Every action of the menu bar."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QApplication, QFileDialog, QMessageBox

from blitz import Client
from blitz.data.named_caches import NamedCaches
from blitz.data.records import Role
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.add_device import AddDeviceDialog
from blitz.ui.dialogs.all_servers import AllServersDialog
from blitz.ui.dialogs.caches import CachesDialog
from blitz.ui.dialogs.closing import ClosingQuestion
from blitz.ui.dialogs.computed import ComputedDialog
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.known_server import KnownServerDialog
from blitz.ui.dialogs.marker import MarkerDialog
from blitz.ui.dialogs.new_cache import NewCacheDialog
from blitz.ui.dialogs.phone_page import PhonePageDialog
from blitz.ui.dialogs.reference import ReferenceDialog
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.dialogs.settings import SettingsDialog
from blitz.ui.dialogs.shortcuts import ShortcutsDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.dialogs.streams import StreamsDialog
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import ThemeChoice
from blitz.ui.windows import PlotWindow

Stage = Any
Play = Callable[[Stage], Any]


def markers_of(stage: Stage, session_id: int) -> list[str]:
    return [marker.text for marker in stage.ask_server(lambda client: client.markers(session_id))]


def servers(stage: Stage) -> None:
    stage.menu("Server/Servers…").trigger()
    page = stage.window.first.page
    assert page.isVisible()
    change_and_remove(stage, page, "Remove nobody")
    stage.press(page, page.back.text())
    assert stage.window.tabs.isVisible()


def change_and_remove(stage: Stage, root: Any, remove: str) -> None:
    """Another server of the list is called otherwise, then taken out of it, by the buttons of this part."""
    preferences = stage.window.preferences
    preferences.remember_server(ServerAddress.parse("http://127.0.0.1:1"), "somebody")
    stage.window.first.servers.remembered.emit()
    mine = preferences.known_servers[1:]
    if not isinstance(root, AllServersDialog):
        stage.press(root, "Change somebody")
    else:
        stage.wait(lambda: root.servers.row_of("http://127.0.0.1:1") is not None)
        root.servers_table.selectRow(root.servers.row_of("http://127.0.0.1:1"))
        stage.press(root, "Change")
    stage.dialog(KnownServerDialog).name.setText("nobody")
    stage.dialog(KnownServerDialog).accept()
    assert preferences.known_servers[0].name == "nobody"
    stage.press(root, remove)
    stage.answer("Cancel")
    assert preferences.known_servers[0].name == "nobody"
    stage.press(root, remove)
    stage.answer("Remove")
    assert preferences.known_servers == mine


def disconnect(stage: Stage) -> Iterator[str]:
    address = stage.server.url
    yield ""
    stage.menu("Server/Disconnect").trigger()
    stage.wait(lambda: stage.window.header.state.text() == "Not connected")
    yield ""
    assert stage.window.first.page.isVisible()
    stage.press(stage.window.first.page, address.removeprefix("http://").partition(":")[0])
    stage.wait(lambda: stage.is_online)


def add_device(stage: Stage) -> None:
    stage.menu("Server/Add a device…").trigger()
    stage.cancel(AddDeviceDialog)


def streams(stage: Stage) -> None:
    stage.menu("Server/Streams…").trigger()
    stage.cancel(StreamsDialog)


def phone_page(stage: Stage) -> Iterator[str]:
    """The link is copied and opened; one with a token of its own lets in as what was chosen."""
    for _ in range(2):  # a second time the one that is there comes to the front
        stage.menu("Server/Phone page…").trigger()
    dialog = stage.dialog(PhonePageDialog)
    assert dialog.link.text() == f"{stage.server.url}/"
    stage.press(dialog, "Copy")
    assert QApplication.clipboard().text() == dialog.link.text()
    stage.press(dialog, "Open in browser")
    assert stage.opened == [dialog.link.text()]
    dialog.role.setCurrentIndex(dialog.role.findData(Role.OPERATOR))
    yield ""
    stage.press(dialog, "Make a link")
    yield "No token was made"
    stage.wait(lambda: "#" in dialog.link.text())
    with Client(stage.server.url, token=dialog.link.text().partition("#")[2]) as client:
        assert client.whoami().role is Role.OPERATOR
    stage.cancel(PhonePageDialog)
    assert stage.window.phone_page.dialog is None


def all_servers(stage: Stage) -> None:
    for _ in range(2):  # a second time the one that is there comes to the front
        stage.menu("Server/All servers…").trigger()
    dialog = stage.dialog(AllServersDialog)
    stage.wait(lambda: [row.is_current for row in dialog.servers.rows] == [True])
    stage.wait(dialog.change.isEnabled)
    assert not dialog.remove.isEnabled()  # the window is connected to it
    change_and_remove(stage, dialog, "Remove")
    assert len(dialog.servers.rows) == 1
    stage.cancel(AllServersDialog)
    assert stage.window.all_servers.dialog is None


def usual_cache(stage: Stage) -> None:
    stage.menu("Server/Cache/Usual, one a server").trigger()
    stage.wait(lambda: stage.heard("in the usual cache of each server"))


def new_cache(stage: Stage) -> None:
    """Made, used from the menu, left, and forgotten: the menu is as before."""
    actions, folder = stage.window.cache_actions, stage.folder / "caches"
    stage.menu("Server/Cache/New…").trigger()
    stage.cancel(NewCacheDialog)
    name = f"experiment{stage.number()}"
    stage.menu("Server/Cache/New…").trigger()
    dialog = stage.dialog(NewCacheDialog)
    dialog.name.setText(name)
    dialog.use_it.setChecked(False)
    dialog.accept_button.click()
    stage.wait(lambda: stage.heard(f"The cache “{name}” is there"))
    stage.menu(f"Server/Cache/{name}").trigger()
    stage.wait(lambda: stage.window.status_line.cache.text() == f"Cache: {name}")
    stage.menu("Server/Cache/Usual, one a server").trigger()
    stage.wait(lambda: stage.window.status_line.cache.text() == "")
    NamedCaches(folder).forget(name)
    actions.list_names()


def manage_caches(stage: Stage) -> None:
    stage.menu("Server/Cache/Manage…").trigger()
    dialog = stage.dialog(CachesDialog)
    stage.wait(lambda: dialog.caches.rowCount() >= 1)
    stage.cancel(CachesDialog)


def settings(stage: Stage) -> None:
    stage.menu("Server/Settings…").trigger()
    stage.cancel(SettingsDialog)
    stage.menu("Server/Settings…").trigger()
    stage.dialog(SettingsDialog).accept()
    assert stage.window.preferences.export_folder == str(stage.folder)


def quit_it(stage: Stage) -> Iterator[str]:
    stage.start()
    yield ""
    stage.menu("Server/Quit").trigger()  # while a session runs, it asks
    yield ""
    stage.cancel(ClosingQuestion)
    assert stage.window.isVisible()


def start(stage: Stage) -> Iterator[str]:
    stage.window.header.name.setText("by the menu")
    yield ""
    stage.menu("Session/Start").trigger()
    yield "The session was not started"
    stage.wait(lambda: stage.window.header.is_recording)
    assert stage.ask_server(lambda client: client.status().session.name) == "by the menu"


def start_with(stage: Stage) -> Iterator[str]:
    stage.menu("Session/Start with…").trigger()
    stage.cancel(StartDialog)
    stage.menu("Session/Start with…").trigger()
    dialog = stage.dialog(StartDialog)
    dialog.name.setText("with words")
    dialog.tags.setText("warm-up")
    yield ""
    dialog.accept_button.click()
    yield "The session was not started"
    stage.wait(lambda: stage.window.header.is_recording)
    session = stage.ask_server(lambda client: client.status().session)
    assert (session.name, tuple(session.tags)) == ("with words", ("warm-up",))


def stop(stage: Stage) -> Iterator[str]:
    session = stage.start()
    yield ""
    stage.menu("Session/Stop").trigger()
    yield "The session was not stopped"
    stage.wait(lambda: not stage.window.header.is_recording)
    assert not stage.ask_server(lambda client: client.session(session.id)).is_running


def marker(stage: Stage) -> Iterator[str]:
    session = stage.start()
    stage.menu("Session/Add a marker…").trigger()
    stage.cancel(MarkerDialog)
    stage.menu("Session/Add a marker…").trigger()
    dialog = stage.dialog(MarkerDialog)
    dialog.text.setPlainText("valve open")
    yield ""
    dialog.accept_button.click()
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, session.id) == ["valve open"])
    stage.wait(lambda: [marker.text for marker in stage.window.store.markers] == ["valve open"])


def mark(stage: Stage) -> Iterator[str]:
    session = stage.start()
    stage.window.menus["live"].trigger()
    yield ""
    stage.menu("Plot/Mark this moment").trigger()
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, session.id) == ["Marker 1"])
    stage.wait(lambda: stage.heard("Marker 1 at"))


def view_last(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    yield ""
    stage.menu("Session/View the last session").trigger()
    yield f"Session {session_id} was not downloaded"
    stage.wait(lambda: getattr(stage.window.tabs.currentWidget(), "session_id", None) == session_id)


def export_last(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    yield ""
    stage.menu("Session/Export the last session…").trigger()
    yield f"Session {session_id} was not downloaded"
    stage.cancel(ExportDialog)


def report_last(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    yield ""
    stage.menu("Session/Report of the last session…").trigger()
    yield f"Session {session_id} was not downloaded"
    stage.cancel(ReportDialog)


def import_file(stage: Stage) -> None:
    stage.menu("Session/Import a file…").trigger()
    stage.cancel(QFileDialog)
    path = stage.folder / f"pump {len(list(stage.folder.iterdir()))}.csv"
    path.write_text("time [s],pressure [bar]\n1772366400,1.5\n1772366401,1.6\n")
    stage.menu("Session/Import a file…").trigger()
    stage.choose_file(path)
    stage.wait(lambda: stage.heard(f"{path.name} is session -"))


def open_file(stage: Stage) -> None:
    stage.menu("Session/Open a session file…").trigger()
    stage.cancel(QFileDialog)
    path = stage.folder / "no session.blitzsession"
    path.write_text("nothing")
    stage.menu("Session/Open a session file…").trigger()
    stage.choose_file(path)
    stage.wait(lambda: stage.heard(path.name))


def refresh(stage: Stage) -> Iterator[str]:
    yield ""
    stage.menu("Session/Refresh the list").trigger()
    yield "The list of sessions is not up to date"
    stage.agree()


def pages(title: str) -> Play:
    def play(stage: Stage) -> None:
        stage.menu(f"View/{title}").trigger()
        tabs = stage.window.tabs
        assert tabs.tabText(tabs.currentIndex()).startswith(title)
        assert tabs.currentWidget().isVisible()

    return play


def trash(stage: Stage) -> Iterator[str]:
    yield ""
    stage.menu("View/Trash").trigger()
    assert stage.window.tabs.currentWidget() is stage.window.trash_actions.page
    yield "The list of the trash is not up to date"
    stage.menu("View/Close the page shown").trigger()
    assert stage.window.trash_actions.page is None


def close_page(stage: Stage) -> None:
    count = stage.window.tabs.count()
    stage.menu("View/Close the page shown").trigger()
    assert stage.window.tabs.count() == count  # it is always there


def full_screen(stage: Stage) -> None:
    stage.menu("View/Numbers on the full screen").trigger()
    stage.wait(lambda: stage.window.isFullScreen())
    stage.menu("View/Numbers on the full screen").trigger()
    stage.wait(lambda: not stage.window.isFullScreen())
    assert stage.window.header.isVisible()


def theme(choice: ThemeChoice) -> Play:
    def play(stage: Stage) -> None:
        stage.menu(f"View/Theme/{choice.value}").trigger()
        assert stage.window.preferences.theme is choice
        assert stage.window.appearance.choice is choice

    return play


def dismiss(stage: Stage) -> None:
    stage.window.notices.tell("warning", "one")
    stage.window.notices.tell("warning", "another")
    stage.menu("View/Dismiss all notices").trigger()
    assert stage.window.notices.texts == []


def on_live(words: str, is_done: Callable[[Any], bool]) -> Play:
    """Choose it twice: it is turned on, and off again."""

    def play(stage: Stage) -> None:
        stage.window.menus["live"].trigger()
        page = stage.window.live_page
        before = is_done(page)
        stage.menu(f"Plot/{words}").trigger()
        assert is_done(page) is not before
        stage.menu(f"Plot/{words}").trigger()
        assert is_done(page) is before

    return play


def pause(stage: Stage) -> None:
    stage.window.menus["live"].trigger()
    stage.menu("Plot/Pause or go on").trigger()
    assert stage.window.live_page.bar.pause.isChecked()
    stage.menu("Plot/Follow the present").trigger()
    assert not stage.window.live_page.bar.pause.isChecked()


def window(choice: PlotWindow) -> Play:
    def play(stage: Stage) -> None:
        stage.window.menus["live"].trigger()
        stage.window.menus[f"window_{choice.name.lower()}"].trigger()
        assert stage.window.live_page.plot.view.window is choice
        assert stage.window.preferences.plot_window is choice

    return play


def zoomed(words: str) -> Play:
    def play(stage: Stage) -> None:
        stage.window.menus["live"].trigger()
        page = stage.window.live_page
        page.show_window(PlotWindow.SECONDS_30)
        stage.wait(lambda: page.shown_times[1] - page.shown_times[0] > 0)
        low, high = page.shown_times
        stage.menu(f"Plot/{words}").trigger()
        stage.wait(lambda: page.shown_times[1] - page.shown_times[0] != high - low)
        is_smaller = page.shown_times[1] - page.shown_times[0] < high - low
        assert is_smaller == (words == "Zoom in")
        stage.menu("Plot/Reset zoom").trigger()

    return play


def reset_zoom(stage: Stage) -> None:
    stage.window.menus["live"].trigger()
    stage.menu("Plot/Zoom in").trigger()
    stage.menu("Plot/Reset zoom").trigger()
    assert not stage.window.live_page.drawing.values_zoomed


def picture(kind: str) -> Play:
    def play(stage: Stage) -> None:
        stage.window.menus["live"].trigger()
        words = f"Plot/Save as {kind.upper()}…"
        stage.menu(words).trigger()
        stage.cancel(QFileDialog)
        path: Path = stage.folder / f"plot {len(list(stage.folder.iterdir()))}.{kind}"
        stage.menu(words).trigger()
        stage.choose_file(path)
        assert path.stat().st_size > 1000
        stage.press(stage.window.notices, "Open folder")
        assert stage.opened == [str(stage.folder)]

    return play


def copy_picture(stage: Stage) -> None:
    QApplication.clipboard().clear()
    stage.window.menus["live"].trigger()
    stage.menu("Plot/Copy the picture").trigger()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert not clipboard.image().isNull()


def shortcuts(stage: Stage) -> None:
    stage.menu("Help/Keyboard shortcuts").trigger()
    stage.cancel(ShortcutsDialog)


def about(stage: Stage) -> None:
    stage.menu("Help/About Blitz").trigger()
    stage.cancel(QMessageBox)


def reference(stage: Stage) -> Iterator[str]:
    stage.a_session()
    stage.window.tabs.setCurrentWidget(stage.window.live_page)
    stage.menu("Plot/Reference…").trigger()
    dialog = stage.dialog(ReferenceDialog)
    yield ""
    dialog.accept()
    yield ""  # it is here already
    stage.wait(lambda: stage.window.reference.reference is not None)
    stage.press(stage.window.live_page.reference, "Take it away")
    assert stage.window.reference.reference is None


def analyse(stage: Stage) -> Iterator[str]:
    page = stage.view(stage.a_session())
    yield ""
    for is_shown in (True, False):
        stage.menu("Plot/Analysis").trigger()
        assert page.analysis.isVisible() is is_shown
    yield ""  # it is here


def computed(stage: Stage) -> None:
    """A channel is computed, shown, and deleted: the page is as before."""
    stage.window.menus["live"].trigger()
    variables = stage.window.live_page.side.variables
    stage.wait(lambda: variables.channels)
    before = variables.labels
    stage.menu("Plot/Computed channels…").trigger()
    dialog = stage.dialog(ComputedDialog)
    label, name = dialog.insert.itemText(1), f"double {stage.number()}"
    dialog.name.setText(name)
    dialog.formula.setText(f"2 * '{label}'")
    stage.press(dialog, "Save")
    stage.wait(lambda: any(channel.channel.name.endswith(name) for channel in variables.channels))
    stage.press(dialog, "Delete")
    stage.wait(lambda: variables.labels == before)
    stage.cancel(ComputedDialog)


ACTIONS: dict[str, Play] = {
    "Server/Servers…": servers,
    "Server/All servers…": all_servers,
    "Server/Disconnect": disconnect,
    "Server/Add a device…": add_device,
    "Server/Streams…": streams,
    "Server/Cache/Usual, one a server": usual_cache,
    "Server/Cache/New…": new_cache,
    "Server/Cache/Manage…": manage_caches,
    "Server/Phone page…": phone_page,
    "Server/Settings…": settings,
    "Server/Quit": quit_it,
    "Session/Start": start,
    "Session/Start with…": start_with,
    "Session/Stop": stop,
    "Session/Add a marker…": marker,
    "Session/View the last session": view_last,
    "Session/Export the last session…": export_last,
    "Session/Report of the last session…": report_last,
    "Session/Import a file…": import_file,
    "Session/Open a session file…": open_file,
    "Session/Refresh the list": refresh,
    "View/Trash": trash,
    "View/Close the page shown": close_page,
    "View/Numbers on the full screen": full_screen,
    "View/Dismiss all notices": dismiss,
    "Plot/Pause or go on": pause,
    "Plot/Follow the present": pause,
    "Plot/Stacked": on_live("Stacked", lambda page: bool(page.drawing.is_stacked)),
    "Plot/Time from the start": on_live("Time from the start", lambda page: bool(page.bar.relative.isChecked())),
    "Plot/Zoom by a box": on_live("Zoom by a box", lambda page: bool(page.drawing.drags_box)),
    "Plot/Zoom in": zoomed("Zoom in"),
    "Plot/Zoom out": zoomed("Zoom out"),
    "Plot/Reset zoom": reset_zoom,
    "Plot/Analysis": analyse,
    "Plot/Triggers": on_live("Triggers", lambda page: bool(page.triggers.isVisible())),
    "Plot/Computed channels…": computed,
    "Plot/Reference…": reference,
    "Plot/Mark this moment": mark,
    "Plot/Save as PNG…": picture("png"),
    "Plot/Save as SVG…": picture("svg"),
    "Plot/Copy the picture": copy_picture,
    "Help/Keyboard shortcuts": shortcuts,
    "Help/About Blitz": about,
}
ACTIONS |= {
    f"View/{title}": pages(title) for title in ("Live", "Numbers", "Boards", "Sessions", "Console", "Events", "Alarms")
}
ACTIONS |= {f"View/Theme/{choice.value}": theme(choice) for choice in reversed(ThemeChoice)}
ACTIONS |= {f"Plot/Window/{each.words[0].upper()}{each.words[1:]}": window(each) for each in PlotWindow}


def test_the_menus_offer_these_actions_and_no_others(stage: Stage) -> None:
    assert set(stage.actions(stage.window.menuBar())) == set(ACTIONS)


@pytest.mark.parametrize("key", {play: key for key, play in ACTIONS.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ACTIONS[key])


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ACTIONS, seed)


def test_what_is_the_windows_own_works_without_the_server(stage: Stage) -> None:
    stage.go_without(ACTIONS)


def test_the_window_is_quit_while_its_server_is_killed(
    stage: Stage, show_window: Callable[[Any], Any], tmp_path: Path
) -> None:
    """A window of its own: it says that recording goes on, and ends; its threads with it."""
    feed = ServerLink(tmp_path / "caches")
    other = show_window(feed)
    other.connect_to(ServerAddress.parse(stage.server.url))
    stage.start()
    stage.wait(lambda: other.header.is_recording)
    stage.freeze()
    other.menus["quit"].trigger()
    question = stage.dialog(ClosingQuestion)
    stage.kill()
    stage.click(question.leave)
    stage.wait(lambda: not other.isVisible())
    assert not feed._thread.is_alive()
    stage.revive()
    stage.tidy()
    stage.agree()
