"""A report of a session: one HTML file that is whole in itself, to be printed, kept and sent.

It is made of the cache in one walk through the session, in flat memory. ``docs/reports.md`` describes what it holds.
"""

import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import pyarrow as pa

from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.export_about import definitions_sha256
from blitz.data.export_file import replacing
from blitz.data.export_rows import row_contents
from blitz.data.records import SessionRecord, Source
from blitz.data.report_boards import board_facts, version_facts
from blitz.data.report_choice import PlotsBy
from blitz.data.report_computed import computed_facts, read_computed
from blitz.data.report_facts import Report
from blitz.data.report_lists import (
    BYTE_COLUMNS,
    MESSAGE_COLUMNS,
    Teller,
    account_rows,
    change_list,
    command_list,
    event_list,
    gap_list,
    loss_words,
    marker_flags,
    marker_list,
    wanted_gaps,
    wanted_markers,
)
from blitz.data.report_numbers import STATISTICS_TABLES, channel_statistics
from blitz.data.report_panels import Drawing, draw_plots
from blitz.data.report_plot import TimeWindow
from blitz.data.report_reading import Progress, SessionReading, read_messages, read_rows
from blitz.data.report_summary import lack_sentences, own_fields, session_facts, session_title
from blitz.data.report_template import ReportTemplate
from blitz.data.report_words import moment_of, moment_words, zone_words
from blitz.data.series_request import Moment, Range, WantedChannel, choose_channels, nanoseconds, wanted_range
from blitz.data.session_computed import SessionChannel, fitting_channels
from blitz.errors import SessionNotFound


