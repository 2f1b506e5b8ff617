"""What is to be looked at before a session is started: sources, store, clock, room. Pure.

Green is as it should be, amber is worth knowing, red is asked about before Start. The server's status tells all of it,
but for which sources are expected and what time it is here.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from blitz.data.calibration_due import CalibrationDue, CalibrationState
from blitz.data.records import BoardRecord, LinkState, RoomRecord, StatusRecord, StoreRecord
from blitz.data.source_config import kind_of, stream_of
from blitz.ui.formats import format_count, room_words

CLOCK_APART_S = 2.0
CLOCK_STEP_S = 600.0
"""So long a clock that was set is worth knowing."""
_HOUR_S, _DAY_S = 3600.0, 86_400.0
_COMPARED = 5


class Light(Enum):
    """How bad it is, worst last."""

    OFF = "not expected"
    GREEN = "all right"
    AMBER = "worth knowing"
    RED = "not all right"


@dataclass(frozen=True)
class Check:
    """One line of the list."""

    light: Light
    subject: str
    state: str
    remedy: str = ""
    board: str | None = None
    """The source that it is about."""

    @property
    def sentence(self) -> str:
        """What people read.

        >>> Check(Light.RED, "sim1", "is away", "Plug it in.").sentence
        'sim1 is away. Plug it in.'
        """
        return f"{self.subject} {self.state}.{f' {self.remedy}' if self.remedy else ''}"


@dataclass(frozen=True)
class Checklist:
    """All lines: the sources, then the rest."""

    checks: tuple[Check, ...] = ()

    @property
    def light(self) -> Light:
        """The worst there is."""
        return max((check.light for check in self.checks), key=list(Light).index, default=Light.GREEN)

    @property
    def red(self) -> tuple[Check, ...]:
        """What Start asks about."""
        return tuple(check for check in self.checks if check.light is Light.RED)

    @property
    def summary(self) -> str:
        """The list in a few words, with the count of the sources."""
        sources = [check for check in self.checks if check.board is not None and check.light is not Light.OFF]
        ready = sum(check.light is Light.GREEN for check in sources)
        if self.light is Light.RED and all(check.light is not Light.RED for check in sources):
            return "Not ready"
        return f"{ready} of {len(sources)} ready"


def check_server(
    status: StatusRecord,
    expected: Iterable[str] | None = None,
    behind_s: float = 0.0,
    clock_set: str = "",
) -> Checklist:
    """Return the list as things stand.

    :param expected: names of the sources that should be there; None: not known yet, so all are.
    :param behind_s: by how much the server's clock is behind the one here.
    :param clock_set: what the server said when its clock was set a short while ago.
    """
    names = None if expected is None else frozenset(expected)
    sources = [_check_board(board, names is None or board.name in names) for board in status.boards]
    if not sources:
        sources = [Check(Light.RED, "No board", "is connected", "Plug one in, or add a device: Server ▸ Add a device…")]
    due = [_check_calibration(each) for each in status.calibrations]
    rest = (_check_store(status.store), _check_clock(behind_s, clock_set), _check_room(status.room))
    return Checklist((*sorted(sources, key=lambda check: -list(Light).index(check.light)), *rest, *due))


class ClockComparison:
    """By how much the server's clock differs from the one here.

    A status that was held up on its way looks like a clock that is behind: of the last few, the nearest counts.

    >>> comparison = ClockComparison()
    >>> comparison.add(100.0, 100.2), comparison.add(101.0, 109.0)
    (0.2, 0.2)
    """

    def __init__(self) -> None:
        self._behind_s: deque[float] = deque(maxlen=_COMPARED)

    def add(self, server_s: float, here_s: float) -> float:
        """Take a time of the server and the time here when it came; returns by how much the server is behind."""
        self._behind_s.append(here_s - server_s)
        nearest_s: float = min(self._behind_s, key=lambda apart_s: float(abs(apart_s)))
        return round(nearest_s, 3)


def _check_board(board: BoardRecord, is_expected: bool) -> Check:
    red = Light.RED if is_expected else Light.AMBER
    light, state, remedy = Light.AMBER, f"is {board.state}", ""
    match board.state:
        case LinkState.READY if not board.is_recorded:
            light, state, remedy = Light.OFF, "is shown, and not recorded", "Boards, Streams… has it recorded."
        case LinkState.READY | LinkState.RECORDING if stream_of(board.link) is not None and not board.definition:
            light, state = Light.GREEN, "is ready, and has no point yet"
        case LinkState.READY | LinkState.RECORDING if kind_of(board.link) and not board.message_count:
            light, state = Light.GREEN, "is ready, and has no message yet"
        case LinkState.READY | LinkState.RECORDING if board.definition is None:
            state, remedy = "has no definition", "Its messages are kept, but have no values yet: name its channels."
        case LinkState.READY | LinkState.RECORDING:
            rate = f"{board.rate_hz:.0f}" if board.rate_hz >= 1 else f"{board.rate_hz:.1g}"
            light, state = Light.GREEN, f"is ready, {rate} messages/s" if board.rate_hz else "is ready"
        case LinkState.IDENTIFYING:
            state, remedy = "is being identified", "That takes a few seconds."
        case LinkState.AWAY if not is_expected:
            light, state, remedy = Light.OFF, "is away", "It was not in the last session either."
        case LinkState.AWAY:
            light, (state, remedy) = red, _blame("is away", board, "Plug it in, or look at its power.")
        case LinkState.SILENT:
            light, (state, remedy) = red, _blame("is silent", board, "Look at its power, its cable and its rate.")
        case LinkState.DISABLED:
            light, state, remedy = (
                (Light.AMBER if is_expected else Light.OFF),
                "is disabled",
                "Boards, Enable reads it.",
            )
        case LinkState.RELEASED:
            light, state, remedy = red, "is lent to another program", "Take its port again on the page Boards."
        case LinkState.AMBIGUOUS:
            state = f"may be one of {len(board.candidates)} devices that look alike"
            light, remedy = red, "Say which one on the page Boards."
    return Check(light, board.name, state, remedy, board.name)


def _blame(state: str, board: BoardRecord, remedy: str) -> tuple[str, str]:
    """Return what is wrong with a source and how to mend it, as the server tells; else as is usual."""
    reason, _, told = _sentence(board.error or "").partition(". ")
    reason = reason.removeprefix(f"{board.name} is ")
    return f"{state}: {reason}" if reason else state, f"{told}." if told else remedy


def _check_calibration(due: CalibrationDue) -> Check:
    subject = f"The calibration of {due.channel} ({due.source})"
    match due.state:
        case CalibrationState.EXPIRED:
            return Check(Light.AMBER, subject, f"has expired on {due.expires}", "Boards, Calibrate… makes a new one.")
        case CalibrationState.CHANGED:
            return Check(Light.AMBER, subject, "does not hold any more", "The channel's numbers were changed since.")
    return Check(Light.AMBER, subject, f"expires on {due.expires}")


def _check_store(store: StoreRecord) -> Check:
    if not store.is_up:
        return Check(Light.RED, "The store", f"is away: {_sentence(store.error or 'no answer')}", "Look at Redis.")
    if store.spooled_messages:
        count = format_count(store.spooled_messages)
        return Check(Light.AMBER, "The store", "is back", f"{count} messages are still on their way into it.")
    return Check(Light.GREEN, "The store", "is up")


def _check_clock(behind_s: float, clock_set: str) -> Check:
    if abs(behind_s) > CLOCK_APART_S:
        direction = "behind" if behind_s > 0 else "ahead of"
        state = f"is {_apart(abs(behind_s))} {direction} the one here"
        return Check(Light.AMBER, "The server's clock", state, "Set the wrong one, or let both follow a time server.")
    if clock_set:
        return Check(Light.AMBER, "The server's clock", "was set a short while ago", clock_set)
    return Check(Light.GREEN, "The server's clock", "agrees with the one here")


def _check_room(room: RoomRecord | None) -> Check:
    if room is None:
        return Check(Light.GREEN, "Room", "is not measured by this server")
    left_s = room.full_in_s
    advice = room.text or "Delete sessions, or give the archive a larger disk."
    if room.level == "full" or left_s == 0:
        return Check(Light.RED, "Room", "is used up", advice)
    if room.level == "critical" or (left_s is not None and left_s < _HOUR_S):
        return Check(Light.RED, "Room", f"is short: {room_words(room) or 'almost full'}", advice)
    if room.level == "warning" or (left_s is not None and left_s < _DAY_S):
        return Check(Light.AMBER, "Room", f"is short: {room_words(room) or 'little is left'}", advice)
    lasts = room_words(room).removeprefix("room ")
    return Check(Light.GREEN, "Room", f"is left {lasts}" if lasts else "is left")


def _apart(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else "hours"


def _sentence(text: str) -> str:
    return text.strip().rstrip(".")
