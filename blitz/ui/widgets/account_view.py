"""The account of a board: what became of every byte and message, and whether it balances. Knows only the record."""

from itertools import zip_longest

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blitz.data.records import Account
from blitz.ui.formats import MISSING, format_count
from blitz.ui.theme import SPACE, number_font

Line = tuple[str, str, str]
"""Name, number, explanation."""


class AccountView(QWidget):
    """Bytes, messages and losses in three columns; what was discarded, and why; whether anything is unaccounted for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: tuple[_Column, ...] = (_Column(), _Column(), _Column())
        self._discarded = QLabel()
        self._discarded.setWordWrap(True)
        self._discarded.setProperty("kind", "muted")
        self.balance = QLabel()
        self.balance.setWordWrap(True)
        columns = QHBoxLayout()
        columns.setSpacing(3 * SPACE)
        for column in self._columns:
            columns.addWidget(column, 0, Qt.AlignTop)
        columns.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(SPACE)
        page.addLayout(columns)
        page.addWidget(self._discarded)
        page.addWidget(self.balance)
        page.addStretch(1)
        self.show_account(None)

    @property
    def texts(self) -> dict[str, str]:
        """What is shown, by name."""
        return {name: number for column in self._columns for name, number in column.texts}

    def show_account(self, account: Account | None) -> None:
        """Show an account; None where the server keeps none."""
        groups: tuple[list[Line], ...] = ([], [], [])
        if account is not None:
            groups = (byte_lines(account), message_lines(account), loss_lines(account))
        for column, lines in zip(self._columns, groups, strict=True):
            column.show_lines(lines)
        reasons = sorted(account.discarded.items()) if account else []
        words = ", ".join(f"{format_count(count)} {reason}" for reason, count in reasons if count)
        self._discarded.setText(f"Bytes discarded: {words}" if words else "")
        self._discarded.setVisible(bool(words))
        text, state = balance_words(account)
        self.balance.setText(text)
        if self.balance.property("state") != state:
            self.balance.setProperty("state", state)
            self.balance.style().unpolish(self.balance)
            self.balance.style().polish(self.balance)


class _Column(QWidget):
    """Names on the left, numbers on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self._labels: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE)
        self._grid.setVerticalSpacing(SPACE // 2)

    def show_lines(self, lines: list[Line]) -> None:
        """Show exactly these lines."""
        while len(self._labels) < len(lines):
            self._add_line()
        self.texts = [(name, number) for name, number, _ in lines]
        for (name, number), line in zip_longest(self._labels, lines):
            words, figure, explanation = line or ("", "", "")
            name.setText(words)
            number.setText(figure)
            for label in (name, number):
                label.setToolTip(explanation)
                label.setVisible(line is not None)

    def _add_line(self) -> None:
        name, number = QLabel(), QLabel()
        name.setProperty("kind", "muted")
        number.setFont(number_font(self.font()))
        number.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self._grid.addWidget(name, len(self._labels), 0)
        self._grid.addWidget(number, len(self._labels), 1)
        self._labels.append((name, number))


def balance_words(account: Account | None) -> tuple[str, str]:
    """Say whether an account balances; and the state that the words are painted by: good, bad or none.

    >>> balance_words(Account(source=0, bytes_read=10, message_bytes=8))
    ('✗ The account does not balance: 2 bytes are unaccounted for', 'bad')
    """
    if account is None:
        return "Nothing is counted yet: choose a board above that sends.", ""
    surplus = [
        f"{format_count(abs(count))} {what} {'are unaccounted for' if count > 0 else 'too many are accounted for'}"
        for count, what in ((account.surplus_bytes, "bytes"), (account.surplus_messages, "messages"))
        if count
    ]
    if surplus:
        return f"✗ The account does not balance: {', '.join(surplus)}", "bad"
    return "✓ The account balances: every byte and every message is accounted for", "good"


def byte_lines(account: Account) -> list[Line]:
    """Return what became of the bytes."""
    return [
        ("Bytes read", format_count(account.bytes_read), "All that came over the link"),
        ("in messages", format_count(account.message_bytes), ""),
        ("in bad frames", format_count(account.bad_bytes), "Kept to look at"),
        ("discarded", format_count(sum(account.discarded.values())), "They belong to no message"),
        ("unfinished", format_count(account.pending_bytes), "Of a frame whose end has not come yet"),
    ]


def message_lines(account: Account) -> list[Line]:
    """Return what became of the messages."""
    previewed = ("previewed", format_count(account.messages_previewed), "Shown while nothing was recorded, not stored")
    twice = ("twice", format_count(account.duplicates), "Came twice and are kept once")
    return [
        ("Messages read", format_count(account.messages_read), ""),
        ("stored", format_count(account.messages_appended), "Acknowledged by the store"),
        ("on their way", format_count(account.messages_waiting), "Read, not yet acknowledged by the store"),
        ("dropped", format_count(account.messages_dropped), "The store was away for too long"),
        ("recovered", format_count(account.recovered), "The board still held them after an absence"),
        *([previewed] if account.messages_previewed else []),
        *([twice] if account.duplicates else []),
    ]


def loss_lines(account: Account) -> list[Line]:
    """Return what is missing or doubtful."""
    how = "counted, as the device numbers its messages" if account.is_lost_exact else "as clock or usual rate tell"
    about = "" if account.is_lost_exact or not account.lost else "≈ "
    drift = MISSING if account.drift_ppm is None else f"{account.drift_ppm:+.1f} ppm".replace("-", "−")
    restarts = ("Restarts", format_count(account.restarts), "How often the device's clock began anew")
    return [
        ("Lost", f"{about}{format_count(account.lost)}", f"Messages that never arrived, {how}"),
        ("Gaps", format_count(account.gaps), "Times in which messages are missing"),
        ("Bad frames", format_count(account.bad_frames), "Counted, kept to look at, and no message"),
        (
            "Overruns",
            MISSING if account.overruns is None else format_count(account.overruns),
            "Bytes that the driver lost; – where it does not tell",
        ),
        ("Drift", drift, "How fast the device's clock runs against the computer's"),
        (
            "Jitter",
            MISSING if account.jitter_ms is None else f"{account.jitter_ms:.1f} ms",
            "Usual delay of an arrival behind its message",
        ),
        *([restarts] if account.restarts else []),
    ]
