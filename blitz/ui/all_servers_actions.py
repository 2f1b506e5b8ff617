"""What can be done with all servers at once: see how they are, switch between them, open and bring their sessions."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PyQt5.QtCore import QObject
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QWidget

from blitz.data.profiles import Profile, read_profiles
from blitz.errors import ConfigError
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.all_servers import AllServersDialog
from blitz.ui.feed import Connection, ConnectionState, Feed, SessionList
from blitz.ui.found_servers import FoundServers
from blitz.ui.last_values import LastValue
from blitz.ui.models.all_servers import ServerRow, SessionRow
from blitz.ui.pages.start_page import FoundRow
from blitz.ui.preferences import Preferences
from blitz.ui.server_edits import ServerEdits
from blitz.ui.servers import Servers
from blitz.ui.servers_watch import CopyState, ServerNow, ServersWatch
from blitz.ui.session_actions import SessionActions
from blitz.ui.widgets.notices import NoticesArea

log = logging.getLogger(__name__)

PROFILE, BEFORE, FOUND = "profile", "connected to before", "found on the network"
_TOLD_MS = 15_000


class AllServersActions(QObject):
    """Owns the watch, which runs from the first time that the list is opened until the window closes.

    Servers are watched while the list is open, and no longer.
    """

    def __init__(
        self,
        feed: Feed,
        servers: Servers,
        preferences: Preferences,
        sessions: SessionActions,
        notices: NoticesArea,
        font: QFont,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._servers = servers
        self._preferences = preferences
        self._edits = ServerEdits(servers, preferences, self)
        self._sessions = sessions
        self._notices = notices
        self._font = font
        self._window = window
        self._state = ConnectionState(Connection.OFFLINE)
        self._watch: ServersWatch | None = None
        self._places: dict[str, ServerRow] = {}
        self._found_rows: tuple[FoundRow, ...] = ()
        self._wish: tuple[str, int] | None = None
        """The session that is opened as soon as its server lists it."""
        self.dialog: AllServersDialog | None = None
        self.found = FoundServers(self)
        self.found.changed.connect(self._take_found)
        feed.connection_changed.connect(self._take_connection)
        feed.sessions_listed.connect(self._take_sessions)
        servers.changed.connect(lambda address: self._places.pop(address, None))  # with the token from before
        servers.remembered.connect(self._gather)

    def ask(self) -> None:
        """Open the list; a second time, bring it to the front."""
        if self.dialog is not None:
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        dialog = self.dialog = AllServersDialog(self._font, self._window)
        dialog.switch_requested.connect(self._switch)
        dialog.change_requested.connect(lambda row: self._edits.change(row.address, dialog))
        dialog.remove_requested.connect(lambda row: self._edits.remove(row.address, dialog))
        dialog.open_requested.connect(self._open)
        dialog.download_requested.connect(self._download)
        dialog.server_chosen.connect(self._show_values)
        dialog.finished.connect(self._leave)
        self.found.start()
        self._gather()
        dialog.show()

    def close(self) -> None:
        """Watch no server any more, and end the thread."""
        if self.dialog is not None:
            self.dialog.reject()
        self.found.stop()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
            watch.join()

    def _leave(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()
        self.found.stop()
        self._places.clear()
        if self._watch is not None:
            self._watch.follow(())  # downloads go on
            self._watch.show_values(None)

    def _gather(self) -> None:
        """Put together the servers that are known, and watch them."""
        if self.dialog is None:
            return
        before, self._places = self._places, {}
        for profile in _profiles():
            self._add(profile.name, PROFILE, partial(_address_of, profile))
        for known in self._preferences.known_servers:
            parse = partial(ServerAddress.parse, known.address, fingerprint=known.fingerprint)
            self._add(self._servers.name(known.address), BEFORE, parse, is_stored=True)
        for server in self._servers.connected:
            self._add(self._servers.name(str(server)), BEFORE, partial(ServerAddress.parse, server))
        for row in self._found_rows:
            announced = self.found.address(row.key)
            if announced is not None:
                self._add(row.name, FOUND, partial(ServerAddress.parse, announced))
        for address, place in self._places.items():
            known_before = before.get(address)
            if known_before is not None:
                # A token that was asked for before stays, unless it comes with the address.
                server = place.server if place.server.token else known_before.server
                self._places[address] = replace(place, server=server, now=known_before.now)
            elif not place.server.token:
                self._servers.recall(place.server, partial(self._take_token, address))
        self._follow()
        self._show()

    def _add(self, name: str, origin: str, parse: Callable[[], ServerAddress], *, is_stored: bool = False) -> None:
        try:
            server = parse()
        except ConfigError as error:
            log.warning("The server %s is left out: %s", name, error)
            return
        self._places.setdefault(str(server), ServerRow(server, name, origin, is_stored=is_stored))

    def _take_token(self, address: str, server: ServerAddress) -> None:
        place = self._places.get(address)
        if place is not None and server != place.server:
            self._places[address] = replace(place, server=server)
            self._follow()
            if self.dialog is not None and self.dialog.selected_server is not None:
                self._show_values(self._places.get(self.dialog.selected_server.address))

    def _follow(self) -> None:
        if self._watch is None:
            self._watch = ServersWatch(self._take_now, self._take_copy, self._take_values, self)
        self._watch.follow(place.server for place in self._places.values())

    def _take_now(self, now: ServerNow) -> None:
        place = self._places.get(now.address)
        if place is not None:
            self._places[now.address] = replace(place, now=now)
            self._show()

    def _take_found(self, rows: tuple[FoundRow, ...]) -> None:
        self._found_rows = rows
        self._gather()

    def _show(self) -> None:
        if self.dialog is None:
            return
        known = {_store(place) for place in self._places.values() if place.origin != FOUND}
        current = "" if self._state.connection is Connection.OFFLINE else self._state.address
        self.dialog.show_servers(
            [
                replace(place, is_current=place.address == current)
                for place in self._places.values()
                # The same one, announced under another address than the one that it is known by.
                if place.origin != FOUND or not _store(place) or _store(place) not in known
            ]
        )

    def _switch(self, row: ServerRow) -> None:
        if not row.is_current:
            self._servers.connect_to(row.server, row.name)
        self._window.raise_()
        self._window.activateWindow()

    def _open(self, row: SessionRow) -> None:
        if row.row.is_current and self._state.connection is Connection.ONLINE:
            self._wish = None
            self._sessions.view(row.record.id)
        else:
            self._switch(row.row)
            self._wish = row.key
        self._window.raise_()
        self._window.activateWindow()

    def _download(self, row: SessionRow) -> None:
        if row.row.is_current and self._state.connection is Connection.ONLINE:
            self._sessions.download(row.record.id)
            self._say(f"Session {row.record.id} of {row.row.name} is being downloaded: see the page Sessions.")
            return
        folder = self._feed.cache_folder
        if folder is not None and self._watch is not None:
            self._watch.download(row.row.server, row.record.id, folder)
            self._say(f"Session {row.record.id} of {row.row.name} is being downloaded…")

    def _take_copy(self, state: CopyState) -> None:
        what = f"Session {state.session_id} of {self._servers.name(state.address)}"
        if not state.is_finished:
            share = 100 * state.done // state.total if state.total else 0
            self._say(f"{what} is being downloaded: {share} %")
        elif state.error:
            self._say("")
            self._notices.tell("error", f"{what} was not downloaded: {state.error}")
        else:
            self._say(f"{what} is on this computer.")
            self._notices.tell("info", f"{what} is on this computer.", for_ms=_TOLD_MS)

    def _show_values(self, row: ServerRow | None) -> None:
        if self._watch is not None:
            self._watch.show_values(None if row is None else row.server)

    def _take_values(self, address: str, values: tuple[LastValue, ...]) -> None:
        if self.dialog is not None:
            self.dialog.show_values(address, values, time.time())

    def _say(self, words: str) -> None:
        if self.dialog is not None:
            self.dialog.say(words)

    def _take_connection(self, state: ConnectionState) -> None:
        self._state = state
        if self._wish is not None and (state.connection is Connection.OFFLINE or state.address != self._wish[0]):
            self._wish = None
        self._gather()

    def _take_sessions(self, sessions: SessionList) -> None:
        if self._wish is None or self._state.connection is not Connection.ONLINE:
            return
        session_id = self._wish[1]
        if any(record.id == session_id for record in sessions.records):
            self._wish = None
            self._sessions.view(session_id)


def _profiles() -> list[Profile]:
    try:
        return list(read_profiles().by_name.values())
    except ConfigError as error:
        log.warning("Profiles are left out: %s", error)
        return []


def _address_of(profile: Profile) -> ServerAddress:
    return ServerAddress.parse(profile.server, token=profile.token, fingerprint=profile.fingerprint)


def _store(place: ServerRow) -> str:
    return place.now.status.store_id if place.now is not None and place.now.status is not None else ""
