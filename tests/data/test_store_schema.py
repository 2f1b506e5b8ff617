"""The version of the store's layout, and stores that earlier versions wrote."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import redis

from blitz.data.database import DatabaseServer
from blitz.data.store_keys import StoreKeys
from blitz.data.store_schema import MIGRATIONS, SCHEMA_VERSION, check, migrate, schema_version
from blitz.errors import StoreError, StoreTooNew


@pytest.fixture
def old_store(store: DatabaseServer, load_store: Callable[[DatabaseServer, int], None]) -> DatabaseServer:
    """The store that version 1 wrote."""
    load_store(store, 1)
    return store


def test_an_empty_store_gets_the_present_version_and_nothing_else(store: DatabaseServer) -> None:
    assert schema_version(store) is None
    assert migrate(store) == []
    assert schema_version(store) == SCHEMA_VERSION
    assert store.client.keys() == [b"schema"]
    assert migrate(store) == []


def test_a_store_without_the_key_is_version_1(old_store: DatabaseServer) -> None:
    assert check(old_store) == 1


def test_a_store_of_version_1_is_migrated_and_keeps_all_sessions(
    old_store: DatabaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    keys_before = sorted(old_store.client.keys())
    messages_before = {number: old_store.get_all_from_session(number) for number in (1, 3, 4)}
    with caplog.at_level(logging.INFO):
        said = migrate(old_store)
    assert said == [
        "version 2 of the store: 3 sessions may now go to the archive and the trash",
        "version 3 of the store: 3 sessions may now have markers, tags and own fields",
    ]
    assert all(sentence in caplog.text for sentence in said)
    assert schema_version(old_store) == SCHEMA_VERSION
    assert sorted(old_store.client.keys()) == sorted([*keys_before, b"schema"])
    assert old_store.available_sessions() == [4, 3, 1]
    assert {number: old_store.get_all_from_session(number) for number in (1, 3, 4)} == messages_before
    first = old_store.session(1)
    assert (first.name, first.notes) == ("pump test", "Zwölf °C, first try")
    assert first.timeline[0].sent == "hello"
    assert [source.name for source in first.sources] == ["sim1", "sim2"]
    assert not first.starred
    assert first.archived_count == 0
    assert old_store.messages(3, 0, 100).messages().count(b"\x00\xff\xb0C") == 1
    assert old_store.session(4).is_running
    assert migrate(old_store) == []


def test_a_migrated_store_can_be_recorded_to(old_store: DatabaseServer) -> None:
    migrate(old_store)
    assert old_store.close_interrupted() == 4
    assert old_store.session(4).interrupted
    assert old_store.start_session() == 5
    old_store.queue("on it goes")
    assert old_store.get_all_from_session(5) == ["on it goes"]


@pytest.fixture
def documented_store(store: DatabaseServer) -> DatabaseServer:
    """What Blitz 0.2 documents, and no more: three keys a session, and their list."""
    for number, start_ms in ((1, 1_400_000_000_000), (2, 1_400_000_100_000)):
        store.client.lpush("sessions", number)
        store.client.mset({f"session_{number}_start": start_ms, f"session_{number}_end": start_ms + 60_000})
        store.client.rpush(f"session_{number}", *(f"08a{n:x}" + "0" * 24 for n in range(5)))
    return store


@pytest.mark.parametrize("is_migrated", [False, True])
def test_sessions_of_0_2_keep_their_ids_and_messages(documented_store: DatabaseServer, is_migrated: bool) -> None:
    if is_migrated:
        migrate(documented_store)
    before = documented_store.get_all_from_session(1)
    assert documented_store.start_session() == 3
    documented_store.queue("08a0")
    documented_store.stop_session()
    assert documented_store.start_session() == 4
    documented_store.stop_session()
    assert documented_store.available_sessions() == [4, 3, 2, 1]
    assert documented_store.get_all_from_session(1) == before
    assert documented_store.build_client_session_list()[-1] == [1, 1_400_000_000_000, 1_400_000_060_000, 5]


def test_a_newer_store_is_refused_with_a_sentence_and_left_as_it_is(store: DatabaseServer) -> None:
    store.client.set("schema", SCHEMA_VERSION + 1)
    for reader in (check, migrate):
        with pytest.raises(StoreTooNew, match=f"version {SCHEMA_VERSION + 1} of its layout, this one knows"):
            reader(store)
    assert store.client.keys() == [b"schema"]


@pytest.mark.parametrize("value", ["", "two", "-1", "0", "2.5", "²"])
def test_a_key_of_another_program_is_refused(store: DatabaseServer, value: str) -> None:
    store.client.set("schema", value)
    with pytest.raises(StoreError, match="another program uses that name"):
        migrate(store)
    assert store.client.get("schema") == value.encode()


def test_the_prefix_tells_two_stores_apart(redis_url: str) -> None:
    one, two = DatabaseServer(redis_url, "{one}:"), DatabaseServer(redis_url, "{two}:")
    try:
        one.start_session()
        assert (check(one), check(two)) == (1, None)
        migrate(one)
        assert (check(one), check(two)) == (SCHEMA_VERSION, None)
    finally:
        one.close()
        two.close()


class Crash(Exception):  # noqa: N818
    """The machine went off."""


def counting_migrations(crash_at: list[int]) -> dict[int, Callable[[Any, StoreKeys], str]]:
    """Three migrations that write down in the store that they ran; the machine goes off at the given steps."""
    steps = [0]

    def step() -> None:
        steps[0] += 1
        if steps[0] in crash_at:
            raise Crash

    def migration(version: int) -> Callable[[Any, StoreKeys], str]:
        def run(client: "redis.Redis", keys: StoreKeys) -> str:
            step()
            client.hset("done", f"{version}a", "1")
            step()
            client.hset("done", f"{version}b", "1")
            step()
            return f"step {version}"

        return run

    return {version: migration(version) for version in (2, 3, 4)}


@pytest.mark.parametrize("crash_at", range(1, 10))
def test_a_migration_that_was_broken_off_goes_on_where_it_was(old_store: DatabaseServer, crash_at: int) -> None:
    migrations = counting_migrations([crash_at])
    with pytest.raises(Crash):
        migrate(old_store, migrations, target=4)
    reached = schema_version(old_store)
    assert reached == 1 + (crash_at - 1) // 3
    done = migrate(old_store, migrations, target=4)
    assert done == [f"step {version}" for version in range(reached + 1, 5)]
    assert schema_version(old_store) == 4
    assert len(old_store.client.hgetall("done")) == 6


def test_there_is_a_migration_to_each_version() -> None:
    assert sorted(MIGRATIONS) == list(range(2, SCHEMA_VERSION + 1))


def test_a_store_can_be_turned_back_to_version_1(
    store: DatabaseServer, as_version_1: Callable[[DatabaseServer], None]
) -> None:
    migrate(store)
    number = store.start_session("kept")
    store.queue("a")
    store.stop_session()
    as_version_1(store)
    assert check(store) == 1
    assert len(migrate(store)) == SCHEMA_VERSION - 1
    assert store.session(number).name == "kept"
