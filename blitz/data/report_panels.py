"""Which channels share a plot of a report, and what is drawn beside their curves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blitz.data.board_definition import Channel
from blitz.data.boards import channel_labels
from blitz.data.records import SessionRecord, Source
from blitz.data.report_choice import PlotsBy
from blitz.data.report_curves import Span
from blitz.data.report_facts import Key, Plot
from blitz.data.report_plot import COLORS, Curve, Flag, TimeWindow, axis_room, plot_svg
from blitz.data.report_reading import SessionReading
from blitz.data.report_words import many
from blitz.data.series_request import WantedChannel

_CURVES_A_PLOT = 6
_MOST_NAMED = 6
_MOST_CURVES = 64
"""In a report for which nobody has chosen channels."""


@dataclass(frozen=True)
class Drawing:
    """What a report is made of.

    :param sources: the source table with the definitions by which the session is read; empty for readings that were
        added one by one.
    :param are_chosen: whether somebody has chosen these channels: else those that plots do not show are left out.
    """

    record: SessionRecord
    sources: tuple[Source, ...]
    channels: Sequence[WantedChannel]
    reading: SessionReading
    window: TimeWindow
    by: PlotsBy
    are_chosen: bool


def draw_plots(drawing: Drawing, flags: Sequence[Flag]) -> tuple[tuple[Plot, ...], str]:
    """Return the plots, and what is to be said of them."""
    if drawing.by is PlotsBy.NONE or not drawing.channels:
        return (), ""
    definitions = _definitions(drawing.sources)
    drawn = [
        each
        for each in drawing.channels
        if drawing.are_chosen or each.label not in definitions or definitions[each.label].shown
    ]
    if not drawing.are_chosen:
        drawn = drawn[:_MOST_CURVES]
    absent = absent_spans(drawing)
    groups = _groups(drawn, drawing.by)
    curves = [_curves(drawing, group, definitions, absent) for group in groups]
    empty = [not any(np.isfinite(curve.values).any() for curve in own) for own in curves]
    left_out: list[str] = []
    if not all(empty):  # else the plots say that there is nothing
        left_out = [each.label for group, is_empty in zip(groups, empty, strict=True) if is_empty for each in group]
        groups = [group for group, is_empty in zip(groups, empty, strict=True) if not is_empty]
        curves = [own for own, is_empty in zip(curves, empty, strict=True) if not is_empty]
    left = max(map(axis_room, curves), default=0.0)
    plots = [_plot(drawing, group, own, absent, flags, left) for group, own in zip(groups, curves, strict=True)]
    words = ["Below each plot is the time of day, above it the time since the session's start."]
    if drawing.record.gaps:
        words.append("Grey: messages are known to be missing.")
    if absent:
        words.append("Hatched: what this report could not read.")
    if flags:
        words.append("Dashed, with a number: markers.")
    if left_out:
        more = f" and {len(left_out) - _MOST_NAMED} more" if len(left_out) > _MOST_NAMED else ""
        words.append(f"No plot, for want of readings: {', '.join(left_out[:_MOST_NAMED])}{more}.")
    if len(drawn) < len(drawing.channels):
        words.append(f"{many(len(drawing.channels) - len(drawn), 'channel')} not drawn.")
    return tuple(plots), " ".join(words)


def absent_spans(drawing: Drawing) -> list[Span]:
    """Return the times of which the report cannot tell: what is damaged, and what is not here."""
    window, reading = drawing.window, drawing.reading
    spans = [
        (
            window.start_ns if each.from_ns is None else each.from_ns,
            window.stop_ns if each.to_ns is None else each.to_ns,
        )
        for each in reading.unreadable
    ]
    if drawing.sources and reading.held < drawing.record.message_count and reading.last_ns is not None:
        spans.append((reading.last_ns, window.stop_ns))
    return [(begin, end) for begin, end in spans if begin < end]


def _definitions(sources: Sequence[Source]) -> dict[str, Channel]:
    labels = channel_labels(sources)
    return {
        labels[source.index, channel.name]: channel
        for source in sources
        for channel in (source.definition.channels if source.definition else ())
    }


def _groups(channels: Sequence[WantedChannel], by: PlotsBy) -> list[list[WantedChannel]]:
    """Return which channels share a plot; without a unit nobody knows what could be compared."""
    if by is PlotsBy.CHANNEL:
        return [[each] for each in channels]
    groups: list[list[WantedChannel]] = []
    open_groups: dict[str, list[WantedChannel]] = {}
    for each in channels:
        group = open_groups.get(each.unit) if each.unit else None
        if group is None or len(group) == _CURVES_A_PLOT:
            group = []
            groups.append(group)
            open_groups[each.unit] = group
        group.append(each)
    return groups


def _curves(
    drawing: Drawing, group: Sequence[WantedChannel], definitions: dict[str, Channel], absent: Sequence[Span]
) -> list[Curve]:
    curves = []
    for place, channel in enumerate(group):
        definition = definitions.get(channel.label)
        time_ns, values = drawing.reading.sketches[channel.label].curve([*_gaps(drawing, [channel]), *absent])
        limits = (definition.limit_low, definition.limit_high) if definition else ()
        color = definition.color if definition and definition.color else COLORS[place % len(COLORS)]
        curves.append(Curve(channel.label, color, time_ns, values, tuple(each for each in limits if each is not None)))
    return curves


def _gaps(drawing: Drawing, channels: Sequence[WantedChannel]) -> list[Span]:
    indices = {part.source_index for channel in channels for part in channel.parts}
    return [(gap.from_ns, gap.to_ns) for gap in drawing.record.gaps if gap.source in indices]


def _plot(
    drawing: Drawing,
    group: Sequence[WantedChannel],
    curves: Sequence[Curve],
    absent: Sequence[Span],
    flags: Sequence[Flag],
    left: float,
) -> Plot:
    title = ", ".join(channel.label for channel in group)
    unit = group[0].unit
    caption = (f"{title} [{unit}]" if unit else title) if len(group) == 1 else unit
    svg = plot_svg(title, caption, curves, drawing.window, _gaps(drawing, group), absent, flags, left)
    return Plot(title, svg, tuple(Key(curve.label, curve.color) for curve in curves))
