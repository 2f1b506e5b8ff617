"""A definition as text that is being typed: what it says, what is wrong and in which line, and single changes to it.

Pure. The text is the truth: a form changes one field of it by :func:`with_field`, and comments and order stay.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ValidationError
from tomlkit.items import InlineTable

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Command
from blitz.data.command_parameter import Parameter
from blitz.data.definition_checks import check_definitions
from blitz.data.definition_file import to_toml
from blitz.data.framing_rule import FramingRule
from blitz.data.model_faults import describe_fault, ended
from blitz.data.records import Source
from blitz.errors import BlitzError

Place = tuple[str | int, ...]
"""Where something stands: ``("channels", 2, "unit")``; empty: the whole."""
Parts = Literal["channels", "commands"]

_MODELS: tuple[type[BaseModel], ...] = (BoardDefinition, Channel, Clock, Command, Parameter, FramingRule)
_KNOWN = tuple(field for model in _MODELS for field in model.model_fields)
_MOST_FAULTS = 20
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_AT_END = re.compile(r" \(at end of document\)$")
_NAMED = re.compile(r"(channel|command)s? '([^']+)'")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a definition, as a sentence, and where."""

    sentence: str
    line: int = 1
    place: Place = ()


@dataclass(frozen=True)
class DefinitionText:
    """A text and what it says."""

    text: str
    document: Mapping[str, Any] | None = None
    """What stands in it, right or wrong; None while it is no TOML."""
    definition: BoardDefinition | None = None
    """None while something is wrong."""
    faults: tuple[Fault, ...] = ()

    def parts(self, what: Parts) -> Sequence[Mapping[str, Any]]:
        """Return the channels or commands as they are typed."""
        parts = (self.document or {}).get(what, ())
        return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []

    def fault_at(self, place: Place) -> str:
        """Return what is wrong at a place; empty if nothing is."""
        return next((fault.sentence for fault in self.faults if fault.place == place), "")


