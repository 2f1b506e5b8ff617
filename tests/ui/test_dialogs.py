"""What holds for dialogs of every kind: the button that Enter presses, and their colours."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor, QImage
from PyQt5.QtWidgets import QDialog, QListWidget, QListWidgetItem, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from blitz.config import ClientSettings
from blitz.data.format_proposal import FormatProposal
from blitz.io.doctor import diagnose
from blitz.io.doctor_listening import Heard
from blitz.io.examining import propose
from blitz.ui.checklist import Check, Checklist, Light
from blitz.ui.dialogs.add_device import AddDeviceDialog
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.dialogs.settings import SettingsDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.dialogs.stop_question import StopQuestion
from blitz.ui.main_window import MainWindow
from blitz.ui.settings_wish import Looks
from blitz.ui.theme import DARK, LIGHT, ThemeChoice
from blitz.ui.widgets.channel_delegate import ChannelDelegate

RED = Checklist((Check(Light.RED, "pump", "is away", board="pump"),))
LINK = "/dev/ttyUSB0"
SAMPLE = b"".join(b"%d,%.2f\r\n" % (500 + n, 23 + math.sin(n)) for n in range(60))
PROPOSAL: FormatProposal = propose(LINK, Heard(9600, SAMPLE, 6.0, diagnose(SAMPLE, {}, 6.0)))


def colours(widget: QWidget) -> set[str]:
    image = widget.grab().toImage().convertToFormat(QImage.Format_RGB32)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return {f"#{pixel & 0xFFFFFF:06x}" for pixel in np.unique(np.frombuffer(bits, np.uint32))}


def settings_dialog() -> SettingsDialog:
    return SettingsDialog(Looks(), ClientSettings.model_validate({}), "")


@pytest.mark.parametrize(
    ("make_dialog", "words"),
    [
        (lambda: AddDeviceDialog(()), "&Listen…"),
        (lambda: RedChecksDialog(RED, LIGHT), "Cancel"),
        (settings_dialog, "&Save"),
    ],
)
def test_enter_presses_the_same_button_after_others_had_the_focus(
    make_dialog: Callable[[], QDialog], words: str, qtbot: QtBot
) -> None:
    dialog = make_dialog()
    qtbot.addWidget(dialog)
    dialog.show()
    buttons = dialog.findChildren(QPushButton)
    own = next(button for button in buttons if button.text().replace("&", "") == words.replace("&", ""))
    assert own.isDefault()
    with qtbot.waitActive(dialog):
        dialog.activateWindow()
    for button in buttons:
        button.setFocus()
    dialog.setFocus()
    assert [button for button in buttons if button.isDefault()] == [own]


def test_enter_answers_a_question_as_before_when_the_theme_changes(window: MainWindow, make: Any, qtbot: QtBot) -> None:
    box = StopQuestion(make.session(running=True), 60, window)
    box.open()
    qtbot.waitUntil(box.isActiveWindow)
    box.focus_cancel()
    for choice in (ThemeChoice.DARK, ThemeChoice.LIGHT):
        window.choose_theme(choice)
        assert box.focusWidget() is box.cancel
        assert (box.cancel.isDefault(), box.stop.isDefault()) == (True, False)


def test_what_a_dialog_paints_follows_the_theme(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    window.recording_actions.ask()
    start = next(dialog for dialog in window.findChildren(StartDialog) if dialog.isVisible())
    device = window.new_devices.listen(LINK, "CH340")
    feed.device_examined.emit(LINK, PROPOSAL, "")
    grid = device.grid
    assert grid is not None
    for choice, theme in ((ThemeChoice.DARK, DARK), (ThemeChoice.LIGHT, LIGHT)):
        window.choose_theme(choice)
        assert QColor(theme.okay).name() in colours(start.checks)
        assert {QColor(colour).name() for colour in (theme.base, *theme.channels[:2])} <= colours(device.plot)
        assert {QColor(colour).name() for colour in theme.channels[:2]} <= colours(grid)


def test_the_ticks_of_an_export_follow_the_theme(window: MainWindow, qtbot: QtBot) -> None:
    names = QListWidget()
    qtbot.addWidget(names)
    names.setItemDelegate(ChannelDelegate(names))
    QListWidgetItem("weight", names).setCheckState(Qt.Checked)
    for choice, theme in ((ThemeChoice.DARK, DARK), (ThemeChoice.LIGHT, LIGHT)):
        window.choose_theme(choice)
        assert QColor(theme.accent).name() in colours(names)
