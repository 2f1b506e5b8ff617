"""Whether corrected definitions fit a session: its sources, its units, its messages. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from blitz.data import boards
from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.records import Source
from blitz.errors import ConfigError, UnknownSource

_LONGEST_UNIT = 32


def with_definitions(
    sources: Sequence[Source], definitions: Mapping[str, BoardDefinition] | Mapping[int, BoardDefinition]
) -> tuple[Source, ...]:
    """Return a session's source table with other definitions.

    :param definitions: by a source's name, for all rows with that name, or by its index, which goes before the name.
    :raises UnknownSource: if the session has no such source.
    """
    names = {source.name for source in sources}
    indices = {source.index for source in sources}
    by_key: dict[str | int, BoardDefinition] = dict(definitions.items())
    for key in by_key:
        if key not in (names if isinstance(key, str) else indices):
            known = ", ".join(dict.fromkeys(source.name for source in sources)) or "none"
            raise UnknownSource(f"The session has no source {key!r}. It has: {known}.")

    def corrected(source: Source) -> Source:
        key = source.index if source.index in by_key else source.name
        return source.model_copy(update={"definition": by_key[key]}) if key in by_key else source

    return tuple(map(corrected, sources))


def check_definitions(before: Sequence[Source], after: Sequence[Source]) -> None:
    """Check a source table against the one that it replaces, as far as that goes without messages.

    :raises ConfigError: if it changes nothing, names a plug-in that cannot be used, has a unit that is none, or gives
        one channel two units.
    """
    changed = [new for old, new in zip(before, after, strict=True) if old.definition != new.definition]
    if not changed:
        raise ConfigError("These definitions are those by which the session is read already: nothing would change.")
    for source in changed:
        for channel in source.definition.channels if source.definition else ():
            if (
                len(channel.unit) > _LONGEST_UNIT
                or not channel.unit.isprintable()
                or channel.unit.strip() != channel.unit
            ):
                raise ConfigError(
                    f"The unit {channel.unit[:60]!r} of channel {channel.name!r} is none: up to {_LONGEST_UNIT} "
                    "characters are wanted, without spaces around them."
                )
        if source.definition is not None and source.definition.format is Format.PLUGIN:
            from blitz.data.board_plugins import check_plugin  # looks for modules on disk

            check_plugin(source.definition)
    known = _units(before)
    for label, units in _units(after).items():
        if len(units) > max(len(known.get(label, ())), 1):
            raise ConfigError(
                f"Channel {label!r} would have several units: {', '.join(unit or 'none' for unit in units)}. The "
                "device stands in several rows of the session's source table: correct it by its name, which means all."
            )


def check_readability(blocks: Iterable[MessageBlock], sources: Sequence[Source]) -> None:
    """Check that each source's definition reads some message of it, if it sent any; stops as soon as it is clear.

    :param sources: those whose definition is new.
    :raises ConfigError: naming a source whose messages its definition cannot read.
    """
    waiting = {source.index: source for source in sources if source.definition is not None}
    examples: dict[int, bytes] = {}
    for block in blocks:
        if not waiting:
            return
        decoder = boards.SessionDecoder(waiting.values())
        for readings in decoder.decode(block):
            index = readings.source.index
            if index not in examples:
                examples[index] = block.raw[int(readings.seq[0] - block.first_seq)].as_py()
            if not np.isnan(readings.values).all():
                del waiting[index]
    for index, source in waiting.items():
        if index in examples and source.definition is not None and source.definition.channels:
            shown = str(examples[index][:60], "latin-1")
            raise ConfigError(
                f"The definition {source.definition.name!r} reads no message of {source.name}, such as {shown!r}. "
                f"It is for boards {source.definition.id!r} in the format {source.definition.format.value!r}."
            )


def _units(sources: Sequence[Source]) -> dict[str, dict[str, None]]:
    """Return the units of each label, in the order of the table."""
    labels = boards.channel_labels(sources)
    units: dict[str, dict[str, None]] = {}
    for source in sources:
        for channel in source.definition.channels if source.definition else ():
            units.setdefault(labels[source.index, channel.name], {})[channel.unit] = None
    return units
