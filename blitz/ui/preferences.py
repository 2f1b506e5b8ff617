"""What the window remembers from one start to the next: places, theme, window of the plot, servers."""

import contextlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from PyQt5.QtCore import QByteArray, QSettings

from blitz.data.computed import ComputedChannel
from blitz.errors import SeriesError
from blitz.io.address import ServerAddress
from blitz.ui.theme import ThemeChoice
from blitz.ui.windows import DEFAULT_WINDOW, PlotWindow

MOST_SERVERS = 8
MOST_MARKER_TEXTS = 12


@dataclass(frozen=True)
class KnownServer:
    """A server that the window was connected to, as it is remembered."""

    address: str
    name: str = ""
    fingerprint: str = ""
    used_at: datetime | None = None
    is_token_kept: bool | None = None
    """Whether its token is in the key ring; None: nobody was asked."""

    @classmethod
    def read(cls, line: str) -> "KnownServer | None":
        """Read what :attr:`line` wrote; None if it cannot be read."""
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            fields = json.loads(line)
            used_at = datetime.fromisoformat(fields["used_at"]) if fields["used_at"] else None
            return cls(**(fields | {"used_at": used_at}))
        return None

    @property
    def line(self) -> str:
        """All of it in a line of text."""
        return json.dumps(asdict(self) | {"used_at": self.used_at.isoformat() if self.used_at else ""})


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
    def is_plot_stacked(self) -> bool:
        """Whether each channel has a panel of its own."""
        return self._text("plot_stacked") == "yes"

    @is_plot_stacked.setter
    def is_plot_stacked(self, is_stacked: bool) -> None:
        self._settings.setValue("plot_stacked", "yes" if is_stacked else "no")

    @property
    def is_plot_relative(self) -> bool:
        """Whether the live plot counts time from the session's start."""
        return self._text("plot_relative") == "yes"

    @is_plot_relative.setter
    def is_plot_relative(self, is_relative: bool) -> None:
        self._settings.setValue("plot_relative", "yes" if is_relative else "no")

    @property
    def curve_width(self) -> int:
        """How wide the curves of plots are, in pixels."""
        width = self._text("curve_width")
        return int(width) if width.isdecimal() and width != "0" else 1

    @curve_width.setter
    def curve_width(self, width: int) -> None:
        self._settings.setValue("curve_width", str(width))

    @property
    def marker_texts(self) -> tuple[str, ...]:
        """What markers said before, the last one first."""
        return tuple(text for text in self._text("marker_texts").split("\n") if text)

    @marker_texts.setter
    def marker_texts(self, texts: tuple[str, ...]) -> None:
        self._settings.setValue("marker_texts", "\n".join(texts))

    def remember_marker_text(self, text: str) -> None:
        """Put a text at the head of :attr:`marker_texts`, on one line."""
        line = " ".join(text.split())
        if line:
            kept = [line, *(known for known in self.marker_texts if known != line)][:MOST_MARKER_TEXTS]
            self._settings.setValue("marker_texts", "\n".join(kept))

    @property
    def computed_channels(self) -> tuple[ComputedChannel, ...]:
        """The channels that are computed from others."""
        with contextlib.suppress(ValueError, TypeError, SeriesError):
            return tuple(ComputedChannel.from_plain(plain) for plain in json.loads(self._text("computed_channels")))
        return ()

    @computed_channels.setter
    def computed_channels(self, channels: tuple[ComputedChannel, ...]) -> None:
        self._settings.setValue("computed_channels", json.dumps([channel.to_plain() for channel in channels]))

    @property
    def triggers(self) -> dict[str, dict[str, str]]:
        """What the triggers of channels were set to: by a channel's name, texts by their names."""
        with contextlib.suppress(ValueError, AttributeError):
            plain = json.loads(self._text("triggers"))
            return {str(key): {str(name): str(text) for name, text in texts.items()} for key, texts in plain.items()}
        return {}

    @triggers.setter
    def triggers(self, texts: dict[str, dict[str, str]]) -> None:
        self._settings.setValue("triggers", json.dumps(texts))

    @property
    def known_servers(self) -> tuple[KnownServer, ...]:
        """Servers connected to before, the last one first."""
        lines = (line for line in self._text("servers").split("\n") if line)
        return tuple(known for known in map(KnownServer.read, lines) if known is not None)

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses connected to before, the last one first."""
        return tuple(known.address for known in self.known_servers)

    def remember_server(self, server: ServerAddress, name: str = "", now: datetime | None = None) -> None:
        """Put a server at the head of :attr:`known_servers`, with its certificate's fingerprint; never a token."""
        address = str(server)
        before = self.known_server(address) or KnownServer(address)
        known = replace(
            before,
            name=name or before.name or server.host,
            fingerprint=server.fingerprint,
            used_at=now or datetime.now(UTC),
        )
        self._keep_servers([known, *(other for other in self.known_servers if other.address != address)])

    def change_server(self, address: str, server: ServerAddress, name: str) -> None:
        """Remember a server of the list under another address, or name, at the same place."""
        self._keep_servers(
            [
                replace(known, address=str(server), name=name or server.host, fingerprint=server.fingerprint)
                if known.address == address
                else known
                for known in self.known_servers
            ]
        )

    def forget_server(self, address: str) -> None:
        """Remember a server no longer."""
        self._keep_servers([known for known in self.known_servers if known.address != address])

    def remember_token_choice(self, address: str, is_kept: bool) -> None:
        """Keep what the operator chose about a server's token: that it is in the key ring, or nowhere."""
        self._keep_servers(
            [
                replace(known, is_token_kept=is_kept) if known.address == address else known
                for known in self.known_servers
            ]
        )

    def known_server(self, address: str) -> KnownServer | None:
        """Return what is known of a server; None if it was never connected to."""
        return next((known for known in self.known_servers if known.address == address), None)

    def fingerprint(self, address: str) -> str:
        """Return by which fingerprint a server's certificate was known last; empty where none was needed."""
        known = self.known_server(address)
        return known.fingerprint if known is not None else ""

    @property
    def last_place(self) -> str:
        """What was chosen last on the start page: ``server``, ``computer`` or ``demo``; empty before the first time."""
        return self._text("last_place")

    @last_place.setter
    def last_place(self, place: str) -> None:
        self._settings.setValue("last_place", place)

    def _keep_servers(self, servers: list[KnownServer]) -> None:
        self._settings.setValue("servers", "\n".join(known.line for known in servers[:MOST_SERVERS]))

    @property
    def export_folder(self) -> str:
        """The folder of the last export; empty before the first."""
        return self._text("export_folder")

    @export_folder.setter
    def export_folder(self, folder: str) -> None:
        self._settings.setValue("export_folder", folder)

    @property
    def export_choice(self) -> str:
        """What was chosen at the last export, in the words of whoever sets it; empty before the first."""
        return self._text("export_choice")

    @export_choice.setter
    def export_choice(self, choice: str) -> None:
        self._settings.setValue("export_choice", choice)

    @property
    def report_choice(self) -> dict[str, str]:
        """What was chosen for the last report: ``plots``, ``template``, ``author``; empty before the first."""
        with contextlib.suppress(ValueError, AttributeError):
            return {str(name): str(value) for name, value in json.loads(self._text("report_choice")).items()}
        return {}

    @report_choice.setter
    def report_choice(self, choice: dict[str, str]) -> None:
        self._settings.setValue("report_choice", json.dumps(choice))

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
