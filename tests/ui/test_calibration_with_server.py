"""A channel of a simulated board is calibrated in the window while a session is recorded, against a real server."""

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from blitz.io.blocking import Client


def test_two_points_are_calibrated_in_mid_session_and_hold_from_then_on(
    run_server: Callable[..., Any], open_desk: Callable[..., Any]
) -> None:
    url = run_server("--simulate", "1", "--durability", "none").url
    desk = open_desk(url)
    window, wait = desk.window, desk.wait
    with Client(url) as client:
        wait(lambda: any(board.definition for board in client.boards()))
        session = client.start("calibrated")
        window.tabs.setCurrentWidget(window.boards_page)
        wait(lambda: window.boards_page.selected is not None and window.boards_page.calibrate.isEnabled())
        wait(lambda: window.follower.is_preview is False)
        window.boards_page.calibrate.click()
        dialog = window.calibrations.dialog
        name, label = dialog.head.source.currentText(), "adc_channel_five"
        dialog.head.channel.setCurrentText(label)
        column = dialog.head.channel.currentIndex()
        wait(lambda: dialog.head.sent.text != "–")
        wait(lambda: "A session is being recorded" in dialog.problem.text())
        dialog.taking.kind.setCurrentText("readings")
        dialog.taking.span.setValue(5)
        for row, known in enumerate(("0", "10")):
            QTest.keyClicks(dialog.taking.known, known)
            QTest.keyClick(dialog.taking.known, Qt.Key_Return)
            wait(lambda row=row: dialog.steps.rowCount() == row + 1)
        wait(dialog.save.isEnabled)  # it rises all the time: two steps are never the same
        dialog.facts.against.setText("Fluke 754")
        dialog.save.click()
        wait(dialog.old.isVisible)
        channel = client.definition(name).channels[column]
        assert (channel.display_name, channel.calibration.against) == (label, "Fluke 754")
        assert channel.scale == dialog.desk.draft.fit().fields["scale"]
        wait(lambda: dialog.desk.current == channel)  # the page of boards tells it, too
        wait(lambda: len(client.session(session.id).sources) == 2)
        before, after = client.session(session.id).sources
        assert (before.name, before.definition.channels[column].calibration) == (name, None)
        assert after.definition.channels[column] == channel
        dialog.close()
        client.stop()
