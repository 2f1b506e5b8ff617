"""The documented interface of the client's database, on real SQLite."""

import math

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Cache, Category, Config, Notification, Reading, Session
from blitz.errors import CacheError


def test_add_returns_the_row_with_its_id(any_cache: DatabaseClient) -> None:
    category = any_cache.add(Category(variable_name="pressure"))
    assert category.id == 1
    assert category.variable_name == "pressure"
    assert any_cache.get_by_id(Category, 1).variable_name == "pressure"


def test_a_changed_row_is_saved_by_adding_it_again(cache: DatabaseClient) -> None:
    config = cache.add(Config(key="unit", value="V"))
    config.value = "A"
    cache.add(config)
    assert cache.get_config("unit").value == "A"
    assert cache.all(Config).count() == 1


def test_add_many_gives_each_row_its_id(any_cache: DatabaseClient) -> None:
    rows = any_cache.add_many([Category(variable_name=name) for name in "abc"])
    assert [row.id for row in rows] == [1, 2, 3]
    assert any_cache.add_many([]) == []


def test_add_many_adds_all_or_none(any_cache: DatabaseClient) -> None:
    with pytest.raises(CacheError, match="refuses the row"):
        any_cache.add_many([Category(variable_name="a"), Category(variable_name="a")])
    assert any_cache.all(Category) == []


def test_all_and_find_return_lists_that_count_themselves(cache: DatabaseClient) -> None:
    cache.add_many([Notification(time_logged=n, severity=n % 2, description="x") for n in range(5)])
    assert cache.all(Notification).count() == len(cache.all(Notification)) == 5
    assert cache.find(Notification, {"severity": 1}).count() == 2
    assert cache.find(Notification, {"severity": 0, "time_logged": 2})[0].id == 3
    assert cache.find(Notification, {"severity": 9}).count() == 0


def test_get_returns_the_first_match_or_none(cache: DatabaseClient) -> None:
    cache.add_many([Notification(time_logged=n, severity=4, description=str(n)) for n in range(3)])
    assert cache.get(Notification, {"severity": 4}).description == "0"
    assert cache.get(Notification, {"severity": 5}) is None
    assert cache.get_by_id(Notification, 99) is None


def test_an_unknown_field_is_named(cache: DatabaseClient) -> None:
    with pytest.raises(ValueError, match=r"Category has no field 'name'\. It has: id, variable_name"):
        cache.find(Category, {"name": "x"})
    with pytest.raises(ValueError, match="no field"):
        cache.get(Category, {"category": "x"})


def test_add_reading_and_add_cache_return_the_row_with_its_category(any_cache: DatabaseClient) -> None:
    category_id = any_cache.get_or_create_category("pressure")
    reading = any_cache.add_reading(3, 1_400_000_000_123, category_id, 3.75)
    live = any_cache.add_cache(1_400_000_000_124, category_id, 4)
    assert (reading.session_id, reading.time_logged, reading.value) == (3, 1_400_000_000_123, 3.75)
    assert (live.time_logged, live.value) == (1_400_000_000_124, 4.0)
    assert reading.category.variable_name == live.category.variable_name == "pressure"
    assert any_cache.get(Reading, {"session_id": 3}).category.variable_name == "pressure"


def test_a_reading_without_its_category_is_refused(cache: DatabaseClient) -> None:
    with pytest.raises(CacheError, match="FOREIGN KEY"):
        cache.add_reading(1, 1000, 99, 1.0)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, 0.1, -0.0])
def test_values_come_back_as_they_were(cache: DatabaseClient, value: float) -> None:
    cache.add_reading(1, 1, cache.get_or_create_category("a"), value)
    assert cache.get(Reading, {"session_id": 1}).value == value


def test_nan_comes_back_as_nan(cache: DatabaseClient) -> None:
    cache.add_cache(1, cache.get_or_create_category("a"), math.nan)
    assert math.isnan(cache.get_cache()[0][0].value)


def test_get_or_create_category_gives_the_same_id_again(any_cache: DatabaseClient) -> None:
    first = any_cache.get_or_create_category("a")
    second = any_cache.get_or_create_category("b")
    assert any_cache.get_or_create_category("a") == first != second
    assert any_cache.all(Category).count() == 2


def fill_live_values(cache: DatabaseClient, count: int = 60) -> None:
    for name in ("a", "b"):
        category_id = cache.get_or_create_category(name)
        cache.add_many(Cache(time_logged=1000 + n, category_id=category_id, value=n) for n in range(count))


def test_get_cache_gives_the_newest_fifty_a_variable(cache: DatabaseClient) -> None:
    assert cache.get_cache() == []
    fill_live_values(cache)
    lists = cache.get_cache()
    assert [[row.value for row in rows] for rows in lists] == [[float(n) for n in range(59, 9, -1)]] * 2
    assert [rows[0].category.variable_name for rows in lists] == ["a", "b"]


