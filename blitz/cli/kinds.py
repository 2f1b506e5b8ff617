"""The kinds of boards: formats, the definitions that the server knows, and the plug-ins that are installed here."""

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
    from blitz.data.board_definition import Format, load_definitions
    from blitz.data.board_plugins import list_plugins

    definitions, complaint = _find_definitions(settings)
    built_in = load_definitions()
    origins = ["built in" if built_in.get(one.id) == one else "the server's" for one in definitions]
    plugins = list_plugins()
    types = [
        one.model_dump(mode="json", exclude_none=True) | {"origin": origin}
        for one, origin in zip(definitions, origins, strict=True)
    ]
    entries = [
        {"name": entry.name, "origin": entry.origin, "summary": entry.summary, "error": entry.error}
        for entry in plugins
    ]
    out.document(formats=[{"name": one.value, "summary": one.summary} for one in Format], types=types, plugins=entries)
    out.table(("Format", "What it is"), [(one.value, one.summary) for one in Format])
    out.line("")
    if complaint:
        out.line(f"{complaint} These are the built-in kinds.")
    headers = ("Type", "Name", "Format", "From", "Channels", "Commands")
    out.table(headers, [_row(one, origin) for one, origin in zip(definitions, origins, strict=True)])
    if plugins:
        out.line("")
        headers_of_plugins = ("Plug-in", "What it is", "From", "Trouble")
        out.table(headers_of_plugins, [(entry.name, entry.summary, entry.origin, entry.error) for entry in plugins])


def _find_definitions(settings: "ClientSettings") -> tuple[Sequence["BoardDefinition"], str]:
    from blitz.data.board_definition import load_definitions
    from blitz.errors import ServerUnreachable

    try:
        return ask(settings, lambda client: client.definitions()), ""
    except ServerUnreachable as error:
        return list(load_definitions().values()), str(error)


def _row(definition: "BoardDefinition", origin: str) -> tuple[str, ...]:
    shown = ", ".join(_channel(channel) for channel in definition.channels[:_SHOWN_CHANNELS])
    more = len(definition.channels) - _SHOWN_CHANNELS
    commands = ", ".join(command.name for command in definition.commands)
    channels = f"{shown}, and {more} more" if more > 0 else shown
    return definition.id, definition.name, definition.format.value, origin, channels, commands


def _channel(channel: "Channel") -> str:
    return f"{channel.display_name} [{channel.unit}]" if channel.unit else channel.display_name
