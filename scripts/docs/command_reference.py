"""The page about each command of `blitz`, written from how the commands are registered."""

import re
from typing import Any

from typer.main import get_command

from blitz.cli.main import app
from blitz.cli.overview import list_commands

_HEAD = """# Commands

Each command with its arguments and options, as `blitz COMMAND --help` says them. What they have in common (exit codes,
JSON, profiles, completion) is told in [The command line](../command-line.md).
"""


def command_reference() -> str:
    """Return the page; hidden commands, which are old names, are left out."""
    root: Any = get_command(app)
    context = root.make_context("blitz", [], resilient_parsing=True)
    parts, panel = [_HEAD], None
    for listed in list_commands(context):
        if listed.panel != panel:
            panel = listed.panel
            parts.append(f"\n## {panel or 'More'}\n")
        at = context
        for word in listed.name.split():
            command = at.command.commands[word]
            at = type(at)(command, info_name=word, parent=at)
        parts.append(_command(listed.name, at))
    return "".join(parts)


def _command(name: str, context: Any) -> str:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    lines = [f"\n### `blitz {name}`\n", "```text", f"blitz {name} {pieces}", "```", "", _prose(context.command.help)]
    rows = []
    for parameter in context.command.params:
        record = parameter.get_help_record(context)
        if record:
            rows.append(f"| `{record[0]}` | {' '.join(_prose(record[1]).split())} |")
    if rows:
        lines += ["", "| option | |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _prose(text: str | None) -> str:
    """Return a help text as Markdown: what it quotes is what one types."""
    paragraphs = (text or "").replace("\b\n", "").replace("``", "`").strip()
    quoted = re.sub(r"(?<!\w)'([^'\n]+)'(?!\w)", r"`\1`", paragraphs)
    parts = quoted.split("`")  # every other one is code
    parts[::2] = [_escaped(part) for part in parts[::2]]
    return "`".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]*_])", r"\\\1", text).replace("<", "&lt;").replace("|", "&#124;")
