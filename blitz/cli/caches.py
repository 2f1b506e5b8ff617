"""Which cache a command means, and sessions that only caches have."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from blitz.cli.asking import ask

if TYPE_CHECKING:
    from blitz.config import ClientSettings

LOCAL_CACHE = "imported.db"
"""The cache of sessions that belong to no server."""

CachedSessionArgument = Annotated[
    int,
    typer.Argument(metavar="SESSION", help="A session's id; below 0 for imported ones.", show_default=False),
]


class CacheCommand(TyperCommand):
    """A command that takes ids below 0, which would otherwise be options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take numbers for what they are."""
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", word) for word in args)
        return super().parse_args(ctx, args)


def holding_cache(settings: "ClientSettings", session_id: int, cache: Path | None) -> Path:
    """Return the one cache that has a session; no server is asked.

    :raises SessionNotFound: if there is none.
    :raises CacheError: if there are several, or the one that was named does not exist.
    """
    from blitz.errors import CacheError, SessionNotFound

    if cache is not None and not cache.is_file():
        raise CacheError(f"There is no cache {cache}.")
    holding = caches_with(session_id, [cache] if cache is not None else sorted(settings.cache_dir.glob("*.db")))
    if not holding:
        raise SessionNotFound(f"Session {session_id} is not in {cache or 'a cache here'}.")
    if len(holding) > 1:
        names = ", ".join(map(str, holding))
        raise CacheError(f"Several caches hold a session {session_id}; choose with --cache: {names}.")
    return holding[0]


def caches_with(session_id: int, candidates: Iterable[Path]) -> list[Path]:
    """Return the caches that have all of a session; where none has, those that have messages of it to be read."""
    from blitz.data.database_client import DatabaseClient
    from blitz.errors import SessionNotFound

    whole, parts = [], []
    for path in candidates:
        with DatabaseClient(path=str(path)) as database:
            if database.is_available(session_id):
                whole.append(path)
                continue
            with suppress(SessionNotFound):
                database.open_session(session_id)
                parts.append(path)
    return whole or parts


def cache_to_fill(settings: "ClientSettings", cache: Path | None) -> Path:
    """Return the cache that a file is imported into: the server's, if it answers, so that its clients see it.

    Without a server, the only cache that there is, or else one that belongs to no server.
    """
    from blitz.data.cache_engine import cache_path
    from blitz.errors import RemoteError

    if cache is not None:
        return cache
    try:
        return cache_path(settings.cache_dir, ask(settings, _store_id))
    except RemoteError:
        known = sorted(settings.cache_dir.glob("*.db"))
        return known[0] if len(known) == 1 else settings.cache_dir / LOCAL_CACHE


async def _store_id(client: Any) -> str:
    return str((await client.status()).store_id)
