"""Names, notes and errors are text, also where Qt would take them for HTML."""

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtWidgets import QApplication, QLabel, QMessageBox, QToolTip, QVBoxLayout, QWidget

from blitz.ui.theme import Appearance

HTML = "<b>run</b><img src='file:///etc/hostname'>"


@pytest.fixture(autouse=True)
def _styled(appearance: Appearance) -> None:
    """The program's style is in force."""


def test_a_label_shows_html_as_text(qtbot) -> None:
    window = QWidget()
    layout = QVBoxLayout(window)
    label, rich = QLabel(HTML), QLabel("<b>ours</b>")
    rich.setTextFormat(Qt.RichText)
    layout.addWidget(label)
    layout.addWidget(rich)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    assert label.textFormat() == Qt.PlainText
    assert rich.textFormat() == Qt.RichText


def test_a_message_box_shows_html_as_text(qtbot) -> None:
    box = QMessageBox(QMessageBox.Warning, "Delete", HTML)
    box.setInformativeText(HTML)
    qtbot.addWidget(box)
    box.show()
    qtbot.waitExposed(box)
    labels = [label for label in box.findChildren(QLabel) if label.text() == HTML]
    assert len(labels) == 2
    assert {label.textFormat() for label in labels} == {Qt.PlainText}


def test_a_tool_tip_shows_html_as_text(qtbot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    QToolTip.showText(QPoint(5, 5), HTML, window)
    qtbot.waitUntil(lambda: any(tip.text() == HTML for tip in _tips()), timeout=30_000)
    assert {tip.textFormat() for tip in _tips()} == {Qt.PlainText}
    QToolTip.hideText()


def _tips() -> list[QLabel]:
    return [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QLabel) and widget.metaObject().className() == "QTipLabel"
    ]
