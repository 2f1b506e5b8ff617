"""Reading ``{"name": [[time, value], ...], ...}``, in flat memory: the pairs are read piece by piece."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from blitz.data.import_dialect import name_and_unit
from blitz.data.import_long import MOST_CHANNELS
from blitz.data.import_table import ImportOptions, ImportTable, TableChannel, TableRows
from blitz.data.import_times import TimeRule, rule_for_numbers
from blitz.errors import ImportFileError

_PIECE: Final = 1 << 22
_LONGEST_NAME: Final = 1 << 16
_MOST_WITHOUT: Final = 1 << 24
"""Characters without a pair's end: then there are no pairs."""
_SPACE = re.compile(r"\s*")
_END = re.compile(r"\]\s*\]")
_NAME = re.compile(r'"(?:[^"\\]|\\.)*"')


def series_table(path: Path, options: ImportOptions) -> ImportTable:
    """Read the whole file once to learn its series, and return it ready to be read.

    :raises ImportFileError: if it is none, as a reason without the file's name.
    """
    names: dict[str, int] = {}
    counts = 0
    largest = 0.0
    for name, times, _values in _pieces(path, lambda _: None):
        names.setdefault(name, len(names))
        if len(names) > MOST_CHANNELS:
            raise ImportFileError(f"it has more than {MOST_CHANNELS} series")
        counts += len(times)
        if len(times):
            largest = max(largest, float(np.abs(times).max()))
    if not counts:
        raise ImportFileError("it has no values")
    wanted = options.columns
    for heading in wanted or ():
        if heading not in names:
            raise ImportFileError(f"it has no series {heading!r}; there are {', '.join(list(names)[:20])}")
    kept = [name for name in names if wanted is None or name in wanted]
    codes = {name: code for code, name in enumerate(kept)}
    rule = rule_for_numbers(np.array([largest]), unit=options.unit, start_ns=options.start_ns)
    return ImportTable(
        channels=tuple(TableChannel(path.stem, *name_and_unit(name)) for name in kept),
        is_long=True,
        times=rule,
        left_out=tuple(name for name in names if name not in codes),
        size_bytes=path.stat().st_size,
        rows=lambda report: _rows(path, codes, rule, report),
    )


def _rows(path: Path, codes: dict[str, int], rule: TimeRule, report: Callable[[int], None]) -> Iterator[TableRows]:
    import pyarrow as pa

    for name, times, values in _pieces(path, report):
        if name in codes and len(times):
            time_ns = rule.nanoseconds(pa.array(times))
            yield TableRows(time_ns, np.full(len(times), codes[name], np.int32), values[:, np.newaxis])


def _pieces(path: Path, report: Callable[[int], None]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Give the pairs of each series, a piece after the other."""
    reader = _Reader(path, report)
    try:
        reader.expect("{")
        if reader.peek() == "}":
            return
        while True:
            name = reader.name()
            reader.expect(":")
            for text in reader.pairs():
                yield name, *_columns(name, text)
            if reader.peek() != ",":
                break
            reader.expect(",")
        reader.expect("}")
        reader.expect("")
    except UnicodeDecodeError as error:
        raise ImportFileError("it is not UTF-8 text") from error
    finally:
        reader.close()


def _columns(name: str, text: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        pairs = json.loads(text)
        if all(type(pair[0]) is int for pair in pairs):
            times = np.fromiter((pair[0] for pair in pairs), np.int64, len(pairs))
        else:
            times = np.array([pair[0] for pair in pairs], np.float64)
        values = np.array([pair[1] for pair in pairs], np.float64)
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("a pair is time and value")
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise ImportFileError(f"the series {name[:60]!r} is no list of [time, value] pairs: {reason}") from error
    return times, values


class _Reader:
    """A cursor in the text, of which only a piece is in memory."""

    def __init__(self, path: Path, report: Callable[[int], None]) -> None:
        self._file = path.open(encoding="utf-8-sig")
        self._report = report
        self._text = ""
        self._read = 0

    def close(self) -> None:
        self._file.close()

    def peek(self) -> str:
        """Return the next character that is no space, empty at the end."""
        self._text = self._text[_SPACE.match(self._text).end() :]  # type: ignore[union-attr]
        while not self._text and self._more():
            self._text = self._text.lstrip()
        return self._text[:1]

    def expect(self, char: str) -> None:
        """Go on behind a character, or make sure that nothing follows."""
        found = self.peek()
        if found != char:
            where = f"after {self._read - len(self._text)} characters"
            wanted = f"{char!r} is expected" if char else "it should end"
            raise ImportFileError(
                f'it is no {{"series": [[time, value], …]}}: {wanted} {where}'
                + (f", and {found!r} stands there" if found else ", and it ends there: was it cut short?")
            )
        self._text = self._text[1:]

    def name(self) -> str:
        """Read a text in quotes."""
        if self.peek() != '"':
            self.expect('"')
        while (match := _NAME.match(self._text)) is None:
            if len(self._text) > _LONGEST_NAME or not self._more():
                raise ImportFileError("the name of a series does not end")
        self._text = self._text[match.end() :]
        try:
            name = json.loads(match[0], strict=False)
        except ValueError as error:
            raise ImportFileError(f"{match[0][:60]} is no name of a series") from error
        return str(name) or "value"

    def pairs(self) -> Iterator[str]:
        """Read a list of pairs, as pieces that are lists themselves."""
        self.expect("[")
        if self.peek() == "]":
            self.expect("]")
            yield "[]"
            return
        while True:
            end = _END.search(self._text)
            if end is not None:
                piece, self._text = self._text[: end.start() + 1], self._text[end.end() :]
                yield f"[{piece}]"
                return
            cut = self._text.rfind("]", 0, -1)
            if cut > 0:
                piece, rest = self._text[: cut + 1], self._text[cut + 1 :]
                comma = rest.lstrip()
                if comma.startswith(","):
                    self._text = comma[1:]
                    yield f"[{piece}]"
            if len(self._text) > _MOST_WITHOUT:
                raise ImportFileError("it has no [time, value] pairs where they are expected")
            if not self._more():
                raise ImportFileError("it ends in the middle of a series: was it cut short?")

    def _more(self) -> bool:
        added = self._file.read(_PIECE)
        self._text += added
        self._read += len(added)
        self._report(self._read)
        return bool(added)
