"""Statistics of cached sessions, in the memory of a few blocks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from blitz.data.range_statistics import RangeStatistics, statistics_of_blocks
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.series_request import Moment, choose_channels, session_channels, wanted_range
from blitz.data.session_ranges import narrowed

if TYPE_CHECKING:
    from blitz.data.session_overviews import SessionOverviews


def session_statistics(
    cache: "SessionOverviews",
    session_id: int,
    channels: str | Iterable[str] | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
    *,
    first: int | None = None,
    count: int | None = None,
    version: int | None = None,
) -> dict[str, RangeStatistics]:
    """Return the statistics of a downloaded session of any length, by label; the medians are left out.

    The arguments are those of :meth:`~blitz.data.session_series.SessionSeries.series`.

    :raises SessionNotFound: if the session is not downloaded, or has no such version.
    :raises SeriesError: if there is no such channel, or the arguments have no meaning.
    """
    wanted = narrowed(cache, int(session_id), wanted_range(start, stop, first, count, None), version)
    sources = cache.session_sources(int(session_id), version)
    chosen = choose_channels(session_channels(sources).values(), channels)
    blocks = decoded_blocks(cache, int(session_id), version=version, first=wanted.first, stop=wanted.stop)
    labels = [channel.label for channel in chosen]
    found = statistics_of_blocks(blocks, sources, labels, start_ns=wanted.start_ns, stop_ns=wanted.stop_ns)
    return {label: found[label] for label in labels}
