"""The scene of a calibration: a load cell whose values a script sends, calibrated, due, and old sessions read by it."""

import random
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING

from picture_bench import Server
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from blitz import Client
from blitz.data.calibration_facts import Calibration, CalibrationPoint
from blitz.data.source_config import SourceConfig
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.dialogs.old_sessions import OldSessionsDialog
from blitz.ui.live_store import LiveChannel
from blitz.ui.widgets.channel_menu import ChannelMenu

if TYPE_CHECKING:
    from screenshots import Scene

_STEPS = (("0", 8212.0), ("5", 41_930.0), ("10", 75_690.0), ("15", 109_480.0), ("20", 143_150.0))
"""Known masses in kg, and what the cell sends of them."""


def calibration(scene: "Scene") -> None:
    """A load cell is calibrated in five steps, and old sessions are read by it."""
    window = scene.window
    noise = random.Random(4711)
    with Server(scene.folder / "data", "--simulate", "1") as server, Client(server.url) as script:
        cell = script["load cell"]
        cell.create({"type": "number"}, unit="kg", description="bench 1")
        cell.insert(_STEPS[0][1])
        script.add_source(SourceConfig(name="cell", link="stream:load cell"))
        for name in ("Empty, overnight", "Sack 14"):
            script.start(name)
            cell.insert(_STEPS[1][1])
            script.stop()
        scene.connect(server.url)
        scene.wait(lambda: "cell" in {board.name for board in window.boards_page.boards.boards})
        cell.insert(_STEPS[0][1])
        window.tabs.setCurrentWidget(window.boards_page)
        window.boards_page.select("cell")
        scene.wait(window.boards_page.calibrate.isEnabled)
        scene.take("boards_calibrate")
        window.boards_page.calibrate.click()
        dialog = scene.find(CalibrateDialog)
        scene.take("calibrate_empty")
        QTest.keyClicks(dialog.taking.known, "five")
        QTest.keyClick(dialog.taking.known, Qt.Key_Return)
        scene.take("calibrate_wrong")
        dialog.taking.known.clear()
        for place, (known, sent) in enumerate(_STEPS):
            cell.insert(sent)
            scene.wait(partial(_has_come, dialog, sent))
            QTest.keyClicks(dialog.taking.known, known)
            QTest.keyClick(dialog.taking.known, Qt.Key_Return)
            while dialog.desk.taking is not None:
                moved = 400 * dialog.desk.taking.share if known == "20" else 0
                cell.insert(sent + noise.gauss(0, 18) + moved)
                scene.camera.run_for(0.05)
                if place == 2 and 0.5 < (dialog.desk.taking.share if dialog.desk.taking else 0) < 0.6:
                    scene.take("calibrate_taking")
        scene.take("calibrate")
        dialog.pane.curve.setCurrentIndex(1)
        scene.take("calibrate_polynomial")
        dialog.pane.curve.setCurrentIndex(0)
        dialog.facts.against.setText("Weights of class M1, certificate 2026-114")
        dialog.save.click()
        scene.wait(dialog.old.isVisible)
        sessions = window.sessions_page.sessions
        scene.wait(lambda: len(sessions.records) == 2)
        for record in sessions.records:
            window.feed.download(record.id)
        scene.wait(lambda: all(sessions.is_local(record.id) for record in sessions.records))
        scene.take("calibrate_saved")
        dialog.old.click()
        old = scene.find(OldSessionsDialog)
        old.tick_all(True)
        scene.take("calibrate_old_sessions")
        old.accept()
        scene.wait(lambda: window.notices.isVisible())
        dialog.close()
        scene.take("calibrate_old_sessions_read")
        window.notices.dismiss_all()
        _let_expire(script)
        scene.wait(lambda: window._status is not None and bool(window._status.calibrations))
        scene.camera.run_for(1.5)
        scene.take("calibration_expired")
        scene.take("calibration_checklist", before=lambda: _open_checklist(scene), after=_close_popup)
        scene.show("live")
        channel = next(each for each in window.store.channels if each.source.name == "cell")
        scene.take("channel_menu", before=lambda: _open_menu(scene, channel), after=_close_popup)


def _has_come(dialog: CalibrateDialog, sent: float) -> bool:
    return dialog.desk.newest == sent


def _let_expire(script: Client) -> None:
    definition = script.definition("cell")
    facts = Calibration(
        at=datetime(2025, 1, 31, tzinfo=UTC),
        who="ada@bench",
        expires=date(2026, 1, 31),
        points=(CalibrationPoint(raw=1, reference=1),),
    )
    channel = definition.channels[0].model_copy(update={"calibration": facts, "zero": 0.0, "scale": 1.0})
    script.set_definition("cell", definition.model_copy(update={"channels": (channel,)}))


def _open_menu(scene: "Scene", channel: LiveChannel) -> None:
    table = scene.window.live_page.side.variables_table
    menu = scene.window.findChild(ChannelMenu)
    assert menu is not None
    menu.build(channel, "").popup(table.mapToGlobal(table.rect().center()))


def _open_checklist(scene: "Scene") -> None:
    scene.window.header.ready.open_list()
    scene.camera.run_for(0.2)


def _close_popup() -> None:
    while (popup := QApplication.activePopupWidget()) is not None:
        popup.close()
