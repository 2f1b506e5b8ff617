"""The HTTP calls for decoded sessions: readings, spans of them, and the overview that a picture needs.

Owns how these requests and answers look. An answer is one page, bounded in size and in the time that it takes; where
there is more, it says where to go on, in a ``Link`` with ``rel="next"`` and in the header ``Blitz-Next``. Decoding runs
in threads of its own, two at most, so that downloads go on beside it.
"""

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from fastapi import APIRouter, Header, Path, Query, Request, Response

from blitz.data.blocks import MessageBlock
from blitz.data.records import SessionRecord
from blitz.data.series_request import Range, choose_channels, nanoseconds, session_channels, wanted_range
from blitz.data.spans import Columns, Steps
from blitz.errors import SeriesError
from blitz.io.lanes import Lanes
from blitz.io.reading_pages import PAGE_ROWS, Page, PageLimits, page_header, reading_page, seconds_text, span_page
from blitz.io.session_decoding import SessionDecoding

ARROW_TYPE = "application/vnd.apache.arrow.stream"
_NDJSON_TYPE = "application/x-ndjson"
_JSON_TYPE = "application/json"
_WIDTH = 1000

SessionId = Annotated[int, Path(ge=1, lt=10**18)]
Channels = Annotated[
    list[str],
    Query(description="a channel's label, or its name where only one bears it; repeat it for several; absent: all"),
]
Start = Annotated[str, Query(max_length=60, description="no reading before it: Unix seconds, or ISO 8601 with a zone")]
Stop = Annotated[str, Query(max_length=60, description="no reading from it on, written as `start`")]
First = Annotated[int, Query(ge=0, lt=2**53, description="sequence number of the first message; where a page goes on")]
Count = Annotated[int | None, Query(ge=0, lt=2**53, description="so many messages; absent: all")]
Step = Annotated[float | None, Query(gt=0, lt=1e9, description="count, mean, minimum, maximum of each so many seconds")]
Width = Annotated[int, Query(ge=1, le=20_000, description="columns of the picture; they divide the time evenly")]
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {ARROW_TYPE: {}, _NDJSON_TYPE: {}, _JSON_TYPE: {}, "text/csv": {}}}
}


def readings_calls(
    record: Callable[[int], SessionRecord],
    messages: Callable[[int, int, int], MessageBlock],
    lanes: Lanes,
    limits: PageLimits | None = None,
) -> APIRouter:
    """Return the calls, ``/sessions/{id}/readings`` and ``…/overview``.

    :param record: returns a session with its sources.
    :param messages: returns messages of a session from a sequence number on, wherever they lie.
    """
    calls = APIRouter(tags=["messages"])
    decoding = SessionDecoding(messages)
    limits = limits or PageLimits()

    async def answer(request: Request, make: Callable[[], Page], accept: str) -> Response:
        client = request.client.host if request.client else ""
        return await lanes.answers.make(lambda: _response(make(), accept, request), PAGE_ROWS, client, lanes.readings)

    @calls.get("/sessions/{session_id}/readings", response_class=Response, responses=_FORMS)
    async def read_readings(
        request: Request,
        session_id: SessionId,
        channels: Channels = [],  # noqa: B006 - FastAPI copies it
        start: Start = "",
        stop: Stop = "",
        first: First = 0,
        count: Count = None,
        step_s: Step = None,
        accept: Annotated[str, Header()] = ARROW_TYPE,
    ) -> Response:
        """Return a page of readings in physical units, in the form that `Accept` asks for.

        With `step_s` they come gathered over spans of so many seconds; a span that goes on in the next page comes in
        two parts.
        """

        def make() -> Page:
            session = record(session_id)
            chosen = choose_channels(session_channels(session.sources).values(), channels or None)
            wanted = wanted_range(_moment("start", start), _moment("stop", stop), first, count, None)
            if step_s is None:
                page = reading_page(decoding, session, chosen, wanted, limits)
            else:
                page = span_page(decoding, session, chosen, wanted, Steps(round(step_s * 1e9)), limits)
            if count is None or page.next_seq is None:
                return page
            return replace(page, more={"count": str(first + count - page.next_seq)})

        return await answer(request, make, accept)

    @calls.get("/sessions/{session_id}/overview", response_class=Response, responses=_FORMS)
    async def read_overview(
        request: Request,
        session_id: SessionId,
        columns: Width = _WIDTH,
        channels: Channels = [],  # noqa: B006
        start: Start = "",
        stop: Stop = "",
        first: First = 0,
        accept: Annotated[str, Header()] = ARROW_TYPE,
    ) -> Response:
        """Return what a picture of so many columns shows: smallest and largest value of each, and how many there are.

        A long session comes in several pages, each about the messages that it has looked at; their columns are to be
        put together.
        """

        def make() -> Page:
            session = record(session_id)
            chosen = choose_channels(session_channels(session.sources).values(), channels or None)
            wanted = wanted_range(_moment("start", start), _moment("stop", stop), first, None, None)
            start_ns, stop_ns = _picture_time(session, wanted, columns)
            page = span_page(decoding, session, chosen, wanted, Columns(start_ns, stop_ns, columns), limits)
            # Of a session that goes on, all pages must be of one picture.
            return replace(page, more={"stop": seconds_text(stop_ns)}) if session.stopped_at is None else page

        return await answer(request, make, accept)

    return calls


