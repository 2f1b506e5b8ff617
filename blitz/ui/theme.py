"""Colours, fonts and spacing of the window, light and dark.

Fusion style with an own palette and a small style sheet. Channel colours are Okabe and Ito's, which colour-blind people
can tell apart, in the order (and, where one would vanish on the background, the shade) that suits the theme.
"""

import sys
from dataclasses import dataclass, replace
from enum import Enum

from PyQt5.QtCore import QObject, QSettings, pyqtSignal
from PyQt5.QtGui import QColor, QFont, QFontDatabase, QFontMetrics, QPalette
from PyQt5.QtWidgets import QApplication

from blitz.ui.plain_style import PlainStyle

SPACE = 8
"""The step of all distances, in device-independent pixels."""


class ThemeChoice(Enum):
    """What View > Theme offers."""

    SYSTEM = "System"
    LIGHT = "Light"
    DARK = "Dark"


@dataclass(frozen=True)
class Theme:
    """The colours of one theme."""

    is_dark: bool
    window: str
    base: str
    alternate: str
    raised: str
    text: str
    muted: str
    border: str
    accent: str
    on_accent: str
    recording: str
    on_recording: str
    warning: str
    warning_back: str
    error_back: str
    okay: str
    grid: str
    selection: str
    channels: tuple[str, ...]
    curve_width: int = 1
    """Of a curve, in pixels; a wider one takes several times as long to draw."""

    def channel_colour(self, index: int) -> str:
        """Return the colour of the n-th channel; they repeat after eight."""
        return self.channels[index % len(self.channels)]


LIGHT = Theme(
    is_dark=False,
    window="#f3f5f8",
    base="#ffffff",
    alternate="#f7f9fb",
    raised="#ffffff",
    text="#1c2430",
    muted="#5a6675",
    border="#d3d9e1",
    accent="#0b62a8",
    on_accent="#ffffff",
    recording="#c62828",
    on_recording="#ffffff",
    warning="#8a5200",
    warning_back="#fff1d0",
    error_back="#fde4e2",
    okay="#1b7f4d",
    grid="#8a94a0",
    selection="#d5e6f5",
    channels=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d", "#a89a00"),
)
DARK = Theme(
    is_dark=True,
    window="#1c2025",
    base="#14171b",
    alternate="#191d22",
    raised="#242a31",
    text="#e5e9ee",
    muted="#9ba6b3",
    border="#363e48",
    accent="#56b4e9",
    on_accent="#0e1418",
    recording="#ff6159",
    on_recording="#1c0504",
    warning="#ffc14d",
    warning_back="#3a2e12",
    error_back="#421c1b",
    okay="#52cf96",
    grid="#77828f",
    selection="#21435a",
    channels=("#56b4e9", "#e69f00", "#1fbf94", "#e08fbd", "#f0e442", "#f07a2b", "#5277ee", "#e8e8e8"),
)


_IS_STYLED = "isPlain"


