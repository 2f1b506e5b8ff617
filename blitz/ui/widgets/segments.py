"""Buttons that stand side by side as one, of which one is chosen."""

from collections.abc import Sequence

from PyQt5.QtWidgets import QHBoxLayout, QPushButton


def join_segments(row: QHBoxLayout, buttons: Sequence[QPushButton]) -> None:
    """Add buttons to a row without space between them; the first and the last have round corners outside."""
    row.setSpacing(0)
    for place, button in enumerate(buttons):
        button.setProperty("kind", "segment")
        if button is buttons[0] or button is buttons[-1]:
            button.setProperty("place", "first" if place == 0 else "last")
        row.addWidget(button)
