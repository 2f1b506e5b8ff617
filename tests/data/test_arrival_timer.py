import numpy as np
import pytest
from numpy.typing import NDArray

from blitz.data.arrival_timer import TIMER_NS, ArrivalBunching, short_timer_command

MS = 1_000_000


def arrivals(
    seed: int, period_ms: float, grid_ms: float, jitter_ms: float = 0.3, count: int = 2000
) -> NDArray[np.int64]:
    """Messages of a device, arriving with the ticks of a timer that was started at some time."""
    rng = np.random.default_rng(seed)
    sent_ns = (np.arange(count) * period_ms * MS).astype(np.int64)
    if not grid_ms:
        return np.maximum.accumulate(sent_ns + rng.exponential(jitter_ms * MS, count).astype(np.int64))
    ticks = (sent_ns + int(rng.uniform(0, 50)) * MS) // int(grid_ms * MS) + 1
    delays_ns = rng.exponential(jitter_ms * MS, int(ticks.max()) + 1).astype(np.int64)
    return np.maximum.accumulate(ticks * int(grid_ms * MS) + delays_ns[ticks])


def period_of(arrived_ns: NDArray[np.int64], block: int = 100) -> int | None:
    bunching = ArrivalBunching()
    for start in range(0, len(arrived_ns), block):
        bunching.add(arrived_ns[start : start + block])
    assert bunching.is_bunched == (bunching.period_ns is not None)
    return bunching.period_ns


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("period_ms", [1, 3.3, 5, 7.9, 10])
def test_a_timer_of_16_ms_is_recognised(seed: int, period_ms: float) -> None:
    assert period_of(arrivals(seed, period_ms, 16)) == TIMER_NS
    assert period_of(arrivals(seed, period_ms, 16), block=1) == TIMER_NS


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("period_ms", [1, 3.3, 10, 16, 20, 32, 100, 1000])
@pytest.mark.parametrize("grid_ms", [0, 1, 10, 20, 100, 250])
def test_what_comes_by_itself_or_is_polled_is_not_taken_for_it(seed: int, period_ms: float, grid_ms: float) -> None:
    assert period_of(arrivals(seed, period_ms, grid_ms)) is None


def test_a_device_that_sends_one_message_every_16_ms_is_not_taken_for_it() -> None:
    assert period_of(arrivals(1, 16, 16)) is None
    assert period_of(arrivals(1, 16, 0)) is None


def test_a_few_reads_are_not_enough() -> None:
    assert period_of(arrivals(1, 5, 16, count=120)) is None


def test_it_is_forgotten_when_the_timer_is_set_to_a_millisecond() -> None:
    before = arrivals(1, 5, 16)
    bunching = ArrivalBunching()
    bunching.add(before)
    assert bunching.is_bunched
    bunching.add(arrivals(1, 5, 1) + before[-1])
    assert not bunching.is_bunched


def test_the_command_is_given_for_ports_that_have_such_a_timer() -> None:
    command = short_timer_command("/dev/ttyUSB12")
    assert command is not None
    assert "/ttyUSB12/latency_timer" in command
    for port in ("/dev/ttyACM0", "/dev/ttyUSB0; rm -rf x", "COM3", "socket://host:7000", ""):
        assert short_timer_command(port) is None
