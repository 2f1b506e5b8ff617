"""A way to cut a sample into frames, tried on the sample. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.doctor_checksum import FoundChecksum, find_checksum
from blitz.io.framing import make_framing

FEWEST_FRAMES = 5
NO_CHECKSUM = "no checksum of the catalogue fits"

_COVERAGE_NEEDED = 0.8

ByteOrder = Literal["big", "little"]


@dataclass(frozen=True)
class Cut:
    """A way to cut a sample into frames.

    :param evidence: 0 to 1: 1 for a checksum that fits, less for what only looks regular.
    :param frames: what the frames hold.
    """

    rule: FramingRule
    frames: list[bytes]
    evidence: float
    reasons: tuple[str, ...]
    checksum: FoundChecksum | None = None


class Length(NamedTuple):
    """Where a length field may stand behind a start pattern."""

    offset: int
    size: Literal[1, 2]
    order: ByteOrder


def try_rule(rule: FramingRule, sample: bytes) -> list[bytes] | None:
    """Cut the sample by a rule; None if most of it does not fit."""
    framing = make_framing(rule)
    frames = framing.feed(sample)
    lost = framing.bad_bytes + framing.discarded["between frames"] + framing.discarded["over-long"]
    whole = len(sample) - framing.pending_bytes
    # The first frame may lack its beginning.
    excused = max(map(len, frames), default=0) + 8
    if len(frames) < FEWEST_FRAMES or max(0, lost - excused) > (1 - _COVERAGE_NEEDED) * whole:
        return None
    return frames


def length_cut(sample: bytes, start: bytes, length: Length, adds: int) -> Cut | None:
    """Propose a start pattern with a length field, and a checksum if one fits; None if most of the sample does not.

    :param adds: to the length, to get the number of bytes behind it.
    """
    rule = FramingRule(
        kind=FramingKind.START_LENGTH,
        start=start.hex(),
        length_offset=length.offset,
        length_bytes=length.size,
        length_adds=adds,
        byte_order=length.order,
    )
    frames = try_rule(rule, sample)
    if frames is None:
        return None
    reasons = [
        f"frames begin with {start.hex(' ')}, and their length ({length.size} byte{'s' * (length.size - 1)}) "
        f"stands {f'{length.offset} bytes ' if length.offset else ''}behind it"
    ]
    found = checked(rule, frames, start, length)
    if found is not None:
        rule, checksum = found
        evidence = 1.0 if checksum.is_proof else 0.9
        return Cut(rule, make_framing(rule).feed(sample), evidence, (*reasons, str(checksum)), checksum)
    # A zero is more often a number's upper half than a mark.
    return Cut(rule, frames, 0.72 if 0 in start else 0.78, (*reasons, NO_CHECKSUM))


def checked(
    rule: FramingRule, frames: Sequence[bytes], start: bytes, length: Length | None
) -> tuple[FramingRule, FoundChecksum] | None:
    """Look for the frames' checksum, over the content, with the length, with all of the head."""
    ways: list[tuple[dict[str, bool], list[bytes]]] = [({}, [*frames])]
    if length is not None:
        heads = [_head(frame, rule, length) for frame in frames]
        ways.append(({"checksum_covers_length": True}, [head + frame for head, frame in heads]))
        ways.append(({"checksum_covers_start": True}, [start + head + frame for head, frame in heads]))
    else:
        ways.append(({"checksum_covers_start": True}, [start + frame for frame in frames]))
    for changes, covered in ways:
        checksum = find_checksum(covered)
        # Of a length field the byte order is known: another one cannot be told for the checksum.
        is_possible = length is None or length.size == 1 or (checksum and checksum.byte_order == rule.byte_order)
        if checksum is not None and (is_possible or checksum.size == 1):
            kept = {} if length is None or length.size == 1 else {"byte_order": rule.byte_order}
            return with_checksum(rule, checksum, **changes, **kept), checksum
    return None


def with_checksum(rule: FramingRule, found: FoundChecksum, **changes: Any) -> FramingRule:
    """Return a rule with the checksum that was found."""
    return FramingRule.model_validate(
        rule.model_dump() | {"checksum": found.name, "byte_order": found.byte_order} | changes
    )


def _head(frame: bytes, rule: FramingRule, length: Length) -> tuple[bytes, bytes]:
    """Put a frame's length field back: what lies before and in it, and the rest."""
    before, rest = frame[: length.offset], frame[length.offset :]
    told = (len(rest) - rule.length_adds).to_bytes(length.size, length.order)
    return before + told, rest
