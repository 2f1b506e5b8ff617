"""What stands in a session's list of notes: its time line, the versions of its markers, what was changed of its words.

Pure. The list is JSON, an entry each, told apart by ``kind``; a change to a marker appends its next version, and of
each marker the newest one counts. The list itself is written in :mod:`blitz.data.session_notes`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np

from blitz.data.records import Marker, SessionChange, TimelineEntry
from blitz.errors import EditConflict, MarkerNotFound

TEXT_LENGTH: Final = 4_000
"""Characters of a marker's text."""
MOST_MARKERS: Final = 2_000
"""Of one session, those that were deleted included: they can come back."""
MOST_VERSIONS: Final = 10_000
"""Of all markers of one session."""
MOST_CHANGES: Final = 1_000
MOST_CHANGE_BYTES: Final = 1 << 20
"""How much is remembered of what a session's words were before; the oldest is forgotten first."""

_MARKER_START: Final = b'{"kind":"marker",'
_CHANGE_START: Final = b'{"kind":"change",'
_LARGEST_NS: Final = 2**63 - 1

Moment = datetime | np.datetime64 | float
"""An aware time, a numpy time (which is UTC), or seconds since the Unix epoch."""


class Entries(NamedTuple):
    """A session's list of notes, each kind oldest first."""

    timeline: tuple[TimelineEntry, ...]
    versions: tuple[Marker, ...]
    """All versions of all markers, those that were deleted included."""
    changes: tuple[SessionChange, ...]


def split_entries(entries: Iterable[bytes]) -> Entries:
    """Read a session's list of notes, as this Blitz or an older one wrote it."""
    timeline: list[TimelineEntry] = []
    versions: list[Marker] = []
    changes: list[SessionChange] = []
    for entry in entries:
        if entry.startswith(_MARKER_START):
            versions.append(Marker.model_validate_json(entry))
        elif entry.startswith(_CHANGE_START):
            changes.append(SessionChange.model_validate_json(entry))
        else:
            timeline.append(TimelineEntry.model_validate_json(entry))
    return Entries(tuple(timeline), tuple(versions), tuple(changes))


def is_marker(entry: bytes) -> bool:
    """Whether an entry is a version of a marker."""
    return entry.startswith(_MARKER_START)


def is_change(entry: bytes) -> bool:
    """Whether an entry says that a session's words were changed."""
    return entry.startswith(_CHANGE_START)


def encode_marker(marker: Marker, token: str) -> bytes:
    """Return a version of a marker as an entry.

    :param token: what its writer finds it by if the reply was lost.
    """
    fields = {"kind": "marker", **marker.model_dump(mode="json", exclude_defaults=True), "token": token}
    return _encoded(fields)


def encode_change(change: SessionChange) -> bytes:
    """Return a change of a session's words as an entry."""
    return _encoded({"kind": "change", **change.model_dump(mode="json")})


def present_markers(versions: Iterable[Marker]) -> tuple[Marker, ...]:
    """Return the newest version of each marker that is not deleted, by time."""
    newest = newest_versions(versions).values()
    return tuple(sorted((m for m in newest if not m.is_deleted), key=lambda m: (m.from_ns, m.id)))


def newest_versions(versions: Iterable[Marker]) -> dict[int, Marker]:
    """Return the newest version of each marker by its id, those that are deleted included."""
    newest: dict[int, Marker] = {}
    for marker in versions:
        known = newest.get(marker.id)
        if known is None or known.version < marker.version:
            newest[marker.id] = marker
    return newest


def with_marker(markers: Sequence[Marker], marker: Marker) -> tuple[Marker, ...]:
    """Return present markers with what became of one of them; an older version than the known one changes nothing."""
    if any(known.id == marker.id and known.version > marker.version for known in markers):
        return tuple(markers)
    return present_markers([*(known for known in markers if known.id != marker.id), marker])


def next_marker(versions: Sequence[Marker], fields: Mapping[str, Any], who: str, now: datetime) -> Marker:
    """Return a new marker, whose id no other had.

    :param fields: ``text``, ``from_ns``, ``to_ns``, ``source``.
    :raises ValueError: if they cannot be, or if the session has as many as it may.
    """
    newest = newest_versions(versions)
    if len(newest) >= MOST_MARKERS:
        raise ValueError(f"The session has {len(newest)} markers, and cannot have more. Edit one of them instead.")
    _check_count(versions)
    marker = Marker(id=max(newest, default=0) + 1, who=who, changed_at=now, **fields)
    return _checked(marker)


def next_version(
    versions: Sequence[Marker], marker_id: int, based_on: int, fields: Mapping[str, Any], who: str, now: datetime
) -> Marker:
    """Return a marker's next version; what ``fields`` does not name stays.

    Whoever edits a marker that was deleted brings it back by that.

    :param based_on: the version that the editor saw.
    :raises MarkerNotFound: if there is none with that id.
    :raises EditConflict: if another version is the present one.
    :raises ValueError: if the fields cannot be, or if the session has as many versions as it may.
    """
    present = newest_versions(versions).get(marker_id)
    if present is None:
        raise MarkerNotFound(f"The session has no marker {marker_id}.")
    if present.version != based_on:
        what = "deleted it" if present.is_deleted else f"changed it to {_shortened(present.text)!r}"
        raise EditConflict(
            f"{present.who or 'Somebody'} has {what} meanwhile: marker {marker_id} is at version {present.version}, "
            f"and this change is based on version {based_on}. Look at it again, then change it."
        )
    _check_count(versions)
    update = {"is_deleted": False, **fields, "version": based_on + 1, "who": who, "changed_at": now}
    return _checked(present.model_copy(update=update))


def unix_ns(moment: Moment) -> int:
    """Return a time in nanoseconds since the Unix epoch.

    :raises ValueError: if it has no time zone, or lies before 1970.

    >>> unix_ns(1_700_000_000.25)
    1700000000250000000
    >>> unix_ns(np.datetime64("2026-11-22T05:00"))
    1795323600000000000
    """
    if isinstance(moment, np.datetime64):
        time_ns = int(moment.astype("datetime64[ns]").astype(np.int64))
    elif isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat(' ')} has no time zone: give one, such as .astimezone() does.")
        time_ns = round(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000
    else:
        time_ns = round(moment * 1e6) * 1000  # a float has no more: its last bit is 0.2 µs
    if not 0 <= time_ns <= _LARGEST_NS:
        raise ValueError(f"{moment!r} is no time that a session can have.")
    return time_ns


def _checked(marker: Marker) -> Marker:
    text = marker.text.strip()
    if not text:
        raise ValueError("A marker needs a text: say what was at that time.")
    if len(text) > TEXT_LENGTH:
        raise ValueError(f"A marker's text has at most {TEXT_LENGTH} characters, and this one has {len(text)}.")
    if not 0 <= marker.from_ns <= _LARGEST_NS or (marker.to_ns is not None and marker.to_ns > _LARGEST_NS):
        raise ValueError("That is no time that a session can have: give nanoseconds since 1970.")
    if marker.to_ns is not None and marker.to_ns < marker.from_ns:
        raise ValueError("A marker's span must not end before it begins.")
    return marker.model_copy(update={"text": text, "source": marker.source or None})


def _check_count(versions: Sequence[Marker]) -> None:
    if len(versions) >= MOST_VERSIONS:
        raise ValueError(f"The session's markers were changed {len(versions)} times, and cannot be changed any more.")


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _encoded(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
