"""The cache's database: opening and migrating it, transactions, and faults as sentences.

Owns the SQLAlchemy engine. Knows nothing of what is kept in the tables, apart from the binding to one store.
"""

import logging
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import sqlalchemy
from sqlalchemy import event, orm
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from blitz.data import migrations
from blitz.data.cache_address import file_of, is_in_memory, parse_address, shown_address
from blitz.data.models import Base, Notification, StoreBinding
from blitz.errors import CacheError, CacheMismatch

log = logging.getLogger(__name__)

_BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10

_POSTGRESQL_LOCK = int.from_bytes(b"blitz", "big")
"""The advisory lock that a writer holds, so that writers wait for each other."""
_TABLE_BYTES = sqlalchemy.text("SELECT pg_total_relation_size(to_regclass(:name))")


def cache_path(cache_dir: Path, store_id: str) -> Path:
    """Return the default cache file of a server: one a store.

    :raises CacheError: if the id, which comes over the network, could not be a file's name.
    """
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", store_id):
        raise CacheError(f"The server's store id {store_id!r} is no UUID; no cache file can be named after it.")
    return cache_dir / f"{store_id}.db"


class CacheEngine:
    """An open cache, usable from several threads. Objects that it returns stay usable when it is closed.

    A write transaction takes the database's write lock at once, so that two writers wait for each other rather than
    fail. Committed work survives the program's end in any way; a power failure can take the last transactions.

    :param verbose: log each SQL statement.
    :param path: a file, ``:memory:``, or a SQLAlchemy URL such as ``postgresql+psycopg://user@host/name``.
    :raises CacheError: if it cannot be opened, or is no cache.
    :raises CacheTooNew: if a newer version of Blitz wrote it.
    """

    def __init__(self, verbose: bool = False, path: str | Path = ":memory:") -> None:
        url = parse_address(path)
        self.path = shown_address(path)
        is_sqlite = url.get_backend_name() == "sqlite"
        is_memory = is_in_memory(path)
        # All threads share the one connection of a database in memory, a transaction each at a time.
        self._turn: AbstractContextManager[Any] = threading.Lock() if is_memory else nullcontext()
        self._is_closed = False
        with self._faults_as_sentences():
            file = file_of(path)
            if file is not None:
                _make_folder(file)
            self._engine = _create_engine(url, verbose, is_sqlite=is_sqlite, is_memory=is_memory)
        self._release = weakref.finalize(self, self._engine.dispose)
        self._readers = orm.sessionmaker(self._engine, expire_on_commit=False)
        self._writing_engine = self._engine.execution_options(is_writing=True, **_writing_options(url))
        self._writers = orm.sessionmaker(self._writing_engine, expire_on_commit=False)
        try:
            self._migrate()
        except BaseException:
            CacheEngine.close(self)  # what a subclass would close is not there yet
            raise

    def close(self) -> None:
        """Release the database, behind who uses it just now. A second call does nothing."""
        with self._turn:  # SQLite bears no connection that is closed in mid-use
            self._is_closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def create_tables(self, force_drop: bool = False) -> None:
        """Create the tables that are missing. Opening a cache has done so already.

        :param force_drop: drop everything first: the cache is empty, and bound to no store, afterwards.
        """
        with self._turn, self._faults_as_sentences(), self._writing_engine.begin() as connection:
            if force_drop:
                Base.metadata.drop_all(connection)
            Base.metadata.create_all(connection)

    def drop_tables(self) -> None:
        """Delete all that is in the cache, and its tables. Nothing of it can be used afterwards but :meth:`close`."""
        with self._turn, self._faults_as_sentences(), self._writing_engine.begin() as connection:
            Base.metadata.drop_all(connection)
            migrations.forget(connection)

    def check_writable(self) -> None:
        """See that rows can be written; nothing is.

        :raises CacheError: if that is refused.
        """
        with self._turn, self._faults_as_sentences(), self._writers() as db:
            db.add(Notification(time_logged=0, description="a trial"))
            db.flush()
            db.rollback()

    def table_bytes(self, names: list[str]) -> int | None:
        """Return how many bytes tables take, with their indexes; None where the database does not say."""
        if self._engine.dialect.name != "postgresql":
            return None
        with self._asking() as db:
            sizes = (db.scalar(_TABLE_BYTES, {"name": name}) for name in names)
            return sum(size or 0 for size in sizes)

    @property
    def store_id(self) -> str | None:
        """The store that the cache is bound to; None while it is new."""
        with self._reading() as db:
            return db.scalar(sqlalchemy.select(StoreBinding.store_id))

    def bind_store(self, store_id: str) -> None:
        """Bind a new cache to a store; afterwards, check that it is this one.

        :raises CacheMismatch: if the cache belongs to another store.
        """
        with self._writing() as db:
            bound = db.scalar(sqlalchemy.select(StoreBinding.store_id))
            if bound is None:
                db.add(StoreBinding(id=1, store_id=store_id))
            elif bound != store_id:
                raise CacheMismatch(
                    f"The cache {self.path} belongs to the store {bound}, not to {store_id}. Use another cache file."
                )

    def _migrate(self) -> None:
        with self._turn, self._faults_as_sentences():
            with self._engine.connect() as connection:
                if migrations.current_revision(connection) == migrations.HEAD:
                    return
            with self._writing_engine.begin() as connection:
                migrations.upgrade(connection, self.path)

    @contextmanager
    def _reading(self) -> Iterator[orm.Session]:
        """Give a session that sees one state of the database."""
        with self._turn, self._faults_as_sentences(), self._readers() as db:
            yield db

    @contextmanager
    def _asking(self) -> Iterator[sqlalchemy.Connection]:
        """Give a connection that sees one state of the database: a question takes half as long as with a session."""
        with self._turn, self._faults_as_sentences(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[orm.Session]:
        """Give a session that is committed at the end, or rolled back when an error leaves the block."""
        with self._turn, self._faults_as_sentences(), self._writers.begin() as db:
            yield db

    @contextmanager
    def _faults_as_sentences(self) -> Iterator[None]:
        if self._is_closed:
            raise CacheError(f"The cache {self.path} is closed.")
        try:
            yield
        except IntegrityError as error:
            raise CacheError(f"The cache {self.path} refuses the row: {error.orig}.") from error
        except DBAPIError as error:
            reason = str(error.orig).partition("\n")[0].rstrip(".?")  # PostgreSQL's have a hint on further lines
            raise CacheError(f"Cannot use the cache {self.path}: {reason}. {_remedy(reason)}".rstrip()) from error
        except ModuleNotFoundError as error:
            raise CacheError(f"Cannot open the cache {self.path}: {_driver_words(error)}") from error
        except NoSuchModuleError as error:
            kind = self.path.partition(":")[0]
            words = f"no database is called {kind!r}. SQLite and PostgreSQL are tested: a file, or postgresql://"
            raise CacheError(f"Cannot open the cache {self.path}: {words}.") from error
        except ArgumentError as error:
            raise CacheError(f"Cannot open the cache {self.path}: {error}.") from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(f"Cannot make the cache's folder {path.parent}: {error.strerror}.") from error


def _create_engine(url: sqlalchemy.URL, verbose: bool, *, is_sqlite: bool, is_memory: bool) -> sqlalchemy.Engine:
    if url.get_backend_name() == "postgresql":
        return _create_postgresql_engine(url, verbose)
    if not is_sqlite:
        return sqlalchemy.create_engine(url, echo=verbose)
    arguments: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": _BUSY_TIMEOUT_S}}
    if is_memory:
        arguments["poolclass"] = sqlalchemy.StaticPool
    engine = sqlalchemy.create_engine(url, echo=verbose, **arguments)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The sqlite3 module begins transactions late and commits before DDL; we say BEGIN ourselves, in `begin`.
        connection.isolation_level = None
        try:
            _use_wal(connection)
            for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _create_postgresql_engine(url: sqlalchemy.URL, verbose: bool) -> sqlalchemy.Engine:
    # A machine that is away would be waited for by the system's own time, which is minutes.
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_TIMEOUT_S}
    # A reader sees one state of the database, as with SQLite, though it asks several times.
    engine = sqlalchemy.create_engine(
        url, echo=verbose, isolation_level="REPEATABLE READ", pool_pre_ping=True, connect_args=waits
    )

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        if connection.get_execution_options().get("is_writing", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")

    return engine


def _writing_options(url: sqlalchemy.URL) -> dict[str, Any]:
    """Return what a writer's connection needs: what comes behind the wait for the lock sees what is new."""
    return {"isolation_level": "READ COMMITTED"} if url.get_backend_name() == "postgresql" else {}


def _use_wal(connection: sqlite3.Connection) -> None:
    deadline_s = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            if _is_of_another_program(connection):
                return  # it is refused, and stays as it is
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            # SQLite's own timeout does not cover the change to WAL, when two programs make a cache at once.
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


def _is_of_another_program(connection: sqlite3.Connection) -> bool:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        return False
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return bool(tables) and not migrations.is_of_a_cache(tables)


def _driver_words(error: ModuleNotFoundError) -> str:
    package = {"psycopg": '"psycopg[binary]"', "MySQLdb": "mysqlclient"}.get(error.name or "", error.name)
    return f"its driver is not installed: pip install {package}"


def _remedy(reason: str) -> str:
    for sign, remedy in (
        ("not a database", "It is no cache, or it is damaged: move it away, and download the sessions again."),
        ("malformed", "It is damaged: move it away, and download the sessions again."),
        ("locked", "Another program is writing to it: try again."),
        ("full", "Free some space on that disk."),
        ("unable to open", "Check that the path is a file, and that you may write there."),
        ("readonly", "Check that you may write there."),
        ("refused", "See that the database server runs, and listens there."),
        ("timeout", "See that the database server runs, and listens there."),
        ("password", "See name and password: in ~/.pgpass, or in the URL."),
        ("permission denied", "Whoever runs the database can allow it."),
        ("already exists", "It is the database of another program: use another file."),
    ):
        if sign in reason:
            return remedy
    return ""
