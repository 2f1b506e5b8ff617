"""The editor of definitions as a dialog: for what is not asked of a server, such as reading an old session anew."""

from collections.abc import Callable, Sequence

from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from blitz.data.board_definition import BoardDefinition
from blitz.ui.definition_files import DefinitionFiles
from blitz.ui.definition_preview import RawMessage
from blitz.ui.definition_text import text_of
from blitz.ui.pages.definition_page import DefinitionPage
from blitz.ui.theme import DARK, LIGHT, SPACE


class DefinitionDialog(QDialog):
    """Accepted with :attr:`definition`, which is right, and another one than before.

    :param board: the source's name.
    :param messages: some of its messages, oldest first.
    """

    def __init__(
        self,
        board: str,
        before: BoardDefinition | None,
        messages: Callable[[], Sequence[RawMessage]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Definition of {board}")
        self.resize(1180, 720)
        is_dark = self.palette().color(QPalette.Window).lightness() < 128
        self.page = DefinitionPage(board, text_of(before, board), before, messages, DARK if is_dark else LIGHT)
        self.page.save.setText("&Take it over")
        self.page.save.setToolTip("Go back to the session with this definition (Ctrl+S)")
        self.files = DefinitionFiles(self.page, self)
        self.definition: BoardDefinition | None = None
        self.page.save_requested.connect(self._take)
        buttons = QDialogButtonBox(QDialogButtonBox.Cancel)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 2 * SPACE, 2 * SPACE)
        column.addWidget(self.page, 1)
        column.addWidget(buttons)

    def _take(self, definition: BoardDefinition) -> None:
        self.definition = definition
        self.accept()
