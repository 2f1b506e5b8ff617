"""The caches of this computer: what is in each, and which is used; names are forgotten, data deleted."""

from PyQt5.QtCore import pyqtBoundSignal, pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.data.cache_listing import ListedCache
from blitz.ui.models.caches import DESCRIPTION, WHERE, CachesModel
from blitz.ui.theme import SPACE
from blitz.ui.widgets.table import EndDelegate, Table

_ABOUT = (
    "Each cache keeps sessions of one server. The usual ones, one a server, have no name. “Only here” are sessions "
    "that no server has: they were imported, or deleted there."
)


class CachesDialog(QDialog):
    """Stands beside the window; asks by signals, each carrying a :class:`ListedCache`."""

    new_requested = pyqtSignal()
    use_requested = pyqtSignal(object)
    forget_requested = pyqtSignal(object)
    delete_requested = pyqtSignal(object)

    def __init__(self, font: QFont, refusal: str, parent: QWidget | None = None) -> None:
        """Make it.

        :param refusal: why no other cache can be used; empty where one can.
        """
        super().__init__(parent)
        self._refusal = refusal
        self.setWindowTitle("Caches")
        self.resize(1180, 420)
        self.caches = CachesModel(font, self)
        self.table = Table(self.caches, "Looking …")
        self.table.setAccessibleName("Caches")
        self.table.set_widths(200, 96, 106, 96, 180, 240, stretched=DESCRIPTION)
        self.table.setItemDelegateForColumn(WHERE, EndDelegate(self.table))
        words = QLabel(_ABOUT)
        words.setWordWrap(True)
        words.setProperty("kind", "muted")
        self.use = _button("&Use")
        self.new = _button("&New…")
        self.forget = _button("&Forget the name…")
        self.forget.setToolTip("The data stay where they are")
        self.delete = _button("&Delete its data…")
        self.use.clicked.connect(lambda: self._ask(self.use_requested))
        self.new.clicked.connect(lambda: self.new_requested.emit())
        self.forget.clicked.connect(lambda: self._ask(self.forget_requested))
        self.delete.clicked.connect(lambda: self._ask(self.delete_requested))
        self.table.selectionModel().selectionChanged.connect(self._show_buttons)
        self.caches.modelReset.connect(self._show_buttons)
        close = QDialogButtonBox(QDialogButtonBox.Close)
        close.rejected.connect(self.reject)
        close.button(QDialogButtonBox.Close).setAutoDefault(False)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button in (self.use, self.new, self.forget, self.delete):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(words)
        column.addWidget(self.table, 1)
        column.addLayout(row)
        self._show_buttons()

    @property
    def selected(self) -> ListedCache | None:
        """The cache that is chosen."""
        rows = self.table.selectionModel().selectedRows()
        return self.caches.caches[rows[0].row()] if rows and rows[0].row() < len(self.caches.caches) else None

    def show_caches(self, caches: tuple[ListedCache, ...], used: str) -> None:
        """Take over what there is; the selection stays with its cache."""
        before = self.selected
        self.table.set_hint("There is no cache yet.")
        self.caches.show(caches, used)
        addresses = [listed.place.address for listed in caches]
        if before is not None and before.place.address in addresses:
            self.table.selectRow(addresses.index(before.place.address))
        elif caches:
            self.table.selectRow(0)
        self._show_buttons()

    def _ask(self, request: pyqtBoundSignal) -> None:
        if self.selected is not None:
            request.emit(self.selected)

    def _show_buttons(self) -> None:
        listed = self.selected
        is_used = listed is not None and self.caches.is_used(listed)
        is_named = listed is not None and bool(listed.place.name)
        self.use.setEnabled(listed is not None and not is_used and not self._refusal)
        self.use.setToolTip(self._refusal or ("" if is_named else "The usual caches again, one a server"))
        self.forget.setEnabled(is_named)
        self.delete.setEnabled(listed is not None and not is_used)
        self.delete.setToolTip("It is in use: use another one first" if is_used else "Asks first")


def _button(label: str) -> QPushButton:
    button = QPushButton(label)
    button.setAutoDefault(False)
    return button
