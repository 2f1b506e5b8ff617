"""All caches of this computer in one list, named ones first, for people who choose among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blitz.data.cache_places import CachePlace, usual_places
from blitz.data.cache_setup import CacheFacts, look_at
from blitz.data.named_caches import NamedCaches


@dataclass(frozen=True)
class ListedCache:
    """One of them, and what is in it."""

    place: CachePlace
    description: str
    facts: CacheFacts

    @property
    def server_words(self) -> str:
        """Which server it belongs to, for people."""
        if self.facts.server:
            return self.facts.server
        return f"store {self.facts.store_id}" if self.facts.store_id else "none yet"


def list_caches(folder: Path) -> Iterator[ListedCache]:
    """Look at each cache, the named ones in the order of their names; a database that is away takes its time."""
    for named in NamedCaches(folder).all():
        place = CachePlace.of(named)
        yield ListedCache(place, named.description, look_at(place))
    for place in usual_places(folder):
        yield ListedCache(place, "", look_at(place))
