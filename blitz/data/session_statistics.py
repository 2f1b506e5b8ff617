"""Statistics of cached sessions, in the memory of a few blocks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from blitz.data.computed import ComputedChannel
from blitz.data.range_statistics import RangeStatistics, statistics_of_blocks
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.series_request import Moment, choose_channels, session_channels, wanted_range
from blitz.data.session_computed import computed_statistics, fitting_channels
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
    computed: Iterable[ComputedChannel] = (),
) -> dict[str, RangeStatistics]:
    """Return the statistics of a downloaded session of any length, by label; the medians are left out.

    The arguments are those of :meth:`~blitz.data.session_series.SessionSeries.series`.

    :param computed: channels that are computed, such as :func:`~blitz.data.kept_computed.kept_channels` gives; those
        that the session has are channels like its own.
    :raises SessionNotFound: if the session is not downloaded, or has no such version.
    :raises SeriesError: if there is no such channel, or the arguments have no meaning.
    """
    asked = wanted_range(start, stop, first, count, None)
    wanted = narrowed(cache, int(session_id), asked, version)
    sources = cache.session_sources(int(session_id), version)
    own = session_channels(sources)
    fitting = {each.label: each for each in fitting_channels(computed, own, sources)}
    chosen = choose_channels((*own.values(), *(each.wanted for each in fitting.values())), channels)
    blocks = decoded_blocks(cache, int(session_id), version=version, first=wanted.first, stop=wanted.stop)
    labels = [channel.label for channel in chosen if channel.label not in fitting]
    found = statistics_of_blocks(blocks, sources, labels, start_ns=wanted.start_ns, stop_ns=wanted.stop_ns)
    for label in (channel.label for channel in chosen if channel.label in fitting):
        found[label] = computed_statistics(cache, int(session_id), fitting[label], asked, version)
    return {channel.label: found[channel.label] for channel in chosen}
