"""Repair of the server's tables where only the audit trail in them is damaged: it must not keep a server from starting.

Tables are checked one by one. If all but the audit trail are well, they are copied into a new file, with those of the
trail's entries that can still be read. The damaged file is kept beside it.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

_IDS = "sqlite_sequence"
"""SQLite's own table of the last ids, by table."""


def copy_without_damage(path: Path, whole: Iterable[str], damaged: str, make: Callable[[str], None]) -> Path | None:
    """Replace a file by a copy in which one table lacks what cannot be read.

    :param whole: the tables that must be well.
    :param damaged: the one that need not be.
    :param make: makes an empty file with all tables.
    :returns: where the damaged file is now; None, and nothing is changed, if other tables are damaged, too.
    """
    copy = path.with_name(f"{path.name}.repaired")
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as source:
            tables = [*whole, _IDS]
            if not all(_is_whole(source, table) for table in tables):
                return None
            busy, *_ = source.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return None
            copy.unlink(missing_ok=True)
            make(str(copy))
            with closing(sqlite3.connect(copy)) as target:
                target.execute(f"DELETE FROM {_IDS}")
                for table in tables:
                    _copy_rows(source, target, table)
                with contextlib.suppress(sqlite3.DatabaseError):
                    _copy_rows(source, target, damaged)
                target.commit()
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = path.with_name(f"{path.name}-damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        shutil.copyfile(path, aside)
        aside.chmod(0o600)
        os.replace(copy, path)
    except (sqlite3.Error, OSError):
        for rest in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                copy.with_name(copy.name + rest).unlink(missing_ok=True)
        return None
    return aside


def _is_whole(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"PRAGMA quick_check('{table}')").fetchall() == [("ok",)]


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    rows = source.execute(f"SELECT * FROM {table}")
    names = ", ".join(f'"{column[0]}"' for column in rows.description)
    marks = ", ".join("?" * len(rows.description))
    for row in rows:
        target.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", row)
