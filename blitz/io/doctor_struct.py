"""What numbers binary messages hold, proposed from how their bytes change.

Pure. The layout is the one that says what comes next in the fewest bits: a number that is cut wrongly jumps where the
right one moves slowly. That is a proposal, never a proof: nothing in the bytes says what was meant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format, StructType

Order = Literal["big", "little"]

FEWEST_MESSAGES = 8
MOST_BYTES = 256
_MESSAGES_USED = 2000
_FIELD_BITS = 1.5
"""What naming one more field costs."""
_UNALIGNED_BITS = 0.4
_FLOAT_BITS = 6.0
"""What sane values of a float weigh: hardly any other bytes give them."""
_HUGE = 1 << 26
_HUGE_BITS = 4.0
_SANE_LOW, _SANE_HIGH = 1e-5, 1e7
_STEADY = 0.25
_LONGEST_STEP_MS = 60_000
_INTEGERS: dict[int, tuple[StructType, StructType]] = {1: ("u8", "i8"), 2: ("u16", "i16"), 4: ("u32", "i32")}


@dataclass(frozen=True)
class Field:
    """A number in a message."""

    offset: int
    type: StructType
    size: int
    bits: float
    """What a message's value costs, known the one before."""
    numbers: NDArray[np.float64]

    @property
    def steps(self) -> NDArray[np.float64]:
        """How the number changes from message to message, wraps undone."""
        return _steps(self.numbers, self.size) if self.type[0] != "f" else np.diff(self.numbers)

    @property
    def is_counter(self) -> bool:
        """Whether it rises by one a message, with a few missing."""
        steps = self.steps
        return self.type[0] == "u" and float(np.mean(steps == 1)) > 0.9 and bool((steps > 0).all())

    @property
    def is_clock(self) -> bool:
        """Whether it rises steadily, by more than one a message."""
        steps = self.steps
        step = float(np.median(steps))
        return (
            self.size == 4
            and self.type[0] == "u"
            and step >= 2
            and bool((steps >= 0).all())
            and float(np.mean(np.abs(steps - step) <= max(2.0, _STEADY * step))) > 0.9
        )

    @property
    def is_constant(self) -> bool:
        """Whether it never changes."""
        return bool((self.numbers == self.numbers[0]).all())


@dataclass(frozen=True)
class Layout:
    """The proposed fields of messages of one size."""

    size: int
    byte_order: Order
    fields: tuple[Field, ...]
    bits: float
    """What a message costs, known the one before; noise costs about 6 bits a byte."""

    @property
    def bits_a_byte(self) -> float:
        """How much of a message is news."""
        return sum(field.bits for field in self.fields) / self.size


def find_layout(messages: Sequence[bytes]) -> Layout | None:
    """Propose the numbers in messages, most of which have one size.

    :returns: None where there are too few, where they are too long, or of too many sizes.
    """
    sizes = np.bincount([len(message) for message in messages]) if messages else np.zeros(1, np.int64)
    size = int(sizes.argmax())
    if not 0 < size <= MOST_BYTES or sizes[size] < max(FEWEST_MESSAGES, 0.6 * len(messages)):
        return None
    alike = [message for message in messages if len(message) == size][:_MESSAGES_USED]
    rows = np.frombuffer(b"".join(alike), np.uint8).reshape(-1, size)
    little, big = _best(rows, "little"), _best(rows, "big")
    return big if big.bits < little.bits - 0.5 else little


def make_definition(layout: Layout, identity: str, name: str, duration_s: float | None = None) -> BoardDefinition:
    """Return a definition with the proposed channels, ``field_1`` and so on.

    :param duration_s: how long the messages took, if that is known: it tells a clock's unit.
    """
    order: Order | None = "big" if layout.byte_order == "big" else None
    clock: Clock | None = None
    channels = []
    for number, field in enumerate(layout.fields, 1):
        unit = clock_unit(field.steps, duration_s) if clock is None and field.is_clock else None
        if unit is not None:
            clock = Clock(offset=field.offset, type=field.type, byte_order=order, unit=unit)
            continue
        channels.append(
            Channel(
                name=f"field_{number}",
                offset=field.offset,
                type=field.type,
                byte_order=order if field.size > 1 else None,
                counts_messages=field.is_counter,
                shown=not (field.is_counter or field.is_constant),
            )
        )
    return BoardDefinition(id=identity, name=name, format=Format.STRUCT, channels=tuple(channels), clock=clock)


