"""What a file says about the session it was made of: name, notes, units, markers, gaps, definitions."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from blitz.data.export_parts import Column, Contents
from blitz.data.records import Source


def about_session(contents: Contents) -> dict[str, Any]:
    """Return what is known of the session, as JSON takes it: its record, with the definitions it is read by."""
    record = contents.record.model_copy(update={"sources": contents.sources})
    described: dict[str, Any] = record.model_dump(mode="json", exclude_none=True, exclude={"accounts"})
    return described


def column_facts(column: Column) -> dict[str, str]:
    """Return what a file says of a channel, beside its values: how it is computed, too, if it is."""
    facts = {"label": column.label, "unit": column.unit, "source": column.source, "channel": column.channel}
    if column.computed is None:
        return facts
    return facts | {"computed": json.dumps(column.computed.to_plain(), ensure_ascii=False)}


def definitions_sha256(sources: Sequence[Source]) -> str:
    """Return the SHA-256 of the definitions by which a session is read, as hex digits.

    It is taken over JSON: an object with the definition of each row of the source table by its index, keys sorted, no
    spaces; what has its default is left out.
    """
    definitions = {
        str(each.index): each.definition and each.definition.model_dump(mode="json", exclude_defaults=True)
        for each in sources
    }
    text = json.dumps(definitions, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unique_names(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return names of which no two are alike, by numbering those that are.

    >>> unique_names(["a", "time", "a"], ["time"])
    ['a', 'time (2)', 'a (2)']
    """
    used = set(taken)
    unique = []
    for name in names:
        number, free = 1, name
        while free in used:
            number += 1
            free = f"{name} ({number})"
        used.add(free)
        unique.append(free)
    return unique


MARKER_FIELDS = ("id", "from_ns", "to_ns", "text", "source", "who", "changed_at")
GAP_FIELDS = ("source", "from_ns", "to_ns", "reason", "lost", "is_exact", "recovered")


def marker_rows(contents: Contents) -> list[list[Any]]:
    """Return the session's markers, the fields of :data:`MARKER_FIELDS` each."""
    markers = (marker.model_dump(mode="json") for marker in contents.record.markers if not marker.is_deleted)
    return [[marker[field] for field in MARKER_FIELDS] for marker in markers]


def gap_rows(contents: Contents) -> list[list[Any]]:
    """Return the session's gaps, the fields of :data:`GAP_FIELDS` each, the source by its name."""
    names = {source.index: source.name for source in contents.sources or contents.record.sources}
    rows = []
    for gap in contents.record.gaps:
        fields = gap.model_dump(mode="json") | {"source": names.get(gap.source, str(gap.source))}
        rows.append([fields[field] for field in GAP_FIELDS])
    return rows
