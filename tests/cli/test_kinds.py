"""`blitz boards --types`: formats, definitions and plug-ins, each with its origin."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from blitz.cli import kinds
from blitz.cli.main import invoke
from blitz.data.board_definition import BoardDefinition, load_definitions
from blitz.errors import ServerUnreachable

MINE = BoardDefinition.model_validate(
    {"id": "scale", "name": "Scale", "format": "columns", "channels": [{"name": "weight", "column": 0, "unit": "g"}]}
)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that knows one kind more than all do."""
    definitions: Sequence[BoardDefinition] = [*load_definitions().values(), MINE]
    monkeypatch.setattr(kinds, "ask", lambda settings, question: definitions)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with a plug-in that cannot be imported."""
    metadata = tmp_path / "broken_board-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-board\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text("[blitz.boards]\nbroken = nowhere_at_all:Board\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("known", "plugin")
def test_formats_types_and_plug_ins_are_listed_with_their_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["boards", "--types"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["json", "a", "JSON", "object", "a", "message"] in rows
    assert ["scale", "Scale", "columns", "the", "server's", "weight", "[g]"] in rows
    motor = ["09", "Motor", "blitz", "built", "in", "raw_adc", "[count],", "motor_value,", "set_point", "[deg]"]
    assert [*motor, "Set", "point"] in rows
    assert any(row[:4] == ["broken", "broken-board", "1.2", "(nowhere_at_all:Board)"] for row in rows)


@pytest.mark.usefixtures("known", "plugin")
def test_the_same_comes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["boards", "--types", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in document["formats"]} == {"blitz", "columns", "pairs", "json", "struct", "plugin"}
    assert {one["id"]: one["origin"] for one in document["types"]}.items() >= {
        "scale": "the server's",
        "08": "built in",
    }.items()
    (broken,) = [entry for entry in document["plugins"] if entry["name"] == "broken"]
    assert "nowhere_at_all" in broken["error"]


def test_without_a_server_the_built_in_ones_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(settings: object, question: object) -> None:
        raise ServerUnreachable("Nobody is there.")

    monkeypatch.setattr(kinds, "ask", ask)
    assert invoke(["boards", "--types"]) == 0
    text = capsys.readouterr().out
    assert "Nobody is there. These are the built-in kinds." in text
    assert "Blitz Basic" in text
