"""The page about each call of the HTTP interface, written from the schema that the server gives at /openapi.json."""

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from unittest.mock import MagicMock

from blitz.data.records import Role
from blitz.io.api import _STATUS, create_app
from blitz.io.roles import ROLES, WEBSOCKET

Schema = dict[str, Any]

_HEAD = """# HTTP calls

Each call of the HTTP interface, from the schema that a server gives at `/openapi.json`; the same schema to try calls in
is at `/docs` of each server. How the calls are meant, with examples, tokens and formats, is told in
[HTTP](../http.md). The **role** is the least that a [token](../security.md) must have.
"""
_ERRORS = """
## Errors

What is refused is answered as problem details (RFC 9457, `application/problem+json`): `type`, `title`, `status`,
`detail`, which is a sentence for people, and `code`, which is for programs:

| code | status | |
|---|---|---|
"""
_TAGS = ("system", "devices", "sources", "sessions", "messages", "streams")
"""Which come first; others follow in the order of the schema."""


def http_reference() -> str:
    """Return the page."""
    schema = create_app(MagicMock(), MagicMock()).openapi()
    calls: dict[str, list[str]] = {tag: [] for tag in _TAGS}
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            calls.setdefault(call.get("tags", ["system"])[0], []).append(_call(method.upper(), path, call))
    parts = [_HEAD]
    for tag, texts in calls.items():
        parts += [f"\n## {tag.capitalize()}\n", *texts] if texts else []
    parts += [_live(), _errors(), "\n## Records\n\nWhat calls take and answer, as JSON objects.\n"]
    for name, record in sorted(schema["components"]["schemas"].items()):
        if not name.endswith("ValidationError"):
            parts.append(_record(name, record))
    return "".join(parts)


def _call(method: str, path: str, call: Schema) -> str:
    lines = [f"\n### `{method} {path}`\n", _text(call.get("description", "")), "", f"Role: {_role(method, path)}."]
    rows = [
        f"| `{each['name']}` | {each['in']} | {_kind(each['schema'])} | {_default(each)} "
        f"| {_cell(each.get('description', ''))} |"
        for each in call.get("parameters", [])
    ]
    if rows:
        lines += ["", "| parameter | in | type | default | |", "|---|---|---|---|---|", *rows]
    body = call.get("requestBody")
    if body:
        lines += ["", f"Takes: {_content(body['content'])}{'' if body.get('required') else ', or nothing'}."]
    for status, answer in call["responses"].items():
        if status != "422":
            lines += ["", f"Answers {status}: {_content(answer.get('content', {}))}."]
    return "\n".join(lines) + "\n"


def _role(method: str, path: str) -> str:
    role: Role | None = ROLES[method, path]
    return f"**{role.value}**" if role else "none is needed"


def _content(content: Schema) -> str:
    kinds = [_kind(each["schema"]) if each.get("schema") else f"`{media}`" for media, each in content.items()]
    return " or ".join(dict.fromkeys(kinds)) or "nothing"


def _kind(schema: Schema) -> str:
    """Say what a value is; a record by its name, which leads to it."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "array":
        several = schema.get("prefixItems")
        return f"list of {_kind(schema.get('items', {}))}" if not several else f"[{', '.join(map(_kind, several))}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    named = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}
    return named.get(str(kind), "a JSON value" if kind is None else str(kind)) + _limits(schema)


def _limits(schema: Schema) -> str:
    said = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    parts = [f"{sign} {schema[name]:.16g}" for name, sign in said.items() if name in schema]
    parts += [f"at most {schema['maxLength']} characters"] if "maxLength" in schema else []
    return f" ({', '.join(parts)})" if parts else ""


def _default(parameter: Schema) -> str:
    if parameter.get("required"):
        return "required"
    default = parameter["schema"].get("default")
    return f"`{default}`" if default not in (None, "", []) else ""


def _record(name: str, record: Schema) -> str:
    lines = [f"\n### {name}\n", _text(record.get("description", ""))]
    if "enum" in record:
        lines += ["", f"One of {_kind(record)}."]
    required = record.get("required", [])
    rows = [
        f"| `{field}` | {_kind(schema)} | {_default({'schema': schema, 'required': field in required})} "
        f"| {_cell(schema.get('description', ''))} |"
        for field, schema in record.get("properties", {}).items()
    ]
    if rows:
        lines += ["", "| field | type | default | |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _live() -> str:
    role = ROLES[WEBSOCKET, "/api/v1/live"]
    assert role is not None
    return f"""
## The live connection

`/api/v1/live` is a WebSocket, which the schema has no words for: [the guide](../http.md) has. Role: **{role.value}**.
"""


def _errors() -> str:
    rows = [
        f"| `{kind.code}` | {status} {HTTPStatus(status).phrase} | {_cell(_first_paragraph(kind))} |"
        for kind, status in sorted(_STATUS.items(), key=lambda each: each[0].code)
    ]
    return _ERRORS + "\n".join(rows) + "\n"


def _first_paragraph(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0]


def _text(description: str) -> str:
    """Return a docstring as Markdown."""
    return "\n".join(_paragraphs(re.sub(r":\w+:`~?([^`]*)`", r"`\1`", description).replace("``", "`")))


def _paragraphs(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield (
            re.sub(r"^:param (\w+):", r"\n- `\1`:", line)
            .replace(":returns:", "\nReturns")
            .replace(":raises ", "\nRaises ")
        )


def _cell(text: str) -> str:
    parts = " ".join(_text(text).split()).split("`")  # every other one is code, in which a bar is no border
    parts[::2] = [part.replace("|", "&#124;") for part in parts[::2]]
    return "`".join(parts)