def write_report(
    cache: DatabaseClient,
    session_id: int,
    path: Path,
    *,
    channels: str | Iterable[str] | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
    plots: PlotsBy | str = PlotsBy.UNIT,
    template: Path | None = None,
    author: str = "",
    zone: tzinfo | None = None,
    version: int | None = None,
    computed: Iterable[ComputedChannel] = (),
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> tuple[Path, tuple[str, ...]]:
    """Write a report of a session that the cache has; a file of that name is replaced at the end.

    Of a session that is damaged, or of which a part is here, what there is is told, and what is missing.

    :param channels: labels, or plain names where only one channel bears the name; all when absent.
    :param start: leave out what is earlier: an aware datetime, a numpy datetime64 in UTC, or Unix seconds.
    :param stop: leave out what is at that time, or later. Account and fingerprint are always the whole session's.
    :param plots: a plot a unit, a plot a channel, or none.
    :param template: a file, or a folder with a ``report.html``; the one that comes with Blitz when absent.
    :param author: who makes it; may be empty.
    :param zone: in which times are written; None is that of this computer.
    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :param computed: channels that are computed, such as :func:`~blitz.data.kept_computed.kept_channels` gives; those
        that the session has are channels like its own.
    :param progress: called with (messages gone through, messages in all), first with none.
    :param is_cancelled: asked once a block.
    :returns: the absolute path, and what the report lacks, a sentence each.
    :raises SessionNotFound: if the session is not in the cache, or nothing of it is, or no such version.
    :raises SeriesError: if there is no such channel, or the range has no meaning.
    :raises ReportTemplateError: if the template is wrong; names file, line and what.
    :raises ExportError: if the file cannot be written.
    :raises DownloadCancelled: if ``is_cancelled`` said so; a file that was there before is as it was.
    """
    path = path.expanduser().absolute()
    page = ReportTemplate(template)
    by = PlotsBy(plots)
    wanted = wanted_range(start, stop, None, None, None)
    record = cache.session_record(session_id)
    sources: tuple[Source, ...] = ()
    made: list[SessionChannel] = []
    with replacing(path) as part:
        tell = progress or (lambda done, total: None)
        asked = is_cancelled or (lambda: False)
        try:
            opened = cache.open_session(session_id, version)
        except SessionNotFound:
            if version or not cache.count_rows(session_id):
                raise
            chosen, reading = _read_rows(cache, record, channels, wanted, tell, asked)
        else:
            sources, held = opened.sources, opened.key.message_count
            fitting = {each.label: each for each in fitting_channels(computed, opened.channels, sources)}
            there = (*opened.channels.values(), *(each.wanted for each in fitting.values()))
            asked_for = choose_channels(there, channels)
            chosen = [each for each in asked_for if each.label not in fitting]
            reading = read_messages(cache, session_id, sources, chosen, wanted, held, tell, asked)
            made = [fitting[each.label] for each in asked_for if each.label in fitting]
            made = read_computed(cache, session_id, made, wanted, version, asked, reading)
            chosen += [each.wanted for each in made]
        window = _window(record, reading, wanted, zone)
        drawing = Drawing(record, sources, chosen, reading, window, by, are_chosen=channels is not None)
        report = _report(cache, drawing, made, wanted, version, author, page.words)
        part.write_text(page.page(report), encoding="utf-8")
    return path, report.lacks


def _read_rows(
    cache: DatabaseClient,
    record: SessionRecord,
    channels: str | Iterable[str] | None,
    wanted: Range,
    progress: Progress,
    is_cancelled: Callable[[], bool],
) -> tuple[list[WantedChannel], SessionReading]:
    contents = row_contents(cache, record, channels, wanted)
    chosen = [WantedChannel(each.label, each.source, each.channel, each.unit, ()) for each in contents.columns]
    return chosen, read_rows(record.id, contents.parts, chosen, contents.total, progress, is_cancelled)


def _window(record: SessionRecord, reading: SessionReading, wanted: Range, zone: tzinfo | None) -> TimeWindow:
    """Return the time that the report is about: the session's, or what is wanted of it."""
    origin_ns = nanoseconds("started_at", record.started_at)
    begin = min(origin_ns, reading.first_ns or origin_ns)
    ends = [reading.last_ns] if reading.last_ns is not None else []
    if record.stopped_at is not None:
        ends.append(nanoseconds("stopped_at", record.stopped_at))
    end = max([begin, *ends])
    everything = Range()
    if wanted.start_ns != everything.start_ns:
        begin = wanted.start_ns
    if wanted.stop_ns != everything.stop_ns:
        end = wanted.stop_ns
    return TimeWindow(begin, max(begin, end), origin_ns, zone)


def _report(
    cache: DatabaseClient,
    drawing: Drawing,
    made: Iterable[SessionChannel],
    wanted: Range,
    version: int | None,
    author: str,
    template_words: str,
) -> Report:
    record, sources, reading, window = drawing.record, drawing.sources, drawing.reading, drawing.window
    teller = Teller(window.start_ns, window.stop_ns, window.origin_ns, window.zone)
    markers = wanted_markers(record, teller)
    versions = cache.definition_versions(record.id) if sources else []
    used = version if version is not None else max((each.number for each in versions), default=0)
    plots, plot_words = draw_plots(drawing, marker_flags(markers))
    day = moment_of(window.origin_ns, window.zone).date()
    return Report(
        title=session_title(record),
        session=record,
        facts=session_facts(record, teller),
        fields=own_fields(record),
        lacks=lack_sentences(record, reading, is_of_rows=not sources),
        plots=plots,
        plot_words=plot_words,
        statistics=tuple(channel_statistics(each, day, window.zone) for each in reading.statistics.values()),
        statistics_tables=STATISTICS_TABLES,
        boards=tuple(board_facts(sources or record.sources, day, window.zone)),
        computed=computed_facts(made),
        versions=tuple(version_facts(versions, used, window.zone)),
        markers=marker_list(markers, teller),
        commands=command_list(record.timeline, teller),
        events=event_list(record.timeline, teller),
        changes=change_list(record.changes, teller),
        gaps=gap_list(wanted_gaps(record, teller), record, teller),
        loss_words=loss_words(record.gaps, record.accounts),
        message_columns=MESSAGE_COLUMNS,
        byte_columns=BYTE_COLUMNS,
        accounts=tuple(account_rows(record.accounts)),
        origin=_origin(cache, drawing, wanted, used, template_words),
        made_words=_made_words(author, window.zone),
    )


def _origin(
    cache: DatabaseClient, drawing: Drawing, wanted: Range, used: int, template_words: str
) -> tuple[tuple[str, str], ...]:
    """Return what tells of which data the report was made."""
    record, window, reading = drawing.record, drawing.window, drawing.reading
    facts = [("Session", str(record.id)), ("Server's store", cache.store_id or "none: no server's session")]
    if wanted != Range():
        span = f"{moment_words(window.start_ns, window.zone)} to {moment_words(window.stop_ns, window.zone)}"
        facts.append(("Part of the session", f"{span}; account and fingerprint are the whole session's"))
    if reading.fingerprint:
        facts.append(("SHA-256 of the messages", reading.fingerprint))
        facts.append(("Made of messages", f"0 to {reading.held - 1}"))
    if drawing.sources:
        facts.append(("Definitions", "as recorded" if used == 0 else f"version {used}"))
        facts.append(("SHA-256 of the definitions", definitions_sha256(drawing.sources)))
    facts.append(("Times", f"{zone_words(window.origin_ns, window.zone)}, at the session's start"))
    facts.append(("Page", template_words))
    return tuple(facts)


def _made_words(author: str, zone: tzinfo | None) -> str:
    by = f" by {author.strip()}" if author.strip() else ""
    now = datetime.now(UTC).astimezone(zone)
    python = f"Python {platform.python_version()}, numpy {np.__version__}, pyarrow {pa.__version__}"
    return (
        f"Made{by} on {now:%Y-%m-%d} at {now:%H:%M} with Blitz {installed_version('blitz')} "
        f"({python}, {platform.uname().system})."
    )
