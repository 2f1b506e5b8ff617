"""Opens the settings, keeps what is chosen, each in one place, and puts it in force at once."""

from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.config import ClientSettings
from blitz.data.kept_settings import KeptSettings
from blitz.errors import CacheError
from blitz.ui.dialogs.settings import SettingsDialog
from blitz.ui.settings_wish import Looks, SettingsWish

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

_RULE = "What a settings file, a variable BLITZ_… or the command line says counts before it, and is greyed."


class SettingsActions(QObject):
    """Looks are kept with the window's places; what the client does, in a Config table."""

    client_changed = pyqtSignal(object)
    """ClientSettings that are in force from now on"""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._told = ClientSettings.model_validate({})
        self._kept: KeptSettings | None = None
        self.settings = self._told
        """What is in force."""
        window.appearance.set_curve_width(window.preferences.curve_width)

    def use(self, told: ClientSettings, kept: KeptSettings) -> None:
        """Work on these settings.

        :param told: what settings file, variables and command line say.
        :param kept: what was chosen in the window, and will be.
        """
        self._told, self._kept = told, kept
        self._put_in_force()

    def ask(self) -> None:
        """Let the operator see and change the settings."""
        preferences = self._window.preferences
        looks = Looks(
            self._window.appearance.choice,
            preferences.plot_window,
            preferences.is_plot_relative,
            preferences.curve_width,
            preferences.export_folder,
            preferences.marker_texts,
        )
        dialog = SettingsDialog(looks, self.settings, self._note(), self._window)
        dialog.accepted.connect(lambda: self.keep(dialog.wish))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def keep(self, wish: SettingsWish) -> None:
        """Keep what the operator wants, and put it in force."""
        self._keep_looks(wish.looks)
        if self._kept is None:
            self._kept = KeptSettings()
        try:
            self._kept.keep(wish.chosen)
        except CacheError as error:
            self._window.notices.tell("error", f"The settings were not kept: {error}")
        self._put_in_force()

    def _keep_looks(self, looks: Looks) -> None:
        window, preferences = self._window, self._window.preferences
        preferences.export_folder = looks.export_folder
        preferences.marker_texts = looks.marker_texts
        preferences.is_plot_relative = looks.is_relative
        preferences.curve_width = looks.curve_width
        window.live_page.set_relative(looks.is_relative)
        if looks.plot_window is not preferences.plot_window:
            preferences.plot_window = looks.plot_window
            window.live_page.show_window(looks.plot_window)
        window.appearance.set_curve_width(looks.curve_width)
        window.choose_theme(looks.theme)

    def _put_in_force(self) -> None:
        self.settings = settings = self._told if self._kept is None else self._kept.applied_to(self._told)
        origin = settings.origin("cache") or ("the server's profile" if settings.cache else "")
        self._window.cache_actions.refuse(f"Set by {origin}: change it there." if origin else "")
        self._window.console.ring.resize(settings.console_messages)
        self._window.session_actions.export_defaults = (settings.export_format, settings.export_preset)
        self._window.session_actions.reports.usual_template = settings.report_template
        self.client_changed.emit(settings)

    def _note(self) -> str:
        kept = self._kept
        if kept is None or kept.path is None:
            return _RULE
        if kept.problem:
            return f"What is chosen here lasts until the window closes: {kept.problem}"
        return f"Kept in {kept.path}, and in force at once. {_RULE}"
