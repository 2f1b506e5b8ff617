"""What of all that happens is worth telling somebody: each trouble once, and its end, if its beginning was told.

Pure: the clock is an argument. Sending is the business of :mod:`blitz.io.hooks`.
"""

from collections.abc import Sequence

from blitz.data.hook_config import HookEvent
from blitz.data.hook_records import Telling
from blitz.data.records import BoardRecord, Event, EventKind, LinkState, RoomRecord, SessionRecord, StatusRecord

_AWAY = (LinkState.AWAY, LinkState.SILENT, LinkState.AMBIGUOUS)
_THERE = (LinkState.READY, LinkState.RECORDING)
_LEVELS = ("ok", "warning", "critical", "full")


class HookWatch:
    """Follows the server's state for one hook, whose patience may be another than that of others.

    :param after_s: how long a source or the store must be away before it is told.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._seen: set[str] = set()
        """Sources that were there since the server started: only they can be lost."""
        self._lost_since_s: dict[str, float] = {}
        self._told_lost: set[str] = set()
        self._store_away_since_s: float | None = None
        self._told_store = False
        self._level = "ok"

    def tell(self, event: Event) -> list[Telling]:
        """Take an event; return what is worth telling."""
        if event.event is EventKind.SESSION_STOPPED and event.session is not None:
            return stopped_by_itself(event.session)
        return []

    def look(self, status: StatusRecord, now_s: float) -> list[Telling]:
        """Take the server's state, about once a second; return what is worth telling.

        :param now_s: of a clock that nobody sets.
        """
        tellings = self._look_at_sources(status.boards, now_s)
        tellings += self._look_at_store(status, now_s)
        if status.room is not None:
            tellings += self._look_at_room(status.room)
        return tellings

    def _look_at_sources(self, boards: Sequence[BoardRecord], now_s: float) -> list[Telling]:
        tellings: list[Telling] = []
        there = {board.name for board in boards}
        for name in [name for name in self._lost_since_s if name not in there]:  # it was taken out of the settings
            del self._lost_since_s[name]
            self._told_lost.discard(name)
        for board in boards:
            name = board.name
            if board.state in _THERE:
                self._seen.add(name)
                since_s = self._lost_since_s.pop(name, None)
                if since_s is not None and name in self._told_lost:
                    self._told_lost.discard(name)
                    tellings.append(_source_back(board, now_s - since_s))
            elif board.state in (LinkState.RELEASED, LinkState.DISABLED):
                self._lost_since_s.pop(name, None)
            elif board.state in _AWAY and name in self._seen and not board.link.startswith("replay:"):
                since_s = self._lost_since_s.setdefault(name, now_s)
                if now_s - since_s >= self._after_s and name not in self._told_lost:
                    self._told_lost.add(name)
                    tellings.append(_source_lost(board, now_s - since_s))
        return tellings

    def _look_at_store(self, status: StatusRecord, now_s: float) -> list[Telling]:
        store = status.store
        if store.is_up and store.spooling_since is None and store.spooled_messages == 0:
            since_s, self._store_away_since_s = self._store_away_since_s, None
            was_told, self._told_store = self._told_store, False
            if since_s is None or not was_told:
                return []
            title = "The store is back"
            text = f"The store is back after {_span(now_s - since_s)}, and all that was kept meanwhile is in it."
            return [Telling(event=HookEvent.STORE_BACK, title=title, text=text)]
        if self._store_away_since_s is None:
            self._store_away_since_s = now_s
        if now_s - self._store_away_since_s < self._after_s or self._told_store:
            return []
        self._told_store = True
        kept = f" {store.spooled_messages} messages are safe in the spool on disk." if store.spooled_messages else ""
        text = f"{store.error or 'The store is away or behind.'}{kept} Nothing is lost as long as there is room for it."
        return [Telling(event=HookEvent.STORE_AWAY, title="The store is away", text=text)]

    def _look_at_room(self, room: RoomRecord) -> list[Telling]:
        before, self._level = self._level, room.level
        if room.level == before:
            return []
        if _LEVELS.index(room.level) > _LEVELS.index(before):
            text = room.text or f"Room for messages: {room.level}."
            return [Telling(event=HookEvent.DISK_WARNING, title=f"Room for messages: {room.level}", text=text)]
        if room.level != "ok":
            return []
        return [Telling(event=HookEvent.DISK_OK, title="There is room again", text="There is room for messages again.")]


def stopped_by_itself(session: SessionRecord) -> list[Telling]:
    """Return what to tell of a session that is over; nothing if somebody stopped it, or planned to."""
    if session.ended_as_planned or not (session.stop_reason or session.interrupted):
        return []
    name = f" ({session.name!r})" if session.name else ""
    reason = session.stop_reason or "The server ended unexpectedly while it was recorded."
    return [
        Telling(
            event=HookEvent.SESSION_STOPPED,
            title=f"Session {session.id} was stopped",
            text=f"Session {session.id}{name} was stopped, and not by an operator. {reason} "
            f"It has {session.message_count} messages.",
            session_id=session.id,
        )
    ]


def _source_lost(board: BoardRecord, away_s: float) -> Telling:
    why = f" {board.error}" if board.error else ""
    return Telling(
        event=HookEvent.SOURCE_LOST,
        title=f"{board.name} is lost",
        text=f"{board.name} on {board.link} has been {board.state.value} for {_span(away_s)}.{why}",
        source=board.name,
        subject=f"source {board.name}",
    )


def _source_back(board: BoardRecord, away_s: float) -> Telling:
    return Telling(
        event=HookEvent.SOURCE_BACK,
        title=f"{board.name} is back",
        text=f"{board.name} on {board.link} is back after {_span(away_s)}.",
        source=board.name,
        subject=f"source {board.name}",
    )


def _span(seconds: float) -> str:
    """Return a span as people say it.

    >>> [_span(seconds) for seconds in (12.3, 95, 7300)]
    ['12 s', '1 min 35 s', '2 h 1 min']
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole // 60 % 60} min"
