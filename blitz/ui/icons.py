"""Icons in the colours of the theme: Material Design's, by their names at https://pictogrammers.com/library/mdi."""

import qtawesome
from PyQt5.QtGui import QIcon

from blitz.ui.theme import Theme


def icon(name: str, theme: Theme, colour: str = "") -> QIcon:
    """Return an icon; needs the application.

    :param name: such as ``play``.
    :param colour: one of the theme's; none: that of its text.
    """
    made: QIcon = qtawesome.icon(f"mdi6.{name}", color=colour or theme.text, color_disabled=theme.muted)
    return made
