"""What triggers were set to, by board and channel, from one start to the next, live and in sessions alike."""

from collections.abc import Mapping
from typing import Final

from blitz.ui.live_store import LiveChannel
from blitz.ui.preferences import Preferences

MOST: Final = 200
"""Channels whose settings are kept; beyond, those go that were changed longest ago."""


class KeptTriggers:
    """Settings as texts, by the name of each.

    :param preferences: None: they last as long as this does.
    """

    def __init__(self, preferences: Preferences | None = None) -> None:
        self._preferences = preferences
        self._texts: dict[str, dict[str, str]] = {} if preferences is None else preferences.triggers

    def of(self, channel: LiveChannel | None) -> Mapping[str, str]:
        """Return what was chosen for a channel; nothing where nobody chose anything."""
        return {} if channel is None else self._texts.get(_key(channel), {})

    def keep(self, channel: LiveChannel, texts: Mapping[str, str]) -> None:
        """Keep what was chosen, beside what else is kept of the channel."""
        before = self._texts.pop(_key(channel), {})
        self._texts[_key(channel)] = before | dict(texts)
        for key in list(self._texts)[:-MOST]:
            del self._texts[key]
        if self._preferences is not None and self._texts[_key(channel)] != before:
            self._preferences.triggers = self._texts


def _key(channel: LiveChannel) -> str:
    return f"{channel.source.name}\n{channel.channel.name}"
