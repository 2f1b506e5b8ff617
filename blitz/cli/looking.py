"""Commands that look, and change nothing: status, boards, sessions."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, ServerOption, TokenOption
from blitz.cli.output import Output, duration, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.data.records import BoardRecord, SessionRecord, StatusRecord


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG)(status)
    app.command(epilog=EPILOG)(boards)
    app.command(epilog=EPILOG)(sessions)


def status(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the server is doing: session, store, boards."""
    settings = client_settings(server, token, config_file)
    record = ask(settings, lambda client: client.status())
    out = Output(as_json)
    if as_json:
        out.document(**record.model_dump(mode="json", exclude_none=True))
        return
    out.line(f"Blitz {record.version} at {settings.server}, store {record.store_id}")
    out.line(_describe_session(record))
    out.line(_describe_store(record))
    _print_boards(out, record.boards)


def boards(
    scan: Annotated[bool, typer.Option("--scan", help="Let the server look for devices anew first.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices that the server sees."""
    settings = client_settings(server, token, config_file)
    records = ask(settings, lambda client: client.scan() if scan else client.boards())
    out = Output(as_json)
    out.document(boards=records)
    _print_boards(out, records)


def sessions(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the server's sessions, newest first."""
    records = ask(client_settings(server, token, config_file), lambda client: client.sessions())
    out = Output(as_json)
    out.document(sessions=records)
    if records:
        headers = ("ID", "Name", "Started", "Took", "Messages", "State", "Owner")
        out.table(headers, [_session_row(record) for record in records])
    else:
        out.line("No sessions yet. Start one with 'blitz start'.")


def _session_row(record: "SessionRecord") -> tuple[str, ...]:
    state = "running" if record.is_running else "interrupted" if record.interrupted else "stopped"
    took = ""
    if record.is_running or record.stopped_at is not None:
        took = duration((record.stopped_at or datetime.now(UTC)) - record.started_at)
    count = str(record.message_count)
    return str(record.id), record.name, local_time(record.started_at), took, count, state, record.owner


def _describe_session(status: "StatusRecord") -> str:
    session = status.session
    if session is None:
        return "No session runs: nothing is recorded."
    name = f" '{session.name}'" if session.name else ""
    owner = f", started by {session.owner}" if session.owner else ""
    runs = duration(status.now - session.started_at)
    rate = f"{status.rate_hz:.1f} a second"
    return f"Session {session.id}{name} has run for {runs}{owner}: {session.message_count} messages, {rate}."


def _describe_store(status: "StatusRecord") -> str:
    store = status.store
    kind = "its own Redis" if store.is_private else "Redis"
    if not store.is_up:
        return f"Store: {kind} is away{f': {store.error}' if store.error else '.'}"
    waiting = f", {store.waiting_messages} messages waiting" if store.waiting_messages else ""
    return f"Store: {kind}, durability {store.durability}, {store.append_ms:.1f} ms an append{waiting}."


def _print_boards(out: "Output", records: "Sequence[BoardRecord]") -> None:
    if not records:
        out.line("No boards. Name a port with 'blitz serve --serial PORT', or look again with 'blitz boards --scan'.")
        return
    headers = ("Name", "Port", "Baud", "Board", "State", "Mode", "Rate/s", "Messages", "Bad", "Trouble")
    out.table(headers, [_board_row(record) for record in records])


def _board_row(record: "BoardRecord") -> tuple[str, ...]:
    board = f"{record.board_id or '?'} {record.board_name}".strip()
    rate, count, bad = f"{record.rate_hz:.1f}", str(record.message_count), str(record.bad_frames)
    return (
        record.name,
        record.link,
        str(record.baud),
        board,
        record.state.value,
        record.mode,
        rate,
        count,
        bad,
        record.error or (f"{record.dropped} messages dropped" if record.dropped else ""),
    )
