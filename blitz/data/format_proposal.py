"""What a server heard of a device that it was asked to listen to, and what it takes that for."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from blitz.data.board_definition import BoardDefinition
from blitz.data.framing_rule import FramingRule
from blitz.data.source_config import SerialOptions, SourceConfig

MOST_LINES = 20
MOST_ROWS = 200


class FormatProposal(BaseModel):
    """A proposal to be looked at and confirmed; nothing was recorded, and nothing was configured."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    link: str
    baud: int | None = Field(default=None, description="the rate that made the most sense; absent: it has none")
    confidence: str = Field(description="sure, likely, a guess, or unknown")
    summary: str = ""
    reasons: tuple[str, ...] = Field(default=(), description="what speaks for it, sentence by sentence")
    heard_bytes: int = 0
    seconds: float = Field(default=0.0, description="from the first byte to the last")
    board_id: str | None = None
    parity: Literal["none", "even", "odd"] = Field(default="none", description="other than none: with 7 data bits")
    framing: FramingRule | None = None
    definition: BoardDefinition | None = None
    lines: tuple[str, ...] = Field(default=(), description="some of what it sent, as text, or as hex digits")
    rows: tuple[tuple[float | None, ...], ...] = Field(
        default=(), description="the last messages as the definition reads them"
    )

    @property
    def is_understood(self) -> bool:
        """Whether it is known where the numbers are in what the device sends."""
        return self.definition is not None

    @property
    def heard_words(self) -> str:
        """What was heard, and what it is taken for, as a sentence.

        >>> FormatProposal(link="/dev/ttyUSB0", baud=9600, confidence="sure", summary="lines of text: 2 columns, comma",
        ...                heard_bytes=600).heard_words
        'Lines of text: 2 columns, comma, at 9600 baud. This is sure.'
        """
        if not self.heard_bytes:
            return "It said nothing, and did not answer."
        rate = f", at {self.baud} baud" if self.baud else ""
        summary = f"{self.summary[:1].upper()}{self.summary[1:]}{rate}."
        return summary if self.confidence == "unknown" else f"{summary} This is {self.confidence}."

    def source(self, name: str, definition: BoardDefinition | None = None) -> SourceConfig:
        """Return the source to be configured.

        :param definition: the proposed one, with what the operator changed.
        :raises ValueError: if the name is none.
        """
        definition = definition or self.definition
        serial = {"baud": self.baud} if self.baud else {}
        options = SerialOptions.model_validate(
            serial | ({"data_bits": 7, "parity": self.parity} if self.parity != "none" else {})
        )
        if definition is not None and self.board_id is None:
            identity = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:40] or definition.id
            definition = BoardDefinition.model_validate(
                definition.model_dump() | {"id": identity, "baud": self.baud or definition.baud}
            )
        # A Blitz board is read by its id, unless the operator has changed something.
        is_own = definition is not None and (self.board_id is None or definition != self.definition)
        return SourceConfig(
            name=name,
            link=self.link,
            serial=options,
            framing=None if is_own or self.board_id is not None else self.framing,
            definition=definition if is_own else None,
            board_id=self.board_id,
        )
