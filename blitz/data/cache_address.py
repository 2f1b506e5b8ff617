"""Where a cache can be: a file, or a SQLAlchemy URL; read, made comparable, and shown without its secrets."""

import re
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy.exc import ArgumentError

from blitz.errors import CacheError

_SECRETS: Final = frozenset({"password", "passwd", "pwd", "passfile", "sslpassword"})
"""Parts of a URL's query that are not shown."""
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""Of a URL that names none: the one that is tested, which is not SQLAlchemy's first choice."""


def parse_address(address: str | Path) -> sqlalchemy.URL:
    """Read a file's path or a SQLAlchemy URL.

    :raises CacheError: if it is neither.
    """
    if not is_url(address):
        return sqlalchemy.URL.create("sqlite", database=str(address))
    try:
        url = sqlalchemy.make_url(str(address))
    except (ArgumentError, ValueError) as error:
        raise CacheError(f"{shown_address(address)!r} is neither a file nor a SQLAlchemy URL.") from error
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def is_url(address: str | Path) -> bool:
    """Whether it is a URL rather than a file's path."""
    return "://" in str(address)


def file_of(address: str | Path) -> Path | None:
    """Return the file of an SQLite cache; None of another database, and of one in memory.

    >>> str(file_of("sqlite:///runs.db")), file_of("postgresql://host/runs"), file_of(":memory:")
    ('runs.db', None, None)
    """
    url = parse_address(address)
    if url.get_backend_name() != "sqlite" or is_in_memory(address):
        return None
    return Path(str(url.database).removeprefix("file:"))


def is_in_memory(address: str | Path) -> bool:
    """Whether it ends with the program that opens it."""
    url = parse_address(address)
    if url.get_backend_name() != "sqlite":
        return False
    return not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"


def lasting_address(text: str) -> str:
    """Return an address as it can be kept: a file's path from its root, a URL with its driver.

    :raises CacheError: if it is none, or one in memory.
    """
    text = text.strip()
    if not text:
        raise CacheError("Say where the cache is: a file, or a SQLAlchemy URL.")
    if is_in_memory(text):
        raise CacheError("A cache in memory ends with the program that opens it, and cannot have a name: name a file.")
    path, url = file_of(text), parse_address(text)
    if path is None or url.query:
        return url.render_as_string(hide_password=False)
    return str(path.expanduser().absolute())


def is_same_place(one: str | Path, other: str | Path) -> bool:
    """Whether two addresses mean one database, as far as they say."""
    files = file_of(one), file_of(other)
    if files[0] is not None and files[1] is not None:
        return files[0].resolve() == files[1].resolve()
    urls = [parse_address(address) for address in (one, other)]
    # Whoever asks for it, it is the same database.
    first, second = ((url.get_backend_name(), url.host, url.port, url.database, url.query) for url in urls)
    return first == second


def shown_address(address: str | Path) -> str:
    """Return an address for people: without passwords, also where it cannot be read.

    >>> shown_address("postgresql+psycopg://ada:secret@dbhost/blitz")
    'postgresql+psycopg://ada:***@dbhost/blitz'
    >>> shown_address("postgresql://dbhost/blitz?password=secret")
    'postgresql://dbhost/blitz?password=***'
    >>> shown_address("postgresql:/ada:secret@dbhost")
    'postgresql:/ada:***@dbhost'
    """
    text = str(address)
    if ":/" not in text:
        return text
    hidden = re.sub(r"(:/+[^:/?#]*:).*@", r"\1***@", text)
    return re.sub(rf"([?&](?:{'|'.join(_SECRETS)})=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)
