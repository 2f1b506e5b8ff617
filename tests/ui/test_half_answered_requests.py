"""Requests that the server has carried out, and whose answer afterwards is missing: they are not told as failed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.errors import RequestTimeout
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.ui.feed import Feed, RequestFailure, SessionList
from blitz.ui.server_link import ServerLink

WAIT_MS = 30_000


class DeafClient(AsyncClient):
    """Hears no lists and no status while it is deaf, as if the server had died after what it was asked for."""

    is_deaf = False

    async def sessions(self, *words: Any, **more: Any) -> Any:
        self._hear()
        return await super().sessions(*words, **more)

    async def status(self, *words: Any, **more: Any) -> Any:
        self._hear()
        return await super().status(*words, **more)

    async def trash(self) -> Any:
        self._hear()
        return await super().trash()

    def _hear(self) -> None:
        if DeafClient.is_deaf:
            raise RequestTimeout("The server is away.")


class Listener:
    """A feed, and what it told last."""

    def __init__(self, feed: Feed, url: str, wait: Callable[[Callable[[], object]], None]) -> None:
        self.feed = feed
        self.url = url
        self.wait = wait
        self.failures: list[str] = []
        self.list = SessionList()
        feed.request_failed.connect(self._take_failure)
        feed.sessions_listed.connect(self._take_list)

    def ask_server(self, ask: Callable[[Client], Any]) -> Any:
        with Client(self.url) as client:
            return ask(client)

    def _take_failure(self, failure: RequestFailure) -> None:
        self.failures.append(failure.action)

    def _take_list(self, listed: SessionList) -> None:
        self.list = listed


@pytest.fixture
def listener(qapp: QApplication, server: Any, qtbot: QtBot, tmp_path: Path) -> Iterator[Listener]:
    DeafClient.is_deaf = False
    feed = ServerLink(tmp_path / "caches", DeafClient)

    def wait(is_so: Callable[[], object]) -> None:
        qtbot.waitUntil(lambda: bool(is_so()), timeout=WAIT_MS)

    listener = Listener(feed, server.url, wait)
    feed.connect_to(ServerAddress.parse(server.url))
    try:
        yield listener
    finally:
        DeafClient.is_deaf = False
        feed.close()
        feed.deleteLater()


@pytest.fixture
def session_id(server: Any) -> int:
    with Client(server.url) as client:
        session_id = int(client.start("half").id)
        client.stop(session_id)
    return session_id


def test_a_copy_is_deleted_and_kept_while_the_server_is_away(listener: Listener, session_id: int) -> None:
    listener.wait(lambda: session_id in [record.id for record in listener.list.records])
    listener.feed.download(session_id)
    listener.wait(lambda: session_id in listener.list.local_ids)
    DeafClient.is_deaf = True
    listener.feed.choose_session(session_id, True)
    listener.wait(lambda: session_id in listener.list.chosen_ids)
    listener.feed.choose_session(session_id, False)
    listener.wait(lambda: session_id not in listener.list.chosen_ids)
    listener.feed.delete_local_copy(session_id)
    listener.wait(lambda: session_id not in listener.list.local_ids)
    assert listener.failures == []


def test_a_download_whose_last_list_does_not_come_is_here(listener: Listener, session_id: int) -> None:
    listener.wait(lambda: session_id in [record.id for record in listener.list.records])
    DeafClient.is_deaf = True
    finished: list[int] = []
    listener.feed.download_finished.connect(finished.append)
    listener.feed.download(session_id)
    listener.wait(lambda: finished == [session_id])
    assert session_id in listener.list.local_ids
    assert set(listener.failures) <= {"The list of sessions is not up to date"}


def test_what_the_server_did_to_a_session_is_not_told_as_failed(listener: Listener, session_id: int) -> None:
    listener.wait(lambda: session_id in [record.id for record in listener.list.records])
    feed, late = listener.feed, "The list of sessions is not up to date"
    DeafClient.is_deaf = True
    feed.rename_session(session_id, "another name")
    listener.wait(lambda: listener.ask_server(lambda client: client.session(session_id).name) == "another name")
    feed.star_session(session_id, True)
    listener.wait(lambda: listener.ask_server(lambda client: client.session(session_id).starred))
    feed.delete_session(session_id)
    listener.wait(lambda: session_id in listener.ask_server(lambda client: [r.id for r in client.trash()]))
    listener.wait(lambda: len(listener.failures) >= 3)
    feed.restore_session(session_id)
    listener.wait(lambda: session_id in listener.ask_server(lambda client: [r.id for r in client.sessions()]))
    listener.wait(lambda: "The list of the trash is not up to date" in listener.failures)
    assert set(listener.failures) <= {late, "The list of the trash is not up to date"}


def test_a_session_that_began_is_not_told_as_not_started(listener: Listener, session_id: int) -> None:
    listener.wait(lambda: listener.list.records)
    DeafClient.is_deaf = True
    listener.feed.start_session("half started")
    listener.wait(lambda: listener.ask_server(lambda client: client.status().session is not None))
    listener.feed.stop_session()
    listener.wait(lambda: listener.ask_server(lambda client: client.status().session is None))
    listener.feed.release_port("sim1")
    listener.wait(lambda: listener.ask_server(lambda client: client.status().boards[0].state.value == "released"))
    listener.feed.retake_port("sim1")
    listener.wait(lambda: listener.ask_server(lambda client: client.status().boards[0].state.value != "released"))
    assert set(listener.failures) <= {"The list of sessions is not up to date"}
