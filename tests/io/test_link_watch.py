"""Links whose thread died or hangs: they are told of and started anew, and what they missed is a gap."""

import os
import threading
import time
import tty
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from blitz.config import SerialPort
from blitz.data.records import Account, BoardRecord
from blitz.data.source_store import SourceStore
from blitz.io import device_links
from blitz.io.conversation import Conversation
from blitz.io.delivery import Identified
from blitz.io.device import WireCommand
from blitz.io.device_link import DeviceLink
from blitz.io.device_links import DeviceLinks, DeviceOptions
from blitz.io.ledger import join_accounts
from blitz.io.link_watch import CALM_LOOKS, DELAYS, Fault, LinkWatch

SESSION = 3


@dataclass
class Shown:
    """What a link shows of its thread."""

    name: str = "bench"
    beats: int = 0
    is_over: bool = False
    is_stopping: bool = False
    failure: BaseException | None = None


def test_a_thread_that_shows_no_sign_of_life_for_long_hangs() -> None:
    watch, link = LinkWatch(hang_looks=3), Shown()
    assert [watch.look([link]) for _ in range(3)] == [[], [], []]
    link.beats += 1
    assert [watch.look([link]) for _ in range(3)] == [[], [], []]
    assert watch.look([link]) == [(link, Fault.HANGS)]
    link.is_stopping = True
    assert watch.look([link]) == []


def test_a_thread_that_ended_by_a_fault_is_dead_and_one_that_is_done_is_not() -> None:
    watch = LinkWatch()
    dead, done = Shown(is_over=True, failure=ZeroDivisionError()), Shown("replay", is_over=True)
    assert watch.look([dead, done]) == [(dead, Fault.DIED)]


def test_a_link_that_fails_again_and_again_is_opened_later_and_later_until_it_has_been_calm() -> None:
    watch = LinkWatch()
    assert [watch.delay_s("bench") for _ in range(9)] == [*DELAYS, DELAYS[-1], DELAYS[-1]]
    assert watch.delay_s("other") == 0
    for _ in range(CALM_LOOKS):
        watch.look([])
    assert watch.delay_s("bench") == 0


class FaultyDevice:
    """Delivers what comes; at a word it raises, or waits for something that never happens."""

    release = threading.Event()

    def __init__(self, owner: DeviceLink) -> None:
        self._owner = owner

    def begin(self, talk: Conversation) -> None:
        owner = self._owner
        talk.takes_every_line = True
        owner.keep_waiting()
        owner.mode = "streaming"
        owner.make_known(None, [])
        owner.be_back()

    def start(self, talk: Conversation) -> None:
        pass

    def work(self, talk: Conversation) -> None:
        frames = talk.receive(0.05)
        talk.take(frames)
        talk.settle()
        if b"die" in frames:
            raise ZeroDivisionError("by a mistake")
        if b"hang" in frames:
            self.release.wait(60)

    def settle(self, talk: Conversation, *, goes_on: bool = True) -> None:
        talk.take_rest()

    def lose(self) -> None:
        pass

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        return None


@dataclass
class Bench:
    """Keeps what links tell."""

    messages: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    links: DeviceLinks | None = None

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        assert self.links is not None
        return self.links.identify(name, link, board_id, heard)

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        self.messages[session_id] += messages
        return True

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        self.gaps.append((from_ns, to_ns, reason))

    def close_account(self, session_id: int, account: Account) -> None:
        self.accounts.append(account)

    def notice(self, severity: str, text: str, source: str) -> None:
        self.notices.append(text)

    def link_changed(self, board: BoardRecord) -> None:
        pass

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def record(self, kind: str, text: str, **_: Any) -> None:
        self.entries.append(text)


