"""Searching sessions by what people wrote about them; one function for server, cache and window.

Pure. Case and accents do not matter, and every word must be found: ``pump tag:warm-up sample:"brass 4" starred``.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

from blitz.data.records import SessionRecord

SEARCH_LENGTH: Final = 1_000

_WORD: Final = re.compile(r'(?:(?P<key>[^\s":]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))|(?P<rest>\S)')
_OWNER: Final = "owner"
_TAG: Final = "tag"
_STARRED: Final = "starred"


class _Wish(NamedTuple):
    text: str
    """Folded; of ``key:text`` both."""
    key: str = ""
    value: str = ""
    is_star: bool = False


class SessionSearch:
    """What somebody looks for.

    ``tag:x`` is a tag, whole; ``owner:x`` and ``FIELD:x`` look into the owner and into an own field, ``starred`` finds
    those with a star; a word that contains none of these is looked for in name, notes, tags, fields, owner, markers and
    the date. Quotes hold words together.

    >>> SessionSearch("MULLER herr").is_found_in("Herr Müller")
    True
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._wishes = [wish for found in _WORD.finditer(text) if (wish := _wish(found)) is not None]

    @property
    def is_empty(self) -> bool:
        """Whether everything is found."""
        return not self._wishes

    def is_found_in(self, *texts: str) -> bool:
        """Whether every word is in one of the texts."""
        whole = "\n".join(map(fold, texts))
        return all(wish.text in whole for wish in self._wishes)

    def matches(self, record: SessionRecord, more: Iterable[str] = ()) -> bool:
        """Whether a session is one of those that are looked for.

        :param more: further texts of it, such as those of markers that the record does not have.
        """
        if not self._wishes:
            return True
        whole = "\n".join(map(fold, (*_texts(record), *more)))
        fields = {fold(name): fold(value) for name, value in record.fields.items()}
        tags = set(map(fold, record.tags))
        owner = fold(record.owner)

        def is_met(wish: _Wish) -> bool:
            if wish.is_star:
                return record.starred
            if wish.key == _TAG:
                return wish.value in tags
            if wish.key == _OWNER:
                return wish.value in owner
            if wish.key in fields and wish.value in fields[wish.key]:
                return True
            return wish.text in whole

        return all(map(is_met, self._wishes))


def fold(text: str) -> str:
    """Return a text without what a search does not look at: case and accents.

    >>> fold("Übergröße, Çà et LÀ")
    'ubergrosse, ca et la'
    """
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _texts(record: SessionRecord) -> list[str]:
    started = record.started_at.astimezone()
    return [
        str(record.id),
        record.name,
        record.notes,
        record.owner,
        f"{started:%Y-%m-%d %H:%M}",
        *record.tags,
        *record.fields.values(),
        *(marker.text for marker in record.markers),
    ]


def _wish(found: re.Match[str]) -> _Wish | None:
    value = found["quoted"] if found["quoted"] is not None else found["plain"] or found["rest"] or ""
    if not value:
        return None
    folded = fold(value)
    if found["key"]:
        key = fold(found["key"])
        return _Wish(f"{key}:{folded}", key, folded)
    return _Wish(folded, is_star=found["quoted"] is None and folded == _STARRED)
