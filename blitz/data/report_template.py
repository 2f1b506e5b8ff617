"""From a report's facts to its page, by the template that comes with Blitz or a laboratory's own.

Templates are Jinja's. What sessions say (names, notes, markers, answers of devices) is text wherever it stands: it is
escaped, and never looked into for marks or code. A template may come from anywhere: it runs in Jinja's sandbox, and
reaches no file but those beside it, which it may include.
"""

import functools
import traceback
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from pydantic import BaseModel

from blitz.data.report_facts import Report
from blitz.data.report_words import clean_text
from blitz.errors import ReportTemplateError

DEFAULT = "blitz.html"
"""Name of the template that comes with Blitz; own ones may extend it."""
IN_FOLDER = "report.html"
"""What a folder's template is called."""


class ReportTemplate:
    """A template that has been read and understood.

    :param place: a file, or a folder with a :data:`IN_FOLDER`; None for the one that comes with Blitz.
    :raises ReportTemplateError: naming file, line and what is wrong.
    """

    def __init__(self, place: Path | None = None) -> None:
        file = place / IN_FOLDER if place is not None and place.is_dir() else place
        self.words = f"template {file.name}" if file is not None else "the usual template"
        """What people read of it."""
        self._name = DEFAULT if file is None else file.name
        self._file = file
        environment = _environment(file.parent if file is not None else None)
        if file is not None and file.name == DEFAULT:
            raise ReportTemplateError(f"{file} has the name of the template of Blitz: call it something else.")
        try:
            self._template = environment.get_template(self._name)
        except (TemplateSyntaxError, TemplateNotFound, OSError, UnicodeError) as error:
            raise self._told(error) from error

    def page(self, report: Report) -> str:
        """Return the page.

        :raises ReportTemplateError: naming file, line and what is wrong.
        """
        try:
            return self._template.render(report=report)
        except MemoryError:
            raise
        except Exception as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> ReportTemplateError:
        if isinstance(error, TemplateSyntaxError):
            return ReportTemplateError(f"{error.filename or self._name}, line {error.lineno}: {error.message}")
        if isinstance(error, TemplateNotFound):
            if error.name == self._name:
                return ReportTemplateError(f"There is no template {self._file}.")
            where = _line(error, self._name)
            return ReportTemplateError(f"{where}: there is no template {error.name!r} beside it.")
        if isinstance(error, UnicodeError):
            return ReportTemplateError(f"{self._file} is no template: it is not text in UTF-8.")
        if isinstance(error, OSError) and error.filename == str(self._file):
            return ReportTemplateError(f"Cannot read the template {self._file}: {(error.strerror or '').lower()}.")
        words = str(error).rstrip(".") or type(error).__name__
        return ReportTemplateError(f"{_line(error, self._name)}: {words}.")


def default_template() -> str:
    """Return the template that comes with Blitz, for a laboratory to change."""
    source, _, _ = _package().get_source(Environment(autoescape=True), DEFAULT)
    return source


class _Sandbox(ImmutableSandboxedEnvironment):
    """Lets a template read facts, and call nothing of records: theirs can read files."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, type):
            return False
        if isinstance(obj, BaseModel):
            return attr in type(obj).model_fields or isinstance(getattr(type(obj), attr, None), property)
        return super().is_safe_attribute(obj, attr, value)


def _environment(folder: Path | None) -> Environment:
    return _usual() if folder is None else _sandbox(ChoiceLoader([_package(), FileSystemLoader(folder)]))


@functools.cache
def _usual() -> Environment:
    """Return what compiles the usual template once: that takes longer than to fill it in."""
    return _sandbox(_package())


def _sandbox(loader: BaseLoader) -> Environment:
    return _Sandbox(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _package() -> PackageLoader:
    return PackageLoader("blitz.data", "reports")


def _clean(value: object) -> object:
    """Replace what no page may have in it."""
    return clean_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _line(error: Exception, name: str) -> str:
    """Say where in which template an error came up: Jinja puts the templates' own lines into the traceback."""
    place = name
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith((".html", ".j2", ".jinja", ".htm", ".txt")) or Path(frame.filename).name == name:
            place = f"{frame.filename}, line {frame.lineno}"
    return place
