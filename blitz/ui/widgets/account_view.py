"""The account of a board: what became of every byte and message, and whether it balances. Knows only the record."""

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QGridLayout, QLabel, QWidget

from blitz.data.records import Account
from blitz.ui.formats import MISSING, format_count
from blitz.ui.theme import SPACE, number_font

_LINES = 6


class AccountView(QWidget):
    """Names and numbers in columns of six; the last word is whether nothing is unaccounted for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: list[QLabel] = []
        self._numbers: list[QLabel] = []
        self.balance = QLabel()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE)
        self._grid.setVerticalSpacing(SPACE // 2)
        self._grid.addWidget(self.balance, _LINES, 0, 1, 6)
        self._grid.setRowStretch(_LINES + 1, 1)
        self.show_account(None)

    @property
    def texts(self) -> dict[str, str]:
        """What is shown, by name."""
        pairs = zip(self._names, self._numbers, strict=True)
        return {name.text(): number.text() for name, number in pairs if name.text()}

    def show_account(self, account: Account | None) -> None:
        """Show an account; None where the server keeps none."""
        lines = account_lines(account) if account is not None else []
        while len(self._names) < len(lines):
            self._add_line()
        for place, (name, number) in enumerate(zip(self._names, self._numbers, strict=True)):
            words, figure, explanation = lines[place] if place < len(lines) else ("", "", "")
            for label, text in ((name, words), (number, figure)):
                if label.text() != text:
                    label.setText(text)
                label.setToolTip(explanation)
        text, is_good = balance_words(account)
        self.balance.setText(text)
        state = "good" if is_good else "bad"
        if self.balance.property("state") != state:
            self.balance.setProperty("state", state)
            self.balance.style().unpolish(self.balance)
            self.balance.style().polish(self.balance)

    def _add_line(self) -> None:
        place = len(self._names)
        name, number = QLabel(), QLabel()
        name.setProperty("kind", "muted")
        number.setFont(number_font(self.font()))
        number.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        column = 3 * (place // _LINES)
        if column:
            self._grid.setColumnMinimumWidth(column - 1, 2 * SPACE)
        self._grid.addWidget(name, place % _LINES, column)
        self._grid.addWidget(number, place % _LINES, column + 1)
        self._names.append(name)
        self._numbers.append(number)


def balance_words(account: Account | None) -> tuple[str, bool]:
    """Say whether an account balances, and whether that is good.

    >>> balance_words(Account(source=0, bytes_read=10, message_bytes=8))[0]
    '✗ The account does not balance: 2 bytes are unaccounted for'
    """
    if account is None:
        return "No account is kept of it yet", True
    surplus = [
        f"{format_count(abs(count))} {what} {'are unaccounted for' if count > 0 else 'too many are accounted for'}"
        for count, what in ((account.surplus_bytes, "bytes"), (account.surplus_messages, "messages"))
        if count
    ]
    if surplus:
        return f"✗ The account does not balance: {', '.join(surplus)}", False
    return "✓ The account balances: every byte and every message is accounted for", True


def account_lines(account: Account) -> list[tuple[str, str, str]]:
    """Return the lines of an account: name, number, explanation."""
    about = "" if account.is_lost_exact or not account.lost else "≈ "
    lost_how = "counted, as the device numbers its messages" if account.is_lost_exact else "as clock or usual rate tell"
    lines = [
        ("Bytes read", format_count(account.bytes_read), "All that came over the link"),
        ("in messages", format_count(account.message_bytes), ""),
        ("in bad frames", format_count(account.bad_bytes), ""),
        *(
            (f"discarded: {reason}", format_count(count), "Bytes that belong to no message")
            for reason, count in sorted(account.discarded.items())
            if count
        ),
        ("unfinished", format_count(account.pending_bytes), "Bytes of a frame whose end has not come yet"),
        ("Messages read", format_count(account.messages_read), ""),
        ("stored", format_count(account.messages_appended), "Acknowledged by the store"),
        ("on their way", format_count(account.messages_waiting), "Read, not yet acknowledged by the store"),
        ("dropped", format_count(account.messages_dropped), "The store was away for too long"),
        ("Lost", f"{about}{format_count(account.lost)}", f"Messages that never arrived, {lost_how}"),
        ("recovered", format_count(account.recovered), "Messages that the board still held after an absence"),
        ("Gaps", format_count(account.gaps), ""),
        ("Bad frames", format_count(account.bad_frames), "Counted, kept to look at, and no message"),
        ("Overruns", MISSING if account.overruns is None else format_count(account.overruns), _OVERRUNS),
        ("Drift", MISSING if account.drift_ppm is None else f"{account.drift_ppm:+.1f} ppm", _DRIFT),
        ("Jitter", MISSING if account.jitter_ms is None else f"{account.jitter_ms:.1f} ms", _JITTER),
    ]
    if account.restarts:
        lines.append(("Restarts", format_count(account.restarts), "How often the device's clock began anew"))
    if account.duplicates:
        lines.append(("Duplicates", format_count(account.duplicates), "Messages that came twice and are kept once"))
    return lines


_OVERRUNS = "Bytes that the driver lost; – where it does not tell"
_DRIFT = "How fast the device's clock runs against the computer's"
_JITTER = "Usual delay of an arrival behind its message"
