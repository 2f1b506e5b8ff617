"""The picture that `blitz tail` draws: a head, a row a channel, notices. Fits any terminal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from blitz.cli.output import plural, printable
from blitz.ui.channel_state import LimitState, limit_state
from blitz.ui.formats import (
    MISSING,
    format_age,
    format_duration,
    format_rate,
    format_value,
    loss_words,
)

if TYPE_CHECKING:
    from blitz.cli.tail_state import ChannelRow, TailState
    from blitz.data.records import Notice, SessionRecord, StatusRecord

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-~=+*#"
_OLD_S = 5.0
"""A value of this age is grey: its source may have nothing to say, or be away."""
_SEVERITIES = {"warning": "yellow", "error": "bold red"}
_TABLE_LINES = 2
"""What a table has besides its rows: headers, and a line below them."""


_LONG_WORD = 12
"""So much of a line may stay empty where a notice is broken."""


@dataclass(frozen=True)
class Column:
    """A column of the table, and the width that a terminal must have for it."""

    title: str
    from_width: int = 0
    most: int | None = None
    is_number: bool = False


_COLUMNS = (
    Column("Source", most=18),
    Column("Channel", most=30),
    Column("Value", is_number=True),
    Column("Unit", 56, most=10),
    Column("Rate", 66, is_number=True),
    Column("Age", 46, is_number=True),
    Column("Low", 92, is_number=True),
    Column("High", 92, is_number=True),
    Column("Trend", 76),
)


def picture(state: "TailState", address: str, now_s: float, width: int, height: int, *, plain: bool = False) -> Group:
    """Draw what is known.

    :param now_s: this computer's time, in seconds since the Unix epoch.
    :param width: of the terminal, in characters; `height` in lines.
    :param plain: without signs that only Unicode has.
    """
    lines = [*_head(state, address, now_s), Text()]
    notices = [_notice(notice) for notice in state.notices]
    rows = state.rows
    below = sum(1 + notice.cell_len // max(1, width - _LONG_WORD) for notice in notices)
    room = max(1, height - len(lines) - below - _TABLE_LINES - 2)
    shown = rows if len(rows) <= room else rows[: max(room - 1, 1)]
    if not rows:
        return Group(*lines, Text(_nothing(state), style="dim"), *notices)
    parts: list[Any] = [*lines, _table(state, shown, now_s, width, plain=plain)]
    if len(shown) < len(rows):
        rest = len(rows) - len(shown)
        parts.append(Text(f"… {rest} more: a larger terminal shows them, or choose by --channel.", style="dim"))
    return Group(*parts, Text(), *notices) if notices else Group(*parts)


def trend_bars(values: Sequence[float], bars: str = _BARS) -> str:
    """Draw values as bars between their smallest and largest.

    >>> trend_bars([0, 1, 2, 7]), trend_bars([5, 5]), trend_bars([])
    ('▁▂▃█', '▄▄', '')
    """
    if not values:
        return ""
    low, span = min(values), max(values) - min(values)
    if not (span > 0 and math.isfinite(span)):
        return bars[3] * len(values)
    return "".join(bars[min(len(bars) - 1, int((value - low) / span * len(bars)))] for value in values)


def _head(state: "TailState", address: str, now_s: float) -> list[Text]:
    status, session = state.status, state.session
    line = Text(no_wrap=True, overflow="ellipsis")
    if state.away:
        line.append(" NO CONNECTION ", style="bold white on red")
        line.append(" what came last:")
    elif state.is_recording and session is not None:
        line.append(" RECORDING ", style="bold white on red")
        line.append(" " + " · ".join(_session_words(session, status, now_s + state.ahead_s)))
    elif session is not None:
        line.append(" FINISHED ", style="reverse")
        line.append(" " + " · ".join(_session_words(session, None, now_s)))
    elif status is None:
        line.append(f"Waiting for {printable(address)} …")
    else:
        line.append(" NOT RECORDED ", style="bold black on yellow")
        line.append(f" {_rate(status.rate_hz)}")
    losses = [board.account for board in status.boards if board.account is not None] if status is not None else []
    words = [_plain(loss_words(losses))] if state.is_recording and losses else []
    second = Text(" · ".join([*words, printable(address)]), style="dim", no_wrap=True, overflow="ellipsis")
    if state.away:
        second = Text(printable(state.away), style="bold red", no_wrap=True, overflow="ellipsis")
    elif status is not None and not status.store.is_up:
        second = Text(printable(status.store.error or "The store is away."), style="bold red", overflow="ellipsis")
    return [line, second]


def _session_words(session: "SessionRecord", status: "StatusRecord | None", now_s: float) -> list[str]:
    end_s = session.stopped_at.timestamp() if session.stopped_at is not None else now_s
    words = [f"session {session.id}"]
    if session.name:
        words.append(printable(session.name))
    words += [format_duration(end_s - session.started_at.timestamp()), plural(session.message_count, "message")]
    if status is not None:
        words.append(_rate(status.rate_hz))
    elif session.verdict:
        words.append(printable(session.verdict))
    return words


def _table(state: "TailState", rows: Sequence["ChannelRow"], now_s: float, width: int, *, plain: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    columns = [column for column in _COLUMNS if width >= column.from_width]
    rates, trend_width = state.rates_hz, 32 if width >= 110 else 12
    has_units = any(column.title == "Unit" for column in columns)
    lines: list[dict[str, Text]] = []
    for row in rows:
        age_s = state.age_s(row, now_s)
        limit = limit_state(row.channel, row.value)
        is_off = limit in (LimitState.LOW, LimitState.HIGH)
        value = format_value(row.value, row.decimals)
        if not has_units and row.channel.unit:
            value = f"{value} {printable(row.channel.unit)}"
        cells = {
            "Source": Text(printable(row.source)),
            "Channel": Text(printable(row.channel.label or row.channel.name)),
            "Value": Text(f"{limit.value[0]} {value}" if is_off else value, style="bold red" if is_off else "bold"),
            "Unit": Text(printable(row.channel.unit)),
            "Rate": Text(_rate(rates[row.source]) if row.source in rates else MISSING),
            "Age": Text(MISSING if math.isnan(age_s) else format_age(age_s)),
            "Low": Text(format_value(row.low, row.decimals)),
            "High": Text(format_value(row.high, row.decimals)),
            "Trend": Text(trend_bars(list(row.trend)[-trend_width:], _PLAIN_BARS if plain else _BARS), style="cyan"),
        }
        if not age_s < _OLD_S:
            for cell in cells.values():
                cell.stylize("dim")
        lines.append(cells)
    for column in columns:
        justify: Any = "right" if column.is_number else "left"
        # Names may be cut where there is no room, numbers must not: they would be others.
        least = max(len(line[column.title]) for line in lines) if column.is_number else None
        table.add_column(
            column.title, justify=justify, no_wrap=True, overflow="ellipsis", min_width=least, max_width=column.most
        )
    for line in lines:
        table.add_row(*(line[column.title] for column in columns))
    return table


def _rate(rate_hz: float) -> str:
    return _plain(format_rate(rate_hz))


def _plain(text: str) -> str:
    """Return a text with a space that every terminal has, instead of the narrow one within numbers."""
    return text.replace("\u202f", " ")


def _notice(notice: "Notice") -> Text:
    words = Text(f"{notice.time.astimezone():%H:%M:%S}  ")
    return words.append(printable(notice.text), style=_SEVERITIES.get(notice.severity, ""))


def _nothing(state: "TailState") -> str:
    if state.status is None:
        return ""
    names = sorted({board.name for board in state.status.boards})
    if not names:
        return "The server sees no device. See 'blitz doctor'."
    return f"No channel is called so, or none is known yet. There are: {printable(', '.join(names))}."


def streams_picture(rows: Sequence[tuple[str, str, str, str, float, int]], head: str, height: int) -> Group:
    """Draw a table of streams: name, nickname, newest value, unit, age in seconds (NaN without one), points."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("Stream", "Called", "Value", "Unit", "Age", "Points"):
        justify: Any = "right" if title in ("Value", "Age", "Points") else "left"
        table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", max_width=36)
    room = max(1, height - 2 - _TABLE_LINES - 2)
    shown = rows if len(rows) <= room else rows[: max(room - 1, 1)]
    for name, nickname, value, unit, age_s, count in shown:
        age = MISSING if math.isnan(age_s) else format_age(age_s)
        cells = (
            printable(name),
            printable(nickname),
            printable(value),
            printable(unit),
            age,
            f"{count:,}".replace(",", " "),
        )
        table.add_row(*(Text(cell.replace("_", " ")) if cell is cells[-1] else Text(cell) for cell in cells))
    parts: list[Any] = [Text(printable(head), no_wrap=True, overflow="ellipsis"), Text()]
    parts.append(table if rows else Text("There is no stream here. See 'blitz stream create --help'.", style="dim"))
    if len(shown) < len(rows):
        parts.append(Text(f"… {len(rows) - len(shown)} more: choose by --source.", style="dim"))
    return Group(*parts)


def moment(time_ns: int) -> str:
    """Write a time of day to the millisecond, in this computer's time zone."""
    return f"{datetime.fromtimestamp(time_ns / 1e9):%H:%M:%S.%f}"[:-3]
