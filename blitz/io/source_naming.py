"""From a port that an operator names, or that was found, to a source with a name of its own."""

import re
from collections.abc import Container, Mapping

from blitz.config import SerialPort
from blitz.data.board_definition import BoardDefinition
from blitz.data.source_config import SerialOptions, SourceConfig, stream_of
from blitz.errors import ConfigError


def free_name(link: str, taken: Container[str]) -> str:
    """Return a short name for a link that no other source has.

    >>> free_name("/dev/ttyUSB0", {"ttyUSB0"})
    'ttyUSB0-2'
    >>> free_name("replay:run.jsonl?speed=max", ()), free_name("stream:set point", ())
    ('run.jsonl', 'set_point')
    """
    if (stream := stream_of(link)) is not None:
        link = stream.replace("?", "_")
    short = link.removeprefix("replay:").partition("?")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = short = re.sub(r"[\s%#?]", "_", short) or "source"
    number = 2
    while name in taken:
        name, number = f"{short}-{number}", number + 1
    return name


def named_source(
    port: SerialPort, definitions: Mapping[str, BoardDefinition], name: str | None, taken: Container[str]
) -> SourceConfig:
    """Return the source for an entry of ``serial``.

    :param name: None: one is made from the port's.
    :raises ConfigError: if there is no definition of that id.
    """
    definition = None
    if port.definition:
        definition = definitions.get(port.definition)
        if definition is None:
            known = ", ".join(sorted(definitions))
            raise ConfigError(f"There is no definition {port.definition!r} for {port.port}. Known are: {known}.")
    link, protocol = port.port, "auto"
    if link.startswith("netscanner://"):
        link, protocol = "socket" + link.removeprefix("netscanner"), "netscanner"
        definition = definition or definitions.get("netscanner")
    elif link.startswith("replay:"):
        protocol = "stream"
    serial = SerialOptions(baud=port.baud) if port.baud else SerialOptions()
    if definition is not None and definition.baud and not port.baud:
        serial = SerialOptions(baud=definition.baud)
    name = name or free_name(link, taken)
    return SourceConfig.model_validate(
        {"name": name, "link": link, "serial": serial, "protocol": protocol, "definition": definition}
    )


def overridden(config: SourceConfig, port: SerialPort, wanted: SourceConfig) -> SourceConfig:
    """Return a source that is known already as its operator names it now: the rate that is given counts.

    A definition counts where there is none yet: channels may have been renamed since.
    """
    changes: dict[str, object] = {}
    if port.baud:
        changes["serial"] = config.serial.model_copy(update={"baud": port.baud})
    if port.definition and config.definition is None:
        changes["definition"] = wanted.definition
    return config.model_copy(update=changes)
