"""The scenes of what is made of sessions: the analysis with its tabs and empty states, computed channels, eight runs
laid upon each other, a playback at its ends, a report."""

from typing import TYPE_CHECKING

from picture_bearing import EMPTY, LONG, MARK, RUNS, SHORT, fill_bearing_store, write_marks
from picture_bench import Server
from PyQt5.QtCore import Qt

from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker
from blitz.ui.dialogs.computed import ComputedDialog
from blitz.ui.dialogs.reference import ReferenceDialog, ReferenceWish
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.playback import AS_FAST_AS_CAN_BE
from blitz.ui.widgets.figure_menu import FigureMenu

if TYPE_CHECKING:
    from screenshots import Scene


def analysis(scene: "Scene") -> None:
    """A minute of a bearing, stretch by stretch; a session without values, one of a single reading."""
    fill_bearing_store(scene.folder / "data")
    with Server(scene.folder / "data", "--simulate", "1") as server:
        _connect(scene, server.url)
        page = _open(scene, LONG)
        page.set_analysis(True)
        for name in ("statistics", "spectrum", "histogram", "pairs", "trigger"):
            _take_tab(scene, page, name, f"analysis_{name}")
            if name in ("spectrum", "pairs"):
                take_menu(scene, page.analysis.save, f"analysis_{name}_save")
        spectrum = page.analysis.spectrum
        spectrum.kind.setCurrentIndex(1)
        spectrum.kind.activated.emit(1)
        spectrum.log.setChecked(True)
        _take_tab(scene, page, "spectrum", "analysis_welch")
        low, high = page.shown_times
        page.plot.region.choose((low + 0.2 * (high - low), low + 0.3 * (high - low)))
        spectrum.kind.setCurrentIndex(0)
        spectrum.kind.activated.emit(0)
        spectrum.log.setChecked(False)
        for name in ("statistics", "spectrum"):
            _take_tab(scene, page, name, f"analysis_marked_{name}")
        take_text_channel(scene, page)
        take_computed(scene, page)
        for session_id, words in ((EMPTY, "no_values"), (SHORT, "one_reading")):
            page = _open(scene, session_id)
            page.set_analysis(True)
            for name in ("statistics", "spectrum", "histogram", "pairs", "trigger"):
                _take_tab(scene, page, name, f"analysis_{words}_{name}")


def take_menu(scene: "Scene", button: FigureMenu, name: str) -> None:
    """What can be saved and copied of what is shown."""
    menu = button.menu()

    def open_menu() -> None:
        scene.wait(button.isEnabled)
        menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    scene.take(name, before=open_menu, after=menu.close)


def take_text_channel(scene: "Scene", page: HistoryPage) -> None:
    """A channel whose fields are words; a stretch in the gap, where there is nothing; no channel at all."""
    panel, channels = page.analysis, page.channels
    for name in ("spectrum", "histogram"):
        box = getattr(panel, name).channel
        box.choose("state")
        _take_tab(scene, page, name, f"analysis_words_{name}")
        box.setCurrentRow(0)
    began_s = page.history.record.started_at.timestamp()
    page.plot.region.choose((began_s + 38.5, began_s + 41))
    for name in ("statistics", "spectrum", "trigger"):
        _take_tab(scene, page, name, f"analysis_gap_{name}")
    shown = [channel for channel, _ in channels.shown]
    for channel in shown:
        channels.turn(channel.key)
    for name in ("statistics", "spectrum"):
        _take_tab(scene, page, name, f"analysis_none_{name}")
    for channel in shown:
        channels.turn(channel.key)
    page.plot.region.choose(None)


def take_computed(scene: "Scene", page: HistoryPage) -> None:
    """The dialog of computed channels: empty, wrong, right; then its curve."""
    scene.window.menus["computed"].trigger()
    dialog = scene.find(ComputedDialog)
    scene.take("computed_empty")
    dialog.name.setText("power")
    dialog.formula.setText("current * * 24")
    dialog.save.click()
    scene.take("computed_wrong")
    dialog.formula.setText("current * 24")
    dialog.unit.setText("W")
    for place, numbers in ((6, "5"), (2, "25")):
        dialog.kind.setCurrentIndex(place)
        dialog.numbers.setText(numbers)
        dialog.add_step.click()
    dialog.save.click()
    scene.camera.run_for(0.3)
    scene.take("computed_good")
    dialog.reject()
    scene.camera.run_for(1)
    scene.take("computed_curve")


def runs(scene: "Scene") -> None:
    """Eight runs laid upon each other, one of which cannot be; one under the live plot; played; reported."""
    window = scene.window
    fill_bearing_store(scene.folder / "data")
    with Server(scene.folder / "data", "--simulate", "1") as server:
        write_marks(server.url)
        _connect(scene, server.url)
        take_eight(scene)
        take_tape(scene)
        take_report(scene)
        window.reference.ask(RUNS[0])
        dialog = scene.find(ReferenceDialog)
        dialog.absolute.setText("five")
        dialog.accept()
        scene.take("reference_dialog_wrong")
        dialog.reject()
        window.reference.lay_under(ReferenceWish(RUNS[0], AtMarker(MARK), Tolerance(0.2)))
        scene.wait(lambda: window.reference.reference is not None)
        scene.camera.run_for(1)
        scene.take("reference_waiting")
        window.reference.ask_for_alarms()
        scene.camera.run_for(0.3)
        scene.take("reference_alarm_nothing")


