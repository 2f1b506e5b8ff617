"""Patterns of whoever may send commands: none of them holds the server up, or takes its memory."""

import time

import pytest

from blitz.data.answer_pattern import AnswerPattern

NESTED = "(" * 490 + ")" * 490


@pytest.mark.parametrize("pattern", ["([0-9a-f]+)+x", "(a|a)*x", "(.*)*(.*)*(.*)*x", "a*" * 300 + "x", NESTED + "x"])
def test_no_pattern_takes_long(pattern: str) -> None:
    answer = AnswerPattern(pattern)
    began_s = time.monotonic()
    assert not answer.fits("0123456789abcdefa" * 200)
    assert time.monotonic() - began_s < 5, "Python's engine would take longer than anybody waits"


@pytest.mark.parametrize("pattern", ["((", "(?:(?:(?:a{1000}){1000}){1000}){1000}", r"(a)\1", "\ud800"])
def test_what_is_no_pattern_or_too_large_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w{3,}"):
        AnswerPattern(pattern)
