import json
from typing import Any

import pytest
from typer.main import get_command

from blitz.cli.main import app, invoke
from blitz.cli.options import Panel
from blitz.cli.overview import _ORDER

SHOWN = {name: command for name, command in get_command(app).commands.items() if not command.hidden}  # type: ignore[attr-defined]


def test_help_fits_a_screen_and_names_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    text = capsys.readouterr().out
    assert set(SHOWN) <= set(text.split())
    assert "Exit codes: 0 done; 1 error; 2 wrong usage" in text
    assert len(text.splitlines()) <= 23, "and the line after it, with the prompt"
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"  {panel}  " in text for panel in Panel)


@pytest.mark.parametrize("name", SHOWN)
def test_each_command_is_registered_with_what_it_is_for_and_says_so_in_a_line(name: str) -> None:
    assert SHOWN[name].rich_help_panel in list(Panel), "give it one: app.command(rich_help_panel=Panel.…)"
    assert SHOWN[name].help


def test_all_that_is_put_in_order_exists() -> None:
    names = _ORDER.split()
    assert len(set(names)) == len(names)
    assert set(names) <= set(SHOWN)


def test_commands_lists_all_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["commands"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    for words in ("serve", "token create", "marker edit", "bad-frames"):
        assert f"\n  {words}  " in text
    assert invoke(["commands", "--json"]) == 0
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["commands"]
    assert {each["name"].partition(" ")[0] for each in listed} == set(SHOWN)
    assert all(each["summary"].endswith(".") and each["panel"] for each in listed)


def test_help_of_a_command_is_what_its_option_shows(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["start"], ["token", "create"]):
        assert invoke(["help", *words]) == 0
        told = capsys.readouterr().out
        assert invoke([*words, "--help"]) == 0
        assert told.strip() == capsys.readouterr().out.strip()
    assert invoke(["help", "strat"]) == 2
    assert capsys.readouterr().err.startswith("No such command 'strat'. Did you mean 'start'")
