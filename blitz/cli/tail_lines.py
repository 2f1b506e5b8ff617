"""`blitz tail` into a pipe, or of raw messages: a line each, complete and in order."""

import json
import sys
from collections.abc import Iterable, Iterator

from blitz.cli.ending import at_once
from blitz.cli.output import printable
from blitz.cli.tail_picture import moment
from blitz.cli.tail_state import Choice
from blitz.data.blocks import PREVIEW_ID, MessageBlock
from blitz.data.boards import Readings
from blitz.data.records import Source
from blitz.data.stream_records import StreamRecord
from blitz.ui.formats import fitting_decimals, format_value

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def write_lines(lines: Iterable[str]) -> None:
    """Write lines at once."""
    write_text("".join(f"{line}\n" for line in lines))


def write_text(text: str) -> None:
    """Write and flush; a signal strikes while a reader that is slow is waited for.

    :raises BrokenPipeError: if nobody reads any more.
    """
    with at_once():
        sys.stdout.write(text)
        sys.stdout.flush()


class ReadingLines:
    """A line a message: its readings. Remembers how many decimals a channel has been shown with."""

    def __init__(self, choice: Choice, *, as_json: bool) -> None:
        self._choice = choice
        self._as_json = as_json
        self._decimals: dict[tuple[str, str], int] = {}

    def lines(self, block: Iterable[Readings]) -> list[str]:
        """Return the lines of a block, in the order of its messages, whatever their sources."""
        numbered: list[tuple[int, str]] = []
        for readings in block:
            columns = [n for n, channel in enumerate(readings.channels) if self._choice.has_channel(channel)]
            if columns:
                lines = self._json(readings, columns) if self._as_json else self._text(readings, columns)
                numbered.extend(zip(readings.seq.tolist(), lines, strict=True))
        return [line for _, line in sorted(numbered)]

    def _json(self, readings: Readings, columns: list[int]) -> Iterator[str]:
        name, session_id = readings.source.name, readings.session_id if readings.session_id != PREVIEW_ID else None
        names = [readings.channels[column].name for column in columns]
        rows = zip(readings.seq.tolist(), readings.time_ns.tolist(), readings.values[:, columns].tolist(), strict=True)
        for seq, time_ns, values in rows:
            known = {n: value if value == value else None for n, value in zip(names, values, strict=True)}
            yield _encode({"session_id": session_id, "seq": seq, "time_ns": time_ns, "source": name, "values": known})

    def _text(self, readings: Readings, columns: list[int]) -> Iterator[str]:
        source = readings.source.name
        parts = []
        for column in columns:
            channel = readings.channels[column]
            key = source, channel.name
            decimals = fitting_decimals(channel, readings.values[-1:, column].tolist(), self._decimals.get(key, 0))
            self._decimals[key] = decimals
            parts.append((printable(channel.label or channel.name), decimals, printable(channel.unit)))
        rows = zip(readings.time_ns.tolist(), readings.values[:, columns].tolist(), strict=True)
        for time_ns, values in rows:
            words = (
                f"{label}  {format_value(value, decimals)} {unit}".rstrip()
                for (label, decimals, unit), value in zip(parts, values, strict=True)
            )
            yield f"{moment(time_ns)}  {printable(source)}  {'  '.join(words)}"


class MessageLines:
    """A line a message, as the device sent it."""

    def __init__(self, choice: Choice, *, as_json: bool) -> None:
        self._choice = choice
        self._as_json = as_json
        self._names: dict[int, dict[int, str]] = {}

    def learn(self, session_id: int, sources: Iterable[Source]) -> None:
        """Take a session's source table."""
        if session_id != PREVIEW_ID:  # sessions that are over do not come back
            self._names = {known: names for known, names in self._names.items() if known == PREVIEW_ID}
        self._names.setdefault(session_id, {}).update((source.index, source.name) for source in sources)

    def name(self, session_id: int, index: int) -> str:
        """Return a source's name."""
        return self._names.get(session_id, {}).get(index, str(index))

    def lines(self, block: MessageBlock, wanted: Iterable[str] | None = None) -> Iterator[str]:
        """Return the lines of a block.

        :param wanted: names of the sources that are shown; None for those of the choice.
        """
        session_id = block.session_id
        is_wanted = self._choice.has_source if wanted is None else set(wanted).__contains__
        names = {index: self.name(session_id, index) for index in set(block.source.tolist())}
        names = {index: name for index, name in names.items() if is_wanted(name)}
        rows = zip(block.arrived_ns.tolist(), block.source.tolist(), block.messages(), strict=True)
        for seq, (arrived_ns, index, raw) in enumerate(rows, block.first_seq):
            if index not in names:
                continue
            text = str(raw, "latin-1")
            if self._as_json:
                told = {"session_id": session_id or None, "seq": seq, "arrived_ns": arrived_ns}
                yield _encode(told | {"source": names[index], "raw": text})
            else:
                yield f"{moment(arrived_ns)}  {printable(names[index])}  {printable(text)}"


def point_line(stream: StreamRecord, point: dict[str, object], *, as_json: bool) -> str:
    """Return the line of a stream's point."""
    if as_json:
        return _encode({"stream": stream.name, **point})
    unit = f" {printable(stream.unit)}" if stream.unit else ""
    time_s = point["t"]
    assert isinstance(time_s, float | int)
    return f"{moment(int(time_s * 1e9))}  {printable(stream.name)}  {printable(_encode(point['d']))}{unit}"
