"""The version of the store's layout, and the way from older ones to it, made when a server starts.

Owns the key ``schema``. A change to the keys that an older Blitz would misread, or that needs older keys changed,
raises :data:`SCHEMA_VERSION` and adds a migration. Stores of 0.3.0 and before have no such key: they are version 1.
"""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from blitz.data.store_faults import translated
from blitz.errors import StoreError, StoreTooNew

if TYPE_CHECKING:
    import redis

    from blitz.data.database_server import DatabaseServer
    from blitz.data.store_keys import StoreKeys

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 3
"""Version 1: what 0.3.0 wrote. Version 2: archive, trash and what a restarted server goes on with. Version 3: markers
and changes among the entries of a time line, which version 2 cannot read."""

Migration = Callable[["redis.Redis", "StoreKeys"], str]
"""Changes the keys and says what it did. It must be repeatable: after a crash in the middle it begins again."""

_STAMP_SCRIPT: Final = """
local found = redis.call('GET', KEYS[1])
if (found or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
"""KEYS: schema. ARGV: the version that is expected there, '' for none; the version that it is from now on."""


def _allow_archive_and_trash(client: "redis.Redis", keys: "StoreKeys") -> str:
    """From 1 to 2. Version 2 only adds keys that may be absent: sessions of version 1 lie in Redis whole.

    Of Blitz 0.2, whose keys are the documented ones, the last id is not known: none that is in its list is given again.
    """
    if ids := [int(session_id) for session_id in client.lrange(keys.sessions, 0, -1)]:
        client.set(keys.session_last, max(ids), nx=True)
    return f"version 2 of the store: {client.llen(keys.sessions)} sessions may now go to the archive and the trash"


def _allow_markers(client: "redis.Redis", keys: "StoreKeys") -> str:
    """From 2 to 3. Version 3 only adds entries of other kinds, and fields of the meta hash that may be absent."""
    return f"version 3 of the store: {client.llen(keys.sessions)} sessions may now have markers, tags and own fields"


MIGRATIONS: Final[Mapping[int, Migration]] = MappingProxyType({2: _allow_archive_and_trash, 3: _allow_markers})
"""By the version that they lead to."""


def schema_version(store: "DatabaseServer") -> int | None:
    """Return the version of the store's layout; None of an empty store that was never used.

    :raises StoreError: if the key holds something else.
    """
    keys = store.keys
    with translated():
        found: Any = store.client.get(keys.schema)
        if found is None:
            return 1 if store.client.exists(keys.session_last, keys.sessions, keys.store_id) else None
    text = str(found, "ascii", "replace")
    if not text.isdecimal() or int(text) < 1:
        raise StoreError(
            f"The key {keys.schema!r} in {store.address} should hold the version of Blitz' layout, and holds {text!r}: "
            "another program uses that name. Choose another --redis-prefix."
        )
    return int(text)


def check(store: "DatabaseServer", known: int = SCHEMA_VERSION) -> int | None:
    """Return the version as :func:`schema_version` does, of a store that this program can read.

    :param known: the newest version that can be read.
    :raises StoreTooNew: if a newer Blitz wrote it. Nothing is changed.
    """
    found = schema_version(store)
    if found is not None and found > known:
        raise StoreTooNew(
            f"The store at {store.address} was written by a newer Blitz (version {found} of its layout, this one knows "
            f"{known}). Install that Blitz again, or use another data folder or --redis-prefix."
        )
    return found


def check_current(store: "DatabaseServer") -> None:
    """Make sure that a store has this program's layout, for one that may not migrate it.

    :raises StoreTooNew: if a newer Blitz wrote it.
    :raises StoreError: if it is empty, or an older Blitz wrote it.
    """
    if check(store) != SCHEMA_VERSION:
        raise StoreError(
            f"The store at {store.address} with the prefix {store.keys.prefix!r} is empty, or was written by an older "
            "Blitz. Start the server that records first: it makes it ready."
        )


def migrate(
    store: "DatabaseServer", migrations: Mapping[int, Migration] = MIGRATIONS, target: int = SCHEMA_VERSION
) -> list[str]:
    """Bring the store to this program's layout, step by step, and return what was done, as sentences' parts.

    Each step's version is written when the step is done; a crash in the middle repeats that one step. Call it before
    anything else is read or written, by the one server that has the store.

    :raises StoreTooNew: if a newer Blitz wrote it. Nothing is changed then.
    """
    found = check(store, target)
    if found is None:
        with translated():
            _stamp(store, None, target)
        return []
    done = []
    for version in range(found + 1, target + 1):
        with translated():
            done.append(migrations[version](store.client, store.keys))
            _stamp(store, version - 1, version)
        log.info("Migrated the store: %s", done[-1])
    return done


def _stamp(store: "DatabaseServer", before: int | None, version: int) -> None:
    """Write the version, unless somebody else was faster."""
    # A store of version 1 has no such key.
    expected = "" if before in (None, 1) else str(before)
    if not store.client.eval(_STAMP_SCRIPT, 1, store.keys.schema, expected, str(version)):
        now = schema_version(store)
        if now is None or now < version:
            raise StoreError(f"The version of the store at {store.address} was changed to {now} by another program.")
