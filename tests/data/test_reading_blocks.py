"""Decoding a cached session from any message on."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import load_definitions
from blitz.data.database_client import DatabaseClient
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import SessionRecord, Source


def test_a_part_decodes_as_it_does_within_the_whole(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(40_000).fill(cache)
    whole = [readings for _, decoded in decoded_blocks(cache, 7) for readings in decoded if readings.source.index == 0]
    seq, times = (np.concatenate([getattr(part, name) for part in whole]) for name in ("seq", "time_ns"))
    for first, stop in ((0, 10), (16_384, 20_000), (20_001, 39_999), (39_999, None)):
        blocks = list(decoded_blocks(cache, 7, first=first, stop=stop))
        assert blocks[0][0].first_seq == first
        assert blocks[-1][0].next_seq == (stop or 40_000)
        part = [readings for _, decoded in blocks for readings in decoded if readings.source.index == 0]
        wanted = (seq >= first) & (seq < (stop or 40_000))
        assert np.array_equal(np.concatenate([readings.seq for readings in part]), seq[wanted])
        assert np.array_equal(np.concatenate([readings.time_ns for readings in part]), times[wanted])


@pytest.mark.parametrize("has_overview", [False, True])
def test_a_part_that_ends_within_a_read_has_the_times_of_the_whole(cache: DatabaseClient, has_overview: bool) -> None:
    # Each read ends with the message that is least late: it tells how late those before it were.
    count, read = GRID_MESSAGES + 1000, 8
    ms = np.arange(count) + 1000
    arrived_ns = 1_700_000_000_000_000_000 + (np.arange(count) // read * read + read) * 1_000_000
    ms[7::8] += np.arange(count // read) // 100 % 7
    messages = [b"08a0%08x" % tick + b"0" * 16 for tick in ms.tolist()]
    source = Source(index=0, name="one", link="", board_id="08", definition=load_definitions()["08"])
    started = datetime.fromtimestamp(1_700_000_000, UTC)
    record = SessionRecord(id=7, started_at=started, stopped_at=started, message_count=count, sources=(source,))
    block = MessageBlock(7, 0, arrived_ns, np.zeros(count, np.uint16), pa.array(messages, pa.binary()))
    cache.begin_download(record)
    for part in block.on_grid():
        cache.store_block(7, part)
    cache.finish_download(record)
    whole = np.concatenate([readings.time_ns for _, decoded in decoded_blocks(cache, 7) for readings in decoded])
    if has_overview:
        cache.make_overview(7)
    for stop in (*range(1, 40), GRID_MESSAGES - 3, GRID_MESSAGES, GRID_MESSAGES + 3, *range(800, 840)):
        first = max(stop - 50, 0)
        found = list(decoded_blocks(cache, 7, first=first, stop=stop))
        assert sum(len(part) for part, _ in found) == stop - first
        times = np.concatenate([readings.time_ns for _, decoded in found for readings in decoded])
        assert np.array_equal(times, whole[first:stop])
