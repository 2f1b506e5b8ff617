"""What people write about a session: name, notes, tags and the laboratory's own fields, and what these may be.

Pure. The documented limits stand here; where the words lie is the business of :mod:`blitz.data.session_notes`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from blitz.errors import FieldsMissing

NAME_LENGTH: Final = 200
NOTES_LENGTH: Final = 100_000
TAG_LENGTH: Final = 60
MOST_TAGS: Final = 50
FIELD_LENGTH: Final = 1_000
MOST_FIELDS: Final = 50

_FIELD_NAME: Final = re.compile(r"[^\W\d_][\w -]{0,38}\w|[^\W\d_]")
_TAKEN: Final = frozenset(
    {"id", "name", "notes", "tag", "tags", "star", "starred", "owner", "marker", "date", "time", "n"}
)
"""What searches and name patterns call other things by."""


@dataclass(frozen=True)
class SessionWords:
    """New words of a session; None leaves what is there.

    ``fields`` names those that change: an empty value takes a field away, the others stay.
    """

    name: str | None = None
    notes: str | None = None
    starred: bool | None = None
    tags: tuple[str, ...] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without the spaces around them, each once.

    :raises ValueError: if one is empty or too long, or has a comma, or if they are too many.

    >>> checked_tags([" warm-up", "rig 2", "warm-up"])
    ('warm-up', 'rig 2')
    """
    kept = tuple(dict.fromkeys(tag.strip() for tag in tags))
    for tag in kept:
        if not tag or "," in tag or len(tag) > TAG_LENGTH or not tag.isprintable():
            raise ValueError(f"{tag!r} is no tag: a tag has 1 to {TAG_LENGTH} characters and no comma.")
    if len(kept) > MOST_TAGS:
        raise ValueError(f"A session has at most {MOST_TAGS} tags, and these are {len(kept)}.")
    return kept


def check_field_name(name: str) -> None:
    """Check the name of an own field.

    :raises ValueError: saying what it may be.

    >>> check_field_name("sample no")
    """
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a field: it begins with a letter and has at most 40 letters, digits, spaces, - "
            "and _."
        )
    if name.casefold() in _TAKEN:
        raise ValueError(f"{name!r} is the name of something else already: choose another one for the field.")


def checked_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return own fields without the spaces around their values.

    :raises ValueError: if a name cannot be, a value is too long, or if they are too many.
    """
    for name in fields:
        check_field_name(name)
    kept = {name: value.strip() for name, value in fields.items()}
    for name, value in kept.items():
        if len(value) > FIELD_LENGTH:
            raise ValueError(f"The field {name!r} has at most {FIELD_LENGTH} characters, and this has {len(value)}.")
    if len(kept) > MOST_FIELDS:
        raise ValueError(f"A session has at most {MOST_FIELDS} fields, and these are {len(kept)}.")
    return kept


def check_required(required: Iterable[str], fields: Mapping[str, str]) -> None:
    """Check that fields which the laboratory wants of every session are filled in.

    :raises FieldsMissing: naming those that are not.
    """
    missing = [name for name in required if not fields.get(name, "").strip()]
    if missing:
        what = "the field" if len(missing) == 1 else "the fields"
        raise FieldsMissing(f"Every session on this server needs {what} {', '.join(missing)}. Fill in, then try again.")


def encode_tags(tags: Iterable[str]) -> str:
    """Return tags as they lie in the store."""
    return json.dumps(list(tags), ensure_ascii=False)


def encode_fields(fields: Mapping[str, str]) -> str:
    """Return own fields as they lie in the store."""
    return json.dumps(dict(fields), ensure_ascii=False)


def decode_tags(text: str | None) -> tuple[str, ...]:
    """Return tags from the store."""
    return tuple(json.loads(text)) if text else ()


def decode_fields(text: str | None) -> dict[str, str]:
    """Return own fields from the store."""
    return dict(json.loads(text)) if text else {}
