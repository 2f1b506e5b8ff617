"""Which cache a command means, and sessions that only caches have."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from blitz.cli.asking import ask
from blitz.cli.completing import complete_caches, complete_sessions

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.cache_places import CachePlace

LOCAL_CACHE = "imported.db"
"""The cache of sessions that belong to no server."""

CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="CACHE",
        help="A cache: its name, a file, or a SQLAlchemy URL. [default: as 'blitz cache use' says, or one a server]",
        autocompletion=complete_caches,
    ),
]

CachedSessionArgument = Annotated[
    int,
    typer.Argument(
        metavar="SESSION",
        help="A session's id; below 0 for imported ones.",
        show_default=False,
        autocompletion=complete_sessions,
    ),
]


class CacheCommand(TyperCommand):
    """A command that takes ids below 0, which would otherwise be options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take numbers for what they are."""
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", word) for word in args)
        return super().parse_args(ctx, args)


def cache_names(folder: Path | None = None) -> list[tuple[str, str]]:
    """Return the names that ``--cache`` takes, each with what it means; for a shell that completes one.

    :param folder: of the caches; None: that of the settings.
    """
    from blitz.data.named_caches import USUAL, NamedCaches

    if folder is None:
        from blitz.config import ClientSettings, load

        folder = load(ClientSettings).cache_dir
    named = NamedCaches(folder).all()
    return [(USUAL, "one a server"), *((each.name, each.description) for each in named)]


def meant_cache(settings: "ClientSettings", cache: str | None) -> "CachePlace | None":
    """Return the cache that a command works with; None: the usual one of its server.

    :param cache: what was given as ``--cache``; else the setting counts, else what 'blitz cache use' chose.
    :raises CacheNotFound: if it reads like a name, and nothing is called so.
    """
    from blitz.data.cache_places import chosen_place, find_place

    if cache is not None:
        return find_place(cache, settings.cache_dir)
    return chosen_place(settings.cache, settings.cache_dir)


def existing_cache(settings: "ClientSettings", cache: str | None) -> "CachePlace | None":
    """Return what :func:`meant_cache` does, if it can be there.

    :raises CacheNotFound: if its file does not exist.
    """
    from blitz.errors import CacheNotFound

    place = meant_cache(settings, cache)
    if place is not None and not place.exists:
        raise CacheNotFound(f"There is no cache {place.words}.")
    return place


def find_cache_of_name(settings: "ClientSettings", name: str) -> "CachePlace":
    """Return the cache that a name means, or one of the usual ones by its file: its path, or the file's name.

    :raises CacheNotFound: if there is none.
    """
    from blitz.data.cache_places import CachePlace, usual_places
    from blitz.data.named_caches import USUAL, NamedCaches
    from blitz.errors import CacheNotFound

    names = NamedCaches(settings.cache_dir)
    named = names.find(name)
    if named is not None:
        return CachePlace.of(named)
    usual = usual_places(settings.cache_dir)
    for place in usual:
        if place.file is not None and (name in (place.file.name, place.file.stem) or Path(name) == place.file):
            return place
    if name.casefold() == USUAL:
        files = ", ".join(map(str, usual)) or "there is none yet"
        raise CacheNotFound(f"The usual caches are one a server; say which by its file: {files}.")
    raise CacheNotFound(f"There is no cache named {name!r}. {names.words}")


def holding_cache(settings: "ClientSettings", session_id: int, cache: str | None) -> "CachePlace":
    """Return the one cache that has a session; no server is asked.

    :raises SessionNotFound: if there is none.
    :raises CacheError: if there are several, or the one that was named does not exist.
    """
    from blitz.data.cache_places import usual_places
    from blitz.errors import CacheError, SessionNotFound

    place = existing_cache(settings, cache)
    holding = caches_with(session_id, usual_places(settings.cache_dir) if place is None else [place])
    if not holding:
        raise SessionNotFound(f"Session {session_id} is not in {place.words if place else 'a cache here'}.")
    if len(holding) > 1:
        names = ", ".join(map(str, holding))
        raise CacheError(f"Several caches hold a session {session_id}; choose with --cache: {names}.")
    return holding[0]


def caches_with(session_id: int, candidates: "Iterable[CachePlace]") -> "list[CachePlace]":
    """Return the caches that have all of a session; where none has, those that have messages of it to be read."""
    from blitz.errors import SessionNotFound

    whole, parts = [], []
    for place in candidates:
        with place.open() as database:
            if database.is_available(session_id):
                whole.append(place)
                continue
            with suppress(SessionNotFound):
                database.open_session(session_id)
                parts.append(place)
    return whole or parts


def cache_to_fill(settings: "ClientSettings", cache: str | None) -> "CachePlace":
    """Return the cache that a file is imported into: the server's, if it answers, so that its clients see it.

    Without a server, the only cache that there is, or else one that belongs to no server.
    """
    from blitz.data.cache_places import CachePlace, usual_places
    from blitz.errors import RemoteError

    place = meant_cache(settings, cache)
    if place is not None:
        return place
    try:
        return usual_cache(settings, ask(settings, _store_id))
    except RemoteError:
        known = usual_places(settings.cache_dir)
        return known[0] if len(known) == 1 else CachePlace(settings.cache_dir / LOCAL_CACHE)


def usual_cache(settings: "ClientSettings", store_id: str) -> "CachePlace":
    """Return the usual cache of a server."""
    from blitz.data.cache_engine import cache_path
    from blitz.data.cache_places import CachePlace

    return CachePlace(cache_path(settings.cache_dir, store_id))


async def _store_id(client: Any) -> str:
    return str((await client.status()).store_id)
