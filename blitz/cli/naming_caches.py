"""Commands about caches that have names: add, list, show, use, copy into, delete."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import client_settings, confirm
from blitz.cli.caches import CacheCommand, CacheOption, find_cache_of_name
from blitz.cli.completing import complete_caches
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, YesOption
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.cache_listing import ListedCache
    from blitz.data.cache_places import CachePlace
    from blitz.data.cache_setup import CacheFacts
    from blitz.data.named_caches import NamedCache

_HEADERS = ("Name", "In use", "Sessions", "Only here", "MB", "Server", "Where", "Description")

cache_group = typer.Typer(name="cache", help="Name caches, to keep the sessions of an experiment apart.")

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The cache's name.", show_default=False, autocompletion=complete_caches),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(cache_group, epilog=EPILOG, rich_help_panel=Panel.SESSIONS)


@cache_group.callback(invoke_without_command=True)
def _cache(context: typer.Context, config_file: ConfigOption = None, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        list_them(config_file, as_json)


@cache_group.command("list", epilog=EPILOG)
def list_them(config_file: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the caches: those with names, and the usual ones, one a server."""
    from blitz.cli.caches import meant_cache
    from blitz.data.cache_listing import list_caches
    from blitz.data.named_caches import USUAL

    settings = client_settings(None, None, config_file)
    used = meant_cache(settings, None)
    told: list[dict[str, Any]] = []
    rows: list[tuple[str, ...]] = []
    for listed in list_caches(settings.cache_dir):
        place = listed.place
        is_used = place.is_usual if used is None else used.name == place.name and used.address == place.address
        about = {"name": place.name or None, "description": listed.description, "is_in_use": is_used}
        told.append(about | _as_document(place, listed.facts))
        rows.append(_row(listed, is_used=is_used))
    out = Output(as_json)
    out.document(caches=told, in_use=used.name or str(used) if used else USUAL)
    if not rows:
        out.line("There is no cache yet: 'blitz download SESSION' makes that of a server, 'blitz cache add' one more.")
        return
    out.table(_HEADERS, rows)
    if used is not None and not used.name:
        out.line(f"The setting 'cache' says {used}.")


@cache_group.command(epilog=EPILOG)
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A letter, then letters, digits, - and _.", show_default=False)
    ],
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="A file, or a SQLAlchemy URL such as postgresql://ada@dbhost/blitz. [default: a file of its own]",
            show_default=False,
        ),
    ] = None,
    description: Annotated[str, typer.Option("--description", "-d", metavar="TEXT", help="What it is for.")] = "",
    use_it: Annotated[bool, typer.Option("--use", help="Use it from now on.")] = False,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a cache, or take one that is there, and give it a name.

    It is opened at once; where that fails nothing is kept. It belongs to the first server that it is filled from.
    Better than a password in the URL is ~/.pgpass.
    """
    from blitz.data.cache_places import CachePlace
    from blitz.data.cache_setup import look_at, register

    settings = client_settings(None, None, config_file)
    named = register(settings.cache_dir, name, url, description, is_in_use=use_it)
    place = CachePlace.of(named)
    facts = look_at(place)
    out = Output(as_json)
    out.document(cache=_named_document(named, place, facts), is_in_use=use_it)
    there = f", with {plural(facts.sessions, 'session')}" if facts.sessions else ""
    out.line(f"The cache {named.name} is {place}{there}.")
    if use_it:
        out.line(_used_words(settings, place))
    else:
        out.line(f"'--cache {named.name}' means it, and 'blitz cache use {named.name}' makes it the usual one.")


@cache_group.command(epilog=EPILOG)
def show(name: NameArgument, config_file: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one cache: where it is, and what is in it."""
    from blitz.data.cache_listing import ListedCache
    from blitz.data.cache_setup import look_at
    from blitz.data.named_caches import NamedCaches

    settings = client_settings(None, None, config_file)
    place = find_cache_of_name(settings, name)
    facts = look_at(place)
    named = NamedCaches(settings.cache_dir).find(place.name) if place.name else None
    out = Output(as_json)
    out.document(cache=_as_document(place, facts) if named is None else _named_document(named, place, facts))
    if named is not None:
        about = f": {named.description}" if named.description else ""
        out.line(f"{named.name}{about} (named {local_time(named.created_at)})")
    out.line(f"Where: {place}")
    if facts.problem:
        out.line(facts.problem)
        return
    out.line(f"Server: {ListedCache(place, '', facts).server_words}")
    out.line(f"Sessions: {facts.sessions}, {facts.only_here} of them on no server")
    if facts.size_bytes is not None:
        out.line(f"Size: {_megabytes(facts.size_bytes)} MB")


