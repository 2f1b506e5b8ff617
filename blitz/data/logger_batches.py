"""What becomes of the points in a logger's file: batches for the server, removed when acknowledged, or put aside.

The server knows a batch by a writer and a number, and takes each number once. Number and points of a batch are fixed in
the file before it is sent: so the very same one is sent again under that number, whatever broke, by whatever program
has the file open. Knows no server.
"""

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blitz.data.logger_file import LoggerFile
from blitz.data.logger_points import pack_rows
from blitz.data.logger_rows import (
    append_rows,
    next_place,
    read_points,
    read_setting,
    remove_points,
    split_row,
    write_setting,
)
from blitz.data.points import Point

BATCH_POINTS = 5000
BATCH_BYTES = 250_000
_POINT_BYTES = 40
"""What a point takes on the wire beside its value."""


@dataclass(frozen=True)
class Batch:
    """Points of one stream that the server gets under one number."""

    stream: str
    stream_id: int
    writer: str
    number: int
    first: int
    stop: int
    restamp: bool
    points: list[Point]
    is_repeated: bool
    """It may have been sent before."""


@dataclass(frozen=True)
class Refusal:
    """A point that the server did not take, as it stands in the file."""

    id: int
    stream: str
    t: float
    d: Any
    reason: str
    refused_at: float
    """When, in Unix seconds by this computer's clock."""


class LoggerBatches:
    """The batches of one file. Every call is one transaction; those about a batch that is over do nothing."""

    def __init__(self, file: LoggerFile) -> None:
        self._file = file

    def end(self, stream: str) -> int:
        """Return the place behind the last point of a stream, as it is now."""
        with self._file.reading() as db:
            return next_place(db, db.execute("SELECT id FROM stream WHERE name = ?", (stream,)).fetchone()[0])[0]

    def waits(self, stream: str, end: int) -> bool:
        """Whether there is a point before a place."""
        with self._file.reading() as db:
            first = db.execute(
                "SELECT min(place) FROM points WHERE stream_id = (SELECT id FROM stream WHERE name = ?)", (stream,)
            ).fetchone()[0]
        return first is not None and first < end

    def next(self, stream: str, most_points: int = BATCH_POINTS) -> Batch | None:
        """Return the batch of a stream that is under way, else begin one; None if the stream has no points."""
        with self._file.writing() as db:
            (stream_id,) = db.execute("SELECT id FROM stream WHERE name = ?", (stream,)).fetchone()
            is_repeated = _has_batch(db, stream_id)
            if not is_repeated and not _begin_batch(db, stream_id, most_points):
                return None
            writer, number, first, stop, restamp = db.execute(
                "SELECT writer, number, first, stop, restamp FROM batch WHERE stream_id = ?", (stream_id,)
            ).fetchone()
            points = read_points(db, stream_id, first, stop)
        return Batch(stream, stream_id, writer, number, first, stop, bool(restamp), points, is_repeated)

    def acknowledge(self, batch: Batch) -> None:
        """Remove the points of a batch: the server has them."""
        with self._file.writing() as db:
            if _end_batch(db, batch):
                remove_points(db, batch.stream_id, batch.first, batch.stop)

    def release(self, batch: Batch, *, new_writer: bool = False) -> bool:
        """Let the points of a batch that the server is known not to have go under another number.

        :param new_writer: somebody else, who has a copy of the file, has sent something under our numbers.
        :returns: False if the batch was over.
        """
        with self._file.writing() as db:
            is_under_way = _end_batch(db, batch)
            if is_under_way and new_writer:
                write_setting(db, "writer", uuid.uuid4().hex)
        return is_under_way

    def refuse(self, batch: Batch, reasons: Mapping[int, str]) -> None:
        """Put points of a batch that the server is known not to have aside, the others back.

        :param reasons: by the places of the points in the batch.
        """
        with self._file.writing() as db:
            if not _end_batch(db, batch):
                return
            restamp = _restamps(db, batch)
            remove_points(db, batch.stream_id, batch.first, batch.stop)
            rest = [point for index, point in enumerate(batch.points) if index not in reasons]
            append_rows(db, batch.stream_id, pack_rows(rest), restamp=restamp, place=batch.first)
            now_s = time.time()
            db.executemany(
                "INSERT INTO refused (stream, t, d, reason, refused_at) VALUES (?, ?, ?, ?, ?)",
                [
                    (batch.stream, batch.points[index]["t"], json.dumps(batch.points[index]["d"]), reason, now_s)
                    for index, reason in sorted(reasons.items())
                ],
            )

    def refused(self, stream: str | None = None, after: int = 0) -> list[Refusal]:
        """Return the points that were put aside, of one stream or of all, oldest refusal first.

        :param after: an id, of :meth:`last_refusal`.
        """
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT id, stream, t, d, reason, refused_at FROM refused "
                "WHERE (?1 IS NULL OR stream = ?1) AND id > ?2 ORDER BY id",
                (stream, after),
            ).fetchall()
        return [Refusal(number, name, t, json.loads(d), reason, at) for number, name, t, d, reason, at in rows]

    def last_refusal(self) -> int:
        """Return the id of the last point that was put aside; 0 if there is none."""
        with self._file.reading() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM refused").fetchone()[0])

    def drop_refused(self, stream: str | None = None) -> int:
        """Forget points that were put aside, and return how many."""
        with self._file.writing() as db:
            return db.execute("DELETE FROM refused WHERE ?1 IS NULL OR stream = ?1", (stream,)).rowcount

    def restamp_refused(self, stream: str | None = None) -> int:
        """Send points that were put aside again, with the newest time of their stream, and return how many."""
        with self._file.writing() as db:
            rows = db.execute(
                "SELECT stream.id, refused.id, t, d FROM refused JOIN stream ON stream.name = refused.stream "
                "WHERE ?1 IS NULL OR refused.stream = ?1 ORDER BY refused.id",
                (stream,),
            ).fetchall()
            by_stream: dict[int, list[Point]] = {}
            for stream_id, _, t, d in rows:
                by_stream.setdefault(stream_id, []).append({"t": t, "d": json.loads(d)})
            for stream_id, points in by_stream.items():
                append_rows(db, stream_id, pack_rows(points), restamp=True)
            db.executemany("DELETE FROM refused WHERE id = ?", [(row[1],) for row in rows])
        return len(rows)


