"""A PostgreSQL server as the cache: Debian's own, started for these tests in a folder of its own."""

import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgresql_server import empty_database, running_postgresql
from sqlalchemy import create_engine

from blitz.data import migrations
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.models import (
    Base,
    Category,
    DefinitionVersion,
    Notification,
    Reading,
    Session,
    SessionCopy,
    StoredBlock,
)
from blitz.errors import BlockError, CacheError, CacheMismatch, CacheTooNew, SessionNotFound

STORE_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The address of a running server."""
    with running_postgresql() as address:
        yield address


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    """The address of an empty database."""
    yield postgresql
    empty_database(postgresql)


def test_a_session_is_downloaded_read_corrected_and_deleted(
    url: str, example: Callable[..., Any], all_readings: Callable[..., Any]
) -> None:
    session = example(GRID_MESSAGES + 200)
    with DatabaseClient(path=url) as cache:
        assert cache.store_id is None
        cache.bind_store(STORE_ID)
        with pytest.raises(CacheMismatch):
            cache.bind_store("99999999-2222-4333-8444-555555555555")
        assert cache.begin_download(session.record) == 0
        cache.store_block(7, session.block(0, 100))
        cache.store_block(7, session.block(100, 50))
        with pytest.raises(BlockError, match="not whole"):
            cache.finish_download(session.record)
        with pytest.raises(SessionNotFound):
            cache.session_blocks(7)
        assert cache.begin_download(session.record) == 150
        session.fill(cache, run=5000)
    with DatabaseClient(path=url) as cache:
        assert cache.store_id == STORE_ID
        whole = MessageBlock.concatenate(list(cache.session_blocks(7)))
        assert whole.checksum == session.block(0, GRID_MESSAGES + 200).checksum
        assert all_readings(cache, 7) == session.readings()
        assert cache.session_record(7) == session.record
        assert {row.category.variable_name for row in cache.get_session_variables(7)} == {
            "first",
            "second",
            "angle, set",
        }
        corrected = BoardDefinition(id="08", name="x", channels=(Channel(name="first", bit=0, bits=12, scale=2.0),))
        assert cache.add_definition_version(7, {"sim1": corrected}, "why", "ann") == 1
        assert cache.get_session_readings(7)[2].value == 6.0
        assert cache.definition_versions(7)[0].sources == ("sim1",)
        (series,) = cache.series(7, ["first"], first=0, count=9).values()
        assert series.values.tolist() == [0.0, 6.0, 12.0]
        cache.delete_session(7)
        for model in (Session, SessionCopy, StoredBlock, DefinitionVersion):
            assert cache.all(model) == []


def test_the_list_of_sessions_follows_the_server(url: str, example: Callable[..., Any]) -> None:
    with DatabaseClient(path=url) as cache:
        cache.update_session_list([[1, 1_000, 2_000, 5], [2, 3_000, None, 9]])
        example(30).fill(cache)
        cache.update_session_list([[2, 3_000, 9_000, 12]])
        assert [row.ref_id for row in cache.all(Session)] == [2, 7]
        assert cache.get(Session, {"ref_id": 7}).available is True
        assert cache.find(Session, {"available": False})[0].number_of_readings == 12
        cache.clear_session_data(7)
        assert cache.all(StoredBlock) == []


def test_rows_settings_and_numbers_are_kept_as_they_are(url: str) -> None:
    extremes = [1.7976931348623157e308, -5e-324, 0.1, math.inf, -math.inf]
    with DatabaseClient(path=url) as cache:
        cache.load_fixtures(testing=True)
        cache.load_fixtures(testing=True)
        category_id = cache.get_or_create_category("température, 'é' ☃")
        assert cache.get_or_create_category("température, 'é' ☃") == category_id
        late_ms = 1 << 52
        rows = [
            Reading(session_id=90, time_logged=late_ms + n, category_id=category_id, value=value)
            for n, value in enumerate([*extremes, math.nan])
        ]
        cache.add_many(rows)
        found = list(cache.get_session_readings(90))
        assert [row.value for row in found[:-1]] == extremes
        assert math.isnan(found[-1].value)
        assert found[0].time_logged == late_ms
        big = cache.add(Reading(id=1 << 40, session_id=91, time_logged=0, category_id=category_id, value=1.0))
        assert cache.get_by_id(Reading, big.id).value == 1.0
        cache.set_config("key", 1)
        cache.set_config("key", 2)
        cache.set_config("key", 3, do_update=False)
        assert cache.get_config("key").value == "2"
        error = cache.log_error("étrange", 3)
        cache.handle_error(error.id)
        cache.clear_errors()
        assert cache.all(Notification) == []
        cache.add_cache(5, category_id, 1.5)
        assert cache.get_cache_variables()[-1].value == 1.5
        cache.clear_cache()
        with pytest.raises(CacheError, match="refuses the row"):
            cache.add(Category(variable_name="température, 'é' ☃"))


@pytest.mark.parametrize("is_new", [True, False])
def test_the_schema_is_that_of_the_models_and_a_newer_one_is_refused(url: str, is_new: bool) -> None:
    if not is_new:  # the revisions, which caches of earlier versions go through
        engine = create_engine(url)
        with engine.begin() as connection:
            migrations.run_revisions(connection, "a cache", None)
        engine.dispose()
    with DatabaseClient(path=url) as cache:
        with cache._engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        with cache._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CacheTooNew, match="was written by a newer Blitz"):
        DatabaseClient(path=url)


def test_several_clients_open_and_write_an_empty_database_at_once(url: str, example: Callable[..., Any]) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with DatabaseClient(path=url) as cache:
                cache.get_or_create_category("shared")
                example(3000).fill(cache, run=500)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [str(failure) for failure in failures if not isinstance(failure, CacheError | BlockError)] == []
    with DatabaseClient(path=url) as cache:
        example(3000).fill(cache)
        whole = MessageBlock.concatenate(list(cache.session_blocks(7)))
        assert whole.checksum == example(3000).block(0, 3000).checksum
    assert failures == []
