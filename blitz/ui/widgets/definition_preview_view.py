"""The last messages of a board as the definition that is typed reads them; bad ones marked, with why."""

from collections.abc import Callable, Sequence

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QFontMetrics
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.records import BadFrameRecord
from blitz.ui.definition_preview import RawMessage, preview
from blitz.ui.models.preview import MESSAGE, PROBLEM, TIME, PreviewModel
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.marked_delegate import MarkedDelegate
from blitz.ui.widgets.send_line import fixed_font
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table

REFRESH_MS = 500
_CHANNEL_PX = 110


class DefinitionPreviewView(QWidget):
    """Draws by a timer.

    :param messages: gives the last messages, oldest first.
    """

    def __init__(self, messages: Callable[[], Sequence[RawMessage]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._held: Sequence[RawMessage] | None = None
        self._bad: tuple[BadFrameRecord, ...] = ()
        self._definition: BoardDefinition | None = None
        self._drawn: tuple[object, ...] | None = None
        self._is_stale = False
        self._is_fitted = False
        self.preview = PreviewModel(fixed_font(self.font()), self)
        self.table = Table(self.preview, "No message came yet: what the board sends appears here, as it is read.")
        self.table.setAccessibleName("Messages, decoded")
        self.table.setItemDelegate(MarkedDelegate(self.table))
        self.table.verticalHeader().setDefaultSectionSize(DENSE_ROW_HEIGHT)
        self.title = QLabel("Last messages, decoded")
        self.title.setProperty("kind", "title")
        self.words = QLabel()
        self.words.setProperty("kind", "muted")
        self.hold = QCheckBox("&Hold")
        self.hold.setToolTip("Keep these messages; new ones are not shown")
        self.hold.toggled.connect(self._take_hold)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.title)
        row.addWidget(self.words, 1)
        row.addWidget(self.hold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)

    def show_definition(self, definition: BoardDefinition | None) -> None:
        """Decode by this definition from now on; None while it is wrong: the one before stays."""
        self._is_stale = definition is None
        if definition is not None:
            self._definition = definition
        self.refresh()

    def show_bad_frames(self, frames: Sequence[BadFrameRecord]) -> None:
        """Show frames that were no message, too."""
        self._bad = tuple(frames)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.preview.theme = theme
        self.table.viewport().update()

    def refresh(self) -> None:
        """Draw, if anything is new."""
        messages = tuple(self._messages() if self._held is None else self._held)
        newest = (messages, self._bad, self._definition, self._is_stale)
        if newest == self._drawn or self._definition is None:
            return
        self._drawn = newest
        definition = self._definition
        is_text = definition.format is not Format.STRUCT and (definition.framing is None or definition.framing.is_text)
        since_ns = messages[0].arrived_ns if messages else 0
        bad = [frame for frame in self._bad if frame.time_ns >= since_ns]
        before = self.preview.columnCount()
        self.preview.show(definition, preview(definition, messages), bad, is_text=is_text)
        self._fit(before)
        self.words.setText(self._say(len(messages), len(bad)))

    def _say(self, count: int, bad: int) -> str:
        if self._is_stale:
            return "by the last draft that was right: mend what is marked above"
        if not count and not bad:
            return ""
        problems = self.preview.problem_count
        words = f"{problems} of {count} with a missing value" if problems else f"all {count} are read"
        return f"{words}, {bad} bad frame{'' if bad == 1 else 's'}" if bad else words

    def _fit(self, before: int) -> None:
        self.table.setColumnHidden(PROBLEM, not self.preview.has_problems)
        if before == self.preview.columnCount() and self._is_fitted:
            return
        self._is_fitted = True
        time_px = QFontMetrics(fixed_font(self.font())).horizontalAdvance("00:00:00.000") + 3 * SPACE
        widths = {TIME: time_px, MESSAGE: 270, PROBLEM: 300}
        for column in range(self.preview.columnCount()):
            title = self.preview.headerData(column, Qt.Horizontal)
            room = self.table.horizontalHeader().fontMetrics().horizontalAdvance(title) + 3 * SPACE
            self.table.setColumnWidth(column, widths.get(column, min(max(_CHANNEL_PX, room), 2 * _CHANNEL_PX)))

    def _take_hold(self, is_held: bool) -> None:
        self._held = tuple(self._messages()) if is_held else None
        self.refresh()
