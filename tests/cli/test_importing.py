"""The commands `blitz import`, `blitz pack` and `blitz unpack`, with caches and no server."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Run `blitz` in a folder without caches, where no server answers; with as_json, return its document."""
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, expect: int = 0, as_json: bool = False) -> Any:
        code = invoke([*arguments, "--json"] if as_json else [*arguments])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        text = printed.out if code == 0 else printed.err
        return json.loads(text) if as_json else text

    return run


def test_a_file_is_looked_at_imported_and_exported(shell: Callable[..., Any], tmp_path: Path) -> None:
    text = "time_utc,seconds,flow [l/min]\n2020-01-01T00:00:00.000000Z,0.000000,1.5\n"
    Path("run.csv").write_text(text)
    looked_at = shell("import", "run.csv", "--dry-run")
    assert looked_at.splitlines()[1].split() == ["flow", "l/min", "run"]
    assert "Times: date and time, from 20" in looked_at
    assert not (tmp_path / "caches").exists()
    document = shell("import", "run.csv", "--name", "Flow", as_json=True)
    assert (document["session"]["id"], document["session"]["name"]) == (-1, "Flow")
    assert document["cache"] == str(tmp_path / "caches" / "imported.db")
    told = shell("import", "run.csv")
    assert told.startswith("run.csv is session -2 in the cache ")
    assert "1 message of 1 channel" in told
    shell("export", "-1", "again.csv")
    assert Path("again.csv").read_text() == text


def test_what_a_file_does_not_say_is_said_by_options(shell: Callable[..., Any]) -> None:
    Path("run.csv").write_text("when,a,b,who\n01/02/2020 10:00,2,3,ann\n")
    assert "can be read in two ways" in shell("import", "run.csv", expect=1)
    plan = shell("import", "run.csv", "--dry-run", "--day-first", "--timezone", "Europe/Vienna", as_json=True)["plan"]
    assert (plan["first"], plan["left_out"]) == ("2020-02-01T09:00:00+00:00", ["who"])
    Path("relative.csv").write_text("t,a\n0.5,1\n")
    assert "say with --start" in shell("import", "relative.csv")
    started = shell("import", "relative.csv", "--start", "2024-05-01T12:00:00+02:00", "--unit", "s", as_json=True)
    assert started["session"]["started_at"] == "2024-05-01T10:00:00.500000Z"
    assert "is no time" in shell("import", "relative.csv", "--start", "noon", expect=2)


def test_a_session_is_packed_here_and_unpacked_there(
    shell: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "caches").mkdir()
    shutil.copy(CACHES / "v0.3.0.db", tmp_path / "caches" / "one.db")
    packed = shell("pack", "7", as_json=True)
    assert packed["path"] == str(tmp_path / "session-7.blitz")
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "elsewhere"))
    document = shell("unpack", "session-7.blitz", as_json=True)
    assert (document["session"], document["was_there"]) == (packed["session"], False)
    assert Path(document["cache"]).parent == tmp_path / "elsewhere"
    assert "already" in shell("unpack", "session-7.blitz")
    with Path("session-7.blitz").open("r+b") as file:
        file.truncate(3000)
    assert "damaged" in shell("unpack", "session-7.blitz", expect=1)
    assert "is not in a cache here" in shell("pack", "-5", expect=1)
