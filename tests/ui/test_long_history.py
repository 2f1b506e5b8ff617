"""Sessions too long for memory: views are read through the overview, in a thread, and hide nothing."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Gap, SessionRecord, Source
from blitz.data.sync import download
from blitz.errors import CacheError
from blitz.ui import history as history_module
from blitz.ui import overview_maker
from blitz.ui.history import History, load_history
from blitz.ui.long_history import LongHistory
from blitz.ui.overview_maker import OverviewMaker
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.theme import Appearance
from blitz.ui.view_loader import ViewLoader

COUNT = 30_000
PAUSE_AT, GAP_AT, SPIKE_AT = 20_000, 9_001, 12_345


def _printed(scale: float) -> BoardDefinition:
    channels = [{"name": "a", "column": 0, "scale": scale}, {"name": "b", "column": 1, "valid_high": 50_000}]
    return BoardDefinition.model_validate({"id": "p", "name": "P", "format": "columns", "channels": channels})


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SessionRecord]:
    """A session of a reading every 10 ms, with a pause of a minute, a gap, a spike, and a row that was renamed."""
    path = tmp_path_factory.mktemp("long") / "cache.db"
    sources = tuple(
        Source(index=place, name="ttyUSB0", link="", board_id=None, definition=_printed(1)) for place in (0, 1)
    )
    start = datetime(2026, 5, 4, 12, tzinfo=UTC)
    gap = Gap(source=1, seq=GAP_AT, from_ns=1, to_ns=2, reason="numbers are missing", lost=4, is_exact=True)
    record = SessionRecord(id=1, started_at=start, message_count=COUNT, sources=sources, gaps=(gap,))
    start_ns = round(start.timestamp() * 1e9)
    reads = [
        Read(
            start_ns + n * 10**7 + (6 * 10**10 if n >= PAUSE_AT else 0),
            int(n >= 7_000),
            [b"%d,%d" % (9_999_999 if n == SPIKE_AT else n % 1000, 99_999 if n == 5_000 else n % 77)],
        )
        for n in range(COUNT)
    ]
    whole = MessageBlock.from_reads(1, 0, reads)

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [whole.between(first, first + count)]

    cache = DatabaseClient(path=path)
    asyncio.run(download(record, fetch, cache))
    cache.close()
    return path, record


@pytest.fixture
def short(cached: tuple[Path, SessionRecord]) -> History:
    return load_history(cached[0], 1, lambda *_: None, lambda: False)


@pytest.fixture
def long(cached: tuple[Path, SessionRecord], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(history_module, "MOST_IN_MEMORY", 1000)
    history = load_history(cached[0], 1, lambda *_: None, lambda: False)
    yield history
    history.close()


def test_a_long_session_is_not_decoded_into_memory(short: History, long: History) -> None:
    assert isinstance(long, LongHistory)
    assert (short.is_quick, long.is_quick) == (True, False)
    assert long.series == {}
    assert long.time_limits == short.time_limits
    assert [channel.label for channel in long.channels] == [channel.label for channel in short.channels]
    assert long.between(0, 0, 1, 100) is None  # the renamed row is shown under the newer one


def test_a_near_view_has_every_reading(short: History, long: History) -> None:
    begin, end = short.time_limits or (0.0, 0.0)
    rng = np.random.default_rng(4)
    for _ in range(20):
        low = rng.uniform(begin, end - 12)
        high = low + rng.uniform(0.001, 10)
        near, whole = long.between(1, low, high, 500), short.between(1, low, high, 500)
        assert near is not None
        assert whole is not None
        wanted = ~np.isnan(whole.values[:, 0])  # a break before the first reading stands at the time of that before it
        first, last = whole.times[wanted][[0, -1]]
        is_reading = (near.times >= first) & (near.times <= last) & ~np.isnan(near.values[:, 0])
        assert np.array_equal(near.times[is_reading], whole.times[wanted])
        assert np.array_equal(near.values[is_reading], whole.values[wanted], equal_nan=True)


def test_a_far_view_keeps_extremes_and_breaks(short: History, long: History) -> None:
    begin, end = short.time_limits or (0.0, 0.0)
    far = long.between(1, begin, end, 100)
    assert far is not None
    assert len(far.times) < 350
    assert (np.diff(far.times) >= 0).all()
    assert (far.times[0], far.times[-1]) == (begin, end)
    assert np.nanmax(far.values, axis=0).tolist() == [9_999_999, 76]
    assert np.nanmin(far.values, axis=0).tolist() == [0, 0]
    breaks = far.times[np.isnan(far.values[:, 0])]
    gap_s, pause_s = begin + GAP_AT / 100, begin + PAUSE_AT / 100
    width = (end - begin) / 100
    assert len(breaks) >= 2
    assert all(min(abs(time - gap_s), abs(time - pause_s), abs(time - pause_s - 60)) < 2 * width for time in breaks)
    # No stroke crosses the pause.
    crossing = [
        (one, other)
        for one, other, value, after in zip(far.times, far.times[1:], far.values[:, 0], far.values[1:, 0], strict=False)
        if other - one > 30 and not (np.isnan(value) or np.isnan(after))
    ]
    assert crossing == []


def test_a_page_shows_a_long_session_without_waiting(long: History, appearance: Appearance, qtbot: QtBot) -> None:
    page = HistoryPage(long, appearance)
    qtbot.addWidget(page)
    page.resize(900, 500)
    page.show()
    qtbot.waitUntil(lambda: len(page.plot.strokes) == 2, timeout=20_000)
    begin, _ = long.time_limits or (0.0, 0.0)
    page.plot.show_times(begin + 10, begin + 10.2)

    def shows_every_reading() -> bool:
        return 20 <= len(next(iter(page.plot.strokes.values())).times) < 200

    qtbot.waitUntil(shows_every_reading, timeout=20_000)
    long.close()
    page.plot.show_times(begin + 20, begin + 20.2)
    qtbot.waitUntil(lambda: "is closed" in page.plot.sentence, timeout=20_000)


def test_only_the_newest_wish_is_loaded(qtbot: QtBot, qapp: Any) -> None:
    loader = ViewLoader(qapp)
    seen: list[int] = []
    loader.loaded.connect(seen.append)
    for number in range(50):
        loader.ask(lambda number=number: number)  # type: ignore[misc]
    qtbot.waitUntil(lambda: bool(seen) and seen[-1] == 49, timeout=20_000)
    assert seen == [0, 49]


def test_a_view_that_cannot_be_read_is_told(qtbot: QtBot, qapp: Any) -> None:
    loader = ViewLoader(qapp)

    def fail() -> None:
        raise CacheError("The cache is closed.")

    with qtbot.waitSignal(loader.failed, timeout=20_000) as told:
        loader.ask(fail)
    assert told.args == ["The cache is closed."]
    with qtbot.waitSignal(loader.loaded, timeout=20_000):
        loader.ask(lambda: 1)


def test_a_long_session_gets_its_overview_when_it_has_been_downloaded(
    cached: tuple[Path, SessionRecord], feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, record = cached
    monkeypatch.setattr(type(feed), "cache_path", property(lambda _: path))
    maker = OverviewMaker(feed, 7)
    with DatabaseClient(path=path) as cache:
        definition = _printed(3)
        cache.add_definition_version(record.id, {"ttyUSB0": definition})
        assert cache.find_overview(record.id) is None
        feed.download_finished.emit(record.id)
        assert maker.wait(20_000)
        assert cache.find_overview(record.id) is None  # it is short
        monkeypatch.setattr(overview_maker, "MOST_IN_MEMORY", 1000)
        feed.download_finished.emit(record.id)
        feed.download_finished.emit(99)
        assert maker.wait(20_000)
        assert cache.find_overview(record.id) is not None
        assert cache.overview_limit_bytes == 7 << 20
        cache.delete_definition_version(record.id)
    maker.close()
