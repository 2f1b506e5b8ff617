"""Overviews of cached sessions: nothing is hidden, parts are exact, and a damaged file is never trusted."""

import itertools
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data import pyramids, session_series
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.pyramid_format import Pyramid
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import SessionRecord, Source
from blitz.errors import DownloadCancelled

START_NS = 1_700_000_000_000_000_000
# Seeds do not shrink.
RANDOM = settings(phases=(Phase.explicit, Phase.generate), max_examples=100 if os.environ.get("BLITZ_SOAK") else 12)


@pytest.fixture(autouse=True)
def _everything_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_series, "_FEW_MESSAGES", 100)


def _definition(clock: bool, scale: float = 1.0) -> BoardDefinition:
    channels = [{"name": "a", "column": 1, "scale": scale}, {"name": "b", "column": 2}]
    about: dict[str, Any] = {"id": "p", "name": "P", "format": "columns", "channels": channels}
    if clock:
        about["clock"] = {"column": 0, "unit": "ms", "wraps_at": 60_000}
    return BoardDefinition.model_validate(about)


class RandomSession:
    """Two devices, one of which changes its definition; values with NaN, times with pauses; a clock that restarts."""

    def __init__(self, cache: DatabaseClient, seed: int, count: int, session_id: int = 1) -> None:
        self.id = session_id
        rng = np.random.default_rng(seed)
        steps = rng.integers(0, 20, count) * rng.integers(0, 2, count)
        steps[rng.integers(0, count, 3)] += 5_000
        arrived_ms = np.cumsum(steps)
        ticks = arrived_ms + rng.integers(0, 3, count)
        ticks[rng.integers(0, count) :] -= 3_000
        values = np.round(rng.normal(0, 1000, (count, 2)), 3)
        values[rng.random((count, 2)) < 0.01] = np.nan
        kind = np.where(rng.random(count) < 0.3, 2, np.where(np.arange(count) < count // 3, 0, 1)).astype(np.uint16)
        lines = [
            b"%d,%s,%s" % (tick % 60_000, *(b"x" if np.isnan(v) else b"%.3f" % v for v in row))
            for tick, row in zip(ticks.tolist(), values.tolist(), strict=True)
        ]
        sources = (
            Source(index=0, name="one", link="", board_id=None, definition=_definition(True, 2.0)),
            Source(index=1, name="one", link="", board_id=None, definition=_definition(True)),
            Source(index=2, name="two", link="", board_id=None, definition=_definition(False)),
        )
        started = datetime.fromtimestamp(START_NS / 1e9, UTC)
        record = SessionRecord(id=session_id, started_at=started, message_count=count, sources=sources)
        block = MessageBlock(session_id, 0, START_NS + arrived_ms * 10**6, kind, pa.array(lines, pa.binary()))
        cache.begin_download(record)
        cache.store_block(session_id, block)
        cache.finish_download(record)


_ids = itertools.count(1000)


@pytest.fixture(scope="module")
def shared() -> Iterator[DatabaseClient]:
    """One cache for all the random sessions: to make one takes longer than to try a session."""
    with DatabaseClient() as cache:
        yield cache


def clocks_before(cache: DatabaseClient, session_id: int, seq: int) -> tuple[int, Any]:
    pyramid = cache.find_overview(session_id)
    assert pyramid is not None
    return cache.overviews.clocks_before(pyramid, seq)


def _between(whole: Any, start_ns: int, stop_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    here = slice(*np.searchsorted(whole.time_ns, [start_ns, stop_ns]))
    return whole.time_ns[here], whole.values[here]


@RANDOM
@given(st.integers(0, 2**32), st.integers(300, 20_000), st.integers(8, 400), st.floats(0, 1), st.floats(0, 1))
def test_a_thinned_series_hides_and_invents_nothing(
    shared: DatabaseClient, seed: int, count: int, most: int, one: float, other: float
) -> None:
    number = RandomSession(shared, seed, count, next(_ids)).id
    wholes = shared.series(number)
    span_ns = max(int(whole.time_ns[-1]) for whole in wholes.values()) + 1 - START_NS
    start_ns, stop_ns = (START_NS + round(min(one, other) * span_ns), START_NS + round(max(one, other) * span_ns))
    start, stop = (np.datetime64(edge, "ns") for edge in (start_ns, stop_ns))
    for label, found in shared.series(number, start=start, stop=stop, max_points=most).items():
        time_ns, values = _between(wholes[label], start_ns, stop_ns)
        assert len(found) <= most
        assert found.is_thinned or len(values) <= most
        if not found.is_thinned:
            assert np.array_equal(found.time_ns, time_ns)
            assert np.array_equal(found.values, values, equal_nan=True)
            continue
        assert (np.diff(found.time_ns) >= 0).all()
        assert np.isnan(found.values).any() == np.isnan(values).any()
        assert np.isin(found.values[~np.isnan(found.values)], values).all()
        # What is shown begins in the first column and ends in the last one: they hold the first and the last reading.
        column_ns = (time_ns[-1] - time_ns[0]) / (most // 2 * 2 // 3)
        assert 0 <= found.time_ns[0] - time_ns[0] <= column_ns
        assert 0 <= time_ns[-1] - found.time_ns[-1] <= column_ns
        # Of the readings between any two times that are shown, those at the two included, every value lies between
        # the smallest and the largest one shown there and in the columns beside.
        for edge in range(0, len(found) - 8, 5):
            between = (time_ns >= found.time_ns[edge + 3]) & (time_ns <= found.time_ns[edge + 5])
            inner = values[between & ~np.isnan(values)]
            assert len(inner) == 0 or np.nanmin(found.values[max(edge - 3, 0) : edge + 12]) <= inner.min()
            assert len(inner) == 0 or np.nanmax(found.values[max(edge - 3, 0) : edge + 12]) >= inner.max()


@RANDOM
@given(st.integers(0, 2**32), st.integers(300, 20_000), st.floats(0, 1), st.floats(0, 1))
def test_a_part_is_what_lies_in_the_whole(
    shared: DatabaseClient, seed: int, count: int, one: float, other: float
) -> None:
    number = RandomSession(shared, seed, count, next(_ids)).id
    wholes = shared.series(number)
    first, stop = round(min(one, other) * count), round(max(one, other) * count)
    span_ns = int(wholes["one a"].time_ns[-1]) - START_NS
    start_ns, stop_ns = (START_NS + round(share * span_ns) for share in sorted((one, other)))
    edges = np.datetime64(start_ns, "ns"), np.datetime64(stop_ns, "ns")
    by_seq, by_time, last = (
        shared.series(number, first=first, count=stop - first),
        shared.series(number, None, *edges),
        shared.series(number, None, *edges, last=37),
    )
    kept = {"one a": [], "two b": []}  # type: ignore[var-annotated]
    for _, decoded in decoded_blocks(shared, number):
        for readings in decoded:
            here = (readings.seq >= first) & (readings.seq < stop)
            label, column = ("two b", 1) if readings.source.index == 2 else ("one a", 0)
            kept[label] += readings.values[here, column].tolist()
    for label, values in kept.items():
        assert np.array_equal(by_seq[label].values, values, equal_nan=True)
        times, expected = _between(wholes[label], start_ns, stop_ns)
        assert np.array_equal(by_time[label].time_ns, times)
        assert np.array_equal(by_time[label].values, expected, equal_nan=True)
        assert np.array_equal(last[label].values, expected[-37:], equal_nan=True)


@RANDOM
@given(st.integers(0, 2**32), st.integers(1, 40_000), st.floats(0, 1))
def test_decoding_from_a_checkpoint_gives_what_decoding_from_the_start_gives(
    shared: DatabaseClient, seed: int, count: int, share: float
) -> None:
    number = RandomSession(shared, seed, count, next(_ids)).id
    first = min(round(share * count), count - 1)
    expected = [readings for _, decoded in decoded_blocks(shared, number, first=first) for readings in decoded]
    assert shared.find_overview(number) is None
    shared.make_overview(number)
    begin, _ = clocks_before(shared, number, first)
    assert begin == first // GRID_MESSAGES * GRID_MESSAGES
    found = [readings for _, decoded in decoded_blocks(shared, number, first=first) for readings in decoded]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.source == other.source
        for name in ("seq", "time_ns", "values", "uncertainty_ns"):
            assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)


def test_an_overview_is_found_again_and_made_anew_when_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with DatabaseClient(path=path) as cache:
        RandomSession(cache, 1, 20_000)
        expected = cache.series(1, "one a", max_points=50)["one a"].values
    (file,) = (tmp_path / "cache.db.overview").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole + b"x", b"", whole[:40], b"\xff" + whole[1:], whole[:30] + b"\xff" + whole[31:]):
        file.write_bytes(damaged)
        with DatabaseClient(path=path) as cache:
            assert cache.find_overview(1) is None
            again = cache.series(1, "one a", max_points=50)["one a"].values
            assert np.array_equal(again, expected, equal_nan=True)
        assert file.read_bytes() == whole
    with DatabaseClient(path=path) as cache:
        assert cache.find_overview(1) is not None


@pytest.mark.parametrize("is_small", [True, False])
def test_a_flipped_bit_anywhere_in_an_overview_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_small: bool
) -> None:
    path = tmp_path / "cache.db"
    with DatabaseClient(path=path) as cache:
        RandomSession(cache, 1, 20_000)
        expected = cache.series(1, "one a", max_points=50)["one a"].values
    (file,) = (tmp_path / "cache.db.overview").iterdir()
    whole = file.read_bytes()
    if not is_small:
        monkeypatch.setattr(pyramids, "_CHECKED_AT_ONCE_BYTES", 0)
    for place in np.random.default_rng(1).integers(0, len(whole), 6).tolist():
        caplog.clear()
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with DatabaseClient(path=path) as cache:
            cache.find_overview(1)
            deadline = time.monotonic() + 20
            while file.exists() and time.monotonic() < deadline:  # a large one is checked while it is looked at
                time.sleep(0.001)
            assert [record.message.partition(":")[0] for record in caplog.records] == ["An overview is made anew"]
            assert cache.find_overview(1) is None
            again = cache.series(1, "one a", max_points=50)["one a"].values
            assert np.array_equal(again, expected, equal_nan=True)
        assert file.read_bytes() == whole


def test_checkpoints_that_are_damaged_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pyramid, "check", lambda *_: None)  # not come to yet
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        RandomSession(cache, 1, 20_000)
        cache.make_overview(1)
        assert clocks_before(cache, 1, 17_000)[0] == GRID_MESSAGES
    (file,) = (tmp_path / "cache.db.overview").iterdir()
    file.write_bytes(file.read_bytes()[:-9] + bytes(9))
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        assert clocks_before(cache, 1, 17_000) == (0, {})
        assert cache.find_overview(1) is None