def read_text(text: str, before: BoardDefinition | None = None) -> DefinitionText:
    """Read a definition, whatever is wrong with it.

    :param before: the definition that it is to replace.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        return DefinitionText(text, faults=(Fault(f"{_AT_END.sub('', _AT_LINE.sub('', str(error)))}.", line),))
    except RecursionError:
        return DefinitionText(text, faults=(Fault("There are too many brackets in each other."),))
    try:
        definition = BoardDefinition.model_validate(document)
    except ValidationError as error:
        errors = error.errors()[:_MOST_FAULTS]
        faults = sorted((_fault(text, document, fault) for fault in errors), key=lambda fault: fault.line)
        return DefinitionText(text, document, None, tuple(faults))
    try:
        if definition != before:
            check_definitions([_source(before)], [_source(definition)])
    except BlitzError as error:
        place = _named_place(str(error), document)
        return DefinitionText(text, document, None, (Fault(str(error), line_of(text, place), place),))
    return DefinitionText(text, document, definition)


def with_field(text: str, place: Place, value: Any) -> str:
    r"""Return a text in which a field has a value; None removes it.

    >>> with_field('[[channels]]\nname = "a"\n\n[[channels]]\nname = "b"\n', ("channels", 0, "unit"), "kPa")
    '[[channels]]\nname = "a"\nunit = "kPa"\n\n[[channels]]\nname = "b"\n'
    """
    document = tomlkit.parse(text)
    *path, key = place
    node: Any = document
    for depth, step in enumerate(path):
        if isinstance(step, str) and step not in node:  # a table that is not there yet
            return text if value is None else with_field(text, place[: depth + 1], _nested(place[depth + 1 :], value))
        node = node[step]
    if value is not None and isinstance(node, InlineTable) and len(path) != 2:
        return with_field(text, tuple(path), {**node.unwrap(), str(key): value})
    if value is None:
        if key in node:
            del node[key]
        if path and isinstance(path[-1], str) and not node:
            return with_field(tomlkit.dumps(document), tuple(path), None)
        return tomlkit.dumps(document)
    if key not in node and len(path) != 1:
        lines = text.splitlines(keepends=True)
        section = _section(lines, path)
        if section is not None:
            return _inserted(lines, section, f"{key} = {_written(value)}\n")
    node[key] = tomlkit.value(_written(value)) if isinstance(value, Mapping) else value
    return tomlkit.dumps(document)


def with_part(text: str, what: Parts, fields: Mapping[str, Any]) -> str:
    """Return a text with one more channel or command, behind those that there are."""
    if isinstance(tomllib.loads(text).get(what), list) and not re.search(rf"^\s*\[\[\s*{what}\s*\]\]", text, re.M):
        document: Any = tomlkit.parse(text)
        if document[what]:
            document[what].append(tomlkit.value(_written(fields)))
            return tomlkit.dumps(document)
        del document[what]
        text = tomlkit.dumps(document)
    lines = text.splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if _head(line) == (what, True)]
    added = [f"[[{what}]]\n", *(f"{key} = {_written(value)}\n" for key, value in fields.items())]
    at = _end(lines, heads[-1]) if heads else len(lines)
    before, behind = "".join(lines[:at]).rstrip("\n"), "".join(lines[at:]).lstrip("\n")
    new = "".join(added)
    return f"{before}\n\n{new}\n{behind}" if behind else f"{before}\n\n{new}"


def without_part(text: str, what: Parts, row: int) -> str:
    """Return a text without a channel or command."""
    document: Any = tomlkit.parse(text)
    del document[what][row]
    if not document[what]:
        del document[what]
        if what == "channels":
            return with_field(tomlkit.dumps(document), ("channels",), [])
    return _aired(tomlkit.dumps(document))


def moved_part(text: str, what: Parts, row: int, by: int) -> str:
    """Return a text in which a channel or command has changed places with the one ``by`` rows further."""
    lines = text.splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if _head(line) == (what, True)]
    first, second = sorted((row, row + by))
    if first < 0 or second >= len(heads):
        return text
    start, middle, end = heads[first], heads[second], _end(lines, heads[second])
    upper, lower = "".join(lines[start:middle]).rstrip("\n"), "".join(lines[middle:end]).rstrip("\n")
    rest = "".join(lines[end:]).lstrip("\n")
    return "".join(lines[:start]) + f"{lower}\n\n{upper}\n" + (f"\n{rest}" if rest else "")


def line_of(text: str, place: Place) -> int:
    r"""Return the line, from 1, in which a place begins, as well as can be told.

    >>> line_of('id = "a"\n\n[[channels]]\nname = "b"\nunit = 5\n', ("channels", 0, "unit"))
    5
    """
    lines = text.splitlines()
    if not place:
        return 1
    what = str(place[0])
    if len(place) > 1 and isinstance(place[1], int):
        section = _section(lines, place[:2])
        if section is not None:
            key = str(place[2]) if len(place) > 2 else ""
            within = range(section + 1, _end(lines, section))
            return next((n + 1 for n in within if key and _begins(lines[n], key)), section + 1)
    # The definition's own keys stand above all heads: a `name` below one is a channel's.
    own, heads = range(_end(lines, -1)), enumerate(lines)
    at = next((n for n in own if _begins(lines[n], what)), None)
    return (next((n for n, line in heads if _head(line)[0] == what), 0) if at is None else at) + 1


def text_of(definition: BoardDefinition | None, board: str) -> str:
    """Return the text that an editor begins with: the definition in force, or one to begin from."""
    if definition is not None:
        return to_toml(definition)
    stem = "".join(char if char.isalnum() else "-" for char in board.lower()).strip("-")[:40] or "device"
    return f'id = "{stem}"\nname = "{board}"\nformat = "columns"\n\n[[channels]]\nname = "value"\ncolumn = 0\n'


def _fault(text: str, document: Mapping[str, Any], fault: Any) -> Fault:
    sentence = describe_fault(fault, document, _KNOWN)
    place: Place = tuple(fault["loc"])
    if len(place) < 2:
        place = _named_place(sentence, document) or place
    line = line_of(text, place)
    return Fault(ended(f"{sentence[:1].upper()}{sentence[1:]}"), line, place)


def _named_place(sentence: str, document: Mapping[str, Any]) -> Place:
    """Return where the channel or command stands that a sentence names, the last of that name."""
    found = _NAMED.search(sentence)
    if found is None:
        return ()
    what = f"{found[1]}s"
    parts = document.get(what, ())
    rows = [n for n, part in enumerate(parts) if isinstance(part, Mapping) and part.get("name") == found[2]]
    return (what, rows[-1]) if rows else ()


def _source(definition: BoardDefinition | None) -> Source:
    return Source(index=0, name="board", link="", board_id=None, definition=definition)


def _head(line: str) -> tuple[str, bool]:
    """Return which table a line begins, and whether it is one of several; nothing where it begins none."""
    found = re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]", line)
    return (found[2], found[1] == "[[") if found else ("", False)


def _begins(line: str, key: str) -> bool:
    return re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line) is not None


def _section(lines: Sequence[str], path: Sequence[str | int]) -> int | None:
    """Return the line of a section's head: of ``("channels", 2)``, or of ``()``, -1; None where it has none."""
    if not path:
        return -1
    if len(path) != 2:
        return None
    heads = [n for n, line in enumerate(lines) if _head(line) == (path[0], True)]
    return heads[int(path[1])] if int(path[1]) < len(heads) else None


def _end(lines: Sequence[str], section: int) -> int:
    return next((n for n in range(section + 1, len(lines)) if _head(lines[n])[0]), len(lines))


def _inserted(lines: list[str], section: int, line: str) -> str:
    """Return the text with a line behind the last one of a section that says something."""
    end = _end(lines, section)
    full = [n for n in range(max(section, 0), end) if lines[n].strip() and not lines[n].lstrip().startswith("#")]
    at = full[-1] + 1 if full else max(section, 0)
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    return "".join([*lines[:at], line, *lines[at:]])


def _nested(path: Place, value: Any) -> Any:
    return {str(path[0]): _nested(path[1:], value)} if path else value


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_written(part)}' for key, part in value.items())} }}"
    return str(tomlkit.item(value).as_string())


def _aired(text: str) -> str:
    """Put an empty line before the head of each table."""
    return re.sub(r"([^\n])\n(\[\[?[\w.-]+\]\]?)", r"\1\n\n\2", text)
