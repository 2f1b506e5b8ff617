"""Entries of a session's list of notes, and the versions of markers. No store."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from blitz.data import markers
from blitz.data.markers import (
    encode_change,
    encode_marker,
    next_marker,
    next_version,
    present_markers,
    split_entries,
    unix_ns,
    with_marker,
)
from blitz.data.records import Marker, SessionChange, TimelineEntry, TimelineKind
from blitz.errors import EditConflict, MarkerNotFound

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make(number: int, version: int = 1, from_ns: int = 5, **fields: object) -> Marker:
    return Marker.model_validate(
        {"id": number, "version": version, "from_ns": from_ns, "text": f"marker {number}", "changed_at": NOW} | fields
    )


def test_entries_of_all_kinds_come_back_as_they_were() -> None:
    entry = TimelineEntry(kind=TimelineKind.COMMAND, time_ns=1, text='{"kind":"marker",', sent="0800")
    marker = make(1, to_ns=9, source="sim1", who="ada", text="Größe: 4 °C, \u2028 end")
    change = SessionChange(changed_at=NOW, who="ada", name="notes", before="", after="two\nlines")
    raw = [entry.model_dump_json(exclude_defaults=True).encode(), encode_marker(marker, "abc"), encode_change(change)]
    assert split_entries(raw) == ((entry,), (marker,), (change,))


def test_of_each_marker_the_newest_version_counts_and_they_come_by_time() -> None:
    versions = [make(1, from_ns=9), make(2, from_ns=3), make(1, 2, from_ns=1), make(3), make(3, 2, is_deleted=True)]
    assert [(marker.id, marker.version) for marker in present_markers(versions)] == [(1, 2), (2, 1)]


def test_what_becomes_of_a_marker_is_put_among_those_that_are_present() -> None:
    known = (make(1, 3), make(2))
    assert with_marker(known, make(1, 2)) == known
    assert [m.version for m in with_marker(known, make(1, 4))] == [4, 1]
    assert [m.id for m in with_marker(known, make(2, 2, is_deleted=True))] == [1]
    assert [m.id for m in with_marker(known, make(3))] == [1, 2, 3]


def test_an_id_is_not_used_again() -> None:
    versions = [make(1), make(4), make(4, 2, is_deleted=True)]
    assert next_marker(versions, {"text": "new", "from_ns": 1}, "ada", NOW).id == 5


def test_a_change_must_be_based_on_the_present_version() -> None:
    versions = [make(1), make(1, 2, who="bob", text="tighter")]
    with pytest.raises(EditConflict, match="bob has changed it to 'tighter' meanwhile: marker 1 is at version 2"):
        next_version(versions, 1, 1, {"text": "mine"}, "ada", NOW)
    changed = next_version(versions, 1, 2, {"text": " mine "}, "ada", NOW)
    assert (changed.version, changed.text, changed.who, changed.from_ns) == (3, "mine", "ada", 5)
    with pytest.raises(MarkerNotFound, match="no marker 7"):
        next_version(versions, 7, 1, {}, "ada", NOW)


def test_an_edit_brings_a_deleted_marker_back() -> None:
    gone = next_version([make(1)], 1, 1, {"is_deleted": True}, "bob", NOW)
    assert gone.is_deleted
    with pytest.raises(EditConflict, match="bob has deleted it meanwhile"):
        next_version([make(1), gone], 1, 1, {"text": "x"}, "ada", NOW)
    assert not next_version([make(1), gone], 1, 2, {}, "ada", NOW).is_deleted


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "  "}, "needs a text"),
        ({"text": "x" * 4001}, "at most 4000 characters"),
        ({"text": "x", "to_ns": 4}, "must not end before it begins"),
        ({"text": "x", "from_ns": -1}, "no time that a session can have"),
        ({"text": "x", "to_ns": 2**63}, "no time that a session can have"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        next_marker([], {"from_ns": 5, **fields}, "", NOW)
    with pytest.raises(ValueError, match=words):
        next_version([make(1)], 1, 1, fields, "", NOW)


def test_a_session_has_no_more_markers_and_versions_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "MOST_MARKERS", 2)
    monkeypatch.setattr(markers, "MOST_VERSIONS", 3)
    with pytest.raises(ValueError, match="has 2 markers, and cannot have more"):
        next_marker([make(1), make(2)], {"text": "x", "from_ns": 1}, "", NOW)
    with pytest.raises(ValueError, match="changed 3 times"):
        next_version([make(1), make(1, 2), make(1, 3)], 1, 3, {"text": "x"}, "", NOW)


def test_times_of_all_kinds_become_nanoseconds_exactly() -> None:
    moment = datetime(2026, 11, 22, 6, 0, 0, 123457, tzinfo=timezone(timedelta(hours=1)))
    assert unix_ns(moment) == 1_795_323_600_123_457_000
    assert unix_ns(np.datetime64("2026-11-22T05:00:00.123456789")) == 1_795_323_600_123_456_789
    assert unix_ns(0.5) == 500_000_000
    with pytest.raises(ValueError, match="has no time zone"):
        unix_ns(datetime(2026, 1, 1))
    for wrong in (-1.0, 1e10, np.datetime64("1969-01-01")):
        with pytest.raises(ValueError, match="no time that a session can have"):
            unix_ns(wrong)
