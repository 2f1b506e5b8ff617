"""`blitz report` of a cache without a server."""

import json
import re
from pathlib import Path

import pytest
import report_session

from blitz.cli.main import invoke
from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("LOGNAME", "ann")
    with DatabaseClient(path=cache_path(tmp_path, report_session.STORE_ID)) as cache:
        report_session.fill(cache, 300, hostile=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, expect: int = 0) -> str:
    """Return what a command prints."""
    code = invoke(arguments)
    captured = capsys.readouterr()
    assert code == expect, captured
    return captured.out + captured.err


def test_a_report_is_written_from_the_cache_with_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(run(capsys, "report", "7").strip())
    assert path.name == "session-7.html"
    page = path.read_text("utf-8")
    assert "Made by ann on" in page
    assert page.count("<figure>") == 3
    arguments = ["--channels", "inlet", "--channels", "open", "--from", "+10", "--to", "+30", "--plots", "channel"]
    told = run(capsys, "report", "7", "-o", "part.html", *arguments, "--utc", "--author", "", "--json")
    assert json.loads(told)["warnings"] == []
    page = Path("part.html").read_text("utf-8")
    assert re.findall(r"<tr><td>(inlet|outlet|flow|open)[ <]", page) == ["inlet", "open"] * 3 + [
        "inlet", "outlet", "flow", "open"
    ]  # fmt: skip
    assert "2023-11-14 22:13:30.000 to 2023-11-14 22:13:50.000;" in page
    assert "Made on" in page


def test_the_template_is_written_changed_and_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "report", "--write-template", "own.html").strip().endswith("own.html")
    own = Path("own.html")
    own.write_text(own.read_text("utf-8").replace("<h2>Plots</h2>", "<h2>What we saw</h2>"), "utf-8")
    run(capsys, "report", "7", "--template", "own.html")
    assert "<h2>What we saw</h2>" in Path("session-7.html").read_text("utf-8")
    assert "is there already" in run(capsys, "report", "--write-template", "own.html", expect=2)
    own.write_text("\n\n{{ report.nothing }}", "utf-8")
    assert "own.html, line 3:" in run(capsys, "report", "7", "--template", "own.html", expect=1)


def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "which session is the report about?" in run(capsys, "report", expect=2)
    assert "it is given by --output, too" in run(capsys, "report", "7", "a.html", "-o", "b.html", expect=2)
    assert "Did you mean 'inlet'" in run(capsys, "report", "7", "-c", "inlte", expect=1)
    assert "is not in a cache here" in run(capsys, "report", "99", expect=3)
    assert "There is no template" in run(capsys, "report", "7", "--template", "away.html", expect=1)
    assert not Path("session-7.html").exists()
