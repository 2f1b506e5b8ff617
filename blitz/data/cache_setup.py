"""What becomes of caches as a whole: a new one is tried and gets a name, each is looked at, one is deleted."""

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blitz.data.cache_address import is_same_place, lasting_address
from blitz.data.cache_places import CachePlace, usual_places
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Base, Session
from blitz.data.named_caches import NamedCache, NamedCaches, check_name, taken
from blitz.errors import BlitzError, CacheError, CacheExists, CacheMismatch

_BESIDE: Final = ("-wal", "-shm", "-journal")
_SERVER: Final = "filled_from"
"""The key of the `Config` row that says which server it was, for people; which store it is, the binding says."""
_OWN_FOLDER: Final = "named"


@dataclass(frozen=True)
class CacheFacts:
    """What is in a cache."""

    sessions: int = 0
    """So many of which something is here."""
    only_here: int = 0
    """So many of these are on no server: they were imported, or deleted there."""
    size_bytes: int | None = None
    """Overviews included; None where the database does not say."""
    store_id: str | None = None
    """The store that it belongs to; None while it is new."""
    server: str = ""
    """The address of the server that it was last filled from."""
    problem: str = ""
    """Why nothing is known, as a sentence."""


def register(
    folder: Path, name: str, address: str | None = None, description: str = "", *, is_in_use: bool = False
) -> NamedCache:
    """Open or make a cache, and give it a name; where that fails, nothing has changed.

    :param folder: of the usual caches and the names.
    :param address: a file or a SQLAlchemy URL; None makes a file in that folder.
    :param is_in_use: use it from now on.
    :raises CacheExists: if the name is taken, or the cache has one already.
    :raises CacheError: if the name or the address is none, or the cache cannot be opened and written.
    """
    names = NamedCaches(folder)
    check_name(name)
    if names.find(name) is not None:
        raise taken(name)
    place = lasting_address(str(folder / _OWN_FOLDER / f"{name}.db") if address is None else address)
    for other in names.all():
        if is_same_place(other.address, place):
            raise CacheExists(f"{CachePlace(place)} is the cache {other.name!r} already: caches are kept apart.")
    if any(is_same_place(usual.address, place) for usual in usual_places(folder)):
        raise CacheExists(f"{CachePlace(place)} is one of the usual caches, which need no name.")
    _try(CachePlace(place))
    named = names.add(name, place, " ".join(description.split()))
    if is_in_use:
        names.use(name)
    return named


def look_at(place: CachePlace) -> CacheFacts:
    """Return what is in a cache; why that cannot be known is told, not raised."""
    if not place.exists:
        return CacheFacts(problem=f"There is no file {place}.")
    try:
        with place.open() as cache:
            here = cache.copy_states()
            gone = {row.ref_id for row in cache.find(Session, {"is_gone": True})}
            server = cache.get_config(_SERVER)
            return CacheFacts(
                sessions=len(here),
                only_here=sum(session_id < 0 or session_id in gone for session_id in here),
                size_bytes=_size(place, cache),
                store_id=cache.store_id,
                server="" if server is None else server.value,
            )
    except BlitzError as error:
        return CacheFacts(problem=str(error))


def bind(place: CachePlace, cache: DatabaseClient, store_id: str, server: str, remedy: str) -> None:
    """Bind an open cache to a server's store, if it is new; afterwards, see that it is this one.

    :param server: its address, for people.
    :param remedy: a sentence, where the cache belongs to another one.
    :raises CacheMismatch: then; nothing has changed.
    """
    try:
        cache.bind_store(store_id)
    except CacheMismatch as error:
        noted = cache.get_config(_SERVER)
        whose = f" of {noted.value}" if noted is not None else ""
        raise CacheMismatch(
            f"The cache {place.words} belongs to the store {cache.store_id}{whose}, not to that of {server}. {remedy}"
        ) from error
    note_server(cache, server)


def note_server(cache: DatabaseClient, address: str) -> None:
    """Note from which server a cache is filled, for people who look at a list of caches."""
    known = cache.get_config(_SERVER)
    if known is None or known.value != address:
        cache.set_config(_SERVER, address)


def delete_data(place: CachePlace) -> None:
    """Delete all that is in a cache: a SQLite cache's files, the tables of another database.

    :raises CacheError: if another program has it open, or that is refused; then it is as it was.
    """
    file = place.file
    if file is None:
        with place.open() as cache:
            cache.drop_tables()
        return
    _see_that_nobody_uses(file)
    try:
        for path in (Path(f"{file}{ending}") for ending in ("", *_BESIDE)):
            path.unlink(missing_ok=True)
        shutil.rmtree(f"{file}.overview", ignore_errors=True)
    except OSError as error:
        raise CacheError(f"Cannot delete {error.filename}: {(error.strerror or str(error)).lower()}.") from error


def _try(place: CachePlace) -> None:
    """Open it, make what is missing, and see that it can be written; where that fails, no new file is left."""
    file = place.file
    is_new = file is not None and not file.exists()
    try:
        with place.open() as cache:
            cache.check_writable()
    except BaseException:
        if is_new:
            for path in (Path(f"{file}{ending}") for ending in ("", *_BESIDE)):
                with contextlib.suppress(OSError):
                    path.unlink()
        raise


def _see_that_nobody_uses(file: Path) -> None:
    """A cache that is open in another program cannot leave the mode in which it is written."""
    if not file.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            is_free = mode != "wal"
    except sqlite3.OperationalError:
        is_free = False
    except sqlite3.DatabaseError:  # damaged, which is a reason to delete it
        is_free = True
    if not is_free:
        raise CacheError(f"Another program has the cache {file} open: close the window that uses it, then try again.")


def _size(place: CachePlace, cache: DatabaseClient) -> int | None:
    file = place.file
    if file is not None:
        paths = [Path(f"{file}{ending}") for ending in ("", *_BESIDE)]
        paths += [path for path in Path(f"{file}.overview").rglob("*") if path.is_file()]
        sizes = []
        for path in paths:
            with contextlib.suppress(OSError):
                sizes.append(path.stat().st_size)
        return sum(sizes)
    return cache.table_bytes([table.name for table in Base.metadata.sorted_tables])
