"""The revisions of the cache's schema, and caches that earlier versions wrote."""

import contextlib
import gzip
import importlib.resources
import os
import pwd
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError

from blitz.data import migrations
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Base, Cache, Category, Notification, Reading, Session
from blitz.data.models import Config as Setting
from blitz.errors import CacheError, CacheTooNew

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"


def schema_of(path: Path) -> dict[str, set[str]]:
    """Return what SQLite says of each table: columns, keys and indexes, without their order in the SQL text."""
    connection = sqlite3.connect(path)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in names:
            parts = [
                row
                for pragma in ("table_info", "foreign_key_list")
                for row in connection.execute(f"PRAGMA {pragma}({name})")
            ]
            for _, index, *traits in connection.execute(f"PRAGMA index_list({name})").fetchall():
                columns = connection.execute(f"PRAGMA index_info({index})").fetchall()
                parts.append((index, traits, columns))
            found[name] = {repr(part) for part in parts}
        return found
    finally:
        connection.close()


def differences(connection: Connection) -> Any:
    """Return what Alembic would change to give a database what the models say."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return compare_metadata(context, Base.metadata)


def test_the_revisions_give_what_the_models_say_and_what_a_new_cache_has(tmp_path: Path) -> None:
    DatabaseClient(path=tmp_path / "new.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        migrations.run_revisions(connection, "a cache", None)
        assert migrations.current_revision(connection) == migrations.HEAD
        assert differences(connection) == []
    engine.dispose()
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "new.db")


def test_a_cache_of_an_earlier_version_gets_the_same_schema(tmp_path: Path) -> None:
    for old in CACHES.glob("*.db"):
        shutil.copy(old, tmp_path / "old.db")
        assert schema_of(tmp_path / "old.db")["alembic_version"]
        DatabaseClient(path=tmp_path / "old.db").close()
        DatabaseClient(path=tmp_path / "new.db").close()
        assert schema_of(tmp_path / "old.db") == schema_of(tmp_path / "new.db")


def test_alembic_finds_no_difference_to_the_models(file_cache: DatabaseClient) -> None:
    with file_cache._engine.connect() as connection:
        assert differences(connection) == []


def test_head_is_the_last_revision() -> None:
    config = Config()
    config.set_main_option("script_location", "blitz.data:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_the_revisions_are_part_of_the_package() -> None:
    folder = importlib.resources.files("blitz.data") / "migrations"
    assert (folder / "env.py").is_file()
    assert any(file.name.startswith("v0001") for file in (folder / "versions").iterdir())


def test_a_cache_from_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with DatabaseClient(path=path) as client:
        client.set_config("a", "1")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(CacheTooNew, match=r"was written by a newer Blitz \(its schema: 9999; here: .*Install"):
        DatabaseClient(path=path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    assert connection.execute("SELECT value FROM config").fetchall() == [("1",)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    upgrade = migrations.upgrade

    def fail_at_the_end(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise Stop

    monkeypatch.setattr(migrations, "upgrade", fail_at_the_end)
    with pytest.raises(Stop):
        DatabaseClient(path=tmp_path / "cache.db")
    assert schema_of(tmp_path / "cache.db") == {}
    monkeypatch.undo()
    DatabaseClient(path=tmp_path / "cache.db").close()
    assert "reading" in schema_of(tmp_path / "cache.db")


def test_a_migration_that_fails_leaves_an_older_cache_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cache.db"
    shutil.copy(CACHES / "v0.3.0.db", path)
    before = schema_of(path)
    create_index = op.create_index

    def fail(name: str, *arguments: Any, **options: Any) -> None:
        create_index(name, *arguments, **options)
        raise OperationalError("CREATE INDEX", {}, Exception("database or disk is full"))

    monkeypatch.setattr(op, "create_index", fail)
    with pytest.raises(CacheError, match=r"disk is full. Free some space on that disk."):
        DatabaseClient(path=path)
    assert schema_of(path) == before
    monkeypatch.undo()
    with DatabaseClient(path=path) as client:
        assert len(client.get_session_readings(7)) == 600


@pytest.mark.parametrize("is_old", [True, False])
def test_a_cache_that_cannot_be_written_is_told(is_old: bool) -> None:
    # Not below pytest's folder, which is closed to others: root, who may write everything, becomes somebody else.
    with tempfile.TemporaryDirectory(prefix="blitz-test-") as folder:
        path = Path(folder) / "cache.db"
        shutil.copy(CACHES / "v0.3.0.db", path)
        if not is_old:
            DatabaseClient(path=path).close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            with as_somebody(), pytest.raises(CacheError, match=r"Check that.*you may write there"):
                DatabaseClient(path=path)
        finally:
            Path(folder).chmod(0o755)
        assert [file.name for file in Path(folder).iterdir()] == ["cache.db"]


@contextlib.contextmanager
def as_somebody() -> Iterator[None]:
    """Let root be nobody for a while; others are who they are."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_the_cache_that_version_0_3_0_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    shutil.copy(CACHES / "v0.3.0.db", path)
    with DatabaseClient(path=path) as client:
        assert client.store_id == "11111111-2222-4333-8444-555555555555"
        assert [client.all(model).count() for model in (Session, Reading, Cache, Notification)] == [4, 12, 180, 1]
        assert client.get(Setting, {"key": "plot_window"}).value == "30 s"
        record = client.session_record(7)
        assert (record.name, record.message_count, [source.name for source in record.sources]) == (
            "A try",
            600,
            ["sim1", "printer", "sim2"],
        )
        assert client.get(Session, {"ref_id": 7}).available
        readings = client.get_session_readings(7)
        assert len(readings) == 600
        assert [(reading.category.variable_name, reading.value) for reading in readings[-3:]] == [
            ("first", 597),
            ("second", 299),
            ("angle, set", 599),
        ]
        assert client.begin_download(client.session_record(2)) == 0
        assert client.get_or_create_category("first") == client.get(Category, {"variable_name": "first"}).id


def test_a_download_that_version_0_3_0_began_goes_on(
    tmp_path: Path, example: Callable[..., Any], all_readings: Callable[..., Any]
) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(gzip.decompress((CACHES / "v0.3.0-unfinished.db.gz").read_bytes()))
    with DatabaseClient(path=path) as client:
        assert client.get(Setting, {"key": "plot_window"}).value == "10 s"
        assert [row.description for row in client.all(Notification)] == ["cable"]
        assert [reading.value for reading in client.get_session_readings(3)] == [2.5]
        session = example(600)
        assert not client.get(Session, {"ref_id": 7}).available
        assert client.begin_download(session.record) == 300
        session.fill(client)
        assert all_readings(client, 7) == session.readings()
