"""Settings that an operator chose in the window, as rows of a `Config` table: of a cache in which nothing else is.

A key is the name of a setting in :class:`blitz.config.ClientSettings`, so that whatever sets ``set_config("sync",
"all")`` has chosen it. What a settings file, a variable or an argument says counts before it.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from blitz.config import ClientSettings
from blitz.data.database_client import DatabaseClient
from blitz.errors import CacheError

log = logging.getLogger(__name__)

FILE_NAME: Final = "client.settings"
"""Beside the caches; without their ending, so that nothing takes it for one of a server."""

KEYS: Final = (
    "server",
    "sync",
    "sync_period_s",
    "overview_mb",
    "export_dir",
    "export_pattern",
    "export_format",
    "export_preset",
    "export_report",
    "console_messages",
    "keep_awake",
)
"""What can be chosen. An empty value is one that was never chosen."""


class KeptSettings:
    """The rows, by their keys; used by one thread.

    :param path: None, or where the file cannot be used: they last until the program ends.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.problem = ""
        """Why nothing is kept, as a sentence; empty where it is."""
        try:
            self._table = DatabaseClient(path=str(path or ":memory:"))
        except CacheError as error:
            log.warning("What is chosen in the window is not kept: %s", error)
            self.problem = str(error)
            self._table = DatabaseClient()

    def close(self) -> None:
        """Release the file."""
        self._table.close()

    def text(self, key: str) -> str:
        """Return what was chosen; empty where nothing was."""
        row = self._table.get_config(key)
        return row.value if row is not None else ""

    def keep(self, chosen: Mapping[str, str]) -> None:
        """Keep what is chosen; an empty text forgets it.

        :raises CacheError: if it cannot be written.
        """
        for key, text in chosen.items():
            if text != self.text(key):
                self._table.set_config(key, text)

    def applied_to(self, settings: ClientSettings) -> ClientSettings:
        """Return settings with what was chosen for all that nothing else says."""
        fields = {name: getattr(settings, name) for name in settings.model_fields_set}
        for key in KEYS:
            text = self.text(key)
            if not text or key in settings.model_fields_set:
                continue
            try:
                ClientSettings.model_validate({key: text})
            except ValidationError as error:
                log.warning("The setting %s = %r in %s is left out: %s", key, text, self.path, error.errors()[0]["msg"])
            else:
                fields[key] = text
        return ClientSettings.model_validate(fields).told_by(settings)
