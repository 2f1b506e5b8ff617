"""Every action of the page of sessions, of the trash, and of a history."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PyQt5.QtCore import QPoint
from PyQt5.QtWidgets import QFileDialog, QMessageBox, QPlainTextEdit

from blitz import Client
from blitz.ui.alarm_view import AlarmView
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.reference import ReferenceDialog
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.dialogs.session_details import SessionDetailsDialog
from blitz.ui.dialogs.session_words import SessionWordsDialog
from blitz.ui.pages.comparison_page import ComparisonPage

Stage = Any


def page_of(stage: Stage) -> Any:
    return stage.window.sessions_page


def a_session_without_copy(stage: Stage) -> int:
    session_id: int = stage.a_session()
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    stage.select(session_id)
    return session_id


def record_of(stage: Stage, session_id: int) -> Any:
    return stage.ask_server(lambda client: client.session(session_id))


def view(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    yield ""
    stage.press(page_of(stage), "View")
    yield f"Session {session_id} was not downloaded"
    stage.wait(lambda: getattr(stage.window.tabs.currentWidget(), "session_id", None) == session_id)
    stage.wait(lambda: len(stage.window.tabs.currentWidget().plot.strokes) > 0)


def download(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    yield ""
    stage.press(page_of(stage), "Download")
    yield f"Session {session_id} was not downloaded"
    stage.wait(lambda: stage.sessions.is_local(session_id))


def cancel_download(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    yield ""
    stage.press(page_of(stage), "Download")
    stage.wait(lambda: stage.sessions.is_downloading(session_id) or stage.sessions.is_local(session_id))
    if stage.sessions.is_downloading(session_id):
        stage.session_action["cancel"].trigger()
    yield ""
    stage.wait(lambda: not stage.sessions.is_downloading(session_id))


def keep(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    yield ""
    stage.session_action["keep"].trigger()
    stage.wait(lambda: stage.told or stage.sessions.is_chosen(session_id))
    yield ""
    stage.wait(lambda: stage.sessions.is_chosen(session_id) and stage.sessions.is_local(session_id))
    stage.session_action["keep"].trigger()
    stage.wait(lambda: not stage.sessions.is_chosen(session_id))


def export(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    path = stage.folder / f"export {session_id}.csv"
    stage.press(page_of(stage), "Export")
    stage.cancel(ExportDialog)  # that has brought it here
    assert not path.exists()
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    yield ""
    stage.press(page_of(stage), "Export")
    yield f"Session {session_id} was not downloaded"
    dialog = stage.dialog(ExportDialog)
    dialog.file.setText(str(path))
    dialog.accept_button.click()
    stage.wait(lambda: stage.heard(f"Exported to {path}"))
    assert len(path.read_text().splitlines()) == record_of(stage, session_id).message_count + 1
    stage.press(stage.window.notices, "Open folder")
    assert stage.opened == [str(stage.folder)]


def report(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    path = stage.folder / f"report {session_id}.html"
    yield ""
    stage.session_action["report"].trigger()
    yield f"Session {session_id} was not downloaded"
    dialog = stage.dialog(ReportDialog)
    dialog.file.setText(str(path))
    dialog.accept_button.click()
    stage.wait(lambda: stage.heard(f"Report written to {path}"))
    assert "<svg" in path.read_text()
    stage.press(stage.window.notices, "Open folder")
    assert stage.opened == [str(stage.folder)]


def pack(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    path = stage.folder / f"{session_id}.blitz"
    yield ""
    stage.session_action["pack"].trigger()
    yield f"Session {session_id} was not downloaded"
    stage.cancel(QFileDialog)
    assert not path.exists()
    stage.session_action["pack"].trigger()
    stage.choose_file(path)
    stage.wait(lambda: any(str(stage.folder) in text for text in stage.told))
    assert list(stage.folder.glob(f"{session_id}.*"))


def rename(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.press(page_of(stage), "Rename")
    stage.cancel(SessionWordsDialog)
    stage.press(page_of(stage), "Rename")
    dialog = stage.dialog(SessionWordsDialog)
    dialog._name.setText("another name")
    yield ""
    dialog.accept_button.click()
    yield f"Session {session_id} was not renamed"
    stage.wait(lambda: stage.listed(session_id).name == "another name")
    assert record_of(stage, session_id).name == "another name"


def details(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.press(page_of(stage), "Details")
    stage.cancel(SessionDetailsDialog)
    stage.press(page_of(stage), "Details")
    dialog = stage.dialog(SessionDetailsDialog)
    notes = dialog.findChild(QPlainTextEdit)
    notes.setPlainText("a note")
    yield ""
    dialog.accept()
    yield f"Session {session_id} is as before"
    stage.wait(lambda: record_of(stage, session_id).notes == "a note")


def open_details(stage: Stage) -> Iterator[str]:
    stage.a_session()
    yield ""
    stage.press(page_of(stage), "Details")
    yield ""  # where there is a copy, it is read
    stage.cancel(SessionDetailsDialog)


def star(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    yield ""
    stage.press(page_of(stage), "Star")
    yield f"The star of session {session_id} is as before"
    stage.wait(lambda: stage.listed(session_id).starred)
    assert record_of(stage, session_id).starred
    stage.press(page_of(stage), "Unstar")
    stage.wait(lambda: not stage.listed(session_id).starred)


def delete(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.press(page_of(stage), "Delete")
    stage.cancel(QMessageBox)
    stage.press(page_of(stage), "Delete")
    yield ""
    stage.answer("Move to the trash")
    yield f"Session {session_id} was not deleted"
    stage.wait(lambda: stage.listed(session_id) is None)
    stage.press(stage.window.notices, "Undo")
    stage.wait(lambda: stage.listed(session_id) is not None)
    assert record_of(stage, session_id).id == session_id


def delete_only_here(stage: Stage) -> Iterator[str]:
    session_id = stage.a_session()
    stage.press(page_of(stage), "Delete")
    yield ""
    stage.answer("Delete only the copy here")
    yield ""
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    assert record_of(stage, session_id).id == session_id


def trash(stage: Stage) -> Iterator[str]:
    stage.window.tabs.setCurrentWidget(page_of(stage))
    yield ""
    stage.press(page_of(stage), "Trash")
    yield "The list of the trash is not up to date"
    assert stage.window.tabs.currentWidget() is stage.window.trash_actions.page
    stage.press(stage.window.tabs.tabBar(), "Close")
    assert stage.window.trash_actions.page is None


def compare(stage: Stage) -> Iterator[str]:
    before = stage.a_session()
    session_id = a_session_without_copy(stage)
    yield ""
    stage.press(page_of(stage), "Compare")
    yield f"Session {session_id} was not downloaded"
    stage.wait(lambda: isinstance(stage.window.tabs.currentWidget(), ComparisonPage))
    page = stage.window.tabs.currentWidget()
    assert page.view.comparison.session_ids == (before, session_id)
    stage.wait(lambda: not page.missing and page.plot.strokes)


def play_back(stage: Stage) -> Iterator[str]:
    session_id = stage.start().id
    stage.wait(lambda: stage.window.store.message_count > 2)
    stage.stop()
    stage.select(session_id)
    stage.window.feed.delete_local_copy(session_id)
    stage.wait(lambda: not stage.sessions.is_local(session_id))
    a_rule_for_playbacks(stage)
    yield ""
    stage.session_action["play"].trigger()
    yield f"Session {session_id} was not downloaded"
    playback = stage.window.playback
    stage.wait(lambda: playback.is_on)
    assert not stage.window.header.start.isEnabled()
    playback.player.pause()
    stage.wait(lambda: playback.alarms.played is not None)
    playback.player.seek(playback.player.length_s)
    stage.press(playback.alarms.bar, "Previous alarm")
    assert playback.alarms.bar.head.text() == "1 alarm"
    playback.player.seek(0.0)
    stage.press(playback.alarms.bar, "Next alarm")
    assert playback.alarms.bar.text.text().startswith("Played: ")
    stage.press(playback.alarms.bar, "List")
    page = stage.window.alarms.page
    assert (stage.window.tabs.currentWidget(), page.alarms.rowCount()) == (page, 1)
    stage.press(playback.bar, "Leave playback")
    assert not playback.is_on
    assert playback.alarms.bar.isHidden()


def a_rule_for_playbacks(stage: Stage) -> None:
    """One that says nothing while nothing is recorded, and something in every session that is over."""
    rules = stage.ask_server(lambda client: client.alarm_rules())
    board = stage.window.boards_page.boards.boards[0]
    if not any(kept.rule.name == "Played" for kept in rules):
        level = {"kind": "level", "above": -1.0}
        rule = {"name": "Played", "source": board.name, "channel": "adc_channel_two", "condition": level}
        stage.ask_server(lambda client: client.add_alarm_rule({**rule, "only_recording": True, "on_delay_s": 0.01}))
    stage.wait(lambda: any(kept.rule.name == "Played" for kept in (stage.window.alarms.view or AlarmView()).rules))


def lay_under(stage: Stage) -> Iterator[str]:
    session_id = a_session_without_copy(stage)
    stage.session_action["reference"].trigger()
    stage.cancel(ReferenceDialog)
    stage.session_action["reference"].trigger()
    yield ""
    stage.dialog(ReferenceDialog).accept()
    yield f"Session {session_id} was not downloaded"
    reference = stage.window.reference
    stage.wait(lambda: reference.reference is not None)
    stage.press(stage.window.live_page.reference, "Take it away")
    assert reference.reference is None


SESSIONS: dict[str, Callable[[Stage], Any]] = {
    "View": view,
    "Compare": compare,
    "Play back": play_back,
    "Lay under the live plot": lay_under,
    "Download": download,
    "Cancel download": cancel_download,
    "Keep here": keep,
    "Export": export,
    "Report": report,
    "Pack into a file": pack,
    "Rename": rename,
    "Details": details,
    "Star": star,
    "Delete": delete,
    "Trash": trash,
}
MORE: dict[str, Callable[[Stage], Any]] = {
    "Details, to look": open_details,
    "Delete, only here": delete_only_here,
}


def a_trashed_session(stage: Stage) -> int:
    session_id: int = stage.a_session()
    stage.window.feed.delete_session(session_id)
    stage.wait(lambda: stage.listed(session_id) is None)
    stage.window.menus["trash"].trigger()
    page = stage.window.trash_actions.page
    stage.wait(lambda: any(record.id == session_id for record in page.trash.records))
    page.select(session_id)
    return session_id


def restore(stage: Stage) -> Iterator[str]:
    session_id = a_trashed_session(stage)
    yield ""
    stage.press(stage.window.trash_actions.page, "Restore")
    yield f"Session {session_id} was not restored"
    stage.wait(lambda: stage.listed(session_id) is not None)
    assert record_of(stage, session_id).message_count > 0


def delete_for_good(stage: Stage) -> Iterator[str]:
    session_id = a_trashed_session(stage)
    page = stage.window.trash_actions.page
    stage.press(page, "Delete for good")
    stage.cancel(QMessageBox)
    stage.press(page, "Delete for good")
    yield ""
    stage.answer("Delete for good")
    yield f"Session {session_id} is still in the trash"
    stage.wait(lambda: all(record.id != session_id for record in page.trash.records))
    assert all(record.id != session_id for record in stage.ask_server(Client.trash))


TRASH = {"Restore": restore, "Delete for good": delete_for_good}
ALL = {f"sessions: {key}": play for key, play in (SESSIONS | MORE).items()} | {
    f"trash: {key}": play for key, play in TRASH.items()
}


@pytest.mark.parametrize("key", {play: key for key, play in ALL.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ALL[key])


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ALL, seed)


def test_the_pages_offer_these_actions_and_no_others(stage: Stage) -> None:
    a_trashed_session(stage)
    assert stage.names(stage.window.trash_actions.page) == set(TRASH)
    stage.tidy()
    stage.a_session()
    page = page_of(stage)
    menu = stage.context_menu(lambda: page.table.customContextMenuRequested.emit(QPoint(20, 20)))
    in_menu = {action.text().replace("&", "").removesuffix("…") for action in menu.actions()}
    assert in_menu | stage.names(page) | {"Cancel download"} == set(SESSIONS)
    stage.tidy()
