"""From what somebody writes to a cache: its name, a file, a SQLAlchemy URL, or the usual one of a server."""

from dataclasses import dataclass, field
from pathlib import Path

from blitz.data.cache_address import file_of, is_same_place, is_url, shown_address
from blitz.data.database_client import DatabaseClient
from blitz.data.named_caches import USUAL, NamedCache, NamedCaches, is_name
from blitz.errors import CacheNotFound


@dataclass(frozen=True)
class CachePlace:
    """Where a cache is. As text it shows no password, so that it may stand in logs and on screens."""

    address: Path | str = field(repr=False)
    """What :class:`~blitz.data.database_client.DatabaseClient` takes."""
    name: str = ""
    """Empty for one that has none."""
    is_usual: bool = False
    """Whether it is that of a server which somebody who chooses nothing gets."""

    @classmethod
    def of(cls, named: NamedCache) -> "CachePlace":
        """Return the place of a named cache."""
        return cls(named.address if is_url(named.address) else Path(named.address), named.name)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None of another database."""
        return file_of(self.address)

    @property
    def exists(self) -> bool:
        """Whether it can be there: False only of a file that is not."""
        return self.file is None or self.file.is_file()

    @property
    def words(self) -> str:
        """What a sentence calls it."""
        return f"{self.name} ({self})" if self.name else str(self)

    def open(self) -> DatabaseClient:
        """Open it; it is made where it is not there yet."""
        return DatabaseClient(path=self.address)

    def __str__(self) -> str:
        return shown_address(self.address)


def find_place(text: str, folder: Path) -> CachePlace | None:
    """Return the cache that is meant by a name, a path or a URL; None for the word ``usual``.

    A file that is called like a name, without a folder or an ending, is only taken where it is there.

    :param folder: of the usual caches and the names.
    :raises CacheNotFound: if it reads like a name, and nothing is called so.
    :raises CacheError: if the names cannot be read.
    """
    text = text.strip()
    if text.casefold() == USUAL:
        return None
    names = NamedCaches(folder)
    if is_name(text):
        named = names.find(text)
        if named is not None:
            return CachePlace.of(named)
        if not Path(text).exists():
            raise CacheNotFound(
                f"There is no cache named {text!r}. {names.words} A new file is written with its folder or ending: "
                f"./{text} or {text}.db."
            )
    return CachePlace(text) if is_url(text) else CachePlace(Path(text).expanduser())


def chosen_place(setting: str | None, folder: Path) -> CachePlace | None:
    """Return the cache that is used where a command names none; None: the usual one of the server.

    :param setting: what a settings file or a variable says; it counts before what was chosen.
    """
    if setting:
        return find_place(setting, folder)
    named = NamedCaches(folder).in_use
    return None if named is None else CachePlace.of(named)


def usual_places(folder: Path) -> list[CachePlace]:
    """Return the caches in the folder that have no name: one a server, and those of no server."""
    named = [each.address for each in NamedCaches(folder).all()]
    files = sorted(folder.glob("*.db"))
    return [
        CachePlace(path, is_usual=True) for path in files if not any(is_same_place(path, address) for address in named)
    ]
