import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.expressions import Expression
from blitz.data.series import Series, SeriesSet
from blitz.errors import SeriesError

S = 1_000_000_000


def series(label, values, times_s=None, unit="V") -> Series:
    times_s = np.arange(len(values)) if times_s is None else np.asarray(times_s)
    return Series(4, "sim1", label, label, unit, (times_s * S).astype(np.int64), np.array(values, np.float64))


CHANNELS = SeriesSet([series("u", [1, -2, np.nan, 4]), series("Supply current", [10, 20, 30, 40])])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u + 1", [2, -1, np.nan, 5]),
        ("-u * 2 ** 3 / 4 - +1", [-3, 3, np.nan, -9]),
        ("'Supply current' / u", [10, -10, np.nan, 10]),
        ('"Supply current" / 10 - 1', [0, 1, 2, 3]),
        ("abs(u)", [1, 2, np.nan, 4]),
        ("sqrt(u)", [1, np.nan, np.nan, 2]),
        ("log(exp(u))", [1, -2, np.nan, 4]),
        ("sin(u) ** 2 + cos(u) ** 2", [1, 1, np.nan, 1]),
        ("min(u, 2, 3)", [1, -2, np.nan, 2]),
        ("max(u, 0)", [1, 0, np.nan, 4]),
        ("u > 0", [1, 0, np.nan, 1]),
        ("where(u >= 1, u, 0)", [1, 0, np.nan, 4]),
        ("u / 0", [np.inf, -np.inf, np.nan, np.inf]),
        ("10 ** 400 * 0 + u * 0", [np.nan] * 4),
        ("u\n + 1 # one more", [2, -1, np.nan, 5]),
        ("  u", [1, -2, np.nan, 4]),
    ],
)
def test_a_formula_is_computed_as_it_reads(text, expected):
    result = Expression(text)(CHANNELS)
    np.testing.assert_allclose(result.values, expected, rtol=1e-12)
    assert (result.label, result.unit, result.session_id) == (text, "", 4)
    assert result.time_ns.tolist() == [0, S, 2 * S, 3 * S]


def test_other_channels_come_to_the_times_of_the_first():
    one, other = series("a", [0, 0, 0], [0.5, 1.5, 9]), series("b", [0, 10, 20, 30], [0, 1, 2, 3])
    both = SeriesSet([one, other])
    np.testing.assert_allclose(Expression("a + b")(both).values, [5, 15, np.nan])
    np.testing.assert_allclose(Expression("b + a", how="nearest", max_gap_s=2)(both).values, [0, 10, 20, np.nan])
    assert Expression("a + b", how="previous")(both).values[0] == 0
    np.testing.assert_allclose(Expression("a + b", label="sum", unit="W")(both).values, [5, 15, np.nan])
    assert Expression("a + b", label="sum", unit="W")(both).unit == "W"


def test_a_formula_of_empty_channels_is_empty_and_of_one_value_one():
    assert len(Expression("a * 2")({"a": series("a", [])})) == 0
    assert Expression("a * b")({"a": series("a", [3]), "b": series("b", [4])}).values.tolist() == [12]


def test_the_channels_of_a_formula_stay_as_they_are():
    original = series("a", [1, 2, 3])
    result = Expression("a")({"a": original})
    result.values[:] = 0
    assert original.values.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        result.time_ns[:] = 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("u +", "character 4"),
        ("u + (2", "never closed"),
        ("u + 2)", "unmatched"),
        ("u.real", "character 1: a formula has numbers"),
        ("u[0]", "character 1: a formula has numbers"),
        ("u + open('x')", "character 5: there is no such function; there are: abs"),
        ("__import__('os')", "no such function"),
        ("u and u", "a formula has numbers"),
        ("u if u else 1", "a formula has numbers"),
        ("[u for u in u]", "a formula has numbers"),
        ("lambda: u", "a formula has numbers"),
        ("(u := 1)", "a formula has numbers"),
        ("f'{u}'", "a formula has numbers"),
        ("u, u", "a formula has numbers"),
        ("u % 2", "no such operator"),
        ("not u", "no such operator"),
        ("u in u", "no such operator"),
        ("1 < u < 3", "two values at a time"),
        ("abs(u, u)", "abs takes 1 values"),
        ("min(u)", "min takes 2 to 20 values"),
        ("min(u, key=u)", "min takes 2 to 20 values"),
        ("min(*u, 1)", "a formula has numbers"),
        ("abs + 1", "abs is a function"),
        ("u + True", "here a number"),
        ("u + 2j", "here a number"),
        ("u + None", "here a number"),
        ("u + b'x'", "here a number"),
        ("u +\n é + $", "line 2, character 6"),
        ("", "wrong"),
        ("\n", "wrong"),
        ("1 + 2", "no channel in it"),
        ("u" + "+u" * 1200, "2000 characters"),
        ("-" * 1000 + "u", "nested too deeply|cannot be read|wrong"),
        ("(" * 900 + "u" + ")" * 900, "wrong|cannot be read"),
        ("u + " + "9" * 1500, "too large"),
        ("u\x00", "cannot be read|wrong"),
    ],
)
def test_a_wrong_formula_is_refused_and_shows_the_place(text, words):
    with pytest.raises(SeriesError, match=words) as caught:
        Expression(text)
    if "wrong at" in str(caught.value):
        assert str(caught.value).splitlines()[-1].strip() == "^"


def test_a_channel_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SeriesError, match=r"needs a channel 'x'. There are: 'u', 'Supply current'"):
        Expression("u + x")(CHANNELS)


@given(st.text(alphabet="u'\"+-*/().,<>=[]{}0123456789e \n\\#@:_ab", max_size=30))
def test_any_text_is_a_formula_or_is_refused(text):
    try:
        expression = Expression(text)
    except SeriesError:
        return
    channels = dict.fromkeys(expression.channels, CHANNELS["u"])
    assert len(expression(channels)) == 4


def test_a_formula_comes_back_from_json_as_it_was():
    expression = Expression("u * 'Supply current'", label="Power", unit="W", how="previous", max_gap_s=2.5)
    assert Expression.from_plain(json.loads(json.dumps(expression.to_plain()))) == expression
    assert Expression.from_plain({"text": "u"}) == Expression("u")


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({}, "its fields are text, label"),
        ({"text": "u", "color": "red"}, "its fields are text, label"),
        ({"text": 5}, "text of a formula is 5"),
        ({"text": "u", "unit": None}, "unit of a formula is None"),
        ({"text": "u", "how": "cubic"}, "nearest, previous, linear"),
        ({"text": "u", "how": []}, "nearest, previous, linear"),
        ({"text": "u", "max_gap_s": "far"}, "finite"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_reason(plain, words):
    with pytest.raises(SeriesError, match=words):
        Expression.from_plain(plain)


def test_thinned_channels_are_not_brought_to_other_times():
    thinned = dataclasses.replace(series("a", [1, 2]), is_thinned=True)
    assert Expression("a * 2")({"a": thinned}).is_thinned
    with pytest.raises(SeriesError, match="without max_points"):
        Expression("a + u")({"a": thinned, "u": CHANNELS["u"]})
