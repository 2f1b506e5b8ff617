"""Decoding a cached session from any message on."""

from collections.abc import Callable
from typing import Any

import numpy as np

from blitz.data.database_client import DatabaseClient
from blitz.data.reading_blocks import decoded_blocks


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
