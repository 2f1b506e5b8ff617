"""The format of Redis' append-only file: its manifest, and how far a stretch of its commands is whole. Pure.

An append-only file has several parts, all in one folder: a base (a snapshot), then files of commands in the form in
which clients send them (RESP2 arrays of bulk strings). The manifest names them.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

MANIFEST_ENDING = ".manifest"
_LINE_LIMIT = 32
_ANNOTATION_LIMIT = 1024
_ALIKE = 8
"""Where so many values follow, those of one length are stepped over together: it is eight times as fast."""
_ALIKE_BYTES = 1024


class Part(NamedTuple):
    """One file that a manifest names."""

    name: str
    seq: int
    kind: str
    """``b``: the base, ``i``: commands, ``h``: history, which is about to be removed."""


def read_manifest(text: str) -> list[Part] | None:
    r"""Return the parts that a manifest names; None if it is damaged.

    >>> read_manifest("file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n")
    [Part(name='a.1.base.rdb', seq=1, kind='b'), Part(name='a.1.incr.aof', seq=1, kind='i')]
    >>> read_manifest("file a.1.base.rdb seq 1 ty")
    """
    parts: list[Part] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        words = line.split()
        pairs = dict(zip(words[::2], words[1::2], strict=False))
        name, seq, kind = pairs.get("file", ""), pairs.get("seq", ""), pairs.get("type", "")
        if len(words) % 2 or not name or "/" in name or not seq.isdecimal() or kind not in ("b", "i", "h"):
            return None
        parts.append(Part(name, int(seq), kind))
    is_whole = text.endswith("\n") and any(part.kind != "h" for part in parts)
    return parts if is_whole and sum(part.kind == "b" for part in parts) <= 1 else None


def write_manifest(parts: Sequence[Part]) -> str:
    r"""Return a manifest's text.

    >>> write_manifest([Part("a.1.incr.aof", 1, "i")])
    'file a.1.incr.aof seq 1 type i\n'
    """
    return "".join(f"file {part.name} seq {part.seq} type {part.kind}\n" for part in parts)


def parts_of_names(names: Sequence[str]) -> list[Part] | None:
    """Return what a manifest that was lost must have named; None where that is not certain.

    While the file is written anew there are two of a kind, and which of them count stood in the manifest alone.

    >>> parts_of_names(["a.2.incr.aof", "a.2.base.rdb", "other"])
    [Part(name='a.2.base.rdb', seq=2, kind='b'), Part(name='a.2.incr.aof', seq=2, kind='i')]
    >>> parts_of_names(["a.2.base.rdb", "a.2.incr.aof", "a.3.incr.aof"])
    """
    found = [re.fullmatch(r"[^/\s]+\.(\d+)\.(base|incr)\.(?:rdb|aof)", name) for name in names]
    parts = [Part(match[0], int(match[1]), match[2][0]) for match in found if match]
    parts.sort(key=lambda part: part.kind)
    return parts if [part.kind for part in parts] == ["b", "i"] else None


class Ending(Enum):
    """Why a stretch could not be followed further."""

    WHOLE = auto()
    """It was, to its end."""
    CUT = auto()
    """Its end lies within a command."""
    BEYOND = auto()
    """A value would end behind the end of the file."""
    FAULT = auto()
    """Something stands there that belongs to no command."""


class Stretch(NamedTuple):
    """What stands in a stretch of a file."""

    stop: int
    """Where the first command begins that is not whole."""
    whole: int
    """How far commands and transactions are whole; -1 if only the transaction that was open before is."""
    in_transaction: bool
    """Whether a transaction is open at ``stop``."""
    reached: int
    """How far it could be followed into the first command that is not whole."""
    ending: Ending


def scan(content: bytes, remaining: int, in_transaction: bool = False) -> Stretch:
    r"""Follow commands as far as they are whole.

    :param content: begins with a command, and may end anywhere.
    :param remaining: how many bytes the file has from the beginning of the content on.
    :param in_transaction: whether a transaction is open there.

    >>> found = scan(b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI", 24)
    >>> found.whole, found.reached, found.ending.name
    (14, 18, 'BEYOND')
    >>> scan(b"*1\r\n$4\r\nPING\r\n" + bytes(10), 24).ending.name
    'FAULT'
    """
    stop, whole = 0, -1 if in_transaction else 0
    while stop < len(content):
        follower = _Follower(content, stop, remaining)
        try:
            follower.follow()
        except _Ended as ended:
            return Stretch(stop, whole, in_transaction, follower.position, ended.ending)
        stop = follower.position
        if follower.name in (b"MULTI", b"EXEC"):
            in_transaction = follower.name == b"MULTI"
        if not in_transaction:
            whole = stop
    return Stretch(stop, whole, in_transaction, stop, Ending.WHOLE)


class _Ended(Exception):  # noqa: N818 - no error: it says why
    def __init__(self, ending: Ending) -> None:
        self.ending = ending


class _Follower:
    """Goes along one command; ``position`` is how far all is well."""

    def __init__(self, content: bytes, start: int, remaining: int) -> None:
        self.position = start
        self.name = b""
        self._content = content
        self._remaining = remaining

    def follow(self) -> None:
        """Go to the end of the command.

        :raises _Ended: where there is none.
        """
        if self._content[self.position] == ord("#"):  # an annotation
            self._skip_annotation()
            return
        left, self.position = self._number(ord("*"))
        if left:
            self.name = self._value().upper()
            left -= 1
        while left:
            if left >= _ALIKE:
                left -= self._skip_alike(left)
            if left:
                self._value()
                left -= 1

    def _skip_annotation(self) -> None:
        rest = self._content[self.position : self.position + _ANNOTATION_LIMIT]
        end = rest.find(b"\r\n")
        if end < 0:
            raise _Ended(
                Ending.CUT
                if rest.isascii() and rest.removesuffix(b"\r").decode().isprintable() and len(rest) < _ANNOTATION_LIMIT
                else Ending.FAULT
            )
        self.position += end + 2

    def _number(self, sign: int) -> tuple[int, int]:
        """Read the line of a number at the position; return it, and where the line ends."""
        content, start = self._content, self.position
        if start >= len(content):
            raise _Ended(Ending.CUT)
        if content[start] != sign:
            raise _Ended(Ending.FAULT)
        end = content.find(b"\r\n", start, start + _LINE_LIMIT)
        if end < 0:
            begun = content[start + 1 : start + _LINE_LIMIT].removesuffix(b"\r")
            is_cut = len(content) - start < _LINE_LIMIT and (not begun or begun.isdigit())
            raise _Ended(Ending.CUT if is_cut else Ending.FAULT)
        digits = content[start + 1 : end]
        if not digits.isdigit():
            raise _Ended(Ending.FAULT)
        return int(digits), end + 2

    def _value(self) -> bytes:
        size, start = self._number(ord("$"))
        end = start + size
        if end + 2 > self._remaining:
            raise _Ended(Ending.BEYOND)
        if end + 2 > len(self._content):
            raise _Ended(Ending.CUT)
        if self._content[end : end + 2] != b"\r\n":
            raise _Ended(Ending.FAULT)
        self.position = end + 2
        return self._content[start:end]

    def _skip_alike(self, left: int) -> int:
        """Step over values of the length of the next one, as messages of one board are; return how many."""
        size, start = self._number(ord("$"))
        found = _alike(size).match(self._content, self.position) if size <= _ALIKE_BYTES else None
        if found is None:
            return 0
        stride = start - self.position + size + 2
        count = min((found.end() - self.position) // stride, left)
        self.position += count * stride
        return count


@lru_cache(maxsize=256)
def _alike(size: int) -> "re.Pattern[bytes]":
    return re.compile(rb"(?:\$%d\r\n[\s\S]{%d}\r\n)++" % (size, size))


def is_whole_snapshot(content: bytes) -> bool:
    """Whether a base (an RDB file) is as Redis wrote it, by its checksum. Slow: for small ones.

    The checksum is the CRC-64 of Jones, its bits reflected, without start value and final inversion.
    """
    if len(content) < 16 or content[-9] != 0xFF:
        return False
    crc = 0
    for byte in content[:-8]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_JONES if crc & 1 else 0)
    return crc == int.from_bytes(content[-8:], "little")


_JONES = 0x95AC9329AC4BC9B5
