"""What clients ask of sources, and what they are told: commands to devices, versions of definitions.

One set of frozen models serves the HTTP schema, the acquisition and the client library, as
:mod:`blitz.data.records` does.
"""

from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from blitz.data.answer_pattern import AnswerPattern
from blitz.data.board_definition import BoardDefinition, is_sendable
from blitz.data.records import Record

OWNER_HEADER = "X-Blitz-Owner"
"""Who asks, as user@machine, in percent-encoded UTF-8: for the time line and the history of sources."""


class CommandRequest(BaseModel):
    """Something to send to a device: a line, or a named command of its definition. A mistyped field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: str | None = Field(default=None, max_length=4096, description="text, without its ending, or hex digits")
    command: str | None = Field(default=None, max_length=60, description="name of one of the definition's commands")
    value: float | None = Field(default=None, description="of a command that has a parameter", allow_inf_nan=False)
    is_hex: bool = False
    ending: str = Field(default="\n", max_length=16, description="sent behind the line; with hex digits, nothing is")
    answer: str | None = Field(
        default=None,
        max_length=1000,
        description="regular expression: wait for the first line that it matches. Blitz boards answer without it",
    )
    timeout_s: float = Field(default=2.0, gt=0, le=60, description="how long the answer is waited for")
    who: str = Field(default="", max_length=200, description="who sends it; else whom the request's header names")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.line is None) == (self.command is None):
            raise ValueError("give either a line or the name of a command")
        if self.value is not None and self.command is None:
            raise ValueError("a value goes with the name of a command")
        try:
            bytes.fromhex(self.line or "") if self.is_hex else f"{self.line or ''}{self.ending}".encode("latin-1")
        except ValueError:
            what = "hex digits, two a byte" if self.is_hex else "characters of latin-1 only; send others as hex digits"
            wrong = self.ending if not self.is_hex and is_sendable(self.line or "") else self.line
            raise ValueError(f"{wrong!r} cannot be sent: give {what}") from None
        try:
            AnswerPattern(self.answer or "")
        except ValueError as error:
            raise ValueError(f"the answer's pattern {self.answer!r} is wrong: {error}") from None
        return self


class CommandAnswer(Record):
    """What was sent to a device, and what came back."""

    answer: str | None = Field(default=None, description="absent where none was waited for")
    sent: str = Field(default="", description="as text, or as hex digits")


class DefinitionVersion(Record):
    """A definition that was in force for a source from some moment on."""

    version: int = Field(description="1, 2, 3 … for each source")
    changed_at: AwareDatetime
    who: str = ""
    serial_number: str = Field(
        default="", description="the device's, where known: definition and calibration belong to source and device"
    )
    definition: BoardDefinition


class SourceChange(Record):
    """One change to a source: when, by whom, and what."""

    at: AwareDatetime
    who: str = Field(default="", description="user@machine, or empty: the server itself")
    what: str


class SourceKindRecord(Record):
    """A kind of source that a package on the server brings."""

    prefix: str = Field(description="begins its links, before a colon")
    origin: str = Field(default="", description="the package that brings it, with its version")
    summary: str = ""
    error: str = Field(default="", description="why it cannot be used")
