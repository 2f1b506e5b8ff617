"""The server's log: on the standard error, and in a file of bounded size in the data folder.

What is secret is blotted out on the way, wherever it comes from. Also keeps the log of the private Redis, which never
makes an end of it by itself, within bounds.
"""

import contextlib
import logging
import logging.handlers
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blitz.config import ServerSettings
from blitz.errors import ConfigError

log = logging.getLogger(__name__)

_TEXTS_KEPT = 100

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
BLOT = "…"
_SECRETS = re.compile(
    r"(?P<bearer>\bBearer\s+)[^\s\"',;]+"  # tokens in headers
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]*@"  # passwords in addresses
    r"|(?P<link>\bblitz://[^\s/]+/?#)[^\s&]+"  # the links that carry a token
    r"|(?P<field>\b(?:token|password|secret|requirepass|masterauth)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+",
    re.IGNORECASE,
)


@contextmanager
def to_stderr(settings: ServerSettings) -> Iterator[None]:
    """Send the log of the whole program to the standard error."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(settings.log_level.upper())
    try:
        if sys.stderr is None:  # there is none where a service has no console
            yield
            return
        with _handled_by(logging.StreamHandler(sys.stderr), settings):
            yield
    finally:
        root.setLevel(before)


@contextmanager
def to_file(settings: ServerSettings) -> Iterator[Path]:
    """Send it into its file, too, and give the file; its folder is made.

    :raises ConfigError: if the file cannot be written.
    """
    path = (settings.log_file or settings.data_dir / "blitz.log").expanduser().absolute()
    with _handled_by(_rotating(path, settings), settings):
        yield path


@contextmanager
def _handled_by(handler: logging.Handler, settings: ServerSettings) -> Iterator[None]:
    handler.setFormatter(BlottingFormatter(FORMAT, _known_secrets(settings)))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _rotating(path: Path, settings: ServerSettings) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return PrivateRotatingFile(
            path,
            maxBytes=settings.log_file_mb << 20,
            backupCount=settings.log_files,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise ConfigError(
            f"Cannot write the log file {path}: {(error.strerror or str(error)).lower()}. "
            "Make room there, or name another with log_file."
        ) from error


class PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotating log file that only its owner reads, and whose disk may be full: the server goes on without it."""

    def _open(self):  # type: ignore[no-untyped-def]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, self.mode, encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Lose the line: it stands on the standard error, too, and a traceback a line would fill that."""


class BlottingFormatter(logging.Formatter):
    """Blots out secrets.

    :param secrets: texts that must not appear; what looks like a token or a password does not either.
    """

    def __init__(self, form: str, secrets: Iterable[str] = ()) -> None:
        super().__init__(form)
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return one line: a name with a line feed in it, as anybody can choose, must not look like an entry."""
        return "".join(char if char.isprintable() else "?" for char in super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, its traceback included, without what is secret."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, BLOT)
        return blotted(text)


def blotted(text: str) -> str:
    """Return text without what looks like a token or a password.

    >>> blotted("redis://:hush@bench1:6379/0 refused 'Authorization: Bearer abc.def'")
    "redis://…@bench1:6379/0 refused 'Authorization: Bearer …'"
    >>> blotted("blitz://bench1:8999/#hush&ab12"), blotted('{"token": "hush", "name": "x"}')
    ('blitz://bench1:8999/#…&ab12', '{"token": "…", "name": "x"}')
    """
    return _SECRETS.sub(_blot, text)


def _blot(found: re.Match[str]) -> str:
    kept = next(text for text in found.groupdict().values() if text is not None)
    return f"{kept}{BLOT}{'@' if found['url'] is not None else ''}"


def _known_secrets(settings: ServerSettings) -> list[str]:
    secrets = [settings.token or ""]
    for table in settings.hooks:
        secrets += [str(value) for name, value in table.items() if name in ("password", "secret") and value]
    return secrets


# ---- the log of Redis -----------------------------------------------------------------------------------------------

REDIS_LOG_BYTES = 4 << 20


def bound_redis_log(path: Path, limit_bytes: int = REDIS_LOG_BYTES) -> bool:
    """Keep the newest half of Redis' log once it is too long; return whether it was. Called now and then.

    Redis opens its log anew for each line, so that it can be replaced under it; a line that is written in this very
    moment may be lost.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
        with path.open("rb") as file:
            file.seek(-limit_bytes // 2, os.SEEK_END)
            file.readline()  # the rest of a line
            newest = file.read()
        shorter = path.with_name(f"{path.name}.new")
        with _removed_on_error(shorter):
            shorter.write_bytes(newest)
            shorter.replace(path)
    except OSError as error:
        log.debug("%s could not be shortened: %s", path, error)
        return False
    return True


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


class OnceInAWhile(logging.Filter):
    """Lets a message of one text pass once in ten seconds, with the number of those that were held back."""

    def __init__(self, each_s: float = 10.0) -> None:
        super().__init__()
        self._each_s = each_s
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Hold back what was said a moment ago."""
        text = str(record.msg)
        now_s = time.monotonic()
        said_s, held_back = self._said.get(text, (-self._each_s, 0))
        if now_s - said_s < self._each_s:
            self._said[text] = (said_s, held_back + 1)
            return False
        if len(self._said) >= _TEXTS_KEPT:
            self._said.clear()
        self._said[text] = (now_s, 0)
        if held_back:
            record.msg = f"{text} ({held_back} more of these)"
        return True
