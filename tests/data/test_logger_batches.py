"""Batches of a logger: the same points under the same number until they are acknowledged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.data import logger_batches
from blitz.data.logger_batches import Batch, LoggerBatches
from blitz.data.logger_file import LoggerFile, open_logger_file


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LoggerFile]:
    file = open_logger_file(tmp_path / "cache.db", lambda file: file.add_stream("a", {}))
    yield file
    file.close()


def begin(file: LoggerFile, most_points: int = 5000, stream: str = "a") -> Batch:
    batch = LoggerBatches(file).next(stream, most_points)
    assert batch is not None
    return batch


def values(batch: Batch) -> list[Any]:
    return [point["d"] for point in batch.points]


def insert(file: LoggerFile, *numbers: int) -> None:
    file.insert_many({"a": [{"t": 1, "d": number} for number in numbers]})


def test_a_batch_stays_as_it_is_until_it_is_acknowledged(file: LoggerFile) -> None:
    insert(file, 1, 2)
    batch = begin(file)
    assert (values(batch), batch.is_repeated, batch.restamp) == ([1, 2], False, False)
    insert(file, 3)
    again = open_logger_file(file.path)  # as another program does, or the same one after a crash
    repeated = begin(again)
    assert (values(repeated), repeated.number, repeated.writer) == ([1, 2], batch.number, batch.writer)
    assert repeated.is_repeated
    LoggerBatches(again).acknowledge(repeated)
    again.close()
    following = begin(file)
    assert values(following) == [3]
    assert following.number > batch.number
    LoggerBatches(file).acknowledge(batch)  # late, and over
    assert file.count() == 1
    assert values(begin(file)) == [3]


def test_numbers_are_not_used_again_by_streams_or_after_clearing(file: LoggerFile) -> None:
    file.add_stream("b", {})
    numbers = []
    for _ in range(3):
        file.insert_many({"a": [{"t": 1, "d": 1}], "b": [{"t": 1, "d": 1}]})
        numbers += [begin(file).number, begin(file, stream="b").number]
        file.clear()
        assert LoggerBatches(file).next("a") is None
    assert numbers == sorted(set(numbers))


def test_a_batch_that_is_over_is_neither_acknowledged_nor_refused_nor_given_up(file: LoggerFile) -> None:
    batches = LoggerBatches(file)
    insert(file, 1)
    batch = begin(file)
    file.clear()
    insert(file, 2)
    batches.acknowledge(batch)
    batches.refuse(batch, {0: "no"})
    assert not batches.release(batch)
    assert (file.count(), batches.refused()) == (1, [])


def test_batches_are_bounded_in_points_and_bytes(file: LoggerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.insert_many({"a": [{"t": n, "d": n} for n in range(12_500)]})
    sizes = []
    while file.count():
        batch = begin(file)
        sizes.append(len(batch.points))
        LoggerBatches(file).acknowledge(batch)
    assert sizes == [5000, 5000, 2500]
    monkeypatch.setattr(logger_batches, "BATCH_BYTES", 1000)
    for _ in range(3):
        file.insert("a", "x" * 600, 1)
    file.insert("a", "x" * 6000, 1)
    assert len(begin(file).points) == 1


def test_a_smaller_batch_can_be_had_of_many_points(file: LoggerFile) -> None:
    batches = LoggerBatches(file)
    insert(file, *range(10))
    file.insert("a", 10, 1)
    for most, expected in ((4, [0, 1, 2, 3]), (1, [4]), (3, [5, 6, 7]), (9, [8, 9, 10])):
        batch = begin(file, most)
        assert values(batch) == expected
        assert batches.release(batch)
        batch = begin(file, most)
        assert values(batch) == expected
        batches.acknowledge(batch)
    assert file.count() == 0


def test_refused_points_are_put_aside_and_the_others_go_on_in_order(file: LoggerFile) -> None:
    batches = LoggerBatches(file)
    insert(file, *range(5))
    insert(file, 5, 6)
    batch = begin(file, 5)
    batches.refuse(batch, {1: "odd", 3: "odd, too"})
    assert (file.count(), batches.last_refusal()) == (5, 2)
    assert [(point.d, point.reason, point.t, point.stream) for point in batches.refused()] == [
        (1, "odd", 1.0, "a"),
        (3, "odd, too", 1.0, "a"),
    ]
    assert [point.d for point in batches.refused("a", after=1)] == [3]
    assert batches.refused("b") == []
    following = begin(file)
    assert following.number > batch.number
    assert values(following) == [0, 2, 4, 5, 6]


def test_refused_points_are_sent_with_another_time_or_forgotten(file: LoggerFile) -> None:
    batches = LoggerBatches(file)
    insert(file, 1, 2)
    batches.refuse(begin(file), {0: "old", 1: "old"})
    insert(file, 3)
    assert batches.restamp_refused("b") == 0
    assert batches.restamp_refused() == 2
    assert batches.refused() == []
    first = begin(file)  # those that may be restamped go by themselves
    assert (values(first), first.restamp) == ([3], False)
    batches.acknowledge(first)
    second = begin(file)
    assert (values(second), second.restamp) == ([1, 2], True)
    batches.refuse(second, {1: "still not"})
    third = begin(file)
    assert (values(third), third.restamp) == ([1], True)
    assert batches.drop_refused("b") == 0
    assert batches.drop_refused() == 1
    assert batches.refused() == []


def test_all_batches_are_restamped_where_the_file_says_so(file: LoggerFile) -> None:
    insert(file, 1)
    file.keep("restamp", True)
    batch = begin(file)
    assert batch.restamp
    file.keep("restamp", False)
    assert begin(file).restamp  # it stays what it is
    LoggerBatches(file).release(batch)
    assert not begin(file).restamp


def test_a_new_writer_numbers_what_is_sent_from_then_on(file: LoggerFile) -> None:
    insert(file, 1)
    batch = begin(file)
    assert LoggerBatches(file).release(batch, new_writer=True)
    again = begin(file)
    assert again.writer != batch.writer
    assert values(again) == values(batch)
