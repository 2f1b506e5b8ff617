"""The rows of a logger's file: putting points behind each other, reading them, taking them out.

The tables are those of :mod:`blitz.data.logger_database`; transactions belong to who calls.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from blitz.data.logger_points import PackedPoints, pack_rows, unpack
from blitz.data.points import Point

_LAST = """
FROM stream
LEFT JOIN (SELECT place, count, t FROM points WHERE stream_id = ?1 ORDER BY place DESC LIMIT 1) AS last
WHERE stream.id = ?1
"""
_INSERT = f"""
INSERT INTO points (stream_id, place, count, t, content)
SELECT ?1, coalesce(last.place + last.count, 0), 1,
       max(?2, coalesce(last.t, ?2), coalesce(stream.sent_t, ?2)), ?3 {_LAST}
"""
_NEXT = f"""
SELECT coalesce(last.place + last.count, 0),
       max(coalesce(last.t, stream.sent_t), coalesce(stream.sent_t, last.t)) {_LAST}
"""


def insert_stamped(db: sqlite3.Connection, stream_id: int, now_s: float, content: str) -> None:
    """Keep a value with a time, or with that of the point before it, where that is later; one statement."""
    db.execute(_INSERT, (stream_id, now_s, content))


def next_place(db: sqlite3.Connection, stream_id: int) -> tuple[int, float | None]:
    """Return where the next point of a stream comes, and the newest time so far."""
    place, newest_t = db.execute(_NEXT, (stream_id,)).fetchone()
    return place, newest_t


def append_rows(
    db: sqlite3.Connection, stream_id: int, rows: Iterable[PackedPoints], *, restamp: bool, place: int | None = None
) -> None:
    """Put rows behind those of a stream, or at a place where there is room for them."""
    found, newest_t = next_place(db, stream_id)
    place = found if place is None else place
    for row in rows:
        newest_t = row.newest_t if newest_t is None else max(newest_t, row.newest_t)
        db.execute(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)",
            (stream_id, place, row.count, newest_t, row.times, restamp, row.values),
        )
        place += row.count


def read_points(db: sqlite3.Connection, stream_id: int, first: int, stop: int) -> list[Point]:
    """Return the points at ``first <= place < stop``, which are whole rows."""
    points: list[Point] = []
    for t, times, content in db.execute(
        "SELECT t, times, content FROM points WHERE stream_id = ? AND place >= ? AND place < ? ORDER BY place",
        (stream_id, first, stop),
    ):
        points += [{"t": t, "d": json.loads(content)}] if times is None else unpack(times, content)
    return points


def remove_points(db: sqlite3.Connection, stream_id: int, first: int, stop: int) -> None:
    """Take rows out, and keep the newest of their times."""
    which = "stream_id = ? AND place >= ? AND place < ?"
    row = db.execute(f"SELECT max(t) FROM points WHERE {which}", (stream_id, first, stop)).fetchone()
    db.execute(f"DELETE FROM points WHERE {which}", (stream_id, first, stop))
    if row[0] is not None:
        db.execute("UPDATE stream SET sent_t = max(coalesce(sent_t, ?1), ?1) WHERE id = ?2", (row[0], stream_id))


def split_row(db: sqlite3.Connection, stream_id: int, place: int, count: int) -> None:
    """Make two rows of one, the first with `count` points."""
    newest_t, times, restamp, content = db.execute(
        "SELECT t, times, restamp, content FROM points WHERE stream_id = ? AND place = ?", (stream_id, place)
    ).fetchone()
    points = unpack(times, content)
    db.execute("DELETE FROM points WHERE stream_id = ? AND place = ?", (stream_id, place))
    for some in (points[:count], points[count:]):
        for row in pack_rows(some):
            # Where points are restamped their times may fall, but those of the rows must not.
            t = newest_t if restamp else row.newest_t
            db.execute(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)",
                (stream_id, place, row.count, t, row.times, restamp, row.values),
            )
            place += row.count


def read_setting(db: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """Return what is kept under a key."""
    row = db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row[0])


def write_setting(db: sqlite3.Connection, key: str, value: Any) -> None:
    """Keep a value that JSON has; other values raise TypeError or ValueError."""
    db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, json.dumps(value, allow_nan=False)))
