"""docs/compatibility.md is true: each name exists here, and each test does, too."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import blitz
from blitz import errors
from blitz.cli.main import app
from blitz.data.database import DatabaseClient, DatabaseServer
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceKind
from blitz.io.blocking_stream import Stream

ROOT = Path(__file__).parents[1]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in (ROOT / "docs" / "compatibility.md").read_text("utf-8").splitlines()
    if line.startswith("| `")
]
CLASSES = {one.__name__: one for one in (DatabaseClient, DatabaseServer, SourceConfig, SourceKind, Stream)}


@cache
def functions_in(path: str) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", (ROOT / "tests" / path).read_text("utf-8"), re.MULTILINE))


def find(name: str) -> object:
    if name.startswith("blitz "):
        return find_command(name.split()[1:])
    first, *rest = name.split(".")
    found = CLASSES.get(first) or getattr(errors, first, None) or getattr(blitz, first)
    for part in rest:
        found = getattr(found, part)
    return found


def find_command(words: list[str]) -> object:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    return command


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_the_page_names_is_there(row: tuple[str, ...]) -> None:
    _, here, test = row
    for name in re.findall(r"`([^`]+)`", here):
        find(name)  # which raises where there is none
    path, _, function = test.strip("`").partition("::")
    assert function in functions_in(path)


def test_all_documents_are_on_the_page() -> None:
    assert len(ROWS) == 125