class Appearance(QObject):
    """The theme in force: applies it to the application and tells those who paint by themselves."""

    changed = pyqtSignal(object)
    """Theme"""

    def __init__(self, application: QApplication, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._application = application
        self._system_is_dark = _system_is_dark(application)
        if not application.property(_IS_STYLED):  # Qt takes a style of ours over, and crashes over its replacement
            application.setProperty(_IS_STYLED, True)
            application.setStyle(PlainStyle())
        self.choice = ThemeChoice.SYSTEM
        self.theme = LIGHT
        self._curve_width = 1

    def set_curve_width(self, width: int) -> None:
        """Draw curves so many pixels wide from the next choice of a theme on."""
        self._curve_width = width

    def choose(self, choice: ThemeChoice) -> None:
        """Apply a theme to every window."""
        self.choice = choice
        is_dark = choice is ThemeChoice.DARK or (choice is ThemeChoice.SYSTEM and self._system_is_dark)
        self.theme = DARK if is_dark else LIGHT
        if self._curve_width != self.theme.curve_width:
            self.theme = replace(self.theme, curve_width=self._curve_width)
        self._application.setPalette(build_palette(self.theme))
        stylesheet = build_stylesheet(self.theme)
        if self._application.styleSheet() != stylesheet:  # Qt would style every widget anew
            focused = self._application.focusWidget()
            self._application.setStyleSheet(stylesheet)
            if focused is not None:  # Qt lays the buttons of a dialog out anew, and the first would have it, and Enter
                focused.setFocus()
        self.changed.emit(self.theme)


def build_palette(theme: Theme) -> QPalette:
    """Return the theme as Qt's widgets read it."""
    palette = QPalette()
    roles = {
        QPalette.Window: theme.window,
        QPalette.WindowText: theme.text,
        QPalette.Base: theme.base,
        QPalette.AlternateBase: theme.alternate,
        QPalette.Text: theme.text,
        QPalette.Button: theme.raised,
        QPalette.ButtonText: theme.text,
        QPalette.ToolTipBase: theme.raised,
        QPalette.ToolTipText: theme.text,
        QPalette.BrightText: theme.recording,
        QPalette.Highlight: theme.accent,
        QPalette.HighlightedText: theme.on_accent,
        QPalette.Link: theme.accent,
        QPalette.PlaceholderText: theme.muted,
        QPalette.Mid: theme.border,
        QPalette.Dark: theme.border,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    faint = QColor(theme.muted)
    faint.setAlpha(150)
    for role in (QPalette.WindowText, QPalette.Text, QPalette.ButtonText):
        palette.setColor(QPalette.Disabled, role, faint)
    # Qt shades disabled entries of menus with this; on a dark ground the shade would outshine the text.
    palette.setColor(QPalette.Disabled, QPalette.Light, QColor(theme.window))
    palette.setColor(QPalette.Disabled, QPalette.Highlight, QColor(theme.border))
    return palette


def build_stylesheet(theme: Theme) -> str:
    """Return the few rules that the palette cannot say."""
    return f"""
    QToolTip {{ color: {theme.text}; background: {theme.raised}; border: 1px solid {theme.border}; padding: 4px; }}
    QMenu {{ border: 1px solid {theme.border}; }}
    QMenu::item:selected {{ background: {theme.selection}; color: {theme.text}; }}
    QTabWidget::pane {{ border: none; }}
    QTabWidget::tab-bar {{ left: 12px; }}
    QTabBar::tab {{ padding: 8px 18px; color: {theme.muted}; border: none; border-bottom: 2px solid transparent;
                    background: transparent; }}
    QTabBar::tab:selected {{ color: {theme.text}; border-bottom-color: {theme.accent}; }}
    QTabBar::tab:hover {{ color: {theme.text}; }}
    QTabBar::tab:focus {{ color: {theme.accent}; }}
    QTableView {{ border: 1px solid {theme.border}; border-radius: 4px; gridline-color: transparent; outline: none;
                  selection-background-color: {theme.selection}; selection-color: {theme.text}; }}
    QTableView::item {{ border: 0px; padding: 0px 8px; }}
    QTableView[kind="dense"]::item {{ padding: 0px 3px; }}
    QTableView[kind="dense"] QHeaderView::section:horizontal {{ padding: 6px 6px; }}
    QListView::item {{ border: 0px; padding: 4px 8px; }}
    QListWidget::item:selected {{ background: {theme.selection}; color: {theme.text}; }}
    QGraphicsView {{ border: 1px solid {theme.border}; border-radius: 4px; }}
    QListView {{ border: 1px solid {theme.border}; border-radius: 4px; outline: none;
                 selection-background-color: {theme.selection}; selection-color: {theme.text}; }}
    QHeaderView {{ background: {theme.base}; border: none; }}
    QHeaderView::section {{ background: {theme.base}; color: {theme.muted}; border: none; padding: 6px 11px;
                            border-bottom: 1px solid {theme.border}; }}
    QHeaderView::section:vertical {{ border-bottom: none; padding: 0 11px; }}
    QTableCornerButton::section {{ background: {theme.base}; border: none; border-bottom: 1px solid {theme.border}; }}
    QPushButton, QToolButton[kind="plain"] {{ background: {theme.raised}; border: 1px solid {theme.border};
                   border-radius: 4px; padding: 6px 14px; min-height: 18px; }}
    QPushButton:hover, QToolButton[kind="plain"]:hover {{ border-color: {theme.accent}; }}
    QPushButton:pressed {{ background: {theme.window}; }}
    QPushButton:focus, QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus, QSpinBox:focus, QDateTimeEdit:focus,
    QTableView:focus {{ border-color: {theme.accent}; }}
    QDialog QPushButton:default:enabled {{ background: {theme.accent}; color: {theme.on_accent};
                   border-color: {theme.accent}; }}
    QDialog QPushButton:default:focus {{ border-color: {theme.text}; }}
    QPushButton:disabled {{ background: transparent; }}
    QPushButton:checked {{ background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent}; }}
    QPushButton[kind="start"] {{ background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
                   font-weight: bold; padding: 8px 18px; }}
    QPushButton[kind="stop"] {{ background: {theme.recording}; color: {theme.on_recording};
                   border-color: {theme.recording}; font-weight: bold; padding: 8px 18px; }}
    QPushButton[kind="start"]:hover, QPushButton[kind="stop"]:hover {{ border-color: {theme.text}; }}
    QPushButton[kind="start"]:focus, QPushButton[kind="stop"]:focus {{ border: 2px solid {theme.text};
                   padding: 7px 17px; }}
    QPushButton[kind="start"]:disabled, QPushButton[kind="stop"]:disabled {{ background: transparent;
                   color: {theme.muted}; border-color: {theme.border}; }}
    QPushButton[kind="start"][joined="true"] {{ border-top-right-radius: 0; border-bottom-right-radius: 0; }}
    QPushButton[kind="start-more"] {{ background: {theme.accent}; color: {theme.on_accent};
                   border: 1px solid {theme.accent}; border-left-color: {theme.on_accent}; padding: 8px 8px;
                   border-top-left-radius: 0; border-bottom-left-radius: 0; }}
    QPushButton[kind="start-more"]:hover, QPushButton[kind="start-more"]:focus {{ border-color: {theme.text}; }}
    QPushButton[kind="start-more"]:disabled {{ background: transparent; color: {theme.muted};
                   border-color: {theme.border}; }}
    QPushButton[kind="ready"] {{ border-color: transparent; background: transparent; padding: 4px 8px; }}
    QPushButton[kind="ready"]:hover, QPushButton[kind="ready"]:focus {{ border-color: {theme.border}; }}
    QPushButton[kind="ready"][state="red"] {{ color: {theme.recording}; font-weight: bold; }}
    QPushButton[kind="ready"][state="amber"] {{ color: {theme.warning}; }}
    QPushButton[kind="inline"] {{ border: none; background: transparent; color: {theme.accent}; padding: 0 4px;
                   min-height: 0; }}
    QPushButton[kind="inline"]:hover, QPushButton[kind="inline"]:focus {{ text-decoration: underline; }}
    QPushButton[kind="inline"]:disabled {{ color: {theme.muted}; }}
    QFrame#popover {{ background: {theme.raised}; border: 1px solid {theme.border}; }}
    QPushButton[kind="segment"] {{ border-radius: 0; margin-left: -1px; padding: 4px 11px; }}
    QPushButton[kind="switch"] {{ padding: 4px 11px; }}
    QPushButton[kind="segment"][place="first"] {{ margin-left: 0; border-top-left-radius: 4px;
                   border-bottom-left-radius: 4px; }}
    QPushButton[kind="segment"][place="last"] {{ border-top-right-radius: 4px; border-bottom-right-radius: 4px; }}
    QPushButton[kind="quiet"] {{ border-color: transparent; background: transparent; padding: 2px 8px; }}
    QPushButton[kind="close"] {{ border-color: transparent; background: transparent; padding: 0;
                   color: {theme.muted}; font-size: 13pt; min-height: 16px; max-height: 16px; min-width: 20px; }}
    QPushButton[kind="close"]:hover, QPushButton[kind="close"]:focus {{ color: {theme.text}; }}
    QPushButton[kind="quiet"]:hover, QPushButton[kind="quiet"]:focus {{ border-color: {theme.border}; }}
    QFrame[kind="card"] {{ background: {theme.raised}; border: 1px solid {theme.border}; border-radius: 8px; }}
    QPushButton[kind="row"] {{ text-align: left; padding: 6px 10px; }}
    QPushButton[kind="menu"]::menu-indicator,
    QPushButton[kind="small"]::menu-indicator,
    QPushButton[kind="segment"]::menu-indicator {{ image: none; width: 0; }}
    QPushButton[kind="small"] {{ padding: 1px 12px; }}
    QPushButton[kind="follow"] {{ background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
                   padding: 1px 12px; font-weight: bold; }}
    QPushButton[kind="follow"]:focus {{ border-color: {theme.text}; }}
    QToolButton[kind="tool"] {{ border: 1px solid transparent; border-radius: 4px; padding: 4px 5px; }}
    QToolButton[kind="tool"]:hover, QToolButton[kind="tool"]:focus {{ border-color: {theme.border};
                   background: {theme.raised}; }}
    QToolButton[kind="tool"]:checked {{ background: {theme.selection}; }}
    QToolButton[kind="tool"][popupMode="1"] {{ padding-right: 22px; border-color: {theme.border};
                   background: {theme.raised}; }}
    QToolButton[kind="tool"][popupMode="2"] {{ padding-right: 15px; }}
    QToolButton[kind="tool"][popupMode="2"]::menu-indicator {{ subcontrol-origin: padding;
                   subcontrol-position: center right; right: 3px; }}
    QToolButton[kind="tool"]::menu-button {{ border: none; width: 18px; }}
    QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QDateTimeEdit, QPlainTextEdit {{ background: {theme.base};
                   border: 1px solid {theme.border};
                   border-radius: 4px; padding: 5px 8px; min-height: 18px; }}
    QLineEdit[state="bad"], QComboBox[state="bad"] {{ border-color: {theme.recording}; }}
    QComboBox::drop-down {{ border: none; width: 24px; }}
    QCheckBox {{ spacing: 6px; }}
    QRadioButton {{ spacing: 6px; }}
    QFrame#header {{ background: {theme.raised}; border-bottom: 1px solid {theme.border}; }}
    QFrame#header QLabel[kind="caption"], QLabel[kind="muted"] {{ color: {theme.muted}; }}
    QLabel[kind="title"] {{ font-weight: bold; }}
    QLabel[state="recording"] {{ color: {theme.recording}; font-weight: bold; }}
    QLabel[state="preview"] {{ color: {theme.accent}; font-weight: bold; }}
    QLabel[state="doubtful"] {{ color: {theme.warning}; }}
    QLabel[state="spooling"], QLabel[state="connecting"] {{ color: {theme.warning}; font-weight: bold; }}
    QLabel[state="stopped"] {{ color: {theme.muted}; font-weight: bold; }}
    QLabel[state="offline"] {{ color: {theme.muted}; font-weight: bold; }}
    QLabel[kind="badge"] {{ background: {theme.warning_back}; color: {theme.warning}; border-radius: 4px;
                   padding: 4px 10px; font-weight: bold; }}
    QLabel[state="bad"] {{ color: {theme.recording}; font-weight: bold; }}
    QLabel[state="good"] {{ color: {theme.okay}; }}
    QFrame[severity="error"] {{ background: {theme.error_back}; border-left: 4px solid {theme.recording}; }}
    QFrame[severity="warning"] {{ background: {theme.warning_back}; border-left: 4px solid {theme.warning}; }}
    QFrame[severity="fine"] {{ background: {theme.raised}; border-left: 4px solid {theme.okay}; }}
    QFrame[severity="info"] {{ background: {theme.raised}; border-left: 4px solid {theme.accent}; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QProgressBar {{ background: {theme.border}; border: none; border-radius: 3px; }}
    QProgressBar::chunk {{ background: {theme.accent}; border-radius: 3px; }}
    QProgressBar[kind="thin"] {{ border-radius: 0; }}
    QProgressBar[kind="thin"]::chunk {{ border-radius: 0; }}
    QProgressBar[kind="thin"][state="empty"] {{ background: transparent; }}
    QScrollBar {{ background: transparent; border: none; margin: 0; }}
    QScrollBar:vertical {{ width: 11px; }}
    QScrollBar:horizontal {{ height: 11px; }}
    QScrollBar::handle {{ background: {theme.border}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:hover {{ background: {theme.grid}; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QAbstractScrollArea::corner {{ background: transparent; border: none; }}
    QSplitter::handle {{ background: transparent; }}
    QStatusBar {{ border-top: 1px solid {theme.border}; }}
    QStatusBar::item {{ border: none; }}
    """


def build_font(base: QFont) -> QFont:
    """Return the window's font: the system's, not smaller than 10 points."""
    font = QFont(base)
    if 0 < font.pointSizeF() < 10:
        font.setPointSizeF(10)
    return font


def number_font(base: QFont, points: float = 0.0) -> QFont:
    """Return a font whose digits are all equally wide: the given one where it is, else the system's fixed one."""
    font = QFont(base)
    metrics = QFontMetrics(font)
    if len({metrics.horizontalAdvance(digit) for digit in "0123456789"}) > 1:
        font = QFontDatabase.systemFont(QFontDatabase.FixedFont)
    font.setPointSizeF(points or base.pointSizeF())
    return font


def _system_is_dark(application: QApplication) -> bool:
    if sys.platform == "win32":
        # Qt 5 leaves its palette light there; the choice stands in the registry.
        key = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        return QSettings(key, QSettings.NativeFormat).value("AppsUseLightTheme", 1, int) == 0
    return application.palette().color(QPalette.Window).lightness() < 128
