"""What a server says of itself, on its way to the window."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtWidgets import QApplication

from blitz.data.records import Event, EventKind, StatusRecord
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
