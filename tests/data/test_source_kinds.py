"""Kinds of sources that packages bring: found on the path, checked, and kept to their own tables."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, inspect, text
from sqlalchemy.exc import DatabaseError

from blitz.data.kind_tables import only_tables_of
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import GROUP, SourceKind, checked_by_kind, kind_for, list_kinds, load_kind
from blitz.data.source_places import SourcePlace
from blitz.data.source_store import SourceStore
from blitz.errors import ConfigError

Install = Callable[..., None]
HEAD = "from blitz.data.source_kinds import SourceKind\nfrom sqlalchemy import MetaData, Table, Column, Integer\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with entry points onto the path, as pip does."""

    def put(package: str, code: str, **kinds: str) -> None:
        folder = tmp_path / package
        metadata = folder / f"{package}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{package}.py").write_text(HEAD + code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        entries = "".join(f"{name} = {value}\n" for name, value in kinds.items())
        (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


class Bus(SourceKind):
    """A bus."""

    prefix = "bus"
    tables = MetaData()
    rows = Table("bus_row", tables, Column("id", Integer, primary_key=True), Column("link", Text))

    def forget(self, config: SourceConfig, db: Connection) -> None:
        """Remove its rows."""
        db.execute(self.rows.delete().where(self.rows.c.link == config.link))


def bus(name: str) -> SourceConfig:
    return SourceConfig(name=name, link=f"bus:{name}")


def tables(store: SourceStore) -> set[str]:
    with store.transaction() as db:
        return set(inspect(db).get_table_names())


def test_what_is_wrong_with_a_kind_is_said(install: Install) -> None:
    install(
        "many_kinds",
        "class Good(SourceKind):\n    'Good things.\\n\\nMore.'\n    prefix = 'good'\n"
        "class Other(SourceKind): prefix = 'else'\n"
        "class Taker(SourceKind): prefix = 'source'\n"
        "class Greedy(SourceKind):\n"
        "    prefix = 'greedy'\n"
        "    tables = MetaData()\n"
        "    Table('token', tables, Column('id', Integer, primary_key=True))\n"
        "class Plain: prefix = 'plain'\n",
        **{
            **{"good": "many_kinds:Good", "other": "many_kinds:Other", "source": "many_kinds:Taker"},
            **{"greedy": "many_kinds:Greedy", "plain": "many_kinds:Plain", "none": "many_kinds:None_"},
        },
    )
    kinds = {kind.prefix: kind for kind in list_kinds()}
    assert (kinds["good"].summary, kinds["good"].error) == ("Good things.", "")
    assert kinds["good"].origin == "many_kinds 1.2 (many_kinds:Good)"
    assert "the prefix 'else' of the entry point 'other' must be its name" in kinds["other"].error
    assert "none of audit" in kinds["source"].error
    assert "its table 'token' must have a name that begins with greedy_" in kinds["greedy"].error
    assert "does not derive from" in kinds["plain"].error
    assert "AttributeError" in kinds["none"].error
    with pytest.raises(ConfigError, match=r"Sources 'plain:…' cannot be used: .* 'blitz source kinds' lists"):
        load_kind("plain")
    with pytest.raises(ConfigError, match="no installed package brings them"):
        kind_for(SourceConfig(name="a", link="nothing:at-all"))
    assert kind_for(SourceConfig(name="a", link="/dev/ttyUSB0")) is None


def test_two_packages_for_one_prefix_are_refused(install: Install) -> None:
    for package in ("first_one", "second_one"):
        install(package, "class Kind(SourceKind): prefix = 'twice'\n", twice=f"{package}:Kind")
    with pytest.raises(ConfigError, match=r"several packages bring them: first_one .* second_one .* Uninstall all but"):
        load_kind("twice")


def test_what_a_check_raises_becomes_a_sentence() -> None:
    class Picky(Bus):
        def check(self, config: SourceConfig) -> SourceConfig:
            if config.options:
                raise ValueError("it has no options")
            return config.model_copy(update={"link": config.options["missing"]})

    with pytest.raises(ConfigError, match="it has no options"):
        checked_by_kind(bus("a").model_copy(update={"options": {"a": 1}}), Picky())
    with pytest.raises(ConfigError, match="The plug-in for 'bus:…' failed: 'missing'"):
        checked_by_kind(bus("a"), Picky())
    assert checked_by_kind(bus("a"), Bus()).poll_interval_s == 10
    assert checked_by_kind(bus("a").model_copy(update={"poll_interval_s": 2}), Bus()).poll_interval_s == 2


def test_a_kind_reaches_its_own_tables_and_no_others() -> None:
    with SourceStore(":memory:") as store:
        store.add(bus("a"), kind=Bus())
        with store.transaction() as db:
            with only_tables_of(db, "bus"):
                db.execute(Bus.rows.insert().values(link="bus:a"))
                for statement in (
                    *("SELECT * FROM source", "DELETE FROM token", "UPDATE source SET name = 'b'", "COMMIT"),
                    *("DROP TABLE bus_row", "CREATE TABLE bus_more (id)", "ATTACH ':memory:' AS other"),
                    *("PRAGMA user_version = 9", "SELECT * FROM bus_row, source"),
                ):
                    with pytest.raises(DatabaseError, match=r"not authorized|prohibited"):
                        db.exec_driver_sql(statement)
                assert db.execute(Bus.rows.select()).all() == [(1, "bus:a")]
            assert db.execute(text("SELECT name FROM source")).all() == [("a",)]


def test_own_tables_come_with_the_first_source_and_go_with_the_last() -> None:
    def fail(db: Connection) -> None:
        db.execute(Bus.rows.insert().values(link="bus:a"))
        raise OSError("cannot be opened")

    with SourceStore(":memory:") as store:
        usual = tables(store)
        with pytest.raises(OSError, match="cannot be opened"):
            store.add(bus("a"), kind=Bus(), start=fail)
        assert tables(store) == usual
        assert (store.sources(), store.history("a")) == ([], [])
        for name in ("a", "b"):
            store.add(bus(name), kind=Bus())
            store.keep_place(f"bus:{name}", SourcePlace(7, 3, 40, 2))
        with store.transaction() as db:
            db.execute(Bus.rows.insert(), [{"link": "bus:a"}, {"link": "bus:b"}])
        store.delete("a", kind=Bus())
        with store.transaction() as db:
            assert db.execute(Bus.rows.select()).all() == [(2, "bus:b")]
        assert (store.place("bus:a"), store.place("bus:b")) == (None, SourcePlace(7, 3, 40, 2))
        store.delete("b", kind=None)  # its package is gone
        assert tables(store) == usual


def test_a_kind_that_cannot_forget_keeps_no_source_from_going(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Bus):
        def forget(self, config: SourceConfig, db: Connection) -> None:
            db.execute(self.rows.delete())
            raise RuntimeError("forgets nothing")

    with SourceStore(":memory:") as store:
        for name in ("a", "b"):
            store.add(bus(name), kind=Bus())
        with store.transaction() as db:
            db.execute(Bus.rows.insert().values(link="bus:b"))
        store.delete("a", kind=Failing())
        assert [source.name for source in store.sources()] == ["b"]
        with store.transaction() as db:
            assert db.execute(Bus.rows.select()).all() == [(1, "bus:b")]
    assert "could not be removed" in caplog.text
