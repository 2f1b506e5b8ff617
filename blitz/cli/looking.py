"""Commands that look, and change nothing: status, boards, sessions, session."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.accounts import print_accounts, print_changes, print_gaps, print_markers, print_timeline
from blitz.cli.all_servers import AllOption, check_alone, show_all_sessions, show_all_statuses
from blitz.cli.asking import ask, client_settings
from blitz.cli.kinds import print_types
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, SessionArgument, TokenOption
from blitz.cli.output import Output, duration, local_time, plural
from blitz.cli.planned import describe_plans
from blitz.cli.room import describe_room, describe_store
from blitz.cli.syncing import CopiesHere, copies_here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.config import ClientSettings
    from blitz.data.access_records import WhoRecord
    from blitz.data.records import BoardRecord, SessionRecord, StatusRecord
    from blitz.io.address import ServerAddress
    from blitz.io.connection import AsyncClient


_TRASH_TIMEOUT_S = 3.0
_SESSION_HEADERS: "Sequence[str]" = (
    *("ID", "Star", "Name", "Started", "Took", "Messages"),
    *("State", "Owner", "Tags", "Account"),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.WATCH)(status)
    app.command(epilog=EPILOG, rich_help_panel=Panel.WATCH)(boards)
    app.command(epilog=EPILOG, rich_help_panel=Panel.SESSIONS)(sessions)


async def _look(client: "AsyncClient") -> "tuple[ServerAddress, StatusRecord, WhoRecord, int]":
    """Return where the server is, how it is, who asks, and how many sessions are in its trash."""
    from blitz.errors import BlitzError

    record, who = await client.status(), await client.whoami()
    trashed = 0
    # An older server has no trash, and one whose Redis hangs cannot say: neither must keep us from what it did say.
    with contextlib.suppress(BlitzError, TimeoutError):
        async with asyncio.timeout(_TRASH_TIMEOUT_S if record.store.is_up else 0):
            trashed = len(await client.trash())
    return client.address, record, who, trashed


def status(
    all_servers: AllOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the server does: session, store, boards, accounts."""
    if all_servers:
        check_alone(server, token)
        show_all_statuses(as_json=as_json)
        return
    settings = client_settings(server, token, config_file)
    address, record, who, trashed = ask(settings, _look)
    out = Output(as_json)
    if as_json:
        out.document(**record.model_dump(mode="json", exclude_none=True))
        return
    out.line(f"Blitz {record.version} at {address}, store {record.store_id}")
    if not record.acquires:
        out.line("It does not acquire: it serves what another server over the same Redis records.")
    if who.role != "admin":
        out.line(f"You are {who.name or 'somebody'} with the role {who.role.value}.")
    out.line(_describe_session(record))
    if record.alarms.unacknowledged or record.alarms.active:
        seen = "" if record.alarms.unacknowledged else ", acknowledged"
        count = record.alarms.unacknowledged or record.alarms.active
        out.line(f"{plural(count, 'alarm')}{seen}: see 'blitz alarm'.")
    for sentence in describe_plans(record):
        out.line(sentence)
    for sentence in describe_store(record.store):
        out.line(sentence)
    for sentence in describe_room(record.room):
        out.line(sentence)
    for due in record.calibrations:
        out.line(due.sentence)
    if trashed:
        out.line(f"Trash: {plural(trashed, 'session')}. See 'blitz trash list'.")
    if record.acquires:
        _print_boards(out, record.boards)
        _print_board_accounts(out, record.boards)


