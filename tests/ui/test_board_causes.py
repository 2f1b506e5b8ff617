"""What is wrong with a board, since when and what to do; what is noticed from one status to the next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blitz.data.records import Account, BoardRecord, LinkState, Notice, StatusRecord, StoreRecord
from blitz.ui.board_causes import Cause, Remedy, Severity, cause_of, heard_words
from blitz.ui.board_watch import BoardWatch, faults_words

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def board(**fields: Any) -> BoardRecord:
    return BoardRecord.model_validate(
        {"name": "sim1", "link": "/dev/ttyUSB0", "baud": 57600, "state": "ready", "rate_hz": 10.0, **fields}
    )


def watch(*boards: BoardRecord) -> tuple[BoardWatch, datetime]:
    """Watch one board through these states, a second apart."""
    watched, now = BoardWatch(), START
    for second, seen in enumerate(boards):
        now = START + timedelta(seconds=second)
        watched.take(StatusRecord(version="", store_id="", now=now, store=StoreRecord(is_up=True), boards=(seen,)))
    return watched, now


def cause(*boards: BoardRecord) -> Cause:
    watched, now = watch(*boards)
    return cause_of(boards[-1], watched.view("sim1"), now)


def clock(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).astimezone().strftime("%H:%M:%S")


def test_a_board_that_delivers_is_fine() -> None:
    assert cause(board(), board(state="recording")) == Cause(Severity.FINE, "It records. Faults: none.")


def test_an_unplugged_board_says_since_when_and_what_to_do() -> None:
    away = board(state="away", rate_hz=0, error="Lost /dev/ttyUSB0: no such device")
    found = cause(board(), away, away, away)
    assert found.severity is Severity.ERROR
    assert found.sentence == (
        f"Away since {clock(1)} (2.0 s): Lost /dev/ttyUSB0: no such device. "
        "Plug it in, or end the program that has its port: it is then taken again by itself."
    )
    assert found.remedies == (Remedy.RETRY,)


def test_trouble_older_than_the_window_is_dated_by_the_servers_notice() -> None:
    away = board(state="away", rate_hz=0)
    watched, now = watch(away, away)
    told = START - timedelta(minutes=5)
    for severity, source in (("warning", "sim1"), ("info", "sim1"), ("error", "sim2")):
        watched.take_notice(Notice(severity=severity, text="Lost", time=told, source=source))
        told += timedelta(minutes=1)
    assert cause_of(away, watched.view("sim1"), now).sentence.startswith(f"Away since {clock(-300)} (5 min)")


def test_the_servers_own_advice_is_not_followed_by_ours() -> None:
    error = "Cannot open /dev/ttyUSB0: permission denied. Add your user to the group dialout, then log in again."
    assert cause(board(state="away", error=error)).sentence == f"Away: {error}"


@pytest.mark.parametrize(
    ("fields", "severity", "begins", "remedies"),
    [
        ({"state": "silent"}, Severity.ERROR, "Silent. Check power", "Retry Release Bad frames…"),
        ({"state": "ambiguous", "candidates": ("a", "b")}, Severity.WARNING, "2 devices look like it.", "Which one…"),
        ({"state": "identifying"}, Severity.WAITING, "Blitz listens", ""),
        ({"state": "released"}, Severity.WAITING, "/dev/ttyUSB0 is lent to other programs,", "Retake"),
        ({"is_guessed": True}, Severity.WAITING, "It delivers; what its values are was guessed.", "Name channels…"),
        ({"error": "It stutters"}, Severity.ERROR, "It stutters.", "Retry Bad frames…"),
        ({"account": Account(source=0, bytes_read=9)}, Severity.ERROR, "The account does not", "Bad frames…"),
    ],
)
def test_each_state_has_a_sentence_and_buttons(
    fields: dict[str, Any], severity: Severity, begins: str, remedies: str
) -> None:
    found = cause(board(**fields))
    assert found.severity is severity
    assert found.sentence.startswith(begins)
    assert " ".join(remedy.value for remedy in found.remedies) == remedies


def test_a_lent_port_says_how_long_it_still_is() -> None:
    lent = board(state="released", retake_at=START + timedelta(seconds=90))
    until = (START + timedelta(seconds=90)).astimezone().strftime("%H:%M:%S")
    assert f"until {until} (0:01:30 left), then" in cause(lent).sentence


def test_a_board_that_slows_down_is_told_by_its_usual_rate() -> None:
    steady = [board(message_count=10 * n) for n in range(5)]
    stalled = [board(rate_hz=0, message_count=40)] * 5
    found = cause(*steady, *stalled)
    assert found.severity is Severity.WARNING
    assert found.sentence.startswith("Nothing comes, the last 5.0 s ago; usual is 10.0/s.")
    watched, now = watch(*steady, *stalled)
    assert heard_words(stalled[-1], watched.view("sim1"), now) == "5.0 s"
    assert heard_words(steady[-1], watched.view("sim1"), now) == "now"
    assert cause(board(rate_hz=0), board(rate_hz=0), board(rate_hz=0)).severity is Severity.FINE  # nothing is usual


def test_the_last_fault_is_kept_with_its_time_and_its_count() -> None:
    account = Account(source=0)
    states = (
        board(account=account),
        board(account=account.model_copy(update={"bad_frames": 3}), bad_frames=3),
        board(account=account.model_copy(update={"bad_frames": 3}), bad_frames=3),
    )
    found = cause(*states)
    assert found.sentence.startswith(
        f"It delivers. Last fault: 3 bad frames, at {clock(1)}; in all: 3 bad frames. Look at the bad frames"
    )
    assert found.remedies == (Remedy.BAD_FRAMES,)
    lost = board(account=account.model_copy(update={"lost": 12, "gaps": 1}))
    assert "12 lost" in cause(states[0], lost).sentence


def test_faults_are_counted_in_words() -> None:
    account = Account(source=0, lost=12, gaps=1, bad_frames=2, is_lost_exact=True)
    assert faults_words(board(account=account)) == "12 lost, 1 gap, 2 bad frames"
    assert faults_words(board(account=account.model_copy(update={"is_lost_exact": False}))).startswith("≈ 12 lost")
    assert faults_words(board()) == "none"


def test_a_board_that_is_gone_is_forgotten() -> None:
    watched, now = watch(board(state=LinkState.AWAY))
    watched.take(StatusRecord(version="", store_id="", now=now, store=StoreRecord(is_up=True)))
    assert watched.view("sim1").rates == ()
