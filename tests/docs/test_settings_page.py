"""docs/settings.md names each setting once, with the default that it has."""

import re

import pytest
from code_blocks import DOCS
from pydantic.fields import FieldInfo

from blitz.config import ClientSettings, ServerSettings

PAGE = (DOCS / "settings.md").read_text("utf-8")
TABLES = re.findall(r"^\| `\[(server|client)\]` \| default \| \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
SETTINGS = [
    pytest.param(table, name, field, id=f"{table}.{name}")
    for table, kind in (("server", ServerSettings), ("client", ClientSettings))
    for name, field in kind.model_fields.items()
]


def rows(table: str) -> list[tuple[str, str]]:
    """The names and defaults that stand in the tables of that name."""
    text = "".join(part for name, part in TABLES if name == table)
    return re.findall(r"^\| `(\w+)` \| (.*?) \| ", text, re.MULTILINE)


@pytest.mark.parametrize(("table", "name", "field"), SETTINGS)
def test_a_setting_stands_there_with_its_default(table: str, name: str, field: FieldInfo) -> None:
    found = [shown for each, shown in rows(table) if each == name]
    assert len(found) == 1
    default = field.default
    if field.default_factory is None and default not in (None, "", ()):
        assert found == [f"`{str(default).lower() if isinstance(default, bool) else format_plain(default)}`"]
    else:  # absent, or a folder of the user's: in words
        assert re.fullmatch("`.*`", found[0]) is None


def format_plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_nothing_stands_there_that_is_no_setting() -> None:
    assert {name for name, _ in rows("server")} <= set(ServerSettings.model_fields)
    assert {name for name, _ in rows("client")} <= set(ClientSettings.model_fields)