def test_another_definition_has_an_overview_of_its_own(tmp_path: Path) -> None:
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        RandomSession(cache, 1, 20_000)
        before = cache.series(1, "two a", max_points=50)["two a"]
        cache.add_definition_version(1, {"two": _definition(False, 3.0)})
        after = cache.series(1, "two a", max_points=50)["two a"]
        assert np.nanmax(after.values) == pytest.approx(3 * np.nanmax(before.values))
        recorded = cache.series(1, "two a", max_points=50, version=0)["two a"]
        assert np.array_equal(recorded.values, before.values, equal_nan=True)
    assert len(list((tmp_path / "cache.db.overview").iterdir())) == 2


def test_the_overview_that_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        for session_id in (1, 2, 3):
            RandomSession(cache, session_id, 5_000, session_id)
        for session_id in (1, 2):
            cache.make_overview(session_id)
        folder = tmp_path / "cache.db.overview"
        for seconds, file in enumerate(sorted(folder.iterdir(), reverse=True)):
            os.utime(file, (1_000 + seconds, 1_000 + seconds))  # that of session 2 is older
        cache.overview_limit_bytes = sum(file.stat().st_size for file in folder.iterdir()) + 100
        cache.make_overview(3)
        assert sorted(file.name[0] for file in folder.iterdir()) == ["1", "3"]


def test_a_cancelled_overview_leaves_nothing_behind(tmp_path: Path) -> None:
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        RandomSession(cache, 1, 20_000)
        with pytest.raises(DownloadCancelled):
            cache.make_overview(1, is_cancelled=lambda: True)
        assert list((tmp_path / "cache.db.overview").iterdir()) == []


def test_where_the_folder_cannot_be_written_overviews_are_temporary(tmp_path: Path) -> None:
    (tmp_path / "cache.db.overview").write_text("a file where the folder should be")
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        RandomSession(cache, 1, 20_000)
        assert cache.find_overview(1) is None
        pyramid = cache.make_overview(1)
        assert pyramid is not None
        assert cache.find_overview(1) is pyramid
        assert tmp_path not in pyramid.path.parents
        assert len(cache.series(1, "one a", max_points=50)["one a"]) <= 50


def test_without_any_room_a_session_opens_all_the_same(cache: DatabaseClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyramids, "build_pyramid", refuse)
    RandomSession(cache, 1, 20_000)
    assert cache.make_overview(1) is None
    assert len(cache.series(1, "one a", max_points=50)["one a"]) <= 50
