"""Asks for all that can be said of a new session: its words, when it starts and stops; and shows the checklist."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from blitz.data.records import RunWishes
from blitz.data.session_words import NAME_LENGTH, SessionWords
from blitz.ui.checklist import Checklist, Light
from blitz.ui.starting import Proposal
from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.widgets.checklist_view import ChecklistView
from blitz.ui.widgets.own_fields import OwnFields
from blitz.ui.widgets.tag_line import TagLine
from blitz.ui.widgets.timed_run import TimedRunFields


@dataclass(frozen=True)
class StartWish:
    """What was asked for."""

    name: str
    notes: str
    words: SessionWords
    run: RunWishes
    start_at: datetime | None = None


class StartDialog(QDialog):
    """``wish`` is what was asked for when it is accepted.

    :param placeholder: the name that an empty one stands for.
    :param fields: own fields to be asked for, and what to propose.
    :param required: which of them must not be left empty.
    :param last: of the last session; None where there is none.
    :param known_tags: those of other sessions.
    :param now: the server's time, aware.
    """

    def __init__(
        self,
        *,
        name: str = "",
        placeholder: str = "",
        fields: Mapping[str, str] | None = None,
        required: tuple[str, ...] = (),
        last: Proposal | None = None,
        known_tags: Iterable[str] = (),
        now: Callable[[], datetime],
        theme: Theme = LIGHT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Start a session")
        self._last = last
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_LENGTH)
        self.name.setPlaceholderText(placeholder)
        self.name.selectAll()
        self.same = QPushButton("Same as &last time")
        self.same.setToolTip("Take name, tags and fields of the last session")
        self.same.setAutoDefault(False)  # Enter starts
        self.same.setEnabled(last is not None)
        self.same.clicked.connect(self.take_last)
        self.tags = TagLine(known=known_tags)
        self.fields = OwnFields(fields or {}, required)
        self.notes = QPlainTextEdit()
        self.notes.setTabChangesFocus(True)
        self.notes.setPlaceholderText("What is measured, with which set-up")
        self.notes.setMinimumHeight(84)
        self.timed = TimedRunFields(now)
        self.timed.starts.toggled.connect(lambda: self._show_accept())
        self.checks = ChecklistView(theme, 385)
        self._light = Light.GREEN
        self.wrong = QLabel()
        self.wrong.setWordWrap(True)
        self.wrong.setProperty("state", "bad")
        self.wrong.hide()
        self.buttons = QDialogButtonBox()
        self.accept_button = self.buttons.addButton("&Start", QDialogButtonBox.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        self.accept_button.setDefault(True)
        self.fields.focus_first_empty()

    @property
    def wish(self) -> StartWish:
        """What was typed.

        :raises ValueError: saying what is wrong with it.
        """
        self.fields.check()
        words = SessionWords(tags=self.tags.tags or None, fields=self.fields.typed)
        notes = self.notes.toPlainText().strip()
        return StartWish(self.name.text().strip(), notes, words, self.timed.run, self.timed.moment)

    def fill(self, wish: StartWish) -> None:
        """Fill in what was asked for before and not done, but for a moment that may be over."""
        self.name.setText(wish.name)
        self.notes.setPlainText(wish.notes)
        self.tags.setText(", ".join(wish.words.tags or ()))
        for name, text in wish.words.fields.items():
            self.fields.set(name, text)
        self.timed.show_run(wish.run)

    def take_last(self) -> None:
        """Fill in what the last session had."""
        if self._last is None:
            return
        self.name.setText(self._last.name)
        self.tags.setText(", ".join(self._last.tags))
        for name, text in self._last.fields.items():
            self.fields.set(name, text)

    def show_checklist(self, checklist: Checklist) -> None:
        """Take over how things stand now."""
        self.checks.show_checks(checklist.checks)
        self._light = checklist.light
        self._show_accept()

    def accept(self) -> None:
        """Close, unless something is wrong with what was typed."""
        try:
            _ = self.wish
        except ValueError as error:
            self.wrong.setText(str(error))
            self.wrong.show()
            self.fields.focus_first_empty()
        else:
            super().accept()

    def _show_accept(self) -> None:
        words = "&Start anyway" if self._light is Light.RED else "&Start"
        self.accept_button.setText("&Plan the start" if self.timed.starts.isChecked() else words)

    def _lay_out(self) -> None:
        name = QHBoxLayout()
        name.setSpacing(SPACE)
        name.addWidget(self.name, 1)
        name.addWidget(self.same)
        words = QFormLayout()
        words.setSpacing(SPACE)
        words.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        words.addRow(_label("&Name", self.name), name)
        words.addRow(_label("&Tags", self.tags), self.tags)
        words.addRow(_label("Fields", self.fields), self.fields)
        words.addRow(_label("N&otes", self.notes), self.notes)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        checks = QWidget()
        column = QVBoxLayout(checks)
        column.setContentsMargins(0, 0, SPACE, 0)
        column.addWidget(self.checks)
        column.addStretch(1)
        scroll.setWidget(checks)
        scroll.setMinimumHeight(150)
        grid = QGridLayout()
        grid.setHorizontalSpacing(4 * SPACE)
        grid.setVerticalSpacing(SPACE)
        grid.setColumnStretch(0, 5)
        grid.setColumnStretch(1, 4)
        grid.addWidget(_title("What it is called"), 0, 0)
        grid.addLayout(words, 1, 0, 3, 1)
        grid.addWidget(_title("Timed run"), 0, 1)
        grid.addWidget(self.timed, 1, 1)
        before = _title("Before Start")
        before.setContentsMargins(0, 2 * SPACE, 0, 0)
        grid.addWidget(before, 2, 1)
        grid.addWidget(scroll, 3, 1)
        grid.setRowStretch(3, 1)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        page.setSpacing(2 * SPACE)
        page.addLayout(grid, 1)
        page.addWidget(self.wrong)
        page.addWidget(self.buttons)
        self.resize(940, 520)


def _label(words: str, field: QWidget) -> QLabel:
    label = QLabel(words)
    label.setBuddy(field)
    label.setMinimumWidth(label.sizeHint().width() + 4)  # Qt leaves the underlined letter out
    return label


def _title(words: str) -> QLabel:
    label = QLabel(words)
    label.setProperty("kind", "title")
    return label
