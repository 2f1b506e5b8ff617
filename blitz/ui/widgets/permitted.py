"""Buttons and fields that a role may not use: greyed, and their tooltip says why."""

from typing import Protocol

_USUAL = "usual_tooltip"


class Permittable(Protocol):
    """What widgets and actions have in common."""

    def setEnabled(self, is_enabled: bool) -> None: ...  # noqa: D102
    def setToolTip(self, words: str) -> None: ...  # noqa: D102
    def toolTip(self) -> str: ...  # noqa: D102
    def property(self, name: str) -> object: ...  # noqa: D102
    def setProperty(self, name: str, value: object) -> object: ...  # noqa: D102


def permit(widget: Permittable, refusal: str, *, is_enabled: bool = True) -> None:
    """Enable a widget, or grey it with the reason for its tooltip.

    :param refusal: why the role may not use it; empty where it may.
    :param is_enabled: whether it can be used at present by those who may.
    """
    kept = widget.property(_USUAL)
    if refusal:
        if kept is None:
            widget.setProperty(_USUAL, widget.toolTip())
        widget.setToolTip(refusal)
    elif isinstance(kept, str):
        widget.setToolTip(kept)
        widget.setProperty(_USUAL, None)
    widget.setEnabled(is_enabled and not refusal)
