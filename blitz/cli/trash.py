"""Commands about sessions that were deleted and can still be restored, and about those that are starred."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    SessionArgument,
    TokenOption,
    YesOption,
    list_by_default,
)
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.data.records import SessionRecord
    from blitz.io.connection import AsyncClient

trash = typer.Typer(name="trash", help="List, restore or delete for good what was deleted.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(trash, epilog=EPILOG, rich_help_panel=Panel.SESSIONS)
    app.command(epilog=EPILOG, rich_help_panel=Panel.SESSIONS)(star)


def star(
    session_id: SessionArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the star away.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Star a session: it is kept, whatever its age.

    Retention spares it, and the trash is never purged of it.
    """
    settings = client_settings(server, token, config_file)
    record = ask(settings, lambda client: client.update_session(session_id, starred=not off))
    out = Output(as_json)
    out.document(session=record)
    out.line(f"Session {record.id} is {'no longer starred' if off else 'starred'}.")


def delete_session(
    session_id: SessionArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a session to the server's trash; copies in caches stay."""
    ask(client_settings(server, token, config_file), lambda client: client.delete(session_id))
    out = Output(as_json)
    out.document(deleted=session_id)
    out.line(f"Session {session_id} is in the trash. 'blitz trash restore {session_id}' brings it back.")


@trash.command("list", epilog=EPILOG)
def list_trash(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions in the trash, what was deleted last coming first."""
    records = ask(client_settings(server, token, config_file), lambda client: client.trash())
    out = Output(as_json)
    out.document(sessions=records)
    if records:
        out.table(("ID", "Name", "Started", "Messages", "Deleted", "Starred"), [_row(record) for record in records])
    else:
        out.line("The trash is empty.")


list_by_default(trash, list_trash)


@trash.command(epilog=EPILOG)
def restore(
    session_id: SessionArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a session out of the trash."""
    record = ask(client_settings(server, token, config_file), lambda client: client.restore(session_id))
    out = Output(as_json)
    out.document(session=record)
    out.line(f"Session {record.id} is back, with {record.message_count} messages.")


@trash.command(epilog=EPILOG)
def empty(
    session_ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="[SESSION]...", min=1, help="Only these. [default: all but starred ones]"),
    ] = None,
    yes: YesOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete for good what is in the trash. Starred sessions stay there unless they are named."""
    settings = client_settings(server, token, config_file)
    wanted = session_ids or []

    async def choose(client: "AsyncClient") -> "list[SessionRecord]":
        records = await client.trash()
        return [record for record in records if (record.id in wanted if wanted else not record.starred)]

    async def delete(client: "AsyncClient", chosen: "Sequence[int]") -> None:
        for session_id in chosen:
            await client.delete_for_good(session_id)

    # What is named and not there is an error of the server's, before anything is deleted.
    found = [record.id for record in ask(settings, choose)]
    chosen = [number for number in wanted if number not in found] + found
    if chosen:
        names = ", ".join(map(str, chosen))
        confirm(f"Delete session {names} for good? Nobody can bring that back.", yes=yes)
        ask(settings, lambda client: delete(client, chosen))
    out = Output(as_json)
    out.document(deleted=chosen)
    count = f"{len(chosen)} session{'s' if len(chosen) != 1 else ''}"
    out.line(f"Deleted {count} for good." if chosen else "There was nothing to delete.")


def _row(record: "SessionRecord") -> tuple[str, ...]:
    deleted = "" if record.trashed_at is None else local_time(record.trashed_at)
    starred = "yes" if record.starred else ""
    return str(record.id), record.name, local_time(record.started_at), str(record.message_count), deleted, starred