def boards(
    types: Annotated[
        bool, typer.Option("--types", help="List the kinds of boards that the server knows, and plug-ins here.")
    ] = False,
    scan: Annotated[bool, typer.Option("--scan", help="Let the server look for devices anew first.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices that the server sees, each with its account.

    The account says what became of every byte and message, of the running session, or else since the device was found.
    """
    settings = client_settings(server, token, config_file)
    if types:
        print_types(Output(as_json), settings)
        return
    records = ask(settings, lambda client: client.scan() if scan else client.boards())
    out = Output(as_json)
    out.document(boards=records)
    _print_boards(out, records)
    _print_board_accounts(out, records)


def sessions(
    search: Annotated[
        str,
        typer.Option(
            "--search",
            metavar="WORDS",
            help="Only those with all these words, whatever their case and accents; tag:x, owner:x, FIELD:x, starred.",
            show_default=False,
        ),
    ] = "",
    all_servers: AllOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the server's sessions, newest first.

    Where there is a local cache, the column Copy says what is here, and sessions that are only here are listed, too.
    """
    if all_servers:
        check_alone(server, token)
        show_all_sessions(search, as_json=as_json)
        return
    settings = client_settings(server, token, config_file)
    records, copies = ask(settings, lambda client: _list_sessions(client, settings, search))
    out = Output(as_json)
    if copies:
        out.document(sessions=records, copies=copies.states, only_here=copies.only_here)
    else:
        out.document(sessions=records)
    if records or copies.only_here:
        headers = _SESSION_HEADERS
        rows = [_session_row(record) for record in (*records, *copies.only_here)]
        if copies:
            headers = (*headers[:6], "Copy", *headers[6:])
            rows = [(*row[:6], copies.word(int(row[0])), *row[6:]) for row in rows]
        out.table(headers, rows)
    elif search.strip():
        out.line("No session is like that.")
    else:
        out.line("No sessions yet. Start one with 'blitz start'.")


async def _list_sessions(
    client: "AsyncClient", settings: "ClientSettings", search: str
) -> "tuple[list[SessionRecord], CopiesHere]":
    records = await client.sessions(search)
    return records, await copies_here(client, settings, None if search.strip() else {record.id for record in records})


def session(
    session_id: SessionArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one session: what was written of it, accounts, gaps, and what happened in it."""
    record = ask(client_settings(server, token, config_file), lambda client: client.session(session_id))
    out = Output(as_json)
    out.document(session=record)
    name = f" '{record.name}'" if record.name else ""
    owner = f", by {record.owner}" if record.owner else ""
    count = f"{record.message_count} messages"
    took = f" ({_took(record)})" if _took(record) else ""
    out.line(
        f"Session {record.id}{name}, {_state(record)}: {count} from {local_time(record.started_at)} on{took}{owner}."
    )
    archived = f"{plural(record.archived_count, 'message')} of it lie in the archive." if record.archived_count else ""
    starred = "Starred: retention keeps it." if record.starred else ""
    stopped = f"It was stopped by the server: {record.stop_reason}" if record.stop_reason else ""
    for text in (record.notes, stopped, record.verdict, starred, archived):
        if text:
            out.line(text)
    for text in describe_words(record):
        out.line(text)
    names = {source.index: source.name for source in record.sources}
    accounts = [
        (account.name or names.get(account.source, str(account.source)), account) for account in record.accounts
    ]
    print_accounts(out, accounts)
    print_gaps(out, record.gaps, record.sources)
    print_timeline(out, record.timeline)
    print_markers(out, record.markers)
    print_changes(out, record.changes)


def describe_words(record: "SessionRecord") -> list[str]:
    """Say which tags and fields of its own a session has."""
    tags = [f"Tags: {', '.join(record.tags)}"] if record.tags else []
    return tags + [f"{name}: {value}" for name, value in record.fields.items()]


def _session_row(record: "SessionRecord") -> tuple[str, ...]:
    count = str(record.message_count)
    started = local_time(record.started_at)
    star = "*" if record.starred else ""
    took, state = _took(record), _state(record)
    tags = ", ".join(record.tags)
    return str(record.id), star, record.name, started, took, count, state, record.owner, tags, record.verdict


def _state(record: "SessionRecord") -> str:
    how = "running" if record.is_running else "interrupted" if record.interrupted else "stopped"
    how += " by the server" if record.stop_reason else ""
    return how + (f", resumed {'once' if record.resumed == 1 else f'{record.resumed} times'}" if record.resumed else "")


def _took(record: "SessionRecord") -> str:
    if record.is_running or record.stopped_at is not None:
        return duration((record.stopped_at or datetime.now(UTC)) - record.started_at)
    return ""


def _describe_session(status: "StatusRecord") -> str:
    session = status.session
    if session is None:
        return "No session runs: nothing is recorded."
    name = f" '{session.name}'" if session.name else ""
    owner = f", started by {session.owner}" if session.owner else ""
    runs = duration(status.now - session.started_at)
    rate = f"{status.rate_hz:.1f} a second"
    resumed = f" It was resumed {plural(session.resumed, 'time')} after a restart." if session.resumed else ""
    return f"Session {session.id}{name} has run for {runs}{owner}: {session.message_count} messages, {rate}.{resumed}"


def _print_boards(out: "Output", records: "Sequence[BoardRecord]") -> None:
    if not records:
        out.line("No boards. Name a port with 'blitz serve --serial PORT', or look again with 'blitz boards --scan'.")
        return
    headers = ("Name", "Port", "Baud", "Board", "State", "Mode", "Rate/s", "Messages", "Bad", "Trouble")
    out.table(headers, [_board_row(record) for record in records])


def _print_board_accounts(out: "Output", records: "Sequence[BoardRecord]") -> None:
    print_accounts(out, [(record.name, record.account) for record in records if record.account is not None])


def _board_row(record: "BoardRecord") -> tuple[str, ...]:
    rate, count, bad = f"{record.rate_hz:.1f}", str(record.message_count), str(record.bad_frames)
    return (
        record.name,
        record.link,
        str(record.baud or "–"),
        _describe_kind(record),
        record.state.value,
        record.mode,
        rate,
        count,
        bad,
        _describe_trouble(record),
    )


def _describe_kind(record: "BoardRecord") -> str:
    definition = record.definition
    if record.board_id is not None or definition is None:
        return f"{record.board_id or '?'} {record.board_name}".strip()
    return f"{definition.name}{' (guessed)' if record.is_guessed else ''}"


def _describe_trouble(record: "BoardRecord") -> str:
    if record.candidates:
        ports = " or ".join(record.candidates)
        return f"may be at {ports}: say which with 'blitz attach {record.name} PORT'"
    if record.retake_at is not None:
        return f"lent until {local_time(record.retake_at)}: 'blitz retake {record.name}' ends it"
    return record.error or (f"{record.dropped} messages dropped" if record.dropped else "")
