"""Where the steps of a calibration come from: a board that is read live, or a CSV file."""

import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from blitz.cli.asking import ask
from blitz.cli.ending import at_once
from blitz.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.cli.output import Progress
    from blitz.config import ClientSettings
    from blitz.data.calibration_draft import CalibrationDraft
    from blitz.data.calibration_facts import CalibrationStep
    from blitz.data.raw_numbers import Average, RawNumbers, Taking
    from blitz.io.connection import AsyncClient

PATIENCE_S = 15.0
"""So long a reading is waited for."""
_COLUMNS = ("raw", "reference", "deviation", "count")


def take_points(
    out: Output,
    settings: "ClientSettings",
    board: str,
    draft: "CalibrationDraft",
    references: "Sequence[float] | None",
    *,
    seconds: float,
    readings: int | None,
) -> "list[CalibrationStep]":
    """Let the operator bring about known values, and average what the board sends at each.

    :param references: the values; None: they are asked for.
    :raises typer.BadParameter: if nobody can be asked.
    :raises CalibrationError: if no readings come.
    """
    from blitz.data.raw_numbers import Taking

    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here to bring about known values: say --points FILE.")
    steps = []
    unit = f" {draft.unit}" if draft.unit else ""
    for reference in _asked(unit) if references is None else _announced(references, unit):
        known = _take(out, settings, board, draft, reference, Taking(seconds, readings))
        while known.doubt and _is_wished(f"{known.doubt}. Take it again?"):
            known = _take(out, settings, board, draft, reference, Taking(seconds, readings))
        steps.append(known.step(reference))
    return steps


def _take(
    out: Output,
    settings: "ClientSettings",
    board: str,
    draft: "CalibrationDraft",
    reference: float,
    taking: "Taking",
) -> "Average":
    from blitz.data.raw_numbers import RawNumbers, average

    numbers = RawNumbers(board, draft.definition, draft.column)
    with out.progress(f"Reading {reference:g}") as progress:
        ask(settings, lambda client: read(client, board, numbers, taking, progress))
    known = average(taking.numbers)
    unit = f" {draft.unit}" if draft.unit else ""
    out.line(f"{reference:g}{unit}: sent {known.mean:.7g} ± {known.deviation:.3g}, {known.count} readings.")
    return known


async def read(
    client: "AsyncClient", board: str, numbers: "RawNumbers", taking: "Taking", progress: "Progress"
) -> None:
    """Read what a board sends from now on, until there is enough.

    :raises CalibrationError: if nothing comes.
    """
    from blitz.data.blocks import MessageBlock
    from blitz.data.records import EventKind
    from blitz.errors import CalibrationError

    status = await client.status()
    is_recorded = all(record.is_recorded for record in status.boards if record.name == board)
    begin_ns = round(status.now.timestamp() * 1e9)
    loop = asyncio.get_running_loop()
    try:
        async with (
            asyncio.timeout(PATIENCE_S) as limit,
            client.live(None if status.session and is_recorded else "preview", raw=True) as entries,
        ):
            async for entry in entries:
                if isinstance(entry, MessageBlock):
                    before = len(taking.numbers)
                    arrived_ns, sent = numbers.take(entry)
                    is_new = arrived_ns >= begin_ns  # what was under way shows the value from before
                    taking.add(arrived_ns[is_new], sent[is_new])
                    if len(taking.numbers) > before:
                        limit.reschedule(loop.time() + PATIENCE_S)
                        progress(round(taking.share * 1000), 1000)
                    if taking.is_enough:
                        return
                elif entry.event is EventKind.SOURCES and entry.session_id is not None:
                    numbers.learn(entry.session_id, entry.sources or ())
    except TimeoutError:
        raise CalibrationError(
            f"No reading of that channel came from {board} in {PATIENCE_S:g} s. Look at 'blitz boards'; a server "
            "without a preview is read while a session runs."
        ) from None


def read_points(path: Path) -> "list[CalibrationStep]":
    """Read steps from a CSV file: raw, reference, and if they are known deviation and count; a head may stand first.

    :raises CalibrationError: naming the file and the line.
    """
    from pydantic import ValidationError

    from blitz.data.calibration_facts import CalibrationStep
    from blitz.errors import CalibrationError

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise CalibrationError(f"Cannot read {path}: {reason.lower()}.") from error
    steps, names = [], list(_COLUMNS)
    separator = ";" if ";" in text.partition("\n")[0] else ","
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=separator), 1):
        cells = [cell.strip() for cell in row]
        if number == 1 and cells and cells[0] and not _is_number(cells[0]):
            names = [cell.lower() for cell in cells]
            if unknown := [name for name in names if name not in _COLUMNS]:
                raise CalibrationError(
                    f"{path}: the columns are {', '.join(_COLUMNS)}; {unknown[0]!r} is none of them."
                )
            continue
        if not any(cells):
            continue
        try:
            fields = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
            steps.append(CalibrationStep.model_validate(fields))
        except ValidationError:
            line = separator.join(row)
            raise CalibrationError(
                f"{path}, line {number}: {line[:80]!r} is not raw and reference, two numbers."
            ) from None
    return steps


def _asked(unit: str) -> Iterator[float]:
    number = 0
    while True:
        number += 1
        text = _prompt(f"Known value of point {number}{unit and f' in{unit}'} (empty: that is all)")
        if not text:
            return
        if _is_number(text):
            yield float(text)
        else:
            number -= 1
            typer.echo(f"{text!r} is not a number.", err=True)


def _announced(references: "Sequence[float]", unit: str) -> Iterator[float]:
    for reference in references:
        _prompt(f"Let the sensor see {reference:g}{unit}, then press Enter")
        yield reference


def _prompt(words: str) -> str:
    try:
        with at_once():
            answer: str = typer.prompt(words, default="", show_default=False, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    return answer.strip()


def _is_wished(question: str) -> bool:
    try:
        with at_once():
            return bool(typer.confirm(question, default=True, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
