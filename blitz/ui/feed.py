"""What the window hears and asks, whoever is behind it.

:class:`Feed` is the border between widgets and the network: widgets connect to its signals, which carry immutable
values, and call its requests, which return at once. :class:`blitz.ui.server_link.ServerLink` is the real one; tests
have one without a server. Errors are values: a request that fails ends in ``request_failed``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.board_definition import BoardDefinition
from blitz.data.cache_places import CachePlace
from blitz.data.records import Marker, Role, RunWishes, SessionRecord
from blitz.data.session_words import SessionWords
from blitz.data.source_config import SourceConfig
from blitz.io.address import ServerAddress
from blitz.ui.alarm_view import AlarmWish
from blitz.ui.dialogs.marker import MarkerWords


class Connection(Enum):
    """Whether there is a server to hear."""

    OFFLINE = "Not connected"
    CONNECTING = "Connecting"
    ONLINE = "Connected"
    WAITING = "Connection lost, reconnecting"


@dataclass(frozen=True)
class ConnectionState:
    """How the connection is doing, to which server, and why."""

    connection: Connection
    address: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SessionList:
    """The server's sessions, newest first, and which of them are whole in the local cache."""

    records: tuple[SessionRecord, ...] = ()
    local_ids: frozenset[int] = frozenset()
    gone_ids: frozenset[int] = frozenset()
    """Sessions that the server has no more, or only in its trash: the cache has a copy."""
    older_ids: frozenset[int] = frozenset()
    """Sessions of which there is more than what is here: they have grown, or the rest never came."""
    chosen_ids: frozenset[int] = frozenset()
    """Sessions that synchronisation keeps here, where only chosen ones are."""
    synchronised_at: datetime | None = None
    """When all that is to be synchronised was last brought; None if never."""


@dataclass(frozen=True)
class RequestFailure:
    """A request that was not done: what was tried, and the error."""

    action: str
    error: Exception = field(repr=False)
    session_id: int | None = None
    is_of_recording: bool = False
    """Whether a session was to be started or stopped."""
    address: str = ""
    """Of a server that is not tried any more; empty where the request was of something else."""

    @property
    def sentence(self) -> str:
        """What the operator reads."""
        return f"{self.action}: {self.error}"


@dataclass(frozen=True)
class BoardCommand:
    """What is sent to a board: a line as typed, or a command that its definition names."""

    line: str | None = None
    command: str | None = None
    is_hex: bool = False
    ending: str = "\n"
    value: float | None = None

    @property
    def words(self) -> str:
        """What people read."""
        value = "" if self.value is None else f" {self.value:g}"
        return f"{self.command}{value}" if self.command else self.line or ""


@dataclass(frozen=True)
class CommandOutcome:
    """What became of a command."""

    board: str
    command: BoardCommand
    answer: str = ""
    """What the board said; empty where none was waited for; why there is none, where it failed."""
    has_failed: bool = False


