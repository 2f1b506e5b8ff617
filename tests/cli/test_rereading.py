"""The command `blitz reread` on a cache that an earlier version wrote."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"

CORRECTED = """
id = "08"
name = "Corrected"
channels = [
    {name = "volts", bit = 0, bits = 12, scale = 0.5, unit = "mV"},
    {name = "second", bit = 12, bits = 12, scale = 0.5},
]
"""


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Run `blitz reread` in a folder with one cache; with as_json, return its document."""
    (tmp_path / "caches").mkdir()
    shutil.copy(CACHES / "v0.3.0.db", tmp_path / "caches" / "one.db")
    (tmp_path / "corrected.toml").write_text(CORRECTED)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, expect: int = 0, as_json: bool = False) -> Any:
        code = invoke(["reread", *arguments, "--json"] if as_json else ["reread", *arguments])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        text = printed.out if code == 0 else printed.err
        return json.loads(text) if as_json else text

    return run


def test_a_session_is_read_anew_compared_and_read_as_before(shell: Callable[..., Any]) -> None:
    assert "by the definitions of its recording" in shell("7")
    told = shell("7", "--definition", "corrected.toml", "--reason", "a wrong reference")
    assert told == "Session 7 is read by version 1 of its definitions, with 'Corrected' for sim1.\n"
    (version,) = shell("7", "--list", as_json=True)["versions"]
    assert (version["number"], version["reason"], version["sources"]) == (1, "a wrong reference", ["sim1"])
    assert "a wrong reference" in shell("7", "--list")
    row = shell("7", "--compare", "0", "1").splitlines()[1]
    assert row.split() == ["sim1", "first", "→", "volts", "V", "→", "mV", "200", "199", "298.5", "0", "0"]
    document = shell("7", "--compare", "0", "1", as_json=True)
    assert (document["is_same"], document["channels"][0]["largest_difference"]) == (False, 298.5)
    assert shell("7", "--compare", "1", "1") == "Versions 1 and 1 say the same.\n"
    assert "say --yes" in shell("7", "--back", expect=2)
    assert "read by the definitions of its recording" in shell("7", "--back", "--yes")
    assert "no corrected definitions" in shell("7", "--back", "--yes", expect=1)


def test_what_cannot_be_is_told_in_a_sentence(shell: Callable[..., Any], tmp_path: Path) -> None:
    assert "Cannot read the board definition nothing.toml" in shell("7", "--definition", "nothing.toml", expect=2)
    assert "no source 'sim9'. It has: sim1, printer, sim2" in shell(
        "7", "-d", "corrected.toml", "--source", "sim9", expect=1
    )
    assert "reads no message of sim2" in shell("7", "-d", "corrected.toml", "--source", "sim2", expect=2)
    (tmp_path / "corrected.toml").write_text(CORRECTED.replace('"08"', '"0a"'))
    assert "name one with --source" in shell("7", "-d", "corrected.toml", expect=1)
    assert "Session 12 is not in a cache here." in shell("12", expect=1)
    assert "Session -7 is not in a cache here." in shell("-7", "--list", expect=1)
    assert "There is no cache nowhere.db" in shell("7", "--cache", "nowhere.db", expect=1)
    assert "say one of" in shell("7", "--list", "--back", expect=2)
    assert shell("7", "--compare", "0", "4", as_json=True, expect=1)["error"]["code"] == "session_not_found"
    shutil.copy(tmp_path / "caches" / "one.db", tmp_path / "caches" / "two.db")
    assert "Several caches hold a session 7; choose with --cache" in shell("7", expect=1)
    assert shell("7", "--cache", "caches/two.db").startswith("Session 7 is read by")
