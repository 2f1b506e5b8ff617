"""What the window remembers from one start to the next: places, theme, window of the plot, servers."""

from PyQt5.QtCore import QByteArray, QSettings

from blitz.io.address import ServerAddress
from blitz.ui.theme import ThemeChoice
from blitz.ui.windows import DEFAULT_WINDOW, PlotWindow

MOST_SERVERS = 8


class Preferences:
    """Typed access to the settings file of the window; a value that cannot be read counts as never chosen."""

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    @property
    def theme(self) -> ThemeChoice:
        """The chosen theme."""
        name = self._text("theme")
        return ThemeChoice[name] if name in ThemeChoice.__members__ else ThemeChoice.SYSTEM

    @theme.setter
    def theme(self, choice: ThemeChoice) -> None:
        self._settings.setValue("theme", choice.name)

    @property
    def plot_window(self) -> PlotWindow:
        """The chosen window of the live plot."""
        name = self._text("plot_window")
        return PlotWindow[name] if name in PlotWindow.__members__ else DEFAULT_WINDOW

    @plot_window.setter
    def plot_window(self, window: PlotWindow) -> None:
        self._settings.setValue("plot_window", window.name)

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses connected to before, the last one first."""
        return tuple(part for part in self._text("servers").split("\n") if part)

    def remember_server(self, server: ServerAddress) -> None:
        """Put an address at the head of :attr:`servers`, and keep its certificate's fingerprint; never a token."""
        address = str(server)
        kept = [address, *(known for known in self.servers if known != address)][:MOST_SERVERS]
        self._settings.setValue("servers", "\n".join(kept))
        fingerprints = {known: self.fingerprint(known) for known in kept} | {address: server.fingerprint}
        lines = (f"{known} {fingerprint}" for known, fingerprint in fingerprints.items() if fingerprint)
        self._settings.setValue("fingerprints", "\n".join(lines))

    def fingerprint(self, address: str) -> str:
        """Return by which fingerprint a server's certificate was known last; empty where none was needed."""
        known = (line.partition(" ") for line in self._text("fingerprints").split("\n"))
        return next((fingerprint for server, _, fingerprint in known if server == address), "")

    @property
    def export_folder(self) -> str:
        """The folder of the last export; empty before the first."""
        return self._text("export_folder")

    @export_folder.setter
    def export_folder(self, folder: str) -> None:
        self._settings.setValue("export_folder", folder)

    def place(self, name: str) -> QByteArray | None:
        """Return what ``saveGeometry`` or ``saveState`` gave for this name."""
        value = self._settings.value(f"places/{name}")
        return value if isinstance(value, QByteArray) else None

    def remember_place(self, name: str, state: QByteArray) -> None:
        """Keep what ``saveGeometry`` or ``saveState`` gave."""
        self._settings.setValue(f"places/{name}", state)

    def _text(self, name: str) -> str:
        value = self._settings.value(name, "")
        return value if isinstance(value, str) else ""
