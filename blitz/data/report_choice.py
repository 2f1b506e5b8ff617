"""What can be chosen of a report, without what makes one, which takes a moment to import."""

import getpass
from enum import StrEnum

SUFFIX = ".html"


class PlotsBy(StrEnum):
    """What a report's plots are."""

    UNIT = "unit"
    """Channels of one unit share a plot, six at most."""
    CHANNEL = "channel"
    """One a channel."""
    NONE = "none"


def login_name() -> str:
    """Return the name that somebody works under here; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
