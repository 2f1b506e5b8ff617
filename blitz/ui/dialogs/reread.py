"""Asks how an old session's channels are to be read: corrected numbers, units and names, or a definition file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from blitz.data.board_definition import BoardDefinition, read_definition
from blitz.data.records import Source
from blitz.errors import ConfigError
from blitz.ui.definition_draft import DefinitionDraft, DraftError
from blitz.ui.definition_preview import RawMessage
from blitz.ui.dialogs.channels import Sample, sample_words
from blitz.ui.dialogs.definition_editor import DefinitionDialog
from blitz.ui.formats import MISSING
from blitz.ui.source_rows import latest_rows
from blitz.ui.theme import SPACE
from blitz.ui.widgets.channel_grid import ChannelGrid
from blitz.ui.widgets.choice import Choice

_WORDS = (
    "What the devices sent stays as it was recorded; only how it is read changes. This becomes a version of the "
    "definitions, and the recording's own stay beside it. value = (sent − zero) × scale."
)


class RereadDialog(QDialog):
    """Accepted with :attr:`definitions` that differ from those given.

    Accepted, it is only hidden: :meth:`take_answer` ends it, or opens it again, as it was, with the reason.

    :param sources: of the session, as they are read now.
    :param last_values: gives the last values of a source, shape (n_channels,); None where it has none.
    :param last_messages: gives the last messages of a source, oldest first.
    """

    def __init__(
        self,
        title: str,
        sources: Sequence[Source],
        last_values: Callable[[Source], NDArray[np.float64] | None],
        last_messages: Callable[[Source], Sequence[RawMessage]] = lambda _: (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Read {title} anew")
        self.setMinimumWidth(760)
        self._sources = {source.name: source for source in latest_rows(sources)}
        self._last_values = last_values
        self._last_messages = last_messages
        self._drafts: dict[str, DefinitionDraft] = {}
        self._grid: ChannelGrid | None = None
        self.source = Choice()
        self.source.addItems(list(self._sources))
        self.source.setToolTip("Whose channels are shown below")
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("such as: the sensor's range is 10 bar")
        self.reason.setToolTip("Why, for those who look at the session later")
        self.kind = QLabel()
        self.kind.setProperty("kind", "muted")
        self.file = QPushButton("From a &file…")
        self.file.setToolTip("Read this source's messages by a board definition (TOML)")
        self.file.setAutoDefault(False)
        self.file.clicked.connect(self._ask_file)
        self.whole = QPushButton("De&finition…")
        self.whole.setToolTip("Format, channels and commands, with what they make of this source's last messages")
        self.whole.setAutoDefault(False)
        self.whole.clicked.connect(self.edit_definition)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("state", "bad")
        self.problem.hide()
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.NoFocus)
        self._scroll.setMinimumHeight(220)
        self._lay_out()
        self.source.currentTextChanged.connect(lambda _: self._show_source())
        known = next((name for name, source in self._sources.items() if source.definition is not None), None)
        if known is not None:
            self.source.setCurrentText(known)
        self._show_source()

    @property
    def definitions(self) -> Mapping[str, BoardDefinition]:
        """By source name: the definitions that were changed.

        :raises DraftError: while one is wrong.
        """
        built = {name: draft.build() for name, draft in self._drafts.items()}
        return {name: each for name, each in built.items() if each != self._sources[name].definition}

    def accept(self) -> None:
        """Close if something was changed, and all is right; else say what is not."""
        for name, draft in self._drafts.items():
            try:
                draft.build()
            except DraftError as error:
                self.source.setCurrentText(name)
                self._point_at(error)
                return
        if not self.definitions:
            self._say("Nothing is changed yet.")
            return
        super().accept()

    def take_answer(self, reason: str) -> None:
        """What was accepted is kept; with a reason it is not, and the operator goes on here."""
        if not reason:
            self.deleteLater()
            return
        self._say(f"Not kept. {reason}")
        self.open()

    def take_file(self, path: Path) -> None:
        """Read the shown source's messages by the definition in a file."""
        try:
            definition = read_definition(path)
        except ConfigError as error:
            self._say(str(error))
            return
        self._drafts[self.source.currentText()] = DefinitionDraft.of(definition)
        self._show_source()

    def edit_definition(self) -> DefinitionDialog | None:
        """Edit the shown source's whole definition, going on from what is typed here."""
        source = self._sources.get(self.source.currentText())
        if source is None:
            return None
        try:
            before = self._drafts[source.name].build() if source.name in self._drafts else None
        except DraftError as error:
            self._point_at(error)
            return None
        messages = tuple(self._last_messages(source))
        dialog = DefinitionDialog(source.name, before, lambda: messages, self)

        def take() -> None:
            if dialog.definition is not None:
                self._drafts[source.name] = DefinitionDraft.of(dialog.definition)
                self._show_source()

        dialog.accepted.connect(take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    @property
    def grid(self) -> ChannelGrid | None:
        """The channels of the shown source; None where nobody knows them."""
        return self._grid

    def _ask_file(self) -> None:
        dialog = QFileDialog(self, "Board definition")
        dialog.setNameFilters(["Board definitions (*.toml)", "All files (*)"])
        dialog.fileSelected.connect(lambda path: self.take_file(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _show_source(self) -> None:
        self._say("")
        source = self._sources.get(self.source.currentText())
        if source is not None and source.name not in self._drafts and source.definition is not None:
            self._drafts[source.name] = DefinitionDraft.of(source.definition)
        draft = None if source is None else self._drafts.get(source.name)
        self._grid = None
        if source is None or draft is None:
            self.kind.setText("Nobody knows its channels: choose a file.")
            self._scroll.setWidget(QWidget())
            return
        self.kind.setText(draft.name)
        self._grid = ChannelGrid(len(draft.channels))
        self._grid.edited.connect(self._edit)
        self._grid.show_draft(draft)
        self._scroll.setWidget(self._grid)
        self._show_sample(source, draft)

    def _edit(self, row: int, field: str, text: str) -> None:
        name = self.source.currentText()
        self._drafts[name] = self._drafts[name].with_channel(row, **{field: text})
        self._say("")
        self._show_sample(self._sources[name], self._drafts[name])

    def _show_sample(self, source: Source, draft: DefinitionDraft) -> None:
        """Show the last message as the draft reads it, where the draft reads the same numbers."""
        values = self._last_values(source) if draft.base == source.definition else None
        for row in range(len(draft.channels)):
            words = (MISSING, MISSING)
            if values is not None and source.definition is not None and row < len(values):
                words = sample_words(Sample(source.definition, values), row, draft.channel(row))
            if self._grid is not None:
                self._grid.show_sample(row, *words)

    def _point_at(self, error: DraftError) -> None:
        self._say(str(error))
        field = None if error.row is None or self._grid is None else self._grid.field(error.row, error.field)
        if field is not None:
            field.setFocus()
            field.selectAll()

    def _say(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        words = QLabel(_WORDS)
        words.setWordWrap(True)
        words.setProperty("kind", "muted")
        whose = QHBoxLayout()
        whose.setSpacing(SPACE)
        whose.addWidget(self.source)
        whose.addWidget(self.kind, 1)
        whose.addWidget(self.whole)
        whose.addWidget(self.file)
        form = QFormLayout()
        form.setHorizontalSpacing(SPACE)
        form.setVerticalSpacing(SPACE)
        form.addRow("&Why", self.reason)
        form.addRow("Source", whose)
        buttons = QDialogButtonBox()
        self.accept_button = buttons.addButton("&Read anew", QDialogButtonBox.AcceptRole)
        buttons.addButton(QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE + SPACE // 2)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.problem)
        column.addWidget(buttons)
        self.accept_button.setDefault(True)
