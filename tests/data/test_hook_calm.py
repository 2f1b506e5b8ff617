"""What comes and goes is told now and then, with how often it was, and never without its end."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from blitz.data.hook_calm import HookCalm
from blitz.data.hook_config import RECOVERIES, HookEvent, read_hooks
from blitz.data.hook_records import Telling

NOW = datetime(2026, 3, 1, 12, 3, tzinfo=UTC)


def alarm(at_s: float = 0, subject: str = "rule 1", *, is_over: bool = False) -> Telling:
    event, title = (HookEvent.ALARM_OVER, "Back to normal") if is_over else (HookEvent.ALARM, "Too hot")
    return Telling(event=event, title=title, text=f"{title}.", time=NOW + timedelta(seconds=at_s), subject=subject)


def over(at_s: float = 0) -> Telling:
    return alarm(at_s, is_over=True)


def titles(tellings: list[Telling]) -> list[str]:
    return [each.title for each in tellings]


def test_the_first_trouble_and_its_end_are_told_at_once_and_what_chatters_is_counted() -> None:
    calm = HookCalm(300)
    assert titles(calm.take([alarm()], 0)) == ["Too hot"]
    assert titles(calm.take([over()], 1)) == ["Back to normal"]
    for at_s in range(10, 290, 10):
        assert calm.take([alarm(at_s), over(at_s + 5)], at_s) == []
    assert (calm.held_count, calm.release(299)) == (1, [])
    (told,) = calm.release(300)
    clock = (NOW + timedelta(seconds=10)).astimezone().strftime("%H:%M")
    assert told.title == f"Back to normal, and 28 times more since {clock}"
    assert told.text == f"Back to normal. It came 28 times more since {clock}; it is told at most every 5 min."
    assert (told.left_out, told.event, calm.held_count) == (28, HookEvent.ALARM_OVER, 0)
    assert calm.release(400) == []
    assert calm.take([alarm(400)], 400) == []  # it has been told 100 s ago
    assert titles(calm.release(600)) == ["Too hot"]


def test_what_is_still_wrong_when_the_time_is_over_is_told_and_its_end_at_once() -> None:
    calm = HookCalm(60)
    calm.take([alarm(), over(), alarm(2), over(3), alarm(4)], 0)
    (told,) = calm.release(60)
    assert (told.event, told.left_out) == (HookEvent.ALARM, 1)
    assert "1 time more since" in told.title
    assert titles(calm.take([over(70)], 70)) == ["Back to normal"]


def test_another_subject_and_what_has_none_and_a_hook_that_wants_each_wait_for_nothing() -> None:
    calm = HookCalm(300)
    calm.take([alarm()], 0)
    assert calm.take([alarm(subject="rule 2"), alarm(subject=""), alarm(subject="")], 1) != []
    assert calm.take([alarm()], 2) == []
    each = HookCalm(0)
    assert len(each.take([alarm(), over(), alarm(), over()], 0)) == 4


def test_a_long_rest_is_forgotten() -> None:
    calm = HookCalm(300)
    calm.take([alarm(), over()], 0)
    assert calm.release(1000) == []
    assert titles(calm.take([alarm()], 1000)) == ["Too hot"]


def test_at_the_end_all_that_is_held_is_told() -> None:
    calm = HookCalm(300)
    calm.take([alarm(), over(), alarm(), over()], 0)
    assert titles(calm.release(1, is_end=True))[0].startswith("Back to normal, and 1 time more")


def test_who_wants_to_hear_of_ends_alone_hears_how_many_there_were() -> None:
    calm = HookCalm(300)
    assert len(calm.take([over(), over(1), over(2)], 0)) == 1
    (told,) = calm.release(300)
    assert told.left_out == 1


@pytest.mark.parametrize("number", range(20))
def test_nothing_is_lost_and_what_was_told_last_is_how_it_stands(number: int) -> None:
    chance = random.Random(number)
    calm, now_s, told, raised = HookCalm(50), 0.0, list[tuple[float, Telling]](), 0
    is_on = False
    for _ in range(200):
        now_s += chance.expovariate(1 / chance.choice((1, 20, 100)))
        told += [(now_s, each) for each in calm.release(now_s)]
        is_on = not is_on
        raised += is_on
        told += [(now_s, each) for each in calm.take([alarm(now_s) if is_on else over(now_s)], now_s)]
    told += [(now_s, each) for each in calm.release(now_s + 50)]
    assert (told[-1][1].event not in RECOVERIES) == is_on
    troubles = [(at_s, each) for at_s, each in told if each.event not in RECOVERIES]
    assert len(troubles) + sum(each.left_out for _, each in told) == raised
    assert len(told) <= 2 * now_s / 50 + 4


def test_programs_are_told_each_and_people_now_and_then() -> None:
    mail = {"kind": "email", "name": "m", "host": "h", "sender": "a@b", "to": ["a@b"]}
    run = {"kind": "command", "name": "r", "command": ["/bin/true"]}
    web = {"kind": "webhook", "name": "w", "url": "http://h/", "at_most_every_s": 60}
    assert [hook.at_most_every_s for hook in read_hooks([mail, run, web])] == [300, 0, 60]
