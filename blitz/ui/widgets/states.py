"""The property by which the style sheet colours what is good, bad or running."""

from PyQt5.QtWidgets import QWidget


def set_state(widget: QWidget, state: str) -> None:
    """Set a widget's state and let its style follow."""
    if widget.property("state") != state:
        widget.setProperty("state", state)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
