"""The `blitz` command and the two short cuts into it.

Owns how a command ends: the exit code, and what is said about an error. Commands import what they need when they
run, so that ``blitz --help`` is quick.
"""

import contextlib
import copy
import functools
import itertools
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command, get_command_name, solve_typer_info_defaults

from blitz import __version__
from blitz.cli import (
    alarms,
    archive,
    backup,
    calibrating,
    capture,
    configuring,
    copying,
    devices,
    doctor,
    drill,
    exporting,
    finding,
    hooks,
    importing,
    looking,
    naming_caches,
    notes,
    overview,
    planned,
    ports,
    profiling,
    programs,
    querying,
    recording,
    reporting,
    rereading,
    retention,
    service,
    sources,
    streaming,
    syncing,
    tailing,
    tls,
    token,
    trash,
    verifying,
)
from blitz.cli.completing import begin_completion
from blitz.cli.ending import end_if_told, is_interruption, is_told, note_signals
from blitz.cli.faults import ExitCode, report
from blitz.cli.overview import Overview
from blitz.data.optional_packages import leave_out_pandas
from blitz.data.program_start import start_quickly

app = typer.Typer(
    name="blitz",
    cls=Overview,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
_ABOUT_OTHERS = ("commands", "help")
for part in (
    programs,
    looking,
    tailing,
    alarms,
    notes,
    recording,
    planned,
    copying,
    naming_caches,
    exporting,
    reporting,
    verifying,
    syncing,
    importing,
    rereading,
    querying,
    devices,
    streaming,
    finding,
    sources,
    configuring,
    calibrating,
    capture,
    doctor,
    drill,
    backup,
    archive,
    trash,
    retention,
    token,
    hooks,
    service,
    ports,
    tls,
    profiling,
    overview,
):
    part.register(app)


def run() -> None:
    """Be the `blitz` program."""
    _begin()
    sys.exit(invoke(sys.argv[1:]))


def run_server() -> None:
    """Be the `blitz-server` program: `blitz serve`."""
    _begin()
    sys.exit(invoke(["serve", *sys.argv[1:]]))


def run_client() -> None:
    """Be the `blitz-client` program: `blitz client`."""
    _begin()
    sys.exit(invoke(["client", *sys.argv[1:]]))


def _begin() -> None:
    note_signals()
    start_quickly()
    leave_out_pandas()


def invoke(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors are told, not raised."""
    # What follows "--" belongs to the program that `blitz release` runs.
    completing = begin_completion()
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", arguments)
    try:
        end_if_told()
        command = _command(None if completing else next(iter(arguments), None))
        code = command(list(arguments) or ["--help"], prog_name="blitz", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has had enough, as `head` does.
        _forget_output()
        return int(ExitCode.ERROR)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost frame
        if completing:
            return int(ExitCode.ERROR)
        if is_told() or is_interruption(error):  # libraries hear signals, too, and have errors of their own for them
            error = KeyboardInterrupt()
        return int(report(error, as_json=as_json))
    if code == ExitCode.INTERRUPTED:
        return int(report(KeyboardInterrupt(), as_json=as_json))
    if not arguments:
        return int(ExitCode.USAGE)
    return code if isinstance(code, int) else int(ExitCode.DONE)


@functools.cache
def _command(word: str | None) -> Any:
    """Return `blitz` with the one command that is called, or with all: making all of them takes longer than most run.

    :param word: the first argument. Commands that tell of others, options and what is no command get all.
    """
    commands = {
        info.name or get_command_name(getattr(info.callback, "__name__", "")): info for info in app.registered_commands
    }
    groups = {solve_typer_info_defaults(info).name: info for info in app.registered_groups}
    if word in _ABOUT_OTHERS or word not in commands.keys() | groups.keys():
        return get_command(app) if word is None else _command(None)
    part = copy.copy(app)
    part.registered_commands = [commands[word]] if word in commands else []
    part.registered_groups = [groups[word]] if word in groups else []
    return get_command(part)


def _forget_output() -> None:
    """Let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"blitz {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    run()
