"""Pictures of the client for the documents, and of every state that an operator may see, to be looked at.

    python scripts/screenshots.py FOLDER [--all] [--scenes day trouble ...]

Everything in them is real: servers with simulated boards and a printing device, a store filled with sessions
beforehand, and the client's window. Without `--all` each state is taken once, 1280x800 and light; with it also
1920x1080 and dark. Without a screen run it under Xvfb with the usual 96 dots an inch,
``xvfb-run -s "-screen 0 1920x1080x24 -dpi 96"``; Qt's offscreen platform works, with other fonts.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from picture_alarms import alarms
from picture_analysis import analysis, runs, triggers
from picture_bench import (
    RECORDED,
    Server,
    SlowClient,
    correct_definition,
    fill_store,
    hanging_redis,
    write_notes,
)
from picture_calibration import calibration
from picture_camera import Camera, Look
from picture_comparing import comparing
from picture_links import links, server_list
from picture_played_alarms import played
from PyQt5.QtCore import QEvent, QPoint, QSettings, Qt
from PyQt5.QtGui import QHelpEvent, QMouseEvent
from PyQt5.QtWidgets import QApplication, QDialog, QMenu, QToolTip, QWidget

from blitz import Client
from blitz.client import make_application
from blitz.config import ClientSettings
from blitz.data.cache_setup import register
from blitz.data.kept_settings import KeptSettings
from blitz.data.records import FoundDevice
from blitz.data.source_config import SourceConfig
from blitz.io.address import ServerAddress
from blitz.io.discovery import FoundServer
from blitz.io.protocol import set_point
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui import found_servers
from blitz.ui.dialogs.add_device import AddDeviceDialog
from blitz.ui.dialogs.all_servers import AllServersDialog
from blitz.ui.dialogs.caches import CachesDialog
from blitz.ui.dialogs.computed import ComputedDialog
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.marker import MarkerDialog, MarkerWords
from blitz.ui.dialogs.new_cache import NewCacheDialog
from blitz.ui.dialogs.new_device import NewDeviceDialog
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.dialogs.session_details import SessionDetailsDialog
from blitz.ui.dialogs.settings import SettingsDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.dialogs.streams import StreamsDialog
from blitz.ui.feed import BoardCommand, Connection
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import Appearance, ThemeChoice

MOTOR = "sim2"
PRINTER = "pump"
SHOWN = {"intake", "outlet", "adc_channel_one", "adc_channel_three", "set_point"}
"""Of the channels, on a good day: more hide each other in a picture."""
Dialog = TypeVar("Dialog", bound=QDialog)


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description="Make pictures of the client's window.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="both sizes, both themes")
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--seconds", type=float, default=40, help="how long the live session runs before its picture")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    os.environ["LOGNAME"] = "ada"  # whom sessions and events name
    found_servers.ServerBrowser = NoNetwork  # type: ignore[attr-defined, assignment]
    light = Look(1280, 800, ThemeChoice.LIGHT)
    looks = [
        Look(*size, choice) for size in ((1280, 800), (1920, 1080)) for choice in (ThemeChoice.LIGHT, ThemeChoice.DARK)
    ]
    if len(options.scenes) > 1:  # each in a process of its own: nothing of one is in the pictures of another
        rest = ["--seconds", str(options.seconds), *(["--all"] if options.all else [])]
        command = [sys.executable, __file__, str(options.folder), *rest, "--scenes"]
        return max(subprocess.run([*command, name], check=False).returncode for name in options.scenes)
    # A short name: a socket's path has less than 108 characters.
    with tempfile.TemporaryDirectory(prefix="blitz-") as folder:
        scene = Scene(Path(folder), options.folder, looks if options.all else [light], options.seconds)
        SCENES[options.scenes[0]](scene)
        scene.close()
    return 0


class NoNetwork:
    """Finds no servers: those of the network that this runs in are nobody's business."""

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        """Look at nothing."""

    def close(self) -> None:
        """End."""


