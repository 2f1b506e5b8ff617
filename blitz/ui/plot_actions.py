"""What can be done with the plot shown, live or of a history, as a menu with every shortcut; and what is remembered."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, Qt
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QActionGroup, QMenu

from blitz.data.blocks import PREVIEW_ID
from blitz.ui.figure_actions import FigureActions
from blitz.ui.kept_triggers import KeptTriggers
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.picture_actions import Page, PictureActions
from blitz.ui.shortcuts import lettered
from blitz.ui.source_rows import COMPUTED
from blitz.ui.widgets.window_choice import window_key
from blitz.ui.windows import PlotWindow

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

_LIVE_ONLY = ("pause", "follow", "reference", "triggers")
_HISTORY_ONLY = ("analysis",)
_OF_ONE_SESSION = ("relative", "mark")


class PlotActions(QObject):
    """Belongs to the window; serves its live page, and each page of a history as it is shown.

    The menu stands before the last one. Its keys do something only while a plot is shown.
    """

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._served: list[HistoryPage | ComparisonPage] = []
        self.pictures = PictureActions(window)
        self._figures = FigureActions(window, self.pictures)
        self._triggers = KeptTriggers(window.preferences)
        self.actions: dict[str, QAction] = {}
        self._windows = QActionGroup(self)
        self.menu = self._build_menu()
        window.menus.update(self.actions)
        self._serve_live(window.live_page)
        window.tabs.currentChanged.connect(lambda _: self._see_page())
        window.tabs.page_closed.connect(self._forget)
        self._see_page()

    @property
    def page(self) -> Page | None:
        """The page with the plot shown; None where another one is."""
        page = self._window.tabs.currentWidget()
        return page if isinstance(page, LivePage | HistoryPage | ComparisonPage) else None

    def _serve_live(self, page: LivePage) -> None:
        window, preferences = self._window, self._window.preferences
        page.marker_requested.connect(
            lambda at_s: window.note_actions.add_marker(self._followed(), at_s, self._sources())
        )
        page.mark_requested.connect(lambda at_s: window.note_actions.mark(self._followed(), at_s, window.store.markers))
        page.marker_chosen.connect(
            lambda marker: window.note_actions.edit_marker(self._followed(), marker, self._sources())
        )
        window.note_actions.marked.connect(self._tell_marked)
        page.window_chosen.connect(self._remember_window)
        page.bar.stacked_chosen.connect(self._remember_stacked)
        page.bar.relative_chosen.connect(self._remember_relative)
        page.bar.picture_clicked.connect(self._make_picture)
        page.triggers.controls.keep_in(self._triggers)
        self._figures.serve_live(page)
        page.set_stacked(preferences.is_plot_stacked)
        page.set_relative(preferences.is_plot_relative)
        page.show_window(preferences.plot_window)

    def _serve_opened(self, page: HistoryPage | ComparisonPage) -> None:
        self._served.append(page)
        page.bar.stacked_chosen.connect(self._remember_stacked)
        page.bar.picture_clicked.connect(self._make_picture)
        page.set_stacked(self._window.preferences.is_plot_stacked)
        if isinstance(page, HistoryPage):
            page.analysis.trigger.controls.keep_in(self._triggers)
            self._figures.serve_history(page)

    def _see_page(self) -> None:
        page = self.page
        if isinstance(page, HistoryPage | ComparisonPage) and page not in self._served:
            self._serve_opened(page)
        is_live = isinstance(page, LivePage)
        left_out = (() if is_live else _LIVE_ONLY) + (_OF_ONE_SESSION if isinstance(page, ComparisonPage) else ())
        left_out += () if isinstance(page, HistoryPage) else _HISTORY_ONLY
        for name, action in self.actions.items():
            action.setEnabled(page is not None and name not in left_out)
        self._windows.setEnabled(is_live)

    def _forget(self, page: object) -> None:
        self._served = [served for served in self._served if served is not page]

    def _followed(self) -> int:
        return self._window.store.session_id or PREVIEW_ID

    def _sources(self) -> tuple[str, ...]:
        return tuple(source.name for source in self._window.store.sources if source.link != COMPUTED)

    def _tell_marked(self, session_id: int, marker: object) -> None:
        if session_id == self._window.store.session_id:
            self._window.live_page.tell_marked(marker)  # type: ignore[arg-type]  # signals carry objects

    def _make_picture(self, kind: str) -> None:
        if self.page is not None:
            self.pictures.make(self.page, kind)

    def _remember_window(self, window: PlotWindow) -> None:
        self._window.preferences.plot_window = window

    def _remember_stacked(self, is_stacked: bool) -> None:
        self._window.preferences.is_plot_stacked = is_stacked

    def _remember_relative(self, is_relative: bool) -> None:
        self._window.preferences.is_plot_relative = is_relative

    def _build_menu(self) -> QMenu:
        menu = QMenu("&Plot", self._window)
        bar = self._window.menuBar()
        bar.insertMenu(bar.actions()[-1], menu)
        self._add(menu, "pause", "&Pause or go on", ["P"], self._on_live(lambda page: page.plot.turn_pause()))
        self._add(menu, "follow", "&Follow the present", ["F"], self._on_live(lambda page: page.plot.follow()))
        windows = menu.addMenu("&Window")
        labels = lettered(f"{window.words[0].upper()}{window.words[1:]}" for window in PlotWindow)
        for window, label in zip(PlotWindow, labels, strict=True):
            action = QAction(label, self)
            action.setShortcut(window_key(window))
            action.setCheckable(True)
            action.triggered.connect(lambda _=False, window=window: self._choose_window(window))
            self._windows.addAction(action)
            windows.addAction(action)
            self.actions[f"window_{window.name.lower()}"] = action
        menu.addSeparator()
        for name, label, keys, act in (
            ("stacked", "&Stacked", ["S"], self._turn_stacked),
            ("relative", "Time from the sta&rt", ["R"], self._turn_relative),
            ("box", "Zoom by a &box", ["B"], self._turn_box),
            ("analysis", "&Analysis", ["A"], self._turn_analysis),
            ("triggers", "&Triggers", ["T"], self._turn_triggers),
        ):
            self._add(menu, name, label, keys, act).setCheckable(True)
        self._add(menu, "zoom_in", "Zoom &in", ["Ctrl++", "Ctrl+="], lambda: self._zoom(0.5))
        self._add(menu, "zoom_out", "Zoom &out", ["Ctrl+-"], lambda: self._zoom(2.0))
        self._add(menu, "reset_zoom", "Reset &zoom", ["Ctrl+0"], self._reset)
        menu.addSeparator()
        reference = self._on_live(lambda _: self._window.reference.ask(None))
        self._add(menu, "reference", "R&eference…", ["U"], reference)
        self._add(menu, "computed", "Comp&uted channels…", ["Ctrl+Shift+F"], self._ask_computed)
        self._add(menu, "mark", "&Mark this moment", ["M"], self._mark)
        menu.addSeparator()
        for kind, name, label, key in (
            ("png", "save_png", "Save as P&NG…", "Ctrl+Shift+P"),
            ("svg", "save_svg", "Save as S&VG…", "Ctrl+Shift+G"),
            ("copy", "copy_picture", "&Copy the picture", "Ctrl+Shift+C"),
        ):
            self._add(menu, name, label, [key], partial(self._make_picture, kind))
        menu.aboutToShow.connect(self._show_choices)
        return menu

    def _add(self, menu: QMenu, name: str, label: str, keys: list[str], act: Callable[[], object]) -> QAction:
        action = QAction(label, self)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.WindowShortcut)
        action.triggered.connect(lambda _=False: act())
        action.setAutoRepeat(False)
        menu.addAction(action)
        self.actions[name] = action
        return action

    def _show_choices(self) -> None:
        page = self.page
        if page is None:
            return
        drawing = page.drawing
        self.actions["stacked"].setChecked(page.bar.stacked.isChecked())
        self.actions["relative"].setChecked(page.bar.relative.isChecked())
        self.actions["box"].setChecked(drawing.drags_box)
        self.actions["analysis"].setChecked(isinstance(page, HistoryPage) and page.analysis.isVisible())
        if isinstance(page, LivePage):
            self.actions["triggers"].setChecked(page.triggers.isVisible())
            self.actions[f"window_{page.plot.view.window.name.lower()}"].setChecked(True)

    def _on_live(self, act: Callable[[LivePage], object]) -> Callable[[], None]:
        def run() -> None:
            page = self.page
            if isinstance(page, LivePage):
                act(page)

        return run

    def _choose_window(self, window: PlotWindow) -> None:
        self._on_live(lambda page: page.show_window(window))()
        self._remember_window(window)

    def _turn_stacked(self) -> None:
        if self.page is not None:
            is_stacked = not self.page.bar.stacked.isChecked()
            self.page.set_stacked(is_stacked)
            self._remember_stacked(is_stacked)

    def _turn_relative(self) -> None:
        if self.page is not None and not isinstance(self.page, ComparisonPage):
            is_relative = not self.page.bar.relative.isChecked()  # the axis follows once there is a time
            self.page.set_relative(is_relative)
            self._on_live(lambda _: self._remember_relative(is_relative))()

    def _turn_box(self) -> None:
        if self.page is not None:
            self.page.set_box(not self.page.drawing.drags_box)

    def _turn_analysis(self) -> None:
        page = self.page
        if isinstance(page, HistoryPage):
            page.set_analysis(not page.analysis.isVisible())

    def _ask_computed(self) -> None:
        self._window.computed_actions.ask(self.page)

    def _turn_triggers(self) -> None:
        self._on_live(lambda page: page.set_triggered(not page.triggers.isVisible()))()

    def _zoom(self, factor: float) -> None:
        if self.page is not None:
            self.page.drawing.zoom(factor)

    def _reset(self) -> None:
        if self.page is not None:
            self.page.reset_zoom()

    def _mark(self) -> None:
        if self.page is not None and not isinstance(self.page, ComparisonPage):
            self.page.mark()
