"""Names of sessions by a pattern."""

from datetime import datetime

import pytest

from blitz.data.name_pattern import NamePattern

NOON = datetime(2026, 11, 22, 12, 3, 9)


@pytest.mark.parametrize(
    ("pattern", "fields", "name"),
    [
        ("{date}_{sample}_{n}", {"sample": "brass 4"}, "2026-11-22_brass 4_1"),
        ("{date}_{sample}_{n}", {}, "2026-11-22_1"),
        ("{sample}_{date}", {}, "2026-11-22"),
        ("{sample}", {}, ""),
        ("", {"sample": "x"}, ""),
        ("{date} {time} {owner}", {}, "2026-11-22 12-03-09 ada@bench"),
        ("run {n} of {n}", {}, "run 1 of 1"),
        ("run", {}, "run"),
    ],
)
def test_places_are_filled_and_empty_ones_left_out(pattern: str, fields: dict[str, str], name: str) -> None:
    assert NamePattern(pattern).fill(NOON, "ada@bench", fields) == name


def test_the_count_goes_on_from_the_highest_of_names_that_are_alike() -> None:
    names = ["2026-11-22_a_3", "2026-11-22_a_12", "2026-11-22_a_12b", "2026-11-21_a_40", "2026-11-22_b_50", "x", ""]
    assert NamePattern("{date}_{sample}_{n}").fill(NOON, "", {"sample": "a"}, names) == "2026-11-22_a_13"
    assert NamePattern("{n}").fill(NOON, "", {}, ["7", "1.5"]) == "8"
    assert NamePattern("{sample}.{n}").fill(NOON, "", {"sample": "(x+"}, ["(x+.2"]) == "(x+.3"


def test_a_long_name_is_cut() -> None:
    assert len(NamePattern("{sample}").fill(NOON, "", {"sample": "x" * 500})) == 200


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("{date", "stands alone"), ("a}", "stands alone"), ("{9}", "no name of a field"), ("{id}", "something else")],
)
def test_a_pattern_that_cannot_be_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NamePattern(pattern)


def test_a_pattern_tells_which_fields_it_uses() -> None:
    assert NamePattern("{date}_{sample}_{rig no}_{n}").fields == ("sample", "rig no")
