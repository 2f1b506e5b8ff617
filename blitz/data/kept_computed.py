"""The computed channels that somebody made in the window, kept beside the caches for all programs of this user."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from blitz.data.computed import ComputedChannel
from blitz.data.kept_settings import FILE_NAME, KeptSettings
from blitz.errors import SeriesError

log = logging.getLogger(__name__)

KEY: Final = "computed_channels"
"""In :class:`~blitz.data.kept_settings.KeptSettings`."""


def kept_channels(folder: Path | None = None) -> tuple[ComputedChannel, ...]:
    """Return the computed channels that were made in the window, in their order.

    :param folder: of the caches; None: that of the settings.
    """
    if folder is None:
        from blitz.config import ClientSettings, load

        folder = load(ClientSettings).cache_dir
    path = folder / FILE_NAME
    if not path.exists():
        return ()
    kept = KeptSettings(path)
    try:
        return read_channels(kept.text(KEY))
    finally:
        kept.close()


def read_channels(text: str) -> tuple[ComputedChannel, ...]:
    """Return what :func:`write_channels` wrote; what cannot be read is left out, and the log says so."""
    found = []
    try:
        plains = json.loads(text) if text else []
        for plain in plains:
            try:
                found.append(ComputedChannel.from_plain(plain))
            except SeriesError as error:
                log.warning("A computed channel is left out: %s", error)
    except (ValueError, TypeError) as error:
        log.warning("The computed channels cannot be read: %s", error)
    return tuple(found)


def write_channels(channels: Iterable[ComputedChannel]) -> str:
    """Return channels as text."""
    return json.dumps([channel.to_plain() for channel in channels])
