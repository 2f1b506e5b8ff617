"""Comparing two copies of a session, however they are cut."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import MessageBlock
from blitz.data.session_comparing import first_difference

CUTS = st.lists(st.integers(0, 40), max_size=6)


def block(first: int, stop: int, other_seq: int | None = None, session_id: int = 7) -> MessageBlock:
    seq = np.arange(first, max(first, stop))
    messages = [b"other" if number == other_seq else b"%d" % number for number in seq.tolist()]
    return MessageBlock(session_id, first, seq * 10, np.zeros(len(seq), np.uint16), pa.array(messages, pa.binary()))


def run(cuts: Sequence[int], stop: int, other_seq: int | None = None, session_id: int = 7) -> list[MessageBlock]:
    ends = [0, *sorted(cut for cut in set(cuts) if 0 < cut < stop), stop]
    return [block(*pair, other_seq, session_id) for pair in pairwise(ends)]


@given(CUTS, CUTS, st.integers(1, 40), st.integers(1, 40))
def test_copies_that_agree_as_far_as_both_go_are_the_same(
    cuts: list[int], other_cuts: list[int], stop: int, other_stop: int
) -> None:
    assert first_difference(run(cuts, stop), run(other_cuts, other_stop, session_id=-3)) is None


@given(CUTS, CUTS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 39))
def test_one_other_message_is_found_where_both_have_it(
    cuts: list[int], other_cuts: list[int], stop: int, other_stop: int, seq: int
) -> None:
    found = first_difference(run(cuts, stop), run(other_cuts, other_stop, seq))
    if seq < min(stop, other_stop):
        assert found is not None
        assert found <= seq
    else:
        assert found is None


def test_what_is_left_out_is_not_compared() -> None:
    kept = [block(0, 5), block(10, 15)]
    assert first_difference(kept, run([7], 20, other_seq=7)) is None
    assert first_difference(kept, run([7], 20, other_seq=12)) == 10
    assert first_difference([], run([], 20)) is None
    assert first_difference(kept, []) is None
