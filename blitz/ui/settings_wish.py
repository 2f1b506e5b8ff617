"""What an operator wants of the settings: looks of the window, and rows of the Config table. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blitz.config import ClientSettings
from blitz.ui.theme import ThemeChoice
from blitz.ui.windows import DEFAULT_WINDOW, PlotWindow

DEFAULTS = ClientSettings.model_validate({})


@dataclass(frozen=True)
class Looks:
    """How the window looks; kept with its place and size."""

    theme: ThemeChoice = ThemeChoice.SYSTEM
    plot_window: PlotWindow = DEFAULT_WINDOW
    is_relative: bool = False
    curve_width: int = 1
    export_folder: str = ""
    marker_texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SettingsWish:
    """What the operator wants: looks, and texts for the rows of the Config table (empty: the default)."""

    looks: Looks
    chosen: Mapping[str, str] = field(default_factory=dict)


def unless_default(key: str, text: str) -> str:
    """Return what is to be kept: nothing where it would be so anyhow, since a later version may know better."""
    if key == "server":
        return text
    default = getattr(DEFAULTS, key)
    return "" if text and getattr(ClientSettings.model_validate({key: text}), key) == default else text
