"""What the format doctor says of a sample. Pure."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import layout_of
from blitz.data.calibration import calibrate
from blitz.data.framing_rule import FramingRule
from blitz.data.layout import Rows

ROWS_SHOWN = 5
_DUMP_BYTES = 64
_A_ROW = 16


class Confidence(StrEnum):
    """How sure the doctor is, in words."""

    SURE = "sure"
    LIKELY = "likely"
    GUESS = "a guess"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Diagnosis:
    """A proposal, or the admission that there is none.

    :param evidence: 0 to 1, to compare samples of one device at several rates.
    :param framing: None where nothing is proposed.
    :param definition: None where the messages' content is not understood; its framing is set unless it is plain lines.
    :param reasons: what speaks for it, sentence by sentence.
    :param frames: some of the messages, as the definition reads them.
    :param board_id: of a device that speaks the Blitz protocol.
    """

    confidence: Confidence
    evidence: float
    summary: str
    reasons: tuple[str, ...]
    framing: FramingRule | None = None
    definition: BoardDefinition | None = None
    frames: tuple[bytes, ...] = field(default=(), repr=False)
    board_id: str | None = None
    parity: Literal["none", "even", "odd"] = "none"
    """Other than none: bytes have 7 data bits and this parity bit, but were heard as 8 bits without one."""

    @property
    def is_sure(self) -> bool:
        """Whether it is worth listening at no other rate."""
        return self.confidence is Confidence.SURE

    @property
    def channels(self) -> tuple[str, ...]:
        """The proposed channels, by what people read."""
        return tuple(channel.display_name for channel in self.definition.channels) if self.definition else ()

    def rows(self, count: int = ROWS_SHOWN) -> list[list[float | None]]:
        """Decode the last messages as the server will; None where there is no number."""
        if self.definition is None or not self.frames:
            return []
        shown = self.frames[-count:]
        values = calibrate(self.definition.channels, layout_of(self.definition).decode(Rows.of_messages(shown)).numbers)
        return [[None if math.isnan(value) else value for value in row] for row in values.tolist()]


def nothing_came() -> Diagnosis:
    """Say that there is no sample."""
    return Diagnosis(
        Confidence.UNKNOWN,
        0.0,
        "nothing came",
        ("The device said nothing. It may wait to be asked: --ask sends the Blitz protocol's harmless question.",),
    )


def not_known(sample: bytes) -> Diagnosis:
    """Say that a sample makes no sense, and what was seen."""
    counts = Counter(sample)
    entropy = -sum(count / len(sample) * math.log2(count / len(sample)) for count in counts.values())
    usual = ", ".join(f"{byte:02x} ({100 * count / len(sample):.0f} %)" for byte, count in counts.most_common(4))
    reasons = (
        f"{len(sample)} bytes came, {100 * printable_share(sample):.0f} % of them printable.",
        f"{len(counts)} of 256 byte values occur, most often {usual}; {entropy:.1f} bits a byte.",
        "No framing fits. So it looks with a wrong rate, parity or number of stop bits, or where content is encrypted.",
    )
    return Diagnosis(Confidence.UNKNOWN, 0.05, "I do not know what this is", reasons)


def hex_dump(sample: bytes, limit: int = _DUMP_BYTES) -> list[str]:
    """Show the beginning of a sample, for people.

    >>> hex_dump(b"512,498\\r\\n")
    ['0000  35 31 32 2c 34 39 38 0d 0a                       512,498..']
    """
    lines = []
    for begin in range(0, min(len(sample), limit), _A_ROW):
        row = sample[begin : min(begin + _A_ROW, limit)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{begin:04x}  {row.hex(' '):<{3 * _A_ROW}} {text}")
    return lines


def printable_share(sample: bytes) -> float:
    """Tell which part of a sample is text: ASCII, or UTF-8 as units and names have it."""
    if not sample:
        return 0.0
    text = sample.decode("utf-8", "replace")
    bad = sum(char == "\ufffd" or not (char.isprintable() or char in "\t\r\n") for char in text)
    return 1.0 - min(1.0, bad / len(text))


def count_of(number: int, word: str) -> str:
    """Return a number with its word.

    >>> count_of(1, "frame"), count_of(0, "frame")
    ('1 frame', '0 frames')
    """
    return f"{number} {word}{'' if number == 1 else 's'}"


def joined(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
