"""The page of raw messages, and what it asks for."""

from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import LinkState, Role, TimelineEntry, TimelineKind
from blitz.ui.feed import BoardCommand, Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.message_pattern import PatternKind
from blitz.ui.models.console_lines import HEX, TEXT
from blitz.ui.pages.console_page import ConsolePage
from blitz.ui.raw_messages import RawRing
from blitz.ui.widgets.console_bar import ShownAs
from blitz.ui.widgets.send_line import LineHistory

START_NS = 1_772_366_400_000_000_000
ONLINE = ConnectionState(Connection.ONLINE, "http://127.0.0.1:8999")
WAIT_MS = 30_000


def make_block(first: int, *raw: bytes, source: int = 0) -> MessageBlock:
    return MessageBlock.from_reads(0, first, [Read(START_NS + first * 1_000_000, source, list(raw))], "store")


def texts(page: ConsolePage) -> list[str]:
    return [page.lines.index(row, TEXT).data() for row in range(page.lines.rowCount())]


@pytest.fixture
def page(window: MainWindow, feed: Any, make: Any) -> ConsolePage:
    """The console of a window that is connected, in front."""
    feed.connection_changed.emit(ONLINE)
    feed.status_received.emit(make.status(boards=2))
    feed.sources_received.emit(0, (make.source(0), make.source(1, "09")))
    window.menus["console"].trigger()
    assert window.console.page.isVisible()
    return window.console.page


def test_what_boards_send_appears_while_the_page_is_shown(page: ConsolePage, feed: Any, qtbot: QtBot) -> None:
    feed.raw_received.emit(make_block(0, b"0a", b"0b"))
    qtbot.waitUntil(lambda: texts(page) == ["0a", "0b"], timeout=WAIT_MS)
    assert page.state.text() == "2 messages here"
    assert [page.bar.board.itemText(place) for place in range(page.bar.board.count())] == ["All boards", "sim1", "sim2"]


def test_a_page_that_is_not_shown_draws_nothing_and_keeps_all(
    page: ConsolePage, window: MainWindow, feed: Any, qtbot: QtBot
) -> None:
    window.menus["boards"].trigger()
    drawn: list[bool] = []
    page.lines.rowsInserted.connect(lambda: drawn.append(True))
    page.lines.modelReset.connect(lambda: drawn.append(True))
    for first in range(0, 30_000, 100):
        feed.raw_received.emit(make_block(first, *[b"0a"] * 100))
        if first % 3000 == 0:
            qtbot.wait(1)
    assert not page._timer.isActive()
    assert drawn == []
    assert page.lines.rowCount() == 0
    window.menus["console"].trigger()
    assert page.lines.rowCount() == 30_000
    assert drawn == [True]


def test_a_fast_board_is_drawn_by_the_timer_alone(page: ConsolePage, feed: Any) -> None:
    for first in range(0, 20_000, 20):
        feed.raw_received.emit(make_block(first, *[b"0a"] * 20))
    assert page.lines.rowCount() == 0  # a thousand blocks, no event loop: nothing was drawn
    page.draw()
    assert page.lines.rowCount() == 20_000
    bar = page.table.verticalScrollBar()
    assert bar.value() == bar.maximum()


def test_who_looks_back_stays_where_he_is(page: ConsolePage, feed: Any) -> None:
    feed.raw_received.emit(make_block(0, *(b"%d" % seq for seq in range(49_000))))
    page.draw()
    assert page.newest.isHidden()
    page.table.scrollTo(page.lines.index(30_000, TEXT), page.table.PositionAtTop)
    seen = page.table.indexAt(page.table.viewport().rect().topLeft()).siblingAtColumn(TEXT).data()
    feed.raw_received.emit(make_block(49_000, *(b"%d" % seq for seq in range(49_000, 53_000))))
    page.draw()
    assert page.table.indexAt(page.table.viewport().rect().topLeft()).siblingAtColumn(TEXT).data() == seen
    assert not page.newest.isHidden()
    page.newest.click()
    page.draw()
    assert page.newest.isHidden()