def _has_batch(db: sqlite3.Connection, stream_id: int) -> bool:
    return db.execute("SELECT 1 FROM batch WHERE stream_id = ?", (stream_id,)).fetchone() is not None


def _begin_batch(db: sqlite3.Connection, stream_id: int, most_points: int) -> bool:
    """Fix the next batch of a stream; False if it has no points."""
    rows = db.execute(
        "SELECT place, count, restamp, length(content) FROM points WHERE stream_id = ? ORDER BY place", (stream_id,)
    )
    head = rows.fetchone()
    if head is None:
        return False
    first, count, restamp, size = head
    stop = first + count
    if count > most_points:
        rows.close()
        split_row(db, stream_id, first, most_points)
        stop = first + most_points
    else:
        size += count * _POINT_BYTES
        for place, count, is_restamped, length in rows:
            size += length + count * _POINT_BYTES
            if place + count - first > most_points or size > BATCH_BYTES or is_restamped != restamp:
                break
            stop = place + count
        rows.close()
    number = read_setting(db, "last_number", 0) + 1
    write_setting(db, "last_number", number)
    restamp = restamp or read_setting(db, "restamp", False)
    db.execute(
        "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)",
        (stream_id, read_setting(db, "writer"), number, first, stop, bool(restamp)),
    )
    return True


def _end_batch(db: sqlite3.Connection, batch: Batch) -> bool:
    """Forget a batch, if it is still under way."""
    return (
        db.execute("DELETE FROM batch WHERE stream_id = ? AND number = ?", (batch.stream_id, batch.number)).rowcount > 0
    )


def _restamps(db: sqlite3.Connection, batch: Batch) -> bool:
    """Whether the points were to be restamped each, whatever the file's setting."""
    row = db.execute("SELECT restamp FROM points WHERE stream_id = ? AND place = ?", (batch.stream_id, batch.first))
    return bool(row.fetchone()[0])
