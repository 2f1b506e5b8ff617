"""The JSON schema of a stream: what its values must be. Pure.

Draft 2020-12. A schema comes from a client, and each point is checked by it: so it refers to nothing outside itself,
and its patterns are matched by RE2, whose time does not explode. What checks is imported when there is a first schema:
most programs that open a store have none.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import re2

from blitz.data.stream_records import SCHEMA_BYTES

_LONGEST_REASON: Final = 300
_NOTES: Final = frozenset(("type", "title", "description", "$schema", "$comment", "examples", "default"))
"""Words of a schema beside which ``type`` alone decides."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20
_PROBES: Final[tuple[Any, ...]] = (None, 0, "", [], {})
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "number": (float, int),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, or None."""


def encode_schema(schema: Mapping[str, Any]) -> str:
    """Return a schema as text, once it is known to be one.

    :raises ValueError: if it is none; says where.
    """
    import jsonschema

    try:
        text = json.dumps(schema, separators=(",", ":"), allow_nan=False)
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"The schema cannot be used: {_place(error)}{_ended(error.message)}") from error
    except RecursionError:
        raise ValueError("The schema cannot be used: it is nested too deeply.") from None
    if len(text) > SCHEMA_BYTES:
        raise ValueError(f"The schema cannot be used: it has {len(text)} bytes, and may have {SCHEMA_BYTES}.")
    _check_words(schema)
    validator = _validator(schema)
    try:
        for value in _PROBES:
            next(validator.iter_errors(value), None)
    except RecursionError:
        raise ValueError("The schema cannot be used: it refers to itself without an end.") from None
    return text


@lru_cache(maxsize=256)
def compile_schema(text: str) -> Check:
    """Return what checks values by a schema that :func:`encode_schema` has made; kept for the next time.

    >>> compile_schema('{"type":"number"}')("warm")
    "'warm' is not of type 'number'."
    """
    schema = json.loads(text)
    if not schema:
        return lambda _: None
    validator = _validator(schema)

    def check(value: Any) -> str | None:
        try:
            error = next(validator.iter_errors(value), None)
        except RecursionError:
            return "It is nested too deeply."
        return None if error is None else f"{_place(error)}{_ended(error.message)}"

    kind = schema.get("type")
    if isinstance(kind, str) and schema.keys() <= _NOTES:
        types = _TYPES.get(kind, ())
        return lambda value: None if type(value) in types else check(value)
    return check


def _validator(schema: Mapping[str, Any]) -> Any:
    import referencing

    return _validators()(schema, registry=referencing.Registry())  # an empty one: jsonschema's own asks the network


@lru_cache(maxsize=1)
def _validators() -> Any:
    import jsonschema
    from jsonschema.validators import extend

    def pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
        if isinstance(value, str) and not _matches(pattern, value):
            yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")

    return extend(jsonschema.Draft202012Validator, {"pattern": pattern})


def _matches(pattern: str, text: str) -> bool:
    try:
        return re2.search(pattern, text, _OPTIONS) is not None
    except UnicodeEncodeError:  # half a character
        return False


def _check_words(schema: Mapping[str, Any]) -> None:
    """Refuse what lies outside the schema, or takes any time.

    :raises ValueError: see there.
    """
    import referencing
    import referencing.exceptions
    import referencing.jsonschema

    resource = referencing.Resource.from_contents(schema, default_specification=referencing.jsonschema.DRAFT202012)
    resolver = referencing.Registry().resolver_with_root(resource)
    for word, value in _words(schema):
        if word in ("$ref", "$dynamicRef") and isinstance(value, str):
            try:
                resolver.lookup(value)
            except (referencing.exceptions.Unresolvable, ValueError, LookupError):
                raise ValueError(
                    f"The schema cannot be used: it refers to {value!r}, which is not in it. Put it under $defs."
                ) from None
        elif word == "patternProperties" and isinstance(value, Mapping):
            raise ValueError("The schema cannot be used: patternProperties are not supported.")
        elif word == "pattern" and isinstance(value, str):
            try:
                re2.compile(value, _OPTIONS)
            except (re2.error, UnicodeEncodeError) as error:
                reason = error.args[0].decode(errors="replace") if isinstance(error, re2.error) else str(error)
                raise ValueError(f"The schema cannot be used: pattern {value!r}: {_ended(reason)}") from None


def _words(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        for word, value in part.items():
            if word not in ("enum", "const", "default", "examples"):
                yield word, value
                yield from _words(value)
    elif isinstance(part, list):
        for value in part:
            yield from _words(value)


def _place(error: Any) -> str:
    path = error.json_path
    return "" if path == "$" else f"{path}: "


def _ended(message: str) -> str:
    message = message if len(message) <= _LONGEST_REASON else f"{message[:_LONGEST_REASON]}…"
    return message if message.endswith(".") else f"{message}."