class Scene:
    """A window of its own, and what an operator does with it."""

    def __init__(self, folder: Path, pictures: Path, looks: list[Look], seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.application = make_application()
        self.settings = QSettings(str(folder / "client.ini"), QSettings.IniFormat)
        self.feed = ServerLink(folder / "caches", SlowClient)
        self.window = MainWindow(self.feed, Preferences(self.settings), Appearance(self.application))
        self.window.settings_actions.use(ClientSettings.model_validate({}), KeptSettings(folder / "client.settings"))
        self.camera = Camera(self.application, self.window, pictures, looks)
        self.camera.dress(looks[0])
        self.window.show()
        self.application.setActiveWindow(self.window)

    def take(self, name: str, **options: Any) -> None:
        """Take the pictures of a state."""
        self.camera.take(name, **options)

    def wait(self, is_so: Callable[[], Any], seconds: float = 60) -> None:
        """Let the window live until something is so."""
        end_s = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end_s:
                self.camera.take("given_up")
                raise SystemExit("The window did not come to where its picture was to be taken.")
            self.camera.run_for(0.02)

    def connect(self, url: str, token: str | None = None) -> None:
        """Connect the window to a server."""
        self.window.connect_to(ServerAddress.parse(url, token=token))

    def show(self, page: str) -> None:
        """Show a page by the name of its action."""
        self.window.menus[page].trigger()
        self.camera.run_for(0.4)

    def find(self, kind: type[Dialog]) -> Dialog:
        """Return the dialog of a kind that is open."""
        self.wait(lambda: any(dialog.isVisible() for dialog in self.window.findChildren(kind)))
        return next(dialog for dialog in self.window.findChildren(kind) if dialog.isVisible())

    def close(self) -> None:
        """End the window."""
        self.window.hide()
        self.window.jobs.close()
        self.feed.close()
        self.settings.sync()  # else it is written into the folder when that is gone


def first(scene: Scene) -> None:
    """Before there is any server."""
    first = scene.window.first
    first.show_servers()
    first.found._add(FoundServer("lab-pi", ("192.168.1.20",), 8999))
    scene.take("first_start")
    first.page.entry.setText("blitz://lab-pi:8999/#token=abc")
    scene.take("first_start_link")


def newcomer(scene: Scene) -> None:
    """An empty server, and a device that nobody knows."""
    window = scene.window
    with Server(scene.folder / "data") as server:
        scene.connect(server.url)
        scene.wait(window.boards_page.add.isEnabled)
        for page in ("live", "numbers", "boards", "sessions", "console", "events"):
            scene.show(page)
            scene.take(f"empty_{page}")
        scene.show("live")
        window.recording_actions.ask()
        scene.find(StartDialog)
        scene.take("start_without_boards")
        scene.find(StartDialog).reject()
        device = FoundDevice(port="/dev/ttyUSB0", maker="QinHeng CH340", usb_place="1-2")
        found = (device, device.model_copy(update={"port": "/dev/ttyUSB1", "usb_place": "1-3"}))

        def offer() -> None:
            status = window._status
            assert status is not None
            window.new_devices._take_status(status.model_copy(update={"found": found}))
            scene.camera.run_for(0.05)

        scene.take("device_found", before=offer)
        with SimulatedDevice("plain", rate_hz=50, silence_s=0.1, link_path=scene.folder / "ttyUSB0") as port:
            window.boards_page.new_device_requested.emit()
            scene.take("add_device")
            place = scene.find(AddDeviceDialog)
            place.port.setEditText(port.path)
            place.accept()
            dialog = scene.find(NewDeviceDialog)
            dialog.setWindowTitle("New device: QinHeng CH340 on USB 1-2")
            scene.take("new_device_listening")
            scene.wait(dialog.accept_button.isEnabled)
            fill_channels(dialog)
            dialog.name.setText(PRINTER)
            scene.camera.run_for(4)
            scene.take("new_device")
            dialog.accept_button.click()
            scene.wait(lambda: "cycles" in window.live_page.variables.labels)
            scene.camera.run_for(8)
            scene.take("preview")
        scene.wait(lambda: "unplugged" in str(window.first) or True)


def fill_channels(dialog: QWidget) -> None:
    """Name what the printing device prints."""
    grid = dialog.grid  # type: ignore[attr-defined]
    for row, (name, unit) in enumerate((("intake", "hPa"), ("outlet", "hPa"), ("cycles", ""))):
        for field, text in (("name", name), ("unit", unit)):
            entry = grid.field(row, field)
            entry.selectAll()
            entry.insert(text)
            entry.textEdited.emit(text)


def day(scene: Scene) -> None:
    """What an operator sees on a good day."""
    window, feed = scene.window, scene.feed
    fill_store(scene.folder / "data")
    device = SimulatedDevice("plain", rate_hz=50, silence_s=0, link_path=scene.folder / "pump")
    with device, Server(scene.folder / "data", "--simulate", "2", "--serial", str(scene.folder / "pump")) as server:
        write_notes(server.url)
        scene.connect(server.url)
        scene.wait(window.header.start.isEnabled)
        name_channels(scene)
        scene.camera.run_for(3)
        scene.take("preview_of_boards")
        scene.take("checklist", before=lambda: open_checklist(scene), after=close_popups)
        window.recording_actions.ask()
        start = scene.find(StartDialog)
        scene.take("start_dialog")
        start.timed.starts.setChecked(True)
        scene.take("start_dialog_planned")
        start.reject()
        window.recording_actions.start("Pump, endurance run")
        scene.wait(lambda: window.header.is_recording)
        scene.camera.run_for(scene.seconds * 0.3)
        device.unplug()
        for angle, share in ((38, 0.2), (12, 0.25), (25, 0.25)):
            if angle != 38:
                feed.add_marker(window.store.session_id or 0, MarkerWords(f"set point {angle}°", time.time_ns()))
            feed.send_command(MOTOR, BoardCommand(set_point("09", angle).decode().strip()))
            if angle == 12:
                device.replug()
            scene.camera.run_for(scene.seconds * share)
        take_live(scene)
        take_tables(scene)
        take_dialogs(scene)
        take_triggers(scene)
        take_sessions(scene, server.url)
        window.header.stop.click()
        scene.camera.run_for(0.5)
        scene.take("stop_of_another")


def streams(scene: Scene) -> None:
    """What scripts send, beside the boards, while a session runs."""
    window = scene.window
    with Server(scene.folder / "data", "--simulate", "1") as server, Client(server.url) as script:
        room, light = script["room temperature"], script["light"]
        room.create({"type": "number"}, unit="°C", description="by the window")
        light.create({"type": "boolean"})
        light.downlink = True
        room.insert(20.0)
        light.insert(False)
        script.add_source(SourceConfig(name="room", link="stream:room temperature"))
        scene.connect(server.url)
        scene.wait(window.header.start.isEnabled)
        window.recording_actions.start("Room and board")
        scene.wait(lambda: window.header.is_recording)
        for step in range(40):
            room.insert(20 + step % 7 / 4)
            scene.camera.run_for(0.1)
        scene.take("streams_live")
        window.tabs.setCurrentWidget(window.boards_page)
        window.stream_actions.ask()
        dialog = scene.find(StreamsDialog)
        scene.wait(lambda: len(dialog.streams.streams) == 2)
        dialog.table.selectRow(dialog.streams.row_of("light") or 0)
        dialog.value.setText("true")
        scene.take("streams_dialog")
        dialog.reject()
        window.header.stop.click()
        scene.camera.run_for(0.5)


def benches(scene: Scene) -> None:
    """Several independent servers: one records, one has nothing to do, one is away."""
    window = scene.window
    with (
        Server(scene.folder / "bench1", "--simulate", "2") as first,
        Server(scene.folder / "bench2", "--simulate", "1") as second,
        Client(first.url) as script,
        Client(second.url) as other,
    ):
        for client, names in ((script, ("warm-up", "pump 40 %")), (other, ("night run", "blade 3, 1200 rpm"))):
            for name in names:
                client.start(name)
                scene.camera.run_for(2)
                client.stop()
        other.start("blade 3, 1800 rpm")
        away = ServerAddress.parse("http://127.0.0.1:9")
        for server, name in ((away, "bench 3"), (ServerAddress.parse(second.url), "bench 2")):
            window.preferences.remember_server(server, name)
        scene.connect(first.url)
        scene.wait(window.header.start.isEnabled)
        window.all_servers.ask()
        dialog = scene.find(AllServersDialog)
        scene.wait(
            lambda: len(dialog.sessions.rows) == 5 and sum(row.now is not None for row in dialog.servers.rows) == 3
        )
        scene.camera.run_for(6)
        dialog.servers_table.selectRow(1)
        dialog.sessions_table.selectRow(2)
        scene.wait(lambda: dialog.values.values)
        scene.take("all_servers")
        dialog.reject()
        other.stop()
        scene.camera.run_for(0.5)


def caches(scene: Scene) -> None:
    """Sessions of an experiment, kept apart: the cache is chosen, made, and looked at beside the others."""
    window, folder = scene.window, scene.folder / "caches"
    fill_store(scene.folder / "data")
    with Server(scene.folder / "data", "--simulate", "2") as server:
        scene.connect(server.url)
        scene.wait(lambda: window.sessions_page.sessions.rowCount() > 2)
        for name, about in (("experiment", "the pump, October"), ("turbine", "blade 3, for the paper")):
            register(folder, name, None, about)
        newest = window.sessions_page.sessions.records[0].id
        scene.show("sessions")
        scene.feed.download(newest)
        scene.wait(lambda: window.sessions_page.sessions.is_local(newest))
        named = {action.data(): action for action in window.cache_actions.listed()}
        named["experiment"].trigger()
        scene.wait(lambda: not window.sessions_page.sessions.is_local(newest))
        scene.feed.download(newest)
        scene.wait(lambda: window.sessions_page.sessions.is_local(newest))
        scene.camera.run_for(1)
        window.sessions_page.select(newest)
        scene.take("cache_in_use")
        menu = window.menus["cache_usual"].parent()
        assert isinstance(menu, QMenu)
        corner = window.menuBar().actionGeometry(window.menuBar().actions()[0]).bottomLeft()
        scene.take("cache_menu", before=lambda: menu.popup(window.mapToGlobal(corner)), after=close_popups)
        window.cache_actions.ask_for_new()
        new = scene.find(NewCacheDialog)
        new.name.setText("stick")
        new.description.setText("to take home")
        new.place.setText("postgresql://ada@127.0.0.1:1/blitz")
        new.accept()
        scene.wait(lambda: new.wrong.text())
        scene.take("cache_new")
        new.reject()
        window.cache_actions.manage()
        manage = scene.find(CachesDialog)
        scene.wait(lambda: manage.caches.rowCount() == 3)
        manage.table.selectRow(2)
        scene.take("caches")
        manage.reject()


def name_channels(scene: Scene) -> None:
    """Name what the printing device prints, and show of all boards only some channels."""
    window = scene.window
    scene.wait(window.live_page.offers.isVisible)
    scene.take("names_offered")
    window.live_page.offers.buttons[0].click()
    dialog = next(iter(window.findChildren(QDialog)))
    fill_channels(dialog)
    scene.take("channels")
    dialog.accept()
    scene.wait(lambda: "cycles" in window.live_page.variables.labels)


def take_live(scene: Scene) -> None:
    """The plot."""
    window = scene.window
    live = window.live_page
    live.variables.show_only(SHOWN)
    window.notices.dismiss_all()
    scene.show("live")
    scene.take("live")
    live.plot.turn_pause()
    scene.take("paused_crosshair", before=lambda: point_at(live.drawing, 0.45, 0.4))
    live.set_stacked(True)
    scene.take("stacked", before=lambda: point_at(live.drawing, 0.45, 0.4))
    live.set_stacked(False)
    scene.take("gap_tooltip", before=lambda: hover_gap(scene, live.drawing), after=close_popups)
    QApplication.sendEvent(live.drawing, QEvent(QEvent.Leave))
    live.plot.follow()
    live.side.tabs.setCurrentIndex(1)
    scene.take("live_last_ten")
    live.side.tabs.setCurrentIndex(0)


def take_tables(scene: Scene) -> None:
    """The other pages."""
    window = scene.window
    scene.show("numbers")
    scene.take("numbers")
    scene.show("boards")
    for row, name in ((0, "boards"), (1, "boards_motor")):
        window.boards_page.table.selectRow(row)
        scene.camera.run_for(0.5)
        scene.take(name)
    scene.show("console")
    scene.take("console")
    scene.show("events")
    scene.take("events")
    page = window.definition_actions.open(MOTOR)
    scene.camera.run_for(1.5)
    scene.take("definition_editor")
    page.text.setPlainText(page.text.toPlainText().replace("name = ", "nmae = ", 1))
    scene.camera.run_for(0.6)
    scene.take("definition_editor_wrong")
    page.revert()
    window.menus["close_tab"].trigger()


def take_dialogs(scene: Scene) -> None:
    """What is asked."""
    window = scene.window
    scene.show("live")
    window.settings_actions.ask()
    settings = scene.find(SettingsDialog)
    for place in range(settings.tabs.count()):
        settings.tabs.setCurrentIndex(place)
        scene.take(f"settings_{settings.tabs.tabText(place).replace('&', '').lower().split()[0]}")
    settings.reject()
    window.menus["shortcuts"].trigger()
    scene.take("shortcuts")
    for dialog in window.findChildren(QDialog):
        dialog.close()
    window.menus["marker"].trigger()
    scene.find(MarkerDialog)
    scene.take("marker")
    scene.find(MarkerDialog).reject()
    window.recording_actions.change_plan()
    scene.take("plan_change")
    for dialog in window.findChildren(QDialog):
        dialog.close()


def take_sessions(scene: Scene, url: str) -> None:
    """Sessions, and one of them plotted."""
    window = scene.window
    page = window.sessions_page
    keep_last_copy(scene, url, 4)
    scene.show("sessions")
    SlowClient.pause_s = 2.0
    longest = len(RECORDED)
    page.select(longest)
    page.actions_by_name["download"].trigger()
    scene.wait(lambda: progress(window) > 0.35)
    scene.take("sessions")
    SlowClient.pause_s = 0.0
    scene.wait(lambda: page.sessions.is_local(longest))
    page.actions_by_name["details"].trigger()
    scene.find(SessionDetailsDialog)
    scene.take("session_details")
    scene.find(SessionDetailsDialog).reject()
    page.actions_by_name["export"].trigger()
    scene.wait(lambda: any(dialog.isVisible() for dialog in window.findChildren(ExportDialog)))
    scene.take("export")
    scene.find(ExportDialog).reject()
    page.actions_by_name["report"].trigger()
    scene.wait(lambda: any(dialog.isVisible() for dialog in window.findChildren(ReportDialog)))
    scene.take("report")
    scene.find(ReportDialog).reject()
    page.actions_by_name["delete"].trigger()
    scene.take("delete")
    for dialog in window.findChildren(QDialog):
        dialog.close()
    with Client(url) as client:
        client.delete(1)
    assert scene.feed.cache_path is not None
    correct_definition(Path(scene.feed.cache_path), longest)
    page.select(longest)
    page.actions_by_name["view"].trigger()
    scene.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    history = window.histories.pages[0]
    history.versions.compare.click()
    scene.camera.run_for(1)
    scene.take("history")
    scene.take("history_crosshair", before=lambda: point_at(history.drawing, 0.3, 0.4))
    scene.take("history_gap", before=lambda: hover_gap(scene, history.drawing), after=close_popups)
    take_analysis(scene, history)
    window.menus["trash"].trigger()
    scene.camera.run_for(1)
    scene.take("trash")
    scene.show("live")


def take_analysis(scene: Scene, history: HistoryPage) -> None:
    """What a stretch of the session comes to, a picture a tab."""
    history.set_analysis(True)
    low, high = history.shown_times
    history.plot.region.choose((low + 0.2 * (high - low), low + 0.3 * (high - low)))
    panel = history.analysis
    for tab in (panel.statistics, panel.spectrum, panel.histogram, panel.pairs, panel.trigger):
        panel.strip.setCurrentWidget(tab)
        scene.camera.run_for(2)
        scene.take(f"analysis_{tab.title.lower()}")
    history.plot.region.choose(None)
    history.set_analysis(False)


def take_triggers(scene: Scene) -> None:
    """The live plot as an oscilloscope, and the dialog of computed channels."""
    window = scene.window
    scene.show("live")
    window.live_page.set_triggered(True)
    scene.camera.run_for(5)
    scene.take("triggers")
    window.live_page.set_triggered(False)
    window.menus["computed"].trigger()
    scene.find(ComputedDialog)
    scene.take("computed")
    scene.find(ComputedDialog).reject()


def trouble(scene: Scene) -> None:
    """What goes wrong on a bad day."""
    window = scene.window
    device = SimulatedDevice("csv-header", rate_hz=20, silence_s=0, link_path=scene.folder / "pump")
    with device, Server(scene.folder / "data", "--simulate", "2", "--serial", str(scene.folder / "pump")) as server:
        scene.connect(server.url)
        scene.wait(window.header.start.isEnabled)
        scene.wait(lambda: len(window.live_page.variables.labels) > 10)
        with Client(server.url) as client:
            client.stop(client.start("Leak test").id)
        scene.camera.run_for(2)
        device.unplug()
        scene.camera.run_for(8)
        scene.take("red_source")
        scene.take("checklist_red", before=lambda: open_checklist(scene), after=close_popups)
        window.header.start.click()
        scene.find(RedChecksDialog)
        scene.take("start_with_red")
        scene.find(RedChecksDialog).reject()
        scene.show("boards")
        window.boards_page.table.selectRow(0)
        scene.camera.run_for(1)
        scene.take("boards_red")
        window.boards_page.table.selectRow(window.boards_page.boards.rowCount() - 1)
        scene.take("boards_red_last")
        scene.show("events")
        scene.take("events_red")
        device.replug()
        scene.show("live")
        window.recording_actions.start("Leak test, again")
        scene.wait(lambda: window.header.is_recording)
        scene.camera.run_for(6)
        device.unplug()
        scene.camera.run_for(8)
        scene.take("red_source_recording")
        device.replug()
        window.live_page.offers.buttons[-1].click()
        scene.camera.run_for(8)
        window.notices.dismiss_all()
        with hanging_redis(scene.folder / "data"):
            scene.wait(lambda: "safe on disk" in window.status_line.store.text())
            scene.camera.run_for(6)
            scene.take("spooling")
            scene.show("numbers")
            scene.take("numbers_spooling")
            scene.show("live")
        scene.wait(lambda: "is up" in window.status_line.store.text())
        window.notices.dismiss_all()
        server.kill()
        scene.wait(lambda: window._connection.connection is Connection.WAITING)
        scene.camera.run_for(4)
        scene.take("no_connection")
        for page in ("numbers", "boards", "sessions"):
            scene.show(page)
            scene.take(f"no_connection_{page}")


def access(scene: Scene) -> None:
    """What is refused."""
    window = scene.window
    free_mb = shutil.disk_usage(scene.folder).free >> 20
    settings = {"BLITZ_DISK_RESERVE_MB": str(free_mb + 4096)}
    with Server(scene.folder / "data", "--simulate", "1", settings=settings) as server:
        scene.connect(server.url)
        scene.wait(window.header.start.isEnabled)
        scene.wait(lambda: window.live_page.variables.labels)
        scene.camera.run_for(4)
        scene.take("disk_full")
        window.recording_actions.start("Leak test")
        scene.camera.run_for(2)
        scene.take("disk_full_refused")
        window.notices.dismiss_all()
        viewer = server.make_token("viewer")
        scene.connect(server.url, viewer)
        scene.wait(lambda: not window.header.start.isEnabled())
        scene.camera.run_for(3)
        scene.take("viewer")
        scene.show("boards")
        scene.take("viewer_boards")
        scene.connect(server.url, "b" * 43)
        scene.wait(lambda: window.first.page.isVisible())
        scene.camera.run_for(1)
        scene.take("token_refused")
    scene.connect("http://lab-pi.invalid:8999")
    scene.camera.run_for(5)
    scene.take("unknown_server")


def open_checklist(scene: Scene) -> None:
    """Open the checklist below its button."""
    scene.window.header.ready.open_list()
    scene.camera.run_for(0.2)


def close_popups() -> None:
    """Close what floats."""
    QToolTip.hideText()
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()


def point_at(plot: PlotPanels, across: float, down: float) -> QPoint:
    """Move the mouse over a plot, to shares of its width and height."""
    place = QPoint(round(plot.width() * across), round(plot.height() * down))
    move = QMouseEvent(QEvent.MouseMove, place, plot.mapToGlobal(place), Qt.NoButton, Qt.MouseButtons(), Qt.NoModifier)
    QApplication.sendEvent(plot, move)
    return place


def hover_gap(scene: Scene, plot: PlotPanels) -> None:
    """Let the mouse rest over the last gap."""
    gap = plot.gaps[-1]
    at_s = (gap.from_ns + (gap.to_ns or gap.from_ns)) / 2e9
    place = point_at(plot, plot.x_of(at_s) / plot.width(), 0.35)
    QApplication.sendEvent(plot, QHelpEvent(QEvent.ToolTip, place, plot.mapToGlobal(place)))
    scene.camera.run_for(0.4)


def keep_last_copy(scene: Scene, url: str, session_id: int) -> None:
    """Download a session, then delete it on the server: the last copy is the client's."""
    page = scene.window.sessions_page
    page.select(session_id)
    page.actions_by_name["download"].trigger()
    scene.wait(lambda: page.sessions.is_local(session_id))
    with Client(url) as client:
        client.delete(session_id)
        client.delete_for_good(session_id)
    scene.wait(lambda: page.sessions.is_last(session_id))


def progress(window: MainWindow) -> float:
    """Return how much of the running download is done."""
    return max((download.share for download in window.sessions_page.sessions._downloads.values()), default=0.0)


SCENES: dict[str, Callable[[Scene], None]] = {
    "first": first,
    "newcomer": newcomer,
    "day": day,
    "streams": streams,
    "caches": caches,
    "benches": benches,
    "trouble": trouble,
    "access": access,
    "links": links,
    "server_list": server_list,
    "calibration": calibration,
    "alarms": alarms,
    "played": played,
    "comparing": comparing,
    "analysis": analysis,
    "runs": runs,
    "triggers": triggers,
}


if __name__ == "__main__":
    sys.exit(main())
