"""The computed channels that the window keeps, and how they stand among a board's own: each as a source by itself."""

from collections.abc import Iterable, Mapping

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.board_definition import BoardDefinition
from blitz.data.computed import ComputedChannel
from blitz.data.computed_formulas import MARK
from blitz.data.kept_computed import KEY, read_channels, write_channels
from blitz.data.kept_settings import KeptSettings
from blitz.data.records import Source
from blitz.ui.live_store import LiveChannel, list_channels
from blitz.ui.preferences import Preferences
from blitz.ui.source_rows import COMPUTED

__all__ = ["MARK", "ComputedChannels", "by_label", "computed_source", "missing_words"]

_FIRST_ROW, _ROWS = 60_000, 5_000
"""Rows of the source table that no session comes to."""


class ComputedChannels(QObject):
    """All that there are, kept from one start to the next: beside the caches, where other programs find them, too."""

    changed = pyqtSignal()

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._kept: KeptSettings | None = None
        self.channels = preferences.computed_channels

    def use(self, kept: KeptSettings) -> None:
        """Keep them there; what the window's own settings have of them goes there, too.

        :raises CacheError: if they cannot be written.
        """
        self._kept = kept
        there = read_channels(kept.text(KEY))
        labels = {channel.label for channel in there}
        self.keep((*there, *(channel for channel in self.channels if channel.label not in labels)))

    def keep(self, channels: Iterable[ComputedChannel]) -> None:
        """Have exactly these from now on.

        :raises CacheError: if they cannot be written; they are there all the same, until the program ends.
        """
        self.channels = tuple(channels)
        try:
            if self._kept is None:
                self._preferences.computed_channels = self.channels
            else:
                self._kept.keep({KEY: write_channels(self.channels) if self.channels else ""})
                self._preferences.computed_channels = ()
        finally:
            self.changed.emit()


def missing_words(computed: ComputedChannel, channels: Mapping[str, LiveChannel]) -> str:
    """Say why a computed channel cannot be computed of these; empty where it can.

    :param computed: with the formulas of other computed channels written out.
    """
    for label in computed.channels:
        if label not in channels:
            return f"There is no channel “{label}” here."
    definition = channels[computed.channels[0]].source.definition
    if computed.definition and definition is not None and definition.id != computed.definition:
        return f"It is for boards with the definition {computed.definition}."
    return ""


def computed_source(row: int, computed: ComputedChannel) -> Source:
    """Return the source that a computed channel stands as.

    :param row: counted from 0; each change of a formula needs another one, so that its old values are forgotten.
    """
    name = f"{MARK} {computed.label}"
    channels = [{"name": name, "column": 0, "unit": computed.shown_unit}]
    definition = BoardDefinition.model_validate(
        {"id": COMPUTED, "name": f"Computed: {computed.formula}", "format": "columns", "channels": channels}
    )
    return Source(index=_FIRST_ROW + row % _ROWS, name=name, link=COMPUTED, board_id=None, definition=definition)


def by_label(sources: Iterable[Source]) -> dict[str, LiveChannel]:
    """Return the channels of sources by their labels, computed ones left out: formulas are not made of formulas."""
    return {channel.label: channel for channel in list_channels(sources) if channel.source.link != COMPUTED}
