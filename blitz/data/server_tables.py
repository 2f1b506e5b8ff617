"""The server's own tables, in ``server.db`` in its data folder: their columns, opening the file, faults as sentences.

A change here raises ``SCHEMA_VERSION`` and adds a step to ``_STEPS``, which brings older files up when they are
opened. Knows nothing of what the rows mean.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, event
from sqlalchemy.exc import DBAPIError

from blitz.data.table_repair import copy_without_damage
from blitz.errors import TablesError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 5
"""Kept in the file's ``user_version``."""

_BUSY_TIMEOUT_S = 10

_metadata = MetaData()

SOURCES = Table(
    "source",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("config", Text, nullable=False),
)
"""Configured inputs; ``config`` is a SourceConfig as JSON."""

HISTORY = Table(
    "source_history",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("changed_ms", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("config", Text),
    Index("ix_source_history_source", "source"),
)
"""Every change; ``config`` is the source as it was afterwards, where the change was one of it."""

DEFINITIONS = Table(
    "definition_version",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_ms", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("serial_number", Text, nullable=False),
    Column("definition", Text),
    UniqueConstraint("source", "version"),
)
"""Definitions as JSON; NULL: from then on none is in force. By the source's name, not by its row: ports that were
found by themselves have definitions, and definitions outlive their source."""

TOKENS = Table(
    "token",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_ms", Integer, nullable=False),
    Column("last_used_ms", Integer),
    Column("revoked_ms", Integer),
    sqlite_autoincrement=True,
)
"""Tokens; ``hash`` is a SHA-256 in hex digits. An id is never used again: the audit trail names it."""

AUDIT = Table(
    "audit",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("time_ms", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_audit_time", "time_ms"),
    sqlite_autoincrement=True,
)
"""What was done and what was refused."""

PLANNED = Table(
    "planned_start",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("planned", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Sessions that are to be started: a PlannedStart as JSON. A number is never used again: the audit trail names it."""

IGNORED = Table(
    "ignored_device",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("device", Text, nullable=False, unique=True),
)
"""New devices of which nobody wants to be asked, by what tells them from others."""

PLACES = Table(
    "source_place",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("link", Text, nullable=False, unique=True),
    Column("session_id", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
)
"""Of sources whose messages are counted: from which message of which session on to count, and what the first of them is
in the source's own count. ``delivered``: how many went there, where the session itself is gone."""

HOOKS = Table(
    "hook",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("config", Text, nullable=False),
)
"""Who is told what happens, as it was added by a call: a hook as JSON. Those of the settings are not here."""

ALARM_RULES = Table(
    "alarm_rule",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("rule", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What raises an alarm: an AlarmRule as JSON. A number is never used again: occurrences name it."""

ALARMS = Table(
    "alarm",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("crossing", Text, nullable=False, unique=True),
    Column("rule_id", Integer, nullable=False),
    Column("raised_ns", Integer, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("occurrence", Text, nullable=False),
    Index("ix_alarm_is_open", "is_open"),
    sqlite_autoincrement=True,
)
"""Alarms that were raised: an AlarmOccurrence as JSON. ``crossing`` says which crossing it was: each is here once."""

ALARM_PLACE = Table(
    "alarm_place",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("place", Text, nullable=False),
)
"""One row: how far messages were looked at, and how the rules stood there. Changed together with ``alarm``."""


def _to_2(connection: sqlalchemy.Connection) -> None:
    """Add tokens and the audit trail."""
    _metadata.create_all(connection, [TOKENS, AUDIT])


def _to_3(connection: sqlalchemy.Connection) -> None:
    """Add planned starts, and devices that are ignored."""
    _metadata.create_all(connection, [PLANNED, IGNORED])


def _to_4(connection: sqlalchemy.Connection) -> None:
    """Add where sources stand whose messages are counted."""
    _metadata.create_all(connection, [PLACES])


def _to_5(connection: sqlalchemy.Connection) -> None:
    """Add alarms, and hooks that were added by a call."""
    _metadata.create_all(connection, [HOOKS, ALARM_RULES, ALARMS, ALARM_PLACE])


_STEPS: dict[int, Callable[[sqlalchemy.Connection], None]] = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5}
"""What makes the next version of each older one; a step is never changed once it was released."""


def open_tables(path: str) -> sqlalchemy.Engine:
    """Open the file, making it and its tables if need be.

    :param path: a file or ``:memory:``.
    :returns: an engine with one connection, for one thread at a time.
    :raises TablesError: naming the file, the fault and the remedy.
    """
    try:
        return _open(path)
    except _Damaged:
        whole = [table.name for table in _metadata.sorted_tables if table is not AUDIT]
        if path == ":memory:" or (kept := copy_without_damage(Path(path), whole, AUDIT.name, _make)) is None:
            raise
    log.warning(
        "The audit trail in %s was damaged; what could be read of it, and all other tables, were taken over into a new "
        "file. The damaged one is kept as %s",
        path,
        kept,
    )
    return _open(path)


def _make(path: str) -> None:
    _open(path).dispose()


class _Damaged(TablesError):  # noqa: N818
    """A part of the file is not what SQLite wrote."""


def _open(path: str) -> sqlalchemy.Engine:
    if path != ":memory:":
        try:
            if Path(path).is_file() and Path(path).stat().st_size == 0:
                log.warning(
                    "The server's tables %s are empty, as a power failure can leave them: they are made anew. Sources "
                    "and tokens that were in them must be brought back from a backup, or made again",
                    path,
                )
        except OSError as error:
            raise TablesError(f"Cannot use the server's tables {path}: {error.strerror}.") from error
        try:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TablesError(f"Cannot make the folder {Path(path).parent}: {error.strerror}.") from error
        with contextlib.suppress(OSError):  # which SQLite tells in its own words
            Path(path).touch(mode=0o600)
    engine = _engine(path, "IMMEDIATE")
    try:
        with tables_fault(path), engine.begin() as connection:
            _check(connection, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_reading(path: str) -> sqlalchemy.Engine:
    """Open a file that is in order for transactions that only read: they see one state, and wait for no writer."""
    return _engine(path, "DEFERRED")


@contextmanager
def tables_fault(path: str) -> Iterator[None]:
    """Turn the database's faults into a sentence with the remedy."""
    try:
        yield
    except DBAPIError as error:
        kind = _Damaged if "malformed" in str(error.orig) else TablesError
        raise kind(f"Cannot use the server's tables {path}: {error.orig}. {_remedy(str(error.orig))}") from error


def _prepare(connection: Any, _record: object) -> None:
    try:
        connection.isolation_level = None  # we say BEGIN ourselves, so that DDL is part of the transaction
        # A configuration is small and rare, and must outlive a power failure.
        for pragma in (f"busy_timeout={_BUSY_TIMEOUT_S * 1000}", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error:
        connection.close()
        raise


def _engine(path: str, begin: str) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=path),
        connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_S},
        poolclass=sqlalchemy.StaticPool,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"BEGIN {begin}"))
    return engine


def _check(connection: sqlalchemy.Connection, path: str) -> None:
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        where = " ".join(str(found).removeprefix("*** in database main ***").split())
        raise _Damaged(f"The server's tables {path} are damaged: {where}. {_remedy('malformed')}")
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)
    if version > SCHEMA_VERSION:
        raise TablesError(
            f"The server's tables {path} were written by a newer Blitz (version {version} of the tables, this one "
            f"knows {SCHEMA_VERSION}). Install that Blitz again, or use another data folder."
        )
    if version == 0:
        if sqlalchemy.inspect(connection).get_table_names():
            raise TablesError(
                f"{path} is the database of another program. Use another data folder, or move the file away."
            )
        _metadata.create_all(connection)
    elif version < SCHEMA_VERSION:
        for step in range(version, SCHEMA_VERSION):
            _STEPS[step](connection)
        log.info("Brought the server's tables %s from version %d to %d", path, version, SCHEMA_VERSION)
    else:
        return
    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def _remedy(reason: str) -> str:
    for sign, remedy in (
        ("not a database", "It is damaged, or no database: bring it back from a backup, or move it away."),
        ("malformed", "It is damaged: bring it back from a backup, or move it away and configure the sources anew."),
        ("locked", "Another program is writing to it: end that program."),
        ("full", "Free some space on that disk."),
        ("disk I/O", "The disk is full, or it fails: free some space, and check it."),
        ("unable to open", "Check that the path is a file, and that you may write there."),
        ("readonly", "Check that you may write there."),
    ):
        if sign in reason:
            return remedy
    return "Check the disk, and that you may write there."
