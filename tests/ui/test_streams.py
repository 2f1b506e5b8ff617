"""Streams in the window: listed, shown beside the boards, recorded, commanded. The feed has no server."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import BoardRecord, LinkState, Role
from blitz.data.source_config import SourceConfig
from blitz.data.stream_records import CommandState, StreamCommand, StreamRecord
from blitz.ui.board_causes import cause_of
from blitz.ui.board_watch import Watched
from blitz.ui.checklist import Light, check_server
from blitz.ui.dialogs.streams import StreamsDialog
from blitz.ui.main_window import MainWindow
from blitz.ui.models.streams import AGE, NAME, POINTS, SHOWN, VALUE, StreamView


def view(name: str, newest: Any = None, **fields: Any) -> StreamView:
    count = 0 if newest is None else 1
    record = StreamRecord(
        **{"id": 3, "name": name, "created_at": datetime.now(UTC), "point_count": count, "newest_t": None} | fields
    )
    return StreamView(record, newest)


def board(name: str, *, stream: str = "", is_recorded: bool = True, state: str = "ready") -> BoardRecord:
    return BoardRecord(
        name=name, link=f"stream:{stream or name}", baud=0, state=LinkState(state), is_recorded=is_recorded
    )


@pytest.fixture
def dialog(window: MainWindow, feed: Any, make: Any) -> StreamsDialog:
    feed.go_online()
    feed.status_received.emit(make.status())
    window.stream_actions.ask()
    (dialog,) = window.findChildren(StreamsDialog)
    assert feed.requests[-1] == ("list streams",)
    feed.streams_listed.emit(
        (view("a", 1), view("b", 2.5, unit="V", newest_t=time.time() - 90), view("c", downlink=True))
    )
    return dialog  # type: ignore[no-any-return]


def show_boards(feed: Any, make: Any, *boards: BoardRecord, session: Any = None) -> None:
    status = make.status(session)
    feed.status_received.emit(status.model_copy(update={"boards": (*status.boards, *boards)}))


def texts(dialog: StreamsDialog, row: int) -> list[str]:
    return [str(dialog.streams.index(row, column).data()) for column in (NAME, VALUE, AGE, POINTS, SHOWN)]


def choose(dialog: StreamsDialog, name: str) -> None:
    row = dialog.streams.row_of(name)
    assert row is not None
    dialog.table.selectRow(row)


def test_streams_are_listed_with_those_that_are_not_shown_first(dialog: StreamsDialog, feed: Any, make: Any) -> None:
    assert texts(dialog, 1) == ["b", "2.5 V", "2 min", "1", "not shown"]
    assert texts(dialog, 2) == ["c", "–", "–", "0", "not shown"]
    choose(dialog, "b")
    show_boards(feed, make, board("bench", stream="b"), board("a", is_recorded=False))
    assert [stream.name for stream in dialog.streams.streams] == ["c", "a", "b"]
    assert [texts(dialog, row)[-1] for row in range(3)] == ["not shown", "shown only", "shown and recorded as bench"]
    assert dialog.selected is not None
    assert dialog.selected.name == "b"  # the selection has gone with the row


def test_a_stream_is_shown_recorded_and_hidden(dialog: StreamsDialog, feed: Any, make: Any) -> None:
    choose(dialog, "b")
    assert not dialog.hide_it.isEnabled()
    QTest.mouseClick(dialog.record, Qt.LeftButton)
    assert feed.requests[-1] == ("add source", SourceConfig(name="b", link="stream:b"))
    QTest.mouseClick(dialog.show_only, Qt.LeftButton)
    assert feed.requests[-1] == ("add source", SourceConfig(name="b", link="stream:b", is_recorded=False))
    show_boards(feed, make, board("b", is_recorded=False))
    assert not dialog.show_only.isEnabled()
    QTest.mouseClick(dialog.record, Qt.LeftButton)
    assert feed.requests[-1] == ("record stream", "b", True)
    show_boards(feed, make, board("b"))
    assert not dialog.record.isEnabled()
    QTest.mouseClick(dialog.show_only, Qt.LeftButton)
    assert feed.requests[-1] == ("record stream", "b", False)
    QTest.mouseClick(dialog.hide_it, Qt.LeftButton)
    assert feed.requests[-1] == ("delete source", "b")


def test_who_may_not_configure_looks_only(dialog: StreamsDialog, feed: Any) -> None:
    choose(dialog, "c")
    feed.identity_received.emit(WhoRecord(name="wall", role=Role.VIEWER))
    assert not any(part.isEnabled() for part in (dialog.record, dialog.show_only, dialog.send, dialog.value))
    assert "viewer" in dialog.record.toolTip()
    feed.identity_received.emit(WhoRecord(name="bench", role=Role.OPERATOR))
    assert dialog.record.isEnabled()


def test_what_becomes_of_a_command_is_told_beside_it(dialog: StreamsDialog, feed: Any) -> None:
    choose(dialog, "a")
    assert not dialog.send.isVisible()
    choose(dialog, "c")
    assert dialog.command_words.text() == "&Command to c"
    QTest.keyClicks(dialog.value, "21.5")
    QTest.keyClick(dialog.value, Qt.Key_Return)
    assert feed.requests[-1] == ("stream command", "c", 21.5)
    assert dialog.outcome.text() == "is being sent …"
    command = StreamCommand(id=4, stream="c", t=1.0, d=21.5)
    for state, words in (
        (CommandState.SENT, "21.5 sent, waiting for an answer"),
        (CommandState.ACKNOWLEDGED, "21.5 acknowledged"),
        (CommandState.TIMED_OUT, "21.5 timed out: nobody has answered"),
        (CommandState.FAILED, "21.5 failed: too hot"),
    ):
        reason = "too hot" if state is CommandState.FAILED else ""
        feed.stream_command_told.emit("c", command.model_copy(update={"state": state, "reason": reason}), "")
        assert dialog.outcome.text() == words
    feed.stream_command_told.emit("c", None, "the server is away")
    assert dialog.outcome.text() == "not sent: the server is away"
    assert dialog.outcome.property("state") == "bad"


def test_a_list_that_cannot_be_fetched_is_not_taken_for_an_empty_one(dialog: StreamsDialog, feed: Any) -> None:
    feed.streams_listed.emit(None)
    assert dialog.streams.rowCount() == 0
    assert "tried again" in dialog.table._hint
    feed.streams_listed.emit(())
    assert "no streams" in dialog.table._hint


def test_a_stream_that_is_not_recorded_is_plotted_beside_the_session(window: MainWindow, feed: Any, make: Any) -> None:
    stream = make.source(5).model_copy(update={"name": "room", "link": "stream:room"})
    feed.go_online()
    show_boards(feed, make, board("room", is_recorded=False), session=make.session(running=True))
    feed.sources_received.emit(7, (make.source(0),))
    feed.sources_received.emit(PREVIEW_ID, (make.source(0), stream))
    for source, session_id in ((make.source(0), 7), (make.source(0), PREVIEW_ID), (stream, PREVIEW_ID)):
        feed.readings_received.emit(make.readings(source, 3, session_id=session_id))
    assert (window.store.session_id, window.store.count(0), window.store.count(5)) == (7, 3, 3)
    show_boards(feed, make, board("room"), session=make.session(running=True))
    feed.readings_received.emit(make.readings(stream, 3, first=3, session_id=PREVIEW_ID))
    assert window.store.count(5) == 0  # it comes with the session from now on
    assert [source.name for source in window.store.sources] == ["sim1"]


def test_a_stream_that_says_nothing_is_nothing_to_mend() -> None:
    rates = Watched(rates=(10.0,) * 60, usual_hz=10.0)
    now = datetime.now(UTC)
    assert cause_of(board("room"), rates, now).sentence == "It delivers. Faults: none."
    assert "not recorded" in cause_of(board("room", is_recorded=False), rates, now).sentence


def test_the_checklist_asks_about_no_stream(make: Any) -> None:
    boards = (board("empty"), board("room", is_recorded=False))
    checks = check_server(make.status(boards=0).model_copy(update={"boards": boards})).checks
    assert [(check.light, check.state) for check in checks[:2]] == [
        (Light.GREEN, "is ready, and has no point yet"),
        (Light.OFF, "is shown, and not recorded"),
    ]
