"""A line that offers the next thing to do: name the columns of a new device, say which device is which."""

from collections.abc import Callable
from dataclasses import dataclass

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from blitz.data.records import BoardRecord, LinkState
from blitz.ui.theme import SPACE


@dataclass(frozen=True)
class Offer:
    """What is offered: a sentence and what can be chosen."""

    key: str
    """Declining is remembered by it."""
    board: str
    severity: str
    sentence: str
    choices: tuple[tuple[str, str], ...]
    """What a button says, and what it stands for."""
    can_wait: bool = False


class OfferBar(QFrame):
    """Shows one offer; hidden without.

    :param choose: called with the offer and what was chosen.
    """

    def __init__(self, choose: Callable[[Offer, str], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choose = choose
        self._declined: set[str] = set()
        self.offer: Offer | None = None
        self.buttons: list[QPushButton] = []
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.PlainText)
        self.words.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(SPACE + 4, SPACE // 2, SPACE // 2, SPACE // 2)
        self._row.setSpacing(SPACE)
        self._row.addWidget(self.words, 1)
        self.hide()

    def show_offers(self, offers: list[Offer]) -> None:
        """Show the first offer that was not declined."""
        offer = next((offer for offer in offers if offer.key not in self._declined), None)
        if offer == self.offer:
            return
        self.offer = offer
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = []
        self.setVisible(offer is not None)
        if offer is None:
            return
        self.words.setText(offer.sentence)
        self.setProperty("severity", offer.severity)
        self.style().unpolish(self)
        self.style().polish(self)
        for label, what in offer.choices:
            self._add_button(label, lambda what=what: self._choose(offer, what))  # type: ignore[misc]
        if offer.can_wait:
            self._add_button("Not now", lambda: self._decline(offer)).setProperty("kind", "quiet")

    def _add_button(self, label: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(label)
        button.clicked.connect(lambda: act())
        self._row.addWidget(button)
        button.show()  # with the bar; its layout would show it only later
        self.buttons.append(button)
        return button

    def _decline(self, offer: Offer) -> None:
        self._declined.add(offer.key)
        self.show_offers([])


NAME_CHANNELS = "channels"


def channel_offers(boards: tuple[BoardRecord, ...]) -> list[Offer]:
    """Offer to name what devices print whose meaning was guessed."""
    return [
        Offer(
            f"{board.name} {len(board.definition.channels)}",
            board.name,
            "info",
            _guessed_words(board.name, board.format, len(board.definition.channels)),
            (("Name channels…", NAME_CHANNELS),),
            can_wait=True,
        )
        for board in boards
        if board.is_guessed and board.definition is not None
    ]


def place_offers(boards: tuple[BoardRecord, ...]) -> list[Offer]:
    """Ask which device is which, where several look alike."""
    return [
        Offer(
            f"{board.name}?",
            board.name,
            "warning",
            f"{len(board.candidates)} devices look like {board.name}. Which one is it?",
            tuple((port, port) for port in board.candidates),
        )
        for board in boards
        if board.state is LinkState.AMBIGUOUS and board.candidates
    ]


def _guessed_words(name: str, kind: str, count: int) -> str:
    what = "column" if kind in ("", "columns") else "value"
    words = f"{count} {what}s" if count > 1 else f"one {what}"
    return f"{name} prints {words}, plotted as they come. Give {'them names and units' if count > 1 else 'it a name'}."
