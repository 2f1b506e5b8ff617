"""The format doctor: what a device's bytes mean, proposed from a sample of them.

Pure. Compares the ways of reading a sample by their evidence, and says how sure it is; a checksum that fits is proof, a
binary layout never more than a proposal. Listening is the business of :mod:`blitz.io.doctor_listening`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from blitz.data.board_definition import BoardDefinition
from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.diagnosis import Confidence, Diagnosis, not_known, nothing_came, printable_share
from blitz.io.doctor_cut import Cut
from blitz.io.doctor_frames import SAMPLE_BYTES, find_cuts
from blitz.io.doctor_prints import diagnose_text
from blitz.io.doctor_struct import Layout, find_layout, make_definition
from blitz.io.doctor_text import guess_definition, read_lines

__all__ = ["Confidence", "Diagnosis", "diagnose", "guess_definition"]

SAMPLE_LIMIT = 1 << 18
"""More of a sample says nothing new."""

_WELL_READ = 0.9
_LEAST_EVIDENCE = 0.4
_NEWS_ALLOWED = 3.6
_TEXT_SHARE = 0.98
_PARITY_SHARE = 0.98
_PARITY_BYTES = 50
_TITLES = {
    FramingKind.COBS: "COBS frames",
    FramingKind.SLIP: "SLIP frames",
    FramingKind.START_FIXED: "frames with a start pattern and a fixed size",
    FramingKind.START_LENGTH: "frames with a start pattern and a length",
    FramingKind.FIXED: "frames of a fixed size without a mark",
}


def diagnose(
    sample: bytes,
    known: Mapping[str, BoardDefinition] | None = None,
    duration_s: float | None = None,
    *,
    is_asked: bool = False,
) -> Diagnosis:
    """Propose how a device's bytes are to be cut and read.

    :param sample: what was heard, from any moment on.
    :param known: definitions of Blitz boards, by id.
    :param duration_s: how long that took, if it is known: it tells a clock's unit.
    :param is_asked: the device was asked who it is, so that a short line is an answer.

    >>> diagnosis = diagnose(b"30\\r\\n" + 9 * b"512,498,730\\r\\n")
    >>> diagnosis.summary, diagnosis.confidence.value, diagnosis.rows(1)
    ('lines of text: 3 columns, comma', 'sure', [[512.0, 498.0, 730.0]])
    """
    if not sample:
        return nothing_came()
    if duration_s is not None:
        duration_s *= min(1.0, SAMPLE_LIMIT / len(sample))
    sample = sample[:SAMPLE_LIMIT]
    text = diagnose_text(sample, known or {}, duration_s, is_asked=is_asked)
    if text is None or not text.is_sure:
        text = _diagnose_later_text(sample, known or {}, duration_s) or text
    if text is not None and text.evidence >= _WELL_READ:
        return text
    part_s = duration_s and duration_s * min(1.0, SAMPLE_BYTES / len(sample))
    is_printed = text is not None and printable_share(sample) > _TEXT_SHARE
    # Lines of one length look like frames of one size; what can be printed is proven to be frames by a checksum only.
    cuts = [cut for cut in find_cuts(sample) if not is_printed or (cut.checksum is not None and cut.checksum.is_proof)]
    found = [_describe(cut, part_s) for cut in cuts]
    if text is not None:
        found.append(text)
    if not found or max(diagnosis.evidence for diagnosis in found) < _WELL_READ:
        found += _diagnose_with_parity(sample, known or {}, duration_s)
    best = max(found, key=lambda diagnosis: diagnosis.evidence, default=None)
    return best if best is not None and best.evidence >= _LEAST_EVIDENCE else not_known(sample)


def _diagnose_later_text(
    sample: bytes, known: Mapping[str, BoardDefinition], duration_s: float | None
) -> Diagnosis | None:
    """Read the second half of a sample: some devices begin with a greeting at another rate."""
    half = len(sample) // 2
    text = diagnose_text(sample[half:], known, duration_s and duration_s / 2)
    if text is None or not text.is_sure:
        return None
    return replace(text, reasons=(*text.reasons, "The beginning is none of this: a greeting at another rate, perhaps."))


def _diagnose_with_parity(
    sample: bytes, known: Mapping[str, BoardDefinition], duration_s: float | None
) -> list[Diagnosis]:
    """Take the eighth bits for parity bits, as many scales send them."""
    ones = [byte.bit_count() % 2 for byte in sample]
    parity: Literal["even", "odd"] = "odd" if 2 * sum(ones) > len(ones) else "even"
    agreeing = ones.count(parity == "odd") / len(ones)
    if agreeing < _PARITY_SHARE or len(sample) < _PARITY_BYTES:
        return []
    text = diagnose_text(bytes(byte & 0x7F for byte in sample), known, duration_s)
    if text is None or not text.is_sure:
        return []
    reason = f"Bytes have 7 data bits and {parity} parity: that of {100 * agreeing:.0f} % of them is right."
    summary = f"{text.summary}, 7 data bits with {parity} parity"
    return [replace(text, summary=summary, reasons=(reason, *text.reasons), parity=parity)]


def _describe(cut: Cut, duration_s: float | None) -> Diagnosis:
    """Say what frames hold."""
    reasons = [f"{reason[0].upper()}{reason[1:]}." for reason in cut.reasons]
    evidence = cut.evidence
    definition: BoardDefinition | None = None
    if printable_share(b"".join(cut.frames[1:])) > _TEXT_SHARE:
        reading = read_lines(cut.frames)
        definition = reading.definition.model_copy(update={"framing": cut.rule}) if reading else None
    else:
        layout = find_layout(cut.frames[1:])
        definition = _define(layout, cut, duration_s)
        reasons += _layout_reasons(layout, definition)
        if layout is not None and cut.checksum is None and layout.bits_a_byte > _NEWS_ALLOWED:
            evidence *= 0.6
            reasons.append("What the frames hold looks like noise.")
    confidence = Confidence.GUESS
    if cut.checksum is not None and cut.checksum.is_proof:
        confidence = Confidence.SURE
    elif evidence > 0.6:
        confidence = Confidence.LIKELY
    summary = _summary(cut.rule, definition)
    return Diagnosis(confidence, evidence, summary, tuple(reasons), cut.rule, definition, tuple(cut.frames))


def _define(layout: Layout | None, cut: Cut, duration_s: float | None) -> BoardDefinition | None:
    if layout is None:
        return None
    name = f"{layout.size} bytes, {cut.rule.kind.value.replace('_', ' ')}"
    definition = make_definition(layout, "frames", name, duration_s)
    return definition.model_copy(update={"framing": cut.rule})


def _layout_reasons(layout: Layout | None, definition: BoardDefinition | None) -> list[str]:
    if layout is None or definition is None:
        return ["The frames have too many sizes, or are too few, to tell what numbers they hold."]
    reasons = [
        f"The frames hold {layout.size} bytes. The numbers in them, {layout.byte_order} end first, are a proposal made "
        "of how the bytes change: compare it with what the device's program sends."
    ]
    counters = [channel.name for channel in definition.channels if channel.counts_messages]
    if counters:
        reasons.append(f"{counters[0]} rises by one: it counts messages, so that missing ones show.")
    if definition.clock is not None:
        reasons.append(f"What stands at byte {definition.clock.offset} is a clock, in {definition.clock.unit}.")
    return reasons


def _summary(rule: FramingRule, definition: BoardDefinition | None) -> str:
    title = _TITLES[rule.kind]
    checksum = f", {rule.checksum}" if rule.checksum else ""
    return f"{title}{checksum}{f': {len(definition.channels)} numbers' if definition else ''}"
