"""Historic sessions as arrays: gaps where they were, and one curve where a channel was renamed in mid-session."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry, TimelineKind
from blitz.data.sync import download
from blitz.ui.history import History, load_history
from blitz.ui.pages.history_page import ChannelChoice, HistoryPage
from blitz.ui.theme import LIGHT, Appearance

COUNT = 60


def printed(*names: str, scale: float = 1) -> BoardDefinition:
    channels = [{"name": name, "column": place, "scale": scale} for place, name in enumerate(names)]
    return BoardDefinition.model_validate({"id": "p", "name": "P", "format": "columns", "channels": channels})


@pytest.fixture
def load(tmp_path: Path, make: Any) -> Any:
    """Load a session of 60 messages, ``n,2n``, every 100 ms, whose rows change at given messages."""

    def run(definitions: list[BoardDefinition], changes: list[int], **fields: Any) -> History:
        sources = tuple(
            Source(index=place, name="ttyUSB0", link="/dev/ttyUSB0", definition=definition)
            for place, definition in enumerate(definitions)
        )
        record: SessionRecord = make.session(count=COUNT).model_copy(update={"sources": sources, **fields})
        start_ns = round(record.started_at.timestamp() * 1e9)
        rows = np.searchsorted(changes, np.arange(COUNT), "right").tolist()
        reads = [Read(start_ns + n * 10**8, rows[n], [f"{n},{2 * n}".encode()]) for n in range(COUNT)]
        cache = DatabaseClient(path=str(tmp_path / "cache.db"))

        async def fetch(first: int, count: int) -> list[MessageBlock]:
            return [MessageBlock.from_reads(record.id, 0, reads)]

        asyncio.run(download(record, fetch, cache))
        cache.close()
        return load_history(tmp_path / "cache.db", record.id, lambda *_: None, lambda: False)

    return run


def test_a_channel_renamed_in_mid_session_is_one_curve(load: Any) -> None:
    history = load([printed("column_1", "column_2"), printed("pressure", "flow")], [20])
    assert [channel.label for channel in history.channels] == ["pressure", "flow"]
    (index,) = history.series
    assert index == history.channels[0].source.index == 1
    assert history.series[1].values[:, 1].tolist() == [2.0 * n for n in range(COUNT)]


def test_a_channel_scaled_in_mid_session_stands_under_one_label(load: Any) -> None:
    history = load([printed("a"), printed("a", scale=0.5)], [20])
    assert {index: len(series.times) for index, series in history.series.items()} == {0: 20, 1: 40}
    choice = ChannelChoice(history.channels, LIGHT)
    assert choice.rowCount() == 1
    assert [(channel.source.index, place) for channel, place in choice.shown] == [(0, 0), (1, 0)]


def test_a_line_breaks_where_the_gap_says_also_without_a_clock(load: Any) -> None:
    gaps = (Gap(source=0, seq=30, from_ns=1, to_ns=2, reason="numbers are missing", lost=4, is_exact=True),)
    history = load([printed("a", "b"), printed("c", "d")], [20], gaps=gaps)
    assert np.flatnonzero(np.isnan(history.series[1].values[:, 0])).tolist() == [30]
    assert history.gaps({1}) == gaps
    assert history.gaps({0}) == ()


def test_the_page_says_the_verdict_and_what_happened(load: Any, appearance: Appearance, qtbot: QtBot) -> None:
    history = load([printed("a")], [])
    start_ns = round(history.record.started_at.timestamp() * 1e9)
    gap = Gap(source=0, seq=30, from_ns=start_ns, to_ns=start_ns + 47 * 10**9, reason="unplugged", lost=410)
    entry = TimelineEntry(kind=TimelineKind.COMMAND, time_ns=start_ns + 10**9, text="ada sent TARE to ttyUSB0")
    verdict = "1 gap, 410 lost, 60 recovered from the board, account balances"
    fields = {"gaps": (gap,), "timeline": (entry,), "verdict": verdict, "notes": "valve open"}
    record = history.record.model_copy(update=fields)
    page = HistoryPage(History(record, history.channels, history.series, history.coarse), appearance)
    qtbot.addWidget(page)
    assert verdict in page.about.text()
    assert "1 event" in page.about.text()
    notes, first, second = page.about.toolTip().split("\n")
    assert notes == "valve open"
    assert first.endswith("ttyUSB0: gap, 47 s, unplugged, about 410 messages missing")
    moment = (record.started_at + timedelta(seconds=1)).astimezone()
    assert second == f"{moment:%H:%M:%S}  ada sent TARE to ttyUSB0"
