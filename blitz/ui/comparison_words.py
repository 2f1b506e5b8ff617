"""What a comparison is called, lists and tells in numbers. Pure."""

import itertools
from collections.abc import Iterable, Mapping

from blitz.ui.comparison import Comparison
from blitz.ui.formats import format_moment
from blitz.ui.models.differences import DifferenceRow
from blitz.ui.models.tick_list import Tick
from blitz.ui.plots.comparison_plot import ComparisonView
from blitz.ui.theme import Theme


def session_names(comparison: Comparison) -> tuple[str, ...]:
    """Return the sessions' names; where some have the same one, with when they began."""
    titles = [member.title for member in comparison.members]
    starts = [member.history.record.started_at.astimezone() for member in comparison.members]
    return tuple(
        title if titles.count(title) == 1 else f"{title}, {start:%d %b %H:%M}"
        for title, start in zip(titles, starts, strict=True)
    )


def labels_at_first(comparison: Comparison) -> tuple[str, ...]:
    """Return the first channel that all sessions have and show, and the first one of another unit.

    More lines over each other cannot be told apart: in dense curves dashes flow together.
    """
    shown = [
        label
        for label in comparison.labels
        if all(any(c.channel.shown for c in member.channels(label)) for member in comparison.members)
    ]
    first = (shown or list(comparison.labels))[:1]
    others = (label for label in shown if comparison.unit(label) != comparison.unit(first[0]))
    return (*first, *itertools.islice(others, 1))


def session_ticks(view: ComparisonView, shown: Mapping[object, bool], theme: Theme) -> list[Tick]:
    """Return the sessions as a list shows them, with their colours.

    :param shown: what was ticked by session id; all else is.
    """
    ticks = []
    for place, (name, member) in enumerate(zip(view.names, view.comparison.members, strict=True)):
        words = f"{name}  (reference)" if member.session_id == view.reference_id else name
        tip = "\n".join([name, format_moment(member.history.record.started_at), *filter(None, [member.problem])])
        is_on = shown.get(member.session_id, True)
        ticks.append(Tick(member.session_id, words, is_on, theme.channel_colour(place), tip))
    return ticks


def difference_rows(view: ComparisonView, wanted: Iterable[tuple[int, int, str]]) -> list[DifferenceRow]:
    """Return the rows of the table: what is wanted, and below it why sessions have nothing.

    :param wanted: other session, reference, channel.
    """
    names = dict(zip(view.comparison.session_ids, view.names, strict=True))
    rows = []
    for key in wanted:
        known = view.differences.get(key)
        numbers = None if known is None else known.numbers
        unit = view.comparison.unit(key[2])
        rows.append(DifferenceRow(names[key[0]], key[2], unit, numbers, view.reference.zero_ns or 0))
    for member in view.comparison.members:
        if member.problem:
            rows.append(DifferenceRow(names[member.session_id], "", note=member.problem))
    return rows
