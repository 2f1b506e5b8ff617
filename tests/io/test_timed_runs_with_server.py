"""Timed runs of a real server: what a viewer sees of them, and what a kill -9 leaves of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind, SessionRecord
from blitz.errors import BlitzError, NoSession, PlanNotFound


def session_of(client: blitz.Client) -> SessionRecord | None:
    return client.status().session


def test_a_viewer_is_shown_each_message_of_each_session_of_a_run(server: Any) -> None:
    with blitz.Client(server.url) as client:
        seen: dict[int, int] = {}
        with client.live(raw=True) as stream:
            entries = iter(stream)
            first = next(entries)  # from now on the stream tells what happens
            assert isinstance(first, Event)
            events = [first]
            client.start("run", duration_s=3.5, repeat_every_s=1.0)
            for entry in entries:
                if isinstance(entry, MessageBlock):
                    assert entry.first_seq == seen.get(entry.session_id, 0), "in order, once"
                    seen[entry.session_id] = entry.next_seq
                else:
                    events.append(entry)
                    if entry.event is EventKind.SESSION_STOPPED and entry.session is not None:
                        assert seen.get(entry.session.id, 0) == entry.session.message_count
                        if entry.session.stop_reason == "The planned time was over.":
                            break
        run = [client.session(session_id) for session_id in sorted(seen)]
        assert len(run) >= 3
        assert all("nothing lost, account balances" in record.verdict for record in run)
        kinds = [event.event for event in events]
        assert kinds.count(EventKind.SESSION_STARTED) == kinds.count(EventKind.SESSION_STOPPED) == len(run)


def test_the_plan_of_a_session_is_told_and_changed_over_the_network(server: Any) -> None:
    with blitz.Client(server.url) as client:
        session = client.start("s", message_count=1_000_000)
        assert session.plan is not None
        assert session.plan.message_count == 1_000_000
        changed = client.change_plan(session.id, left_s=600, message_count=None)
        assert changed.plan is not None
        assert (changed.plan.message_count, changed.plan.ends_at is not None) == (None, True)
        status = client.status()
        assert status.session is not None
        assert status.session.plan == changed.plan
        assert client.change_plan(session.id, left_s=None).plan is None
        client.stop()
        with pytest.raises(NoSession):
            client.change_plan(session.id, left_s=600)
        start_at = datetime.now(UTC) + timedelta(hours=1)
        planned = client.plan_start(start_at, "later", "a note" * 9000, tags=["t"], repeat_every_s=60)
        assert client.planned() == [planned]
        assert planned.notes
        assert list(client.status().planned) == [planned.brief()], "sent each second: without what is long"
        client.cancel_planned(planned.id)
        with pytest.raises(PlanNotFound):
            client.cancel_planned(planned.id)
        with pytest.raises(BlitzError, match="has passed"):
            client.plan_start(datetime(2001, 1, 1))


def test_a_server_that_is_killed_goes_on_with_the_plan_of_its_session_and_with_planned_starts(
    run_server: Callable[..., Any],
) -> None:
    server = run_server("--simulate", "1", "--durability", "everysec")
    with blitz.Client(server.url) as client:
        session = client.start("run", duration_s=8)
        assert session.plan is not None
        ends_at = session.plan.ends_at
        assert ends_at is not None
        client.plan_start(datetime.now(UTC) + timedelta(seconds=10), "afterwards", duration_s=600)
    server.kill()
    server.start()
    with blitz.Client(server.url) as client:
        running = session_of(client)
        if running is not None and running.id == session.id:  # else it took long to start
            assert running.plan is not None
            assert running.plan.ends_at == ends_at
        wait_until(lambda: (session_of(client) or session).name == "afterwards")
        over = client.session(session.id)
        assert over.stop_reason == "The planned time was over."
        assert over.stopped_at is not None
        assert over.stopped_at >= ends_at - timedelta(seconds=1)
        wait_until(lambda: not client.planned())
        client.stop()
