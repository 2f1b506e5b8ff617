"""The real feed: a worker thread with the connection's event loop and the cache that downloads go into."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from PyQt5.QtCore import QObject

from blitz.data.board_definition import BoardDefinition
from blitz.data.cache_places import CachePlace
from blitz.data.records import Marker, Role, RunWishes
from blitz.data.session_words import SessionWords
from blitz.data.source_config import SourceConfig
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.sync_rounds import SyncMode
from blitz.ui.alarm_view import AlarmWish
from blitz.ui.dialogs.marker import MarkerWords
from blitz.ui.feed import BoardCommand, Feed, RequestFailure
from blitz.ui.report import report
from blitz.ui.server_desk import MakeClient, ServerDesk

log = logging.getLogger(__name__)

_LONGEST_RETRY_S = 15.0


class ServerLink(Feed):
    """Owns the thread; requests are begun in the order asked, and carried out beside each other.

    :param cache_dir: the folder of the caches, one a server.
    :param make_client: makes a client of a server; tests give another.
    :param sync_mode: which sessions are brought without being asked for.
    :param sync_period_s: how often.
    :param cache: the cache that sessions go into; None: the usual one of each server.
    """

    def __init__(
        self,
        cache_dir: Path,
        make_client: MakeClient | None = None,
        parent: QObject | None = None,
        *,
        sync_mode: SyncMode = "off",
        sync_period_s: float = 300.0,
        cache: CachePlace | None = None,
    ) -> None:
        super().__init__(parent)
        self._cache = cache
        self._sync = (sync_mode, sync_period_s)
        self._cache_dir = cache_dir
        self._make_client = make_client or _make_client
        self._loop = asyncio.new_event_loop()
        self._desk: ServerDesk | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blitz connection", daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def cache_path(self) -> Path | str | None:
        """Where the cache is; None until a server was reached."""
        place = self._desk.caches.place if self._desk else None
        return None if place is None else place.address

    @property
    def cache_folder(self) -> Path | None:
        """The folder of the usual caches."""
        return self._cache_dir

    def use_cache(self, place: CachePlace | None) -> None:
        """Let sessions go into another cache, and come from it."""
        self._ask("The cache is as before", lambda desk: desk.use_cache(place))

    def connect_to(self, server: ServerAddress) -> None:
        """Leave the present server and connect to another one."""
        self._ask(f"Not connected to {server}", lambda desk: desk.connect(server))

    def disconnect_from(self) -> None:
        """Leave the server."""
        self._ask("Not disconnected", lambda desk: desk.disconnect())

    def start_session(
        self, name: str, notes: str = "", words: SessionWords | None = None, run: RunWishes | None = None
    ) -> None:
        """Ask the server to begin a session."""
        self._ask(
            "The session was not started",
            lambda desk: desk.recording.start(name, notes, words, run),
            is_of_recording=True,
        )

    def stop_session(self, session_id: int | None = None) -> None:
        """Ask the server to end the session."""
        self._ask("The session was not stopped", lambda desk: desk.recording.stop(session_id), is_of_recording=True)

    def refresh_sessions(self) -> None:
        """Ask for the list of sessions."""
        self._ask("The list of sessions is not up to date", lambda desk: desk.sessions.tell())

    def find_sessions(self, words: str) -> None:
        """Ask in which sessions words are."""
        self._ask("Markers were not searched", lambda desk: desk.sessions.find(words))

    def download(self, session_id: int) -> None:
        """Bring a session into the cache."""
        self._ask(
            f"Session {session_id} was not downloaded", lambda desk: desk.sessions.download(session_id), session_id
        )

    def cancel_download(self, session_id: int) -> None:
        """Stop a download."""
        self._ask("The download was not cancelled", lambda desk: desk.sessions.cancel_download(session_id))

    def choose_session(self, session_id: int, is_chosen: bool) -> None:
        """Keep a session in the cache, or no longer."""
        self._ask(f"Session {session_id} is kept as before", lambda desk: desk.sessions.choose(session_id, is_chosen))

    def rename_session(self, session_id: int, name: str, notes: str | None = None) -> None:
        """Change name (and notes) on the server."""
        self._ask(f"Session {session_id} was not renamed", lambda desk: desk.sessions.rename(session_id, name, notes))

    def change_session(self, session_id: int, words: SessionWords) -> None:
        """Change name, notes, tags and fields on the server."""
        self._ask(f"Session {session_id} is as before", lambda desk: desk.notes.change(session_id, words))

    def describe_session(self, session_id: int) -> None:
        """Ask for all that is known of a session."""
        self._ask(f"Session {session_id} cannot be shown", lambda desk: desk.notes.describe(session_id))

    def add_marker(self, session_id: int, words: MarkerWords) -> None:
        """Write a marker."""
        self._ask("The marker was not written", lambda desk: desk.notes.add(session_id, words))

    def edit_marker(self, session_id: int, marker: Marker, words: MarkerWords) -> None:
        """Change a marker."""
        self._ask("The marker is as before", lambda desk: desk.notes.edit(session_id, marker, words))

    def delete_marker(self, session_id: int, marker: Marker) -> None:
        """Delete a marker."""
        self._ask("The marker was not deleted", lambda desk: desk.notes.delete(session_id, marker))

    def delete_session(self, session_id: int) -> None:
        """Move a session to the trash, and delete the copy here."""
        self._ask(f"Session {session_id} was not deleted", lambda desk: desk.delete(session_id))

    def star_session(self, session_id: int, is_starred: bool) -> None:
        """Star a session, or no longer."""
        self._ask(
            f"The star of session {session_id} is as before", lambda desk: desk.trash.star(session_id, is_starred)
        )

    def restore_session(self, session_id: int) -> None:
        """Take a session out of the trash."""
        self._ask(f"Session {session_id} was not restored", lambda desk: desk.trash.restore(session_id))

    def delete_for_good(self, session_id: int) -> None:
        """Delete a session that is in the trash."""
        self._ask(f"Session {session_id} is still in the trash", lambda desk: desk.trash.delete_for_good(session_id))

    def refresh_trash(self) -> None:
        """Ask for what is in the trash."""
        self._ask("The list of the trash is not up to date", lambda desk: desk.trash.tell())

    def delete_local_copy(self, session_id: int) -> None:
        """Delete a session from the cache only."""
        self._ask(
            f"The copy of session {session_id} was not deleted", lambda desk: desk.sessions.delete_local(session_id)
        )

    def send_command(self, board: str, command: BoardCommand) -> None:
        """Send something to a board."""
        self._ask(f"The command was not sent to {board}", lambda desk: desk.boards.command(board, command))

    def set_definition(self, board: str, definition: BoardDefinition) -> None:
        """Let the server read a board's messages by another definition from now on."""
        self._ask(f"The channels of {board} are as before", lambda desk: desk.boards.define(board, definition))

    def release_port(self, board: str) -> None:
        """Lend a board's port to other programs."""
        self._ask(f"The port of {board} was not released", lambda desk: desk.boards.release(board))

    def retake_port(self, board: str) -> None:
        """Take a port that was lent again."""
        self._ask(f"The port of {board} was not taken again", lambda desk: desk.boards.retake(board))

    def attach_port(self, board: str, port: str) -> None:
        """Say at which port a board is."""
        self._ask(f"{board} was not attached to {port}", lambda desk: desk.boards.attach(board, port))

    def ask_bad_frames(self, board: str) -> None:
        """Ask for a board's last bad frames."""
        self._ask(f"The bad frames of {board} were not fetched", lambda desk: desk.boards.list_bad_frames(board))

    def look_for_boards(self) -> None:
        """Let the server look for devices anew."""
        self._ask("Devices were not looked for", lambda desk: desk.boards.scan())

    def rename_source(self, source: str, name: str) -> None:
        """Give a source another name."""
        self._ask(f"{source} was not renamed", lambda desk: desk.boards.rename(source, name))

    def delete_source(self, source: str) -> None:
        """Let the server forget a source."""
        self._ask(f"{source} was not deleted", lambda desk: desk.boards.delete(source))

    def enable_source(self, source: str, is_enabled: bool) -> None:
        """Let the server close a source until it is enabled again, or read it again."""
        what = "enabled" if is_enabled else "disabled"
        self._ask(f"{source} was not {what}", lambda desk: desk.boards.enable(source, is_enabled))

    def examine_device(self, link: str, baud: int | None = None) -> None:
        """Let the server listen to a device that is no source yet."""
        self._ask(f"{link} was not listened to", lambda desk: desk.devices.examine(link, baud))

    def listen_on(self, link: str, baud: int | None) -> None:
        """Go on listening to a device that was examined."""
        self._ask(f"{link} was not listened to", lambda desk: desk.devices.listen_on(link, baud))

    def end_examining(self, link: str) -> None:
        """Listen to it no longer."""
        self._ask(f"{link} is still listened to", lambda desk: desk.devices.end_examining(link))

    def add_source(self, source: SourceConfig, later: bool = False) -> None:
        """Configure a source."""
        self._ask(f"{source.name} was not added", lambda desk: desk.devices.add(source, later))

    def ignore_found(self, port: str) -> None:
        """Ask no more about a new device."""
        self._ask(f"The device at {port} is asked about as before", lambda desk: desk.devices.ignore(port))

    def refresh_alarms(self) -> None:
        """Ask for alarms and rules."""
        self._ask("The list of alarms is not up to date", lambda desk: desk.alarms.tell())

    def wish_alarm(self, wish: AlarmWish) -> None:
        """Ask something about alarms."""
        self._ask(wish.failure, lambda desk: desk.alarms.do(wish))

    def make_token(self, role: Role, name: str) -> None:
        """Let the server make a token."""
        self._ask("No token was made", lambda desk: desk.tokens.make(role, name))

    def list_streams(self) -> None:
        """Ask for the server's streams."""
        self._ask("Streams were not listed", lambda desk: desk.streams.tell())

    def record_stream(self, source: str, is_recorded: bool) -> None:
        """Record a stream that is shown, or no longer."""
        what = "is not recorded" if is_recorded else "is recorded as before"
        self._ask(f"{source} {what}", lambda desk: desk.streams.record(source, is_recorded))

    def send_stream_command(self, stream: str, value: object) -> None:
        """Send a command to a stream's downlink."""
        self._ask(f"The command was not sent to {stream}", lambda desk: desk.streams.send(stream, value))

    @property
    def next_try_s(self) -> float | None:
        """When a connection is tried again that is waited for."""
        return self._desk.next_try_s if self._desk else None

    def retry_now(self) -> None:
        """Try a connection that is waited for again at once."""
        self._ask("Not tried again", lambda desk: desk.retry_now())

    def plan_session(
        self,
        start_at: datetime,
        name: str,
        notes: str = "",
        words: SessionWords | None = None,
        run: RunWishes | None = None,
    ) -> None:
        """Let the server start a session at a time."""
        self._ask(
            "The session was not planned",
            lambda desk: desk.recording.plan(start_at, name, notes, words, run),
            is_of_recording=True,
        )

    def cancel_planned(self, plan_id: int) -> None:
        """Do not start a planned session."""
        self._ask("The session is planned as before", lambda desk: desk.recording.cancel_planned(plan_id))

    def change_plan(self, session_id: int, changes: Mapping[str, float | int | None]) -> None:
        """Change when the running session stops by itself."""
        self._ask("The session stops as before", lambda desk: desk.recording.change_plan(session_id, changes))

    def synchronise_by(self, mode: SyncMode, period_s: float) -> None:
        """Bring other sessions from now on, or at other times."""

        async def change(desk: ServerDesk) -> None:
            desk.synchronise_by(mode, period_s)

        self._ask("Synchronisation is as before", change)

    def close(self) -> None:
        """Leave the server and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _ask(
        self,
        action: str,
        request: Callable[[ServerDesk], Awaitable[None]],
        session_id: int | None = None,
        *,
        is_of_recording: bool = False,
    ) -> None:
        def begin() -> None:
            if self._desk is None:
                return
            attempt = report(self, action, request(self._desk), session_id, is_of_recording=is_of_recording)
            task = self._loop.create_task(attempt)
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)

        try:
            self._loop.call_soon_threadsafe(begin)
        except RuntimeError as error:
            self.request_failed.emit(RequestFailure(action, error, session_id, is_of_recording))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._desk = ServerDesk(self, self._cache_dir, self._make_client, *self._sync, self._cache)
            self._started.set()
            self._loop.run_forever()
            self._loop.run_until_complete(self._end(self._desk))
        except Exception as error:
            log.exception("The connection's thread ended")
            self.request_failed.emit(RequestFailure("The connection ended by a fault in Blitz, sorry", error))
        finally:
            self._started.set()
            self._loop.close()

    async def _end(self, desk: ServerDesk) -> None:
        await desk.close()
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)


def _make_client(server: ServerAddress) -> AsyncClient:
    return AsyncClient(server, max_wait_retry=_LONGEST_RETRY_S)
