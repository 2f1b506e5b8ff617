"""The command that brings a session into the cache, and what finds it there."""

from typing import TYPE_CHECKING

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.caches import CacheOption, caches_with, holding_cache, meant_cache, usual_cache
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, SessionArgument, TokenOption
from blitz.cli.output import Output, Progress

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.cache_places import CachePlace
    from blitz.data.database_client import DatabaseClient
    from blitz.data.records import SessionRecord
    from blitz.io.connection import AsyncClient

OTHER_SERVER = "'--cache usual' is this server's own, and 'blitz cache add' makes another one."
"""What to do where a cache belongs to another server."""


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
        place, session = ask(settings, lambda client: _bring(client, settings, session_id, cache, progress))
    out.document(session=session, cache=str(place))
    so_far = " so far" if session.is_running else ""
    out.line(f"Session {session.id} is in the cache {place.words}: {session.message_count} messages{so_far}.")


def find_cache(settings: "ClientSettings", session_id: int, cache: str | None, out: Output) -> "CachePlace":
    """Return the cache that holds the session, bringing it there if need be; without a server, one that has it.

    A cache that is named as ``cache`` is read, too, where it belongs to another server.
    """
    from blitz.data.cache_places import usual_places
    from blitz.errors import CacheMismatch, ServerUnreachable

    if session_id < 0:  # no server has it
        return holding_cache(settings, session_id, cache)
    place = meant_cache(settings, cache)
    try:
        with out.progress(f"Session {session_id}") as progress:
            return ask(settings, lambda client: _bring(client, settings, session_id, cache, progress))[0]
    except CacheMismatch:
        if cache is None or place is None or not caches_with(session_id, [place]):
            raise
        return place
    except ServerUnreachable as error:
        candidates = usual_places(settings.cache_dir) if place is None else [place]
        holding = caches_with(session_id, (candidate for candidate in candidates if candidate.exists))
        if len(holding) == 1:
            return holding[0]
        names = ", ".join(map(str, holding))
        remedy = f"Several caches hold a session {session_id}; choose with --cache: {names}."
        nothing = f"Session {session_id} is not in {place.words if place else 'a cache here'}, either."
        raise ServerUnreachable(f"{error} {remedy if holding else nothing}") from error


async def _bring(
    client: "AsyncClient", settings: "ClientSettings", session_id: int, cache: str | None, progress: Progress | None
) -> "tuple[CachePlace, SessionRecord]":
    """Download the session, unless the cache has all of it."""
    from blitz.data.cache_setup import bind

    place = meant_cache(settings, cache)
    store_id = (await client.status()).store_id
    place = place or usual_cache(settings, store_id)
    session = await client.session(session_id)
    with place.open() as database:
        bind(place, database, store_id, str(client.address), OTHER_SERVER)
        copy = _copy(database, session_id)
        if copy is None or (copy.started_ms, copy.message_count) != (session.started_ms, session.message_count):
            session = await client.download(session_id, database, progress)
    return place, session


def _copy(database: "DatabaseClient", session_id: int) -> "SessionRecord | None":
    """Return the session's record if all of it is in the cache."""
    from blitz.data.models import Session

    row = database.get(Session, {"ref_id": session_id})
    return database.session_record(session_id) if row is not None and row.available else None
