"""The scenes of sessions beside others: compared, under the live plot as its reference, played back."""

from typing import TYPE_CHECKING

from picture_bench import RECORDED, Server, fill_store
from PyQt5.QtCore import Qt

from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtStart
from blitz.ui.dialogs.reference import ReferenceDialog, ReferenceWish
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage

if TYPE_CHECKING:
    from screenshots import Scene

_PUMPS = (2, 5)
"""Two sessions of the same kind, one with a gap, among those that the store is filled with."""
_CHANNEL = "adc_channel_one"


def comparing(scene: "Scene") -> None:
    """Two runs of a pump laid upon each other; one played back; a session under the live plot."""
    window = scene.window
    fill_store(scene.folder / "data")
    with Server(scene.folder / "data", "--simulate", "1") as server:
        scene.connect(server.url)
        scene.wait(lambda: window.sessions_page.sessions.rowCount() == len(RECORDED))
        scene.wait(window.header.start.isEnabled)
        take_comparison(scene)
        take_playback(scene)
        take_reference(scene)
        scene.feed.stop_session(None)
        scene.camera.run_for(0.5)


def take_comparison(scene: "Scene") -> None:
    """Overlay, differences, tolerance, trigger."""
    window = scene.window
    scene.show("sessions")
    page = window.sessions_page
    page._select_all_of(list(_PUMPS))
    scene.take("compare_sessions")
    page.actions_by_name["compare"].trigger()
    scene.wait(lambda: isinstance(window.tabs.currentWidget(), ComparisonPage))
    comparison = window.tabs.currentWidget()
    assert isinstance(comparison, ComparisonPage)
    scene.wait(lambda: not comparison.missing)
    scene.camera.run_for(0.5)
    scene.take("comparison_at_first")
    for tick in comparison.channels.ticks:
        if tick.is_on and tick.key != _CHANNEL:
            comparison.channels.turn(tick.key)
    comparison.alignment.absolute.setText("150")
    comparison.alignment.absolute.editingFinished.emit()
    scene.wait(lambda: not comparison.missing)
    comparison.plot.show_times(-20, 740)
    scene.camera.run_for(0.5)
    scene.take("comparison")
    where = comparison.alignment.where
    where.setCurrentIndex(where.count() - 1)
    where.activated.emit(where.currentIndex())
    comparison.alignment.channel.setCurrentText(_CHANNEL)
    comparison.alignment.level.setText("1500")
    comparison.alignment.level.editingFinished.emit()
    scene.wait(lambda: comparison.view.comparison.moment != AtStart() and not comparison.missing)
    comparison.set_stacked(True)
    scene.camera.run_for(0.5)
    scene.take("comparison_trigger")
    window.close_tab()


def take_playback(scene: "Scene") -> None:
    """The live pages while a session is played."""
    window = scene.window
    window.session_actions.view(_PUMPS[0])
    scene.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    page = window.tabs.currentWidget()
    assert isinstance(page, HistoryPage)
    menu = page.compare.menu()
    place = page.compare.mapToGlobal(page.compare.rect().bottomLeft())
    scene.take("compare_menu", before=lambda: menu.popup(place), after=menu.close)
    page.play.click()
    scene.wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    player.choose_speed(10)
    player.seek(60)
    scene.camera.run_for(3)
    window.live_page.drawing.setFocus(Qt.OtherFocusReason)
    scene.take("playback")
    scene.show("numbers")
    scene.take("playback_numbers")
    scene.show("console")
    scene.take("playback_console")
    window.playback.leave()


def take_reference(scene: "Scene") -> None:
    """A session that was just recorded under the next one."""
    window = scene.window
    scene.show("live")
    window.recording_actions.start("Motor, good run")
    scene.wait(lambda: window.header.is_recording)
    scene.camera.run_for(15)
    scene.feed.stop_session(None)
    number = len(RECORDED) + 1
    scene.wait(lambda: window.sessions_page.sessions.find(number) is not None and not window.header.is_recording)
    window.notices.dismiss_all()
    window.recording_actions.start("Motor, new bearing")
    scene.wait(lambda: window.header.is_recording)
    window.reference.ask(number)
    scene.find(ReferenceDialog)
    scene.take("reference_dialog")
    scene.find(ReferenceDialog).reject()
    window.reference.lay_under(ReferenceWish(number, AtStart(), Tolerance(60)))
    scene.wait(lambda: window.reference.reference is not None)
    window.live_page.variables.show_only({_CHANNEL, "adc_channel_three"})
    window.notices.dismiss_all()
    scene.camera.run_for(11)
    scene.take("reference")
