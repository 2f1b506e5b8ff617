"""What is looked at before a session is started, and the words of timed runs: without a window."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blitz.data.boards import load_definitions
from blitz.data.records import (
    LinkState,
    PlannedStart,
    RoomRecord,
    SessionPlan,
    StatusRecord,
    StoreRecord,
)
from blitz.ui.checklist import Checklist, Light, check_server
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.recording_words import Doing, head_words
from blitz.ui.starting import Starting
from blitz.ui.timed_words import countdown_of, planned_words

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def with_boards(make: Any, **states: Any) -> StatusRecord:
    """A status with a board for each name: a state, or what else its record says."""
    definition = load_definitions()["08"]
    boards = []
    for name, state in states.items():
        more = state if isinstance(state, dict) else {"state": state}
        boards.append(make.board(name).model_copy(update={"definition": definition, **more}))
    status: StatusRecord = make.status().model_copy(update={"boards": tuple(boards), "now": NOW})
    return status


def of(checklist: Checklist, subject: str) -> Any:
    return next(check for check in checklist.checks if check.subject == subject)


def test_all_is_green_when_every_source_is_ready(make: Any) -> None:
    room = {"room": RoomRecord(full_in_s=30 * 86_400)}
    checklist = check_server(with_boards(make, sim1=LinkState.READY, sim2=LinkState.READY).model_copy(update=room))
    assert checklist.light is Light.GREEN
    assert checklist.red == ()
    assert checklist.summary == "2 of 2 ready"
    assert of(checklist, "Room").sentence == "Room is left for about 30 days."


def test_an_expected_source_that_is_away_is_red_and_another_is_not(make: Any) -> None:
    status = with_boards(
        make, cell={"state": LinkState.AWAY, "error": "/dev/ttyUSB1 does not exist."}, old=LinkState.AWAY
    )
    checklist = check_server(status, {"cell"})
    assert [check.board for check in checklist.red] == ["cell"]
    expected = "cell is away: /dev/ttyUSB1 does not exist. Plug it in, or look at its power."
    assert of(checklist, "cell").sentence == expected
    assert of(checklist, "old").light is Light.OFF
    assert checklist.summary == "0 of 1 ready"
    assert check_server(status).summary == "0 of 2 ready"  # while nobody knows, every source is expected


def test_what_the_server_says_to_do_takes_the_place_of_the_usual_advice(make: Any) -> None:
    error = "Cannot open /dev/ttyUSB0: permission denied. Add your user to the group dialout, then log in again."
    (check,) = check_server(with_boards(make, cell={"state": LinkState.AWAY, "error": error})).red
    assert check.sentence == f"cell is away: {error}"


@pytest.mark.parametrize(
    ("state", "light", "words"),
    [
        (LinkState.SILENT, Light.RED, "Look at its power, its cable and its rate."),
        (LinkState.RELEASED, Light.RED, "is lent to another program"),
        (LinkState.AMBIGUOUS, Light.RED, "Say which one"),
        (LinkState.IDENTIFYING, Light.AMBER, "is being identified"),
        ({"state": LinkState.READY, "definition": None}, Light.AMBER, "has no definition"),
    ],
)
def test_each_state_of_a_source_has_a_light_and_a_remedy(make: Any, state: Any, light: Light, words: str) -> None:
    check = of(check_server(with_boards(make, cell=state), {"cell"}), "cell")
    assert check.light is light
    assert words in check.sentence
    unexpected = of(check_server(with_boards(make, cell=state), {"other"}), "cell")
    assert unexpected.light is Light.AMBER


def test_a_disabled_source_is_missed_only_where_it_was_in_the_last_session(make: Any) -> None:
    status = with_boards(make, cell=LinkState.DISABLED)
    missed = of(check_server(status, {"cell"}), "cell")
    assert (missed.light, missed.state) == (Light.AMBER, "is disabled")
    assert of(check_server(status, {"other"}), "cell").light is Light.OFF


def test_no_source_at_all_is_red(make: Any) -> None:
    checklist = check_server(make.status(boards=0))
    assert "No board is connected" in checklist.red[0].sentence
    assert checklist.summary == "Not ready"


@pytest.mark.parametrize(
    ("room", "light"),
    [
        ({"full_in_s": 2 * 86_400}, Light.GREEN),
        ({"full_in_s": 20 * 3600}, Light.AMBER),
        ({"level": "warning"}, Light.AMBER),
        ({"full_in_s": 1800}, Light.RED),
        ({"level": "critical"}, Light.RED),
        ({"level": "full"}, Light.RED),
    ],
)
def test_little_room_is_amber_and_hardly_any_red(make: Any, room: dict[str, Any], light: Light) -> None:
    status = with_boards(make, sim1=LinkState.READY).model_copy(update={"room": RoomRecord(**room)})
    assert of(check_server(status), "Room").light is light


def test_a_store_that_is_away_is_red_and_one_that_catches_up_amber(make: Any) -> None:
    status = with_boards(make, sim1=LinkState.READY)
    away = status.model_copy(
        update={"store": StoreRecord.model_validate({"is_up": False, "error": "Connection refused."})}
    )
    assert of(check_server(away), "The store").sentence == "The store is away: Connection refused. Look at Redis."
    late = status.model_copy(update={"store": StoreRecord.model_validate({"is_up": True, "spooled_messages": 3})})
    assert of(check_server(late), "The store").light is Light.AMBER


def test_a_clock_that_differs_or_was_set_is_amber(make: Any) -> None:
    status = with_boards(make, sim1=LinkState.READY)
    assert of(check_server(status, behind_s=1.9), "The server's clock").light is Light.GREEN
    behind = of(check_server(status, behind_s=90.0), "The server's clock")
    assert (behind.light, behind.state) == (Light.AMBER, "is 90 s behind the one here")
    assert "ahead of" in of(check_server(status, behind_s=-90.0), "The server's clock").state
    words = "The computer's clock was set forward by 3.000 s."
    assert of(check_server(status, clock_set=words), "The server's clock").remedy == words


def test_the_head_tells_six_states_apart(make: Any) -> None:
    online = ConnectionState(Connection.ONLINE, "http://x:1")
    session, status = make.session(running=True), make.status()
    recording = status.model_copy(update={"session": session})
    spooling = recording.model_copy(
        update={"store": StoreRecord.model_validate({"is_up": False, "spooled_messages": 7})}
    )
    seen = [
        head_words(ConnectionState(Connection.OFFLINE), None, None),
        head_words(ConnectionState(Connection.CONNECTING, "http://x:1"), None, None),
        head_words(online, status, None),
        head_words(online, status.model_copy(update={"preview": False}), None),
        head_words(online, recording, session),
        head_words(online, spooling, session),
    ]
    assert {words.doing for words in seen} == set(Doing)
    assert len({words.state for words in seen}) == len(Doing)
    assert "7 messages safe" in seen[-1].detail
    assert "by ada on bench" in head_words(online, status.model_copy(update={
        "session": session.model_copy(update={"owner": "ada@bench"})
    }), None, "bob@bench").detail  # fmt: skip


def test_a_countdown_says_what_comes_first_and_all_in_its_tooltip(make: Any) -> None:
    session = make.session(running=True, count=2500).model_copy(update={"started_at": NOW})

    def left(after_s: float, **plan: Any) -> Any:
        planned = session.model_copy(update={"plan": SessionPlan(**plan)})
        return countdown_of(planned, (NOW + timedelta(seconds=after_s)).timestamp())

    assert countdown_of(session, NOW.timestamp()) is None
    timed = left(249, ends_at=NOW + timedelta(seconds=1000), duration_s=1000)
    assert (timed.caption, timed.figure) == ("Stops in", "12:31")
    assert timed.share == pytest.approx(0.249)
    counted = left(10, message_count=10_000)
    assert (counted.caption, counted.figure.replace("\u202f", " ")) == ("Messages to go", "7 500")
    both = left(900, ends_at=NOW + timedelta(seconds=1000), duration_s=1000, message_count=10_000)
    assert (both.caption, len(both.sentences)) == ("Stops in", 2)
    repeated = left(50, next_at=NOW + timedelta(seconds=14_400), repeat_every_s=14_400)
    assert (repeated.caption, repeated.figure) == ("Next session in", "3:59:10")
    assert left(0) is None


def test_a_planned_start_says_when_and_why_it_waits() -> None:
    soon = PlannedStart(id=1, start_at=NOW + timedelta(hours=2, minutes=5), name="soak")
    at = soon.start_at.astimezone()
    assert planned_words(soon, NOW.timestamp()) == f"“soak” starts at {at:%H:%M} (in 2 h 5 min)"
    later = soon.model_copy(update={"start_at": NOW + timedelta(days=3)})
    assert later.start_at.astimezone().strftime("%Y-%m-%d %H:%M") in planned_words(later, NOW.timestamp())
    waiting = soon.model_copy(update={"waits": "Session 7 is still running."})
    assert planned_words(waiting, NOW.timestamp()) == "“soak” waits: Session 7 is still running."


def test_another_session_like_the_last_counts_its_name_on(make: Any) -> None:
    starting = Starting()
    last = make.session(name="pump test").model_copy(update={"tags": ("rig 2",), "fields": {"sample": "brass"}})
    same = starting.same_as(last, ["pump test", "pump test 4"])
    assert (same.name, same.tags, same.fields) == ("pump test 5", ("rig 2",), {"sample": "brass"})
    assert starting.same_as(make.session(name="Session 2026-01-02 10:00"), []).name == ""
    counted = Starting("{date}_{n}")
    assert counted.same_as(make.session(name="2026-01-02_7"), []).name == ""


def test_what_an_operator_said_last_is_proposed_before_what_others_said(make: Any) -> None:
    starting = Starting("", ("operator", "sample"))
    own = make.session(3).model_copy(update={"owner": "ada@bench", "fields": {"operator": "Ada", "sample": "brass"}})
    other = make.session(4).model_copy(update={"owner": "bob@bench", "fields": {"operator": "Bob"}})
    starting.remember({"sample": "copper"})
    starting.recall([other, own], "ada@bench")
    assert starting.asked_fields == {"operator": "Ada", "sample": "copper"}
