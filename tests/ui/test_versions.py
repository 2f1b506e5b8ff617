"""A historic session read anew: the dialog, the choice of versions, two versions in one plot."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.definition_file import write_definition
from blitz.data.records import SessionRecord, Source
from blitz.data.sync import download
from blitz.ui.dialogs.reread import RereadDialog
from blitz.ui.history import load_history
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.plots.history_plot import same_channel

COUNT = 60


def printed(*names: str, **fields: Any) -> BoardDefinition:
    channels = [{"name": name, "column": place, **fields} for place, name in enumerate(names)]
    return BoardDefinition.model_validate({"id": "p", "name": "P", "format": "columns", "channels": channels})


@pytest.fixture
def path(tmp_path: Path, make: Any) -> Path:
    """A cache with one session of 60 messages, ``n,2n``, every 100 ms, and a source whose channels nobody knows."""
    sources = (
        Source(index=0, name="scale", link="/dev/ttyUSB0", definition=printed("mass", "drift", unit="g")),
        Source(index=1, name="other", link="/dev/ttyUSB1"),
    )
    record: SessionRecord = make.session(count=COUNT).model_copy(update={"sources": sources})
    start_ns = round(record.started_at.timestamp() * 1e9)
    reads = [Read(start_ns + n * 10**8, 0, [f"{n},{2 * n}".encode()]) for n in range(COUNT)]

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [MessageBlock.from_reads(record.id, 0, reads)]

    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        asyncio.run(download(record, fetch, cache))
    return tmp_path / "cache.db"


@pytest.fixture
def session_id(make: Any) -> int:
    return int(make.session(count=COUNT).id)


@pytest.fixture
def open_page(window: Any, feed: Any, path: Path, session_id: int) -> Callable[..., HistoryPage]:
    """Open the session in the window by a version; return its page."""
    feed.path = path

    def run(version: int | None = None) -> HistoryPage:
        window.histories.show(load_history(path, session_id, lambda *_: None, lambda: False, version))
        page = window.tabs.currentWidget()
        assert isinstance(page, HistoryPage)
        return page

    return run


def shown_page(window: Any) -> HistoryPage:
    page = window.tabs.currentWidget()
    assert isinstance(page, HistoryPage)
    return page


def drawn_values(page: HistoryPage) -> dict[Any, Any]:
    return {key: stroke.values for key, stroke in page.plot.strokes.items()}


def type_into(dialog: RereadDialog, row: int, name: str, text: str) -> None:
    assert dialog.grid is not None
    field = dialog.grid.field(row, name)
    assert field is not None
    field.setText(text)
    field.textEdited.emit(text)


def test_a_session_is_read_anew_and_compared_with_the_recording(
    window: Any, open_page: Callable[..., HistoryPage], path: Path, session_id: int, qtbot: QtBot
) -> None:
    page = open_page()
    assert page.versions.choice.isHidden()
    assert page.versions.compare.isHidden()
    page.plot.show_times(*np.add(page.plot.time_range[0], [1.0, 2.0]).tolist())
    looked_at = page.plot.time_range
    dialog = window.version_actions.correct(page.history)
    assert dialog.source.currentText() == "scale"
    type_into(dialog, 0, "scale", "0,5")
    type_into(dialog, 0, "unit", "kg")
    type_into(dialog, 1, "name", "creep")
    dialog.reason.setText("wrong range")
    dialog.accept()
    qtbot.waitUntil(lambda: shown_page(window).history.version == 1, timeout=30_000)
    page = shown_page(window)
    assert page.plot.time_range == pytest.approx(looked_at)
    assert [channel.channel.unit for channel in page.history.channels] == ["kg", "g"]
    assert page.versions.choice.currentText() == "version 1, wrong range"
    with DatabaseClient(path=path) as cache:
        (version,) = cache.definition_versions(session_id)
    assert (version.reason, version.sources) == ("wrong range", ("scale",))
    assert version.who
    page.plot.fit()
    page.versions.compare.setChecked(True)
    qtbot.waitUntil(lambda: page.plot.compared is not None, timeout=30_000)
    page.plot.draw_now()
    drawn = drawn_values(page)
    assert drawn[0, 0][:3].tolist() == [0.0, 0.5, 1.0]
    assert drawn["compared", 0, 0][:3].tolist() == [0.0, 1.0, 2.0]
    assert drawn["compared", 0, 1][:3].tolist() == [0.0, 2.0, 4.0]
    page.versions.compare.setChecked(False)
    page.plot.draw_now()
    assert set(drawn_values(page)) == {(0, 0), (0, 1)}
    page.versions.choice.setCurrentIndex(0)
    page.versions.choice.activated.emit(0)
    qtbot.waitUntil(lambda: shown_page(window).history.version == 0, timeout=30_000)
    assert shown_page(window).versions.compare.text() == "&Compare with version 1"


def test_a_version_is_deleted_after_a_question(
    window: Any, open_page: Callable[..., HistoryPage], path: Path, session_id: int, qtbot: QtBot
) -> None:
    with DatabaseClient(path=path) as cache:
        cache.add_definition_version(session_id, {"scale": printed("mass", "drift", scale=2.0)})
    page = open_page()
    assert not page.versions.delete.isHidden()
    for words, left in (("Cancel", 1), ("Delete", 0)):
        box = window.version_actions.delete(page.history)
        next(button for button in box.buttons() if button.text().replace("&", "") == words).click()
        qtbot.waitUntil(lambda left=left: shown_page(window).history.version == left, timeout=30_000)
    assert shown_page(window).versions.delete.isHidden()
    with DatabaseClient(path=path) as cache:
        assert cache.definition_versions(session_id) == []


def test_what_cannot_be_is_said_in_the_dialog(
    window: Any, open_page: Callable[..., HistoryPage], path: Path, session_id: int, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog = window.version_actions.correct(open_page().history)
    dialog.accept()
    assert dialog.problem.text() == "Nothing is changed yet."
    type_into(dialog, 0, "scale", "many")
    dialog.accept()
    assert "“many”, the scale of mass, is not a number." in dialog.problem.text()
    type_into(dialog, 0, "scale", "1")
    dialog.take_file(tmp_path / "nothing.toml")
    assert "Cannot read the board definition" in dialog.problem.text()
    far = printed("a").model_copy(update={"channels": printed(*"abcdefgh").channels[7:]})
    write_definition(far, tmp_path / "far.toml")
    dialog.take_file(tmp_path / "far.toml")
    assert dialog.problem.isHidden()
    dialog.accept()
    qtbot.waitUntil(lambda: "reads no message of scale" in dialog.problem.text(), timeout=30_000)
    assert dialog.isVisible()
    with DatabaseClient(path=path) as cache:
        assert cache.definition_versions(session_id) == []
    dialog.source.setCurrentText("other")
    assert dialog.kind.text() == "Nobody knows its channels: choose a file."
    dialog.reject()


def test_the_dialog_shows_what_the_last_message_means(window: Any, open_page: Callable[..., HistoryPage]) -> None:
    dialog = window.version_actions.correct(open_page().history)
    type_into(dialog, 1, "scale", "0.5")
    assert dialog.grid is not None
    assert (dialog.grid._sent[1].text(), dialog.grid._values[1].text()) == ("118", "59.0 g")
    dialog.reject()


def test_the_whole_definition_is_edited_with_the_sessions_last_messages(
    window: Any, open_page: Callable[..., HistoryPage]
) -> None:
    dialog = window.version_actions.correct(open_page().history)
    type_into(dialog, 0, "unit", "kg")
    editor = dialog.edit_definition()
    assert editor is not None
    preview = editor.page.preview.preview
    assert [preview.index(0, column).data() for column in (1, 3, 4)] == ["59,118", "59", "118"]
    editor.page.text.replace(editor.page.text.toPlainText().replace("column = 1", "column = 0"))
    assert preview.index(0, 4).data() == "59"
    editor.page.save.click()
    assert not editor.isVisible()
    (definition,) = dialog.definitions.values()
    assert [(channel.column, channel.unit) for channel in definition.channels] == [(0, "kg"), (0, "g")]
    dialog.reject()


def test_a_channel_is_found_again_by_name_or_by_place(path: Path, session_id: int) -> None:
    with DatabaseClient(path=path) as cache:
        cache.add_definition_version(session_id, {"scale": printed("drift", "creep")})
    old, new = (load_history(path, session_id, lambda *_: None, lambda: False, version) for version in (0, 1))
    found = {channel.label: same_channel(channel, old.channels) for channel in new.channels}
    assert [other and other.label for other in found.values()] == ["drift", None]
