"""The tool bar above a plot."""

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtWidgets import QAction, QHBoxLayout, QMenu, QToolButton, QWidget

from blitz.ui.icons import icon
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.window_choice import WindowChoice

_ICON = 20


class PlotBar(QWidget):
    """Only tells what was clicked; whoever owns it shows what is so.

    :param is_live: whether there is a present to be followed; without one there is all to be fitted.
    """

    pause_clicked = pyqtSignal()
    stacked_chosen = pyqtSignal(bool)
    relative_chosen = pyqtSignal(bool)
    box_chosen = pyqtSignal(bool)
    analysis_chosen = pyqtSignal(bool)
    """Of a history: what is in view comes to something; of the live view: triggers."""
    reset_clicked = pyqtSignal()
    zoom_clicked = pyqtSignal(float)
    """How many times as much time is to be shown."""
    marker_clicked = pyqtSignal()
    marker_asked = pyqtSignal()
    picture_clicked = pyqtSignal(str)
    """``png``, ``svg`` or ``copy``"""

    def __init__(self, *, is_live: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icons: dict[QToolButton, tuple[str, str]] = {}
        self.windows = WindowChoice()
        self.pause = self._tool(
            "pause", "Pause", "Let the picture stand still; everything goes on arriving (Space or P)", "play"
        )
        self.pause.setCheckable(True)
        self.pause.clicked.connect(self.pause_clicked)
        self.box = self._tool("selection-drag", "Zoom by a box", "Drag a box to zoom into it; Shift does it once (B)")
        self.stacked = self._tool(
            "view-sequential-outline", "Stacked", "A panel for each channel, one below the other (S)"
        )
        self.relative = self._tool(
            "timer-outline", "Time from the start", "Count time from the start instead of the clock (R)"
        )
        self.analysis = self._analysis_button(is_live=is_live)
        for button, told in (
            (self.analysis, self.analysis_chosen),
            (self.box, self.box_chosen),
            (self.stacked, self.stacked_chosen),
            (self.relative, self.relative_chosen),
        ):
            button.setCheckable(True)
            button.clicked.connect(told)
        what = "the chosen window" if is_live else "the whole session"
        self.reset = self._tool("fit-to-page-outline", "Reset zoom", f"Show {what}, with all values (Home or Ctrl+0)")
        self.reset.clicked.connect(self.reset_clicked)
        self.zoom_in = self._tool("magnify-plus-outline", "Zoom in", "See less time, larger (+)")
        self.zoom_in.clicked.connect(lambda: self.zoom_clicked.emit(0.5))
        self.zoom_out = self._tool("magnify-minus-outline", "Zoom out", "See more time (−)")
        self.zoom_out.clicked.connect(lambda: self.zoom_clicked.emit(2.0))
        self.marker = self._marker_button()
        self.picture = self._picture_button()
        self._lay_out(is_live=is_live)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        for button, (name, checked_name) in self._icons.items():
            is_marked = button.isCheckable() and button.isChecked()
            colour = theme.accent if is_marked else theme.text
            button.setIcon(icon(checked_name if is_marked else name, theme, colour))
        self._theme = theme

    def show_paused(self, *, is_paused: bool) -> None:
        """Show whether the plot stands still."""
        self.pause.setChecked(is_paused)

    def _tool(self, name: str, words: str, tooltip: str, checked_name: str = "") -> QToolButton:
        button = QToolButton()
        button.setProperty("kind", "tool")
        button.setIconSize(QSize(_ICON, _ICON))
        button.setAccessibleName(words)
        button.setToolTip(tooltip)
        button.setFocusPolicy(Qt.TabFocus)
        button.toggled.connect(self._recolour)
        self._icons[button] = (name, checked_name or name)
        return button

    def _recolour(self) -> None:
        if hasattr(self, "_theme"):
            self.set_theme(self._theme)

    def _analysis_button(self, *, is_live: bool) -> QToolButton:
        if is_live:
            button = self._tool(
                "sine-wave", "Trigger", "Show what passes a level, laid over each other, as an oscilloscope does (T)"
            )
        else:
            button = self._tool(
                "chart-bell-curve",
                "Analysis",
                "Statistics, spectrum, histogram, XY and triggers of what is in view, or marked (A)",
            )
        button.setText("Trigger" if is_live else "Analysis")
        button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        return button

    def _marker_button(self) -> QToolButton:
        button = self._tool(
            "flag-outline", "Marker", "Mark this moment of the session at once (M); its words can follow"
        )
        button.setText("Marker")
        button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.MenuButtonPopup)
        button.clicked.connect(self.marker_clicked)
        menu = QMenu(button)
        at_once = QAction("Mark this moment\tM", button)
        at_once.triggered.connect(lambda: self.marker_clicked.emit())
        asked = QAction("With words…\tCtrl+M", button)
        asked.triggered.connect(lambda: self.marker_asked.emit())
        menu.addActions([at_once, asked])
        button.setMenu(menu)
        return button

    def _picture_button(self) -> QToolButton:
        button = self._tool("camera-outline", "Picture", "Save the plot as a picture, or copy it")
        button.setPopupMode(QToolButton.InstantPopup)
        menu = QMenu(button)
        for kind, words in (
            ("png", "Save as PNG…\tCtrl+Shift+P"),
            ("svg", "Save as SVG…\tCtrl+Shift+G"),
            ("copy", "Copy\tCtrl+Shift+C"),
        ):
            action = QAction(words, button)
            action.triggered.connect(lambda _=False, kind=kind: self.picture_clicked.emit(kind))
            menu.addAction(action)
        button.setMenu(menu)
        return button

    def _lay_out(self, *, is_live: bool) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        if is_live:
            row.addWidget(self.windows)
            row.addSpacing(SPACE)
            row.addWidget(self.pause)
        else:
            row.addWidget(self.zoom_in)
            row.addWidget(self.zoom_out)
        row.addWidget(self.box)
        row.addWidget(self.reset)
        row.addWidget(self.stacked)
        row.addWidget(self.relative)
        row.addWidget(self.picture)
        row.addStretch(1)
        row.addWidget(self.analysis)
        row.addWidget(self.marker)
        for unused in (self.windows, self.pause) if not is_live else (self.zoom_in, self.zoom_out):
            unused.setParent(self)
            unused.hide()