@cache_group.command(epilog=EPILOG)
def use(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The cache's name.", show_default=False, autocompletion=complete_caches),
    ] = None,
    usual: Annotated[bool, typer.Option("--usual", help="The usual ones again, one a server.")] = False,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the cache of all commands, and of the window from its next start on."""
    from blitz.data.cache_places import CachePlace
    from blitz.data.named_caches import USUAL, NamedCaches

    if (name is None) != usual:
        raise typer.BadParameter("say which one, or --usual.", param_hint="NAME")
    settings = client_settings(None, None, config_file)
    named = NamedCaches(settings.cache_dir).use(name)
    out = Output(as_json)
    out.document(in_use=USUAL if named is None else named.name)
    out.line(_used_words(settings, None if named is None else CachePlace.of(named)))


@cache_group.command(cls=CacheCommand, epilog=EPILOG)
def copy(
    session_ids: Annotated[
        list[int], typer.Argument(metavar="SESSION…", help="Below 0 for imported ones.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="CACHE", help="Into this cache.", show_default=False, autocompletion=complete_caches
        ),
    ],
    cache: CacheOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy sessions from one cache into another, verified on the way.

    A session of another server gets an id of its own there, below 0. Needs no server.
    """
    import tempfile

    from blitz.cli.caches import holding_cache
    from blitz.data.session_file import SUFFIX, pack_session, unpack_session

    settings = client_settings(None, None, config_file)
    target = find_cache_of_name(settings, to)
    out = Output(as_json)
    copied: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="blitz-copy-") as folder, target.open() as receiving:
        for session_id in session_ids:
            file = Path(folder) / f"{session_id}{SUFFIX}"
            with (
                holding_cache(settings, session_id, cache).open() as database,
                out.progress(f"Reading session {session_id}") as progress,
            ):
                pack_session(database, session_id, file, progress=progress)
            with out.progress(f"Writing session {session_id}") as progress:
                unpacked = unpack_session(receiving, file, as_guest=True, progress=progress)
            file.unlink()
            copied.append({"session": session_id, "as": unpacked.record.id, "was_there": unpacked.was_there})
            there = ", where it was already" if unpacked.was_there else ""
            out.line(f"Session {session_id} is session {unpacked.record.id} in the cache {target.words}{there}.")
    out.document(copied=copied, cache=str(target))


@cache_group.command(epilog=EPILOG)
def delete(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Its name; with --data also the file of a usual one, as 'blitz cache list' tells it.",
            show_default=False,
            autocompletion=complete_caches,
        ),
    ],
    data: Annotated[bool, typer.Option("--data", help="Delete what is in it, too.")] = False,
    yes: YesOption = False,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a cache's name. Its data stay, unless --data says otherwise."""
    from blitz.data.cache_setup import delete_data, look_at
    from blitz.data.named_caches import NamedCaches

    settings = client_settings(None, None, config_file)
    names = NamedCaches(settings.cache_dir)
    place = find_cache_of_name(settings, name)
    if not place.name and not data:
        raise typer.BadParameter("a usual cache has no name to forget; say --data to delete it.", param_hint="NAME")
    if data:
        confirm(_question(place, look_at(place)), yes=yes)
        delete_data(place)
    if place.name:
        names.forget(place.name)
    out = Output(as_json)
    out.document(deleted=place.name or str(place), data=data)
    if data:
        out.line(f"The cache {place.words} is deleted.")
    else:
        out.line(f"The name {place.name} is forgotten; the data stay in {place}.")


def _question(place: "CachePlace", facts: "CacheFacts") -> str:
    if facts.problem:
        return f"{facts.problem} Delete the cache {place.words} all the same?"
    words = f"Delete the cache {place.words} with {plural(facts.sessions, 'session')}?"
    if facts.only_here:
        are = "is" if facts.only_here == 1 else "are"
        words += f" {facts.only_here} of them {are} on no server and would be lost."
    return words


def _used_words(settings: "ClientSettings", place: "CachePlace | None") -> str:
    origin = settings.origin("cache")
    if origin:
        return f"It is kept, but {origin} counts before it."
    if place is None:
        return "The usual caches are used, one a server."
    return f"The cache {place.words} is used from now on, in the window from its next start on."


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


def _row(listed: "ListedCache", *, is_used: bool) -> tuple[str, ...]:
    facts = listed.facts
    name, used, where = listed.place.name or "usual", "yes" if is_used else "", str(listed.place)
    if facts.problem:
        return (name, used, "", "", "", "", where, facts.problem)
    size = "" if facts.size_bytes is None else _megabytes(facts.size_bytes)
    counts = (str(facts.sessions), str(facts.only_here), size)
    return (name, used, *counts, listed.server_words, where, listed.description)


def _named_document(named: "NamedCache", place: "CachePlace", facts: "CacheFacts") -> dict[str, Any]:
    about = {"name": named.name, "description": named.description, "created_at": named.created_at.isoformat()}
    return about | _as_document(place, facts)


def _as_document(place: "CachePlace", facts: "CacheFacts") -> dict[str, Any]:
    return {
        "where": str(place),
        "sessions": facts.sessions,
        "only_here": facts.only_here,
        "size_bytes": facts.size_bytes,
        "store_id": facts.store_id,
        "server": facts.server or None,
        "problem": facts.problem or None,
    }
