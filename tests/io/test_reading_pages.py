"""Pages of decoded readings: whatever their size, together they are the session."""

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import BoardDefinition, Channel, SessionDecoder
from blitz.data.records import SessionRecord, Source
from blitz.data.series_request import choose_channels, session_channels, wanted_range
from blitz.data.spans import Columns, Spans, Steps, gathered, merged_spans
from blitz.errors import SeriesError
from blitz.io.reading_pages import PageLimits, page_header, reading_page, span_page
from blitz.io.session_decoding import SessionDecoding

STARTED_S = 1_790_000_000
COUNT = 60_000
LABELS = ("first", "second", "angle")
BASIC = BoardDefinition(
    id="08",
    name="Basic",
    channels=(Channel(name="first", bit=0, bits=12, unit="V"), Channel(name="second", bit=12, bits=12, scale=0.5)),
)
MOTOR = BoardDefinition(id="09", name="Motor", channels=(Channel(name="angle", bit=0, bits=16, unit="°"),))
SOURCES = (
    Source(index=0, name="sim1", link="pty", board_id="08", definition=BASIC),
    Source(index=1, name="printer", link="/dev/ttyUSB0"),
    Source(index=2, name="sim2", link="pty", board_id="09", definition=MOTOR),
)


class Store:
    """A session of two boards, whose clocks drift and whose messages come late, and of a printer."""

    def __init__(self, count: int = COUNT) -> None:
        rng = np.random.default_rng(11)
        seq = np.arange(count)
        source = (seq % 3).astype(np.uint16)
        device_ms = seq * 10 + 5
        arrived_ns = STARTED_S * 10**9 + np.maximum.accumulate(
            (device_ms * 1_000_100).astype(np.int64) + rng.integers(0, 30_000_000, count)
        )
        forms = {0: "08a0{ms:08x}{a:03x}{b:03x}0000000000", 1: "printed", 2: "09a0{ms:08x}{c:04x}000000000000"}
        raw = [
            forms[n % 3].format(ms=ms, a=n % 4096, b=n * 7 % 4096, c=n % 65536).encode()
            for n, ms in enumerate(device_ms.tolist())
        ]
        self._whole = MessageBlock(5, 0, arrived_ns, source, pa.array(raw, pa.binary()))
        self.record = SessionRecord(
            id=5,
            started_at=datetime.fromtimestamp(STARTED_S, UTC),
            stopped_at=datetime.fromtimestamp(STARTED_S + count / 100, UTC),
            message_count=count,
            sources=SOURCES,
        )
        self.asked: Counter[int] = Counter()

    def messages(self, session_id: int, first: int, count: int) -> MessageBlock:
        self.asked[first] += 1
        return self._whole.between(first, min(first + count, len(self._whole)))

    def readings(self):
        """Yield what the session means, decoded from its start in the blocks in which a cache has it."""
        decoder = SessionDecoder(SOURCES)
        for first in range(0, len(self._whole), GRID_MESSAGES):
            yield from decoder.decode(self._whole.between(first, min(first + GRID_MESSAGES, len(self._whole))))

    def rows(self, labels=LABELS, wanted=None) -> list[tuple[int, int, str, float]]:
        wanted = wanted or wanted_range(None, None, None, None, None)
        rows = []
        for readings in self.readings():
            is_wanted = (readings.time_ns >= wanted.start_ns) & (readings.time_ns < wanted.stop_ns)
            is_wanted &= (readings.seq >= wanted.first) & (readings.seq < (wanted.stop or COUNT))
            for column, channel in enumerate(readings.channels):
                if channel.name in labels:
                    columns = (readings.seq, readings.time_ns, readings.values[:, column])
                    for seq, time_ns, value in zip(*(each[is_wanted].tolist() for each in columns), strict=True):
                        rows.append((seq, time_ns, channel.name, value))
        return sorted(rows, key=lambda row: (row[0], labels.index(row[2])))


@pytest.fixture(scope="module")
def store() -> Store:
    return Store()


def pages(store, limits, labels=None, wanted=None, division=None, decoding=None):
    """Ask for page after page, as clients do."""
    decoding = decoding or SessionDecoding(store.messages)
    channels = choose_channels(session_channels(store.record.sources).values(), labels)
    wanted = wanted or wanted_range(None, None, None, None, None)
    found = []
    while True:
        if division is None:
            page = reading_page(decoding, store.record, channels, wanted, limits)
        else:
            page = span_page(decoding, store.record, channels, wanted, division, limits)
        found.append(page.table())
        if page.next_seq is None:
            return found
        assert page.next_seq >= wanted.first
        assert len(found) < 200
        wanted = type(wanted)(wanted.start_ns, wanted.stop_ns, page.next_seq, wanted.stop)


def rows_of(tables) -> list[tuple[int, int, str, float]]:
    table = pa.concat_tables([table.replace_schema_metadata(None) for table in tables], promote_options="permissive")
    columns = (table["seq"], table["time"].cast(pa.int64()), table["channel"].cast(pa.string()), table["value"])
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


