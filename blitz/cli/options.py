"""Options that several commands share, so that they mean the same everywhere."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from blitz.cli.completing import complete_boards, complete_profiles, complete_sessions

EPILOG = """\b
Exit codes: 0 done; 1 error; 2 wrong usage or setting; 3 the server cannot be
reached, is busy, or is another one; 4 refused, such as a session that runs
already or none that runs, or a wrong token or role; 130 ended with Ctrl-C."""


class Panel(StrEnum):
    """What commands are for, in the order of ``blitz --help``: each is registered with one as its help panel."""

    RUN = "Run the programs"
    WATCH = "Watch what happens"
    RECORD = "Record"
    SESSIONS = "Look after sessions"
    DEVICES = "Connect devices"
    ANALYSE = "Use what is recorded"
    KEEP = "Keep it safe"
    ADMINISTER = "Administer"


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; errors as JSON, too, on the standard error.")
]
JsonErrorsOption = Annotated[bool, typer.Option("--json", help="Errors as JSON on the standard error.")]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        metavar="SERVER",
        help="A profile's name, the server's address, or the link of 'blitz token create' in quotes; better in "
        "BLITZ_SERVER. [default: as 'blitz profile use' says, or http://127.0.0.1:8999]",
        autocompletion=complete_profiles,
    ),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", metavar="TOKEN", help="What the server asks for; better in BLITZ_TOKEN.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with a table [client].")
]
SessionArgument = Annotated[
    int,
    typer.Argument(
        metavar="SESSION", min=1, help="A session's id.", show_default=False, autocompletion=complete_sessions
    ),
]
BoardArgument = Annotated[
    str,
    typer.Argument(
        metavar="BOARD",
        help="The board's name, as 'blitz boards' lists it.",
        show_default=False,
        autocompletion=complete_boards,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def list_by_default(group: typer.Typer, show: Callable[[str | None, str | None, Path | None, bool], None]) -> None:
    """Let a group of commands that is called without one of them show its list."""

    @group.callback(invoke_without_command=True)
    def show_alone(
        context: typer.Context,
        server: ServerOption = None,
        token: TokenOption = None,
        config_file: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        if context.invoked_subcommand is None:
            show(server, token, config_file, as_json)
