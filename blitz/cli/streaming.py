"""Commands about streams: what scripts log beside recordings, and commands to what can be set."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.faults import ExitCode
from blitz.cli.moments import parse_duration
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    TokenOption,
    YesOption,
    list_by_default,
)
from blitz.cli.output import Output, local_time, plural
from blitz.cli.stream_pointing import NEGATIVE, StreamArgument, ValueArgument, insert, read, tail
from blitz.cli.stream_values import parse_schema, parse_value

if TYPE_CHECKING:
    from blitz.data.points import Points
    from blitz.data.stream_records import StreamCommand, StreamRecord
    from blitz.io.connection import AsyncClient

group = typer.Typer(
    name="stream",
    help="Streams: list, make, fill, read and follow them, and send commands to what they stand for.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)

UnitOption = Annotated[str | None, typer.Option("--unit", help="Of values that are numbers.", show_default=False)]
NicknameOption = Annotated[str | None, typer.Option("--nickname", help="What people call it.", show_default=False)]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="What it is about.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    list_by_default(group, list_streams)
    for command in (insert, read, tail):
        group.command(epilog=EPILOG, context_settings=NEGATIVE if command is insert else None)(command)
    app.add_typer(group, rich_help_panel=Panel.RECORD)


@group.command("list", epilog=EPILOG)
def list_streams(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the streams of the server."""

    async def look(client: "AsyncClient") -> "list[StreamRecord]":
        return await client.streams()

    records = ask(client_settings(server, token, config_file), look)
    out = Output(as_json)
    out.document(streams=[_document(record) for record in records])
    if not records:
        out.line("No stream. 'blitz stream create NAME' makes one, and so does blitz.Logger.")
        return
    rows = [
        [
            *(record.name, record.nickname, record.unit, f"{record.point_count:,}".replace(",", " ")),
            local_time(datetime.fromtimestamp(record.newest_t, UTC)) if record.newest_t is not None else "",
            "yes" if record.downlink else "",
        ]
        for record in records
    ]
    out.table(["Name", "Called", "Unit", "Points", "Newest", "Takes commands"], rows)


@group.command(epilog=EPILOG)
def show(
    name: StreamArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a stream, its newest point, and the last commands."""

    async def look(client: "AsyncClient") -> "tuple[StreamRecord, Points, list[StreamCommand]]":
        record = await client.stream(name)
        newest = await client.stream_points(record.id, max(0, record.point_count - 1), record.point_count)
        return record, newest, (await client.stream_commands(name))[-5:] if record.downlink else []

    record, newest, sent = ask(client_settings(server, token, config_file), look)
    out = Output(as_json)
    out.document(stream=_document(record), newest=list(newest)[-1:], commands=sent)
    out.line(f"{record.name}{f', called {record.nickname}' if record.nickname else ''}")
    if record.description:
        out.line(record.description)
    out.line(f"Values: {json.dumps(record.schema_) if record.schema_ else 'anything that JSON has'}")
    out.line(f"Unit: {record.unit or 'none'}")
    out.line(f"{plural(record.point_count, 'point')} since {local_time(record.created_at)}.")
    for point in newest[-1:]:
        out.line(f"Newest: {json.dumps(point['d'], ensure_ascii=False)} at {_local(point['t'])}.")
    if record.downlink:
        out.line("It takes commands: see 'blitz stream send --help'.")
    for command in sent:
        out.line(f"  {_local(command.t)}  {json.dumps(command.d)} by {command.by or 'somebody'}: {_outcome(command)}")


@group.command(epilog=EPILOG)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 200 characters, without slashes.")],
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema", metavar="FILE|JSON", help='What values must be, such as \'{"type": "number"}\'. [default: any]'
        ),
    ] = None,
    unit: UnitOption = None,
    nickname: NicknameOption = None,
    description: DescriptionOption = None,
    downlink: Annotated[bool, typer.Option("--downlink", help="It takes commands.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a stream."""
    rule = None if schema is None else parse_schema(schema)

    async def make(client: "AsyncClient") -> "StreamRecord":
        words = {"nickname": nickname or "", "description": description or "", "unit": unit or ""}
        return await client[name].create(rule, **words, downlink=downlink)

    record = ask(client_settings(server, token, config_file), make)
    out = Output(as_json)
    out.document(stream=_document(record))
    out.line(f"The stream {record.name} is there.")


@group.command("set", epilog=EPILOG)
def change(
    name: StreamArgument,
    unit: UnitOption = None,
    nickname: NicknameOption = None,
    description: DescriptionOption = None,
    downlink: Annotated[
        bool | None, typer.Option("--downlink/--no-downlink", help="Whether it takes commands.", show_default=False)
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is known of a stream; what is not given stays."""
    if (unit, nickname, description, downlink) == (None, None, None, None):
        raise typer.BadParameter("say what is to be changed: --unit, --nickname, --description or --downlink.")

    async def write(client: "AsyncClient") -> "StreamRecord":
        words = {"nickname": nickname, "description": description, "unit": unit}
        return await client[name].update(**words, downlink=downlink)

    record = ask(client_settings(server, token, config_file), write)
    out = Output(as_json)
    out.document(stream=_document(record))
    out.line(f"The stream {record.name} was changed.")


@group.command(epilog=EPILOG, context_settings=NEGATIVE)
def send(
    name: StreamArgument,
    value: ValueArgument,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="How long it waits for an answer: 10, 2m.")
    ] = "10",
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a command to what a stream stands for, and say what became of it.

    Ends with 0 if it was acknowledged, with 4 if it failed, and with 3 if nobody has answered in time.
    """
    from blitz.data.stream_records import CommandState

    told, timeout_s = parse_value(value), parse_duration(timeout, "--timeout")
    command = ask(
        client_settings(server, token, config_file), lambda client: client[name].send(told, timeout=timeout_s)
    )
    out = Output(as_json)
    out.document(command=command)
    out.line(f"{_outcome(command)[:1].upper()}{_outcome(command)[1:]}.")
    if command.state is CommandState.FAILED:
        raise typer.Exit(ExitCode.REFUSED)
    if command.state is CommandState.TIMED_OUT:
        raise typer.Exit(ExitCode.UNREACHABLE)


@group.command(epilog=EPILOG)
def delete(
    name: StreamArgument,
    yes: YesOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a stream and all its points, for good."""
    settings = client_settings(server, token, config_file)
    record = ask(settings, lambda client: client.stream(name))
    confirm(f"Delete the stream {record.name} with {plural(record.point_count, 'point')}, for good?", yes=yes)
    ask(settings, lambda client: client.delete_stream(name))
    out = Output(as_json)
    out.document(deleted=record.name, point_count=record.point_count)
    out.line(f"The stream {record.name} is deleted.")


def _document(record: "StreamRecord") -> dict[str, Any]:
    return record.model_dump(mode="json", by_alias=True, exclude_none=True)


def _local(seconds: float) -> str:
    return local_time(datetime.fromtimestamp(seconds, UTC))


def _outcome(command: "StreamCommand") -> str:
    words = {"sent": "waits for an answer", "timed_out": "timed out"}.get(command.state.value, command.state.value)
    return f"{words}: {command.reason.rstrip('.')}" if command.reason else words
