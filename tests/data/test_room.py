"""How long the room lasts, how bad it is, and what an operator is told."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.room import (
    LEVELS,
    GrowthMeter,
    Level,
    Place,
    Stock,
    appraise,
    disk_spare_bytes,
    explain_refusal,
    judge,
    redis_budget_bytes,
)

GB = 1 << 30
HOUR = 3600.0

amounts = st.floats(0, 1e13)
rates = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))
places: st.SearchStrategy[Place] = st.sampled_from(["redis", "disk", "spool"])


def disk(left: float, rate: float = 0.0, **fields: float) -> Stock:
    return Stock("disk", "the disk of /data", 20 * GB, left, bytes_per_s=rate, **fields)


@st.composite
def stocks(draw: st.DrawFn) -> Stock:
    size = draw(st.integers(1, 1 << 42))
    return Stock(
        draw(places),
        "the disk of /data",
        size,
        draw(st.floats(-1e9, size)),
        bytes_per_s=draw(rates),
        spare_bytes=draw(amounts),
        later_bytes_per_s=draw(st.one_of(st.none(), rates)),
    )


def test_what_is_left_lasts_as_long_as_the_rate_says() -> None:
    assert disk(3600e6, 1e6).full_in_s == pytest.approx(3600)
    assert disk(1, 0).full_in_s == math.inf
    assert disk(0, 0).full_in_s == 0
    assert disk(-5, 1).full_in_s == 0


def test_with_an_archive_the_files_of_redis_stop_growing_and_the_archive_goes_on() -> None:
    stock = disk(10e9, 2e6, spare_bytes=4e9, later_bytes_per_s=0.5e6)
    assert stock.full_in_s == pytest.approx(4e9 / 2e6 + 6e9 / 0.5e6)
    elsewhere = disk(10e9, 2e6, spare_bytes=4e9, later_bytes_per_s=0.0)
    assert elsewhere.full_in_s == math.inf
    small = disk(1e9, 2e6, spare_bytes=4e9, later_bytes_per_s=0.0)
    assert small.full_in_s == pytest.approx(500), "the disk is full before the memory is"


def test_files_of_redis_grow_to_three_times_the_memory_at_most() -> None:
    assert disk_spare_bytes(256, 0) == 768
    assert disk_spare_bytes(256, 700) == 68
    assert disk_spare_bytes(256, 5000) == 0


@pytest.mark.parametrize(
    ("left", "rate", "expected"),
    [
        (10 * GB, 0.0, "ok"),
        (10 * GB, 10 * GB / (25 * HOUR), "ok"),
        (10 * GB, 10 * GB / (23 * HOUR), "warning"),
        (10 * GB, 10 * GB / (0.9 * HOUR), "critical"),
        (1.9 * GB, 0.0, "warning"),
        (0.3 * GB, 0.0, "critical"),
        (5e6, 1e6, "full"),
        (0.0, 0.0, "full"),
        (-1.0, 1e6, "full"),
    ],
)
def test_levels_follow_time_and_share(left: float, rate: float, expected: Level) -> None:
    assert judge(disk(left, rate)) == expected


def test_a_tenth_of_a_large_disk_is_no_reason_to_warn() -> None:
    large = Stock("disk", "the disk of /data", 4000 * GB, 100 * GB)
    assert judge(large) == "ok"
    assert judge(Stock("redis", "the memory of Redis", 4000 * GB, 100 * GB)) == "warning"


def test_a_level_is_left_only_with_room_to_spare() -> None:
    stock = disk(10 * GB, 10 * GB / (30 * HOUR))
    assert judge(stock, "ok") == "ok"
    assert judge(stock, "warning") == "warning"
    assert judge(disk(10 * GB, 10 * GB / (37 * HOUR)), "warning") == "ok"
    assert judge(disk(1e6), "full") == "full", "a megabyte is soon gone again"
    assert judge(disk(0.25 * GB), "full") == "critical"


@given(stocks(), st.sampled_from(LEVELS))
def test_what_is_judged_once_is_judged_the_same_again(stock: Stock, before: Level) -> None:
    level = judge(stock, before)
    assert judge(stock, level) == level
    assert LEVELS.index(level) >= LEVELS.index(judge(stock))


@given(stocks(), st.floats(0, 1e12), st.sampled_from(LEVELS))
def test_more_room_is_never_worse(stock: Stock, more: float, before: Level) -> None:
    roomier = Stock(
        stock.place,
        stock.name,
        stock.size_bytes,
        stock.left_bytes + more,
        bytes_per_s=stock.bytes_per_s,
        spare_bytes=stock.spare_bytes,
        later_bytes_per_s=stock.later_bytes_per_s,
    )
    assert roomier.full_in_s >= stock.full_in_s * (1 - 1e-9)
    if stock.full_in_s > 0:
        assert roomier.full_in_s * (1 + 1e-9) >= stock.full_in_s
    assert LEVELS.index(judge(roomier, before)) <= LEVELS.index(judge(stock, before))


@given(st.lists(stocks(), max_size=4), st.sampled_from(LEVELS))
def test_the_worst_tells_the_level_and_every_level_but_ok_says_what_to_do(some: list[Stock], before: Level) -> None:
    record = appraise(some, before)
    levels = [judge(stock, before) for stock in some] or ["ok"]
    assert record.level == max(levels, key=LEVELS.index)
    assert (record.text == "") == (record.level == "ok")
    assert record.text == "" or record.text.endswith(".")
    if record.level == "full":
        assert record.limited_by in {stock.place for stock in some}
    if record.full_in_s is not None:
        assert record.full_in_s >= 0


def test_a_sentence_says_what_is_full_when_and_what_to_do() -> None:
    record = appraise([disk(7.2e9, 7.2e9 / (18.2 * HOUR))], "ok")
    assert record.text == (
        "The disk of /data has 7.2 GB left, which lasts for 18 hours at the present rate. Delete sessions ('blitz "
        "retention' shows which could go, 'blitz trash empty' gives their room back), or put archive_dir on a larger "
        "disk."
    )
    assert (record.limited_by, record.full_in_s) == ("disk", pytest.approx(18.2 * HOUR))
    full = appraise([Stock("disk", "the disk of /data", GB, -1, 512_000_000)], "ok")
    assert full.text.startswith("The disk of /data is full: only the reserve of 512 MB is left. Delete sessions (")


def test_what_is_full_first_is_named_while_all_is_well() -> None:
    record = appraise([disk(10 * GB, 1.0), Stock("redis", "the memory of Redis", GB, GB, bytes_per_s=100.0)], "ok")
    assert (record.level, record.text, record.limited_by) == ("ok", "", "redis")
    assert appraise([disk(10 * GB)], "ok").limited_by is None


def test_a_refusal_of_redis_is_critical_and_explained() -> None:
    trouble = explain_refusal("OOM command not allowed when used memory > 'maxmemory'.")
    record = appraise([disk(10 * GB)], "ok", trouble=trouble)
    assert record.level == "critical"
    assert record.text == trouble


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "raise redis_memory_mb"),
        ("command not allowed when used memory > 'maxmemory'.", "raise redis_memory_mb"),
        ("You can't write against a read only replica.", "address of its primary"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "Make room on that disk"),
        ("READONLY You can't write against a read only replica.", "address of its primary"),
    ],
)
def test_refusals_of_redis_say_what_to_do(error: str, remedy: str) -> None:
    sentence = explain_refusal(f"Cannot store messages of session 3 in Redis: {error}")
    assert sentence is not None
    assert remedy in sentence
    assert sentence.endswith(".")


def test_an_absent_redis_is_no_question_of_room() -> None:
    assert explain_refusal("Error 111 connecting to localhost:6379. Connection refused.") is None


def test_redis_gets_a_quarter_of_the_machine_within_bounds() -> None:
    assert redis_budget_bytes(None, 16 << 30) == 2 << 30
    assert redis_budget_bytes(None, 1) == 32 << 20
    assert redis_budget_bytes(300, 1 << 30) == 300 << 20


def test_growth_is_measured_and_a_file_written_anew_is_left_out() -> None:
    meter = GrowthMeter(1.0, least_bytes=100)
    size = recorded = 0.0
    for turn in range(60):
        recorded += 1000
        size = size + 1700 if turn % 10 != 9 else size / 3
        meter.measure(size, recorded)
    assert meter.ratio == pytest.approx(1.7, rel=0.05)


def test_growth_waits_for_enough_messages() -> None:
    meter = GrowthMeter(1.3, least_bytes=1000)
    meter.measure(0, 0)
    meter.measure(50_000, 10)
    assert meter.ratio == 1.3
