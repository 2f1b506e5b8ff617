"""The page on which a board's definition is edited: fields, its text, and what it makes of the last messages."""

from collections.abc import Callable, Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QShortcut,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from blitz.data.board_definition import BoardDefinition, Format
from blitz.ui.definition_preview import RawMessage
from blitz.ui.definition_text import (
    DefinitionText,
    Parts,
    Place,
    moved_part,
    read_text,
    text_of,
    with_field,
    with_part,
    without_part,
)
from blitz.ui.models.definition_parts import COMMANDS, PartsModel, channel_fields
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.definition_preview_view import DefinitionPreviewView
from blitz.ui.widgets.format_form import FormatForm
from blitz.ui.widgets.parts_view import PartsView
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.toml_edit import TomlEdit

_FAULTS_PX = 64
_NEW_PLACES: dict[Format, Callable[[int], dict[str, object]]] = {
    Format.COLUMNS: lambda n: {"column": n},
    Format.PAIRS: lambda n: {"column": f"label_{n + 1}"},
    Format.JSON: lambda n: {"column": f"key_{n + 1}"},
    Format.STRUCT: lambda n: {"offset": 2 * n, "type": "i16"},
    Format.BLITZ: lambda n: {"bit": 16 * n, "bits": 16},
    Format.PLUGIN: lambda n: {},
}


