"""What is typed of points, and how they are written: values, times, places. Pure."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import typer

from blitz.cli.moments import parse_duration
from blitz.data.csv_formulas import defused


def parse_value(text: str) -> Any:
    """Read a value: what JSON says, or else the text itself.

    >>> parse_value("21.5"), parse_value("true"), parse_value("on"), parse_value('{"x": [1]}')
    (21.5, True, 'on', {'x': [1]})

    :raises typer.BadParameter: if it has a number that is not finite.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, RecursionError):
        return text


def parse_schema(text: str) -> dict[str, Any]:
    """Read a JSON schema, or the file of one.

    :raises typer.BadParameter: if it is none.
    """
    is_inline = text.lstrip().startswith("{")
    try:
        schema = json.loads(text if is_inline else Path(text).read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        where = "what is given" if is_inline else text
        raise typer.BadParameter(f"{where} is no JSON: {error}.", param_hint="--schema") from None
    except FileNotFoundError:
        words = f'{text} is neither a file nor a schema such as \'{{"type": "number"}}\'.'
        raise typer.BadParameter(words, param_hint="--schema") from None
    if not isinstance(schema, dict):
        raise typer.BadParameter("a schema is a JSON object.", param_hint="--schema")
    return schema


def parse_past(text: str, option: str, now: datetime) -> datetime:
    """Read the time of a point: seconds since 1970, a date or time of day here, or how long ago: ``-10m``.

    :param now: with the time zone of what is typed without one.
    :raises typer.BadParameter: if it is none, naming the option.

    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> [f"{parse_past(text, '--from', noon):%d %H:%M}" for text in ("1795323600", "11:30", "-90m", "2026-11-20")]
    ['22 05:00', '22 11:30', '22 10:30', '20 00:00']
    """
    word = text.strip()
    try:
        if word.startswith("-"):
            return now - timedelta(seconds=parse_duration(word[1:], option))
        try:
            return datetime.fromtimestamp(float(word), UTC)
        except ValueError:
            pass
        if ":" in word and "-" not in word and "T" not in word:
            moment = datetime.combine(now.date(), datetime.strptime(word, _clock(word)).time())
        else:
            moment = datetime.fromisoformat(word)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f"{text!r} is no time such as 2026-11-22T14:00, 14:00, -10m (ago), or seconds since 1970.",
            param_hint=option,
        ) from None


def parse_places(text: str) -> slice:
    """Read places ``A:B`` as Python has them; one alone means that point.

    >>> parse_places("-20:"), parse_places("5"), parse_places("-1")
    (slice(-20, None, None), slice(5, 6, None), slice(-1, None, None))

    :raises typer.BadParameter: if there are none.
    """
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
        if len(numbers) == 1 and numbers[0] is not None:
            return slice(numbers[0], numbers[0] + 1 or None)
        first, stop = numbers
        return slice(first, stop)
    except ValueError:
        words = f"{text!r} is none: write A:B, such as 0:100, or -20: for the last 20."
        raise typer.BadParameter(words, param_hint="--index") from None


class Typed(NamedTuple):
    """A point as it was typed; without a time it is of now."""

    t: float | None
    d: Any


def parse_line(line: str) -> Typed | None:
    """Read a line: ``{"t": …, "d": …}``, without ``t`` for now, or a bare value of now; None where it is empty.

    >>> parse_line('{"t": 5, "d": 1}'), parse_line('{"d": "a"}'), parse_line("21.5"), parse_line(" ")
    (Typed(t=5, d=1), Typed(t=None, d='a'), Typed(t=None, d=21.5), None)

    :raises ValueError: if it is none of these.
    """
    if not line.strip():
        return None
    try:
        told = json.loads(line, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError(f"is no JSON: {line.strip()[:60]!r}") from None
    if not isinstance(told, dict):
        return Typed(None, told)
    if "d" not in told or told.keys() - {"t", "d"}:
        raise ValueError('is no point such as {"t": 1795323600, "d": 21.5}')
    return Typed(told.get("t"), told["d"])


def csv_cell(value: Any) -> str:
    """Write a value as a cell: numbers and words as they are, other things as JSON.

    >>> [csv_cell(value) for value in (21.5, True, None, "on", "=1+1", [1, 2])]
    ['21.5', 'true', '', 'on', "'=1+1", '[1, 2]']
    """
    if value is None:
        return ""
    return defused(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def iso_time(seconds: float) -> str:
    """Write a time of a point, in UTC.

    >>> iso_time(1795323600.25)
    '2026-11-22T05:00:00.250000Z'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _clock(word: str) -> str:
    return "%H:%M:%S" if word.count(":") == 2 else "%H:%M"


def _refuse_constant(word: str) -> Any:
    raise typer.BadParameter(f"{word} is no number that JSON has; null stands for a missing one.")