@pytest.fixture
def port() -> Iterator[tuple[int, str]]:
    """A real pty: the end to write to, and the path of the other."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.fixture
def bench(port: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(device_links, "device_for", FaultyDevice)
    bench = Bench()
    options = DeviceOptions(serial=[SerialPort(port[1])], names={port[1]: "bench"}, scan_usb="off")
    with SourceStore(":memory:") as store:
        bench.links = DeviceLinks({}, store, options, bench, bench.record)
        FaultyDevice.release.clear()
        bench.links.deliver_to(SESSION)
        bench.links.start()
        try:
            yield bench
        finally:
            FaultyDevice.release.set()
            bench.links.stop()


def _wait_until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def _link(bench: Bench) -> DeviceLink:
    assert bench.links is not None
    (link,) = bench.links.links()
    return link


def _recording(bench: Bench) -> DeviceLink:
    """The link, once it listens: opening a port drops what came before."""
    _wait_until(lambda: _link(bench).state.value == "recording")
    return _link(bench)


def test_a_link_that_died_is_started_anew_and_its_account_goes_on(bench: Bench, port: tuple[int, str]) -> None:
    dead = _recording(bench)
    os.write(port[0], b"1\n2\ndie\n")
    _wait_until(lambda: dead.is_over)
    assert bench.links is not None
    bench.links.revive_dead()
    _recording(bench)
    os.write(port[0], b"3\n")
    _wait_until(lambda: b"3" in bench.messages[SESSION])
    assert bench.messages[SESSION] == [b"1", b"2", b"die", b"3"]
    assert "ZeroDivisionError" in bench.notices[0]
    assert "started anew" in bench.notices[1]
    assert "ZeroDivisionError" in bench.entries[0]
    bench.links.stop()
    from_ns, to_ns, reason = bench.gaps[-1]
    assert (reason, from_ns < to_ns) == (Fault.DIED.value, True)
    whole = join_accounts(bench.accounts)
    assert (whole.messages_read, whole.surplus_bytes, whole.bytes_read) == (4, 0, 10)


def test_a_link_that_hangs_is_given_up_and_never_heard_again(bench: Bench, port: tuple[int, str]) -> None:
    assert bench.links is not None
    bench.links._watch = LinkWatch(hang_looks=5)
    hung = _recording(bench)
    os.write(port[0], b"1\nhang\n")
    _wait_until(lambda: b"hang" in bench.messages[SESSION])
    before_ns = time.monotonic_ns()
    for _ in range(6):
        bench.links.revive_dead()
    assert _link(bench) is not hung
    assert "no sign of life" in bench.notices[-1]
    _recording(bench)
    os.write(port[0], b"2\n")
    _wait_until(lambda: b"2" in bench.messages[SESSION])
    FaultyDevice.release.set()
    hung._thread.join(10)
    assert not hung._thread.is_alive()
    notices = len(bench.notices)
    os.write(port[0], b"3\n")
    _wait_until(lambda: b"3" in bench.messages[SESSION])
    assert bench.messages[SESSION] == [b"1", b"hang", b"2", b"3"]
    assert len(bench.notices) == notices
    bench.links.stop()
    (from_ns, to_ns, reason) = bench.gaps[-1]
    assert (reason, from_ns < before_ns < to_ns) == (Fault.HANGS.value, True)
    assert sum(account.messages_read for account in bench.accounts) == 4
    assert join_accounts(bench.accounts).surplus_bytes == 0


def test_a_session_that_begins_while_a_failed_link_is_not_open_yet_misses_it_from_its_beginning(
    bench: Bench, port: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.links is not None
    monkeypatch.setattr(LinkWatch, "delay_s", lambda self, name: 3600)
    _recording(bench)
    os.write(port[0], b"die\n")
    _wait_until(lambda: _link(bench).is_over)
    bench.links.revive_dead()
    _wait_until(lambda: _link(bench).delivery.active == SESSION)
    begun_ns = time.monotonic_ns()
    bench.links.deliver_to(SESSION + 1)
    _wait_until(lambda: _link(bench).delivery.active == SESSION + 1)
    assert _link(bench).delivery.covered_until_ns >= begun_ns
    assert b"die" in bench.messages[SESSION]
