"""Changes to a source: making them, and telling them. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from blitz.data.model_faults import ended, first_fault
from blitz.data.source_config import SourceConfig
from blitz.errors import ConfigError


def changed_source(config: SourceConfig, changes: Mapping[str, Any]) -> SourceConfig:
    """Return a source with some fields changed, those of ``serial`` one by one.

    :raises ConfigError: if a field does not exist, or its value is wrong.

    >>> bench = SourceConfig(name="bench", link="/dev/ttyUSB0")
    >>> changed_source(bench, {"serial": {"baud": 115200}}).serial.baud
    115200
    """
    fields = config.model_dump(mode="json")
    serial = changes.get("serial")
    check_fields(changes, fields)
    fields.update(changes)
    if isinstance(serial, Mapping):
        before = config.serial.model_dump(mode="json")
        check_fields(serial, before, "serial.")
        fields["serial"] = {**before, **serial}
    try:
        return SourceConfig.model_validate(fields)
    except ValidationError as error:
        raise ConfigError(ended(f"The source {config.name!r} cannot be changed: {first_fault(error)}")) from error


def check_fields(changes: Mapping[str, Any], fields: Collection[str], prefix: str = "") -> None:
    """Check that a source has all fields that somebody gives.

    :param prefix: of the part of a source that they are fields of, such as ``serial.``
    :raises ConfigError: with the fields there are.
    """
    for name in changes:
        if name not in fields:
            known = ", ".join(prefix + field for field in fields)
            raise ConfigError(f"A source has no {prefix}{name}. It has: {known}.")


def describe_changes(before: SourceConfig, after: SourceConfig) -> str:
    """Return which fields differ, for people.

    >>> describe_changes(SourceConfig(name="bench", link="COM3"), SourceConfig(name="bench", link="COM4"))
    'link: COM3 -> COM4'
    """
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    flat = [*(("serial", field) for field in old["serial"]), *((field,) for field in old if field != "serial")]
    parts = []
    for path in flat:
        was, now = _at(old, path), _at(new, path)
        if was != now and path == ("is_enabled",):
            parts.append("enabled" if now else "disabled")
        elif was != now:
            is_long = isinstance(was, dict) or isinstance(now, dict)
            parts.append(f"{path[-1]} changed" if is_long else f"{path[-1]}: {_plain(was)} -> {_plain(now)}")
    return "; ".join(parts)


def _at(fields: Mapping[str, Any], path: Sequence[str]) -> Any:
    return fields[path[0]][path[1]] if len(path) > 1 else fields[path[0]]


def _plain(value: Any) -> str:
    if value is None or value in ("", []):
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
