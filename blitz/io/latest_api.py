"""The HTTP calls for a glance: newest values and thinned curves, as the page for a phone asks for them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from blitz.data.board_definition import Channel
from blitz.data.latest_readings import SPAN_NS
from blitz.io.acquisition import Acquisition
from blitz.io.lanes import Lane
from blitz.io.latest import Curve, LatestView

CURVES_LIMIT = 8

Curves = Annotated[
    list[str], Query(max_length=CURVES_LIMIT, description="labels of the channels whose curves are wanted")
]


class LatestSpan(BaseModel):
    """Smallest and largest value of a channel over a short time, which begins at ``time``."""

    time: float = Field(description="Unix seconds")
    low: float
    high: float


class LatestChannel(BaseModel):
    """A channel, its newest value, and what is new of its curve."""

    label: str = Field(description="unique in this answer")
    source: str
    name: str = Field(description="what people read")
    unit: str = ""
    limit_low: float | None = None
    limit_high: float | None = None
    decimals: int | None = None
    color: str = ""
    shown: bool = Field(default=True, description="whether it is shown where nobody chose otherwise")
    value: float | None = None
    time: float | None = Field(default=None, description="of the value, in Unix seconds")
    spans: list[LatestSpan] = []


class Latest(BaseModel):
    """What is measured just now."""

    session_id: int | None = Field(description="null while nothing is recorded: then it is the preview")
    cursor: str = Field(description="for the next question: then come only the spans that have changed")
    is_fresh: bool = Field(description="what was told before is not continued: forget it")
    skipped: int = Field(description="messages that were not looked at, since too many came at once")
    span_s: float
    channels: list[LatestChannel]


class PastCurves(BaseModel):
    """What was measured until now."""

    is_sampled: bool = Field(description="not every message was looked at: short peaks may be missing")
    curves: dict[str, list[LatestSpan]]


def latest_calls(acquisition: Acquisition) -> APIRouter:
    """Return the calls, ``/latest`` and ``/sessions/{id}/latest``."""
    calls = APIRouter(tags=["messages"])
    view = LatestView(acquisition.hub, acquisition.messages)
    lane = Lane("latest values", 2)

    @calls.get("/latest", response_model_exclude_none=True)
    @lane
    def read_latest(
        cursor: Annotated[str, Query(max_length=60, description="from the answer before")] = "",
        channels: Curves = [],  # noqa: B006 - FastAPI copies it
    ) -> Any:
        """Return the newest value of each channel, and thinned curves of the last minute of some; ask again and again.

        Of what is recorded, else of what is only shown. Messages are looked at only while somebody asks, and of a
        flood only the newest.
        """
        look = view.look(cursor, channels)
        return Latest(
            session_id=look.session_id or None,
            cursor=look.cursor,
            is_fresh=look.is_fresh,
            skipped=look.skipped,
            span_s=SPAN_NS / 1e9,
            channels=[_channel(curve) for curve in look.curves],
        )

    @calls.get("/sessions/{session_id}/latest")
    @lane
    def read_past(
        session_id: int,
        span_s: Annotated[float, Query(gt=0, le=86_400, description="how far to look back from the session's end")],
        channels: Curves = [],  # noqa: B006
    ) -> PastCurves:
        """Return thinned curves of a session's last minutes: for a picture on a small screen.

        Where too many messages came in that time, samples of them are looked at; `overview` looks at all.
        """
        past = view.past(acquisition.session_record(session_id), span_s, channels)
        return PastCurves(
            is_sampled=past.is_sampled,
            curves={
                label: [LatestSpan(time=span.time_ns / 1e9, low=span.low, high=span.high) for span in spans]
                for label, spans in past.spans.items()
            },
        )

    return calls


def _channel(curve: Curve) -> LatestChannel:
    definition = curve.source.definition
    meant = definition.channels[curve.channel.parts[-1].column] if definition else Channel(name=curve.channel.name)
    newest, span_s = curve.newest, SPAN_NS / 1e9
    return LatestChannel(
        label=curve.channel.label,
        source=curve.channel.source,
        name=meant.display_name,
        unit=meant.unit,
        limit_low=meant.limit_low,
        limit_high=meant.limit_high,
        decimals=meant.decimals,
        color=meant.color,
        shown=meant.shown and not meant.counts_messages,
        value=None if newest is None else newest.value,
        time=None if newest is None else newest.time_ns / 1e9,
        spans=[LatestSpan(time=span.number * span_s, low=span.low, high=span.high) for span in curve.spans],
    )
