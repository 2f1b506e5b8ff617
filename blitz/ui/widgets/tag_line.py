"""A line of tags with commas between, which proposes those that are known."""

from collections.abc import Iterable

from PyQt5.QtCore import QModelIndex, QStringListModel, Qt
from PyQt5.QtWidgets import QCompleter, QLineEdit, QWidget

from blitz.data.session_words import checked_tags


class TagLine(QLineEdit):
    """What is typed behind the last comma is completed.

    :param known: tags that other sessions have.
    """

    def __init__(self, tags: Iterable[str] = (), known: Iterable[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(", ".join(tags), parent)
        self.setPlaceholderText("warm-up, rig 2")
        self.setToolTip("Words to find it by, with commas between")
        completer = _LastWord(sorted(set(known), key=str.casefold), self)
        self.setCompleter(completer)

    @property
    def tags(self) -> tuple[str, ...]:
        """What was typed.

        :raises ValueError: if one of them can be no tag.
        """
        return checked_tags(word for word in self.text().split(",") if word.strip())


class _LastWord(QCompleter):
    def __init__(self, words: list[str], line: QLineEdit) -> None:
        super().__init__(line)
        self.setModel(QStringListModel(words, self))
        self.setCaseSensitivity(Qt.CaseInsensitive)
        self._line = line

    def splitPath(self, path: str) -> list[str]:
        """Return what is to be completed."""
        return [path.rpartition(",")[2].strip()]

    def pathFromIndex(self, index: QModelIndex) -> str:
        """Return the whole line with a proposal behind the last comma."""
        before, comma, _ = self._line.text().rpartition(",")
        word = str(index.data() or "")
        return f"{before}, {word}" if comma else word
