"""Board definitions: what kinds of boards there are, and where in a message each channel stands.

Pure models and the reading of their TOML files; what they make of raw messages is the business of
:mod:`blitz.data.boards`. A definition is a template for a kind of board; those that were in force are saved with each
session, so that an old session stays readable, and a corrected definition reads it anew.
"""

import importlib.resources
import re
import tomllib
from collections import Counter
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from blitz.data.answer_pattern import AnswerPattern
from blitz.data.bits import HEAD_DIGITS
from blitz.data.calibration_facts import Calibration
from blitz.data.command_parameter import Parameter, check_places, pattern_of, write_value
from blitz.data.framing_rule import FramingRule
from blitz.data.model_faults import ended, first_fault
from blitz.errors import ConfigError

LINE_DIGITS = 28
"""Length of a data line of the Blitz protocol; extended ones are longer."""

_FLAG_BIT = 11
_FLAG_COUNT = 5
_HEX_ID = re.compile("^[0-9a-f]{2}$")

StructType = Literal["u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32", "u64", "i64", "f32", "f64"]


class Format(StrEnum):
    """How a message's content is laid out."""

    BLITZ = "blitz"
    """Hex digits of the Blitz protocol; channels are bits."""
    COLUMNS = "columns"
    """Separated text, such as ``512,498,730``; a channel's ``column`` is its number, from 0."""
    PAIRS = "pairs"
    """``label:value`` pairs, as the Arduino plotter reads them; a channel's ``column`` is its label."""
    JSON = "json"
    """A JSON object a message; a channel's ``column`` is its key, with dots for objects within, ``imu.x``, ``v.0``."""
    STRUCT = "struct"
    """Binary; a channel is a number of ``type`` at the byte ``offset``."""
    PLUGIN = "plugin"
    """A Python class, registered as an entry point ``blitz.boards``, named by ``plugin``."""

    @property
    def summary(self) -> str:
        """What people read about it."""
        return _SUMMARIES[self]


_SUMMARIES = {
    Format.BLITZ: "hex digits of the Blitz protocol; channels are bits",
    Format.COLUMNS: "separated text, such as 512,498,730",
    Format.PAIRS: "label:value pairs, such as temp:21.5 hum:40",
    Format.JSON: "a JSON object a message",
    Format.STRUCT: "binary: integers and floats at fixed bytes",
    Format.PLUGIN: "a Python class that an installed package brings",
}


class _Part(BaseModel):
    """Where a number stands in a message. Which fields count depends on the definition's format."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    bit: int | None = Field(
        default=None, ge=0, description="blitz: first bit, counted from the start of the payload, or of the flags"
    )
    bits: int | None = Field(default=None, ge=1, le=64, description="blitz: how many")
    is_flag: bool = Field(
        default=False, description="blitz: the bits stand in flag1..flag5 of the head, not in the payload"
    )
    signed: bool = False
    byte_order: Literal["big", "little"] | None = Field(
        default=None,
        description="blitz: big when absent; struct: little when absent. Bits of blitz are turned by whole bytes",
    )
    column: int | str | None = Field(default=None, description="columns: number from 0; pairs: label; json: key")
    offset: int | None = Field(default=None, ge=0, description="struct: first byte")
    type: StructType | None = Field(default=None, description="struct: what stands there")

    @property
    def first_bit(self) -> int:
        """First bit, counted from the start of a Blitz line."""
        return (self.bit or 0) + (_FLAG_BIT if self.is_flag else 4 * HEAD_DIGITS)


class Channel(_Part):
    """One quantity of a board: where it stands in a message, and what it means.

    Its value, in ``unit``, is made of the number that stands there by the first of these that is given: ``table``,
    points (number, value) joined by straight lines and continued beyond the ends; ``polynomial``, coefficients from the
    constant one up; else (number - zero) * scale / divisor. A value outside the valid range is no reading (NaN).
    """

    name: str = Field(min_length=1, description="unique within the board; the category's variable name")
    zero: float = 0.0
    scale: float = 1.0
    divisor: float = 1.0
    polynomial: tuple[float, ...] = ()
    table: tuple[tuple[float, float], ...] = ()
    unit: str = ""
    valid_low: float | None = Field(default=None, description="a smaller value is no reading")
    valid_high: float | None = Field(default=None, description="a larger value is no reading")
    limit_low: float | None = Field(
        default=None, description="shown as a limit; a smaller value is a reading all the same"
    )
    limit_high: float | None = None
    label: str = Field(default="", description="what people read instead of the name")
    color: str = Field(
        default="", pattern="^(#[0-9a-fA-F]{6})?$", description="of its curve, as #rrggbb; chosen when empty"
    )
    decimals: int | None = Field(default=None, ge=0, le=12, description="shown behind the point; chosen when absent")
    shown: bool = Field(default=True, description="whether a plot shows it when nobody chose otherwise")
    counts_messages: bool = Field(
        default=False,
        description="the number rises by one a message: what is missing shows. It wraps where its bits end",
    )
    calibration: Calibration | None = Field(
        default=None,
        exclude_if=lambda value: value is None,  # so that a program that knows no such field reads all other channels
        description="how zero, scale, polynomial or table were found: who, when, against what, until when it is good",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_flag and (self.bit or 0) + (self.bits or 0) > _FLAG_COUNT:
            raise ValueError(f"channel {self.name!r} reaches beyond the {_FLAG_COUNT} flags")
        if self.divisor == 0:
            raise ValueError(f"channel {self.name!r} has the divisor 0")
        numbers = [number for number, _ in self.table]
        if self.table and (len(numbers) < 2 or numbers != sorted(set(numbers))):
            raise ValueError(f"channel {self.name!r} has a table that is not two or more points with rising numbers")
        for low, high, what in (
            (self.valid_low, self.valid_high, "valid range"),
            (self.limit_low, self.limit_high, "limits"),
        ):
            if low is not None and high is not None and low >= high:
                raise ValueError(f"channel {self.name!r} has {what} from {low:g} up to {high:g}")
        return self

    @property
    def display_name(self) -> str:
        """What people read."""
        return self.label or self.name


class Clock(_Part):
    """The device's own time in each message; Blitz lines have theirs in bits 16-47 without being told."""

    unit: Literal["s", "ms", "us"] = "ms"
    wraps_at: int | None = Field(
        default=1 << 32, ge=0, description="the count begins at 0 again after this many units; 0: never"
    )

    @field_validator("wraps_at")
    @classmethod
    def _say_never(cls, value: int | None) -> int:
        """None is no value in TOML, and is left out on the wire."""
        return value or 0


