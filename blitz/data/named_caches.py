"""Which caches have names on this computer, and which of them is in use: a small SQLite file beside the usual caches.

A file of its own that only its owner may read, since the address of a database may hold a password. Every call is one
transaction, so that several programs may work with it at once. Knows nothing of what is in the caches; it imports
little, so that a shell that completes a name need not wait.
"""

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blitz.errors import CacheError, CacheExists, CacheNotFound, CacheTooNew

FILE_NAME: Final = "caches.registry"
USUAL: Final = "usual"
"""What the caches that have no name are called together: one a server."""
_RESERVED: Final = (USUAL, "imported", "all", "none")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_VERSION: Final = 1
_BUSY_TIMEOUT_S: Final = 30
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS named_cache (name TEXT PRIMARY KEY COLLATE NOCASE, address TEXT NOT NULL, "
    "description TEXT NOT NULL, created_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS in_use (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL COLLATE NOCASE)",
    f"PRAGMA user_version = {_VERSION}",
)
_ROWS: Final = "SELECT name, address, description, created_ms FROM named_cache"


@dataclass(frozen=True)
class NamedCache:
    """One cache that has a name."""

    name: str
    address: str = field(repr=False)
    """A file's path, or a SQLAlchemy URL, which may hold a password."""
    description: str
    created_at: datetime


def is_name(text: str) -> bool:
    """Whether a cache could be called so: a letter, then letters, digits, - and _, at most 32.

    >>> is_name("experiment-2"), is_name("2nd"), is_name("runs.db"), is_name("./runs")
    (True, False, False, False)
    """
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Let only names through that a new cache may have.

    :raises CacheError: with what is wrong.
    """
    if not is_name(name):
        raise CacheError(f"{name!r} is no name of a cache: a letter, then letters, digits, - and _, at most 32.")
    if name.casefold() in _RESERVED:
        raise CacheError(f"{name!r} has a meaning of its own here: give the cache another name.")


class NamedCaches:
    """The names in a folder of caches; nothing is kept open between calls, which may come from any thread.

    :param folder: that of the usual caches.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def all(self) -> list[NamedCache]:
        """Return the caches that have names, by these."""
        with self._reading() as db:
            return [] if db is None else [_row(row) for row in db.execute(f"{_ROWS} ORDER BY name")]

    def find(self, name: str) -> NamedCache | None:
        """Return the cache of that name, whatever its case; None where there is none."""
        with self._reading() as db:
            row = None if db is None else db.execute(f"{_ROWS} WHERE name = ?", (name,)).fetchone()
        return None if row is None else _row(row)

    def get(self, name: str) -> NamedCache:
        """Return the cache of that name.

        :raises CacheNotFound: if there is none, with those that there are.
        """
        found = self.find(name)
        if found is None:
            raise CacheNotFound(f"There is no cache named {name!r}. {self.words}")
        return found

    @property
    def words(self) -> str:
        """Which names there are, as a sentence."""
        names = ", ".join(each.name for each in self.all())
        return f"Named are: {names}." if names else "None has a name yet: 'blitz cache add' gives one."

    def add(self, name: str, address: str, description: str = "") -> NamedCache:
        """Give a name to an address, which nobody looks at here; see :func:`blitz.data.cache_setup.register`.

        :raises CacheExists: if the name is taken.
        :raises CacheError: if it is none, or cannot be kept.
        """
        check_name(name)
        created_ms = time.time_ns() // 1_000_000
        with self._writing() as db:
            try:
                db.execute(
                    "INSERT INTO named_cache (name, address, description, created_ms) VALUES (?, ?, ?, ?)",
                    (name, address, description, created_ms),
                )
            except sqlite3.IntegrityError:
                raise taken(name) from None
        return _row((name, address, description, created_ms))

    def forget(self, name: str) -> NamedCache:
        """Take a name away; the data stay. Where that cache was in use, the usual ones are.

        :raises CacheNotFound: if there is none.
        """
        found = self.get(name)
        with self._writing() as db:
            db.execute("DELETE FROM in_use WHERE name = ?", (name,))
            db.execute("DELETE FROM named_cache WHERE name = ?", (name,))
        return found

    @property
    def in_use(self) -> NamedCache | None:
        """The cache that was chosen; None: the usual ones."""
        with self._reading() as db:
            row = None if db is None else db.execute(f"{_ROWS} JOIN in_use USING (name)").fetchone()
        return None if row is None else _row(row)

    def use(self, name: str | None) -> NamedCache | None:
        """Choose a cache from now on, at the next start of programs that run; None: the usual ones.

        :raises CacheNotFound: if there is none of that name.
        """
        if name is None or name.casefold() == USUAL:
            if self.path.is_file():
                with self._writing() as db:
                    db.execute("DELETE FROM in_use")
            return None
        found = self.get(name)
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO in_use (id, name) VALUES (1, ?)", (found.name,))
        return found

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give a connection; None where nothing has a name yet."""
        if not self.path.is_file():
            yield None
            return
        with self._faults_as_sentences(), contextlib.closing(self._open()) as db:
            yield db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a transaction that waits for those of other programs."""
        with self._faults_as_sentences():
            self._make_file()
            with contextlib.closing(self._open()) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise CacheTooNew(f"{self.path} was written by a newer Blitz: install that version.")
            if not version:
                for statement in _TABLES:
                    db.execute(statement)
        except BaseException:
            db.close()
            raise
        return db

    def _make_file(self) -> None:
        """SQLite would give it to all who may read the folder."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o600)

    @contextlib.contextmanager
    def _faults_as_sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CacheError(f"Cannot use the list of named caches {self.path}: {error}.") from error
        except OSError as error:
            raise CacheError(f"Cannot use the list of named caches {self.path}: {error.strerror or error}.") from error


def taken(name: str) -> CacheExists:
    """Return the error of a name that is taken."""
    return CacheExists(f"There is a cache named {name!r} already: choose another name, or 'blitz cache delete {name}'.")


def _row(row: tuple[str, str, str, int]) -> NamedCache:
    name, address, description, created_ms = row
    return NamedCache(name, address, description, datetime.fromtimestamp(created_ms / 1000, UTC))
