"""The moment at which a session is laid upon others: its start, a marker, or where a channel crosses a level.

Pure. Times are whole nanoseconds since the Unix epoch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from blitz.data.records import Marker
from blitz.data.series import Series
from blitz.data.triggers import Edge as TriggerEdge
from blitz.data.triggers import Trigger, TriggerFinder
from blitz.errors import SeriesError

Edge = Literal["rising", "falling"]


@dataclass(frozen=True)
class AtStart:
    """Where the session began."""


@dataclass(frozen=True)
class AtMarker:
    """At a marker with this text; case and spaces around it do not matter, and of several the first counts."""

    text: str


@dataclass(frozen=True)
class AtTrigger:
    """Where a channel crosses a level for the first time.

    :param label: the channel, as people know it in its session.
    """

    label: str
    level: float
    edge: Edge = "rising"


Moment = AtStart | AtMarker | AtTrigger


def marker_ns(markers: Iterable[Marker], text: str) -> int:
    """Return the time of the first marker with a text.

    :raises SeriesError: if there is none.
    """
    wanted = text.strip().casefold()
    found = [marker.from_ns for marker in markers if marker.text.strip().casefold() == wanted]
    if not found:
        raise SeriesError(f"There is no marker “{text.strip()}” in it.")
    return min(found)


def common_texts(sessions: Sequence[Iterable[Marker]]) -> tuple[str, ...]:
    """Return the texts that each of the sessions has a marker of, as the first one writes them, by time."""
    if not sessions:
        return ()
    first = sorted(sessions[0], key=lambda marker: marker.from_ns)
    others = [{marker.text.strip().casefold() for marker in markers} for markers in sessions[1:]]
    by_text: dict[str, str] = {}
    for marker in first:
        by_text.setdefault(marker.text.strip().casefold(), marker.text.strip())
    return tuple(text for folded, text in by_text.items() if all(folded in known for known in others))


def crossing_ns(parts: Iterable[Series], level: float, edge: Edge, max_gap_ns: int) -> int | None:
    """Return when a channel crosses a level for the first time, on the straight line between two values.

    It crosses where a value beyond or at the level follows one that is not yet there. NaN counts as nothing there; two
    values that are farther apart than ``max_gap_ns`` do not tell when it was, so that is no crossing.

    :param parts: the channel's values, in order; no more of them is taken than it needs.
    :param edge: ``rising`` or ``falling``.
    :returns: None where it never does.
    :raises SeriesError: if there is no such edge.
    """
    if edge not in ("rising", "falling"):
        raise SeriesError(f"There is no edge {edge!r}: it is rising or falling.")
    finder = TriggerFinder(Trigger(level, TriggerEdge(edge), max_gap_s=max_gap_ns / 1e9))
    return next((int(found[0]) for part in parts if len(found := finder.add(part.time_ns, part.values))), None)
