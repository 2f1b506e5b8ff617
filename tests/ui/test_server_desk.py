"""What a server says of itself, on its way to the window."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtWidgets import QApplication

from blitz.data.records import Event, EventKind, StatusRecord
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.ui.server_desk import ServerDesk
from blitz.ui.server_link import ServerLink


@pytest.mark.parametrize(("back_s", "is_new"), [(0.4, False), (0.0, True), (-1.0, True), (3600.0, True)])
def test_a_status_that_was_overtaken_is_nothing_new_and_one_by_a_clock_that_was_set_back_is(
    qapp: QApplication, make: Any, tmp_path: Path, back_s: float, is_new: bool
) -> None:
    feed = ServerLink(tmp_path / "feed")
    shown: list[StatusRecord] = []
    feed.status_received.connect(shown.append)
    status: StatusRecord = make.status()
    other = status.model_copy(update={"now": status.now - timedelta(seconds=back_s)})

    async def play() -> None:
        desk = ServerDesk(feed, tmp_path / "desk", lambda server: AsyncClient(str(server)))
        desk._is_live = True
        for each in (status, other):
            await desk._pass_on("here", Event(event=EventKind.STATUS, status=each))
        await desk.close()

    asyncio.run(play())
    feed.close()
    assert shown == ([status, other] if is_new else [status])


class CountingClient(AsyncClient):
    """Keeps what it asks.

    :param live_at: where live views are asked for instead, as where something on the way lets none through.
    """

    def __init__(self, server: ServerAddress, asked: list[str], live_at: str = "") -> None:
        super().__init__(server)
        self.asked = asked
        if live_at:
            self._hosts = AsyncClient(live_at)._hosts

    async def _ask(self, kind: Any, method: str, path: str, *more: Any, **options: Any) -> Any:
        self.asked.append(path.partition("?")[0])
        return await super()._ask(kind, method, path, *more, **options)

    def live(self, session: Any = None, *more: Any, **options: Any) -> Any:
        self.asked.append("preview" if session == "preview" else "live")
        return super().live(session, *more, **options)


LISTS = ("/events", "/trash", "/alarms", "/alarms/history", "/alarms/rules", "/hooks", "/sessions")


def test_a_window_that_connects_asks_for_each_list_once_and_behind_the_live_view(
    server: Any, open_desk: Callable[..., Any]
) -> None:
    asked: list[str] = []
    desk = open_desk(server.url, lambda address: CountingClient(address, asked))
    listed = []
    desk.window.feed.sessions_listed.connect(listed.append)  # the last of them
    desk.wait(lambda: listed and desk.may_start())
    before, behind = Counter(asked[: asked.index("live")]), Counter(asked[asked.index("live") :])
    assert not [path for path in LISTS if before[path] - before["/sources"] > 0]
    # Where the boards are others by now, their list is asked for, and with it the last session.
    assert [behind[path] - (behind["/sources"] if path == "/sessions" else 0) for path in LISTS] == [1] * len(LISTS)


def test_lists_are_shown_where_something_on_the_way_refuses_the_live_view_alone(
    server: Any, open_desk: Callable[..., Any], steady_port: int
) -> None:
    asked: list[str] = []
    nowhere = f"http://127.0.0.1:{steady_port}"
    desk = open_desk(server.url, lambda address: CountingClient(address, asked, nowhere))
    listed = []
    desk.window.feed.sessions_listed.connect(listed.append)
    desk.wait(lambda: listed)
    assert set(LISTS) <= set(asked[asked.index("live") :])
    assert desk.window.header.state.text() == "Reconnecting…"
