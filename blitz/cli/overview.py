"""What `blitz --help` shows: one screen with the commands by what they are for; `blitz commands` says more of each.

The groups are the help panels that the commands are registered with.
"""

import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from blitz.cli.completing import complete_commands
from blitz.cli.options import EPILOG, JsonOption, Panel
from blitz.cli.output import Output

_WIDTH = 80
_LIST_WIDTH = 100
_NAMES_FROM = 24
_HEAD = """\
Usage: blitz COMMAND [OPTIONS]

  Serial data acquisition: a server that records what boards send, and its
  clients. To begin: 'blitz serve --simulate 2', then 'blitz client'.
"""
_ORDER = (
    "serve client simulate discover service status tail alarm boards ports start stop marker planned stream sessions "
    "session star trash found listen source attach definition calibrate calibration command release retake bad-frames "
    "doctor record replay download sync export report query reread import pack unpack cache backup restore archive "
    "retention verify drill profile token tls hooks audit"
)
"""In which one needs them; those that are not named here come last in their group."""
_FOOT = """
  blitz COMMAND --help    says all about one command, such as its options
  blitz commands          lists them all, with a line about each
  blitz --version         shows the version

"""


class Command(NamedTuple):
    """One command, as it is typed after ``blitz``."""

    name: str
    summary: str
    panel: str
    """Empty where it was registered with none."""


class Overview(TyperGroup):
    """The `blitz` command itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write one screen of at most 24 lines with 80 columns."""
        shown = _shown(self)
        formatter.write(_HEAD + "\n")
        for panel in [*Panel, ""]:
            names = [command.name for command in shown if _panel(command) == panel]
            if names:
                formatter.write(_line(panel or "More", names))
        formatter.write(f"{_FOOT}{EPILOG.removeprefix(chr(8)).strip()}\n")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, hidden=True)(commands)  # the help names it
    app.command("help", epilog=EPILOG, hidden=True)(help_)


def commands(context: typer.Context, as_json: JsonOption = False) -> None:
    """List all commands, with a line about each."""
    found = list(list_commands(context))
    out = Output(as_json)
    out.document(commands=[command._asdict() for command in found])
    width = max(len(command.name) for command in found)
    panels = list(dict.fromkeys(command.panel for command in found))
    for panel in panels:
        out.line(panel or "More")
        for command in found:
            if command.panel == panel:
                summary = textwrap.shorten(command.summary, _LIST_WIDTH - width - 4, placeholder=" …")
                out.line(f"  {command.name:{width}}  {summary}")
        if panel != panels[-1]:
            out.line("")


def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]...", help="About which.", show_default=False, autocompletion=complete_commands
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the help of a command."""
    at: Any = context.find_root()
    for word in words or ():
        if not isinstance(at.command, TyperGroup):
            break
        name, command, _ = at.command.resolve_command(at, [word])
        at = type(at)(command, info_name=name, parent=at)
    text = at.get_help()
    out = Output(as_json)
    out.document(help=text)
    out.text(text)


def list_commands(context: typer.Context) -> Iterator[Command]:
    """Return all commands in the order of their groups, without hidden ones; commands of a group follow each other."""
    shown = _shown(context.find_root().command)
    for panel in [*Panel, ""]:
        for command in shown:
            if _panel(command) == panel:
                yield from _with_parts(command, command.name or "", panel)


def _shown(root: Any) -> list[Any]:
    commands = [command for command in root.commands.values() if not command.hidden]
    order = _ORDER.split()
    return sorted(commands, key=lambda each: order.index(each.name) if each.name in order else len(order))


def _with_parts(command: Any, name: str, panel: str) -> Iterator[Command]:
    parts = [part for part in getattr(command, "commands", {}).values() if not part.hidden]
    if not parts:
        yield Command(name, _first_sentence(command.help or ""), str(panel))
    for part in parts:
        yield from _with_parts(part, f"{name} {part.name}", panel)


def _first_sentence(text: str) -> str:
    """Return the first sentence of a help text.

    >>> _first_sentence("Take a port.\\n\\nAt once.")
    'Take a port.'
    """
    return " ".join(text.strip().partition("\n\n")[0].split()).partition(". ")[0].rstrip(".") + "."


def _panel(command: Any) -> str:
    return str(getattr(command, "rich_help_panel", None) or "")


def _line(panel: str, names: list[str]) -> str:
    """Return a group's names behind its title.

    >>> _line("Watch", ["status", "tail"])
    '  Watch                 status tail\\n'
    """
    lines = textwrap.wrap(" ".join(names), _WIDTH - _NAMES_FROM, break_on_hyphens=False)
    heads = [f"  {panel}", *[""] * len(lines)]
    return "".join(f"{head:{_NAMES_FROM}}{line}\n" for head, line in zip(heads, lines, strict=False))