def is_sendable(line: str) -> bool:
    """Whether a text can be sent to a device, one byte a character.

    >>> is_sendable("25 °C"), is_sendable("5 €")
    (True, False)
    """
    return all(char <= "\xff" for char in line)


class Command(BaseModel):
    """A named command of a board: what is sent, and what the device answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60)
    send: str = Field(description="text, or hex digits")
    is_hex: bool = False
    ending: str = Field(default="\n", description="sent behind it; with hex, nothing is")
    answer: str | None = Field(
        default=None, description="regular expression that a line of the answer matches; absent: none comes"
    )
    timeout_s: float = Field(default=2.0, gt=0, le=60)
    is_actuator: bool = Field(
        default=False, description="moves or heats something: never sent unasked, and asked about in the client"
    )
    parameter: Parameter | None = Field(
        default=None, description="a number that is given with it; `send` says by {value} where it stands"
    )

    @property
    def payload(self) -> bytes:
        """The bytes on the wire, of a command without a parameter."""
        return bytes.fromhex(self.send) if self.is_hex else (self.send + self.ending).encode("latin-1")

    def with_value(self, value: float | None) -> "Command":
        """Return the command that is sent for a value; itself where it takes none.

        :raises ValueError: if the value is missing, not possible, or one too many.
        """
        if self.parameter is None:
            if value is not None:
                raise ValueError(f"the command {self.name!r} takes no value")
            return self
        if value is None:
            raise ValueError(f"the command {self.name!r} needs a value, {self.parameter.words}")
        send = write_value(self.send, self.parameter.checked(value))
        return self.model_copy(update={"send": send, "parameter": None})

    def is_said_by(self, payload: bytes) -> bool:
        """Whether bytes are this command, with whatever value; white space around them does not count."""
        if self.parameter is None:
            return payload.strip() == self.payload.strip()
        if self.is_hex:
            return pattern_of("".join(self.send.split()).lower()).fullmatch(payload.hex()) is not None
        return pattern_of(self.send.strip()).fullmatch(str(payload.strip(), "latin-1")) is not None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.parameter is not None:
            try:
                check_places(self.send)
            except ValueError as error:
                raise ValueError(f"command {self.name!r}: {error}") from None
        try:
            for value in (self.parameter.min, self.parameter.max) if self.parameter else (None,):
                _ = self.with_value(value).payload
        except ValueError:
            what = self.send if self.is_hex else self.send + self.ending
            raise ValueError(f"command {self.name!r} sends {what!r}, which cannot be bytes") from None
        try:
            AnswerPattern(self.answer or "")
        except ValueError as error:
            raise ValueError(f"command {self.name!r} has a wrong pattern {self.answer!r}: {error}") from None
        return self


class BoardDefinition(BaseModel):
    """A kind of board: how it is told from others, how its messages are laid out, its channels and commands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(
        pattern="^[a-z0-9][a-z0-9_-]{0,39}$",
        description="blitz: the first two hex digits of each line, lower case; otherwise a short name",
    )
    name: str
    format: Format = Format.BLITZ
    has_clock: bool = Field(default=True, description="blitz: bits 16-47 are milliseconds of the device's clock")
    clock: Clock | None = Field(default=None, description="other formats: where the device's time stands")
    separator: str = Field(
        default="",
        description="columns, pairs: between two values; empty: comma, semicolon, tab or spaces, whichever a line has",
    )
    plugin: str = Field(default="", description="plugin: the entry point's name")
    options: dict[str, str | int | float | bool] = Field(default_factory=dict, description="plugin: given to the class")
    channels: tuple[Channel, ...]
    commands: tuple[Command, ...] = ()
    on_connect: tuple[str, ...] = Field(
        default=(), description="names of commands, or lines, sent whenever the link is opened"
    )
    framing: FramingRule | None = Field(default=None, description="how such a board's bytes are cut; absent: lines")
    baud: int | None = Field(default=None, ge=50, le=20_000_000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for what, names in (("channels", self.channels), ("commands", self.commands)):
            for name, count in Counter(part.name for part in names).items():
                if count > 1:
                    raise ValueError(f"there are {count} {what} {name!r}")
        if self.format is Format.BLITZ and not _HEX_ID.match(self.id):
            raise ValueError(f"the id {self.id!r} of a Blitz board is not two hex digits, in lower case")
        if self.format is Format.PLUGIN and not self.plugin:
            raise ValueError("format 'plugin' needs the entry point's name: plugin = 'my_board'")
        for channel in self.channels:
            self._check_place(channel)
        if self.clock is not None:
            self._check_place(self.clock)
        for line in self.on_connect:
            command = self.command(line)
            if command is not None and command.parameter is not None:
                raise ValueError(
                    f"on_connect: the command {command.name!r} needs a value, so it cannot be sent unasked"
                )
            if command is None and not is_sendable(line):
                raise ValueError(f"on_connect: {line!r} cannot be sent: of text, only characters of latin-1 can")
        return self

    def _check_place(self, part: Channel | Clock) -> None:
        who = f"channel {part.name!r}" if isinstance(part, Channel) else "the clock"
        if self.format is Format.BLITZ and (part.bit is None or part.bits is None):
            raise ValueError(f"{who} needs bit and bits")
        if self.format is Format.BLITZ and part.byte_order == "little" and (part.bits or 0) % 8:
            raise ValueError(f"{who} has {part.bits} bits: only whole bytes can stand in little-endian order")
        if self.format is Format.COLUMNS and (not isinstance(part.column, int) or part.column < 0):
            raise ValueError(f"{who} needs its column, a number from 0")
        if self.format in (Format.PAIRS, Format.JSON) and not isinstance(part.column, str):
            raise ValueError(f"{who} needs its column, the {'label' if self.format is Format.PAIRS else 'key'}")
        if self.format is Format.STRUCT and (part.offset is None or part.type is None):
            raise ValueError(f"{who} needs offset and type")

    @property
    def needed_digits(self) -> int:
        """Length of the shortest Blitz message that holds all channels."""
        ends = [-(-(channel.first_bit + (channel.bits or 0)) // 4) for channel in self.channels]
        return max([LINE_DIGITS, *ends])

    def command(self, name: str) -> Command | None:
        """Return the command with that name, in whatever case."""
        return next((command for command in self.commands if command.name.lower() == name.lower()), None)


def load_definitions(folder: Path | None = None) -> dict[str, BoardDefinition]:
    """Read the built-in definitions, and those of a folder, which override them.

    :param folder: its ``*.toml`` files hold a definition each.
    :returns: definitions by id.
    :raises ConfigError: naming the file that cannot be read, and why.

    >>> load_definitions()["09"].name
    'Motor'
    """
    places: list[Traversable] = [importlib.resources.files("blitz.data") / "definitions"]
    if folder is not None:
        places.append(folder)
    definitions = {}
    for place in places:
        try:
            files = sorted(
                (file for file in place.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name
            )
        except OSError as error:
            raise ConfigError(f"Cannot read board definitions from {place}: {error.strerror}.") from error
        for file in files:
            definition = read_definition(file)
            definitions[definition.id] = definition
    return definitions


def read_definition(file: Traversable) -> BoardDefinition:
    """Read a definition from a TOML file.

    :raises ConfigError: naming the file, and what is wrong with it.
    """
    document: dict[str, object] = {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        return BoardDefinition.model_validate(document)
    except OSError as error:
        raise ConfigError(
            f"Cannot read the board definition {file}: {(error.strerror or str(error)).lower()}."
        ) from error
    except ValidationError as error:
        models: tuple[type[BaseModel], ...] = (BoardDefinition, Channel, Command, FramingRule)
        fault = first_fault(error, document, [field for model in models for field in model.model_fields])
        raise ConfigError(ended(f"The board definition {file} is wrong: {fault}")) from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise ConfigError(f"The board definition {file} is not TOML: {error}.") from error
