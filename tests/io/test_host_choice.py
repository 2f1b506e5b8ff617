"""Choosing among several hosts, with a given clock and chance."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from blitz.errors import ConfigError
from blitz.io.host_choice import HostChoice, is_repeatable
from blitz.io.host_list import HostEntry, parse_hosts


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def make(hosts: Any, clock: Clock | None = None, seed: int = 1) -> HostChoice:
    return HostChoice(parse_hosts(hosts), inactive_s=30, max_wait_s=90, random=Random(seed), clock=clock or Clock())


FAULT = ConnectionError("away")


@pytest.mark.parametrize("seed_offset", range(5))
def test_weights_hold_within_five_percent_over_4000_calls(seed: int, seed_offset: int) -> None:
    weights = [3, 1, 9, 2]
    hosts = [(f"h{n}", 9000, {"weight": weight}) for n, weight in enumerate(weights)]
    choice = make(hosts, seed=seed + seed_offset)
    calls = Counter(choice.choose() for _ in range(4000))
    for number, weight in enumerate(weights):
        assert calls[number] == pytest.approx(4000 * weight / sum(weights), rel=0.05)


def test_a_backup_is_chosen_only_when_no_other_is_available() -> None:
    clock = Clock()
    choice = make([("a", 1), ("spare", 2, {"backup": True, "weight": 9}), ("b", 3)], clock)
    assert {choice.choose() for _ in range(100)} == {0, 2}
    choice.note_failure(0, FAULT, is_reached=False)
    assert {choice.choose() for _ in range(100)} == {2}
    choice.note_failure(2, FAULT, is_reached=False)
    assert {choice.choose() for _ in range(100)} == {1}
    assert choice.note_answer(2)
    assert {choice.choose() for _ in range(100)} == {2}
    assert choice.choose({2}) == 1, "the call failed at all others"


def test_waits_double_up_to_the_limit_and_begin_anew_after_an_answer() -> None:
    clock = Clock()
    choice = make([("a", 1), ("b", 2)], clock)
    waits = [choice.note_failure(0, FAULT, is_reached=False) for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 90, 90]
    clock.now_s += 50
    assert choice.wait_s(0) == 40
    assert choice.note_answer(0)
    assert choice.note_failure(0, FAULT, is_reached=False) == 1


def test_a_host_that_was_reached_and_does_not_answer_rests_for_the_inactive_time() -> None:
    choice = make([("a", 1), ("b", 2)])
    assert choice.suspect(0, FAULT)
    assert not choice.suspect(0, FAULT)
    assert choice.wait_s(0) == 0
    assert choice.note_failure(0, FAULT, is_reached=True) == 30
    assert choice.choose({1}) is None
    assert choice.error(0) is FAULT


def test_the_acquiring_host_is_preferred_where_that_matters() -> None:
    choice = make([("a", 1), ("b", 2)])
    choice.note_answer(0, acquires=False)
    assert {choice.choose(acquiring=True) for _ in range(20)} == {1}
    choice.note_failure(1, FAULT, is_reached=False)
    assert choice.choose(acquiring=True) == 0


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ([], "empty"),
        ([("a", 1, {"weight": 0})], "1 to 9"),
        ([("a", 1, {"weight": 10})], "1 to 9"),
        ([("a", 1, {"weight": True})], "1 to 9"),
        ([("a", 1, {"backup": "yes"})], "True or False"),
        ([("a", 1, {"wieght": 2})], "no option"),
        ([("a",)], "no host"),
        ([("a", 1), ("a", 1)], "2 times"),
        ([("a", 1, 5)], "no host"),
    ],
)
def test_hosts_that_cannot_be_are_refused_with_a_sentence(hosts: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_hosts(hosts)


def test_a_list_takes_addresses_links_and_tuples_with_one_or_several_options() -> None:
    link = "blitz://c:1/#blz_c2VjcmV0&" + 32 * "a7"
    entries = parse_hosts(["http://a:1", ("b", 2, {"weight": 2}, {"backup": True}), link], token="t" * 20)
    assert [(entry.weight, entry.is_backup) for entry in entries] == [(1, False), (2, True), (1, False)]
    assert [entry.address.token for entry in entries] == ["t" * 20, "t" * 20, "blz_c2VjcmV0"]
    assert isinstance(entries[0], HostEntry)


def test_only_reading_and_numbered_points_are_repeated() -> None:
    assert is_repeatable("GET", "/sessions", None)
    assert not is_repeatable("POST", "/sessions/1/stop", None)
    assert not is_repeatable("POST", "/streams/x/points", {"points": []})
    assert not is_repeatable("DELETE", "/streams/x", None)