def test_the_space_bar_pauses_and_goes_on(page: ConsolePage, feed: Any) -> None:
    feed.raw_received.emit(make_block(0, b"before"))
    page.draw()
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key_Space)
    feed.raw_received.emit(make_block(1, b"after", b"later"))
    page.draw()
    assert texts(page) == ["before"]
    assert page.bar.pause.text() == "Go on · 2 new"
    assert page.state.text().endswith("paused, 2 came meanwhile")
    QTest.keyClick(page.table, Qt.Key_Space)
    assert texts(page) == ["before", "after", "later"]


def test_a_blank_can_be_typed_into_the_filter(page: ConsolePage) -> None:
    QTest.keyClicks(page.bar.words, "a b")
    assert page.bar.words.text() == "a b"
    assert not page.lines.is_paused


def test_text_hex_or_both_are_shown(page: ConsolePage) -> None:
    for shown_as, hidden in ((ShownAs.TEXT, [HEX]), (ShownAs.HEX, [TEXT]), (ShownAs.BOTH, [])):
        page.bar._buttons[shown_as].click()
        assert [column for column in (TEXT, HEX) if page.table.isColumnHidden(column)] == hidden


def test_a_filter_holds_for_what_comes_and_a_wrong_one_is_told(page: ConsolePage, feed: Any) -> None:
    feed.raw_received.emit(make_block(0, b"T=20", b"P=1"))
    page.draw()
    page.bar.kind.setCurrentText(PatternKind.REGEX.value)
    page.bar.words.setText("T=[0-9]+")
    feed.raw_received.emit(make_block(2, b"T=21", b"P=2"))
    page.draw()
    assert texts(page) == ["T=20", "T=21"]
    assert page.state.text() == "4 messages here, 2 shown"
    page.bar.words.setText("T=[")
    assert not page.bar.wrong.isHidden()
    assert "is no regular expression" in page.bar.wrong.text()
    assert texts(page) == ["T=20", "T=21"]
    page.bar.words.clear()
    assert page.bar.wrong.isHidden()
    assert len(texts(page)) == 4


def test_choosing_a_board_shows_its_messages_and_sends_to_it(page: ConsolePage, feed: Any) -> None:
    feed.raw_received.emit(make_block(0, b"one"))
    feed.raw_received.emit(make_block(1, b"two", source=1))
    page.draw()
    page.bar.board.setCurrentText("sim2")
    assert texts(page) == ["two"]
    assert page.foot.board.currentText() == "sim2"


def test_a_search_goes_to_the_next_match_and_round(page: ConsolePage, feed: Any) -> None:
    feed.raw_received.emit(make_block(0, b"T=20", b"P=1", b"T=21"))
    page.draw()
    page.bar.search.setText("t=")
    QTest.keyClick(page.bar.search, Qt.Key_Return)
    rows = [page.table.currentIndex().row()]
    for step in (1, 1, -1):
        page.find_next(step)
        rows.append(page.table.currentIndex().row())
    assert rows == [0, 2, 0, 2]
    assert page.bar.found.text() == "2 of 2"
    page.bar.search.setText("none of it")
    page.bar.next.click()
    assert page.bar.found.text() == "none found"


def test_rows_are_copied_and_all_is_saved(
    page: ConsolePage, window: MainWindow, feed: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    feed.raw_received.emit(make_block(0, b"one", b"two"))
    page.draw()
    page.show_as(ShownAs.TEXT)
    page.table.selectRow(1)
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key_C, Qt.ControlModifier)
    assert [line.split("\t")[1:] for line in QApplication.clipboard().text().splitlines()] == [
        ["board", "seq", "text"],
        ["sim1", "1", "two"],
    ]
    page.bar.save.click()
    dialog = next(dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "console.txt"))
    dialog.close()
    qtbot.waitUntil(lambda: any("Saved 2 lines" in text for text in window.notices.texts), timeout=WAIT_MS)
    assert len((tmp_path / "console.txt").read_text().splitlines()) == 3


