"""The settings that matter to an operator: what each means, what cannot be changed here and why, and what is wrong."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from blitz.config import ClientSettings
from blitz.data.export_rule import ExportRule
from blitz.errors import ConfigError
from blitz.io.address import ServerAddress
from blitz.ui.settings_wish import DEFAULTS, Looks, SettingsWish, unless_default
from blitz.ui.theme import SPACE, ThemeChoice
from blitz.ui.widgets.choice import Choice
from blitz.ui.windows import PlotWindow

_SYNC = (("off", "none"), ("chosen", "those that are kept here"), ("all", "all"))
_FORMATS = (
    ("csv", "CSV"),
    ("xlsx", "Excel"),
    ("parquet", "Parquet"),
    ("feather", "Feather"),
    ("hdf5", "HDF5"),
)
_PRESETS = (("analysis", "for analysis"), ("spreadsheet", "for a spreadsheet"))
_SLOW = "Wide lines take several times as long to draw: with many channels the plot will move less smoothly."


class SettingsDialog(QDialog):
    """``accepted`` comes when nothing is wrong.

    :param settings: what is in force; what it was told elsewhere is greyed.
    :param note: where the settings are kept.
    """

    def __init__(self, looks: Looks, settings: ClientSettings, note: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self._looks = looks
        self._settings = settings
        self._labels: dict[str, str] = {}
        self._make_fields()
        self.tabs = QTabWidget()
        self.wrong = QLabel()
        self.wrong.setWordWrap(True)
        self.wrong.setTextFormat(Qt.PlainText)
        self.wrong.setProperty("state", "bad")
        self.wrong.hide()
        self.note = QLabel(note)
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.PlainText)
        self.note.setProperty("kind", "muted")
        self.buttons = QDialogButtonBox()
        self.save = self.buttons.addButton("&Save", QDialogButtonBox.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.Cancel)
        self.restore = self.buttons.addButton("Restore &defaults", QDialogButtonBox.ResetRole)
        self.restore.setAutoDefault(False)  # Enter saves
        self.restore.setToolTip("Fill in what holds where nobody has chosen; nothing is kept before Save")
        self.restore.clicked.connect(
            lambda: self.show_values(replace(Looks(), marker_texts=self._looks.marker_texts), DEFAULTS)
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        self.save.setDefault(True)
        self.show_values(looks, settings)

    @property
    def wish(self) -> SettingsWish:
        """What stands in the fields."""
        looks = Looks(
            self.theme.currentData(),
            self.window_.currentData(),
            self.time.currentData(),
            self.width_.value(),
            self.folder.text().strip(),
            tuple(dict.fromkeys(" ".join(t.split()) for t in self.markers.toPlainText().splitlines() if t.strip())),
        )
        folder = self.stop_folder.text().strip() if self.at_stop.isChecked() else ""
        texts = {
            "server": self.server.text().strip(),
            "sync": str(self.sync.currentData()),
            "sync_period_s": str(self.period.value()),
            "overview_mb": str(self.overview.value()),
            "export_dir": folder,
            "export_pattern": self.pattern.text().strip(),
            "export_format": str(self.format.currentData()),
            "export_preset": str(self.preset.currentData()),
            "export_report": "true" if self.report.isChecked() else "false",
            "console_messages": str(self.console.value()),
            "keep_awake": "true" if self.awake.isChecked() else "false",
        }
        return SettingsWish(
            looks, {key: unless_default(key, text) for key, text in texts.items() if not self._settings.origin(key)}
        )

    def accept(self) -> None:
        """Close, unless there is something wrong, which is said."""
        problem = self._problem()
        self.wrong.setText(problem[1])
        self.wrong.setVisible(bool(problem[1]))
        if problem[0] is not None:
            page = next(p for p in range(self.tabs.count()) if self.tabs.widget(p).isAncestorOf(problem[0]))
            self.tabs.setCurrentIndex(page)
            problem[0].setFocus()
            return
        super().accept()

    def show_values(self, looks: Looks, settings: ClientSettings) -> None:
        """Fill the fields; what is told elsewhere stays as it is."""
        _choose(self.theme, looks.theme)
        _choose(self.window_, looks.plot_window)
        _choose(self.time, looks.is_relative)
        self.width_.setValue(looks.curve_width)
        self.folder.setText(looks.export_folder)
        self.markers.setPlainText("\n".join(looks.marker_texts))

        def value(key: str) -> Any:
            return getattr(self._settings if self._settings.origin(key) else settings, key)

        is_named = "server" in settings.model_fields_set or bool(self._settings.origin("server"))
        self.server.setText(str(ServerAddress.parse(value("server"))) if is_named else "")
        _choose(self.sync, value("sync"))
        self.period.setValue(round(value("sync_period_s")))
        self.overview.setValue(value("overview_mb"))
        self.at_stop.setChecked(value("export_dir") is not None)
        self._show_at_stop(self.at_stop.isChecked())
        self.stop_folder.setText(str(value("export_dir") or ""))
        self.pattern.setText(value("export_pattern"))
        _choose(self.format, value("export_format"))
        _choose(self.preset, value("export_preset"))
        self.report.setChecked(value("export_report"))
        self.console.setValue(value("console_messages"))
        self.awake.setChecked(value("keep_awake"))

    def _problem(self) -> tuple[QWidget | None, str]:
        """Return the first field that is wrong, and why."""
        try:
            if self.server.isEnabled() and self.server.text().strip():
                ServerAddress.parse(self.server.text().strip())
        except ConfigError as error:
            return self.server, str(error)
        for place in (self.folder, self.stop_folder):
            name = place.text().strip()
            is_wanted = place is self.folder or self.at_stop.isChecked()
            if place.isEnabled() and is_wanted and name and not Path(name).expanduser().parent.is_dir():
                parent = Path(name).expanduser().parent
                return place, f"There is no folder {parent}, in which {Path(name).name} could be. Choose another one."
        if self.at_stop.isEnabled() and self.at_stop.isChecked() and not self.stop_folder.text().strip():
            return self.stop_folder, "Say in which folder each session is to be exported, or untick it."
        try:
            ExportRule(Path(), self.pattern.text().strip() or DEFAULTS.export_pattern)
        except ConfigError as error:
            return self.pattern, str(error)
        return None, ""

    def _make_fields(self) -> None:
        self.theme = _choice((choice, choice.value) for choice in ThemeChoice)
        self.window_ = _choice((window, window.label) for window in PlotWindow)
        self.time = _choice(((False, "time of day"), (True, "time since the session began")))
        self.width_ = _number(1, 4, " pixel")
        self.console = _number(1000, 1_000_000, " messages")
        self.console.setSingleStep(10_000)
        self.awake = QCheckBox("&Keep this computer awake while a server on it records")
        self.server = QLineEdit()
        self.server.setPlaceholderText("none: the last one, or the start page")
        self.sync = _choice(_SYNC)
        self.period = _number(1, 7 * 86_400, " s")
        self.overview = _number(1, 10_000_000, " MB")
        self.folder, self.stop_folder = QLineEdit(), QLineEdit()
        self.folder.setPlaceholderText("the last one")
        self.format, self.preset = _choice(_FORMATS), _choice(_PRESETS)
        self.at_stop = QCheckBox("Export each session by itself when it &stops")
        self.at_stop.toggled.connect(self._show_at_stop)
        self.report = QCheckBox("and write a repor&t beside it")
        self.report.setToolTip(
            "A page about the session, to be printed and kept: the file's name with .html at its end"
        )
        self.pattern = QLineEdit()
        self.pattern.setToolTip("{date}, {time}, {name}, {id}, {owner}, and own fields of the session")
        self.markers = QPlainTextEdit()
        self.markers.setTabChangesFocus(True)
        self.markers.setFixedHeight(12 * SPACE)
        self.markers.setToolTip("Offered when a marker is written; one a line, the newest first")
        self.slow = QLabel(_SLOW)
        self.slow.setWordWrap(True)
        self.slow.setMinimumHeight(6 * SPACE)
        self.slow.setProperty("state", "preview")
        self.slow.hide()
        self.width_.valueChanged.connect(lambda width: self.slow.setVisible(width > 1))

    def _show_at_stop(self, is_on: bool) -> None:
        for name, widget in (
            ("export_dir", self._stop_place),
            ("export_pattern", self.pattern),
            ("export_report", self.report),
        ):
            widget.setEnabled(is_on and not self._settings.origin(name))

    def _lay_out(self) -> None:
        self._stop_place = self._with_browse(self.stop_folder)
        window = self._page("&Window")
        self._add(window, "&Theme", self.theme)
        self._add(window, "&Live plot shows", self.window_)
        self._add(window, "T&ime axis", self.time)
        self._add(window, "Curves' &width", self.width_)
        window.addRow("", self.slow)
        self._add(window, "&Console keeps", self.console, "console_messages")
        self._add(window, "", self.awake, "keep_awake")
        server = self._page("Server and co&pies")
        self._add(server, "Connect at start &to", self.server, "server", "At the next start.")
        self._add(server, "&Bring sessions here", self.sync, "sync")
        self._add(server, "&every", self.period, "sync_period_s")
        self._add(server, "&Overviews may take", self.overview, "overview_mb")
        export = self._page("E&xport and markers")
        self._add(export, "&Folder offered", self._with_browse(self.folder))
        self._add(export, "For&mat", self.format, "export_format")
        self._add(export, "P&reset", self.preset, "export_preset")
        self._add(export, "", self.at_stop, "export_dir")
        self._add(export, "i&nto", self._stop_place, "export_dir")
        self._add(export, "&named", self.pattern, "export_pattern")
        self._add(export, "", self.report, "export_report")
        self._add(export, "Texts of mar&kers", self.markers)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        for widget in (self.tabs, self.wrong, self.note, self.buttons):
            column.addWidget(widget, 1 if widget is self.tabs else 0)
        self.setMinimumSize(92 * SPACE, 68 * SPACE)

    def _page(self, title: str) -> QFormLayout:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 0)
        form = QFormLayout()
        column.addLayout(form)
        column.addStretch(1)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        self.tabs.addTab(page, title)
        return form

    def _add(self, form: QFormLayout, label: str, widget: QWidget, key: str = "", remark: str = "") -> None:
        words = QLabel(label)
        words.setBuddy(widget.focusProxy() or widget)
        # Qt measures a text without the room that its underlined letter takes.
        words.setMinimumWidth(words.sizeHint().width() + 4)
        form.addRow(words, widget)
        origin = self._settings.origin(key) if key else ""
        if origin:
            widget.setEnabled(False)
            remark = f"Set by {origin}: change it there."
        if remark:
            small = QLabel(remark)
            small.setWordWrap(True)
            if origin:
                small.setMinimumHeight(5 * SPACE)
            small.setProperty("kind", "muted")
            form.addRow("", small)

    def _with_browse(self, line: QLineEdit) -> QWidget:
        box = QWidget()
        box.setFocusProxy(line)
        browse = QPushButton("Browse…")
        browse.setAutoDefault(False)
        browse.clicked.connect(lambda: self._browse(line))
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(line, 1)
        row.addWidget(browse)
        return box

    def _browse(self, line: QLineEdit) -> None:
        dialog = QFileDialog(self, "Choose a folder", line.text() or str(Path.home()))
        dialog.setFileMode(QFileDialog.Directory)
        dialog.setOption(QFileDialog.ShowDirsOnly)
        dialog.fileSelected.connect(line.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _choice(entries: Iterable[tuple[object, str]]) -> Choice:
    choice = Choice()
    for value, words in entries:
        choice.addItem(words, value)
    choice.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
    return choice


def _choose(choice: Choice, value: object) -> None:
    choice.setCurrentIndex(next(place for place in range(choice.count()) if choice.itemData(place) == value))


def _number(least: int, most: int, unit: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setSuffix(unit)
    box.setButtonSymbols(QAbstractSpinBox.NoButtons)  # the arrow keys do the same
    box.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
    return box
