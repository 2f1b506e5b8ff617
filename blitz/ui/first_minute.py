"""From the start of the window to a server: the start page, the bar of the connection, tokens, servers started here.

Wires what it owns to the feed; the window only lays out :attr:`FirstMinute.page` and the two bars.
"""

from collections.abc import Callable
from functools import partial

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.records import StatusRecord
from blitz.errors import AuthenticationError, ConfigError
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.connect import ConnectDialog
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.formats import format_age
from blitz.ui.found_servers import FoundServers
from blitz.ui.jobs import Jobs
from blitz.ui.key_store import KeyStore
from blitz.ui.local_servers import LocalKind, LocalServers
from blitz.ui.pages.start_page import StartPage
from blitz.ui.preferences import Preferences
from blitz.ui.server_edits import ServerEdits
from blitz.ui.servers import Servers
from blitz.ui.theme import Appearance
from blitz.ui.widgets.connection_bar import ConnectionBar
from blitz.ui.widgets.message_bar import MessageBar
from blitz.ui.widgets.notices import NoticesArea

_TOLD_MS = 15_000
_PLACES = {LocalKind.DEMO: "demo", LocalKind.COMPUTER: "computer"}


class FirstMinute(QObject):
    """Decides between the start page and the pages of a server.

    :param pages: what is shown while there is a server; hidden behind the start page.
    :param header: hidden where there is no server at all.
    """

    def __init__(
        self,
        feed: Feed,
        preferences: Preferences,
        appearance: Appearance,
        jobs: Jobs,
        notices: NoticesArea,
        pages: QWidget,
        header: QWidget,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._preferences = preferences
        self._notices = notices
        self._pages = pages
        self._header = header
        self._window = window
        self._state = ConnectionState(Connection.OFFLINE)
        self._is_recording = False
        self._away_s: float | None = None
        self.is_choosing = False
        """Whether the start page is shown."""
        self.servers = Servers(feed, preferences, KeyStore(parent=self), self)
        self.edits = ServerEdits(self.servers, preferences, self)
        self.local = LocalServers(jobs, parent=self)
        self.found = FoundServers(self)
        self.page = StartPage()
        self.page.hide()
        self.page.set_theme(appearance.theme)
        self.bar = ConnectionBar(lambda: feed.next_try_s, feed.retry_now, self.show_servers)
        self.offer = MessageBar()
        appearance.changed.connect(self.page.set_theme)
        self._listen_to_page()
        self._listen_to_servers()
        feed.connection_changed.connect(self._take_connection)
        feed.status_received.connect(self._take_status)
        feed.session_stopped.connect(self._take_stop)

    def begin(self, server: ServerAddress | None) -> None:
        """Connect to the server that was named, else to the last one, else to the one that runs here, else ask.

        :param server: as settings and command line say; None where they say nothing.
        """
        if server is None and self._preferences.last_place == "server":
            server = next(map(ServerAddress.parse, self._preferences.servers), None)
        if server is not None:
            self.servers.connect_to(server)
            return
        self.show_servers()
        self.local.look(LocalKind.COMPUTER)

    def show_servers(self) -> None:
        """Show the start page, whether there is a server or not."""
        self.page.show_recent(self._preferences.known_servers)
        self._show_way_back()
        self.is_choosing = True
        self._pages.hide()
        self.page.show()
        self._show_header()
        self.found.start()
        self.page.take_focus()

    def leave_page(self) -> None:
        """Go back to the pages of the server."""
        self.is_choosing = False
        self.found.stop()
        self.local.cancel()
        self._end_busy()
        self.page.hide()
        self._pages.show()
        self._show_header()

    def ask_for_token(self, address: str) -> None:
        """Let the operator type what a link would say."""
        dialog = ConnectDialog((address,), self._preferences.fingerprint, self._window)
        dialog.accepted.connect(lambda: self._connect(dialog.server))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        dialog.point_at_token()

    def take_failure(self, failure: RequestFailure) -> bool:
        """Say on the start page why a server is not tried any more; false where it is something else that failed."""
        if not failure.address:
            return False
        name, again = self.servers.name(failure.address), partial(self._connect_text, failure.address)
        choices: list[tuple[str, Callable[[], object]]] = [("&Try again", again)]
        if isinstance(failure.error, AuthenticationError):
            choices.insert(0, ("Enter a &token…", partial(self.ask_for_token, failure.address)))
        self.page.message.say("error", f"Not connected to {name}. {failure.error}", choices)
        return True

    def _connect(self, server: ServerAddress, name: str = "") -> None:
        self.local.cancel()
        self.page.message.clear()
        self.servers.connect_to(server, name)

    def _connect_text(self, text: str) -> None:
        try:
            server = ServerAddress.parse(text)
        except ConfigError as error:
            self.page.message.say("error", str(error))
            return
        if "://" not in text:  # as it was reached before, with TLS or without
            places = map(ServerAddress.parse, self._preferences.servers)
            known = (place for place in places if (place.host, place.port) == (server.host, server.port))
            server = next(known, server)
        self._connect(server)

    def _bring_up(self, kind: LocalKind) -> None:
        self.local.bring_up(kind)
        self._say_busy(f"Looking for the server of “{kind.value}”…", self.local.cancel)

    def _say_busy(self, sentence: str, cancel: Callable[[], object]) -> None:
        self.page.set_busy(True)
        self.page.message.say("info", sentence, [("Cancel", cancel)], is_busy=True)

    def _say_starting(self, kind: LocalKind) -> None:
        what = "A demonstration is" if kind is LocalKind.DEMO else "No server runs here yet: one is"
        self._say_busy(f"{what} started, which takes a few seconds…", self.local.cancel)

    def _end_busy(self) -> None:
        self.page.set_busy(False)
        self.page.message.clear()

    def _connect_own(self, kind: LocalKind, address: ServerAddress) -> None:
        if self.is_choosing:
            self.servers.connect_to_own(address, _PLACES[kind], kind.value)

    def _say_failed(self, kind: LocalKind, reason: str) -> None:
        self.page.message.say("error", reason, [("&Try again", partial(self._bring_up, kind))])

    def _listen_to_page(self) -> None:
        page = self.page
        page.demo_requested.connect(lambda: self._bring_up(LocalKind.DEMO))
        page.computer_requested.connect(lambda: self._bring_up(LocalKind.COMPUTER))
        page.recent_chosen.connect(self._connect_text)
        page.text_entered.connect(self._connect_text)
        page.change_requested.connect(lambda address: self.edits.change(address, self._window))
        page.forget_requested.connect(lambda address: self.edits.remove(address, self._window))
        page.back_requested.connect(self.leave_page)
        page.found_chosen.connect(self._connect_found)
        self.found.changed.connect(page.show_found)
        self.found.failed.connect(lambda: page.show_found((), can_look=False))

    def _listen_to_servers(self) -> None:
        servers, local = self.servers, self.local
        servers.connecting.connect(self.leave_page)
        servers.connecting.connect(self.offer.clear)
        servers.remembered.connect(lambda: self.page.show_recent(self._preferences.known_servers))
        servers.key_awaited.connect(self._say_key_awaited)
        servers.key_settled.connect(self._end_busy)
        servers.keeping_offered.connect(self._offer_keeping)
        local.starting.connect(self._say_starting)
        local.ended.connect(self._end_busy)
        local.found.connect(self._connect_own)
        local.failed.connect(self._say_failed)

    def _connect_found(self, name: str) -> None:
        found = self.found.find(name)
        address = self.found.address(name)
        if found is None or address is None:
            return
        # Under the address of its link, where one was followed before: with that go token and fingerprint.
        hosts = {found.name.lower(), f"{found.name.lower()}.local", *found.addresses}
        known = map(ServerAddress.parse, self._preferences.servers)
        before = next((server for server in known if server.host.lower() in hosts and server.port == found.port), None)
        self._connect(before or address, found.name)

    def _say_key_awaited(self, name: str) -> None:
        if not self.is_choosing:
            self.show_servers()
        self._say_busy(
            f"Asking the key ring for the token of {name}; it may want its password…", self.servers.stop_waiting
        )

    def _offer_keeping(self, address: str) -> None:
        name = self.servers.name(address)
        if not self.servers.has_key_ring:
            sentence = f"This computer has no key ring: the token of {name} is kept until this window closes."
            self._notices.tell("info", sentence, for_ms=_TOLD_MS)
            return

        def choose(is_wanted: bool) -> None:
            self.servers.keep_token(address, is_wanted)
            self.offer.clear()

        self.offer.say(
            "info",
            f"Remember the token of {name} in this computer's key ring? Otherwise it is kept until this window closes.",
            [("Re&member", partial(choose, True)), ("Don't remember", partial(choose, False))],
        )

    def _take_connection(self, state: ConnectionState) -> None:
        self._state = state
        if state.connection is Connection.ONLINE and self.bar.is_lost:
            self._away_s = self.bar.away_s
        self.bar.show_connection(state, self.servers.name(state.address), is_recording=self._is_recording)
        if state.connection is Connection.OFFLINE:
            self.offer.clear()
            self._is_recording = False
            self.show_servers()
        if self.is_choosing:
            self._show_way_back()
            self._show_header()

    def _take_status(self, status: StatusRecord) -> None:
        if self._away_s is not None:
            self._tell_back(self._away_s, is_recording=status.session is not None)
            self._away_s = None
        self._is_recording = status.session is not None

    def _take_stop(self) -> None:
        """A server that is told to end stops its session first: nothing goes on there."""
        self._is_recording = False

    def _tell_back(self, away_s: float, *, is_recording: bool) -> None:
        words = f"The connection to {self.servers.name(self._state.address)} is back after {format_age(round(away_s))}."
        if is_recording and self._is_recording:
            words += " Recording went on there; what is missing here comes now."
        elif self._is_recording:
            words += " The session has ended meanwhile."
        self._notices.tell("info", words, for_ms=_TOLD_MS)

    def _show_way_back(self) -> None:
        is_there = self._state.connection is not Connection.OFFLINE
        self.page.show_way_back(self.servers.name(self._state.address) if is_there else "")

    def _show_header(self) -> None:
        is_there = self._state.connection is not Connection.OFFLINE
        self._header.setVisible(is_there or not self.is_choosing)
