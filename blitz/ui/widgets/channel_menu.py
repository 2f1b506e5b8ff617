"""The menu of a channel's row: name, unit, colour, decimals, limits, and what the plot shows."""

from collections.abc import Callable

from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt5.QtWidgets import QAction, QActionGroup, QMenu, QWidget

from blitz.ui.live_store import LiveChannel
from blitz.ui.theme import Theme

MOST_DECIMALS = 6
_NAMES_LIGHT = ("Blue", "Vermilion", "Green", "Pink", "Sky blue", "Orange", "Grey", "Olive")
_NAMES_DARK = ("Sky blue", "Orange", "Green", "Pink", "Yellow", "Vermilion", "Blue", "White")
_SQUARE = 14


class ChannelMenu(QObject):
    """Builds menus; what is chosen in them is told by signals.

    :param theme: gives the theme in force, whose colours are offered.
    """

    change_chosen = pyqtSignal(object, object)
    """LiveChannel, and dict[str, object], what its fields are to be"""
    rename_chosen = pyqtSignal(object)
    unit_chosen = pyqtSignal(object)
    colour_chosen = pyqtSignal(object)
    """LiveChannel for which any colour is to be asked for"""
    limits_chosen = pyqtSignal(object)
    calibration_chosen = pyqtSignal(object)
    alarm_chosen = pyqtSignal(object)
    only_chosen = pyqtSignal(object)
    reset_chosen = pyqtSignal(object)
    channels_chosen = pyqtSignal(str)
    """A board all of whose channels are to be shown in the dialog."""
    copy_chosen = pyqtSignal()

    def __init__(self, theme: Callable[[], Theme], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parent = parent

    def build(self, channel: LiveChannel, refusal: str) -> QMenu:
        """Return the menu of a channel.

        :param refusal: why nothing of it can be changed; empty where it can.
        """
        menu = QMenu(channel.label, self._parent)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        if refusal:
            menu.addAction(refusal).setEnabled(False)
        rename = _add(menu, "&Rename", lambda: self.rename_chosen.emit(channel))
        rename.setShortcut("F2")
        changes: list[QAction] = [
            rename,
            _add(menu, "&Unit…", lambda: self.unit_chosen.emit(channel)),
            menu.addMenu(self._colours(channel, menu)),
            menu.addMenu(self._decimals(channel, menu)),
            _add(menu, "&Limits…", lambda: self.limits_chosen.emit(channel)),
            _add(menu, "Cali&brate…", lambda: self.calibration_chosen.emit(channel)),
        ]
        for action in changes:
            action.setEnabled(not refusal)
        _add(menu, "Alar&m on this channel…", lambda: self.alarm_chosen.emit(channel)).setEnabled(not refusal)
        menu.addSeparator()
        _add(menu, "Show &only this one", lambda: self.only_chosen.emit(channel))
        _add(menu, "R&eset its min and max", lambda: self.reset_chosen.emit(channel))
        menu.addSeparator()
        _add(menu, f"&All channels of {channel.source.name}…", lambda: self.channels_chosen.emit(channel.source.name))
        _add(menu, "&Copy the selected rows", self.copy_chosen.emit).setShortcut("Ctrl+C")
        return menu

    def _colours(self, channel: LiveChannel, parent: QMenu) -> QMenu:
        theme, own = self._theme(), channel.channel.color.lower()
        menu = QMenu("&Colour", parent)
        group = QActionGroup(menu)
        names = _NAMES_DARK if theme.is_dark else _NAMES_LIGHT
        choices = [("Automatic", ""), *zip(names, theme.channels, strict=True)]
        for name, colour in choices:
            action = _add(menu, name, lambda colour=colour: self._change(channel, "color", colour))  # type: ignore[misc]
            if colour:
                action.setIcon(colour_icon(colour))
            _tick(action, group, is_on=colour.lower() == own)
        menu.addSeparator()
        other = _add(menu, "Other…", lambda: self.colour_chosen.emit(channel))
        if own and own not in [colour.lower() for _, colour in choices]:
            other.setIcon(colour_icon(own))
            _tick(other, group, is_on=True)
        return menu

    def _decimals(self, channel: LiveChannel, parent: QMenu) -> QMenu:
        menu = QMenu("&Decimals", parent)
        group = QActionGroup(menu)
        choices: list[tuple[str, int | None]] = [("&Automatic", None)]
        choices += [(f"&{number}  ({0:.{number}f})", number) for number in range(MOST_DECIMALS + 1)]
        for name, number in choices:
            action = _add(menu, name, lambda number=number: self._change(channel, "decimals", number))  # type: ignore[misc]
            _tick(action, group, is_on=channel.channel.decimals == number)
        return menu

    def _change(self, channel: LiveChannel, field: str, value: object) -> None:
        self.change_chosen.emit(channel, {field: value})


def colour_icon(colour: str) -> QIcon:
    """Return a square of a colour."""
    picture = QPixmap(_SQUARE, _SQUARE)
    picture.fill(Qt.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(picture.rect(), 3, 3)
    painter.end()
    return QIcon(picture)


def _add(menu: QMenu, words: str, act: Callable[[], object]) -> QAction:
    action = menu.addAction(words)
    action.triggered.connect(lambda _=False: act())
    return action


def _tick(action: QAction, group: QActionGroup, *, is_on: bool) -> None:
    action.setCheckable(True)
    action.setChecked(is_on)
    group.addAction(action)
