"""Readings of a cached session between two times: as few messages are decoded as the overview allows."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from blitz.data.boards import Readings
from blitz.data.pyramid_reading import PyramidReader, wanted_part
from blitz.data.reading_blocks import decode_part
from blitz.data.series_request import Range

if TYPE_CHECKING:
    from blitz.data.pyramid_format import Pyramid
    from blitz.data.session_overviews import SessionOverviews


def readings_between(
    cache: "SessionOverviews",
    session_id: int,
    start_ns: int,
    stop_ns: int,
    *,
    version: int | None = None,
    only: Collection[int] | None = None,
) -> Iterator[tuple[Readings, slice]]:
    """Iterate over a downloaded session's readings, and which of them lie in ``start_ns <= time < stop_ns``.

    Without an overview the session is decoded from its start.

    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :param only: the sources that are wanted, by index; None for all.
    :raises SessionNotFound: at once, if the session is not downloaded, or has no such version.
    :raises BlockError: while iterating, at a block that is damaged.
    """
    opened = cache.open_session(session_id, version)
    wanted = Range(start_ns, stop_ns)
    pyramid = cache.overviews.find(opened.key)
    first, stop = _seqs(pyramid, wanted, only) if pyramid is not None else (0, opened.key.message_count)
    blocks = decode_part(cache, opened, pyramid, first, stop, only) if first < stop else iter(())
    return (
        (readings, part)
        for _, decoded in blocks
        for readings in decoded
        if (part := wanted_part(readings, wanted)).start < part.stop
    )


def narrowed(cache: "SessionOverviews", session_id: int, wanted: Range, version: int | None = None) -> Range:
    """Return what is wanted with the messages in which it lies, as far as the session has an overview that tells.

    :raises SessionNotFound: if the session is not downloaded, or has no such version.
    """
    pyramid = cache.overviews.find(cache.open_session(session_id, version).key)
    if pyramid is None or wanted == Range():
        return wanted
    first, stop = _seqs(pyramid, wanted, None)
    return replace(wanted, first=first, stop=stop)


def _seqs(pyramid: "Pyramid", wanted: Range, only: Collection[int] | None) -> tuple[int, int]:
    reader = PyramidReader(pyramid, lambda *_: iter(()))
    spans = [reader.seqs(index, wanted) for index in pyramid.sources if only is None or index in only]
    spans = [span for span in spans if span[0] < span[1]]
    first, stop = min((span[0] for span in spans), default=0), max((span[1] for span in spans), default=0)
    return first, max(first, stop)
