"""Puts what shows single channels into the window: the side panel's actions, and the page of numbers."""

from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QAction

from blitz.ui.channel_actions import ChannelActions
from blitz.ui.numbers_actions import NumbersActions
from blitz.ui.pages.numbers_page import NumbersPage

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

_PLACE = 1
"""Of the page of numbers in the tabs: behind the live page."""


class ChannelPages(QObject):
    """Made when the window's tabs are there, before its menus, which list them."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        feed, preferences, side = window.feed, window.preferences, window.live_page.side
        self.actions = ChannelActions(feed, window.store, window.notices, preferences, window)
        self.actions.serve(side)
        self.actions.channels_requested.connect(window.board_actions.name_channels)
        self.actions.calibration_requested.connect(window.calibrations.open)
        self.actions.alarm_requested.connect(window.alarms.ask_channel)
        self.numbers = NumbersPage(side.variables)
        self.numbers_actions = NumbersActions(
            feed, self.numbers, side.variables, preferences, window.appearance, window
        )
        window.tabs.insertTab(_PLACE, self.numbers, "Numbers")
        self.numbers_actions.serve(window.tabs, window.header, window.status_line)
        self.full_screen = QAction("Numbers on the &full screen", window)
        self.full_screen.setShortcut("F11")
        self.full_screen.triggered.connect(self.numbers_actions.toggle_full_screen)
        window.addAction(self.full_screen)
