"""Computed channels in a report: their statistics and curves beside those of devices, and how they are made."""

from collections.abc import Callable, Iterable, Sequence

from blitz.data.computed_steps import step_words
from blitz.data.database_client import DatabaseClient
from blitz.data.range_statistics import RunningStatistics
from blitz.data.report_curves import CurveSketch
from blitz.data.report_facts import ComputedFacts
from blitz.data.report_reading import SessionReading
from blitz.data.series_request import Range
from blitz.data.session_computed import SessionChannel, computed_pieces
from blitz.errors import BlockError, SeriesError


def read_computed(
    cache: DatabaseClient,
    session_id: int,
    channels: Sequence[SessionChannel],
    wanted: Range,
    version: int | None,
    is_cancelled: Callable[[], bool],
    reading: SessionReading,
) -> list[SessionChannel]:
    """Add computed channels to what was read of a session; what cannot be computed is told there.

    :returns: those that were computed.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    done = []
    for channel in channels:
        running, sketch = RunningStatistics(channel.label, channel.wanted.unit), CurveSketch()
        try:
            for piece in computed_pieces(cache, session_id, channel, version, is_cancelled):
                here = slice(*piece.time_ns.searchsorted([wanted.start_ns, wanted.stop_ns]).tolist())
                running.add(piece.time_ns[here], piece.values[here])
                sketch.add(piece.time_ns[here], piece.values[here])
        except (SeriesError, BlockError) as error:
            reading.not_computed.append(f"{channel.label} is not in this report. {error}")
            continue
        reading.statistics[channel.label] = running.result()
        reading.sketches[channel.label] = sketch
        done.append(channel)
    return done


def computed_facts(channels: Iterable[SessionChannel]) -> tuple[ComputedFacts, ...]:
    """Return how computed channels are made, as people read it."""
    return tuple(
        ComputedFacts(
            channel.label,
            channel.wanted.unit,
            channel.kept.formula,
            ", ".join(step_words(transform) for transform in channel.kept.transforms),
            f"{channel.kept.max_gap_s:g} s" if not channel.is_of_one_device else "",
        )
        for channel in channels
    )
