"""Looking for something in many raw messages at once. Pure."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class PatternKind(Enum):
    """How words are read; the value is what the choice says."""

    TEXT = "Text"
    REGEX = "Regular expression"
    HEX = "Hex bytes"


class PatternError(ValueError):
    """Words that cannot be looked for; the message is a sentence."""


@dataclass(frozen=True)
class MessagePattern:
    """Words that messages have. Text and expressions take no notice of case; bytes do.

    Expressions are RE2's: none takes long, whatever is typed.

    :raises PatternError: if the words are none of that kind.

    >>> MessagePattern("0d 0A", PatternKind.HEX).matches(pa.array([b"a", b"b" + bytes([13, 10])], pa.binary())).tolist()
    [False, True]
    """

    words: str
    kind: PatternKind = PatternKind.TEXT
    _wanted: bytes = field(init=False, repr=False, compare=False, default=b"")

    def __post_init__(self) -> None:
        """Refuse what cannot be looked for."""
        object.__setattr__(self, "_wanted", self._read())

    def matches(self, raw: Any) -> NDArray[np.bool_]:
        """Tell which messages of an Arrow binary array have the words."""
        if not self.words:
            return np.ones(len(raw), np.bool_)
        if self.kind is PatternKind.REGEX:
            found = pc.match_substring_regex(raw, self.words, ignore_case=True)
        else:
            found = pc.match_substring(raw, self._wanted, ignore_case=self.kind is PatternKind.TEXT)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)

    def _read(self) -> bytes:
        if self.kind is PatternKind.TEXT:
            return self.words.encode()
        if self.kind is PatternKind.HEX:
            try:
                return bytes.fromhex(self.words)
            except ValueError:
                raise PatternError(f"“{self.words}” is no hex: write two digits a byte, such as 0D 0A.") from None
        try:
            pc.match_substring_regex(pa.array([b""], pa.binary()), self.words)
        except pa.ArrowInvalid as error:
            reason = str(error).partition(": ")[2] or str(error)
            raise PatternError(f"“{self.words}” is no regular expression: {reason}.") from None
        return b""
