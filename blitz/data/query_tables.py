"""The small tables that queries see: sessions, channels, markers, gaps. Pure: records in, Arrow tables out."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from blitz.data.query_pruning import TIME_TYPE
from blitz.data.query_readings import ReadChannel
from blitz.data.records import SessionRecord

_SESSIONS = pa.schema(
    [
        ("session", pa.int64()),
        ("name", pa.string()),
        ("notes", pa.string()),
        ("owner", pa.string()),
        ("started", TIME_TYPE),
        ("stopped", TIME_TYPE),
        ("is_running", pa.bool_()),
        ("interrupted", pa.bool_()),
        ("message_count", pa.int64()),
        ("starred", pa.bool_()),
        ("tags", pa.list_(pa.string())),
        ("fields", pa.map_(pa.string(), pa.string())),
        ("verdict", pa.string()),
        ("is_here", pa.bool_()),
    ]
)
_CHANNELS = pa.schema(
    [
        (name, pa.string() if name != "session" else pa.int64())
        for name in ("session", "source", "channel", "unit", "label")
    ]
)
_MARKERS = pa.schema(
    [
        ("session", pa.int64()),
        ("marker", pa.int64()),
        ("version", pa.int64()),
        ("time", TIME_TYPE),
        ("until", TIME_TYPE),
        ("text", pa.string()),
        ("source", pa.string()),
        ("who", pa.string()),
        ("changed", TIME_TYPE),
    ]
)
_GAPS = pa.schema(
    [
        ("session", pa.int64()),
        ("source", pa.string()),
        ("seq", pa.int64()),
        ("time", TIME_TYPE),
        ("until", TIME_TYPE),
        ("reason", pa.string()),
        ("lost", pa.int64()),
        ("is_exact", pa.bool_()),
        ("recovered", pa.int64()),
    ]
)


def sessions_table(records: Iterable[SessionRecord], here: Iterable[int]) -> pa.Table:
    """Return a row a session.

    :param here: ids of those that have readings or messages in the cache.
    """
    ids = set(here)
    rows = [
        {
            "session": record.id,
            "started": record.started_at,
            "stopped": record.stopped_at,
            "tags": list(record.tags),
            "fields": list(record.fields.items()),
            "is_here": record.id in ids,
            **record.model_dump(
                include={
                    "name",
                    "notes",
                    "owner",
                    "is_running",
                    "interrupted",
                    "message_count",
                    "starred",
                    "verdict",
                }
            ),
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, _SESSIONS)


def channels_table(sessions: Iterable[Sequence[ReadChannel]]) -> pa.Table:
    """Return a row a channel of a session."""
    rows = [{name: getattr(channel, name) for name in _CHANNELS.names} for channels in sessions for channel in channels]
    # A device whose definition was changed has two rows in the source table, and each channel once.
    return pa.Table.from_pylist([dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows)], _CHANNELS)


def markers_table(records: Iterable[SessionRecord]) -> pa.Table:
    """Return a row a marker, without those that were deleted; ``until`` is NULL where it is no span."""
    rows = [
        {
            "session": record.id,
            "marker": marker.id,
            "version": marker.version,
            "time": marker.from_ns // 1000,
            "until": None if marker.to_ns is None else marker.to_ns // 1000,
            "text": marker.text,
            "source": marker.source,
            "who": marker.who,
            "changed": marker.changed_at,
        }
        for record in records
        for marker in record.markers
        if not marker.is_deleted
    ]
    return pa.Table.from_pylist(rows, _MARKERS)


def gaps_table(records: Iterable[SessionRecord]) -> pa.Table:
    """Return a row a gap: from ``time`` until ``until`` messages of the source are missing."""
    rows = [
        {
            "session": record.id,
            "source": next((source.name for source in record.sources if source.index == gap.source), None),
            "seq": gap.seq,
            "time": gap.from_ns // 1000,
            "until": gap.to_ns // 1000,
            "reason": gap.reason,
            "lost": gap.lost,
            "is_exact": gap.is_exact,
            "recovered": gap.recovered,
        }
        for record in records
        for gap in record.gaps
    ]
    return pa.Table.from_pylist(rows, _GAPS)
