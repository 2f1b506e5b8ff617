"""Putting a channel's calibration into definitions: the one in force, and those of old sessions. Pure."""

from collections.abc import Sequence

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.raw_numbers import same_place
from blitz.data.records import Source

_CURVE = ("zero", "scale", "divisor", "polynomial", "table", "calibration", "unit")


def calibrated_like(channel: Channel, calibrated: Channel) -> Channel:
    """Return a channel with the curve, the unit and the facts of a calibrated one; its name and looks stay."""
    return channel.model_copy(update={field: getattr(calibrated, field) for field in _CURVE})


def find_channel(definition: BoardDefinition | None, like: BoardDefinition, column: int) -> int | None:
    """Return where in a definition the same number of the same kind of message stands; None where it does not.

    Of several channels there, the one with the same name counts, else the first.
    """
    if definition is None or (definition.id, definition.format) != (like.id, like.format):
        return None
    wanted = like.channels[column]
    places = [place for place, channel in enumerate(definition.channels) if same_place(channel, wanted)]
    named = [place for place in places if definition.channels[place].name == wanted.name]
    return next(iter(named or places), None)


def calibrated_definition(
    definition: BoardDefinition | None, calibrated: BoardDefinition, column: int
) -> BoardDefinition | None:
    """Return a definition with the calibration of a channel of another; None where it has no such channel.

    :param calibrated: the definition whose channel was calibrated.
    :param column: that channel's place.
    """
    place = find_channel(definition, calibrated, column)
    if definition is None or place is None:
        return None
    channel = calibrated_like(definition.channels[place], calibrated.channels[column])
    return definition.model_copy(
        update={"channels": (*definition.channels[:place], channel, *definition.channels[place + 1 :])}
    )


def calibrated_rows(
    sources: Sequence[Source], name: str, calibrated: BoardDefinition, column: int
) -> dict[int, BoardDefinition]:
    """Return by index the definitions of a session's rows of one source, calibrated; none where it has no such channel.

    Rows that have that calibration already are left out.
    """
    found = {}
    for source in sources:
        definition = calibrated_definition(source.definition, calibrated, column) if source.name == name else None
        if definition is not None and definition != source.definition:
            found[source.index] = definition
    return found
