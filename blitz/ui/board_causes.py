"""What is wrong with a board, since when, and what to do: one sentence, and the actions that mend it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from blitz.data.calibration_due import CalibrationDue
from blitz.data.records import BoardRecord, LinkState
from blitz.ui.board_watch import Watched, faults_words
from blitz.ui.formats import format_age, format_duration, format_rate


class Severity(Enum):
    """How bad it is; the value is the style sheet's word."""

    FINE = "fine"
    WAITING = "info"
    WARNING = "warning"
    ERROR = "error"


class Remedy(Enum):
    """What a button does about it; the value is what stands on it."""

    RETRY = "Retry"
    RETAKE = "Retake"
    RELEASE = "Release"
    CHOOSE = "Which one…"
    BAD_FRAMES = "Bad frames…"
    CHANNELS = "Name channels…"
    CALIBRATE = "Calibrate…"


@dataclass(frozen=True)
class Cause:
    """How a board is doing."""

    severity: Severity
    sentence: str
    remedies: tuple[Remedy, ...] = ()


_FEW = 2
_AWAY = "Plug it in, or end the program that has its port: it is then taken again by itself."
_SILENT = "Check power, cable and baud rate. It is asked again by itself."
_DAMAGED = "Look at the bad frames: a wrong baud rate or framing, or a loose cable, damages them."


def cause_of(board: BoardRecord, watched: Watched, now: datetime, calibrations: Sequence[CalibrationDue] = ()) -> Cause:
    """Say how a board is doing.

    :param now: by the server's clock.
    :param calibrations: of its channels, those that are due.
    """
    since = _since_words(watched, now)
    if board.state is LinkState.AWAY:
        return Cause(Severity.ERROR, _joined(f"Away{since}", board.error, _AWAY), (Remedy.RETRY,))
    if board.state is LinkState.AMBIGUOUS:
        what = f"{len(board.candidates)} devices look like it{since}. Say which one it is."
        return Cause(Severity.WARNING, what, (Remedy.CHOOSE,))
    if board.state is LinkState.DISABLED:
        return Cause(Severity.WAITING, f"Disabled{since}: nobody reads it until it is enabled.")
    if board.state is LinkState.RELEASED:
        return Cause(Severity.WAITING, lent_words(board, now), (Remedy.RETAKE,))
    if board.state is LinkState.SILENT:
        remedies = (Remedy.RETRY, Remedy.RELEASE, Remedy.BAD_FRAMES)
        return Cause(Severity.ERROR, _joined(f"Silent{since}", board.error, _SILENT), remedies)
    if board.state is LinkState.IDENTIFYING:
        return Cause(Severity.WAITING, f"Blitz listens, then asks what it is{since}. This takes some seconds.")
    cause = _cause_of_delivering(board, watched, now)
    if calibrations and cause.severity is Severity.FINE:
        words = " ".join(due.sentence for due in calibrations[:_FEW])
        more = f" So it is with {len(calibrations) - _FEW} more." if len(calibrations) > _FEW else ""
        return Cause(Severity.WARNING, f"{words}{more}", (Remedy.CALIBRATE,))
    return cause


def lent_words(board: BoardRecord, now: datetime) -> str:
    """Say until when a port is lent, and how long that is."""
    if board.retake_at is None:
        return f"{board.link} is lent to other programs, then taken again by itself."
    left = format_duration((board.retake_at - now).total_seconds())
    until = board.retake_at.astimezone().strftime("%H:%M:%S")
    return f"{board.link} is lent to other programs until {until} ({left} left), then taken again by itself."


def heard_words(board: BoardRecord, watched: Watched, now: datetime) -> str:
    """Say how long ago something came from a board."""
    if watched.heard_at is None:
        return "–"
    return "now" if board.rate_hz >= 1 else format_age((now - watched.heard_at).total_seconds())


def _cause_of_delivering(board: BoardRecord, watched: Watched, now: datetime) -> Cause:
    if board.error:
        return Cause(Severity.ERROR, _joined("", board.error, ""), (Remedy.RETRY, Remedy.BAD_FRAMES))
    if board.account is not None and not board.account.is_balanced:
        return Cause(Severity.ERROR, "The account does not balance: see below.", (Remedy.BAD_FRAMES,))
    heard = heard_words(board, watched, now)
    if watched.is_slow(board):
        rate = "Nothing comes" if board.rate_hz == 0 else f"Only {format_rate(board.rate_hz)} come"
        last = f", the last {heard} ago" if heard not in ("–", "now") else ""
        what = f"{rate}{last}; usual is {format_rate(watched.usual_hz)}. Check the device, then look for it again."
        return Cause(Severity.WARNING, what, (Remedy.RETRY, Remedy.BAD_FRAMES))
    fault = watched.fault if watched.fault_at is not None else ""
    at = watched.fault_at.astimezone().strftime("%H:%M:%S") if watched.fault_at else ""
    if fault:
        more = f" {_DAMAGED}" if "bad frame" in fault else ""
        what = f"It delivers. Last fault: {fault}, at {at}; in all: {faults_words(board)}.{more}"
        return Cause(Severity.WARNING, what, (Remedy.BAD_FRAMES,) if more else ())
    if board.is_guessed:
        what = "It delivers; what its values are was guessed. Give them names and units."
        return Cause(Severity.WAITING, what, (Remedy.CHANNELS,))
    doing = "It records" if board.state is LinkState.RECORDING else "It delivers"
    if not board.is_recorded:
        doing = "It is shown, and not recorded: Streams… changes that"
    total = faults_words(board)
    return Cause(Severity.FINE, f"{doing}. Faults: {total}.")


def _since_words(watched: Watched, now: datetime) -> str:
    if watched.since is None:
        return ""
    clock = watched.since.astimezone().strftime("%H:%M:%S")
    return f" since {clock} ({format_age((now - watched.since).total_seconds())})"


def _joined(begin: str, error: str | None, advice: str) -> str:
    """Join what is known; a sentence of the server's own advice goes before ours."""
    error = (error or "").strip()
    if error and not error.endswith((".", "?", "!")):
        error += "."
    advises = error.count(". ") > 0
    parts = [f"{begin}." if begin and not error else f"{begin}:" if begin else "", error, "" if advises else advice]
    return " ".join(part for part in parts if part)
