"""What four tasks take somebody who knows nothing but the window's words: clicks, keys, seconds.

A real server with a simulated board and a device on a pseudo-terminal, a real mail server, the real window; what is
clicked and typed arrives as from the screen. The table in `docs/operator.md` has what this counts.
"""

import contextlib
import logging
import math
import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from hand import Effort, Hand
from mail_server import MailServer, serving
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication
from waiting import wait_until

import blitz
from blitz.data.blocks import Read
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.database_server import DatabaseServer
from blitz.data.records import LinkState, Source
from blitz.data.source_config import SourceConfig
from blitz.io.redis_child import RedisChild
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage

log = logging.getLogger(__name__)

DAY_S, COUNT, STEP_S, VIBRATION_HZ = 86_400, 800, 0.025, 2.5
RIG = BoardDefinition(
    id="rig",
    name="Rig",
    format=Format.COLUMNS,
    channels=(Channel(name="load", column=0, unit="count"), Channel(name="vibration", column=1, unit="mm")),
)


class Rig:
    """A device that prints a load, which is what somebody puts on it, and a vibration."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.load = 212.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rig")
        self._thread.start()

    def _run(self) -> None:
        count = 0
        while not self._ends.wait(STEP_S):
            os.write(self.master, row(count, self.load))
            count += 1

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)


def row(count: int, load: float) -> bytes:
    wave = math.sin(2 * math.pi * VIBRATION_HZ * count * STEP_S)
    return b"%.1f,%.3f\n" % (load + (-1) ** count, wave)


def record(store: DatabaseServer, name: str, started_s: float, link: str) -> None:
    """Put a session of twenty seconds into a store, as it was recorded then."""
    session = store.start_session(
        name, sources=[Source(index=0, name="rig", link=link, definition=RIG)], started_ms=round(started_s * 1000)
    )
    with contextlib.closing(store.writer(session)) as writer:
        writer.append([Read(round((started_s + n * STEP_S) * 1e9), 0, [row(n, 212).strip()]) for n in range(COUNT)])
    store.close_session(session, round((started_s + COUNT * STEP_S) * 1000))


@pytest.fixture(scope="module")
def rig(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    """The device, and the address of the server that reads it: a session of yesterday, two of today."""
    with (
        RedisChild(tmp_path_factory.mktemp("store"), "none") as child,
        contextlib.closing(DatabaseServer(child.url)) as store,
        contextlib.closing(Rig()) as rig,
    ):
        now_s = time.time()
        for name, ago_s in (("Pump, yesterday", DAY_S), ("Pump, morning", 600), ("Pump, now", 60)):
            record(store, name, now_s - ago_s, rig.path)
        server = run_server("--simulate", "1", "--redis-url", child.url)
        with blitz.Client(server.url, timeout=60) as client:
            client.add_source(SourceConfig(name="rig", link=rig.path, definition=RIG))
            states = (LinkState.READY, LinkState.RECORDING)
            wait_until(lambda: sum(board.state in states for board in client.boards()) == 2)
        yield rig, server.url
        server.end()


@pytest.fixture
def window(rig: tuple[Rig, str], open_desk: Callable[..., Any]) -> Any:
    """A window at that server, which knows everything."""
    desk = open_desk(rig[1])
    desk.window.resize(1280, 800)
    desk.wait(lambda: QApplication.activeWindow() is desk.window)
    desk.wait(lambda: desk.window.sessions_page.sessions.rowCount() == 3)
    desk.wait(lambda: len(desk.window.live_page.side.variables.channels) > 2)
    return desk.window


@pytest.fixture
def hand(qapp: QApplication, qtbot: Any) -> Iterator[Hand]:
    hand = Hand(qapp, lambda is_so: qtbot.waitUntil(lambda: bool(is_so()), timeout=30_000))
    yield hand
    hand.leave()


def tell(task: str, effort: Effort) -> None:
    """For the table of the guide: `pytest --log-cli-level=INFO`."""
    clicks, keys, seconds = effort.clicks, effort.keys, effort.seconds
    log.info("%s: %d clicks, %d keys, %.0f s, of which %.1f s waited", task, clicks, keys, seconds, effort.waited_s)


def test_from_an_open_session_the_frequency_of_any_channel_is_three_clicks_away(window: Any, hand: Hand) -> None:
    hand.tab("Sessions")
    hand.row("Pump, now")
    hand.press("View")
    hand.wait(lambda: isinstance(window.tabs.currentWidget(), HistoryPage))
    page = window.tabs.currentWidget()
    hand.wait(page.bar.analysis.isEnabled)
    hand.begin()
    hand.press("Analysis")
    hand.tab("Spectrum")
    hand.row("vibration")
    hand.wait(lambda: page.analysis.spectrum.peaks.rows and page.analysis.spectrum.channel.currentText() == "vibration")
    assert [words for words, _ in page.analysis.spectrum.peaks.rows] == ["2.5 Hz"]
    tell("peak", hand.effort)
    assert (hand.effort.clicks, hand.effort.keys) == (3, 0)


def test_todays_session_is_compared_with_yesterdays_in_three_clicks(window: Any, hand: Hand) -> None:
    hand.begin()
    hand.tab("Sessions")  # the newest one is chosen already
    hand.row("Pump, yesterday", Qt.ControlModifier)
    hand.press("Compare")
    hand.wait(lambda: isinstance(window.tabs.currentWidget(), ComparisonPage))
    page = window.tabs.currentWidget()
    hand.wait(lambda: page.table.model().rowCount())
    tell("compare", hand.effort)
    assert {page.table.model().index(0, 0).data()} == {"Pump, now"}
    assert (hand.effort.clicks, hand.effort.keys) == (3, 1)


def test_a_two_point_sensor_is_calibrated_within_a_minute(rig: tuple[Rig, str], window: Any, hand: Hand) -> None:
    rig[0].load = 212.0
    hand.begin()
    hand.tab("Boards")
    hand.row("rig")
    hand.press("Calibrate…")
    hand.wait(lambda: window.calibrations.dialog is not None and window.calibrations.dialog.isActiveWindow())
    dialog = window.calibrations.dialog
    hand.wait(lambda: dialog.head.sent.text != "–")
    for place, (known, load) in enumerate((("5.0", 212.0), ("20.0", 812.0))):
        rig[0].load = load
        hand.wait(lambda load=load: abs((dialog.desk.newest or 0) - load) < 10)
        hand.write(known)
        hand.key(Qt.Key_Return)
        hand.wait(lambda place=place: dialog.steps.rowCount() == place + 1)
    hand.field("Unit")
    hand.key(Qt.Key_End)
    for _ in "count":
        hand.key(Qt.Key_Backspace)
    hand.write("kg")
    hand.field("Against")
    hand.write("weights 7")
    hand.key(Qt.Key_Return)  # to Save
    hand.key(Qt.Key_Return)
    hand.wait(dialog.old.isVisible)
    hand.key(Qt.Key_Return)  # Close
    tell("calibrate", hand.effort)
    assert window.calibrations.dialog is None
    with blitz.Client(rig[1], timeout=60) as client:
        channel = client.definition("rig").channels[0]
    assert (channel.scale, channel.zero) == (pytest.approx(0.025, rel=1e-3), pytest.approx(12, abs=1))
    assert (channel.unit, channel.calibration.against) == ("kg", "weights 7")
    assert hand.effort.seconds <= 60


def test_an_alarm_with_an_email_is_set_within_a_minute_and_tells_its_end_too(
    rig: tuple[Rig, str], window: Any, hand: Hand
) -> None:
    def subjects() -> list[str]:
        return [str(message_from_bytes(body, policy=policy.default)["Subject"]) for _, body, _ in mails.mails]

    rig[0].load = 212.0
    with blitz.Client(rig[1], timeout=60) as client:
        client.set_definition("rig", RIG)
    with serving(MailServer(None)) as mails:
        hand.begin()
        hand.tab("Alarms")
        hand.press("New alarm…")
        hand.wait(lambda: QApplication.activeModalWidget() is not None)
        dialog = QApplication.activeModalWidget()
        hand.choose("Watch", "rig: load")
        hand.key(Qt.Key_Tab)
        hand.key(Qt.Key_Tab)
        hand.write("400")
        hand.choose("Tells", "an e-mail address…")
        hand.wait(dialog.mail_fields.to.hasFocus)
        hand.write("ann@lab.example")
        hand.key(Qt.Key_Tab)
        hand.write(f"127.0.0.1:{mails.server_address[1]}")
        hand.key(Qt.Key_Tab)
        hand.key("n")  # not encrypted
        hand.press("Send a test")
        hand.wait(lambda: dialog.mail_fields.said.text() == "A test e-mail was sent.")
        hand.key(Qt.Key_Return)
        hand.wait(lambda: [kept for kept in window.alarms.view.rules if not kept.is_default])
        tell("alarm", hand.effort)
        assert hand.effort.seconds <= 60
        assert [words.partition(": ")[2] for words in subjects()] == ["a test"]
        rig[0].load = 812.0
        hand.wait(lambda: len(mails.mails) == 2 and window.alarms.bar.isVisible())
        rig[0].load = 212.0
        hand.wait(lambda: len(mails.mails) == 3)
        assert [words.partition(": ")[2].partition(" (")[0] for words in subjects()[1:]] == [
            "Warning: rig load above 400",
            "Back to normal: rig load above 400",
        ]
