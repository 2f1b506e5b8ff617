"""The bad day: in hour 7 of a run a cable falls out, and comes back at another port, on a board with its own power."""

import os
import re
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QEvent, QPoint
from PyQt5.QtGui import QHelpEvent, QPainter
from PyQt5.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.records import BoardRecord, LinkState
from blitz.io.board_program import message_number
from blitz.ui.checklist import Light
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.formats import gap_words
from blitz.ui.main_window import MainWindow

WAIT_MS = 60_000
START_S = 60.0
HOUR_S = 3600
HOURS = 6
UNDERSTOOD_S = 10.0
LOOKED_BACK = 4000
"""Messages before the end, of which none but the missing ones may be missing."""
PICTURES = os.environ.get("BAD_DAY_PICTURES", "")
"""A folder: a picture of the window a second goes there, of a day as it would be at ten messages a second."""
RATE_HZ = 10.0 if PICTURES else 1.0
STEP_S = 600 if PICTURES else 2 * HOUR_S
HELD = 180 if PICTURES else 6
"""How many messages a board keeps."""
AWAY_S = 25.0 if PICTURES else 9.0


def play_hours(bench: Any) -> None:
    """Record six hours: after each step of the clock the boards have logged what was due, and are asked for it."""
    with Client(bench.url) as client:
        bench.wait(lambda: [board.state for board in client.status().boards] == [LinkState.READY] * 2)
        client.start("pump, long run")
        bench.wait(lambda: all(program.is_logging for program in bench.programs.values()))
        for _ in range(HOURS * HOUR_S // STEP_S):
            bench.clock.skip(STEP_S)
            due = int(bench.clock.boards_s * RATE_HZ)
            bench.wait(lambda: all(board.sent >= due for board in bench.boards.values()))  # noqa: B023
            bench.wait(lambda: client.status().session.message_count >= 2 * due)  # type: ignore[union-attr]  # noqa: B023
    for program in bench.programs.values():
        program.ring = deque(program.ring, maxlen=HELD)


class Operator:
    """Looks at the window, and takes its picture each second where pictures are wanted."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self._qtbot = window, qtbot
        self.since_s = time.monotonic()
        self._pictures = 0

    def wait(self, is_so: Callable[[], object], within_s: float = WAIT_MS / 1000) -> None:
        begun_s = time.monotonic()
        while not is_so():
            self.look(0.05)
            assert time.monotonic() - begun_s < within_s

    def look(self, seconds: float) -> None:
        """Let time pass."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._qtbot.wait(max(1, round(min(left_s, 0.1) * 1000)))
            is_due = time.monotonic() - self.since_s >= self._pictures
            if PICTURES and is_due and self.window.boards_page.boards.boards:
                self._take_picture()

    def _take_picture(self) -> None:
        window, folder = self.window, Path(PICTURES)
        shot = window.grab()
        painter = QPainter(shot)
        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and isinstance(widget, QDialog):
                painter.drawPixmap(window.rect().center() - widget.rect().center(), widget.grab())
            elif widget.isVisible() and widget.objectName() == "qtooltip_label":
                painter.drawPixmap(window.mapFromGlobal(widget.pos()), widget.grab())
        painter.end()
        shot.save(str(folder / f"{self._pictures:03d}.png"))
        board = self.board("ttyUSB0")
        line = (self.head, self.losses, window.status_line.boards.text(), board.state.value, board.error)
        with (folder / "story.txt").open("a") as story:
            story.write(f"{self._pictures:3d} s {line} {window.notices.texts}\n")
        self._pictures += 1

    def point_at_gap(self) -> None:
        """Rest the mouse where messages are missing."""
        drawing = self.window.live_page.drawing
        place = QPoint(drawing.width() // 5, drawing.height() // 3)
        QApplication.sendEvent(drawing, QHelpEvent(QEvent.ToolTip, place, drawing.mapToGlobal(place)))

    @property
    def head(self) -> str:
        return f"{self.window.header.light.doing.value}: {self.window.header.state.text()}"

    @property
    def losses(self) -> str:
        return self.window.header.losses.text

    def board(self, name: str) -> BoardRecord:
        return next(board for board in self.window.boards_page.boards.boards if board.name == name)

    def gaps(self) -> list[str]:
        """What tooltips in the plot say."""
        return [gap_words(gap, "readings") for gap in self.window.live_page.drawing.gaps]


def test_a_cable_falls_out_in_hour_seven_and_comes_back_at_another_port(
    run_bench: Callable[..., Any], connect: Callable[[str], MainWindow], qtbot: QtBot
) -> None:
    folder = {"folder": Path(PICTURES) / "dev"} if PICTURES else {}
    bench = run_bench(HOURS * HOUR_S, RATE_HZ, **folder)
    play_hours(bench)
    window = connect(bench.url)
    operator = Operator(window, qtbot)
    header, program = window.header, bench.programs["08"]
    operator.wait(lambda: window.store.newest_time() is not None and operator.losses == "nothing lost")
    operator.wait(lambda: header.elapsed.text.startswith("6:00:") and window.store.session_id)
    operator.look(4.0 if PICTURES else 0.1)

    # It falls out. What is red, and why, is on every page; recording goes on.
    overwritten = program.overwritten
    bench.pull("08")
    pulled_s = time.monotonic()
    operator.wait(lambda: operator.losses == "ttyUSB0 away", UNDERSTOOD_S)
    operator.wait(lambda: window.status_line.boards.text().endswith("1 of 2 boards ready"), UNDERSTOOD_S)
    operator.wait(lambda: any("the device was unplugged" in text for text in window.notices.texts), UNDERSTOOD_S)
    operator.wait(lambda: "and going on: ttyUSB0 is not plugged in" in "".join(operator.gaps()), UNDERSTOOD_S)
    assert operator.head == "recording: Recording"
    assert time.monotonic() - pulled_s < UNDERSTOOD_S
    window.menus["boards"].trigger()
    page = window.boards_page
    page.select("ttyUSB0")
    cause = page.cause.words.text()
    assert cause.startswith("Away since")
    assert f"not plugged in (last seen at {bench.folder}/ttyUSB0)" in cause
    assert "Plug it in" in cause
    operator.look(3.0 if PICTURES else 0.1)
    window.menus["live"].trigger()
    operator.look(AWAY_S - (time.monotonic() - pulled_s))
    operator.wait(lambda: program.overwritten > overwritten + 2)

    # It comes back at another port. The board had power all along: what it still holds is recovered.
    operator.wait(lambda: operator.losses == "ttyUSB0 away")
    bench.plug("08", "ttyUSB2", "1-4.2")
    operator.wait(lambda: operator.board("ttyUSB0").state is LinkState.RECORDING)
    assert operator.board("ttyUSB0").link == f"{bench.folder}/ttyUSB2"
    operator.wait(lambda: re.fullmatch(r"1 gap, about \d+ lost, \d+ recovered.*", operator.losses))
    operator.wait(lambda: any(re.search(r"about \d+ readings missing, \d+ recovered", gap) for gap in operator.gaps()))
    operator.point_at_gap()
    operator.look(6.0 if PICTURES else 0.1)
    lines = [line.text for line in window.events.log.lines]
    assert any(re.search(r"ttyUSB0 is back after 0:00:\d\d, at .*/ttyUSB2", line) for line in lines)
    assert any(re.search(r"Gap: .*about \d+ messages missing, \d+ recovered", line) for line in lines)
    lost = program.overwritten - overwritten

    # The line at the end.
    header.stop.click()
    operator.wait(lambda: any("has ended" in text for text in window.notices.texts))
    sessions = window.sessions_page.sessions
    operator.wait(lambda: sessions.records[0].verdict)
    record = sessions.records[0]
    with Client(bench.url) as client:
        numbers = [
            message_number(m)
            for m in client.messages(record.id, record.message_count - LOOKED_BACK, LOOKED_BACK).messages()
            if m.startswith(b"08")
        ]
    missing = sum((after - before) % 65536 - 1 for before, after in pairwise(numbers))
    assert missing == lost
    verdict = re.fullmatch(r"1 gap, about (\d+) lost, (\d+) recovered from the board, account balances", record.verdict)
    assert verdict is not None, record.verdict
    assert int(verdict[2]) in (HELD, HELD + 1)
    assert abs(int(verdict[1]) - lost) <= 1, "by the board's clock"
    assert any(record.verdict in text for text in window.notices.texts)

    # Without the other board nobody begins the next run by mistake.
    bench.pull("09")
    operator.wait(lambda: header.ready.light is Light.RED)
    header.start.click()
    question = next(dialog for dialog in window.findChildren(RedChecksDialog) if dialog.isVisible())
    assert "ttyUSB1 is away" in question.checks.texts[0]
    operator.look(2.0 if PICTURES else 0.1)
    bench.plug("09", "ttyUSB1", "1-3")
    operator.wait(lambda: question.start.text() == "&Start")
    question.reject()
