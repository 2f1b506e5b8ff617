"""Channels changed in the table of variables against a real server with a simulated board, and read as numbers."""

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QLabel, QLineEdit, QPushButton

from blitz.ui.models.variables import CHANNEL, HIGH, LIMITS, UNIT


def test_a_channel_is_renamed_limited_and_given_back_its_name(
    run_server: Callable[..., Any], open_desk: Callable[..., Any]
) -> None:
    desk = open_desk(run_server("--simulate", "1", "--durability", "none").url)
    window, wait = desk.window, desk.wait
    side, edits = window.live_page.side, window.channel_pages.actions.edits
    table, rows = side.variables_table, side.variables_table.rows
    wait(lambda: rows.rowCount() and rows.index(0, 1).data() != "–" and not edits.refusal)
    first = rows.index(0, CHANNEL).data()

    table.setCurrentIndex(rows.index(0, CHANNEL))
    QTest.keyClick(table, Qt.Key_F2)
    editor = next(iter(table.findChildren(QLineEdit)))
    editor.selectAll()
    QTest.keyClicks(editor, "vessel pressure")
    QTest.keyClick(editor, Qt.Key_Return)
    wait(lambda: rows.index(0, CHANNEL).data() == "vessel pressure")
    edits.change(side.variables.channels[0], {"unit": "kPa", "limit_low": -2e6, "limit_high": -1e6})
    wait(lambda: rows.index(0, UNIT).data() == "kPa" and rows.index(0, LIMITS).data().startswith("▲"))
    assert rows.index(0, HIGH).data() != "–"  # the values go on under the new definition

    window.tabs.setCurrentWidget(window.channel_pages.numbers)
    window.channel_pages.numbers.choose(("vessel pressure",))
    wait(lambda: [tile.words.name for tile in window.channel_pages.numbers.grid.tiles] == ["vessel pressure"])
    tile = window.channel_pages.numbers.grid.tiles[0]
    wait(lambda: tile.words.limit.is_exceeded and tile.words.unit == "kPa")
    assert window.channel_pages.numbers.state.text() == "NOT RECORDED"

    def undo(words: str) -> None:
        """Press the button of a notice."""
        notices = [button for button in window.notices.findChildren(QPushButton) if button.text() == "Undo"]
        rows = [button.parentWidget() for button in notices]
        texts = [" ".join(label.text() for label in row.findChildren(QLabel)) for row in rows]
        next(button for button, text in zip(notices, texts, strict=True) if words in text).click()

    wait(lambda: len(window.notices.texts) == 2)
    assert any("is called vessel pressure now" in text for text in window.notices.texts), window.notices.texts
    assert first not in {channel.channel.name for channel in side.variables.channels}
    undo("is called")
    undo("has the unit")
    wait(lambda: (rows.index(0, CHANNEL).data(), rows.index(0, UNIT).data()) == (first, "count"))
