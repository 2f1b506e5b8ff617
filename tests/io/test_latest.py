"""Newest values and thinned curves from a real server, compared with all readings; and the page's files."""

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
from waiting import wait_until

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import SessionRecord, Source
from blitz.io.latest import AT_ONCE_MESSAGES, PAST_MESSAGES, LatestView

CHANNEL = "adc_channel_one"


@pytest.fixture
def http(server: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as client:
        yield client
        running = client.get("/status").json().get("session")
        if running:
            client.post(f"/sessions/{running['id']}/stop").raise_for_status()


def latest(http: httpx.Client, cursor: str = "", *labels: str) -> dict[str, Any]:
    answer = http.get("/latest", params={"cursor": cursor, "channels": list(labels)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def channel(told: dict[str, Any], label: str = CHANNEL) -> dict[str, Any]:
    return next(each for each in told["channels"] if each["label"] == label)


def test_curves_of_a_session_are_the_extremes_of_its_readings(http: httpx.Client) -> None:
    session = http.post("/sessions", json={}).json()["session"]["id"]
    wait_until(lambda: latest(http).get("session_id") == session)
    spans: dict[float, dict[str, float]] = {}
    cursor = ""
    while len(spans) < 5:
        told = latest(http, cursor, CHANNEL)
        assert told["is_fresh"] is (cursor == "")
        cursor = told["cursor"]
        spans |= {span["time"]: span for span in channel(told)["spans"]}
        assert channel(told, "adc_channel_two")["spans"] == []
    http.post(f"/sessions/{session}/stop").raise_for_status()
    params = {"channels": CHANNEL}
    answer = http.get(f"/sessions/{session}/readings", params=params, headers={"Accept": "application/json"})
    columns = answer.json()["columns"]
    numbers, values = np.array(columns["time_ns"]) // 250_000_000, np.array(columns["value"])
    # The last one may have gone on after it was told.
    for time in sorted(spans)[1:-1]:
        of_span = values[numbers == round(time * 4)]
        assert (spans[time]["low"], spans[time]["high"]) == (of_span.min(), of_span.max())
    past = http.get(f"/sessions/{session}/latest", params={"span_s": 900, "channels": [CHANNEL, "no such"]}).json()
    assert past["is_sampled"] is False
    assert list(past["curves"]) == [CHANNEL]
    assert min(span["low"] for span in past["curves"][CHANNEL]) == values.min()
    assert max(span["high"] for span in past["curves"][CHANNEL]) == values.max()
    assert all(before["time"] < after["time"] for before, after in pairwise(past["curves"][CHANNEL]))


def test_the_preview_is_shown_while_nothing_is_recorded(http: httpx.Client) -> None:
    def is_shown() -> bool:  # a preview that has just begun knows no channels
        told = latest(http)
        known = [each.get("value") for each in told["channels"] if each["label"] == CHANNEL]
        return "session_id" not in told and known not in ([], [None])

    wait_until(is_shown)
    told = latest(http)
    assert channel(told)["unit"] == "count"
    assert told["is_fresh"] is True
    again = latest(http, told["cursor"])
    assert again["is_fresh"] is False
    assert latest(http, "of.another")["is_fresh"] is True


def test_wrong_questions_are_refused(http: httpx.Client) -> None:
    assert http.get("/latest", params={"channels": [str(n) for n in range(9)]}).status_code == 422
    assert http.get("/sessions/999/latest", params={"span_s": 60}).status_code == 404
    assert http.get("/sessions/1/latest", params={"span_s": 0}).status_code == 422


class Hub:
    """A feed that is all in memory, of lines ``number``, one a millisecond."""

    def __init__(self, count: int) -> None:
        self.running = 1
        self.count = count
        self.asked: list[int] = []

    def next_seq(self, session_id: int) -> int:
        return self.count

    def sources(self, session_id: int) -> tuple[Source, ...]:
        definition = {"id": "n", "name": "N", "format": "columns", "channels": [{"name": "n", "column": 0}]}
        return (Source.model_validate({"index": 0, "name": "s", "link": "s", "definition": definition}),)

    def recent_block(self, session_id: int, first: int, stop: int) -> None:
        return None

    def messages(self, session_id: int, first: int, count: int) -> MessageBlock:
        self.asked.append(count)
        rows = range(first, min(first + count, self.count))
        return MessageBlock.from_reads(1, first, [Read(10**18 + n * 10**6, 0, [b"%d" % n]) for n in rows])


def test_of_a_flood_only_the_newest_messages_are_looked_at() -> None:
    hub = Hub(100)
    view = LatestView(hub, hub.messages)  # type: ignore[arg-type]
    first = view.look("", [])
    assert (first.skipped, first.curves[0].newest) == (0, (99.0, 10**18 + 99 * 10**6))
    hub.count += AT_ONCE_MESSAGES + 7
    hub.asked.clear()
    second = view.look(first.cursor, [])
    assert (second.is_fresh, second.skipped, sum(hub.asked)) == (False, 7, AT_ONCE_MESSAGES)
    hub.count = 50  # the store has lost what came last
    third = view.look(second.cursor, [])
    assert (third.is_fresh, third.curves[0].newest) == (True, (49.0, 10**18 + 49 * 10**6))


def test_after_a_time_that_nobody_looked_at_curves_begin_anew_and_have_no_hole() -> None:
    hub, now_s = Hub(100), [0.0]
    view = LatestView(hub, hub.messages, clock=lambda: now_s[0])  # type: ignore[arg-type]
    first = view.look("", ["n"])
    hub.count, now_s[0] = 200, 60.0
    second = view.look(first.cursor, ["n"])
    assert not second.is_fresh  # all that came was looked at
    hub.count, now_s[0] = 200 + 2 * AT_ONCE_MESSAGES, 120.0
    third = view.look(second.cursor, ["n"])
    assert (third.is_fresh, third.skipped) == (True, 0)
    assert third.curves[0].spans[0].low >= 200 + AT_ONCE_MESSAGES


def test_looking_back_costs_the_same_however_much_came() -> None:
    hub = Hub(1_000_000)
    view = LatestView(hub, hub.messages)  # type: ignore[arg-type]
    record = {"id": 1, "started_at": "2001-09-09T01:46:40Z", "message_count": 1_000_000, "sources": hub.sources(1)}
    past = view.past(SessionRecord.model_validate(record), 500, ["n"])
    assert past.is_sampled
    assert sum(hub.asked) <= PAST_MESSAGES + 25
    assert len(hub.asked) < 100
    spans = past.spans["n"]
    assert spans[-1].high == 999_999
    assert 499_000 - 5_000 <= spans[0].low <= 500_000
    assert len(spans) > 50


def test_the_page_is_served_without_a_token_and_says_what_may_run(server: Any) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        page = http.get("/")
        assert page.status_code == 200
        assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        assert "style=" not in page.text
        assert http.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
        assert http.get("/page/page.js").headers["content-type"].startswith("text/javascript")
        for name in ("uPlot.LICENSE", "..%2fapi.py", "nothing.js"):
            assert http.get(f"/page/{name}").status_code == 404
        plot = http.get("/page/uPlot.iife.min.js")
        assert b"v1.6.32" in plot.content[:60]
        assert hashlib.sha256(plot.content).hexdigest() == (
            "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
        ), "the library is not the published one any more: say its version, and keep its licence"
