"""The SQLite database of a logger: its tables, how it is opened, and what to do about its faults."""

import sqlite3
from pathlib import Path

_BUSY_TIMEOUT_S = 60.0

TABLES = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, schema TEXT NOT NULL, sent_t REAL);
CREATE TABLE points (
    stream_id INTEGER NOT NULL, place INTEGER NOT NULL, count INTEGER NOT NULL, t REAL NOT NULL, times BLOB,
    restamp INTEGER NOT NULL DEFAULT 0, content TEXT NOT NULL, PRIMARY KEY (stream_id, place)
) WITHOUT ROWID;
CREATE TABLE batch (
    stream_id INTEGER PRIMARY KEY, writer TEXT NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL,
    stop INTEGER NOT NULL, restamp INTEGER NOT NULL
);
CREATE TABLE refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, t REAL NOT NULL, d TEXT NOT NULL,
    reason TEXT NOT NULL, refused_at REAL NOT NULL
);
"""
"""A row of ``points`` holds `count` points: one, `t` and the JSON of its value; or some, `times` and a JSON array, `t`
being the newest so far. `place` counts a stream's points, over rows; `sent_t` is the newest time that left the file."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose commits survive a power failure, and whose transactions begin with ``BEGIN``."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'wal' else 'EXTRA'}")
        connection.execute("PRAGMA fullfsync=ON")  # on a Mac: what fsync() does elsewhere
    except BaseException:
        connection.close()
        raise
    return connection


def remedy(error: sqlite3.Error) -> str:
    """Return what to do about an error; empty where there is nothing to say."""
    reason = str(error)
    for sign, remedy in (
        ("not a database", "It is no logger's file, or it is damaged: move it away."),
        ("malformed", "It is damaged: move it away."),
        ("locked", "Another program writes to it all the time: try again."),
        ("full", "Free some space on that disk."),
        ("unable to open", "Check that the path is a file, and that you may write there."),
        ("readonly", "Check that you may write there."),
    ):
        if sign in reason:
            return remedy
    return ""