def take_eight(scene: "Scene") -> None:
    """Eight runs at their start, at a marker that one has not, and where nothing can be aligned."""
    window = scene.window
    window.sessions_page.compare_requested.emit(tuple(RUNS))
    scene.wait(lambda: isinstance(window.tabs.currentWidget(), ComparisonPage))
    page = window.tabs.currentWidget()
    assert isinstance(page, ComparisonPage)
    scene.wait(lambda: not page.missing)
    for tick in page.channels.ticks:
        if tick.is_on != (tick.key == "current"):
            page.channels.turn(tick.key)
    scene.wait(lambda: not page.missing)
    scene.camera.run_for(0.5)
    scene.take("comparison_eight")
    where = page.alignment.where
    where.setCurrentIndex(where.count() - 1)
    where.activated.emit(where.currentIndex())
    scene.take("comparison_trigger_asked")
    page.alignment.channel.setCurrentText("current")
    for level, name in (("2.6", "comparison_eight_trigger"), ("900", "comparison_refused")):
        page.alignment.level.setText(level)
        page.alignment.level.editingFinished.emit()
        scene.camera.run_for(2)
        scene.wait(lambda: not page.missing)
        scene.take(name)
    window.sessions_page.compare_requested.emit((LONG, RUNS[0]))
    scene.wait(lambda: window.tabs.currentWidget() is not page)
    other = window.tabs.currentWidget()
    assert isinstance(other, ComparisonPage)
    place = other.alignment.where.findText(MARK, Qt.MatchContains)
    other.alignment.where.setCurrentIndex(place)
    other.alignment.where.activated.emit(place)
    scene.camera.run_for(1)
    scene.wait(lambda: not other.missing)
    scene.take("comparison_marker")


def take_tape(scene: "Scene") -> None:
    """A playback that pauses, one as fast as can be, one at its end."""
    window = scene.window
    page = _open(scene, LONG)
    page.play.click()
    scene.wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    player.seek(30)
    scene.camera.run_for(0.5)
    player.toggle()
    scene.take("playback_paused")
    window.live_page.set_triggered(True)
    player.choose_speed(1.0)
    player.toggle()
    scene.camera.run_for(5)
    scene.take("playback_triggers")
    window.live_page.set_triggered(False)
    player.choose_speed(1000.0)
    scene.wait(lambda: not player.is_playing)
    scene.take("playback_end")
    player.choose_speed(AS_FAST_AS_CAN_BE)
    scene.take("playback_fastest")
    window.playback.leave()


def take_report(scene: "Scene") -> None:
    """The dialog, what is said when it is written, and the page itself in the folder of the pictures."""
    window = scene.window
    page = _open(scene, LONG)
    page.report_requested.emit(page.session_id)
    dialog = scene.find(ReportDialog)
    scene.take("report_dialog")
    dialog.file.setText("/nowhere/at all.html")
    dialog.accept()
    scene.camera.run_for(0.2)
    scene.take("report_dialog_wrong")
    dialog.file.setText(str(scene.camera._folder / "report.html"))
    dialog.accept()
    scene.wait(lambda: window.notices.isVisible())
    scene.take("report_written")
    window.notices.dismiss_all()


def triggers(scene: "Scene") -> None:
    """The live plot as an oscilloscope: waiting, running free, overlaid, held, a level that is no number."""
    window = scene.window
    with Server(scene.folder / "data", "--simulate", "1") as server:
        scene.connect(server.url)
        scene.wait(window.header.start.isEnabled)
        live, panel = window.live_page, window.live_page.triggers
        scene.wait(lambda: live.variables.labels)
        live.variables.show_only({"adc_channel_one"})
        live.set_triggered(True)
        scene.take("trigger_waiting")
        scene.camera.run_for(12)
        scene.take("trigger_auto")
        for mode, level, name, seconds in (
            (1, "2000", "trigger_normal", 25.0),
            (2, "2000", "trigger_single", 8.0),
            (1, "9000", "trigger_never", 2.0),
            (0, "9000", "trigger_free", 8.0),
        ):
            panel.controls.set_level(level)
            panel.mode.setCurrentIndex(mode)
            panel.mode.activated.emit(mode)
            scene.camera.run_for(seconds)
            scene.take(name)
            if name == "trigger_normal":
                take_menu(scene, panel.save, "trigger_save")
        panel.controls.set_level("high")
        scene.take("trigger_wrong")
        panel.controls.set_level("")
        live.variables.show_only(set())
        scene.camera.run_for(0.3)
        scene.take("trigger_no_channel")


def _connect(scene: "Scene", url: str) -> None:
    window = scene.window
    scene.connect(url)
    scene.wait(lambda: window.sessions_page.sessions.rowCount() == SHORT)
    scene.wait(window.header.start.isEnabled)


def _open(scene: "Scene", session_id: int) -> HistoryPage:
    tabs = scene.window.tabs
    scene.window.session_actions.view(session_id)

    def is_there() -> bool:
        page = tabs.currentWidget()
        return isinstance(page, HistoryPage) and page.session_id == session_id

    scene.wait(is_there)
    page = tabs.currentWidget()
    assert isinstance(page, HistoryPage)
    return page


def _take_tab(scene: "Scene", page: HistoryPage, name: str, picture: str) -> None:
    panel = page.analysis
    panel.strip.setCurrentWidget(getattr(panel, name))
    answered: list[bool] = []
    panel.settled.connect(lambda: answered.append(True))

    def ask() -> None:
        scene.camera.run_for(0.3)  # what is in view has come to rest
        answered.clear()
        panel.ask()
        scene.wait(lambda: answered)

    scene.take(picture, before=ask)
