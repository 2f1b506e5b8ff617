"""What the head of the window says: what the server does, of which session, and what became of its messages. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from blitz.data.records import Account, LinkState, SessionRecord, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_count, format_span, loss_words, room_words
from blitz.ui.models.sessions import session_title

_MISSING = {
    LinkState.AWAY: "away",
    LinkState.RELEASED: "away",
    LinkState.SILENT: "silent",
    LinkState.IDENTIFYING: "is back, being identified",
}


class Doing(Enum):
    """What the server does, as far as is known."""

    RECORDING = "recording"
    SPOOLING = "spooling"
    """Recording to the disk, as the store is away."""
    PREVIEW = "preview"
    STOPPED = "stopped"
    """Neither recording nor showing values."""
    OFFLINE = "offline"
    CONNECTING = "connecting"


@dataclass(frozen=True)
class HeadWords:
    """What stands beside the light."""

    doing: Doing
    state: str
    detail: str


def head_words(
    connection: ConnectionState, status: StatusRecord | None, last_seen: SessionRecord | None, own_name: str = ""
) -> HeadWords:
    """Return what the server does.

    :param status: as the server told last on this connection.
    :param last_seen: the session that ran when the connection was lost.
    :param own_name: whom the server takes us for.
    """
    if connection.connection is Connection.OFFLINE:
        return HeadWords(Doing.OFFLINE, "Not connected", "Server ▸ Servers… (Ctrl+K)")
    if connection.connection is not Connection.ONLINE or status is None:
        words = "Reconnecting…" if connection.connection is Connection.WAITING else "Connecting…"
        last = f"last seen recording “{session_title(last_seen)}”" if last_seen is not None else connection.address
        return HeadWords(Doing.CONNECTING, words, last)
    session = status.session
    if session is not None:
        by = "" if not session.owner or session.owner == own_name else f" · by {owner_words(session.owner)}"
        if not status.store.is_up:
            count = format_count(status.store.spooled_messages)
            return HeadWords(
                Doing.SPOOLING, "Recording to disk", f"{session_title(session)}{by} · store away, {count} messages safe"
            )
        return HeadWords(Doing.RECORDING, "Recording", f"{session_title(session)}{by}")
    room = room_words(status.room) if status.room is not None else ""
    if status.preview:
        return HeadWords(Doing.PREVIEW, "Not recording", _join("Shown, not kept", room))
    return HeadWords(Doing.STOPPED, "Stopped", _join("Preview is off", room))


@dataclass(frozen=True)
class Losses:
    """The account of the running session in a line."""

    words: str
    is_bad: bool = False
    by_source: tuple[str, ...] = ()


def losses_of(status: StatusRecord) -> Losses:
    """Return what became of the running session's messages.

    >>> from datetime import UTC, datetime
    >>> from blitz.data.records import StoreRecord
    >>> record = SessionRecord(id=1, started_at=datetime.now(UTC), accounts=(Account(source=0, name="sim1"),))
    >>> status = StatusRecord(version="", store_id="", now=datetime.now(UTC), session=record,
    ...                       store=StoreRecord(is_up=True))
    >>> losses_of(status)
    Losses(words='nothing lost', is_bad=False, by_source=('sim1: nothing lost',))
    """
    accounts = _accounts(status)
    is_bad = any(
        account.lost or account.gaps or account.messages_dropped or not account.is_balanced for account in accounts
    )
    words = loss_words(accounts) if accounts else "no account yet"
    known = {account.name for account in accounts}
    missing = [
        f"{board.name} {_MISSING[board.state]}"
        for board in status.boards
        if board.state in _MISSING and (board.state is not LinkState.IDENTIFYING or board.name in known)
    ]
    if missing:  # what is lost of it is known only when it is back
        words, is_bad = ", ".join([*missing, *([words] if is_bad else [])]), True
    return Losses(words, is_bad, tuple(f"{account.name}: {loss_words([account])}" for account in accounts))


def owner_words(owner: str) -> str:
    """Name who started a session.

    >>> owner_words("ada@bench-pc"), owner_words("wall screen"), owner_words("")
    ('ada on bench-pc', 'wall screen', 'somebody')
    """
    user, at, machine = owner.partition("@")
    return f"{user} on {machine}" if at and user and machine else owner or "somebody"


def long_words(seconds: float) -> str:
    """Say how long something runs, to the minute.

    >>> long_words(20), long_words(600), long_words(7800), long_words(7200), long_words(5 * 86_400)
    ('less than a minute', '10 min', '2 h 10 min', '2 h', '5 days')
    """
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes >= 48 * 60:
        return format_span(seconds)
    hours, minutes = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def _accounts(status: StatusRecord) -> tuple[Account, ...]:
    if status.session is not None and status.session.accounts:
        return status.session.accounts
    return tuple(board.account for board in status.boards if board.account is not None)


def _join(*parts: str) -> str:
    return " · ".join(_parts(parts))


def _parts(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part]
