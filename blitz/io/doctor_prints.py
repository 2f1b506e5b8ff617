"""What a device that prints says: Blitz lines, NMEA sentences, columns, pairs, JSON; proposed from a sample. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.framing_rule import LINES, FramingKind, FramingRule
from blitz.io.diagnosis import Confidence, Diagnosis, count_of, printable_share
from blitz.io.doctor_struct import clock_unit
from blitz.io.doctor_text import TextReading, have_decimal_commas, numbers_left_out, read_lines
from blitz.io.framing import make_framing
from blitz.io.protocol import ID_ANSWER, LineKind, ParsedLine, classify

_TEXT_SHARE = 0.95
_LINES_USED = 2000
_FEWEST_LINES = 3
_FEWEST_SURE = 5
_LONGEST_LINE = 1000
_DELIMITERS = (b";", b"|", b"#", b"\0", b"\x03", b"\x04", b"\x1e", b"/", b"&", b" ")
_FEWEST_STEPS = 12
_LONG_ENOUGH_S = 2.0


def diagnose_text(
    sample: bytes, known: Mapping[str, BoardDefinition], duration_s: float | None = None, *, is_asked: bool = False
) -> Diagnosis | None:
    """Propose what a sample means if it is text; None if it is none.

    :param known: definitions of Blitz boards, by id.
    :param is_asked: the device was asked who it is, so that a short line is an answer.
    """
    share = printable_share(sample)
    lines = make_framing(LINES).feed(sample)
    if duration_s is not None and lines:
        duration_s *= min(1.0, _LINES_USED / len(lines))
    lines = lines[:_LINES_USED]
    blitz = _diagnose_blitz(lines, known, is_asked=is_asked)
    if blitz is not None:
        return blitz
    nmea = _diagnose_nmea(sample)
    if nmea is not None:
        return nmea
    if share > _TEXT_SHARE and len(lines) > 1:
        return _diagnose_lines(sample, lines, share, duration_s)
    return _diagnose_delimited(sample, duration_s) if len(lines) < 2 else None


def _diagnose_blitz(
    lines: Sequence[bytes], known: Mapping[str, BoardDefinition], *, is_asked: bool
) -> Diagnosis | None:
    # The first line may lack its beginning.
    parsed = [classify(line) for line in (lines[1:] if len(lines) > _FEWEST_LINES else lines)]
    messages = [line for line in parsed if line.kind is LineKind.DATA]
    ours = [line for line in parsed if line.kind is not LineKind.OTHER and line.board_id is not None]
    if not parsed or 10 * len(ours) < 9 * len(parsed):
        return None
    if len(messages) < 2 and not (is_asked and any(line.code == ID_ANSWER for line in ours)):
        return None
    ids = Counter(line.board_id for line in (messages or ours))
    board_id, saying = next(iter(ids.most_common(1)))
    if board_id is None or 10 * saying < 9 * ids.total():  # hex digits, but of no one board
        return None
    definition = known.get(board_id)
    name = f"{definition.name}" if definition else "a board that no definition describes"
    way = "it sends by itself" if len(messages) == len(ours) else "it answers when it is asked"
    is_sure = len(messages) >= _FEWEST_SURE or not messages
    return Diagnosis(
        Confidence.SURE if is_sure else Confidence.LIKELY,
        1.0 if is_sure else 0.9,
        f"Blitz board {board_id}, {name}; {way}",
        tuple(_blitz_reasons(lines, messages, parsed)),
        LINES,
        definition,
        tuple(line for line in lines if classify(line).board_id == board_id and len(line) > 4),
        board_id,
    )


def _blitz_reasons(lines: Sequence[bytes], messages: Sequence[ParsedLine], parsed: Sequence[ParsedLine]) -> list[str]:
    reasons = [f"{len(messages)} of {count_of(len(parsed), 'line')} are data lines of the Blitz protocol."]
    if not messages:
        reasons = ["It answered the question for its id."]
    if any(line != line.lower() for line in lines):
        reasons.append("Hex digits come in upper case.")
    if any(line.code == 0xFF for line in messages):
        reasons.append("Lines have the type ff, as boards send whose compiler treats char as signed.")
    return reasons


def _diagnose_nmea(sample: bytes) -> Diagnosis | None:
    rule = FramingRule(checksum="NMEA")
    framing = make_framing(rule)
    frames = framing.feed(sample)
    if len(frames) < _FEWEST_LINES or framing.bad_count > 1 + 0.15 * len(frames):
        return None
    reading = read_lines(frames)
    kinds = Counter(frame.split(b",")[0].decode("latin-1") for frame in frames)
    reasons = [
        f"The checksums of {count_of(len(frames), 'sentence')} are right: this is proof.",
        f"They are called {', '.join(name for name, _ in kinds.most_common(5))}.",
    ]
    if len(kinds) > 1:
        reasons.append("Columns of sentences of other names are not what the channels say.")
    definition = reading.definition.model_copy(update={"id": "nmea", "framing": rule}) if reading else None
    summary = "NMEA sentences" + (f", {definition.name}" if definition else "")
    return Diagnosis(Confidence.SURE, 1.0, summary, tuple(reasons), rule, definition, tuple(frames))


def _diagnose_lines(sample: bytes, lines: list[bytes], share: float, duration_s: float | None) -> Diagnosis | None:
    ends = f"Lines end with {_ending(sample)}."
    reading = read_lines(lines)
    if reading is None:
        mean = sum(map(len, lines)) / len(lines)
        if len(lines) < _FEWEST_LINES or mean > _LONGEST_LINE:
            return None
        text = f"{100 * share:.0f} % is text, so that the rate is right; but no numbers stand at fixed places."
        if have_decimal_commas(lines):
            text = "Numbers seem to have a decimal comma, which is not read: let the device print a point."
        return Diagnosis(Confidence.LIKELY, 0.7, "lines of text, such as debug prints", (ends, text), LINES)
    fitting = reading.fitting / max(1, len(lines) - reading.has_header)
    reasons = [ends, f"{reading.fitting} of {count_of(len(lines), 'line')} read as {_kind(reading)}."]
    if reading.has_header:
        reasons.append("A header names the columns.")
    left_out = numbers_left_out(reading, lines)
    if left_out:
        reasons.append(
            f"Not all of column {', '.join(str(column + 1) for column in left_out)} is a number: it is left out."
        )
    definition = _refined(reading, duration_s, reasons)
    is_sure = not left_out and fitting > 0.85 and reading.fitting >= _FEWEST_SURE and share > 0.98
    return Diagnosis(
        Confidence.SURE if is_sure else Confidence.LIKELY,
        max(0.72, min(1.0, fitting) * share),
        f"lines of text: {_summary(definition)}{', with a header' if reading.has_header else ''}",
        tuple(reasons),
        LINES,
        definition,
        tuple(line for line, row in zip(lines, reading.rows, strict=True) if row is not None),
    )


def _diagnose_delimited(sample: bytes, duration_s: float | None) -> Diagnosis | None:
    """Look for a delimiter where no line ends with CR or LF."""
    best: tuple[int, bytes, list[bytes], TextReading] | None = None
    for delimiter in _DELIMITERS:
        parts = sample.split(delimiter)[1:-1]
        if len(parts) < _FEWEST_SURE or printable_share(b"".join(parts)) < _TEXT_SHARE:
            continue
        reading = read_lines(parts)
        if reading is None or reading.fitting < 0.9 * len(parts):
            continue
        width = len(reading.definition.channels)
        if best is None or width > best[0]:
            best = width, delimiter, parts, reading
    if best is None:
        return None
    _, delimiter, parts, reading = best
    rule = FramingRule(kind=FramingKind.LINES, delimiter=delimiter.hex())
    reasons = [
        f"No line ends with CR or LF, but {delimiter.hex()} ({delimiter.decode()!r}) parts the messages.",
        f"{reading.fitting} of {count_of(len(parts), 'message')} read as {_kind(reading)}.",
    ]
    definition = _refined(reading, duration_s, reasons).model_copy(update={"framing": rule})
    return Diagnosis(
        Confidence.LIKELY, 0.85, f"text: {_summary(definition)}", tuple(reasons), rule, definition, tuple(parts)
    )


def _refined(reading: TextReading, duration_s: float | None, reasons: list[str]) -> BoardDefinition:
    """Look for clocks and counters among many lines: they need no name there."""
    definition = reading.definition
    clock = definition.clock
    channels: list[Channel] = []
    for channel in definition.channels:
        key = channel.column if channel.column is not None else ""
        numbers = np.array([row[key] for row in reading.rows[1:] if row is not None and key in row])
        steps = np.diff(numbers)
        if len(steps) >= _FEWEST_STEPS and _rises(steps, 1.0, 0.0):
            reasons.append(f"{channel.name} rises by one: it counts messages, so that missing ones show.")
            channel = channel.model_copy(update={"counts_messages": True})
        elif clock is None and len(steps) >= _FEWEST_STEPS and _rises(steps, float(np.median(steps)), 0.2):
            unit = clock_unit(steps, duration_s, 0.1) if duration_s and duration_s > _LONG_ENOUGH_S else None
            if unit is not None:
                clock = Clock(column=key, unit=unit, wraps_at=1 << 32 if unit != "s" else None)
                reasons.append(f"{channel.name} rises by 1 {unit} in 1 {unit}: it is taken for the device's clock.")
                continue
            reasons.append(f"{channel.name} rises steadily: perhaps it is a clock.")
        channels.append(channel)
    if clock is not None and clock == definition.clock:
        where = clock.column if isinstance(clock.column, str) else f"Column {(clock.column or 0) + 1}"
        reasons.append(f"{where} is the device's clock, in {clock.unit}.")
    if not channels:  # a clock alone is no measurement
        return definition
    return definition.model_copy(update={"channels": tuple(channels), "clock": clock})


def _rises(steps: NDArray[np.float64], step: float, tolerance: float) -> bool:
    """Whether numbers rise by that step, or nearly so; small ones that do may as well be any slow quantity."""
    near = np.abs(steps - step) <= tolerance * step
    return step > 0 and (step >= 5 or not tolerance) and bool((steps > 0).all()) and float(near.mean()) > 0.9


def _kind(reading: TextReading) -> str:
    name = {Format.PAIRS: "labels with values", Format.JSON: "JSON objects"}.get(reading.definition.format)
    return name or reading.definition.name


def _summary(definition: BoardDefinition) -> str:
    has_clock_column = definition.clock is not None and definition.format is Format.COLUMNS
    return f"{definition.name}{', one of them a clock' if has_clock_column else ''}"


def _ending(sample: bytes) -> str:
    pairs, feeds, returns = sample.count(b"\r\n"), sample.count(b"\n"), sample.count(b"\r")
    if pairs * 2 > feeds:
        return "CR LF"
    return "LF" if feeds >= returns else "CR only"