def _moment(name: str, text: str) -> Any:
    """Return what a request means by a moment, exact to the nanosecond; None where it says nothing."""
    if not text:
        return None
    try:
        return np.datetime64(int(Decimal(text) * 1_000_000_000), "ns")
    except (InvalidOperation, OverflowError, ValueError):
        pass
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that was not quoted
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SeriesError(f"{name} is {text!r}: give Unix seconds, or a time with its zone, as 2026-11-22T06:00:00Z.")
    return moment


def _picture_time(session: SessionRecord, wanted: Range, columns: int) -> tuple[int, int]:
    """Return the time asked for; where it has no bound, that of the session."""
    start_ns, stop_ns = wanted.start_ns, wanted.stop_ns
    if start_ns == Range().start_ns:
        start_ns = nanoseconds("start", session.started_at)
    if stop_ns == Range().stop_ns:
        stop_ns = max(nanoseconds("stop", session.stopped_at or datetime.now(UTC)), start_ns + columns)
    return start_ns, stop_ns


def _response(page: Page, accept: str, request: Request) -> Response:
    table = page.table()
    if _NDJSON_TYPE in accept:
        response = Response(_as_json_lines(table), media_type=_NDJSON_TYPE)
    elif _JSON_TYPE in accept:
        response = Response(_as_json(table), media_type=_JSON_TYPE)
    elif "text/csv" in accept:
        response = Response(_as_csv(table), media_type="text/csv; charset=utf-8")
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        response = Response(sink.getvalue().to_pybytes(), media_type=ARROW_TYPE)
    if page.next_seq is not None:
        following = request.url.include_query_params(first=page.next_seq, **page.more)
        response.headers["Blitz-Next"] = str(page.next_seq)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return response


def _as_csv(table: Any) -> bytes:
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.itercolumns()
    ]
    text = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), text)
    return text.getvalue()


def _as_json_lines(table: Any) -> str:
    columns = _json_columns(table)
    lines = (
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)
        for row in zip(*columns.values(), strict=True)
    )
    return "".join(f"{line}\n" for line in lines)


def _as_json(table: Any) -> str:
    """Return the page's header, and each column as a list."""
    return json.dumps(page_header(table) | {"columns": _json_columns(table)}, ensure_ascii=False)


def _json_columns(table: Any) -> dict[str, list[Any]]:
    """Return times as nanoseconds, and null for what JSON has no number for."""
    columns: dict[str, list[Any]] = {}
    for name, column in zip(table.column_names, table.itercolumns(), strict=True):
        if pa.types.is_timestamp(column.type):
            columns[f"{name}_ns"] = column.cast(pa.int64()).to_pylist()
        elif pa.types.is_floating(column.type):
            columns[name] = [value if math.isfinite(value) else None for value in column.to_pylist()]
        else:
            columns[name] = column.to_pylist()
    return columns
