"""What the feed tells, as lines for the page of events: what is wrong, and what to do. Pure but for the clock given."""

from datetime import UTC, datetime

from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import BoardRecord, Gap, LinkState, Marker, Notice, SessionRecord, TimelineEntry, TimelineKind
from blitz.ui.board_causes import cause_of
from blitz.ui.board_watch import Watched
from blitz.ui.event_log import EventLine, Severity
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_duration, gap_words, message_words

SERVER = "server"
_TROUBLE = (LinkState.AWAY, LinkState.SILENT, LinkState.AMBIGUOUS)
_WELL = (LinkState.READY, LinkState.RECORDING)


def line_of_notice(notice: Notice) -> EventLine:
    """A notice of the server's, or of this program's own."""
    board = notice.source or ""
    return EventLine(notice.time, Severity.of(notice.severity), board or SERVER, notice.text, board)


def line_of_gap(session_id: int, gap: Gap, board: str) -> EventLine:
    """A gap that began, has ended, or of which more is known: always the same line."""
    return EventLine(
        _moment(gap.to_ns or gap.from_ns),
        Severity.WARNING,
        board,
        f"Gap: {gap_words(gap)}.",
        board,
        gap.from_ns / 1e9,
        ("gap", session_id, gap.source, gap.from_ns),
    )


def line_of_session(session: SessionRecord) -> EventLine:
    """A session that was started or stopped."""
    title = f"Session {session.id}" + (f" “{session.name}”" if session.name else "")
    if session.is_running:
        who = f" by {session.owner}" if session.owner else ""
        return EventLine(session.started_at, Severity.INFO, SERVER, f"{title} was started{who}.")
    stopped = session.stopped_at or session.started_at
    length = format_duration((stopped - session.started_at).total_seconds())
    words = [f"{title} ended after {length} with {message_words(session.message_count)}"]
    words += [session.verdict] if session.verdict else []
    reason = f" {session.stop_reason}" if session.stop_reason else ""
    is_planned = session.ended_as_planned or not (session.stop_reason or session.interrupted)
    severity = Severity.INFO if is_planned else Severity.WARNING
    return EventLine(stopped, severity, SERVER, f"{': '.join(words)}.{reason}")


def line_of_marker(session_id: int, marker: Marker) -> EventLine:
    """A marker that was written, changed or deleted."""
    verb = "deleted" if marker.is_deleted else "written" if marker.version == 1 else "changed"
    who = f" by {marker.who}" if marker.who else ""
    return EventLine(
        marker.changed_at,
        Severity.INFO,
        marker.source or f"session {session_id}",
        f"Marker “{marker.text}” was {verb}{who}.",
        marker.source or "",
        marker.from_ns / 1e9,
        ("marker", session_id, marker.id),
    )


def line_of_entry(session_id: int, entry: TimelineEntry) -> EventLine:
    """Something on a session's time line."""
    is_trouble = entry.kind is TimelineKind.CLOCK_STEP or bool(entry.error)
    who = f" By {entry.who}." if entry.who else ""
    outcome = entry.error or (f"Answer: {entry.answer}." if entry.answer else "")
    return EventLine(
        _moment(entry.time_ns),
        Severity.WARNING if is_trouble else Severity.INFO,
        entry.source or SERVER,
        " ".join(part for part in (entry.text, outcome) if part) + who,
        entry.source or "",
        entry.time_ns / 1e9 if session_id != PREVIEW_ID else None,
    )


class LinkEvents:
    """Tells of boards that go and come back; what changes without trouble is no event."""

    def __init__(self) -> None:
        self._away: dict[str, tuple[datetime, str]] = {}
        """Since when, and where the board was."""
        self._told: dict[str, tuple[LinkState, str | None]] = {}

    def line(self, board: BoardRecord, now: datetime) -> EventLine | None:
        """Return what is to be told of a board's new state; None: nothing."""
        if board.state in _TROUBLE:
            told = (board.state, board.error)
            if self._told.get(board.name) == told:
                return None
            self._told[board.name] = told
            self._away.setdefault(board.name, (now, board.link))
            cause = cause_of(board, Watched(), now)
            return EventLine(now, Severity.of(cause.severity.value), board.name, cause.sentence, board.name)
        if board.state not in _WELL or board.name not in self._away:
            return None
        since, link = self._away.pop(board.name)
        self._told.pop(board.name, None)
        away = format_duration((now - since).total_seconds())
        where = f", at {board.link}" if board.link != link else ""
        return EventLine(now, Severity.INFO, board.name, f"{board.name} is back after {away}{where}.", board.name)


class ConnectionEvents:
    """Tells of the connection to the server."""

    def __init__(self) -> None:
        self._state = ConnectionState(Connection.OFFLINE)
        self._lost_at: datetime | None = None

    def line(self, state: ConnectionState, now: datetime) -> EventLine | None:
        """Return what is to be told of the connection's new state; None: nothing."""
        before, self._state = self._state, state
        if state.connection is Connection.ONLINE and self._lost_at is not None:
            lost = format_duration((now - self._lost_at).total_seconds())
            self._lost_at = None
            text = f"The connection is back after {lost}; what the boards sent meanwhile is fetched."
            return EventLine(now, Severity.INFO, SERVER, text)
        if state.connection is before.connection:
            return None
        if state.connection is Connection.ONLINE:
            return EventLine(now, Severity.INFO, SERVER, f"Connected to {state.address}.")
        if state.connection is Connection.WAITING:
            self._lost_at = self._lost_at or now
            reason = f" ({state.reason.rstrip('.')})" if state.reason else ""
            text = (
                f"The connection to {state.address} was lost{reason}. The server goes on recording; Blitz tries again "
                "by itself. If it does not come back: is the server running, and the network up?"
            )
            return EventLine(now, Severity.ERROR, SERVER, text)
        if state.connection is Connection.OFFLINE:
            self._lost_at = None
            return EventLine(now, Severity.INFO, SERVER, f"Left {before.address}.")
        return None


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
