"""What is wrong with a value that a person wrote, in words: where it stands, the value, and what is allowed. Pure."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

_LONGEST_VALUE = 60

_PATTERNS = {
    "id": "a short name of small letters, digits, - and _",
    "color": "a color such as #1f77b4",
    "name": "a name of up to 60 characters, none of which is / \\ ? # or %",
}
"""By field: what its pattern means."""


def first_fault(error: ValidationError, document: Any = None, known: Iterable[str] = ()) -> str:
    """Return the first thing that is wrong with a model.

    :param document: what was read; a part of it is called by its name then.
    :param known: what fields are called, to guess at what was meant.
    """
    return describe_fault(dict(error.errors()[0]), document, known)


def describe_fault(fault: Mapping[str, Any], document: Any = None, known: Iterable[str] = ()) -> str:
    """Return one of pydantic's faults as half a sentence, without a full stop.

    >>> describe_fault({"type": "missing", "loc": ("channels", 0, "name"), "msg": "Field required", "input": {}})
    'channels 1, name: it is missing'
    """
    location = fault["loc"]
    if fault["type"] == "value_error" and location and isinstance(location[-1], int):
        location = ()  # what we say of a part of a list names it
    place = ", ".join(_place(location, document))
    return f"{place}: {_reason(fault, known)}" if place else _reason(fault, known)


def ended(text: str) -> str:
    """Return a text with the full stop that it needs.

    >>> ended("it is missing"), ended("Did you mean 'unit'?")
    ('it is missing.', "Did you mean 'unit'?")
    """
    return text if text.endswith(("?", ".")) else f"{text}."


def _place(location: Sequence[int | str], document: Any) -> list[str]:
    """Name the parts that lead to a value: of a list its name, or else its number, from 1."""
    parts: list[str] = []
    for step in location:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            document = None
        if isinstance(step, int) and parts:
            name = document.get("name") if isinstance(document, Mapping) else None
            parts[-1] += f" {name!r}" if isinstance(name, str) and name else f" {step + 1}"
        else:
            parts.append(str(step))
    return parts


def _reason(fault: Mapping[str, Any], known: Iterable[str]) -> str:
    value = repr(fault.get("input"))
    value = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    match fault["type"]:
        case "value_error":
            return str(fault["ctx"]["error"]).rstrip(".")
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            alike = difflib.get_close_matches(name, [*known], n=1)
            return f"there is no {name!r} here{f'. Did you mean {alike[0]!r}?' if alike else ''}"
        case "string_pattern_mismatch":
            return f"{value} is not {_PATTERNS.get(name, fault['ctx']['pattern'])}"
        case "enum" | "literal_error":
            return f"{value} is not {fault['ctx']['expected']}"
        case "tuple_type" | "list_type":
            return f"{value} is no list. Write it in [ ]"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{value} is no table. Write it in {{ }}"
        case "string_type":
            return f"{value} is no text. Write it in quotation marks"
    reason = str(fault["msg"])
    if reason.startswith("Input should"):
        return value + reason.removeprefix("Input")
    return f"{value}: {reason[:1].lower()}{reason[1:]}"