def clock_unit(
    steps: NDArray[np.float64], duration_s: float | None, tolerance: float = 0.3
) -> Literal["s", "ms", "us"] | None:
    """Tell in what a clock counts: by how long it took if that is known, else by the usual step; None if by neither.

    :param tolerance: reads bring what had waited in buffers, too, so that the time is not exact.
    """
    if duration_s is None or duration_s < 1:
        return "ms" if 2 <= np.median(steps) <= _LONGEST_STEP_MS else "us"
    rate = float(steps.sum()) / duration_s
    units: dict[Literal["s", "ms", "us"], float] = {"s": 1, "ms": 1e3, "us": 1e6}
    return next((unit for unit, per_s in units.items() if abs(rate / per_s - 1) < tolerance), None)


def _best(rows: NDArray[np.uint8], order: Order) -> Layout:
    """Find the cheapest way from the first byte to the last, by dynamic programming."""
    size = rows.shape[1]
    cheapest: list[tuple[float, tuple[Field, ...]]] = [(0.0, ())]
    for end in range(1, size + 1):
        ways = []
        for width in (1, 2, 4, 8):
            if width > end:
                break
            field = _field(rows[:, end - width : end], end - width, order)
            if field is not None:
                bits, fields = cheapest[end - width]
                ways.append((bits + _price(field), (*fields, field)))
        cheapest.append(min(ways, key=lambda way: way[0]))
    bits, fields = cheapest[size]
    return Layout(size, order, fields, bits)


def _price(field: Field) -> float:
    price = field.bits + _FIELD_BITS + (_UNALIGNED_BITS if field.offset % field.size else 0.0)
    if field.type[0] == "f":
        return price - _FLOAT_BITS * (1 if field.size == 4 else 2)
    return price + (_HUGE_BITS if np.median(np.abs(field.numbers)) > _HUGE else 0.0)


def _field(part: NDArray[np.uint8], offset: int, order: Order) -> Field | None:
    """Read bytes as the number that fits them best; None where they are none."""
    size = part.shape[1]
    real = _float(part, offset, order) if size >= 4 else None
    if real is not None or size == 8:
        return real
    unsigned = _read(part, f"u{size}", order)
    if size > 1 and _is_two_numbers(part, order):
        return None
    steps = _steps(unsigned, size)
    half = float(1 << (8 * size - 1))
    signed = np.where(unsigned >= half, unsigned - 2 * half, unsigned)
    # Near zero a number that can be negative jumps over the whole range when it is read without its sign.
    is_signed = bool((unsigned >= half).any()) and float(np.abs(np.diff(signed)).sum()) <= float(
        np.abs(np.diff(unsigned)).sum()
    )
    is_signed = is_signed and bool((np.abs(signed) < half / 2).mean() > 0.9 or (signed >= 0).any())
    if is_signed and float(np.mean(steps == np.median(steps))) > 0.9 and np.median(steps) > 0:
        is_signed = False  # a counter that wraps
    kind = _INTEGERS[size][is_signed]
    return Field(offset, kind, size, _bits(steps), signed if is_signed else unsigned)


def _float(part: NDArray[np.uint8], offset: int, order: Order) -> Field | None:
    size = part.shape[1]
    numbers = _read(part, f"f{size}", order)
    magnitude = np.abs(numbers)
    is_sane = (magnitude == 0) | ((magnitude > _SANE_LOW) & (magnitude < _SANE_HIGH))
    if not (np.isfinite(numbers).all() and is_sane.mean() > 0.98 and (magnitude > 0).mean() > 0.5):
        return None
    whole = _read(part, f"i{size}", order)
    ordered = np.where(whole < 0, -(whole + 2.0 ** (8 * size - 1)), whole)
    return Field(offset, "f32" if size == 4 else "f64", size, _bits(np.diff(ordered)), numbers)


def _is_two_numbers(part: NDArray[np.uint8], order: Order) -> bool:
    """Whether the upper half changes on its own: in one number it does so only when the lower half passes its end."""
    half = part.shape[1] // 2
    upper, lower = (part[:, half:], part[:, :half]) if order == "little" else (part[:, :half], part[:, half:])
    high, low = _read(upper, f"u{half}", order), _read(lower, f"u{half}", order)
    moved = np.diff(high) != 0
    if not moved.any():
        return False
    stayed = np.abs(np.diff(low))[moved] < (1 << (8 * half - 1))
    return bool(stayed.mean() > 0.8 and moved.sum() > 1)


def _read(part: NDArray[np.uint8], kind: str, order: Order) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        numbers = np.ascontiguousarray(part).view(np.dtype((">" if order == "big" else "<") + kind))
        return numbers[:, 0].astype(np.float64)


def _steps(numbers: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    span = float(1 << (8 * size))
    return (np.diff(numbers) + span / 2) % span - span / 2


def _bits(steps: NDArray[np.float64]) -> float:
    """How many bits a step costs, beyond the usual one."""
    if not len(steps):
        return math.inf
    return float(np.log2(1 + np.abs(steps - np.median(steps))).mean())
