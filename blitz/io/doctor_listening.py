"""Listening for the format doctor: at one rate after the other, until one makes sense; and reading recordings.

Listens only, unless it is told to ask. A port is opened once: each opening resets most boards.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from blitz.data.board_definition import BoardDefinition
from blitz.errors import LinkError
from blitz.io.diagnosis import Confidence, Diagnosis
from blitz.io.doctor import SAMPLE_LIMIT, diagnose
from blitz.io.protocol import identify

LIKELY_RATES = (57_600, 115_200, 9600, 1_000_000, 250_000, 921_600, 38_400, 19_200, 230_400, 500_000)
ASKED_RATES = (57_600, 115_200, 9600)
"""Rates at which boards of the Blitz protocol are asked."""

_READ_S = 0.1
_THINK_S = 0.5
_ENOUGH_BYTES = 600
_ENOUGH_S = 1.0
_FRAMING_ERRORS = 0.02
"""Where the driver counts more of them a byte, the rate is wrong."""


class ListeningLink(Protocol):
    """What is needed of a link; a serial one can also change its rate."""

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came."""

    def write(self, line: bytes) -> None:
        """Send bytes."""


class Heard(NamedTuple):
    """What was heard at one rate, and what it means."""

    baud: int | None
    """None where there is no rate: a socket, a recording."""
    sample: bytes
    seconds: float
    """From the first byte to the last."""
    diagnosis: Diagnosis


def listen(
    link: ListeningLink,
    rates: Sequence[int],
    seconds: float,
    known: Mapping[str, BoardDefinition],
    *,
    is_asking: bool = False,
    change_rate: Callable[[int], None] | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
    now_s: Callable[[], float] = time.monotonic,
) -> Heard:
    """Listen at one rate after the other; return the one that makes the most sense.

    Ends early where the meaning is sure. A device that says nothing at the first rate says nothing at the others: a
    wrong rate makes nonsense of bytes, not silence.

    :param rates: the first is the one at which the link is open.
    :param seconds: at most, at each rate.
    :param is_asking: ask a silent device for its id, as boards of the Blitz protocol understand it.
    :param change_rate: absent: the link has no rate.
    :param tell: called with the number of rates that are done, and of all.
    :raises LinkError: if the device goes away.
    """
    best: Heard | None = None
    for number, baud in enumerate(rates if change_rate is not None else rates[:1]):
        tell(number, len(rates))
        if number and change_rate is not None:
            try:
                change_rate(baud)
            except LinkError:
                continue  # the driver does not know this rate
        heard = _listen_once(link, baud if change_rate else None, seconds, known, now_s)
        if best is None or heard.diagnosis.evidence > best.diagnosis.evidence:
            best = heard
        if heard.diagnosis.is_sure or not heard.sample:
            break
    if is_asking and best is not None and not best.sample:
        best = _ask(link, best, min(seconds, 2.0), known, change_rate, now_s)
    assert best is not None, "no rates"
    return best


def hear_recording(path: Path, known: Mapping[str, BoardDefinition]) -> Heard:
    """Diagnose a file: a recording of `blitz record`, or raw bytes.

    :raises LinkError: if it cannot be read.
    """
    from blitz.io.recording import RecordingReader

    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_LIMIT)
    except OSError as error:
        raise LinkError(f"Cannot read {path}: {(error.strerror or str(error)).lower()}.") from error
    if not _is_recording(sample):
        return Heard(None, sample, 0.0, diagnose(sample, known))
    times: list[float] = []
    content = b""
    is_asked = False
    with RecordingReader(path) as reader:
        baud = reader.header.get("baud")
        for chunk in reader:
            if chunk.direction == "tx":
                is_asked = is_asked or chunk.content == identify()
                continue
            times.append(chunk.t_s)
            content += chunk.content
            if len(content) >= SAMPLE_LIMIT:
                break
    seconds = times[-1] - times[0] if times else 0.0
    diagnosis = diagnose(content, known, seconds or None, is_asked=is_asked)
    return Heard(baud if isinstance(baud, int) else None, content, seconds, diagnosis)


def _listen_once(
    link: ListeningLink,
    baud: int | None,
    seconds: float,
    known: Mapping[str, BoardDefinition],
    now_s: Callable[[], float],
) -> Heard:
    begin_s = thought_s = now_s()
    first_s = last_s = begin_s
    errors_before = _framing_errors(link)
    sample = bytearray()
    diagnosed = 0
    diagnosis = diagnose(b"", known)
    while (at_s := now_s()) - begin_s < seconds:
        chunk = link.read(_READ_S)
        if chunk:
            last_s = now_s()
            first_s = first_s if sample else last_s
            sample += chunk
        is_full = len(sample) >= SAMPLE_LIMIT
        if not is_full and (at_s - thought_s < _THINK_S or len(sample) == diagnosed):
            continue
        thought_s, diagnosed = at_s, len(sample)
        diagnosis = _diagnose(sample, known, last_s - first_s, _framing_errors(link) - errors_before)
        is_hopeless = len(sample) > _ENOUGH_BYTES and at_s - first_s > _ENOUGH_S
        if is_full or diagnosis.is_sure or (is_hopeless and diagnosis.confidence is Confidence.UNKNOWN):
            break
    if len(sample) != diagnosed:
        diagnosis = _diagnose(sample, known, last_s - first_s, _framing_errors(link) - errors_before)
    return Heard(baud, bytes(sample), last_s - first_s, diagnosis)


def _diagnose(
    sample: bytearray, known: Mapping[str, BoardDefinition], seconds: float, framing_errors: int
) -> Diagnosis:
    diagnosis = diagnose(bytes(sample), known, seconds or None)
    if framing_errors <= max(1, _FRAMING_ERRORS * len(sample)):
        return diagnosis
    reason = (
        f"The driver counted {framing_errors} bytes without a stop bit: the rate, or the framing of bytes, is wrong."
    )
    confidence = diagnosis.confidence
    return replace(
        diagnosis,
        confidence=confidence if confidence is Confidence.UNKNOWN else Confidence.GUESS,
        evidence=diagnosis.evidence / 2,
        reasons=(*diagnosis.reasons, reason),
    )


def _framing_errors(link: ListeningLink) -> int:
    """How many the driver has counted; 0 where it counts none."""
    errors = getattr(link, "line_errors", None)
    return 0 if errors is None else int(errors.framing)


def _ask(
    link: ListeningLink,
    silent: Heard,
    seconds: float,
    known: Mapping[str, BoardDefinition],
    change_rate: Callable[[int], None] | None,
    now_s: Callable[[], float],
) -> Heard:
    rates = ASKED_RATES if change_rate is not None and silent.baud is not None else (silent.baud,)
    if silent.baud is not None and silent.baud not in rates:
        rates = (silent.baud,)
    for baud in rates:
        if change_rate is not None and baud is not None:
            change_rate(baud)
        link.write(identify())
        answer = bytearray()
        end_s = now_s() + seconds
        while now_s() < end_s and not answer.endswith(b"\n"):
            answer += link.read(_READ_S)
        diagnosis = diagnose(bytes(answer), known, is_asked=True)
        if diagnosis.is_sure:
            return Heard(baud, bytes(answer), 0.0, diagnosis)
    return silent


def _is_recording(sample: bytes) -> bool:
    try:
        row = json.loads(sample.split(b"\n", 1)[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and ("blitz_recording" in row or {"t_s", "dir", "hex"} <= row.keys())
