"""A cached session as a tape: where a time is in it, and what had arrived by then."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.session_tape import SessionTape
from blitz.errors import SessionNotFound

START_NS = 1_700_000_000 * 10**9
STEP_NS = 10_000_000
COUNT = 40_000


def test_a_time_is_found_in_a_tape_of_several_blocks(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(COUNT).fill(cache)
    tape = SessionTape(cache, 7)
    assert (tape.first_ns, tape.last_ns, tape.message_count) == (START_NS, START_NS + (COUNT - 1) * STEP_NS, COUNT)
    times = START_NS + np.arange(COUNT) * STEP_NS
    wanted = [0, START_NS, START_NS + 1, *(START_NS + place * STEP_NS for place in (16_383, 16_384, 32_768, COUNT - 1))]
    for time_ns in [*wanted, tape.last_ns + 1]:
        assert tape.seq_at(time_ns) == int(np.searchsorted(times, time_ns))


def test_a_stretch_is_cut_at_a_time_messages_and_readings_alike(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    example(COUNT).fill(cache)
    tape = SessionTape(cache, 7)
    stretch = next(tape.play(20_000))
    assert stretch.block.first_seq == 20_000
    early, late = stretch.cut(START_NS + 20_010 * STEP_NS)
    assert early is not None
    assert late is not None
    assert (early.block.next_seq, late.block.first_seq) == (20_011, 20_011)
    assert [readings.seq.max() for readings in early.readings] == [20_010, 20_009]
    assert [readings.seq.min() for readings in late.readings] == [20_013, 20_012]
    assert stretch.cut(START_NS) == (None, stretch)
    assert stretch.cut(tape.last_ns) == (stretch, None)


def test_all_of_a_tape_is_all_of_the_session(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(COUNT).fill(cache)
    seqs = [np.arange(stretch.block.first_seq, stretch.block.next_seq) for stretch in SessionTape(cache, 7).play(0)]
    assert np.array_equal(np.concatenate(seqs), np.arange(COUNT))


def test_a_session_that_is_not_here_or_empty_cannot_be_played(
    cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    with pytest.raises(SessionNotFound, match="not in the cache"):
        SessionTape(cache, 7)
    example(0).fill(cache)
    with pytest.raises(SessionNotFound, match="nothing to play"):
        SessionTape(cache, 7)
