"""Ten thousand worlds, each with its own faults: what was safe is there, once, in order, and keeps its number.

A seed that fails is named with what was wrong; ``make simulate SEED=…`` tells its story. The long counts take other
seeds each time.
"""

import os

import pytest
from mutations import MUTATIONS, Mutation, worlds_until_found
from simulate import HOW_TO_REPEAT, failures, story

IS_SOAK = bool(os.environ.get("BLITZ_SOAK"))
WORLDS = 1_000_000 if IS_SOAK else 10_000
PARTS = 100 if IS_SOAK else 20


@pytest.mark.parametrize("part", range(PARTS))
def test_the_promise_holds_whatever_happens(part: int, request: pytest.FixtureRequest) -> None:
    chosen = int(request.config.getoption("hypothesis_seed", None) or 0) if IS_SOAK else 0
    count = WORLDS // PARTS
    broken = failures(chosen * WORLDS + part * count, count)
    assert not broken, "\n".join(f"{wrong}\n{HOW_TO_REPEAT.format(seed=seed)}" for seed, wrong in broken[:10])


def test_a_seed_tells_the_same_story_each_time() -> None:
    for seed in (3, 8, 9, 21):
        first = story(seed)
        assert first == story(seed)
        assert "Repeat it with" in first


@pytest.mark.soak
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_fault_in_the_code_breaks_a_world(mutation: Mutation) -> None:
    assert worlds_until_found(mutation) is not None


def test_each_fault_that_is_put_into_the_code_still_fits_it() -> None:
    assert all(mutation.fits for mutation in MUTATIONS)
