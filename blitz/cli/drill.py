"""The command `blitz drill`: faults on purpose, on this computer, beside the real installation."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.ending import at_once
from blitz.cli.faults import ExitCode
from blitz.cli.options import EPILOG, JsonOption, Panel
from blitz.cli.output import Output, plural
from blitz.cli.programs import SERVER_PACKAGES, needing

if TYPE_CHECKING:
    from blitz.io.drill import DrillResult

_HEADERS = ("Fault", "Rounds", "Sent", "Stored", "Missed", "Lost", "Doubled", "Recovered in", "Verdict")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.KEEP)(drill)


def drill(
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The server's data folder: the drill works beside it, on the same disk."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each fault strikes.")] = 3,
    rate: Annotated[float, typer.Option(metavar="HZ", min=1, max=200_000, help="Messages a second.")] = 1000.0,
    only: Annotated[
        list[str] | None, typer.Option(metavar="FAULT", help="Only this fault; can be given several times.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat the moments of an earlier drill.")] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with a table [server].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try on simulated devices what faults do to a recording.

    It pulls plugs, kills the server and Redis, fills the disk, sets the clock, at random moments, and counts what was
    sent and what is stored. Sessions and devices of the real server are never touched: the drill has a server, a
    folder and a port of its own, and removes them. It may run beside the real server, whose computer it loads.
    """
    if sys.platform == "win32":
        raise typer.BadParameter("a drill needs a server with a private Redis, which Windows has not.")
    with needing("server", "A drill", SERVER_PACKAGES):
        from blitz.config import ServerSettings, load
        from blitz.io.drill import FAULTS
        from blitz.io.drill import drill as run_drill
    settings = load(ServerSettings, {"data_dir": data_dir}, config_file)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    out = Output(as_json)
    chosen = only or list(FAULTS)
    if set(chosen) <= set(FAULTS):
        out.line(f"Drilling {plural(len(chosen), 'fault')} at {rate:g} messages a second; --seed {seed} repeats it.")
    with at_once(), out.progress("Drilling") as progress:
        drilled = run_drill(
            settings.data_dir, rounds=rounds, rate_hz=rate, only=only or (), seed=seed, progress=progress
        )
        results = list(drilled)
    out.table(_HEADERS, [_row(result) for result in results])
    for result in results:
        for problem in result.problems:
            out.text(f"{result.title}: {problem}")
    is_passed = all(result.is_passed for result in results)
    out.line(_summary(results))
    out.document(seed=seed, passed=is_passed, results=[result.document() for result in results])
    if not is_passed:
        raise typer.Exit(ExitCode.ERROR)


def _row(result: "DrillResult") -> tuple[str, ...]:
    counts = (result.rounds, result.sent, result.stored, result.missed, result.lost, result.doubled)
    verdict = "passed" if result.is_passed else "FAILED"
    return result.title, *map(str, counts), f"{result.recover_s:.1f} s", verdict


def _summary(results: "list[DrillResult]") -> str:
    """Return the sentence at the end."""
    failed = [result.title for result in results if not result.is_passed]
    if failed:
        return f"Not passed: {', '.join(failed)}. Please report this with the lines above."
    stored = sum(result.stored for result in results)
    text = f"Passed: {plural(stored, 'message')} stored, each once and in order; what is missing stands in gaps."
    first = max((result.first_message_s for result in results if result.first_message_s is not None), default=None)
    ends = max((result.end_s for result in results if result.end_s is not None), default=None)
    if first is not None:
        text += f" After its start the server's first message came within {first:.1f} s."
    if ends is not None:
        text += f" It ended within {ends:.1f} s of being told to."
    return text
