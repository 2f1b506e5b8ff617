"""The example of a kind of source that a package brings, installed on the path of a real server."""

import contextlib
import os
import shutil
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.records import BoardRecord, LinkState
from blitz.data.source_config import SourceConfig
from blitz.errors import ConfigError, SourceExists, SourceUnavailable, UnknownSource

EXAMPLE = Path(__file__).parents[2] / "docs" / "source-plugin"
ADDRESS = "28-000005e2fdc3"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the example package, as pip puts it there, and what servers find on their path."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = folder / "blitz_w1_thermometer-1.0.0.dist-info"
    metadata.mkdir()
    name, version = project["name"], project["version"]
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (group,) = project["entry-points"]
    entries = "".join(f"{prefix} = {where}\n" for prefix, where in project["entry-points"][group].items())
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entries}broken = nowhere_at_all:Kind\n")
    shutil.copy(EXAMPLE / "blitz_w1_thermometer.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    measure(tmp_path, "23125")
    return tmp_path


def measure(bus: Path, millidegrees: str, check: str = "YES") -> None:
    (bus / ADDRESS).mkdir(exist_ok=True)
    draft = bus / "draft"
    draft.write_text(f"72 01 4b 46 7f ff : crc=d7 {check}\n72 01 4b 46 7f ff t={millidegrees}\n")
    draft.replace(bus / ADDRESS / "w1_slave")


def cellar(bus: Path, **more: Any) -> SourceConfig:
    options = {"bus": str(bus)}
    return SourceConfig(name="cellar", link=f"w1:{ADDRESS}", poll_interval_s=0.05, options=options, **more)


def tables(data_dir: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(data_dir / "server.db")) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def board(client: blitz.Client, name: str = "cellar") -> BoardRecord:
    return next(record for record in client.boards() if record.name == name)


def test_a_kind_of_source_is_listed_added_with_its_table_recorded_and_deleted_with_it(
    run_server: Callable[..., Any], installed: Path, bus: Path
) -> None:
    server = run_server("--durability", "none")
    with blitz.Client(server.url, timeout=60) as client:
        kinds = {kind.prefix: kind for kind in client.source_kinds()}
        assert (
            kinds["w1"].summary
            == "Thermometers on the 1-wire bus, such as a DS18B20: w1:ADDRESS, measured every ten seconds."
        )
        assert kinds["w1"].origin == "blitz-w1-thermometer 1.0.0 (blitz_w1_thermometer:W1Thermometer)"
        assert "nowhere_at_all" in kinds["broken"].error
        with pytest.raises(ConfigError, match="is no thermometer: give its address"):
            client.add_source(SourceConfig(name="cellar", link="w1:5"))
        with pytest.raises(ConfigError, match="'broken:…' cannot be used: ModuleNotFoundError"):
            client.add_source(SourceConfig(name="cellar", link="broken:5"))
        with pytest.raises(
            SourceUnavailable, match=r"There is no thermometer .* There are: w1:28-000005e2fdc3"
        ) as refusal:
            client.add_source(cellar(bus).model_copy(update={"link": "w1:28-0000000000ff"}))
        assert refusal.value.code == "source_unavailable"
        assert client.sources() == []
        assert client.boards() == []
        assert "w1_count" not in tables(server.data_dir)
        with pytest.raises(UnknownSource):
            client.source_history("cellar")

        added = client.add_source(cellar(bus))
        assert added.definition is not None
        assert "w1_count" in tables(server.data_dir)
        with pytest.raises(SourceExists, match="is the source 'cellar' already"):
            client.add_source(cellar(bus).model_copy(update={"name": "again"}))
        wait_until(lambda: board(client).state is LinkState.READY)
        session = client.start("run")
        wait_until(lambda: client.session(session.id).message_count >= 3)
        measure(bus, "-5000", "NO")
        measure(bus, "24500")
        readings = client.stop()
        assert readings.message_count >= 3
        (source,) = client.session(session.id).sources
        assert source.definition is not None
        assert [channel.unit for channel in source.definition.channels] == ["°C"]
        assert [change.what for change in client.source_history("cellar")][:1] == [f"added: w1:{ADDRESS}"]
        client.delete_source("cellar")
        assert "w1_count" not in tables(server.data_dir)
        assert [change.what for change in client.source_history("cellar")][-1] == "removed"
    assert server.stop() == 0
    assert b"Traceback" not in server.log_path.read_bytes()


def test_a_source_whose_package_is_gone_is_listed_with_the_reason_holds_up_no_other_and_can_be_deleted(
    run_server: Callable[..., Any], installed: Path, bus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = run_server("--durability", "none")
    other = bus / ADDRESS / "lines"
    with blitz.Client(server.url, timeout=60) as client:
        client.add_source(SourceConfig(name="away", link=str(other)), later=True)
        client.add_source(cellar(bus))
        wait_until(lambda: board(client).state is LinkState.READY)
    server.kill()
    monkeypatch.setenv("PYTHONPATH", os.devnull)
    server.start()
    with blitz.Client(server.url, timeout=60) as client:
        wait_until(lambda: "no installed package brings them" in (board(client).error or ""))
        assert [source.name for source in client.sources()] == ["away", "cellar"]
        assert "w1_count" in tables(server.data_dir)
        client.delete_source("cellar")
        assert [source.name for source in client.sources()] == ["away"]
        assert "w1_count" not in tables(server.data_dir)
    assert server.stop() == 0
    assert b"Traceback" not in server.log_path.read_bytes()