def test_get_cache_since_includes_that_time(cache: DatabaseClient) -> None:
    fill_live_values(cache)
    assert [[row.time_logged for row in rows] for rows in cache.get_cache(1057)] == [[1059, 1058, 1057]] * 2
    assert [len(rows) for rows in cache.get_cache(since=1001)] == [50, 50]
    assert cache.get_cache(since=2000) == [[], []]


def test_values_of_one_time_come_newest_first(cache: DatabaseClient) -> None:
    category_id = cache.get_or_create_category("a")
    cache.add_many(Cache(time_logged=5, category_id=category_id, value=n) for n in range(3))
    assert [row.value for row in cache.get_cache()[0]] == [2, 1, 0]
    assert cache.get_cache_variables()[0].value == 2


def test_get_cache_variables_gives_the_latest_value_of_each(any_cache: DatabaseClient) -> None:
    fill_live_values(any_cache)
    latest = any_cache.get_cache_variables()
    any_cache.close()
    assert [(row.category.variable_name, row.time_logged, row.value) for row in latest] == [
        ("a", 1059, 59),
        ("b", 1059, 59),
    ]


def test_clear_cache_leaves_readings_and_categories(cache: DatabaseClient) -> None:
    fill_live_values(cache)
    cache.add_reading(1, 1, 1, 1)
    cache.clear_cache()
    assert cache.get_cache() == cache.get_cache_variables() == cache.all(Cache) == []
    assert cache.all(Reading).count() == 1
    assert cache.all(Category).count() == 2


def test_get_session_variables_gives_the_latest_reading_of_each(any_cache: DatabaseClient) -> None:
    a, b, c = (any_cache.get_or_create_category(name) for name in "abc")
    any_cache.add_reading(1, 200, b, 5)
    any_cache.add_reading(1, 300, a, 2)
    any_cache.add_reading(1, 100, a, 1)
    any_cache.add_reading(2, 900, c, 9)
    latest = any_cache.get_session_variables(1)
    any_cache.close()
    assert [(row.category.variable_name, row.time_logged, row.value) for row in latest] == [
        ("a", 300, 2),
        ("b", 200, 5),
    ]


def test_get_session_variables_of_an_unknown_session_is_empty(cache: DatabaseClient) -> None:
    assert cache.get_session_variables(5) == []


def test_set_config_adds_updates_and_keeps(any_cache: DatabaseClient) -> None:
    assert any_cache.get_config("port") is None
    any_cache.set_config("port", 8999)
    assert any_cache.get_config("port").value == "8999"
    any_cache.set_config("port", "9000")
    assert any_cache.get_config("port").value == "9000"
    any_cache.set_config("port", "1", do_update=False)
    assert any_cache.get_config("port").value == "9000"
    any_cache.set_config("host", "here", do_update=False)
    assert any_cache.get_config("host").value == "here"
    assert any_cache.all(Config).count() == 2


def test_errors_are_logged_handled_and_cleared(cache: DatabaseClient) -> None:
    first = cache.log_error("The board is away.")
    second = cache.log_error("The disk is full.", severity=3)
    assert (first.severity, second.severity) == (1, 3)
    assert first.time_logged > 1_700_000_000_000
    cache.handle_error(first.id)
    assert [row.description for row in cache.all(Notification)] == ["The disk is full."]
    cache.handle_error(999)
    cache.log_error("Another.")
    cache.clear_errors()
    assert cache.all(Notification).count() == 0


def test_load_fixtures_loads_configuration_and_keeps_what_is_set(cache: DatabaseClient) -> None:
    cache.load_fixtures()
    assert cache.get_config("server").value == "http://127.0.0.1:8999"
    cache.set_config("server", "http://lab-pi:8999")
    cache.load_fixtures()
    assert cache.get_config("server").value == "http://lab-pi:8999"
    assert cache.all(Session).count() == 0


def test_load_fixtures_for_testing_loads_all_once(any_cache: DatabaseClient) -> None:
    any_cache.load_fixtures(testing=True)
    counts = [any_cache.all(model).count() for model in (Category, Session, Reading, Cache, Notification, Config)]
    assert all(counts)
    assert any_cache.get(Session, {"ref_id": 1}).available is True
    assert any_cache.get(Session, {"ref_id": 2}).available is False
    any_cache.load_fixtures(testing=True)
    assert counts == [
        any_cache.all(model).count() for model in (Category, Session, Reading, Cache, Notification, Config)
    ]


def test_create_tables_keeps_rows_unless_it_is_to_drop_them(any_cache: DatabaseClient) -> None:
    any_cache.load_fixtures(testing=True)
    any_cache.create_tables()
    assert any_cache.all(Category).count() > 0
    any_cache.create_tables(force_drop=True)
    assert any_cache.all(Category).count() == 0
    any_cache.load_fixtures(testing=True)
    assert any_cache.all(Category).count() > 0
