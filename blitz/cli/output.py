"""What commands print: a JSON document, or text; tables and colours only where a terminal shows them."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from blitz.cli.ending import end_if_told

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


class Output:
    """Where a command's result goes.

    :param as_json: one JSON document on the standard output, and nothing else.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._is_terminal = not as_json and sys.stdout is not None and sys.stdout.isatty()

    def document(self, **parts: Any) -> None:
        """Print the JSON document, in which records may stand; nothing where text is wanted."""
        if self.as_json:
            print(json.dumps(_plain(parts), ensure_ascii=False))  # noqa: T201

    def line(self, text: str) -> None:
        """Print a line of text; nothing where JSON is wanted."""
        if not self.as_json:
            print(printable(text))  # noqa: T201

    def text(self, text: str) -> None:
        """Print lines of text as they are, for a file; nothing where JSON is wanted."""
        for line in text.splitlines():
            self.line(line)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows under headers; nothing where JSON is wanted."""
        if self.as_json:
            return
        rows = [[printable(cell) for cell in row] for row in rows]
        if self._is_terminal:
            _rich_table(headers, rows)
            return
        widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
        for row in (headers, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())  # noqa: T201

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Show a bar on a terminal; it moves with the function that is given, called with (done, in all).

        That function ends the command if it was told to end: it is called between the parts of its work.
        """
        end_if_told()
        with self._bar(title) as move:

            def step(done: int, total: int) -> None:
                end_if_told()
                if move is not None:
                    move(done, total)

            yield step

    @contextmanager
    def _bar(self, title: str) -> Iterator[Progress | None]:
        if not self._is_terminal:
            yield None
            return
        from rich import progress as rich_progress

        columns = (
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeRemainingColumn(),
        )
        with rich_progress.Progress(*columns, console=terminal_console(), transient=True) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def printable(text: str) -> str:
    """Replace what could move a terminal's cursor: names come from other people.

    >>> printable("run\\x1b[2J")
    'run?[2J'
    """
    return "".join(char if char.isprintable() else "?" for char in text)


def local_time(moment: datetime) -> str:
    """Return a time as a clock on this machine shows it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(span: timedelta) -> str:
    """Return how long something took, to the second.

    >>> duration(timedelta(hours=26, minutes=3, seconds=4.6))
    '26:03:04'
    """
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def plural(count: int, what: str) -> str:
    """Return how many there are of something.

    >>> plural(1, "message"), plural(12340, "message")
    ('1 message', '12 340 messages')
    """
    return f"{count:,}".replace(",", " ") + f" {what}{'' if count == 1 else 's'}"


def _rich_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    terminal_console().print(table)


def terminal_console(*, is_whole: bool = False) -> "Console":
    """Return the terminal; where NO_COLOR is set, without any marks, bold ones included.

    :param is_whole: all of it is taken, and its size followed: COLUMNS and LINES, which a shell may have left, are not
        asked.
    """
    from rich.console import Console

    sizes = ("COLUMNS", "LINES") if is_whole else ()
    environment = {name: value for name, value in os.environ.items() if name not in sizes}
    return Console(color_system=None if os.environ.get("NO_COLOR") else "auto", _environ=environment)


def _plain(value: Any) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
