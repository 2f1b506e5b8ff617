"""Computed channels in the window: their dialog, and every open session shows them."""

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.dialogs.computed import ComputedDialog
from blitz.ui.history_tabs import HistoryTabs
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.source_rows import COMPUTED


class ComputedActions(QObject):
    """Opens the dialog, and tells pages of sessions what is to be computed."""

    def __init__(self, kept: ComputedChannels, store: LiveStore, histories: HistoryTabs, window: QWidget) -> None:
        super().__init__(window)
        self._kept = kept
        self._store = store
        self._histories = histories
        self._window = window
        histories.opened.connect(self._serve)
        kept.changed.connect(self._serve_all)

    def ask(self, page: QWidget | None) -> None:
        """Show the dialog for the channels of a page: a session's, else those of the live view."""
        channels: tuple[LiveChannel, ...] = self._store.channels
        if isinstance(page, HistoryPage):
            channels = page.history.channels
        own = tuple({channel.label: channel for channel in channels if channel.source.link != COMPUTED}.values())
        dialog = ComputedDialog(self._kept, own, self._window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _serve(self, page: HistoryPage) -> None:
        if self._kept.channels:
            page.computed.compute(self._kept.channels)

    def _serve_all(self) -> None:
        for page in self._histories.pages:
            page.computed.compute(self._kept.channels)
