"""Commands about older messages that lie in the server's archive: list, verify, restore."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.faults import ExitCode
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    SessionArgument,
    TokenOption,
    list_by_default,
)
from blitz.cli.output import Output

if TYPE_CHECKING:
    from blitz.data.archive_records import ArchiveCheck, ArchivedSession, ArchiveRecord

archive = typer.Typer(name="archive", help="List, verify or bring back older messages that lie in files.")

_MEGABYTE = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(archive, epilog=EPILOG, rich_help_panel=Panel.KEEP)


@archive.command("list", epilog=EPILOG)
def list_archive(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions of which messages lie in the archive, and when more move there."""
    record = ask(client_settings(server, token, config_file), lambda client: client.archive())
    out = Output(as_json)
    out.document(archive=record)
    if record.sessions:
        out.table(("ID", "Name", "Messages", "Archived", "Files", "MB"), [_row(session) for session in record.sessions])
    else:
        out.line("Nothing lies in the archive.")
    out.line(_describe(record))
    if record.trouble:
        out.line(f"Messages cannot move at present: {record.trouble}")


list_by_default(archive, list_archive)


@archive.command(epilog=EPILOG)
def verify(
    session_id: Annotated[
        int | None, typer.Argument(metavar="[SESSION]", min=1, help="Only this one. [default: all]")
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read all files of the archive on the server and compare their checksums.

    Names each file that is damaged or missing, and which messages are lost with it; the exit code is then 1.
    """
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    with out.progress("Messages verified") as progress:

        def show(check: "ArchiveCheck") -> None:
            if progress is not None:
                progress(check.messages, total)

        record = ask(settings, lambda client: client.archive())
        wanted = [session for session in record.sessions if session_id in (None, session.session_id)]
        total = sum(session.archived_count for session in wanted)
        check = ask(settings, lambda client: client.verify_archive(session_id, show))
    out.document(check=check)
    for fault in check.faults:
        out.line(fault.text)
    files = f"{check.files} file{'s' if check.files != 1 else ''} with {check.messages} messages"
    faults = f"{len(check.faults)} fault{'s' if len(check.faults) != 1 else ''}"
    out.line(f"{files} read: {faults if check.faults else 'all is well'}.")
    if check.faults:
        raise typer.Exit(ExitCode.ERROR)


@archive.command(epilog=EPILOG)
def restore(
    session_id: SessionArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a session's archived messages back into the server's memory, if there is room.

    It can be read where it is, too; when memory fills again, it goes last.
    """
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    with out.progress(f"Session {session_id}") as progress:
        restored = ask(settings, lambda client: client.restore_from_archive(session_id, progress))
    out.document(restored=restored)
    left = f"; {restored.archived_count} are still in the archive" if restored.archived_count else ""
    out.line(f"{restored.restored} messages of session {session_id} are in memory{left}.")


def _row(session: "ArchivedSession") -> tuple[str, ...]:
    size = f"{session.file_bytes / _MEGABYTE:.1f}"
    counts = str(session.message_count), str(session.archived_count), str(session.files)
    return str(session.session_id), session.name, *counts, size


def _describe(record: "ArchiveRecord") -> str:
    if not record.is_on:
        return f"Nothing moves to {record.folder}: the archive is switched off."
    used = f"Redis uses {record.redis_used_bytes / _MEGABYTE:.0f} MB"
    if not record.redis_budget_bytes:
        return f"{used}, and nobody limits it: nothing moves to {record.folder}. Set redis_memory_mb to limit it."
    begin, budget = record.begin_bytes / _MEGABYTE, record.redis_budget_bytes / _MEGABYTE
    now = "now" if record.is_moving else f"from {begin:.0f} MB on"
    return f"{used} of {budget:.0f} MB; older messages move to {record.folder} {now}."
