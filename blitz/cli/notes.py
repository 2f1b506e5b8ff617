"""Commands about what people write of a session: markers, and name, notes, tags and fields."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from blitz.cli import looking
from blitz.cli.accounts import print_markers
from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_sources
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, SessionArgument, TokenOption
from blitz.cli.output import Output
from blitz.cli.trash import delete_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.data.records import Marker, SessionRecord
    from blitz.io.connection import AsyncClient

marker = typer.Typer(
    name="marker", help="List, add, change or delete notes at times of a session.", no_args_is_help=True
)

MarkerArgument = Annotated[
    int, typer.Argument(metavar="MARKER", min=1, help="The marker's number, as the list shows it.", show_default=False)
]
_TIMES = "2026-11-22T10:15:30, 10:15:30 on the day of the session, or +90: seconds after its start"
AtOption = Annotated[str | None, typer.Option("--at", metavar="TIME", help=f"When it was, or began: {_TIMES}.")]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="The end, where it lasted.")]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="The source that it is about.", autocompletion=complete_sources),
]
FieldOption = Annotated[
    list[str] | None, typer.Option("--field", metavar="NAME=TEXT", help="A field of your own; may be given again.")
]
TagOption = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Add a tag; may be given again.")]


class _ShowsByDefault(typer.core.TyperGroup):
    """`blitz session 7` is `blitz session show 7`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_shown = bool(args) and args[0] not in ctx.help_option_names and args[0][:1] in "-0123456789"
        if is_shown or not (args or ctx.resilient_parsing):  # a shell that completes wants the commands
            args = ["show", *args]
        return super().parse_args(ctx, args)


