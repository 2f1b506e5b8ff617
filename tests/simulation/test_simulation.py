"""Ten thousand worlds, each with its own faults: what was safe is there, once, in order, and keeps its number.

A seed that fails is named with what was wrong; ``make simulate SEED=…`` tells its story.
"""

import os

import pytest
from simulate import HOW_TO_REPEAT, failures, story

WORLDS = 1_000_000 if os.environ.get("BLITZ_SOAK") else 10_000
PARTS = 20
FIRST = int(os.environ.get("BLITZ_FIRST_SEED", "0"))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_promise_holds_whatever_happens(part: int) -> None:
    count = WORLDS // PARTS
    broken = failures(FIRST + part * count, count)
    assert not broken, "\n".join(f"{wrong}\n{HOW_TO_REPEAT.format(seed=seed)}" for seed, wrong in broken[:10])


def test_a_seed_tells_the_same_story_each_time() -> None:
    for seed in (3, 8, 9, 21):
        first = story(seed)
        assert first == story(seed)
        assert "Repeat it with" in first
