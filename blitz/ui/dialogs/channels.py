"""Asks what the columns of a device are: names, units, scales, with what it sends now beside them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.ui.definition_draft import DefinitionDraft, DraftError
from blitz.ui.formats import MISSING, fitting_decimals, format_value
from blitz.ui.source_rows import sent_number
from blitz.ui.theme import SPACE
from blitz.ui.widgets.channel_details import ChannelDetails
from blitz.ui.widgets.channel_grid import ChannelGrid

SAMPLE_MS = 250
_HIGHEST_PX = 380


@dataclass(frozen=True, eq=False)
class Sample:
    """The newest reading of a device, and the definition that it was read by: values (n_channels,)."""

    definition: BoardDefinition
    values: NDArray[np.float64]


class ChannelsDialog(QDialog):
    """Accepted with a definition that is right; what is wrong is said in a sentence, where it is.

    Accepted, it is only hidden: :meth:`take_answer` opens it again, as it was, if the server refuses.

    :param sample: gives what the device sent last; None while nothing came.
    :param newest: gives the definition that is in force now; None while nobody knows.
    """

    definition_requested = pyqtSignal(object)
    """Format and commands are to be seen, too: BoardDefinition as typed, or None while that is wrong"""

    def __init__(
        self,
        board: str,
        definition: BoardDefinition,
        sample: Callable[[], Sample | None],
        *,
        newest: Callable[[], BoardDefinition | None] = lambda: None,
        is_guessed: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.board = board
        self._sample = sample
        self._newest = newest
        self._replaced = definition
        self._first = self._draft = DefinitionDraft.of(definition)
        self._row = 0
        self.setWindowTitle(f"Channels of {board}")
        self.setMinimumWidth(720)
        self.name = QLineEdit(definition.name)
        self.name.setToolTip("What kind of device this is, such as Kitchen scale")
        self.name.textEdited.connect(lambda _: self._say(""))
        self.grid = ChannelGrid(len(definition.channels))
        self.grid.edited.connect(self._edit)
        self.grid.entered.connect(self._enter)
        self.details = ChannelDetails()
        self.details.edited.connect(lambda field, value: self._edit(self._row, field, value))
        self.details.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Fixed)
        self.details.hide()
        self.more = QPushButton("&More…")
        self.more.setToolTip(
            "Of the channel with the cursor: display name, colour, decimals, valid range, limits, "
            "and whether it numbers the messages"
        )
        self.more.setCheckable(True)
        self.more.setAutoDefault(False)
        self.more.toggled.connect(self._show_details)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("state", "bad")
        self.problem.hide()
        self._lay_out(is_guessed)
        self._show()
        first = self.grid.field(0, "name")
        if first is not None:
            first.setFocus()
            first.selectAll()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._show_sample)
        self._timer.start(SAMPLE_MS)

    @property
    def definition(self) -> BoardDefinition:
        """The definition as typed.

        :raises DraftError: while it is wrong.
        """
        return DefinitionDraft(self._draft.base, self.name.text(), self._draft.channels).build()

    def accept(self) -> None:
        """Close if all is right; else say what is not, and go there."""
        try:
            _ = self.definition
        except DraftError as error:
            self._point_at(error)
            return
        newest = self._newest()
        if newest is None or newest == self._replaced:
            super().accept()
            return
        self._replaced = newest
        names = ", ".join(channel.name for channel in newest.channels)
        self._say(
            f"The channels were changed meanwhile, to: {names}. Press the button again to put yours in their place; "
            "Cancel leaves them."
        )

    def take_answer(self, board: str, reason: str) -> None:
        """The server has answered what was accepted; with a reason it has refused, and the operator goes on here."""
        if board != self.board or self.isVisible():
            return
        if not reason:
            self.deleteLater()
            return
        self._say(f"Not saved. {reason}")
        self.open()

    def reset(self) -> None:
        """Put back everything as it was."""
        self._draft = self._first
        self.name.setText(self._first.name)
        self._say("")
        self._show()

    def _open_definition(self) -> None:
        try:
            typed = self.definition
        except DraftError:
            typed = None
        self.reject()
        self.definition_requested.emit(typed)

    def _edit(self, row: int, field: str, value: Any) -> None:
        self._draft = self._draft.with_channel(row, **{field: value})
        self._say("")
        self.details.show_channel(self._row, self._draft.channels[self._row])
        self._show_sample()

    def _enter(self, row: int) -> None:
        self._row = row
        self.details.show_channel(row, self._draft.channels[row])

    def _show_details(self, is_on: bool) -> None:
        self.details.setVisible(is_on)
        self.adjustSize()

    def _point_at(self, error: DraftError) -> None:
        self._say(str(error))
        if error.row is None:
            return
        self._enter(error.row)
        field = self.grid.field(error.row, error.field)
        if field is None:
            self.more.setChecked(True)
            field = self.details.field(error.field)
        if field is not None:
            field.setFocus()
            field.selectAll()

    def _say(self, sentence: str) -> None:
        self.problem.setText(sentence)
        if self.problem.isHidden() == bool(sentence):
            self.problem.setVisible(bool(sentence))
            self.adjustSize()

    def _show(self) -> None:
        self.grid.show_draft(self._draft)
        if self._draft.channels:
            self.details.show_channel(self._row, self._draft.channels[self._row])
        self._show_sample()

    def _show_sample(self) -> None:
        sample = self._sample()
        known = sample is not None and len(sample.values) == len(self._draft.channels)
        for row in range(len(self._draft.channels)):
            if sample is None or not known:
                self.grid.show_sample(row, MISSING, MISSING)
            else:
                self.grid.show_sample(row, *sample_words(sample, row, self._draft.channel(row)))

    def _lay_out(self, is_guessed: bool) -> None:
        count = len(self._draft.channels)
        what = "value" if count == 1 else "values"
        begin = f"{self.board} sends {count} {what} a message" if is_guessed else f"{self.board} has {count} channels"
        words = QLabel(
            f"{begin}. Give them names and units; value = (sent − zero) × scale. It takes effect at once, "
            "and what was recorded before is not changed."
        )
        words.setWordWrap(True)
        words.setProperty("kind", "muted")
        kind = QHBoxLayout()
        caption = QLabel("&Kind of device")
        caption.setBuddy(self.name)
        caption.setMinimumWidth(caption.sizeHint().width() + 4)
        kind.addWidget(caption)
        kind.addWidget(self.name, 1)
        scroll = QScrollArea()
        scroll.setWidget(self.grid)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.NoFocus)
        scroll.setMinimumWidth(self.grid.sizeHint().width() + 2 * SPACE)  # and the scroll bar
        scroll.setMinimumHeight(min(self.grid.sizeHint().height() + SPACE, _HIGHEST_PX))
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE + SPACE // 2)
        column.addWidget(words)
        column.addLayout(kind)
        column.addWidget(scroll, 1)
        column.addWidget(self.details)
        column.addWidget(self.problem)
        column.addLayout(self._buttons())
        self.accept_button.setDefault(True)

    def _buttons(self) -> QHBoxLayout:
        whole = QPushButton("Not right? De&finition…")
        whole.setToolTip("Format, framing and commands, with what they make of the last messages")
        whole.setAutoDefault(False)
        whole.clicked.connect(self._open_definition)
        undo = QPushButton("&Undo all")
        undo.setToolTip("Put back everything as it was when this was opened (Ctrl+Z undoes in a field)")
        undo.setAutoDefault(False)
        undo.clicked.connect(self.reset)
        buttons = QDialogButtonBox()
        self.accept_button = buttons.addButton("Use these &names", QDialogButtonBox.AcceptRole)
        buttons.addButton(QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.more)
        row.addWidget(undo)
        row.addWidget(whole)
        row.addStretch(1)
        row.addWidget(buttons)
        return row


def sample_words(sample: Sample, row: int, typed: Channel | None) -> tuple[str, str]:
    """Return the number that a device sent for a channel, and what the channel as typed makes of it."""
    value = float(sample.values[row])
    number = sent_number(sample.definition.channels[row], value)
    return _sent_text(number), _value_text(number, value, typed)


def _sent_text(number: float | None) -> str:
    return MISSING if number is None or not math.isfinite(number) else f"{round(number, 9):.10g}"


def _value_text(number: float | None, value: float, typed: Channel | None) -> str:
    """Return what a channel as typed makes of the number; where the number is hidden, what it is now."""
    if typed is None:
        return MISSING
    if number is not None:
        value = (number - typed.zero) * typed.scale / typed.divisor
    is_valid = (typed.valid_low is None or value >= typed.valid_low) and (
        typed.valid_high is None or value <= typed.valid_high
    )
    words = format_value(value, fitting_decimals(typed, [value])) if is_valid else "not valid"
    return f"{words} {typed.unit}" if typed.unit and is_valid else words
