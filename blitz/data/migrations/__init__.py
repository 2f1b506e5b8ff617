"""The cache's schema, revision by revision (Alembic), and its upgrade when a cache is opened.

A developer adds a revision with ``alembic``'s Python interface or by hand, and moves :data:`HEAD`; a test checks that
the revisions give what ``models.py`` says.
"""

import threading

from sqlalchemy import Connection, inspect, text

from blitz.errors import CacheTooNew

HEAD = "0002"
"""The revision that this program writes."""

_VERSION_TABLE = "alembic_version"

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
    """
    revision = current_revision(connection)
    if revision == HEAD:
        return

    # Most caches are up to date: a program's start need not wait for this import.
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