@pytest.mark.parametrize(
    "limits",
    [PageLimits(), PageLimits(rows=5000), PageLimits(messages=1), PageLimits(seconds=0), PageLimits(rows=30_001)],
)
def test_pages_together_are_the_session_whatever_their_limits(store, limits):
    tables = pages(store, limits)
    assert rows_of(tables) == store.rows()
    assert max(table.num_rows for table in tables) <= limits.rows + 2
    assert [channel["label"] for channel in page_header(tables[0])["channels"]] == ["first", "second", "angle"]


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        ((None, None, 16_000, 1000, None), None),
        ((None, None, 59_990, None, None), None),
        ((STARTED_S + 300.0, STARTED_S + 310.0, None, None, None), None),
        ((STARTED_S + 300.0, STARTED_S + 301.0, 10, 40_000, None), ["angle"]),
        ((None, STARTED_S + 2.5, None, None, None), ["second"]),
        ((STARTED_S + 1e6, None, None, None, None), None),
        ((None, None, COUNT, None, None), None),
        ((None, None, 5, 0, None), None),
    ],
)
def test_a_range_has_the_times_that_it_has_within_the_whole(store, arguments, labels):
    wanted = wanted_range(*arguments)
    for limits in (PageLimits(), PageLimits(rows=700, messages=20_000)):
        assert rows_of(pages(store, limits, labels, wanted)) == store.rows(tuple(labels or LABELS), wanted)


def test_the_second_look_at_a_late_range_goes_on_where_the_first_one_was(store):
    decoding = SessionDecoding(store.messages)
    wanted = wanted_range(None, None, 50_000, 10, None)
    store.asked.clear()
    first = rows_of(pages(store, PageLimits(), wanted=wanted, decoding=decoding))
    assert set(store.asked) == {0, GRID_MESSAGES, 2 * GRID_MESSAGES, 3 * GRID_MESSAGES}
    store.asked.clear()
    assert rows_of(pages(store, PageLimits(), wanted=wanted, decoding=decoding)) == first
    assert set(store.asked) == {3 * GRID_MESSAGES}


def test_a_range_of_an_early_time_does_not_read_to_the_end(store):
    store.asked.clear()
    pages(store, PageLimits(), wanted=wanted_range(None, STARTED_S + 1.0, None, None, None))
    assert set(store.asked) == {0}


@pytest.mark.parametrize("limits", [PageLimits(), PageLimits(rows=50), PageLimits(messages=1)])
def test_spans_are_those_of_all_readings_however_they_were_cut(store, limits):
    rows = store.rows()
    for division in (Steps(10_000_000_000), Columns(STARTED_S * 10**9, (STARTED_S + 601) * 10**9, 13)):
        tables = pages(store, limits, division=division)
        for label in LABELS:
            times = np.array([row[1] for row in rows if row[2] == label], np.int64)
            values = np.array([row[3] for row in rows if row[2] == label])
            expected = gathered(label, "", "", times, values, division)
            parts = [table.filter(pa.compute.equal(table["channel"].cast(pa.string()), label)) for table in tables]
            found = merged_spans(
                Spans(
                    label,
                    "",
                    "",
                    part["time"].cast(pa.int64()).to_numpy(),
                    *(part[name].to_numpy() for name in ("count", "mean", "minimum", "maximum")),
                )
                for part in parts
            )
            for name in ("time_ns", "count", "minimum", "maximum"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
            np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)


def test_a_session_without_channels_or_messages_has_an_empty_page():
    empty = Store(0)
    assert rows_of(pages(empty, PageLimits())) == []
    unknown = Store(10)
    unknown.record = unknown.record.model_copy(update={"sources": SOURCES[1:2]})
    tables = pages(unknown, PageLimits())
    assert [table.num_rows for table in tables] == [0]
    assert tables[0].column_names == ["seq", "time", "source", "channel", "unit", "value"]


def test_readings_without_a_value_count_to_no_span():
    times = np.array([0, 1, 2, 12, 25], np.int64)
    found = gathered("a", "s", "V", times, np.array([np.nan, 2, 4, np.nan, 7]), Steps(10))
    assert found.time_ns.tolist() == [0, 20]
    assert found.count.tolist() == [2, 1]
    assert found.mean.tolist() == [3, 7]
    assert len(gathered("a", "s", "V", times[:1], np.array([np.nan]), Steps(10))) == 0
    assert len(merged_spans([found, gathered("a", "s", "V", times[:0], np.empty(0), Steps(10))])) == 2


@pytest.mark.parametrize("make", [lambda: Columns(0, 10, 0), lambda: Columns(10, 10, 5), lambda: Steps(0)])
def test_a_division_without_meaning_is_refused(make):
    with pytest.raises(SeriesError):
        make()
