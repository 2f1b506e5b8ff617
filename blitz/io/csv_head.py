"""What a file of comma-separated values begins with: headings, which are no rows, and what its columns mean.

Pure: the beginning of a file in, what was found out.
"""

import re
from typing import NamedTuple

from blitz.data.board_definition import BoardDefinition
from blitz.data.import_dialect import Dialect, is_number, sniff
from blitz.errors import ImportFileError, LinkError
from blitz.io.doctor_text import guess_definition

HEAD_BYTES = 1 << 16
"""So much of a file tells what its columns are."""
ENOUGH_ROWS = 5
"""So many rows tell a clock, and a counter, from other columns."""
_SAMPLE_ROWS = 50
_BOM = b"\xef\xbb\xbf"
_MOMENT = re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?\S*")
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


class Head(NamedTuple):
    """The beginning of a file."""

    skipped: bytes
    """What stands before the first row: a byte-order mark, comments, headings, units."""
    has_headings: bool
    definition: BoardDefinition | None
    """What the rows mean; None where no column holds numbers."""
    row_count: int
    """How many rows that was seen from."""
    has_decimal_commas: bool = False
    """Numbers are written so that they are not read."""


def read_head(head: bytes, *, is_settled: bool, has_headings: bool | None = None) -> Head | None:
    r"""Find out where the rows begin and what they mean; None as long as too little of the file is there.

    A first row without a number or a date is taken for headings, as are a row of units below it and what stands above
    it: comments and lines that are no rows of the table.

    :param head: the first bytes of the file, :data:`HEAD_BYTES` at most.
    :param is_settled: whether nothing more is to be waited for.
    :param has_headings: False: it has none, whatever it looks like.
    :raises LinkError: if it is no table of text.

    >>> found = read_head(b"time;flow [l/min]\n1;2.5\n2;2.6\n", is_settled=True)
    >>> found.skipped, [channel.name for channel in found.definition.channels]
    (b'time;flow [l/min]\n', ['time', 'flow'])
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LinkError("it is UTF-16, as Excel's 'Unicode text' is. Save it as CSV in UTF-8.")
    if b"\0" in head[:512]:
        raise LinkError("it holds zero bytes and is no table of text. Name a file of comma-separated values.")
    whole = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    mark = len(_BOM) if head.startswith(_BOM) else 0
    try:
        dialect = sniff(whole, is_whole=True) if whole[mark:].strip() else None
    except ImportFileError as error:
        if "empty" not in str(error):
            raise LinkError(f"{error}. Name a file of comma-separated values.") from error
        dialect = None
    if dialect is None:
        return None
    lines = whole.splitlines(keepends=True)
    skipped_lines = 0 if has_headings is False else _skipped_lines(dialect, lines)
    is_telling = any(is_number(cell) for row in dialect.sample for cell in row) or _is_values(lines[skipped_lines:])
    if not is_telling and not is_settled and len(head) < HEAD_BYTES:
        return None
    skipped = b"".join(lines[:skipped_lines]) or head[:mark]
    rows = whole[len(skipped) :].splitlines()
    definition = _definition(dialect, rows, skipped_lines)
    return Head(skipped, skipped_lines > 0, definition, len(dialect.sample), dialect.decimal == ",")


def _skipped_lines(dialect: Dialect, lines: list[bytes]) -> int:
    """Return how many lines stand before the rows; a single column may be several between spaces."""
    skipped = dialect.skipped_lines
    is_single = len(dialect.headings) == 1
    return skipped - 1 if is_single and skipped and _is_values(lines[skipped - 1 :]) else skipped


def _is_values(lines: list[bytes]) -> bool:
    """Whether a line begins with a number or a date."""
    words = lines[0].decode("latin-1").split() if lines else []
    return bool(words) and (is_number(words[0]) or _MOMENT.fullmatch(words[0]) is not None)


def _definition(dialect: Dialect, rows: list[bytes], skipped_lines: int) -> BoardDefinition | None:
    if len(dialect.headings) == 1:
        heading = [dialect.headings[0].encode()] if skipped_lines else []
        return _guess(heading, rows[:_SAMPLE_ROWS])
    # With a comma between them, as guess_definition knows, whatever stands between them in the file.
    headings = [_plain(heading) for heading in dialect.headings]
    headings = [
        f"{heading} [{unit}]" if unit.strip() else heading
        for heading, unit in zip(headings, dialect.units or [""] * len(headings), strict=True)
    ]
    sample = [",".join(map(_plain, row)).encode() for row in dialect.sample[:_SAMPLE_ROWS]]
    found = _guess([",".join(headings).encode()] if skipped_lines else [], sample)
    if found is None:
        return None
    name = f"{len(headings)} columns, {_SEPARATOR_NAMES.get(dialect.delimiter, dialect.delimiter)}"
    return found.model_copy(update={"separator": dialect.delimiter, "name": name})


def _guess(heading: list[bytes], rows: list[bytes]) -> BoardDefinition | None:
    return guess_definition([*heading, *(rows * 2 if len(rows) == 1 else rows)])


def _plain(cell: str) -> str:
    return " ".join(re.sub(r"[,;]", " ", cell).split())
