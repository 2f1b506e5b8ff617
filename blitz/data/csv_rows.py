"""Rows of a file of comma-separated values: cut out of its bytes, and told from each other. Pure.

A row is what stands between two line endings (CR, LF or both) outside of quoted fields, without the ending; rows of no
bytes are none. Zero bytes, which a power failure leaves where a page was not written, are left out; all others stay as
they are, whatever the encoding.
"""

import hashlib
import re
from collections.abc import Iterable

LIMIT_BYTES = 1 << 17
"""A longer row is none, and what a quotation mark opens is closed by then, or the mark is a mark."""
HASH_BYTES = 8

_QUOTED = re.compile(rb'(?:^|[,;|\t])"')
"""What opens a quoted field: a mark in its beginning. One within, as in 5" of pipe, is a mark."""
_ENDINGS = b"\r\n"


class RowCutter:
    r"""Cuts the bytes of one file, whatever the borders of reads; bounded.

    >>> cutter = RowCutter()
    >>> cutter.feed(b'1,"a\nb"\r\n2,c\n3,'), cutter.pending
    ([b'1,"a\nb"', b'2,c'], b'3,')
    >>> cutter.flush()
    [b'3,']

    :param limit_bytes: of a row.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.pending = b""
        """The bytes of an unfinished row."""
        self.too_long: list[bytes] = []
        """The beginnings of rows that are too long, a byte longer than the limit; whoever takes them empties it."""
        self._limit_bytes = limit_bytes
        self._is_skipping = False

    @property
    def is_between(self) -> bool:
        """Whether what is pending is all that a cutter that begins there has to be fed."""
        return not self._is_skipping

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes; return the rows that they complete, in order."""
        text = self.pending + chunk
        if self._is_skipping:
            text = self._skip(text)
        lines = text.splitlines(keepends=True)  # of bytes: at CR, LF and CR LF only
        self.pending = lines.pop() if lines and text[-1] not in _ENDINGS else b""
        rows = self._joined(lines) if b'"' in text else [line.rstrip(_ENDINGS) for line in lines]
        if len(self.pending) > self._limit_bytes:
            self.pending = self._cut_pending(self.pending, rows)
        return self._bounded(rows)

    def flush(self) -> list[bytes]:
        """The file is at its end for good: return what is left of it, as it is."""
        text, self.pending = self.pending, b""
        if self._is_skipping:
            self._is_skipping = False
            return []
        rows: list[bytes] = []
        text += b"\n"
        while text:
            rows += self._joined(text.splitlines(keepends=True))
            text, self.pending = self.pending, b""
            text = _take_line(text, rows)
        return self._bounded(rows)

    def _skip(self, text: bytes) -> bytes:
        """Drop the rest of a row that is too long, up to the end of its line."""
        end = re.search(rb"[\r\n]", text)
        self._is_skipping = end is None
        return b"" if end is None else text[end.start() :]

    def _joined(self, lines: list[bytes]) -> list[bytes]:
        """Put lines together that are one row; the last ones, if a field is still open, are pending."""
        rows: list[bytes] = []
        begin, place, size, is_open = 0, 0, 0, False
        while place < len(lines):
            line = lines[place]
            is_open = _leaves_open(line, is_open)
            place += 1
            if place > begin + 1 and size + len(line.rstrip(_ENDINGS)) > self._limit_bytes:
                rows.append(lines[begin])  # nothing closes it in time: the line with the mark is a row of its own
                begin = place = begin + 1
                size, is_open = 0, False
            elif is_open:
                size += len(line)
            else:
                rows.append(line if place == begin + 1 else b"".join(lines[begin:place]))
                begin, size = place, 0
        if begin < len(lines):
            self.pending = b"".join(lines[begin:]) + self.pending
        return [row.rstrip(_ENDINGS) for row in rows]

    def _cut_pending(self, text: bytes, rows: list[bytes]) -> bytes:
        """Bound what waits for its end: a mark that nothing closes is no quotation, a line without an end no row."""
        while len(text) > self._limit_bytes:
            if not re.search(rb"[\r\n]", text):
                rows.append(text[: self._limit_bytes + 1])
                self._is_skipping = True
                return b""
            lines = _take_line(text, rows).splitlines(keepends=True)
            self.pending = lines.pop() if lines and lines[-1][-1] not in _ENDINGS else b""
            rows += self._joined(lines)
            text = self.pending
        return text

    def _bounded(self, rows: list[bytes]) -> list[bytes]:
        """Keep what is a row."""
        if rows and max(map(len, rows)) > self._limit_bytes:
            self.too_long += [row[: self._limit_bytes + 1] for row in rows if len(row) > self._limit_bytes]
            rows = [row for row in rows if len(row) <= self._limit_bytes]
        if any(b"\0" in row for row in rows):
            rows = [row.replace(b"\0", b"") for row in rows]
        return rows if all(rows) else [row for row in rows if row]


def hash_rows(rows: Iterable[bytes]) -> bytes:
    """Return what tells rows from each other, eight bytes a row.

    >>> hash_rows([b"1,2", b"1,3"]) == hash_rows([b"1,2"]) + hash_rows([b"1,3"])
    True
    """
    blake2b = hashlib.blake2b
    return b"".join([blake2b(row, digest_size=HASH_BYTES).digest() for row in rows])


def _leaves_open(line: bytes, is_open: bool) -> bool:
    """Tell whether a quoted field goes on behind a line.

    :param is_open: whether one goes on into it.
    """
    if b'"' not in line:
        return is_open
    place = 0
    while True:
        if not is_open:
            found = _QUOTED.search(line, place)
            if found is None:
                return False
            place = found.end()
        place = line.find(b'"', place)
        if place < 0:
            return True
        is_open = line[place + 1 : place + 2] == b'"'  # two of them are one that stands within
        place += 2 if is_open else 1


def _take_line(text: bytes, rows: list[bytes]) -> bytes:
    """Make a row of the first line, whatever it opens; return the rest."""
    if not text:
        return b""
    line = text.splitlines(keepends=True)[0]
    rows.append(line.rstrip(_ENDINGS))
    return text[len(line) :]
