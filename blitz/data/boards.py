"""Board definitions, and what they make of raw messages: readings in physical units.

Pure: definitions and arrays in, arrays out. A definition is a template for a kind of board; those that were in force
are saved with each session, so that an old session stays readable, and a corrected definition reads it anew.
Bit positions follow the serial protocol: most significant first, the payload beginning at bit 48 of the line.
"""

from pydantic import BaseModel, ConfigDict, Field


class Channel(BaseModel):
    """One quantity of a board: where its bits stand in a message, and what they mean.

    value = (number - zero) * scale / divisor, in ``unit``; ``number`` is the integer that the bits make.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="unique within the board; the category's variable name")
    bit: int = Field(ge=0, description="first bit, counted from the start of the payload, or of the flags")
    bits: int = Field(ge=1, le=64)
    is_flag: bool = Field(False, description="the bits stand in flag1..flag5 of the head, not in the payload")
    signed: bool = False
    zero: float = 0.0
    scale: float = 1.0
    divisor: float = 1.0
    unit: str = ""
    shown: bool = Field(True, description="whether a plot shows it when nobody chose otherwise")


class BoardDefinition(BaseModel):
    """A kind of board: its id on the wire, its name and its channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern="^[0-9a-f]{2}$", description="the first two hex digits of each line, lower case")
    name: str
    has_clock: bool = Field(True, description="bits 16-47 are milliseconds of the device's clock")
    channels: tuple[Channel, ...]
