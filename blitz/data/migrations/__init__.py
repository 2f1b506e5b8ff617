"""The cache's schema, revision by revision (Alembic), and its upgrade when a cache is opened.

A developer adds a revision with ``alembic``'s Python interface or by hand, and moves :data:`HEAD`; tests check that
the revisions give what ``models.py`` says, which is what a new cache is made from.
"""

import threading
from collections.abc import Set

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from blitz.data.models import Base
from blitz.errors import CacheError, CacheTooNew

HEAD = "0002"
"""The revision that this program writes."""

_VERSION_TABLE = "alembic_version"
_VERSIONS = Table(
    _VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{_VERSION_TABLE}_pkc"),
)
"""As Alembic makes it."""

# Alembic keeps the environment of a running migration in module globals.
_ALEMBIC_LOCK = threading.Lock()


def current_revision(connection: Connection) -> str | None:
    """Return the revision of an open cache, None where it has no tables yet."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()
    return revision


def upgrade(connection: Connection, cache_name: str) -> None:
    """Bring a cache to :data:`HEAD`, within the transaction of ``connection``.

    :raises CacheTooNew: if a newer version of Blitz wrote it.
    :raises CacheError: if another program's tables are in it.
    """
    revision = current_revision(connection)
    if revision == HEAD:
        return
    others = sorted(set(inspect(connection).get_table_names()) - {_VERSION_TABLE})
    if others and not is_of_a_cache({*others, *([] if revision is None else [_VERSION_TABLE])}):
        raise CacheError(
            f"Cannot use {cache_name} as a cache: it has a table {others[0]!r}. It is the database of another program: "
            "use another file or database."
        )
    if revision is None:
        Base.metadata.create_all(connection)
        _VERSIONS.create(connection, checkfirst=True)
        connection.execute(_VERSIONS.insert().values(version_num=HEAD))
    else:
        run_revisions(connection, cache_name, revision)


def run_revisions(connection: Connection, cache_name: str, revision: str | None) -> None:
    """Bring a cache from a revision to :data:`HEAD`, one after the other.

    :raises CacheTooNew: if there is no such revision.
    """
    # Most caches are new or up to date: a program's start need not wait for this import.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "blitz.data:migrations")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise CacheTooNew(
            f"The cache {cache_name} was written by a newer Blitz (its schema: {revision}; here: {HEAD}). "
            "Install that version, or use another cache."
        )
    with _ALEMBIC_LOCK:
        command.upgrade(config, "head")


def is_of_a_cache(tables: Set[str]) -> bool:
    """Whether tables that are there are those of a cache, of whatever version."""
    return {_VERSION_TABLE, "category", "session"} <= tables


def forget(connection: Connection) -> None:
    """Let a database from which the cache's tables were dropped be as if it had never been one."""
    connection.execute(text(f"DROP TABLE IF EXISTS {_VERSION_TABLE}"))
