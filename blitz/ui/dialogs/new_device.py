"""A new device: what it sends, what that is taken for, and names and units to type before anything is recorded."""

from typing import Any

import numpy as np
from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from blitz.data.board_definition import BoardDefinition
from blitz.data.format_proposal import FormatProposal
from blitz.data.source_config import SourceConfig
from blitz.ui.definition_draft import DefinitionDraft, DraftError
from blitz.ui.dialogs.channels import Sample, sample_words
from blitz.ui.formats import MISSING
from blitz.ui.plots.sample_plot import SamplePlot
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.channel_grid import ChannelGrid
from blitz.ui.widgets.message_bar import MessageBar
from blitz.ui.widgets.send_line import fixed_font

_LINES = 4
_GRID_PX = 150
_REASONS = 3
_MORE_MS = 400
_FRAME_PX = 80
"""What a window's title and a task bar may take."""
_SILENT = (
    "Is its program running, and does it send by itself? Added as it is, it is listened to from now on, and shown as "
    "soon as it says something."
)


class NewDeviceDialog(QDialog):
    """Shows that the device is listened to, then the proposal; accepted, it waits for the server's answer.

    :param link: where the device is.
    :param title: how it is called until it has a name, such as ``QinHeng CH340 on USB 1-2``.
    :param name: the name that is proposed.
    """

    listen_requested = pyqtSignal()
    """It is to be listened to from the beginning."""
    more_requested = pyqtSignal(object)
    """It is to be listened to further, at this baud rate (None: it has none)."""
    source_accepted = pyqtSignal(object)
    """SourceConfig"""
    edit_requested = pyqtSignal(object)
    """SourceConfig, whose format the operator wants to change once it is there"""

    def __init__(self, link: str, title: str, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.link = link
        self._proposal: FormatProposal | None = None
        self._draft: DefinitionDraft | None = None
        self._theme = theme
        self.setWindowTitle(f"New device: {title}")
        self.setMinimumWidth(760)
        self.message = MessageBar()
        self.badge = QLabel("Not recorded")
        self.badge.setProperty("kind", "badge")
        self.verdict = _label("title")
        self.reasons = _label("muted")
        self.plot = SamplePlot(theme)
        self.lines = QPlainTextEdit()
        self.lines.setReadOnly(True)
        self.lines.setFont(fixed_font(self.font()))
        self.lines.setLineWrapMode(QPlainTextEdit.NoWrap)
        self.lines.setMaximumHeight(_LINES * self.lines.fontMetrics().lineSpacing() + 4 * SPACE)
        self.lines.setAccessibleName("What it sent")
        self.name = QLineEdit(name)
        self.name.setToolTip("What the device is called in the table of boards and in files")
        self.note = _label("muted")
        self.note.hide()
        self.grid: ChannelGrid | None = None
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.NoFrame)
        self._scroll.setFocusPolicy(Qt.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._body = QWidget()
        self._more = QTimer(self)
        self._more.setSingleShot(True)
        self._more.setInterval(_MORE_MS)
        self._more.timeout.connect(self._ask_for_more)
        self._lay_out()
        self.show_listening()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.plot.set_theme(theme)
        if self.grid is not None:
            self.grid.show_colours(theme.channel_colour)

    def show_session(self, *, is_recording: bool) -> None:
        """Say what becomes of what the device sends once it is accepted."""
        self.note.setText("A session is being recorded: once this device is added, what it sends is part of it.")
        self.note.setVisible(is_recording)

    def show_listening(self) -> None:
        """Say that the device is listened to."""
        self._proposal = None
        self._more.stop()
        self.message.say(
            "info",
            "Listening at the usual rates, which takes a few seconds, up to half a minute where nothing makes sense…",
            is_busy=True,
        )
        self._body.hide()
        self._set_enabled()
        self._fit()

    def take_examined(self, link: str, proposal: FormatProposal | None, reason: str) -> None:
        """Take over what the server says of a device, if it is this one."""
        if link != self.link or not self.isVisible():
            return
        if self._proposal is None:
            self.take_proposal(proposal, reason)
        elif proposal is not None:
            self._take_more(proposal)
        else:
            self.message.say("warning", f"It is not heard any more. {reason}")

    def take_proposal(self, proposal: FormatProposal | None, reason: str) -> None:
        """Show what was heard, or why nothing could be.

        :param reason: a sentence; empty where there is a proposal.
        """
        self._proposal = proposal
        if proposal is None:
            self.message.say("error", reason, [("Listen again", self.listen_requested.emit)])
            self._set_enabled()
            return
        self.message.clear()
        self.verdict.setText(proposal.heard_words)
        self.reasons.setText("\n".join(proposal.reasons[:_REASONS]) if proposal.heard_bytes else _SILENT)
        self.reasons.setVisible(bool(self.reasons.text()))
        self.lines.setPlainText("\n".join(proposal.lines))
        self.lines.setVisible(bool(proposal.lines))
        self.plot.setVisible(bool(proposal.rows))
        self.plot.show_rows(proposal.rows)
        self._show_channels(proposal.definition)
        if proposal.is_understood:
            self._more.start()
        self._body.show()
        self._set_enabled()
        self.accept_button.setText("&Accept" if proposal.is_understood else "&Add it as it is")
        self.accept_button.setDefault(True)  # while it was greyed, another had the focus
        self._fit()
        first = self.grid.field(0, "name") if self.grid is not None else None
        if first is not None:
            first.setFocus()
            first.selectAll()

    def take_answer(self, name: str, reason: str) -> None:
        """The server has answered what was accepted; with a reason it has refused, and the operator goes on here."""
        if name != self.name.text().strip() or self.isVisible():
            return
        if not reason:
            self.deleteLater()
            return
        self.message.say("error", f"Not added. {reason}")
        self.open()

    def accept(self) -> None:
        """Hand over the source if all is right; else say what is not."""
        source = self._source()
        if source is not None:
            super().accept()
            self.source_accepted.emit(source)

    def edit(self) -> None:
        """Hand it over as it is, to be read in another way."""
        source = self._source()
        if source is not None:
            super().accept()
            self.edit_requested.emit(source)

    def _take_more(self, proposal: FormatProposal) -> None:
        """Show what has come since; what it means was said before."""
        before = self._proposal
        assert before is not None
        self._more.start()
        if not proposal.rows or (before.rows and len(proposal.rows[-1]) != len(before.rows[-1])):
            return
        self._proposal = before.model_copy(update={"rows": proposal.rows, "lines": proposal.lines})
        self.plot.show_rows(proposal.rows)
        self.lines.setPlainText("\n".join(proposal.lines))
        self._show_sample()

    def _ask_for_more(self) -> None:
        if self.isVisible() and self._proposal is not None:
            self.more_requested.emit(self._proposal.baud)

    def _source(self) -> SourceConfig | None:
        if self._proposal is None:
            return None
        try:
            definition = self._draft.build() if self._draft is not None else None
            return self._proposal.source(self.name.text().strip(), definition)
        except DraftError as error:
            self.message.say("error", str(error))
            field = None if self.grid is None or error.row is None else self.grid.field(error.row, error.field)
            if field is not None:
                field.setFocus()
                field.selectAll()
        except ValueError:
            self.message.say("error", "The device needs a name of up to 60 characters, without / \\ ? # and %.")
            self.name.setFocus()
            self.name.selectAll()
        return None

    def _show_channels(self, definition: BoardDefinition | None) -> None:
        self._draft = DefinitionDraft.of(definition) if definition is not None else None
        self.grid = None
        self._scroll.setVisible(self._draft is not None)
        if self._draft is None:
            return
        self.grid = ChannelGrid(len(self._draft.channels))
        self.grid.show_colours(self._theme.channel_colour)
        self.grid.edited.connect(self._edit)
        self.grid.show_draft(self._draft)
        self._scroll.setWidget(self.grid)
        self._scroll.setMinimumHeight(min(self.grid.sizeHint().height() + SPACE, _GRID_PX))
        self._scroll.setMinimumWidth(self.grid.sizeHint().width() + 2 * SPACE)  # and the scroll bar
        self._show_sample()

    def _edit(self, row: int, field: str, value: Any) -> None:
        assert self._draft is not None
        self._draft = self._draft.with_channel(row, **{field: value})
        self.message.clear()
        self._show_sample()

    def _show_sample(self) -> None:
        if self.grid is None or self._draft is None or self._proposal is None:
            return
        rows = self._proposal.rows
        for row in range(len(self._draft.channels)):
            if not rows:
                self.grid.show_sample(row, MISSING, MISSING)
                continue
            values = np.array([np.nan if value is None else value for value in rows[-1]], np.float64)
            self.grid.show_sample(row, *sample_words(Sample(self._draft.base, values), row, self._draft.channel(row)))

    def _fit(self) -> None:
        """Be as large as the contents, as far as the screen has room: `adjustSize` stops at two thirds of it."""
        self.layout().activate()
        room = self.screen().availableSize()
        room.setHeight(room.height() - _FRAME_PX)
        self.resize(self.sizeHint().boundedTo(room).expandedTo(self.minimumSizeHint()))

    def _set_enabled(self) -> None:
        has_proposal = self._proposal is not None
        for button in (self.accept_button, self.edit_button, self.again):
            button.setEnabled(has_proposal)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.verdict, 1)
        head.addWidget(self.badge, 0, Qt.AlignTop)
        named = QHBoxLayout()
        caption = QLabel("&Name of the device")
        caption.setBuddy(self.name)
        caption.setMinimumWidth(caption.sizeHint().width() + 4)
        named.addWidget(caption)
        named.addWidget(self.name, 1)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(SPACE)
        body.addLayout(head)
        body.addWidget(self.reasons)
        body.addWidget(self.plot)
        body.addWidget(self.lines)
        body.addLayout(named)
        body.addWidget(self._scroll, 1)
        body.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE + SPACE // 2)
        column.addWidget(self.message)
        column.addWidget(self._body, 1)
        column.addLayout(self._buttons())
        self.accept_button.setDefault(True)

    def _buttons(self) -> QHBoxLayout:
        self.again = QPushButton("&Listen again")
        self.again.setToolTip("Opens the port once more, which may reset the device")
        self.again.setAutoDefault(False)
        self.again.clicked.connect(self.listen_requested)
        buttons = QDialogButtonBox()
        self.accept_button = buttons.addButton("&Accept", QDialogButtonBox.AcceptRole)
        self.edit_button = buttons.addButton("Not &right…", QDialogButtonBox.ActionRole)
        self.edit_button.setToolTip("Add it, and change how its messages are read")
        self.edit_button.clicked.connect(self.edit)
        self.later = buttons.addButton("Later", QDialogButtonBox.RejectRole)
        for button in (self.edit_button, self.later):
            button.setAutoDefault(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.again)
        row.addStretch(1)
        row.addWidget(buttons)
        return row


def _label(kind: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.PlainText)
    label.setProperty("kind", kind)
    return label
