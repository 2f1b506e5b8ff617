"""Asks between which limits a channel's values should be."""

from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from blitz.ui.definition_draft import parse_number
from blitz.ui.live_store import LiveChannel
from blitz.ui.theme import SPACE


class LimitsDialog(QDialog):
    """Accepted with limits that can be: numbers or nothing, the lower one below the upper one."""

    def __init__(self, channel: LiveChannel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.channel = channel
        self.setWindowTitle(f"Limits of {channel.label}")
        words = QLabel(
            "A value beyond a limit is marked in tables, plots and numbers; it is recorded all the same. "
            "An empty field is no limit."
        )
        words.setWordWrap(True)
        words.setProperty("kind", "muted")
        unit = f" ({channel.channel.unit})" if channel.channel.unit else ""
        self.low, self.high = QLineEdit(), QLineEdit()
        form = QFormLayout()
        form.setHorizontalSpacing(2 * SPACE)
        form.setVerticalSpacing(SPACE)
        for label, field, value in (
            (f"&Lower limit{unit}", self.low, channel.channel.limit_low),
            (f"&Upper limit{unit}", self.high, channel.channel.limit_high),
        ):
            field.setText("" if value is None else f"{value:.12g}")
            field.setPlaceholderText("none")
            field.textEdited.connect(lambda _: self.problem.setText(""))
            form.addRow(label, field)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("state", "bad")
        self.problem.hide()
        buttons = QDialogButtonBox()
        accept = buttons.addButton("&Set limits", QDialogButtonBox.AcceptRole)
        buttons.addButton(QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE + SPACE // 2)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addWidget(buttons)
        accept.setDefault(True)
        self.setMinimumWidth(420)
        self.low.setFocus()
        self.low.selectAll()

    @property
    def limits(self) -> dict[str, float | None]:
        """What was typed, as fields of the channel."""
        return {"limit_low": parse_number(self.low.text()), "limit_high": parse_number(self.high.text())}

    def accept(self) -> None:
        """Close if the limits can be; else say what is wrong."""
        for field in (self.low, self.high):
            if field.text().strip() and parse_number(field.text()) is None:
                self._say(f"“{field.text().strip()}” is not a number.", field)
                return
        low, high = self.limits.values()
        if low is not None and high is not None and low >= high:
            self._say("The lower limit must be below the upper one.", self.low)
            return
        super().accept()

    def _say(self, sentence: str, field: QLineEdit) -> None:
        self.problem.setText(sentence)
        self.problem.show()
        self.adjustSize()
        field.setFocus()
        field.selectAll()
