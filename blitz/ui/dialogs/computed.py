"""Channels that are computed from others: a formula each, and steps that can be switched off."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from PyQt5.QtCore import QSignalBlocker, Qt
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.computed import ComputedChannel, Step
from blitz.data.computed_formulas import written_out
from blitz.data.computed_steps import KINDS, read_step, step_words
from blitz.errors import CacheError, SeriesError
from blitz.ui.computed_channels import MARK, ComputedChannels, missing_words
from blitz.ui.live_store import LiveChannel
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.states import set_state

_INDENT = 4
"""Of the line below a sentence that shows a formula."""
_HINT = "Channels by their names, in quotes where they are more than one word: 'Supply voltage' * current"


class ComputedDialog(QDialog):
    """Changes count when they are saved, for the live view and all sessions that have the channels.

    :param channels: those of the page that it was opened from.
    """

    def __init__(self, kept: ComputedChannels, channels: Sequence[LiveChannel], parent: QWidget) -> None:
        super().__init__(parent)
        self._kept = kept
        self._known = {channel.label: channel for channel in channels}
        self.setWindowTitle("Computed channels")
        self.names = QListWidget()
        self.names.setAccessibleName("Computed channels")
        self.name, self.formula, self.unit, self.gap = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit("1")
        self.insert = Choice()
        self.steps = QListWidget()
        self.steps.setAccessibleName("Steps")
        self.kind = Choice()
        self.kind.setAccessibleName("Kind of step")
        self.kind.addItems([kind.words for kind in KINDS])
        self.numbers = QLineEdit()
        self.numbers.setAccessibleName("Numbers of the step")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.PlainText)
        self.save = self._button("&Save", self._save)
        self.delete = self._button("&Delete", self._delete)
        self.new = self._button("&New", self._begin)
        self.add_step = self._button("&Add step", self._add_step)
        self.remove_step = self._button("&Remove step", self._remove_step)
        self.earlier = self._button("&Earlier", lambda: self._move_step(-1))
        self.earlier.setToolTip("Do the selected step before the one above it")
        self.later = self._button("&Later", lambda: self._move_step(1))
        self.later.setToolTip("Do the selected step after the one below it")
        self._steps: list[Step] = []
        self._lay_out()
        self.names.currentRowChanged.connect(self._show)
        self.insert.activated.connect(self._insert)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self.steps.itemChanged.connect(self._switch_step)
        self.steps.currentRowChanged.connect(lambda _: self._show_moves())
        self._show_kind()
        self._list(0)
        if not kept.channels:
            self._begin()
        self.resize(760, 460)

    def _list(self, row: int) -> None:
        with QSignalBlocker(self.names):
            self.names.clear()
            for computed in self._kept.channels:
                item = QListWidgetItem(f"{MARK} {computed.label}")
                item.setToolTip(self._why_not(computed) or computed.formula)
                self.names.addItem(item)
            self.names.setCurrentRow(min(row, self.names.count() - 1))
        others = (computed.label for computed in self._kept.channels if not computed.transforms)
        self.insert.clear()
        self.insert.addItems(["Insert a channel…", *self._known, *(f"{MARK} {label}" for label in others)])
        self.delete.setEnabled(self.names.count() > 0)
        self._show(self.names.currentRow())

    def _show(self, row: int) -> None:
        if not 0 <= row < len(self._kept.channels):
            return
        computed = self._kept.channels[row]
        self.name.setText(computed.label)
        self.formula.setText(computed.formula)
        self.formula.setCursorPosition(0)
        self.unit.setText(computed.unit)
        self.gap.setText(f"{computed.max_gap_s:g}")
        self._steps = list(computed.steps)
        self._show_steps()
        self._tell(self._why_not(computed))
        self.delete.setEnabled(True)

    def _begin(self) -> None:
        with QSignalBlocker(self.names):
            self.names.setCurrentRow(-1)
        for field in (self.name, self.formula, self.unit):
            field.clear()
        self.gap.setText("1")
        self._steps = []
        self._show_steps()
        self._tell("" if self._known else "There are no channels here yet.")
        self.delete.setEnabled(False)
        self.name.setFocus()

    def _save(self) -> None:
        try:
            gap_s = float(self.gap.text().replace(",", "."))
        except ValueError:
            self._refuse(self.gap, "The longest gap is a number of seconds.")
            return
        name = self.name.text().strip()
        try:
            computed = ComputedChannel(name, self.formula.text(), self.unit.text().strip(), gap_s, tuple(self._steps))
        except SeriesError as error:
            self._refuse(self.formula if name else self.name, str(error))
            return
        row, channels = self.names.currentRow(), list(self._kept.channels)
        if any(other.label == name for place, other in enumerate(channels) if place != row):
            self._refuse(self.name, f"There is a computed channel “{name}” already.")
            return
        try:
            made = written_out(computed, [*channels[: max(row, 0)], *channels[row + 1 :], computed], self._known)
        except SeriesError as error:
            self._tell(str(error), is_wrong=True)
            return
        first = self._known.get(made.channels[0])
        if first is not None and first.source.definition is not None:
            fields = {"definition": first.source.definition.id}
            computed = ComputedChannel.from_plain(computed.to_plain() | fields)
        missing = next((label for label in made.channels if label not in self._known), None)
        if missing is not None and row < 0:
            self._refuse(self.formula, f"There is no channel “{missing}” here.")
            return
        if row < 0:
            channels.append(computed)
        else:
            channels[row] = computed
        self._keep(channels)
        self._list(row if row >= 0 else len(channels) - 1)

    def _keep(self, channels: Iterable[ComputedChannel]) -> None:
        try:
            self._kept.keep(channels)
        except CacheError as error:
            QMessageBox.warning(self, "Not kept", f"They are there until the program ends, and were not kept: {error}")

    def _why_not(self, computed: ComputedChannel) -> str:
        """Say why a channel that is kept is not here; empty where it is."""
        try:
            made = written_out(computed, self._kept.channels, self._known)
        except SeriesError as error:
            return str(error)
        return missing_words(made, self._known) or made.live_refusal

    def _delete(self) -> None:
        row = self.names.currentRow()
        if row >= 0:
            self._keep(channel for place, channel in enumerate(self._kept.channels) if place != row)
            if self._kept.channels:
                self._list(max(row - 1, 0))
            else:
                self.names.clear()
                self._begin()

    def _insert(self, row: int) -> None:
        if row:
            label = self.insert.itemText(row).removeprefix(f"{MARK} ")
            quote = '"' if "'" in label else "'"
            self.formula.insert(label if label.isidentifier() else f"{quote}{label}{quote}")
            self.insert.setCurrentIndex(0)
            self.formula.setFocus()

    def _show_kind(self) -> None:
        kind = KINDS[self.kind.currentIndex()]
        self.numbers.setPlaceholderText(kind.hint)
        self.numbers.setEnabled(bool(kind.fields))
        self.numbers.clear()

    def _add_step(self) -> None:
        try:
            self._steps.append(Step(read_step(KINDS[self.kind.currentIndex()], self.numbers.text())))
        except SeriesError as error:
            self._refuse(self.numbers, str(error))
            return
        self.numbers.clear()
        self._tell("")
        self._show_steps()

    def _remove_step(self) -> None:
        with suppress(IndexError):
            del self._steps[self.steps.currentRow()]
        self._show_steps()

    def _move_step(self, rows: int) -> None:
        row = self.steps.currentRow()
        self._steps.insert(row + rows, self._steps.pop(row))
        self._show_steps()
        self.steps.setCurrentRow(row + rows)

    def _show_moves(self) -> None:
        row = self.steps.currentRow()
        self.earlier.setEnabled(row > 0)
        self.later.setEnabled(0 <= row < len(self._steps) - 1)

    def _switch_step(self, item: QListWidgetItem) -> None:
        place = self.steps.row(item)
        self._steps[place] = Step(self._steps[place].transform, item.checkState() == Qt.Checked)

    def _show_steps(self) -> None:
        with QSignalBlocker(self.steps):
            self.steps.clear()
            for step in self._steps:
                item = QListWidgetItem(step_words(step.transform))
                item.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable)
                item.setCheckState(Qt.Checked if step.is_on else Qt.Unchecked)
                self.steps.addItem(item)
            self.steps.setCurrentRow(len(self._steps) - 1)
        self.remove_step.setEnabled(bool(self._steps))
        self._show_moves()

    def _refuse(self, field: QLineEdit, text: str) -> None:
        """Say what is wrong, and go where it is; below the sentence stands the place in a formula, as in a terminal."""
        sentence, *drawing = text.split("\n")
        self._tell(sentence, is_wrong=True)
        set_state(field, "bad")
        field.setFocus()
        if drawing and drawing[-1].endswith("^"):
            field.setCursorPosition(len(drawing[-1]) - _INDENT - 1)

    def _tell(self, text: str, *, is_wrong: bool = False) -> None:
        for field in (self.name, self.formula, self.gap, self.numbers):
            set_state(field, "")
        self.words.setText(text or _HINT)
        self.words.setProperty("state", "bad" if is_wrong else "")
        self.words.setProperty("kind", "" if is_wrong else "muted")
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)

    def _button(self, words: str, act: "object") -> QPushButton:
        button = QPushButton(words)
        button.setAutoDefault(False)
        button.clicked.connect(act)  # type: ignore[arg-type]
        return button

    def _lay_out(self) -> None:
        form = QGridLayout()
        form.setSpacing(SPACE)
        rows = (("Na&me", self.name), ("&Formula", self.formula), ("&Unit", self.unit), ("Longest &gap [s]", self.gap))
        for place, (words, field) in enumerate(rows):
            label = QLabel(words)
            label.setBuddy(field)
            field.setAccessibleName(words.replace("&", ""))
            form.addWidget(label, place, 0)
            form.addWidget(field, place, 1, 1, 1 if field is self.formula else 2)
        self.gap.setToolTip("Between readings of another source that are farther apart nothing is known")
        self.insert.setAccessibleName("Insert a channel")
        form.addWidget(self.insert, 1, 2)
        self.formula.setPlaceholderText("such as voltage * current")
        steps = QLabel("S&teps, one after the other")
        steps.setBuddy(self.steps)
        below = QHBoxLayout()
        for widget in (self.kind, self.numbers, self.add_step, self.remove_step):
            below.addWidget(widget)
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.Close).setAutoDefault(False)
        self.save.setDefault(True)
        foot = QHBoxLayout()
        foot.addWidget(self.save)
        foot.addStretch(1)
        foot.addWidget(buttons)
        right = QVBoxLayout()
        right.addLayout(form)
        right.addWidget(steps)
        order = QVBoxLayout()
        order.addWidget(self.earlier)
        order.addWidget(self.later)
        order.addStretch(1)
        listed = QHBoxLayout()
        listed.addWidget(self.steps, 1)
        listed.addLayout(order)
        right.addLayout(listed, 1)
        right.addLayout(below)
        right.addWidget(self.words)
        right.addLayout(foot)
        left = QVBoxLayout()
        left.addWidget(self.names, 1)
        row = QHBoxLayout()
        row.addWidget(self.new)
        row.addWidget(self.delete)
        left.addLayout(row)
        whole = QHBoxLayout(self)
        whole.setSpacing(2 * SPACE)
        whole.addLayout(left, 2)
        whole.addLayout(right, 5)
