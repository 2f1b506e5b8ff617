"""The commands that put points into a stream, read them, and follow them."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_streams
from blitz.cli.moments import parse_duration
from blitz.cli.options import ConfigOption, JsonOption, ServerOption, TokenOption
from blitz.cli.output import Output, plural
from blitz.cli.stream_values import parse_past, parse_places, parse_value
from blitz.cli.tailing import NdjsonOption, limited

if TYPE_CHECKING:
    from blitz.data.stream_records import InsertResult
    from blitz.io.connection import AsyncClient

_LAST = 20
"""So many points a table shows where nobody says which."""
NEGATIVE = {"ignore_unknown_options": True}
"""Settings of a command that lets -3 be a value."""

StreamArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The stream's name.", show_default=False, autocompletion=complete_streams),
]
ValueArgument = Annotated[
    str, typer.Argument(metavar="VALUE", help="As JSON has it: 21.5, true, null, on.", show_default=False)
]


def insert(
    name: StreamArgument,
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE", help="As JSON has it: 21.5, true, on; - reads a point a line from the standard input."
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option("--time", metavar="TIME", help="2026-11-22T14:00, 14:00, -10m (ago), or seconds since 1970."),
    ] = None,
    restamp: Annotated[
        bool, typer.Option("--restamp", help="What is older than the newest point gets its time.")
    ] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a value into a stream, of now or of a time.

    From the standard input: a line a point, {"t": 1795323600, "d": 21.5}, or a bare value of the time when it is read;
    each is stored as soon as it has come.
    """
    out, settings = Output(as_json), client_settings(server, token, config_file)
    if value == "-":
        if at is not None:
            raise typer.BadParameter("lines have their own times.", param_hint="--time")
        from blitz.cli.stream_input import insert_lines

        count = ask(settings, lambda client: insert_lines(client[name], sys.stdin.fileno(), restamp=restamp))
        out.document(stream=name, count=count)
        out.line(f"{plural(count, 'point')} stored.")
        return
    moment = None if at is None else parse_past(at, "--time", datetime.now().astimezone())
    told = parse_value(value)

    async def put(client: "AsyncClient") -> "InsertResult":
        if moment is None:
            return await client[name].insert(told)
        return await client[name].insert_array([{"t": moment, "d": told}], restamp=restamp)

    result = ask(settings, put)
    out.document(stream=name, **result.model_dump(mode="json"))
    out.line(f"Stored as point {result.first}.")


def read(
    name: StreamArgument,
    begin: Annotated[str | None, typer.Option("--from", metavar="TIME", help="As for 'insert --time'.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before that time.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="The first N of them.")] = None,
    index: Annotated[
        str | None, typer.Option("--index", metavar="A:B", help="By place, from 0; -20: are the last 20.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV: time_utc, t, value.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read points of a stream: a table of the last 20, or what is chosen; --csv and --json write all."""
    if index is not None and not begin is end is None:
        raise typer.BadParameter("give times or places, and not both.", param_hint="--index")
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json.", param_hint="--csv")
    now = datetime.now().astimezone()
    start, stop = (
        None if text is None else parse_past(text, option, now).timestamp()
        for text, option in ((begin, "--from"), (end, "--to"))
    )
    places = None if index is None else parse_places(index)
    is_table = not (as_csv or as_json)
    from blitz.cli.stream_reading import write_points

    async def write(client: "AsyncClient") -> None:
        record = await client.stream(name)
        first, behind = 0, record.point_count
        if start is not None or stop is not None:
            found = await client.stream_range(name, t1=start, t2=stop)
            first, behind = found.first, found.stop
        elif places is not None:
            chosen = range(record.point_count)[places]
            first, behind = chosen.start, max(chosen.start, chosen.stop)
        elif is_table and limit is None:
            first = max(0, behind - _LAST)
        if limit is not None:
            behind = min(behind, first + limit)
        await write_points(client, record, first, behind, as_csv=as_csv, as_json=as_json)
        if is_table and first >= behind:
            Output(as_json).line("There is no such point." if record.point_count else "It has no point.")

    ask(client_settings(server, token, config_file), write)


def tail(
    name: StreamArgument,
    last: Annotated[int, typer.Option("--last", metavar="N", min=0, help="Begin with the last N points.")] = 10,
    count: Annotated[
        int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many points.")
    ] = None,
    seconds: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after a time: 90, 10m, 4h.")] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: NdjsonOption = False,
) -> None:
    """Follow a stream: a line a point, as they come, until Ctrl-C. 'blitz tail --streams' follows all of them."""
    for_s = None if seconds is None else parse_duration(seconds, "--for")

    async def follow(client: "AsyncClient") -> None:
        from blitz.cli.tail_lines import point_line, write_lines
        from blitz.data.blocks import MessageBlock
        from blitz.data.points import Points

        record, left = await client.stream(name), count
        async with client.live(record.id, -last if last else None, raw=True) as entries:
            async for entry in entries:
                if isinstance(entry, MessageBlock):
                    points = Points.from_messages(entry.messages(), entry.first_seq)
                    lines = [point_line(record, point, as_json=as_json) for point in points][:left]
                    write_lines(lines)
                    left = None if left is None else left - len(lines)
                    if left == 0:
                        return

    ask(client_settings(server, token, config_file), limited(follow, for_s))
