"""How a device's bytes are cut into messages: the rule as it is configured. ``blitz.io.framing`` does the cutting."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from blitz.data.checksum_names import CHECKSUM_SIZES, NMEA, catalogue_name


class FramingKind(StrEnum):
    """The kinds of framing."""

    LINES = "lines"
    """Text that ends with a delimiter: CR, LF or both, mixed, unless another one is named."""
    COBS = "cobs"
    """Consistent overhead byte stuffing: frames end with a zero byte."""
    SLIP = "slip"
    """RFC 1055: frames end with c0; c0 and db within are escaped."""
    START_FIXED = "start_fixed"
    """A start pattern, then a fixed number of bytes."""
    START_LENGTH = "start_length"
    """A start pattern, then a length field, then as many bytes. What lies between them is part of the message."""
    FIXED = "fixed"
    """Frames of one size without a mark; only a checksum, or a silence on the line, tells where they begin."""


class FramingRule(BaseModel):
    """How bytes are cut into messages. What a message holds is what lies within the frame: without delimiter, start
    pattern, length field, stuffing and checksum.

    >>> FramingRule(kind="cobs", checksum="crc-16/modbus").checksum
    'CRC-16/MODBUS'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FramingKind = FramingKind.LINES
    delimiter: str = Field(
        default="", description="lines: hex digits of the bytes that end a line; empty: CR, LF or both"
    )
    start: str = Field(default="", description="start_fixed, start_length: hex digits of the start pattern")
    size: int | None = Field(
        default=None,
        ge=1,
        le=65536,
        description="fixed, start_fixed: bytes of a frame behind its start pattern, checksum included",
    )
    length_offset: int = Field(
        default=0,
        ge=0,
        le=64,
        description="start_length: bytes between the start pattern and the length; a part of the message",
    )
    length_bytes: Literal[1, 2, 4] = Field(default=1, description="start_length: size of the length field")
    length_adds: int = Field(
        default=0,
        ge=-64,
        le=64,
        description="start_length: add this to the length to get the number of bytes behind it, checksum included",
    )
    byte_order: Literal["big", "little"] = Field(
        default="little", description="of the length field and of the checksum"
    )
    checksum: str | None = Field(
        default=None,
        description="catalogue name, such as CRC-16/MODBUS, CRC-8/SMBUS, CRC-32/ISO-HDLC, XOR-8, SUM-8, NMEA",
    )
    checksum_covers_start: bool = Field(
        default=False, description="the checksum also covers the start pattern and the length field"
    )
    checksum_covers_length: bool = Field(
        default=False,
        description="start_length: the checksum covers all behind the start pattern, the length field too",
    )
    limit_bytes: int = Field(default=4096, ge=16, le=1 << 20, description="a longer frame is a bad frame")

    @field_validator("delimiter", "start")
    @classmethod
    def _is_hex(cls, value: str) -> str:
        try:
            return bytes.fromhex(value).hex()
        except ValueError:
            raise ValueError(f"{value!r} is not hex digits, such as 0d0a") from None

    @field_validator("checksum")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        return catalogue_name(value) if value else None

    @model_validator(mode="after")
    def _check(self) -> Self:
        has_start = self.kind in (FramingKind.START_FIXED, FramingKind.START_LENGTH)
        if has_start and not self.start:
            raise ValueError(f"framing {self.kind.value!r} needs a start pattern: start = 'aa55', for example")
        if self.kind in (FramingKind.FIXED, FramingKind.START_FIXED) and self.size is None:
            raise ValueError(f"framing {self.kind.value!r} needs the size of a frame in bytes: size = 12, for example")
        if self.checksum == NMEA and self.kind is not FramingKind.LINES:
            raise ValueError(
                f"the checksum NMEA ends a line of text, so it does not go with framing {self.kind.value!r}"
            )
        is_fixed = self.kind in (FramingKind.FIXED, FramingKind.START_FIXED)
        if is_fixed and self.checksum and (self.size or 0) <= CHECKSUM_SIZES[self.checksum]:
            raise ValueError(
                f"a frame of {self.size} bytes has no room for a message and {self.checksum}, which the size counts"
            )
        return self

    @property
    def is_text(self) -> bool:
        """Whether messages are lines of text."""
        return self.kind is FramingKind.LINES and self.checksum in (None, NMEA)


LINES = FramingRule()
"""Lines that end with CR, LF or both: what is assumed of a device of which nothing is known."""
