"""What the page of numbers is told and asks for: the server's state, its channels, the whole screen."""

from PyQt5.QtCore import QByteArray, QObject
from PyQt5.QtWidgets import QMainWindow, QTabWidget, QWidget

from blitz.ui.dialogs.number_channels import NumberChannelsDialog
from blitz.ui.feed import Feed
from blitz.ui.full_screen import FullScreen
from blitz.ui.models.variables import VariablesModel
from blitz.ui.pages.numbers_page import MOST_TILES, NumbersPage
from blitz.ui.preferences import Preferences
from blitz.ui.theme import Appearance

_CHANNELS = "numbers channels"


class NumbersActions(QObject):
    """Connects the page with the feed, and keeps its choice of channels.

    :param around: what is hidden while the page has the whole screen.
    """

    def __init__(
        self,
        feed: Feed,
        page: NumbersPage,
        variables: VariablesModel,
        preferences: Preferences,
        appearance: Appearance,
        window: QMainWindow,
    ) -> None:
        super().__init__(window)
        self._page = page
        self._variables = variables
        self._preferences = preferences
        self._window = window
        self.full_screen: FullScreen | None = None
        feed.status_received.connect(page.show_status)
        feed.connection_changed.connect(page.show_connection)
        appearance.changed.connect(page.set_theme)
        page.set_theme(appearance.theme)
        page.channels_wanted.connect(self.ask_for_channels)
        page.full_screen_wanted.connect(self.toggle_full_screen)
        kept = preferences.place(_CHANNELS)
        if kept is not None and kept.size():
            page.choose(tuple(bytes(kept.data()).decode("utf-8", "replace").split("\n")))

    def serve(self, tabs: QTabWidget, *around: QWidget) -> None:
        """Say in which tabs the page stands, and what is hidden while it has the whole screen."""
        self.full_screen = FullScreen(self._window, tabs, self._page, around)
        self.full_screen.changed.connect(self._show_full_screen)

    def toggle_full_screen(self) -> None:
        """Show the numbers on the whole screen, or the window as it was."""
        if self.full_screen is not None:
            self.full_screen.toggle()

    def ask_for_channels(self) -> None:
        """Let the operator choose which channels are shown as numbers."""
        labels = [channel.label for channel in self._variables.channels]
        if not labels:
            return
        page = self._page
        dialog = NumberChannelsDialog(
            labels,
            [channel.label for channel in page.shown],
            is_own=page.chosen is not None,
            most=MOST_TILES,
            parent=self._window,
        )
        dialog.accepted.connect(lambda: self._choose(dialog.chosen))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _choose(self, labels: tuple[str, ...] | None) -> None:
        self._page.choose(labels)
        self._preferences.remember_place(_CHANNELS, QByteArray("\n".join(labels or ()).encode()))

    def _show_full_screen(self, is_on: bool) -> None:
        self._page.full_screen.setText("Leave &full screen (Esc)" if is_on else "&Full screen")