session = typer.Typer(name="session", cls=_ShowsByDefault, help="Show one session, or change what is written of it.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(marker, epilog=EPILOG, rich_help_panel=Panel.RECORD)
    session.command("show", epilog=EPILOG)(looking.session)
    session.command("delete", epilog=EPILOG)(delete_session)
    app.add_typer(session, epilog=EPILOG, rich_help_panel=Panel.SESSIONS)


@marker.command("list", epilog=EPILOG)
def list_markers(
    session_id: SessionArgument,
    versions: Annotated[bool, typer.Option("--versions", help="All versions, those that were deleted, too.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a session's markers, by time."""
    settings = client_settings(server, token, config_file)
    found = ask(settings, lambda client: client.markers(session_id, versions=versions))
    out = Output(as_json)
    out.document(markers=found)
    if found:
        print_markers(out, found)
    else:
        out.line("No markers. Write one with 'blitz marker add SESSION TEXT'.")


@marker.command(epilog=EPILOG)
def add(
    session_id: SessionArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What was then.", show_default=False)],
    at: AtOption = None,
    until: UntilOption = None,
    source: SourceOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a marker. Without --at it is put at the present, in the session that is being recorded."""

    async def write(client: "AsyncClient") -> "Marker":
        if at is None and not (await client.session(session_id)).is_running:
            raise typer.BadParameter(
                f"session {session_id} is not being recorded: say when it was, with --at and {_TIMES}.",
                param_hint="--at",
            )
        begin, end = await _times(client, session_id, at, until)
        return await client.add_marker(session_id, text, begin, end, source)

    made = ask(client_settings(server, token, config_file), write)
    out = Output(as_json)
    out.document(marker=made)
    out.line(f"Marker {made.id} is written.")


@marker.command(epilog=EPILOG)
def edit(
    session_id: SessionArgument,
    marker_id: MarkerArgument,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The new text.")] = None,
    at: AtOption = None,
    until: UntilOption = None,
    point: Annotated[bool, typer.Option("--point", help="Take the end away.")] = False,
    source: SourceOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a marker; what is not given stays. A deleted one comes back by that."""

    async def write(client: "AsyncClient") -> "Marker":
        present = await _find(client, session_id, marker_id)
        begin, end = await _times(client, session_id, at, until)
        return await client.edit_marker(
            session_id, present, text=text, at=begin, until=end, source=source, is_point=point
        )

    made = ask(client_settings(server, token, config_file), write)
    out = Output(as_json)
    out.document(marker=made)
    out.line(f"Marker {made.id} is changed; this is its version {made.version}.")


@marker.command(epilog=EPILOG)
def delete(
    session_id: SessionArgument,
    marker_id: MarkerArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a marker. 'blitz marker edit' brings it back."""

    async def remove(client: "AsyncClient") -> "Marker":
        return await client.delete_marker(session_id, await _find(client, session_id, marker_id))

    gone = ask(client_settings(server, token, config_file), remove)
    out = Output(as_json)
    out.document(marker=gone)
    out.line(f"Marker {gone.id} is deleted. 'blitz marker edit {session_id} {gone.id}' brings it back.")


@session.command("set", epilog=EPILOG)
def set_words(
    session_id: SessionArgument,
    name: Annotated[str | None, typer.Option("--name", "-n", help="What it is called.")] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="What else should be remembered.")] = None,
    tag: TagOption = None,
    untag: Annotated[
        list[str] | None, typer.Option("--untag", metavar="TAG", help="Take a tag away; may be given again.")
    ] = None,
    field: FieldOption = None,
    star: Annotated[
        bool | None, typer.Option("--star/--no-star", help="Keep it, whatever its age.", show_default=False)
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is written of a session. What it was before is kept; a field without text goes."""
    fields = parse_fields(field)
    if name is None and notes is None and star is None and not (tag or untag or fields):
        raise typer.BadParameter("say what to change, such as --tag warm-up.")

    async def write(client: "AsyncClient") -> "SessionRecord":
        tags: list[str] | None = None
        if tag or untag:
            gone = set(untag or ())
            present = (await client.session(session_id)).tags
            tags = [word for word in dict.fromkeys((*present, *(tag or ()))) if word not in gone]
        return await client.update_session(
            session_id, name=name, notes=notes, starred=star, tags=tags, fields=fields or None
        )

    record = ask(client_settings(server, token, config_file), write)
    out = Output(as_json)
    out.document(session=record)
    out.line(f"Session {record.id} is changed.")
    for line in looking.describe_words(record):
        out.line(line)


def parse_fields(texts: "Sequence[str] | None") -> dict[str, str]:
    """Read NAME=TEXT, one field each.

    :raises typer.BadParameter: if one has no equals sign.
    """
    fields = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not NAME=TEXT, such as sample=brass.")
        fields[name.strip()] = value
    return fields


def parse_time(text: str, started_at: datetime) -> datetime:
    """Read a time: ISO 8601, a clock time of the session's day, or ``+`` and seconds after its start.

    A time without a zone is one of this machine. A clock time before the start is one of the next day.

    :raises typer.BadParameter: if it is none of these.

    >>> started_at = datetime.fromisoformat("2026-11-22T10:00:00+00:00")
    >>> parse_time("+90", started_at).isoformat()
    '2026-11-22T10:01:30+00:00'
    """
    try:
        if text.startswith("+"):
            return started_at + timedelta(seconds=float(text[1:]))
        if "-" not in text and ":" in text and "T" not in text:
            local = started_at.astimezone()
            moment = datetime.fromisoformat(f"{local:%Y-%m-%d}T{text}").astimezone()
            return moment if moment >= local.replace(microsecond=0) else moment + timedelta(days=1)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time: give {_TIMES}.") from error


async def _times(
    client: "AsyncClient", session_id: int, at: str | None, until: str | None
) -> tuple[datetime | None, datetime | None]:
    if at is None and until is None:
        return None, None
    started_at = (await client.session(session_id)).started_at
    begin, end = (None if text is None else parse_time(text, started_at) for text in (at, until))
    return begin, end


async def _find(client: "AsyncClient", session_id: int, marker_id: int) -> Any:
    from blitz.data.markers import newest_versions
    from blitz.errors import MarkerNotFound

    found = newest_versions(await client.markers(session_id, versions=True)).get(marker_id)
    if found is None:
        raise MarkerNotFound(f"Session {session_id} has no marker {marker_id}.")
    return found