def test_a_line_is_sent_with_its_ending_and_remembered(
    page: ConsolePage, feed: Any, make: Any, preferences: Any
) -> None:
    status = make.status(boards=2)
    boards = (status.boards[0], status.boards[1].model_copy(update={"format": "columns"}))
    feed.status_received.emit(status.model_copy(update={"boards": boards}))
    sending = page.foot.line
    assert sending.ending.isHidden()  # a Blitz board
    page.foot.board.setCurrentText("sim2")
    sending.ending.setCurrentText("CR")
    QTest.keyClicks(sending.line, "rate 5")
    QTest.keyClick(sending.line, Qt.Key_Return)
    assert feed.requests[-1] == ("command", "sim2", BoardCommand("rate 5", ending="\r"))
    sending.hexadecimal.click()
    sending.line.setText("02 52")
    sending.send.click()
    assert feed.requests[-1] == ("command", "sim2", BoardCommand("02 52", is_hex=True, ending="\r"))
    sending.line.setText("half")
    for key, shown in ((Qt.Key_Up, "02 52"), (Qt.Key_Up, "rate 5"), (Qt.Key_Down, "02 52"), (Qt.Key_Down, "half")):
        QTest.keyClick(sending.line, key)
        assert sending.line.text() == shown
    assert bytes(preferences.place("sent_lines").data()) == b"rate 5\n02 52"


def test_what_was_sent_and_its_answer_stand_among_the_messages(page: ConsolePage, feed: Any) -> None:
    entry = TimelineEntry(
        kind=TimelineKind.COMMAND, time_ns=START_NS, source="sim1", text="sim1 was sent '0081'.", sent="0081"
    )
    feed.timeline_received.emit(7, entry.model_copy(update={"answer": "41"}))
    feed.timeline_received.emit(0, entry.model_copy(update={"error": "sim1 does not answer."}))
    feed.timeline_received.emit(7, entry.model_copy(update={"kind": TimelineKind.CLOCK_STEP}))
    page.draw()
    assert texts(page) == ["0081", "41", "0081", "sim1 does not answer."]
    feed.command_answered.emit("sim1", "0081", "41")
    assert page.foot.answer.text() == "sim1: 0081 → 41"


@pytest.mark.parametrize("state", [LinkState.AWAY, LinkState.RELEASED, LinkState.AMBIGUOUS])
def test_nothing_can_be_sent_where_the_board_cannot_hear_and_the_reason_is_told(
    state: LinkState, page: ConsolePage, feed: Any, make: Any
) -> None:
    status = make.status(boards=1)
    board = status.boards[0].model_copy(update={"state": state})
    feed.status_received.emit(status.model_copy(update={"boards": (board,)}))
    assert not page.foot.line.line.isEnabled()
    assert "sim1" in page.foot.line.line.placeholderText()
    feed.status_received.emit(status)
    assert page.foot.line.line.isEnabled()


def test_a_viewer_reads_and_cannot_send(page: ConsolePage, feed: Any) -> None:
    feed.identity_received.emit(WhoRecord(name="wall screen", role=Role.VIEWER))
    assert not page.foot.line.send.isEnabled()
    assert "its role is viewer" in page.foot.line.line.placeholderText()


def test_without_a_server_the_page_says_what_to_do(page: ConsolePage, feed: Any) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.OFFLINE))
    assert "Not connected" in page.table._hint
    assert page.foot.line.line.placeholderText() == "no board is connected"


def test_messages_of_a_page_alone_are_its_rings(qtbot: QtBot) -> None:
    ring = RawRing()
    page = ConsolePage(ring, LineHistory(["0081"]))
    qtbot.addWidget(page)
    ring.add(make_block(0, b"a"), ())
    page.draw()
    assert page.lines.index(0, 1).data() == "source 0"
