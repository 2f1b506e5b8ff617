"""A board definition as the TOML file that :func:`~blitz.data.board_definition.read_definition` reads."""

from pathlib import Path
from typing import Any

import tomlkit

from blitz.data.board_definition import BoardDefinition
from blitz.errors import ExportError


def to_toml(definition: BoardDefinition) -> str:
    r"""Return a definition as TOML, without what is as usual; reading it gives an equal one.

    >>> to_toml(BoardDefinition(id="scale", name="Scale", format="pairs", channels=[{"name": "kg", "column": "kg"}]))
    'id = "scale"\nname = "Scale"\nformat = "pairs"\n\n[[channels]]\nname = "kg"\ncolumn = "kg"\n'
    """
    fields = definition.model_dump(mode="json", exclude_defaults=True)
    fields.setdefault("channels", [])
    # Plain values first: what follows a table's head belongs to the table.
    ordered = sorted(fields.items(), key=lambda field: _is_table(field[1]))
    return tomlkit.dumps({name: _ordered(value) for name, value in ordered})


def write_definition(definition: BoardDefinition, path: Path) -> None:
    """Write a definition into a file, replacing it.

    :raises ExportError: if it cannot be written.
    """
    try:
        path.write_text(to_toml(definition), encoding="utf-8")
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {(error.strerror or str(error)).lower()}.") from error


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _ordered(value: Any) -> Any:
    """Put names first, and leave out None, for which TOML has no word: it is the default wherever it may stand."""
    if isinstance(value, dict):
        named = sorted(value.items(), key=lambda field: field[0] != "name")
        return {name: _ordered(part) for name, part in named if part is not None}
    return [_ordered(part) for part in value] if isinstance(value, list) else value
