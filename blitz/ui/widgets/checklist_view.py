"""The checklist as lines with a mark each, and the small button beside Start that shows how it stands."""

from html import escape

from PyQt5.QtCore import QPoint, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QIcon
from PyQt5.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.ui.checklist import Check, Checklist, Light
from blitz.ui.icons import icon
from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.widgets.states import set_state

_ICONS = {
    Light.OFF: "minus-circle-outline",
    Light.GREEN: "check-circle",
    Light.AMBER: "alert",
    Light.RED: "close-circle",
}
_MARK = 18


class ChecklistView(QWidget):
    """A line a check: mark, subject, state and what to do about it.

    :param width_px: how wide the words are; longer ones are wrapped.
    """

    def __init__(self, theme: Theme = LIGHT, width_px: int = 420, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._width_px = width_px
        self._checks: tuple[Check, ...] = ()
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE)
        self._grid.setVerticalSpacing(SPACE)
        self._grid.setColumnStretch(2, 1)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is to be read, from above."""
        return tuple(check.sentence for check in self._checks)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self._draw()

    def show_checks(self, checks: tuple[Check, ...]) -> None:
        """Show exactly these."""
        if checks != self._checks:
            self._checks = checks
            self._draw()

    def _draw(self) -> None:
        for part in [part for row in self._rows[len(self._checks) :] for part in row]:
            self._grid.removeWidget(part)
            part.hide()
            part.deleteLater()
        del self._rows[len(self._checks) :]
        while len(self._rows) < len(self._checks):
            self._add_row()
        for (mark, words), check in zip(self._rows, self._checks, strict=True):
            mark.setPixmap(mark_of(check.light, self._theme).pixmap(QSize(_MARK, _MARK)))
            mark.setAccessibleName(check.light.value)
            rest = escape(check.sentence.removeprefix(check.subject))
            words.setText(f"<b>{escape(check.subject)}</b>{rest}")
            words.setAccessibleName(check.sentence)
            words.ensurePolished()
            words.setFixedHeight(words.heightForWidth(self._width_px))  # a layout in a layout forgets to ask

    def _add_row(self) -> None:
        mark, words = QLabel(), QLabel()
        words.setTextFormat(Qt.RichText)
        words.setWordWrap(True)
        words.setFixedWidth(self._width_px)
        for column, part in enumerate((mark, words)):
            self._grid.addWidget(part, len(self._rows), column, Qt.AlignTop)
        self._rows.append((mark, words))


class ReadyButton(QPushButton):
    """How many sources are ready, with the worst mark; a click opens the whole list below it."""

    boards_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._checklist = Checklist()
        self._popover: _Popover | None = None
        self.setProperty("kind", "ready")
        self.setAccessibleName("Checklist")
        self.clicked.connect(self.open_list)

    @property
    def light(self) -> Light:
        """The worst of the list."""
        return self._checklist.light

    def show_checklist(self, checklist: Checklist) -> None:
        """Take over how things stand."""
        is_same_light = checklist.light is self._checklist.light and bool(self.text())
        self._checklist = checklist
        self.setText(checklist.summary)
        troubled = [check for check in checklist.checks if check.light in (Light.AMBER, Light.RED)]
        lines = [check.sentence for check in troubled] or ["All is ready to start."]
        self.setToolTip("\n".join([*lines, "Click for the whole list."]))
        if not is_same_light:
            self._show_mark()
        if self._popover is not None:
            self._popover.show_checklist(checklist, self._theme)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self._show_mark()

    def open_list(self) -> None:
        """Show the whole list below the button, until somebody clicks elsewhere."""
        if self._popover is None:
            self._popover = _Popover(self.window())
            self._popover.boards.clicked.connect(self._show_boards)
        self._popover.show_checklist(self._checklist, self._theme)
        self._popover.adjustSize()
        below = self.mapToGlobal(QPoint(self.width() - self._popover.width(), self.height() + 4))
        left = self.window().mapToGlobal(QPoint(SPACE, 0)).x()
        self._popover.move(max(left, below.x()), below.y())
        self._popover.show()

    @property
    def list_view(self) -> ChecklistView | None:
        """The list, once it was opened."""
        return self._popover.view if self._popover is not None else None

    def _show_boards(self) -> None:
        if self._popover is not None:
            self._popover.hide()
        self.boards_requested.emit()

    def _show_mark(self) -> None:
        self.setIcon(mark_of(self.light, self._theme))
        set_state(self, self.light.name.lower())


class _Popover(QFrame):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.Popup)
        self.setObjectName("popover")
        self.view = ChecklistView()
        title = QLabel("Before Start")
        title.setProperty("kind", "title")
        self.boards = QPushButton("Show the boards")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.boards)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE + 4)
        column.addWidget(title)
        column.addWidget(self.view)
        column.addLayout(buttons)

    def show_checklist(self, checklist: Checklist, theme: Theme) -> None:
        """Take over how things stand."""
        self.view.set_theme(theme)
        self.view.show_checks(checklist.checks)


def mark_of(light: Light, theme: Theme) -> QIcon:
    """Return the mark of a light: told by shape as well as by colour."""
    colours = {Light.OFF: theme.muted, Light.GREEN: theme.okay, Light.AMBER: theme.warning, Light.RED: theme.recording}
    return icon(_ICONS[light], theme, colours[light])
