"""The kinds of boards: those that the server knows, and the plug-ins that are installed here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blitz.cli.asking import ask
from blitz.cli.output import Output

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.board_definition import BoardDefinition, Channel

_SHOWN_CHANNELS = 6


def print_types(out: Output, settings: "ClientSettings") -> None:
    """Print all kinds of boards; without a server, the built-in ones."""
    from blitz.data.board_plugins import list_plugins

    definitions, complaint = _find_definitions(settings)
    plugins = list_plugins()
    entries = [
        {"name": entry.name, "origin": entry.origin, "summary": entry.summary, "error": entry.error}
        for entry in plugins
    ]
    out.document(types=definitions, plugins=entries)
    if complaint:
        out.line(f"{complaint} These are the built-in kinds.")
    out.table(("Type", "Name", "Format", "Channels", "Commands"), [_row(definition) for definition in definitions])
    if plugins:
        headers = ("Plug-in", "What it is", "From", "Trouble")
        out.table(headers, [(entry.name, entry.summary, entry.origin, entry.error) for entry in plugins])


def _find_definitions(settings: "ClientSettings") -> tuple[Sequence["BoardDefinition"], str]:
    from blitz.data.board_definition import load_definitions
    from blitz.errors import ServerUnreachable

    try:
        return ask(settings, lambda client: client.definitions()), ""
    except ServerUnreachable as error:
        return list(load_definitions().values()), str(error)


def _row(definition: "BoardDefinition") -> tuple[str, ...]:
    shown = ", ".join(_channel(channel) for channel in definition.channels[:_SHOWN_CHANNELS])
    more = len(definition.channels) - _SHOWN_CHANNELS
    commands = ", ".join(command.name for command in definition.commands)
    channels = f"{shown}, and {more} more" if more > 0 else shown
    return definition.id, definition.name, definition.format.value, channels, commands


def _channel(channel: "Channel") -> str:
    return f"{channel.display_name} [{channel.unit}]" if channel.unit else channel.display_name
