"""Readings of a cached session as a sequence, from rows and from blocks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Reading
from blitz.data.records import SessionRecord, Source


def test_rows_added_one_by_one_are_read_by_time(any_cache: DatabaseClient, all_readings: Callable[..., Any]) -> None:
    a, b = any_cache.get_or_create_category("a"), any_cache.get_or_create_category("b")
    for time_ms, category_id in ((300, a), (100, b), (200, a), (100, a)):
        any_cache.add_reading(1, time_ms, category_id, time_ms / 2)
    any_cache.add_reading(2, 1, a, 1)
    readings = any_cache.get_session_readings(1)
    assert len(readings) == readings.count() == 4
    assert all_readings(any_cache, 1) == [(100, "b", 50), (100, "a", 50), (200, "a", 100), (300, "a", 150)]
    assert [reading.time_logged for reading in readings[1:3]] == [100, 200]
    assert readings[-1].time_logged == 300


def test_many_rows_are_read_page_by_page(cache: DatabaseClient) -> None:
    category_id = cache.get_or_create_category("a")
    cache.add_many(
        Reading(session_id=1, time_logged=n // 3, category_id=category_id, value=n) for n in range(2 * 4096 + 5)
    )
    assert [reading.value for reading in cache.get_session_readings(1)] == list(range(2 * 4096 + 5))


def test_a_downloaded_session_reads_as_it_was_sent(
    any_cache: DatabaseClient, example: Callable[..., Any], all_readings: Callable[..., Any]
) -> None:
    session = example(GRID_MESSAGES + 50)
    session.fill(any_cache)
    assert all_readings(any_cache, 7) == session.readings()


def test_any_place_of_a_downloaded_session_can_be_asked_for(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(2 * GRID_MESSAGES + 50)
    session.fill(cache)
    expected = session.readings()
    readings = cache.get_session_readings(7)

    def shown(reading: Reading) -> tuple[int, str, float]:
        return reading.time_logged, reading.category.variable_name, reading.value

    assert len(readings) == readings.count() == len(expected)
    for place in (0, 1, GRID_MESSAGES - 1, GRID_MESSAGES, len(expected) - 1, -1, -len(expected)):
        assert shown(readings[place]) == expected[place]
    for place in (slice(16380, 16390), slice(-3, None), slice(50, 40, -3), slice(None, None, 5000), slice(9, 9)):
        assert [shown(reading) for reading in readings[place]] == expected[place]
    for place in (len(expected), -len(expected) - 1):
        with pytest.raises(IndexError, match=f"has {len(expected)}"):
            readings[place]


def test_rows_come_before_the_download(
    cache: DatabaseClient, example: Callable[..., Any], all_readings: Callable[..., Any]
) -> None:
    session = example(10)
    session.fill(cache)
    cache.add_reading(7, 5, cache.get_or_create_category("extra"), 1.5)
    assert all_readings(cache, 7) == [(5, "extra", 1.5), *session.readings()]
    readings = cache.get_session_readings(7)
    assert len(readings) == len(session.readings()) + 1
    assert [reading.value for reading in readings[:3]] == [1.5, *(value for _, _, value in session.readings()[:2])]


def test_a_session_without_readings_is_empty_and_false(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    assert not cache.get_session_readings(7)
    assert len(cache.get_session_readings(7)) == 0
    example(5).fill(cache)
    assert cache.get_session_readings(7)


def test_what_cannot_be_decoded_is_no_reading(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(6)
    block = session.block(0, 6)
    raw = pa.array([b"zz", b"", *block.messages()[2:]], pa.binary())
    cache.begin_download(session.record)
    cache.store_block(7, MessageBlock(7, 0, block.arrived_ns, block.source, raw, block.store_id))
    cache.finish_download(session.record)
    assert [reading.value for reading in cache.get_session_readings(7)] == [
        value for time_ms, _, value in session.readings() if time_ms > session.started_s * 1000
    ]


def test_the_variables_of_a_download_are_its_latest_readings(
    any_cache: DatabaseClient, example: Callable[..., Any]
) -> None:
    session = example(GRID_MESSAGES + 50)
    session.fill(any_cache)
    latest = any_cache.get_session_variables(7)
    any_cache.close()
    expected = {label: (time_ms, value) for time_ms, label, value in session.readings()}
    assert {reading.category.variable_name: (reading.time_logged, reading.value) for reading in latest} == expected
    assert len(latest) == 3


def test_sources_that_share_a_channel_are_kept_apart(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    first = example(0).record.sources[0]
    sources = (first, Source(index=1, name="sim9", link="pty", board_id="08", definition=first.definition))
    record = SessionRecord(id=3, started_at=example(0).record.started_at, message_count=2, sources=sources)
    messages = [b"08a0000000000010020000000000", b"08a0000000000030040000000000"]
    block = MessageBlock(3, 0, np.array([1, 2]), np.array([0, 1], np.uint16), pa.array(messages, pa.binary()))
    cache.begin_download(record)
    cache.store_block(3, block)
    cache.finish_download(record)
    assert {row.category.variable_name: row.value for row in cache.get_session_variables(3)} == {
        "sim1 first": 1,
        "sim1 second": 1,
        "sim9 first": 3,
        "sim9 second": 2,
    }


def test_a_downloaded_reading_can_be_kept_as_a_row(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    example(3).fill(cache)
    reading = cache.get_session_readings(7)[1]
    assert reading.id is None
    assert cache.add(reading).id == 1
    row = cache.get_by_id(Reading, 1)
    assert (row.session_id, row.time_logged, row.value, row.category.variable_name) == (
        7,
        reading.time_logged,
        0.5,
        "second",
    )
