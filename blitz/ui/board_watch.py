"""What the window learns of boards by watching the server's status: usual rates, since when, the last fault. Pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from blitz.data.records import Account, BoardRecord, LinkState, Notice, StatusRecord
from blitz.data.source_config import kind_of, stream_of
from blitz.ui.formats import format_count

RATES_KEPT = 60
"""One a status, which comes about once a second."""
_FEWEST_RATES = 3
_SLOW = 0.5


@dataclass(frozen=True)
class Watched:
    """What is known of one board besides its record; times are the server's."""

    rates: tuple[float, ...] = ()
    usual_hz: float = 0.0
    """What its rate is most of the time; 0 where that is not known."""
    heard_at: datetime | None = None
    """When its last bytes came; None: not since this window looks."""
    since: datetime | None = None
    """Since when it is as it is; None: longer than this window looks."""
    fault: str = ""
    """What went wrong last, in words."""
    fault_at: datetime | None = None

    def is_slow(self, board: BoardRecord) -> bool:
        """Whether it delivers less than half of what is usual."""
        delivers = board.state in (LinkState.READY, LinkState.RECORDING)
        # Scripts, and programs that write files, send when they have something.
        delivers = delivers and stream_of(board.link) is None and kind_of(board.link) is None
        return delivers and self.usual_hz >= 1 and board.rate_hz < _SLOW * self.usual_hz


@dataclass
class _Notes:
    board: BoardRecord
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=RATES_KEPT))
    heard_at: datetime | None = None
    since: datetime | None = None
    fault: str = ""
    fault_at: datetime | None = None


class BoardWatch:
    """Keeps notes on each board from one status to the next."""

    def __init__(self) -> None:
        self._notes: dict[str, _Notes] = {}
        self._told: dict[str, datetime] = {}

    def take_notice(self, notice: Notice) -> None:
        """Note when the server told of trouble: it may be older than this window."""
        if notice.source is not None and notice.severity != "info":
            self._told[notice.source] = notice.time

    def take(self, status: StatusRecord) -> None:
        """Compare a status with the one before."""
        names = {board.name for board in status.boards}
        for name in [name for name in self._notes if name not in names]:
            del self._notes[name]
        for board in status.boards:
            notes = self._notes.get(board.name)
            if notes is None:
                notes = self._notes[board.name] = _Notes(board)
                if board.rate_hz > 0:
                    notes.heard_at = status.now
            else:
                _compare(notes, board, status.now)
            notes.board = board
            notes.rates.append(board.rate_hz)

    def clear(self) -> None:
        """Forget everything, as another server is watched."""
        self._notes.clear()
        self._told.clear()

    def view(self, name: str) -> Watched:
        """Return what is known of a board."""
        notes = self._notes.get(name)
        if notes is None:
            return Watched()
        delivered = [rate for rate in notes.rates if rate > 0]
        usual = median(delivered) if len(delivered) >= _FEWEST_RATES else 0.0
        since = notes.since
        if since is None and notes.board.state in (LinkState.AWAY, LinkState.SILENT):
            since = self._told.get(name)
        return Watched(tuple(notes.rates), usual, notes.heard_at, since, notes.fault, notes.fault_at)


def faults_words(board: BoardRecord) -> str:
    """Count a board's faults, those of the running session where there is one.

    >>> faults_words(BoardRecord(name="a", link="a", baud=1, state="ready", bad_frames=2))
    '2 bad frames'
    """
    account = board.account
    if account is None:
        return _counted(board.bad_frames, "bad frame") if board.bad_frames else "none"
    about = "" if account.is_lost_exact else "≈ "
    parts = [
        *([f"{about}{format_count(account.lost)} lost"] if account.lost else []),
        *([_counted(account.gaps, "gap")] if account.gaps else []),
        *([_counted(account.bad_frames, "bad frame")] if account.bad_frames else []),
        *([f"{format_count(board.dropped)} dropped"] if board.dropped else []),
        *([] if account.is_balanced else ["account does not balance"]),
    ]
    return ", ".join(parts) or "none"


def _compare(notes: _Notes, board: BoardRecord, now: datetime) -> None:
    before = notes.board
    if board.message_count > before.message_count or _bytes(board.account) > _bytes(before.account):
        notes.heard_at = now
    if _condition(board) != _condition(before):
        notes.since = now
        if _condition(board) in (LinkState.AWAY, LinkState.SILENT):
            notes.fault, notes.fault_at = f"was {board.state.value}", now
    fault = _new_fault(before, board)
    if fault:
        notes.fault, notes.fault_at = fault, now


def _condition(board: BoardRecord) -> LinkState:
    """Starting and stopping is no change of how a board is doing."""
    return LinkState.READY if board.state is LinkState.RECORDING else board.state


def _new_fault(before: BoardRecord, board: BoardRecord) -> str:
    old, new = before.account, board.account
    if old is not None and new is not None:
        if new.lost - old.lost > 0 and new.source == old.source:
            return f"{format_count(new.lost - old.lost)} lost"
        if new.gaps - old.gaps > 0:
            return "a gap"
    if board.dropped > before.dropped:
        return f"{format_count(board.dropped - before.dropped)} dropped, the store was away"
    if board.bad_frames > before.bad_frames:
        return _counted(board.bad_frames - before.bad_frames, "bad frame")
    return ""


def _bytes(account: Account | None) -> int:
    return account.bytes_read if account else 0


def _counted(count: int, what: str) -> str:
    return f"{format_count(count)} {what}{'' if count == 1 else 's'}"
