"""Steps of the computer's clock: told apart from sleep, from slow correction, and from a busy computer."""

import time
from collections.abc import Iterator

import pytest

from blitz.data.boards import load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.records import TimelineKind
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.clock_watch import ClockWatch
from blitz.io.devices import DeviceOptions

SECOND_NS = 1_000_000_000


class Clocks:
    """Clocks that the test sets."""

    def __init__(self) -> None:
        self.wall_ns = 1_700_000_000 * SECOND_NS
        self.steady_ns = 5 * SECOND_NS
        self.boot_ns = 5 * SECOND_NS
        self.delays_ns: list[int] = []

    def watch(self) -> ClockWatch:
        return ClockWatch(self._wall, lambda: self.steady_ns, lambda: self.boot_ns)

    def pass_(self, seconds: float) -> None:
        step_ns = round(seconds * SECOND_NS)
        self.wall_ns += step_ns
        self.steady_ns += step_ns
        self.boot_ns += step_ns

    def _wall(self) -> int:
        if self.delays_ns:
            self.pass_(self.delays_ns.pop(0) / SECOND_NS)
        return self.wall_ns


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_time_that_passes_is_no_step(clocks: Clocks) -> None:
    watch = clocks.watch()
    for _ in range(100):
        clocks.pass_(1.0)
        clocks.wall_ns += 500_000  # a time server corrects by 500 ppm
        assert watch.look() is None


@pytest.mark.parametrize(("step_s", "direction"), [(3600, "forward"), (-0.2, "back")])
def test_a_clock_that_is_set_is_told_once(clocks: Clocks, step_s: float, direction: str) -> None:
    watch = clocks.watch()
    clocks.pass_(1.0)
    clocks.wall_ns += round(step_s * SECOND_NS)
    said = watch.look()
    assert said is not None
    assert said.startswith(f"The computer's clock was set {direction} by {abs(step_s):.3f} s.")
    clocks.pass_(1.0)
    assert watch.look() is None


def test_sleep_is_told_as_sleep_whatever_the_wall_clock_says(clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.wall_ns += 600 * SECOND_NS
    clocks.boot_ns += 600 * SECOND_NS
    assert watch.look() == "The computer slept for 600.0 s: nothing was read from any device meanwhile."
    assert watch.look() is None


def test_being_held_up_between_two_clocks_is_no_step(clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.delays_ns = [3 * SECOND_NS, SECOND_NS // 2]
    assert watch.look() is None
    clocks.pass_(1.0)
    assert watch.look() is None


@pytest.fixture
def acquisition(redis_url: str) -> Iterator[Acquisition]:
    store = DatabaseServer(redis_url)
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(DeviceOptions(scan_usb="off")))
    acquisition.start()
    yield acquisition
    acquisition.stop()
    store.close()


def test_a_step_stands_on_the_sessions_time_line(acquisition: Acquisition, clocks: Clocks) -> None:
    acquisition._clock_watch = clocks.watch()
    session = acquisition.start_session()
    clocks.wall_ns -= 60 * SECOND_NS
    deadline_s = time.monotonic() + 20
    while not any("clock was set back by 60.000 s" in notice.text for notice in acquisition.notices):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    acquisition.stop_session(session.id)
    record = acquisition._store.session(session.id)
    (entry,) = record.timeline
    assert entry.kind is TimelineKind.CLOCK_STEP
    assert entry.text.startswith("The computer's clock was set back by 60.000 s.")
