"""A board's definition while an operator types in it: texts that may be wrong, and sentences that say why.

Knows no widget.
"""

import re
from dataclasses import dataclass, replace

from pydantic import ValidationError

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.model_faults import ended, first_fault

NUMBERS = ("zero", "scale")
OPTIONAL_NUMBERS = ("valid_low", "valid_high", "limit_low", "limit_high")
_WORDS = {
    "zero": "zero",
    "scale": "scale",
    "valid_low": "valid from",
    "valid_high": "valid to",
    "limit_low": "lower limit",
    "limit_high": "upper limit",
    "decimals": "decimals",
    "color": "colour",
}


class DraftError(Exception):
    """What is wrong with a draft, as a sentence, and where."""

    def __init__(self, sentence: str, row: int | None = None, field: str = "name") -> None:
        super().__init__(sentence)
        self.row = row
        self.field = field


@dataclass(frozen=True)
class ChannelDraft:
    """One channel as it is typed; every text is what stands in the field. Scale and divisor are one number here."""

    name: str
    unit: str = ""
    zero: str = "0"
    scale: str = "1"
    label: str = ""
    color: str = ""
    decimals: str = ""
    valid_low: str = ""
    valid_high: str = ""
    limit_low: str = ""
    limit_high: str = ""
    shown: bool = True
    counts_messages: bool = False

    @classmethod
    def of(cls, channel: Channel) -> "ChannelDraft":
        """Return a channel as texts."""
        texts = {name: _text(getattr(channel, name)) for name in ("zero", *OPTIONAL_NUMBERS, "decimals")}
        return cls(
            name=channel.name,
            unit=channel.unit,
            label=channel.label,
            color=channel.color,
            shown=channel.shown,
            counts_messages=channel.counts_messages,
            scale=_scale_text(channel),
            **texts,
        )

    def build(self, base: Channel, row: int) -> Channel:
        """Return the channel; what cannot be typed stays as it is in ``base``.

        :raises DraftError: naming the first field that is wrong.
        """
        name = self.name.strip()
        if not name:
            raise DraftError(f"Channel {row + 1} has no name.", row)
        ticks = {"shown": self.shown, "counts_messages": self.counts_messages}
        fields: dict[str, object] = {"name": name, "unit": self.unit.strip(), **ticks}
        for field in NUMBERS:
            fields[field] = self._number(field, row) if getattr(self, field).strip() else _number_base(field)
        if self.scale == _scale_text(base):
            fields["scale"] = base.scale  # exact, with its divisor
        else:
            fields["divisor"] = 1.0
        for field in OPTIONAL_NUMBERS:
            fields[field] = self._number(field, row) if getattr(self, field).strip() else None
        if fields["scale"] == 0:
            raise DraftError(f"The scale of {name} is 0: every value would be 0.", row, "scale")
        fields["label"] = self.label.strip()
        fields["color"] = self._colour(row)
        fields["decimals"] = self._decimals(row)
        try:
            return Channel.model_validate({**base.model_dump(), **fields})
        except ValidationError as error:
            reason = first_fault(error)
            field = "limit_low" if "limits" in reason else "valid_low" if "valid" in reason else "name"
            raise DraftError(ended(f"{reason[:1].upper()}{reason[1:]}"), row, field) from error

    def _number(self, field: str, row: int) -> float:
        text = getattr(self, field).strip()
        number = parse_number(text)
        if number is None:
            raise DraftError(f"“{text}”, the {_WORDS[field]} of {self.name.strip()}, is not a number.", row, field)
        return number

    def _colour(self, row: int) -> str:
        text = self.color.strip()
        if text and not re.fullmatch("#[0-9a-fA-F]{6}", text):
            raise DraftError(f"“{text}”, the colour of {self.name.strip()}, is not like #1f77b4.", row, "color")
        return text

    def _decimals(self, row: int) -> int | None:
        text = self.decimals.strip()
        if not text:
            return None
        if not text.isdecimal() or int(text) > 12:
            raise DraftError(f"“{text}”, the decimals of {self.name.strip()}, is not 0 to 12.", row, "decimals")
        return int(text)


@dataclass(frozen=True)
class DefinitionDraft:
    """A definition as it is typed."""

    base: BoardDefinition
    name: str
    channels: tuple[ChannelDraft, ...]

    @classmethod
    def of(cls, definition: BoardDefinition) -> "DefinitionDraft":
        """Return a definition as texts."""
        return cls(definition, definition.name, tuple(ChannelDraft.of(channel) for channel in definition.channels))

    def with_channel(self, row: int, **fields: object) -> "DefinitionDraft":
        """Return the draft with fields of one channel changed."""
        changed = replace(self.channels[row], **fields)  # type: ignore[arg-type]  # names of fields, with their texts
        return replace(self, channels=(*self.channels[:row], changed, *self.channels[row + 1 :]))

    def channel(self, row: int) -> Channel | None:
        """Return a channel as typed; None while it is wrong."""
        try:
            return self.channels[row].build(self.base.channels[row], row)
        except DraftError:
            return None

    def build(self) -> BoardDefinition:
        """Return the definition.

        :raises DraftError: naming the first channel and field that is wrong.
        """
        channels = tuple(
            draft.build(channel, row)
            for row, (draft, channel) in enumerate(zip(self.channels, self.base.channels, strict=True))
        )
        rows: dict[str, int] = {}
        for row, channel in enumerate(channels):
            if channel.name in rows:
                first = rows[channel.name] + 1
                raise DraftError(f"Channels {first} and {row + 1} are both called {channel.name}.", row)
            rows[channel.name] = row
        return self.base.model_copy(update={"name": self.name.strip() or self.base.name, "channels": channels})


def parse_number(text: str) -> float | None:
    """Read a number as people type it, with a point or a comma; None where it is none.

    >>> parse_number("0,25"), parse_number("1e-3"), parse_number("abc")
    (0.25, 0.001, None)
    """
    text = text.strip().replace("−", "-")
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _number_base(field: str) -> float:
    return 1.0 if field == "scale" else 0.0


def _scale_text(channel: Channel) -> str:
    return _text(channel.scale / channel.divisor)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
