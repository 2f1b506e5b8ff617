"""Wrong tokens are slowed, by address, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from blitz.io import throttle as subject
from blitz.io.throttle import FREE_ATTEMPTS, LONGEST_S, Throttle


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_each_failure_beyond_the_free_ones_doubles_the_wait_up_to_a_limit() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(FREE_ATTEMPTS + 8):
        throttle.count_failure("10.0.0.7")
        waits.append(throttle.wait_s("10.0.0.7"))
    assert waits == [0.0] * FREE_ATTEMPTS + [1, 2, 4, 8, 16, LONGEST_S, LONGEST_S, LONGEST_S]
    clock.now_s += LONGEST_S
    assert throttle.wait_s("10.0.0.7") == 0


def test_other_addresses_and_good_tokens_cost_nothing() -> None:
    throttle = Throttle(Clock())
    for _ in range(100):
        throttle.count_failure("2001:db8::1")
    assert throttle.wait_s("10.0.0.7") == 0
    assert throttle.wait_s("2001:db8::ffff") > 0, "a whole /64 is one host's"
    assert throttle.wait_s("2001:db8:0:1::1") == 0
    for _ in range(100):
        throttle.count_failure("10.0.0.8")
        throttle.take_back("10.0.0.8")
    assert throttle.wait_s("10.0.0.8") == 0


def test_failures_are_forgotten_after_ten_minutes() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_ATTEMPTS + 1):
        throttle.count_failure("10.0.0.7")
    clock.now_s += 601
    throttle.count_failure("10.0.0.7")
    assert throttle.wait_s("10.0.0.7") == 0


def test_many_addresses_take_bounded_memory() -> None:
    throttle = Throttle(Clock())
    for number in range(subject._ADDRESSES + 500):
        throttle.count_failure(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._records) == subject._ADDRESSES


@given(st.text())
def test_any_text_is_an_address(address: str) -> None:
    throttle = Throttle(Clock())
    throttle.count_failure(address)
    assert throttle.wait_s(address) == 0