class DefinitionPage(QWidget):
    """The text is the truth: fields change it, and it fills the fields. Asks by signals.

    :param before: the definition that is in force; None where the board has none.
    :param messages: gives the board's last messages, oldest first.
    """

    save_requested = pyqtSignal(object)
    """BoardDefinition"""
    template_requested = pyqtSignal(str)
    """A definition's text, which is right"""
    file_requested = pyqtSignal()

    def __init__(
        self,
        board: str,
        text: str,
        before: BoardDefinition | None,
        messages: Callable[[], Sequence[RawMessage]],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.board = board
        self.before = before
        self._opened_with = self._asked_with = text
        self._asked: BoardDefinition | None = None
        """What the server was asked to use last."""
        self.draft = DefinitionText("")
        self.channels = PartsModel("channels", channel_fields(Format.BLITZ), self)
        self.commands = PartsModel("commands", COMMANDS, self)
        self.channels_view = PartsView(self.channels, "channel")
        self.commands_view = PartsView(self.commands, "command")
        self.form = FormatForm()
        self.text = TomlEdit()
        self.text.setAccessibleName("Definition as TOML")
        self.preview = DefinitionPreviewView(messages)
        self.faults = QListWidget()
        self.faults.setAccessibleName("What is wrong")
        self.faults.setMaximumHeight(_FAULTS_PX)
        self.faults.setWordWrap(True)
        self.faults.itemActivated.connect(self._go_to)
        self.faults.itemClicked.connect(self._go_to)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self._make_buttons()
        self._lay_out()
        for model in (self.channels, self.commands):
            model.edited.connect(self.change_field)
        self.form.edited.connect(self.change_field)
        for view, what in ((self.channels_view, "channels"), (self.commands_view, "commands")):
            self._serve(view, what)  # type: ignore[arg-type]  # a literal of two
        self.text.setPlainText(text)
        self.text.textChanged.connect(self._read)
        self._read()
        self.set_theme(theme)

    @property
    def is_changed(self) -> bool:
        """Whether there is something that is not in force."""
        return (
            self.draft.definition != self.before
            if self.draft.definition
            else self.text.toPlainText() != self._opened_with
        )

    def take_answer(self, reason: str) -> None:
        """The server has taken over what was saved, or says why not."""
        self._is_waiting = False
        if reason:
            self._say(f"Not saved. {reason}", "bad")
        else:
            self._opened_with = self._asked_with
            self._say("In use from the next message on.", "good")
        self._show_buttons()

    def take_newest(self, definition: BoardDefinition | None) -> None:
        """Take over what is in force now: in the text, too, where nobody has typed."""
        if definition is None or definition == self.before:
            return
        if definition in (self.draft.definition, self._asked):
            self.before = definition
            if definition != self.draft.definition:  # something else was typed since
                self._say("", "")
            self._show_buttons()
        elif self.text.toPlainText() == self._opened_with and not self._is_waiting:
            self.before = definition
            self._opened_with = text_of(definition, self.board)
            self.text.replace(self._opened_with)

    def show_waiting(self) -> None:
        """The server is asked for what is typed now."""
        self._is_waiting = True
        self._asked, self._asked_with = self.draft.definition, self.text.toPlainText()
        self._say("The server is asked …", "")
        self._show_buttons()

    def show_refusal(self, refusal: str) -> None:
        """Say why the operator may not save; empty where he may."""
        self._refusal = refusal
        self._show_buttons()

    def show_text(self, text: str) -> None:
        """Put another text in the place of what is typed; it can be undone."""
        self.text.replace(text)

    def change_field(self, place: Place, value: object) -> None:
        """Change one field of the text; None removes it."""
        self._change(lambda text: with_field(text, place, value))

    def revert(self) -> None:
        """Go back to what the page was opened with, or what was saved last; it can be undone."""
        self.text.replace(self._opened_with)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.channels.theme = self.commands.theme = self.text.theme = theme
        self.preview.set_theme(theme)
        self.text.mark({fault.line: fault.sentence for fault in self.draft.faults})

    def say(self, sentence: str) -> None:
        """Tell what was done, or what is wrong with it."""
        self._say(sentence, "")

    def _read(self) -> None:
        """Read the text anew, and show it everywhere."""
        self.draft = read_text(self.text.toPlainText(), self.before)
        kind = _format_of(self.draft)
        fields = channel_fields(kind)
        if self.draft.document is not None and fields != self.channels.fields:
            self.channels.set_fields(fields)
        is_toml = self.draft.document is not None
        for view, model in ((self.channels_view, self.channels), (self.commands_view, self.commands)):
            view.show_enabled(is_toml)
            if is_toml:
                model.show(self.draft)
        self.form.show_text(self.draft)
        self.text.mark({fault.line: fault.sentence for fault in self.draft.faults})
        self.faults.clear()
        for fault in self.draft.faults:
            entry = QListWidgetItem(f"Line {fault.line}: {fault.sentence}")
            entry.setData(Qt.UserRole, fault.line)
            self.faults.addItem(entry)
        self.faults.setVisible(bool(self.draft.faults))
        self.preview.show_definition(self.draft.definition)
        self._say("", "")
        self._show_buttons()

    def _change(self, change: Callable[[str], str]) -> None:
        if self.draft.document is not None:
            self.text.replace(change(self.draft.text))

    def _serve(self, view: PartsView, what: Parts) -> None:
        view.added.connect(lambda: self._add_part(view, what))
        view.removed.connect(lambda row: self._change(lambda text: without_part(text, what, row)))
        view.moved.connect(lambda row, by: self._change(lambda text: moved_part(text, what, row, by)))

    def _add_part(self, view: PartsView, what: Parts) -> None:
        known = self.draft.parts(what)
        names = {part.get("name") for part in known}
        stem = "channel" if what == "channels" else "COMMAND"
        number = next(n for n in range(len(known) + 1, 2 * len(known) + 3) if f"{stem}_{n}" not in names)
        place = _NEW_PLACES[_format_of(self.draft)](len(known)) if what == "channels" else {"send": "text"}
        self._change(lambda text: with_part(text, what, {"name": f"{stem}_{number}", **place}))
        view.select(len(known))

    def _go_to(self, entry: QListWidgetItem) -> None:
        self.text.go_to(entry.data(Qt.UserRole))

    def _save(self) -> None:
        if self.draft.definition is not None:
            self.save_requested.emit(self.draft.definition)

    def _show_buttons(self) -> None:
        definition = self.draft.definition
        is_new = definition is not None and definition != self.before
        permit(self.save, self._refusal, is_enabled=is_new and not self._is_waiting)
        self.template.setEnabled(definition is not None)
        self.reverting.setEnabled(self.text.toPlainText() != self._opened_with)
        self.undo.setEnabled(self.text.document().isUndoAvailable())
        self.redo.setEnabled(self.text.document().isRedoAvailable())
        if self.state.text():
            return
        if definition is None:
            count = len(self.draft.faults)
            self._say(f"{count} fault{'' if count == 1 else 's'}: cannot be used.", "bad")
        elif is_new:
            self._say("Not in use yet.", "preview")
        else:
            self._say("In use.", "")

    def _say(self, sentence: str, state: str) -> None:
        self.state.setText(sentence)
        if self.state.property("state") != state:
            self.state.setProperty("state", state)
            self.state.style().unpolish(self.state)
            self.state.style().polish(self.state)

    def _make_buttons(self) -> None:
        self._is_waiting = False
        self._refusal = ""
        self.save = _button("&Use it", "The server reads messages by it from the next one on (Ctrl+S)", self._save)
        self.save.setProperty("kind", "start")
        self.template = _button(
            "Save as a &template…", "Write it into a TOML file", lambda: self.template_requested.emit(self.draft.text)
        )
        self.file = _button("From a &file…", "Put what stands in a TOML file here", self.file_requested.emit)
        self.reverting = _button("Re&vert", "Go back to what is in use; it can be undone", self.revert)
        self.undo = _button("Undo", "Undo the last change (Ctrl+Z)", self.text.undo)
        self.redo = _button("Redo", "Do it again (Ctrl+Shift+Z)", self.text.redo)
        for keys, button in (("Ctrl+S", self.save), ("Ctrl+Z", self.undo), ("Ctrl+Shift+Z", self.redo)):
            QShortcut(keys, self, button.click, context=Qt.WidgetWithChildrenShortcut)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(SPACE)
        title = QLabel(f"Definition of {self.board}")
        title.setProperty("kind", "title")
        head.addWidget(title)
        head.addWidget(self.state, 1)
        for button in (self.undo, self.redo, self.reverting, self.file, self.template, self.save):
            head.addWidget(button)
        self.parts = QTabWidget()
        self.parts.setDocumentMode(True)
        self.parts.tabBar().setDrawBase(False)
        for view, name in ((self.channels_view, "Channels"), (self.form, "Format"), (self.commands_view, "Commands")):
            self.parts.addTab(view, name)
        upper = QSplitter()
        upper.setHandleWidth(2 * SPACE)
        upper.addWidget(self.parts)
        upper.addWidget(self._text_side())
        upper.setStretchFactor(0, 1)  # its columns need the room of a wide window; the text's lines are short
        upper.setStretchFactor(1, 0)
        upper.setSizes([780, 440])
        upper.setChildrenCollapsible(False)
        both = QSplitter(Qt.Vertical)
        both.setHandleWidth(2 * SPACE)
        both.addWidget(upper)
        both.addWidget(self.preview)
        both.setSizes([360, 220])
        both.setChildrenCollapsible(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(head)
        page.addWidget(both, 1)

    def _text_side(self) -> QWidget:
        side = QFrame()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addWidget(self.text, 1)
        column.addWidget(self.faults)
        return side


def _button(label: str, words: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(label)
    button.setToolTip(words)
    button.clicked.connect(lambda: act())
    return button


def _format_of(draft: DefinitionText) -> Format:
    kind = (draft.document or {}).get("format", Format.BLITZ.value)
    return Format(kind) if kind in {part.value for part in Format} else Format.COLUMNS
