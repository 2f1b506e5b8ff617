"""A mark in the data folder that a server runs there: the next one knows by it that this one did not end well."""

import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)


class RunMark:
    """The file ``running`` in the data folder, which the caller has for itself alone."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "running"

    def set(self) -> str | None:
        """Make the mark; return a sentence if an earlier server left its own."""
        before: str | None = None
        try:
            with contextlib.suppress(FileNotFoundError):
                before = _printable(self._path.read_bytes())
            self._path.write_text(datetime.now(UTC).isoformat(timespec="seconds"), encoding="utf-8")
        except OSError as error:
            log.warning("%s cannot be used, so the next start will not know how this one ends: %s", self._path, error)
        if before is None:
            return None
        return f"The server that was started at {before or 'an unknown time'} had ended unexpectedly."

    def clear(self) -> None:
        """Take the mark away: the server ends in good order."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _printable(content: bytes) -> str:
    """Return what a power failure may have left of the text."""
    text = content[:100].decode("ascii", "replace").strip()
    return text if text.isprintable() and "\ufffd" not in text else ""
