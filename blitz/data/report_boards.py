"""What a report says of boards: definitions, versions, how values are made, calibrations. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, tzinfo

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration_due import CalibrationState, calibration_state
from blitz.data.calibration_facts import Calibration
from blitz.data.definition_versions import DefinitionVersionRecord
from blitz.data.records import Source
from blitz.data.report_facts import BoardFacts, ChannelFacts, VersionFacts
from blitz.data.report_words import calibration_words, many, moment_words, number_words, range_words
from blitz.data.series_request import nanoseconds

_MOST_CHANNELS = 256
"""Of a definition."""
_STATES = {
    CalibrationState.GOOD: "in force",
    CalibrationState.SOON: "in force",
    CalibrationState.CHANGED: "its numbers were changed since: it does not hold any more",
    CalibrationState.EXPIRED: "had expired before the session",
}


def board_facts(sources: Iterable[Source], day: date, zone: tzinfo | None) -> list[BoardFacts]:
    """Return what is known of the rows of the source table.

    :param day: of the session's start, by which calibrations are judged.
    """
    return [_board(source, source.definition, day, zone) for source in sources]


def _board(source: Source, definition: BoardDefinition | None, day: date, zone: tzinfo | None) -> BoardFacts:
    facts = [("Framing", source.framing.model_dump_json(exclude_defaults=True))] if source.framing else []
    if definition is None:
        words = "not known: its messages are kept, and cannot be decoded"
        return BoardFacts(source.name, source.link, source.board_id or "", words, "", tuple(facts), ())
    left_out = len(definition.channels) - _MOST_CHANNELS
    if left_out > 0:
        facts.append(("Channels", f"{many(left_out, 'more channel')} not listed here"))
    channels = tuple(_channel(each, day, zone) for each in definition.channels[:_MOST_CHANNELS])
    words = definition.name if definition.name == definition.id else f"{definition.name} ({definition.id})"
    return BoardFacts(
        source.name, source.link, source.board_id or "", words, definition.format.summary, tuple(facts), channels
    )


def _channel(channel: Channel, day: date, zone: tzinfo | None) -> ChannelFacts:
    return ChannelFacts(
        channel.name,
        channel.label,
        channel.unit,
        calibration_words(channel),
        range_words(channel.valid_low, channel.valid_high),
        range_words(channel.limit_low, channel.limit_high),
        "" if channel.calibration is None else _calibrated(channel, channel.calibration, day, zone),
    )


def _calibrated(channel: Channel, calibration: Calibration, day: date, zone: tzinfo | None) -> str:
    """Say when, by whom and against what a channel was calibrated, and whether that held on a day."""
    parts = [f"calibrated {moment_words(nanoseconds('at', calibration.at), zone)[:10]}"]
    if calibration.who:
        parts[0] += f" by {calibration.who}"
    if calibration.against:
        parts[0] += f" against {calibration.against}"
    if calibration.points:
        largest = number_words(calibration.largest_error, 3)
        parts.append(f"{many(len(calibration.points), 'point')}, largest error {largest} {channel.unit}".rstrip())
    if calibration.expires is not None:
        parts.append(f"good until {calibration.expires}")
    state = calibration_state(channel, day)
    return "; ".join([*parts, *([_STATES[state]] if state else [])])


def version_facts(
    versions: Sequence[DefinitionVersionRecord], used: int | None, zone: tzinfo | None
) -> list[VersionFacts]:
    """Return the versions of the definitions, that of the recording first, where there are any besides it.

    :param used: the number of the version that the report is made by.
    """
    if not versions:
        return []
    recorded = VersionFacts(0, "", "", "as it was recorded", "", is_used=used == 0)
    corrected = [
        VersionFacts(
            each.number,
            moment_words(nanoseconds("created_at", each.created_at), zone),
            each.who,
            each.reason,
            ", ".join(each.sources),
            is_used=each.number == used,
        )
        for each in versions
    ]
    return [recorded, *corrected]
