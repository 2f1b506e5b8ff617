"""What can be done with channels from the side panel: rename, unit, colour, decimals, limits, extremes, columns."""

from PyQt5.QtCore import QByteArray, QObject, QPoint, pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QColorDialog, QWidget

from blitz.ui.channel_edits import UNDO_MS, ChannelEdits
from blitz.ui.dialogs.limits import LimitsDialog
from blitz.ui.feed import Feed
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.models.variables import CHANNEL, UNIT
from blitz.ui.preferences import Preferences
from blitz.ui.widgets.channel_menu import ChannelMenu
from blitz.ui.widgets.channel_side import ChannelSide
from blitz.ui.widgets.notices import NoticeAction, NoticesArea

_COLUMNS = "variables columns"


class ChannelActions(QObject):
    """Asks the operator, the store and, through :class:`ChannelEdits`, the server."""

    channels_requested = pyqtSignal(str)
    """A board whose channels are to be shown in their dialog."""
    calibration_requested = pyqtSignal(str, int)
    """A board, and the place of the channel that is to be calibrated."""
    alarm_requested = pyqtSignal(object)
    """LiveChannel on which there is to be an alarm"""

    def __init__(
        self, feed: Feed, store: LiveStore, notices: NoticesArea, preferences: Preferences, window: QWidget
    ) -> None:
        super().__init__(window)
        self._store = store
        self._notices = notices
        self._preferences = preferences
        self._window = window
        self.edits = ChannelEdits(feed, notices, self)

    def serve(self, side: ChannelSide) -> None:
        """Do what a side panel asks for, and give its columns back as they were left."""
        table, variables = side.variables_table, side.variables
        menu = ChannelMenu(lambda: variables.theme, table)
        variables.refusal = self.edits.refusal
        variables.change_requested.connect(self.edits.change)
        self.edits.refusal_changed.connect(lambda words: setattr(variables, "refusal", words))
        table.menu_requested.connect(lambda channel, place: self._open_menu(menu, channel, place))
        table.refused.connect(lambda words: self._notices.tell("warning", words))
        table.columns_changed.connect(lambda: self._keep_columns(table.chosen_columns))
        side.reset_requested.connect(self.reset_extremes)
        menu.change_chosen.connect(self.edits.change)
        menu.rename_chosen.connect(lambda channel: table.edit_cell(channel, CHANNEL))
        menu.unit_chosen.connect(lambda channel: table.edit_cell(channel, UNIT))
        menu.colour_chosen.connect(lambda channel: self._ask_colour(channel, variables.colour(channel)))
        menu.limits_chosen.connect(self._ask_limits)
        menu.calibration_chosen.connect(
            lambda channel: self.calibration_requested.emit(channel.source.name, channel.column)
        )
        menu.alarm_chosen.connect(self.alarm_requested)
        menu.only_chosen.connect(lambda channel: variables.show_only({channel.label}))
        menu.reset_chosen.connect(lambda channel: self.reset_extremes([channel]))
        menu.channels_chosen.connect(self.channels_requested)
        menu.copy_chosen.connect(table.copy)
        kept = self._preferences.place(_COLUMNS)
        if kept is not None:
            table.choose_columns(bytes(kept.data()).decode("utf-8", "replace"))

    def reset_extremes(self, channels: list[LiveChannel]) -> None:
        """Let the smallest and largest reading of channels begin anew; a notice takes it back."""
        before = self._store.reset_extremes(channels)
        whose = "every channel begin" if len(channels) > 1 else f"{channels[0].label} begin" if channels else ""
        if whose:
            undo = NoticeAction("Undo", lambda: self._store.join_extremes(before), is_final=True)
            self._notices.tell("info", f"Min and max of {whose} anew.", undo, for_ms=UNDO_MS)

    def _open_menu(self, menu: ChannelMenu, channel: LiveChannel, place: QPoint) -> None:
        menu.build(channel, self.edits.refusal).popup(place)

    def _keep_columns(self, chosen: str) -> None:
        self._preferences.remember_place(_COLUMNS, QByteArray(chosen.encode()))

    def _ask_colour(self, channel: LiveChannel, colour: str) -> None:
        dialog = QColorDialog(QColor(colour), self._window)
        dialog.setWindowTitle(f"Colour of {channel.label}")
        dialog.accepted.connect(lambda: self.edits.change(channel, {"color": dialog.selectedColor().name()}))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_limits(self, channel: LiveChannel) -> None:
        dialog = LimitsDialog(channel, self._window)
        dialog.accepted.connect(lambda: self.edits.change(channel, dialog.limits))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
