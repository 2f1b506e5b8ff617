"""The window exports a session that stops by itself, and says where to, or why not."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from blitz.data.database_client import DatabaseClient
from blitz.data.export_rule import ExportRule
from blitz.data.records import SessionRecord
from blitz.ui.export_at_stop import ExportAtStop
from blitz.ui.feed import Feed
from blitz.ui.widgets.notices import NoticesArea

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"
WAIT_MS = 20_000


@pytest.fixture
def cache_path(tmp_path: Path) -> Path:
    """A cache with session 7, whole."""
    return Path(shutil.copy(CACHES / "v0.3.0.db", tmp_path / "cache.db"))


@pytest.fixture
def record(cache_path: Path) -> SessionRecord:
    with DatabaseClient(path=cache_path) as cache:
        return cache.session_record(7)


@pytest.fixture
def notices(qtbot: QtBot) -> NoticesArea:
    area = NoticesArea()
    qtbot.addWidget(area)
    return area


@pytest.fixture
def make(notices: NoticesArea, qtbot: QtBot) -> Iterator[Callable[[Feed, ExportRule | None], ExportAtStop]]:
    made: list[ExportAtStop] = []

    def make_one(feed: Feed, rule: ExportRule | None) -> ExportAtStop:
        made.append(ExportAtStop(feed, notices, rule))
        return made[-1]

    yield make_one
    for exports in made:
        exports.close()


def texts(notices: NoticesArea) -> list[str]:
    return [row.notice.text for row in notices._rows]


def test_a_session_that_stops_is_exported_and_the_window_says_where(
    feed: Feed, make: Callable[..., ExportAtStop], notices: NoticesArea, cache_path: Path, record: SessionRecord,
    tmp_path: Path, qtbot: QtBot,
) -> None:  # fmt: skip
    make(feed, ExportRule(tmp_path / "out", "run"))
    feed.cache_opened.emit(cache_path)
    feed.session_stopped.emit(record)
    qtbot.waitUntil(lambda: bool(texts(notices)), timeout=WAIT_MS)
    assert texts(notices)[0].endswith(f"to {tmp_path / 'out' / 'run.csv'}")
    assert (tmp_path / "out" / "run.csv").is_file()


def test_a_folder_that_is_away_is_told_once_and_tried_again_when_asked(
    feed: Feed, make: Callable[..., ExportAtStop], notices: NoticesArea, cache_path: Path, record: SessionRecord,
    tmp_path: Path, qtbot: QtBot,
) -> None:  # fmt: skip
    exports = make(feed, ExportRule(tmp_path / "drive" / "out", "run"))
    feed.cache_opened.emit(cache_path)
    feed.session_stopped.emit(record)
    qtbot.waitUntil(lambda: bool(texts(notices)), timeout=WAIT_MS)
    assert "was not exported: Cannot write into the folder" in texts(notices)[0]
    assert "tried again by itself" in texts(notices)[0]
    (tmp_path / "drive").mkdir()
    exports._retry(record.id)
    qtbot.waitUntil(lambda: texts(notices)[0].startswith("Exported"), timeout=WAIT_MS)
    assert len(texts(notices)) == 2


def test_a_session_that_is_not_here_is_downloaded_first(
    feed: Feed, make: Callable[..., ExportAtStop], cache_path: Path, record: SessionRecord, tmp_path: Path, qtbot: QtBot
) -> None:
    with DatabaseClient(path=cache_path) as cache:
        cache.clear_session_data(7)
    make(feed, ExportRule(tmp_path / "out"))
    feed.cache_opened.emit(cache_path)
    feed.session_stopped.emit(record)
    qtbot.waitUntil(lambda: ("download", 7) in feed.requests, timeout=WAIT_MS)  # type: ignore[attr-defined]


def test_without_a_folder_nothing_is_exported(
    feed: Feed, make: Callable[..., ExportAtStop], cache_path: Path, record: SessionRecord, notices: NoticesArea
) -> None:
    make(feed, None)
    feed.cache_opened.emit(cache_path)
    feed.session_stopped.emit(record)
    assert not texts(notices)
