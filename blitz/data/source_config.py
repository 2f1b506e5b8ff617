"""A source as it is configured: which device, how it is reached, how its bytes are cut and what they mean.

What the server keeps over restarts and gives at ``/sources``. What a session saves of it is
:class:`blitz.data.records.Source`.
"""

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from blitz.data.board_definition import BoardDefinition, Format, is_sendable
from blitz.data.framing_rule import LINES, FramingRule

DEFAULT_BAUD = 57600
STREAM = "stream:"
"""Begins the link of a source that is a stream of the server's own store."""
_KIND = re.compile(r"([a-z][a-z0-9]{1,19}):(?!//)")
POINTS = FramingRule(limit_bytes=1 << 20)
"""How the points of a stream are cut: a line each, which may be longer than a device's."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class UsbIdentity(_Part):
    """What tells one USB device from others: maker and kind, its serial number, and where it is plugged in.

    Clones have no serial number; two of one kind are then told apart by what they say, or by their place.
    """

    vendor_id: int
    product_id: int
    serial_number: str = ""
    usb_path: str = Field(default="", description="bus and ports, such as 1-2.4")
    product: str = Field(default="", description="what it calls itself, for people")

    @property
    def kind(self) -> tuple[int, int]:
        """Vendor and product."""
        return self.vendor_id, self.product_id


class SerialOptions(_Part):
    """How a serial line is set. Links of other kinds have none of it."""

    baud: int = Field(default=DEFAULT_BAUD, ge=50, le=20_000_000)
    data_bits: Literal[5, 6, 7, 8] = 8
    parity: Literal["none", "even", "odd", "mark", "space"] = "none"
    stop_bits: float = Field(default=1, description="1, 1.5 or 2")
    flow_control: Literal["none", "rtscts", "xonxoff", "dsrdtr"] = "none"
    dtr: Literal["on", "off"] = Field(
        default="on", description="off: low at once; while a port is opened, Linux raises it all the same"
    )
    rts: Literal["on", "off"] = "on"

    @field_validator("stop_bits")
    @classmethod
    def _check_stop_bits(cls, value: float) -> float:
        if value not in (1, 1.5, 2):
            raise ValueError(f"{value:g} stop bits: there are 1, 1.5 or 2")
        return value


NAME_PATTERN = r"^[^\s/\\?#%][^/\\?#%\x00-\x1f]{0,59}$"
"""Of names of sources."""


class SourceConfig(_Part):
    """One configured input.

    ``link`` is a port's path (``/dev/ttyUSB0``, ``COM3``), ``socket://host:port``, ``replay:FILE``, ``stream:NAME``, or
    what a kind of source calls its own (``csv:/home/lab/run.csv``, see :mod:`blitz.data.source_kinds`). A USB device
    with an identity is found under whatever port name it has, ``link`` being the last one.
    """

    name: str = Field(pattern=NAME_PATTERN, description="unique on the server")
    link: str = Field(min_length=1)
    serial: SerialOptions = SerialOptions()
    protocol: Literal["auto", "blitz", "stream", "netscanner"] = Field(
        default="auto",
        description="auto: listen, then ask; blitz: asked; stream: only listened to; netscanner: polled",
    )
    framing: FramingRule | None = Field(default=None, description="absent: the definition's, else lines")
    definition: BoardDefinition | None = Field(
        default=None, description="absent: by the board's id, or by what it prints"
    )
    on_connect: tuple[str, ...] = Field(
        default=(),
        description="lines, or names of commands, sent whenever the link is opened; besides the definition's",
    )
    poll_interval_s: float | None = Field(default=None, gt=0, le=3600)
    identity: UsbIdentity | None = None
    board_id: str | None = Field(default=None, description="two hex digits, once the board has said it")
    is_recorded: bool = Field(
        default=True, description="false: a stream is shown beside the boards, and its points go into no session"
    )
    is_enabled: bool = Field(default=True, description="false: it is kept and not opened")
    options: dict[str, Any] = Field(default_factory=dict, description="what its kind of source is told")

    @field_validator("on_connect")
    @classmethod
    def _check_on_connect(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            if not is_sendable(line):
                raise ValueError(f"{line!r} cannot be sent: of text, only characters of latin-1 can")
        return lines

    @model_validator(mode="after")
    def _check(self) -> Self:
        wants_stream = self.rule != LINES or (
            self.definition is not None and self.definition.format is not Format.BLITZ
        )
        if self.protocol == "blitz" and wants_stream:
            raise ValueError(f"source {self.name!r} is asked by the Blitz protocol, which has lines of hex digits")
        if self.stream is not None and (self.framing is not None or self.protocol not in ("auto", "stream")):
            raise ValueError(f"source {self.name!r} is a stream of points: it has neither a protocol nor a framing")
        if self.kind is not None and self.protocol not in ("auto", "stream"):
            raise ValueError(f"source {self.name!r} is of the kind {self.kind!r}: it has no protocol")
        if self.stream is None and self.kind is None and not self.is_recorded:
            raise ValueError(f"source {self.name!r} is a device: only a stream can be shown without being recorded")
        return self

    @property
    def stream(self) -> str | None:
        """The name of the stream that it is; None for a device."""
        return stream_of(self.link)

    @property
    def kind(self) -> str | None:
        """The prefix of the kind of source that it is; None for a port, a socket, a recording or a stream."""
        return kind_of(self.link)

    @property
    def rule(self) -> FramingRule:
        """How its bytes are cut."""
        if self.stream is not None:
            return POINTS
        return self.framing or (self.definition.framing if self.definition else None) or LINES

    @property
    def is_stream(self) -> bool:
        """Whether it is only listened to, and never asked by the Blitz protocol."""
        is_foreign = self.definition is not None and self.definition.format is not Format.BLITZ
        return (
            self.protocol == "stream"
            or self.kind is not None
            or (self.protocol == "auto" and (is_foreign or self.rule != LINES))
        )


def stream_of(link: str) -> str | None:
    """Return the name of the stream that a link is to; None for one to a device.

    >>> stream_of("stream:room temperature"), stream_of("/dev/ttyUSB0")
    ('room temperature', None)
    """
    return link.removeprefix(STREAM) if link.startswith(STREAM) else None


def kind_of(link: str) -> str | None:
    """Return the prefix of the kind of source that a link is of; None for what every server can open.

    >>> kind_of("csv:/home/lab/run.csv"), kind_of("replay:run.jsonl"), kind_of("socket://bench:4000"), kind_of("COM3")
    ('csv', None, None, None)
    """
    found = _KIND.match(link)
    return None if found is None or found[1] in ("replay", "stream") else found[1]