class Feed(QObject):
    """Signals of what happened, and requests; every method is called in the GUI thread and returns at once."""

    connection_changed = pyqtSignal(object)
    """ConnectionState"""
    status_received = pyqtSignal(object)
    """StatusRecord, about once a second"""
    sources_received = pyqtSignal(int, object)
    """session id (0 the preview) and tuple[Source, ...]; comes before that session's readings"""
    readings_received = pyqtSignal(object)
    """Readings"""
    gap_received = pyqtSignal(int, object)
    """session id and Gap"""
    marker_received = pyqtSignal(int, object)
    """session id and Marker, one that was written, changed or deleted"""
    markers_listed = pyqtSignal(int, object)
    """session id and tuple[Marker, ...], all that it has"""
    session_described = pyqtSignal(object)
    """SessionRecord, whole: the answer to ``describe_session``"""
    session_started = pyqtSignal(object)
    """SessionRecord"""
    session_stopped = pyqtSignal(object)
    """SessionRecord"""
    notice_received = pyqtSignal(object)
    """Notice"""
    sessions_listed = pyqtSignal(object)
    """SessionList"""
    sizes_measured = pyqtSignal(object)
    """dict[int, int]: by session id how many bytes its copy here takes, of those that are known"""
    sessions_found = pyqtSignal(str, object)
    """the words that were looked for, and frozenset[int], the ids of the sessions that have them"""
    download_progressed = pyqtSignal(int, int, int)
    """session id, messages here, messages in all; 0 of 0 while it waits"""
    download_measured = pyqtSignal(int, object)
    """session id and Progress, behind each of the signals above that tells of messages"""
    download_finished = pyqtSignal(int)
    download_cancelled = pyqtSignal(int)
    command_answered = pyqtSignal(str, str, str)
    """board, what was sent, answer; the answer is a sentence where none came"""
    definition_answered = pyqtSignal(str, str)
    """board, and why its definition is as before; nothing where the server has taken over the new one"""
    bad_frames_received = pyqtSignal(str, object)
    """board and tuple[BadFrameRecord, ...], oldest first; None where they could not be fetched"""
    request_failed = pyqtSignal(object)
    """RequestFailure"""
    identity_received = pyqtSignal(object)
    """WhoRecord: whom the server takes us for, and what that one may do"""
    trash_listed = pyqtSignal(object)
    """tuple[SessionRecord, ...], what was deleted last first; None where the server has no trash"""
    session_trashed = pyqtSignal(object)
    """SessionRecord: what was asked to be deleted lies in the trash now"""
    cache_opened = pyqtSignal(object)
    """Path or URL of the cache that sessions go into from now on, where it is another one than before"""
    cache_told = pyqtSignal(object)
    """CachePlace of the cache that is in use; comes before ``cache_opened``"""
    cache_chosen = pyqtSignal(object)
    """CachePlace that was asked for, and is used from now on; None: the usual one of each server"""

    raw_received = pyqtSignal(object)
    """MessageBlock, of the running session or the preview, as it came"""
    link_changed = pyqtSignal(object)
    """BoardRecord of a source whose link is in another state now"""
    timeline_received = pyqtSignal(int, object)
    """session id (0 without one) and TimelineEntry: what somebody sent to a board, a step of the clock, and so on"""

    command_settled = pyqtSignal(object)
    """CommandOutcome, beside ``command_answered``"""

    expected_told = pyqtSignal(object)
    """frozenset[str]: names of the sources that should be there when a session is started"""

    device_examined = pyqtSignal(str, object, str)
    """link, FormatProposal or None, and why there is none"""
    source_answered = pyqtSignal(str, str)
    """name of a source that was to be added, and why it was not; nothing where it was"""
    source_unavailable = pyqtSignal(object, str)
    """SourceConfig that was not added, as it cannot be opened now, and why: it can be added for later"""

    alarms_told = pyqtSignal(object)
    """AlarmView, all that there is; None where the server has no alarms"""
    alarm_changed = pyqtSignal(object)
    """AlarmChange"""
    alarm_answered = pyqtSignal(object, str)
    """AlarmWish, and why it was not done; nothing where it was"""

    token_answered = pyqtSignal(object, str)
    """IssuedToken that was asked for, and why there is none; one of the two"""

    streams_listed = pyqtSignal(object)
    """tuple[StreamView, ...]; None where the server did not say"""
    stream_command_told = pyqtSignal(str, object, str)
    """stream, StreamCommand as it stands now or None, and why it was not sent"""

    @property
    def cache_path(self) -> Path | str | None:
        """Where the cache is, a file or a URL; None until a server was reached."""
        return None

    @property
    def cache_folder(self) -> Path | None:
        """The folder of the usual caches, and of the names of others; None where there is none."""
        return None

    def use_cache(self, place: CachePlace | None) -> None:
        """Let sessions go into another cache, and come from it; None: the usual one of each server.

        Downloads under way are cancelled and can be resumed there. ``cache_chosen`` comes when it is done.
        """
        raise NotImplementedError

    def connect_to(self, server: ServerAddress) -> None:
        """Leave the present server and connect to another one, trying again until :meth:`disconnect_from`."""
        raise NotImplementedError

    def disconnect_from(self) -> None:
        """Leave the server; downloads under way are cancelled and can be resumed."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the server and end the feed's threads; waits for them."""

    def start_session(
        self, name: str, notes: str = "", words: SessionWords | None = None, run: RunWishes | None = None
    ) -> None:
        """Ask the server to begin a session; of ``words``, tags and fields count.

        :param run: when it is to end by itself; None: when somebody stops it.
        """
        raise NotImplementedError

    def stop_session(self, session_id: int | None = None) -> None:
        """Ask the server to end the session."""
        raise NotImplementedError

    def refresh_sessions(self) -> None:
        """Ask for the list of sessions."""
        raise NotImplementedError

    def find_sessions(self, words: str) -> None:
        """Ask in which sessions words are, markers included; they come as ``sessions_found``."""

    def download(self, session_id: int) -> None:
        """Bring a session into the cache; a few downloads run beside each other, the others wait."""
        raise NotImplementedError

    def cancel_download(self, session_id: int) -> None:
        """Stop a download; what has come is kept for resuming."""
        raise NotImplementedError

    def choose_session(self, session_id: int, is_chosen: bool) -> None:
        """Bring a session into the cache and keep it up to date there; or no longer: what is here stays."""
        raise NotImplementedError

    def rename_session(self, session_id: int, name: str, notes: str | None = None) -> None:
        """Change name (and notes) on the server."""
        raise NotImplementedError

    def change_session(self, session_id: int, words: SessionWords) -> None:
        """Change name, notes, tags and fields on the server."""
        raise NotImplementedError

    def describe_session(self, session_id: int) -> None:
        """Ask for all that is known of a session; it comes as ``session_described``."""
        raise NotImplementedError

    def add_marker(self, session_id: int, words: MarkerWords) -> None:
        """Write a marker."""
        raise NotImplementedError

    def edit_marker(self, session_id: int, marker: Marker, words: MarkerWords) -> None:
        """Change a marker, based on the version given."""
        raise NotImplementedError

    def delete_marker(self, session_id: int, marker: Marker) -> None:
        """Delete a marker, based on the version given."""
        raise NotImplementedError

    def delete_session(self, session_id: int) -> None:
        """Move a session to the server's trash, and delete its copy in the cache."""
        raise NotImplementedError

    def star_session(self, session_id: int, is_starred: bool) -> None:
        """Let retention keep a session, whatever its age, or no longer."""
        raise NotImplementedError

    def restore_session(self, session_id: int) -> None:
        """Take a session out of the trash."""
        raise NotImplementedError

    def delete_for_good(self, session_id: int) -> None:
        """Delete a session that is in the trash."""
        raise NotImplementedError

    def refresh_trash(self) -> None:
        """Ask for what is in the trash."""
        raise NotImplementedError

    def delete_local_copy(self, session_id: int) -> None:
        """Delete a session from the cache only."""
        raise NotImplementedError

    def send_command(self, board: str, command: BoardCommand) -> None:
        """Send something to a board; the answer comes as ``command_answered``."""
        raise NotImplementedError

    def set_definition(self, board: str, definition: BoardDefinition) -> None:
        """Let the server read a board's messages by another definition from now on."""
        raise NotImplementedError

    def release_port(self, board: str) -> None:
        """Lend a board's port to other programs."""
        raise NotImplementedError

    def retake_port(self, board: str) -> None:
        """Take a port that was lent again."""
        raise NotImplementedError

    def attach_port(self, board: str, port: str) -> None:
        """Say at which port a board is, where several look like it."""
        raise NotImplementedError

    def ask_bad_frames(self, board: str) -> None:
        """Ask for a board's last bad frames; they come as ``bad_frames_received``."""
        raise NotImplementedError

    def look_for_boards(self) -> None:
        """Let the server look for devices anew, and ask silent ones again."""
        raise NotImplementedError

    def rename_source(self, source: str, name: str) -> None:
        """Give a source another name."""
        raise NotImplementedError

    def delete_source(self, source: str) -> None:
        """Let the server forget a source; what was recorded of it stays."""
        raise NotImplementedError

    def enable_source(self, source: str, is_enabled: bool) -> None:
        """Let the server close a source until it is enabled again, or read it again."""
        raise NotImplementedError

    def examine_device(self, link: str, baud: int | None = None) -> None:
        """Let the server listen to a device that is no source yet; the proposal comes as ``device_examined``."""
        raise NotImplementedError

    def listen_on(self, link: str, baud: int | None) -> None:
        """Go on listening to a device that was examined; what has come since comes as ``device_examined``, too."""

    def end_examining(self, link: str) -> None:
        """Listen to it no longer."""

    def add_source(self, source: SourceConfig, later: bool = False) -> None:
        """Configure a source; whether that was done comes as ``source_answered``.

        :param later: whether it can be opened now or not; else that may come as ``source_unavailable`` instead.
        """
        raise NotImplementedError

    def ignore_found(self, port: str) -> None:
        """Ask no more about a new device."""
        raise NotImplementedError

    def refresh_alarms(self) -> None:
        """Ask for alarms and rules; they come as ``alarms_told``."""

    def wish_alarm(self, wish: AlarmWish) -> None:
        """Ask something about alarms; what came of it comes as ``alarm_answered``."""
        raise NotImplementedError

    def make_token(self, role: Role, name: str) -> None:
        """Let the server make a token; it comes as ``token_answered``, this once."""
        raise NotImplementedError

    def list_streams(self) -> None:
        """Ask for the server's streams; they come as ``streams_listed``."""

    def record_stream(self, source: str, is_recorded: bool) -> None:
        """Let the points of a stream that is a source go into sessions, or no longer."""
        raise NotImplementedError

    def send_stream_command(self, stream: str, value: object) -> None:
        """Send a command to a stream's downlink; what becomes of it comes as ``stream_command_told``."""
        raise NotImplementedError

    @property
    def next_try_s(self) -> float | None:
        """While there is no connection: when it is tried again, by ``time.monotonic``; None: just now."""
        return None

    def retry_now(self) -> None:
        """Try a connection that is waited for again at once."""

    def plan_session(
        self,
        start_at: datetime,
        name: str,
        notes: str = "",
        words: SessionWords | None = None,
        run: RunWishes | None = None,
    ) -> None:
        """Let the server start a session at a time."""
        raise NotImplementedError

    def cancel_planned(self, plan_id: int) -> None:
        """Do not start a planned session."""
        raise NotImplementedError

    def change_plan(self, session_id: int, changes: Mapping[str, float | int | None]) -> None:
        """Change when the running session stops by itself.

        :param changes: ``left_s``, ``message_count``, ``repeat_every_s``; None takes one away.
        """
        raise NotImplementedError
