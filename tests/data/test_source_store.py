"""What the server keeps of its sources."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.server_tables import SCHEMA_VERSION
from blitz.data.source_config import SerialOptions, SourceConfig, UsbIdentity
from blitz.data.source_store import SourceStore
from blitz.errors import ConfigError, SourceExists, TablesError, UnknownSource

BENCH = SourceConfig(name="bench", link="/dev/ttyUSB0", identity=UsbIdentity(vendor_id=0x2341, product_id=0x43))
OVEN = SourceConfig(name="oven", link="socket://10.0.0.7:4001", on_connect=("start",), poll_interval_s=0.5)


def columns(*names: str) -> BoardDefinition:
    channels = tuple(Channel(name=name, column=number) for number, name in enumerate(names))
    return BoardDefinition(id="printer", name="A printer", format=Format.COLUMNS, channels=channels)


@pytest.fixture
def store() -> Iterator[SourceStore]:
    with SourceStore(":memory:") as store:
        yield store


def test_sources_come_back_as_they_were_added_and_in_that_order(tmp_path: Path) -> None:
    with SourceStore(tmp_path / "deep" / "server.db") as store:
        assert store.sources() == []
        store.add(OVEN, "ann@bench")
        store.add(BENCH)
        assert store.sources() == [OVEN, BENCH]
    with SourceStore(str(tmp_path / "deep" / "server.db")) as store:
        assert store.sources() == [OVEN, BENCH]
        assert store.source("bench") == BENCH


def test_a_name_is_given_once(store: SourceStore) -> None:
    store.add(BENCH)
    with pytest.raises(SourceExists, match="There is a source 'bench' already"):
        store.add(BENCH.model_copy(update={"link": "COM3"}))
    store.add(OVEN)
    with pytest.raises(SourceExists):
        store.update("oven", {"name": "bench"})
    assert store.sources() == [BENCH, OVEN]


def test_an_unknown_source_is_told_in_each_call(store: SourceStore) -> None:
    for call in (store.source, store.delete, lambda name: store.update(name, {})):
        with pytest.raises(UnknownSource, match="no source 'nobody'"):
            call("nobody")
    assert store.definition("nobody") is None
    assert store.definition_versions("nobody") == []
    assert store.history("nobody") == []


def test_a_change_touches_only_what_it_names(store: SourceStore) -> None:
    store.add(BENCH.model_copy(update={"serial": SerialOptions(baud=9600, parity="even")}))
    after = store.update("bench", {"serial": {"baud": 115200}, "protocol": "stream"}, "ann@bench")
    assert (after.serial.baud, after.serial.parity, after.protocol) == (115200, "even", "stream")
    assert after.identity == BENCH.identity
    assert store.source("bench") == after
    assert store.update("bench", BENCH) == store.source("bench") == BENCH


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, "has no colour. It has: name, link"),
        ({"serial": {"speed": 9600}}, "has no serial.speed. It has: serial.baud"),
        ({"serial": {"parity": "odd-ish"}}, "cannot be changed: serial, parity: 'odd-ish' is not 'none'"),
        ({"link": ""}, "cannot be changed: link"),
        ({"protocol": "blitz", "definition": columns("a")}, "is asked by the Blitz protocol"),
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(
    store: SourceStore, changes: dict[str, object], sentence: str
) -> None:
    store.add(BENCH)
    with pytest.raises(ConfigError, match=sentence):
        store.update("bench", changes)
    assert store.sources() == [BENCH]
    assert len(store.history("bench")) == 1


def test_every_change_is_kept_with_who_and_when(store: SourceStore) -> None:
    begin = datetime.now(UTC)
    store.add(BENCH, "ann@bench")
    store.update("bench", {"link": "/dev/ttyUSB1", "serial": {"baud": 115200}, "on_connect": ["go"]}, "bob@desk")
    store.update("bench", {"link": "/dev/ttyUSB1"}, "nobody changes anything")
    store.save_definition("bench", columns("a"), "ann@bench")
    store.delete("bench", "ann@bench")
    history = store.history("bench")
    assert [(change.who, change.what) for change in history] == [
        ("ann@bench", "added: /dev/ttyUSB0"),
        ("bob@desk", "baud: 57600 -> 115200; link: /dev/ttyUSB0 -> /dev/ttyUSB1; on_connect: none -> go"),
        ("ann@bench", "definition: version 1, printer"),
        ("ann@bench", "removed"),
    ]
    times = [change.at for change in history]
    assert times == sorted(times)
    assert abs((times[0] - begin).total_seconds()) < 60


def test_definitions_have_versions_and_an_equal_one_is_none(store: SourceStore) -> None:
    assert store.definition("ttyACM0") is None
    assert store.save_definition("ttyACM0", columns("column_1"), "", "A1") == 1
    assert store.save_definition("ttyACM0", columns("column_1"), "ann@bench", "A1") == 1
    assert store.save_definition("ttyACM0", columns("pressure"), "ann@bench", "A1") == 2
    assert store.save_definition("ttyACM0", columns("column_1"), "ann@bench", "A1") == 3
    assert store.save_definition("other", columns("x")) == 1
    assert store.definition("ttyACM0") == columns("column_1")
    versions = store.definition_versions("ttyACM0")
    assert [(v.version, v.who, v.serial_number, v.definition.channels[0].name) for v in versions] == [
        (1, "", "A1", "column_1"),
        (2, "ann@bench", "A1", "pressure"),
        (3, "ann@bench", "A1", "column_1"),
    ]


def test_a_definition_that_comes_with_a_source_is_in_force(store: SourceStore) -> None:
    identity = UsbIdentity(vendor_id=1, product_id=2, serial_number="A1")
    store.add(BENCH.model_copy(update={"definition": columns("a"), "identity": identity}), "ann@bench")
    assert store.definition("bench", "A1") == columns("a")
    store.save_definition("bench", columns("b"), "ann@bench", "A1")
    store.update("bench", {"serial": {"baud": 9600}})
    assert store.definition("bench") == columns("b")
    store.update("bench", {"definition": columns("c")}, "bob@desk")
    assert store.definition("bench") == columns("c")
    versions = store.definition_versions("bench")
    assert [(v.version, v.who, v.serial_number) for v in versions] == [
        (1, "ann@bench", "A1"),
        (2, "ann@bench", "A1"),
        (3, "bob@desk", "A1"),
    ]


def test_a_definition_belongs_to_the_device_that_it_was_saved_for(store: SourceStore) -> None:
    store.save_definition("bench", columns("any"))
    store.save_definition("bench", columns("of_a1"), serial_number="A1")
    store.save_definition("bench", columns("of_b2"), serial_number="B2")
    assert store.definition("bench") == columns("of_b2")
    assert store.definition("bench", "A1") == columns("of_a1")
    assert store.definition("bench", "C3") == columns("any")


def test_a_new_source_under_an_old_name_does_not_inherit_a_definition(store: SourceStore) -> None:
    store.add(BENCH)
    store.save_definition("bench", columns("a"))
    store.delete("bench")
    assert store.sources() == []
    store.add(BENCH)
    assert store.definition("bench") is None
    assert store.save_definition("bench", columns("a")) == 3
    assert [version.version for version in store.definition_versions("bench")] == [1, 3]


def test_history_and_definitions_follow_a_source_to_its_new_name(store: SourceStore) -> None:
    store.add(OVEN)
    store.save_definition("oven", columns("old"))
    store.delete("oven")
    store.add(BENCH)
    store.save_definition("bench", columns("a"))
    assert store.update("bench", {"name": "oven"}).name == "oven"
    assert [source.name for source in store.sources()] == ["oven"]
    assert store.definition("oven") == columns("a")
    assert [version.version for version in store.definition_versions("oven")] == [1, 3]
    assert store.definition("bench") is None
    assert store.history("oven")[-1].what == "name: bench -> oven"


def test_several_threads_share_a_store(tmp_path: Path) -> None:
    with SourceStore(tmp_path / "server.db") as store:
        store.add(BENCH)

        def work(number: int) -> None:
            for version in range(10):
                store.save_definition("bench", columns(f"n{number}_{version}"), str(number))
                store.definition("bench")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        versions = store.definition_versions("bench")
    assert [version.version for version in versions] == list(range(1, 41))
    for number in range(4):
        names = [v.definition.channels[0].name for v in versions if v.who == str(number)]
        assert names == [f"n{number}_{version}" for version in range(10)]


def test_a_closed_store_says_so(store: SourceStore) -> None:
    store.close()
    store.close()
    with pytest.raises(TablesError, match="are closed"):
        store.sources()


def test_tables_of_a_newer_blitz_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with SourceStore(path) as store:
        store.add(BENCH)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(TablesError, match="were written by a newer Blitz"):
        SourceStore(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.close()
    with SourceStore(path) as store:
        assert store.sources() == [BENCH]


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    path.write_text("Dear Sir, " * 1000)
    with pytest.raises(TablesError, match="It is damaged, or no database: bring it back from a backup"):
        SourceStore(path)
    assert path.read_text() == "Dear Sir, " * 1000


def test_the_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE source (title TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(TablesError, match="is the database of another program"):
        SourceStore(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("source",)]
    connection.close()


def test_a_damaged_file_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with SourceStore(path) as store:
        store.add(BENCH)
        for number in range(20):
            store.save_definition("bench", columns(f"n{number}"))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(TablesError, match="damaged"):
        SourceStore(path)
    assert path.read_bytes() == content


def test_a_source_that_cannot_be_read_is_named_holds_up_no_other_and_can_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with SourceStore(path) as store:
        store.add(BENCH)
        store.add(BENCH.model_copy(update={"name": "oven"}))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE source SET config = '{}' WHERE name = 'bench'")
    connection.close()
    with SourceStore(path) as store:
        whole, wrong = store.all_sources()
        assert [config.name for config in whole] == ["oven"]
        assert re.match(r"The source 'bench' in .* cannot be read: name", wrong["bench"])
        with pytest.raises(TablesError, match=r"source 'bench' in .* cannot be read"):
            store.source("bench")
        store.delete("bench", "me")
        assert store.all_sources()[1] == {}
        assert [change.what for change in store.history("bench")][-1] == "removed"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TablesError, match="Cannot make the folder"):
        SourceStore(tmp_path / "file" / "server.db")
    with pytest.raises(TablesError, match="Check that the path is a file"):
        SourceStore(tmp_path)
