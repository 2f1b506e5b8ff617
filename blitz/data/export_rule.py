"""Where sessions are exported to by themselves, how, and under which names."""

import re
from pathlib import Path
from typing import Final

from blitz.config import ClientSettings
from blitz.data.export_formats import FileFormat, Preset
from blitz.data.name_pattern import NamePattern
from blitz.data.records import SessionRecord
from blitz.data.report_choice import SUFFIX
from blitz.errors import ConfigError

_LONGEST_NAME_BYTES: Final = 180
_NAME: Final = "session name"
_ID: Final = "session id"
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class ExportRule:
    """Where sessions are exported to, and how.

    :param folder: is made if the folder that it lies in exists: a drive that is away is not replaced by a folder.
    :param pattern: of the names: ``{date}`` and ``{time}`` of the start, ``{name}``, ``{id}``, ``{owner}`` and own
        fields; what is empty is left out.
    :param has_report: whether a report is written beside each file, under its name with the ending ``.html``.
    :param template: of the reports; None for the one that comes with Blitz.
    :raises ConfigError: if the pattern cannot be.
    """

    def __init__(
        self,
        folder: Path,
        pattern: str = "{date}_{name}_{id}",
        format: FileFormat | str = FileFormat.CSV,
        preset: Preset = "analysis",
        *,
        has_report: bool = False,
        template: Path | None = None,
    ) -> None:
        self.folder = folder.expanduser()
        self.format = FileFormat(format)
        self.preset: Preset = preset
        self.has_report = has_report
        self.template = template
        try:
            # These two are no fields of a session's own, of which a pattern's places must be.
            self._pattern = NamePattern(pattern.replace("{name}", f"{{{_NAME}}}").replace("{id}", f"{{{_ID}}}"))
        except ValueError as error:
            raise ConfigError(f"The setting export_pattern is wrong: {error}") from error

    def file_name(self, record: SessionRecord, number: int = 1) -> str:
        """Return a file's name that every system takes; from the second of a name on with a number."""
        started = record.started_at.astimezone()
        places = {**record.fields, _NAME: record.name, _ID: str(record.id)}
        stem = safe_name(self._pattern.fill(started, record.owner, places) or f"session-{record.id}")
        return f"{stem}{'' if number == 1 else f'-{number}'}{self.format.suffix}"

    def free_path(self, record: SessionRecord) -> Path:
        """Return the first path of these names that is not taken."""
        number = 1
        while self._is_taken(path := self.folder / self.file_name(record, number)):
            number += 1
        return path

    def _is_taken(self, path: Path) -> bool:
        return path.exists() or (self.has_report and path.with_suffix(SUFFIX).exists())


def rule_of(settings: ClientSettings) -> ExportRule | None:
    """Return the rule that the settings say; None where sessions are not exported by themselves."""
    if settings.export_dir is None:
        return None
    return ExportRule(
        settings.export_dir,
        settings.export_pattern,
        settings.export_format,
        settings.export_preset,
        has_report=settings.export_report,
        template=settings.report_template,
    )


def safe_name(name: str) -> str:
    """Turn a text into a file's name, without ending, that Windows and others take.

    >>> safe_name('Session 2026-11-22 10:30: "brass"?.'), safe_name("aux"), safe_name(" .. ")
    ('Session 2026-11-22 10-30- -brass-', '_aux', 'session')
    """
    safe = _UNSAFE.sub("-", name).strip(" .")
    safe = safe.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore").strip(" .")
    if not safe:
        return "session"
    return f"_{safe}" if _RESERVED.fullmatch(safe) else safe
