"""The tables that kinds of sources have of their own in ``server.db``, and the connection that reaches only those.

Their names begin with the kind's prefix and an underscore. They are made when a source is added and dropped when the
last of its kind is deleted, each time in the same transaction.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, select, text

from blitz.data.server_tables import SOURCES
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceKind

log = logging.getLogger(__name__)

_FREE = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_RECURSIVE))
_ON_TABLES = frozenset((sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE))


def make_tables(db: Connection, kind: SourceKind) -> None:
    """Make the tables that a kind has and that are not there yet."""
    if kind.tables is not None:
        kind.tables.create_all(db)


def forget_source(db: Connection, kind: SourceKind | None, config: SourceConfig) -> None:
    """Remove what a kind's tables have of a deleted source; and the tables, where it was the last of its kind.

    :param kind: None where its package is not installed any more.
    """
    prefix = config.kind
    if prefix is None:
        return
    if kind is not None and kind.tables is not None:
        try:
            with db.begin_nested():
                make_tables(db, kind)
                with only_tables_of(db, prefix):
                    kind.forget(config, db)
        except Exception:  # other people's code, and other people's tables, keep no source from going
            log.exception("What the tables of %s have of %s could not be removed", prefix, config.name)
    documents = db.scalars(select(SOURCES.c.config)).all()
    if not any(f'"link":"{prefix}:' in document for document in documents):
        for table in inspect(db).get_table_names():
            if table.startswith(f"{prefix}_"):
                db.execute(text(f'DROP TABLE "{table}"'))


@contextmanager
def only_tables_of(db: Connection, prefix: str) -> Iterator[Connection]:
    """Let a connection reach the tables of one kind, and neither others nor the transaction's end.

    Anything else is an error of the database: not authorized.
    """
    raw: Any = db.connection.driver_connection

    def authorize(action: int, first: str | None, *_: str | None) -> int:
        if action in _FREE:
            return sqlite3.SQLITE_OK
        is_own = action in _ON_TABLES and (first or "").lower().startswith(f"{prefix}_")
        return sqlite3.SQLITE_OK if is_own else sqlite3.SQLITE_DENY

    raw.set_authorizer(authorize)
    try:
        yield db
    finally:
        raw.set_authorizer(None)
