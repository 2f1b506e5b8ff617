"""The command that brings a session into the cache, and what finds it there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.caches import caches_with, holding_cache
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, SessionArgument, TokenOption
from blitz.cli.output import Output, Progress

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.database_client import DatabaseClient
    from blitz.data.records import SessionRecord
    from blitz.io.connection import AsyncClient

CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", metavar="FILE", help="Cache file. [default: one a server, in the user's data folder]"),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.ANALYSE)(download)


def download(
    session_id: SessionArgument,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a session into the local cache.

    An interrupted download goes on where it was.
    """
    out = Output(as_json)
    settings = client_settings(server, token, config_file)
    with out.progress(f"Session {session_id}") as progress:
        path, session = ask(settings, lambda client: _bring(client, settings, session_id, cache, progress))
    out.document(session=session, cache=str(path))
    so_far = " so far" if session.is_running else ""
    out.line(f"Session {session.id} is in the cache {path}: {session.message_count} messages{so_far}.")


def find_cache(settings: "ClientSettings", session_id: int, cache: Path | None, out: Output) -> Path:
    """Return the cache that holds the session, bringing it there if need be; without a server, one that has it."""
    from blitz.errors import ServerUnreachable

    if session_id < 0:  # no server has it
        return holding_cache(settings, session_id, cache)
    try:
        with out.progress(f"Session {session_id}") as progress:
            return ask(settings, lambda client: _bring(client, settings, session_id, cache, progress))[0]
    except ServerUnreachable as error:
        candidates = [cache] if cache else sorted(settings.cache_dir.glob("*.db"))
        holding = caches_with(session_id, (path for path in candidates if path.is_file()))
        if len(holding) == 1:
            return holding[0]
        names = ", ".join(str(path) for path in holding)
        remedy = f"Several caches hold a session {session_id}; choose with --cache: {names}."
        nothing = f"Session {session_id} is not in a cache here, either."
        raise ServerUnreachable(f"{error} {remedy if holding else nothing}") from error


async def _bring(
    client: "AsyncClient", settings: "ClientSettings", session_id: int, cache: Path | None, progress: Progress | None
) -> tuple[Path, "SessionRecord"]:
    """Download the session, unless the cache has all of it."""
    from blitz.data.database_client import DatabaseClient
    from blitz.data.sync import cache_path

    store_id = (await client.status()).store_id
    path = cache or cache_path(settings.cache_dir, store_id)
    session = await client.session(session_id)
    with DatabaseClient(path=str(path)) as database:
        database.bind_store(store_id)
        copy = _copy(database, session_id)
        if copy is None or (copy.started_ms, copy.message_count) != (session.started_ms, session.message_count):
            session = await client.download(session_id, database, progress)
    return path, session


def _copy(database: "DatabaseClient", session_id: int) -> "SessionRecord | None":
    """Return the session's record if all of it is in the cache."""
    from blitz.data.models import Session

    row = database.get(Session, {"ref_id": session_id})
    return database.session_record(session_id) if row is not None and row.available else None
