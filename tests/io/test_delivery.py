"""Whose a device's messages are, with a sink that refuses when it is told to."""

from collections.abc import Sequence

import pytest

from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import Account
from blitz.data.source_examiner import AGAIN_AND_AGAIN, GAPS_KEPT
from blitz.io.delivery import Delivery, Identified
from blitz.io.framing import LineFraming
from blitz.io.ledger import Ledger

SECOND_NS = 1_000_000_000


class Sink:
    """Takes what it is given, unless it is full."""

    def __init__(self) -> None:
        self.is_full = False
        self.taken: list[bytes] = []
        self.gaps: list[tuple[int, int, int, int, str]] = []
        self.accounts: list[Account] = []
        self.clock_ns = 0

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        return Identified(0, "")

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        if not self.is_full:
            self.taken += messages
        return not self.is_full

    def close_account(self, session_id: int, account: Account) -> None:
        self.accounts.append(account)

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        self.gaps.append((session_id, source, from_ns, to_ns, reason))

    def notice(self, severity: str, text: str, source: str) -> None: ...

    def link_changed(self, board: object) -> None: ...

    def now_ns(self) -> int:
        return self.clock_ns


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def delivery(sink: Sink) -> Delivery:
    delivery = Delivery(sink, Ledger(LineFraming()))
    delivery.source = 3
    delivery.wanted = 7
    delivery.activate()
    return delivery


def hand_over(delivery: Delivery, sink: Sink, second: int, message: bytes) -> bool:
    sink.clock_ns = second * SECOND_NS
    return delivery.deliver([message], sink.clock_ns)


@pytest.mark.parametrize("is_back", [True, False])
def test_messages_that_had_to_be_dropped_are_a_gap_of_the_session(
    delivery: Delivery, sink: Sink, is_back: bool
) -> None:
    assert hand_over(delivery, sink, 1, b"a")
    sink.is_full = True
    assert not hand_over(delivery, sink, 2, b"b")
    assert not hand_over(delivery, sink, 3, b"c")
    assert [gap[:4] for gap in sink.gaps] == [(7, 3, SECOND_NS, 2 * SECOND_NS)], "told before what comes behind it"
    sink.is_full = not is_back
    assert hand_over(delivery, sink, 4, b"d") is is_back
    delivery.release()
    _, (session, source, from_ns, to_ns, reason) = sink.gaps
    assert (session, source, from_ns, to_ns) == (7, 3, SECOND_NS, 4 * SECOND_NS)
    assert reason.startswith("dropped")
    assert delivery._ledger.messages_dropped == (2 if is_back else 3)


def test_what_the_preview_drops_is_no_gap(delivery: Delivery, sink: Sink) -> None:
    delivery.wanted = PREVIEW_ID
    delivery.activate()
    sink.is_full = True
    hand_over(delivery, sink, 1, b"a")
    sink.is_full = False
    hand_over(delivery, sink, 2, b"b")
    assert sink.gaps == []


def test_gaps_of_a_port_that_comes_and_goes_are_joined_when_they_are_too_many(delivery: Delivery, sink: Sink) -> None:
    for second in range(GAPS_KEPT + 50):
        assert hand_over(delivery, sink, 2 * second, b"a")
        delivery.begin_absence()
        sink.clock_ns += SECOND_NS
        delivery.end_absence()
    begins = {from_ns for _, _, from_ns, _, _ in sink.gaps}
    assert len(begins) == GAPS_KEPT
    *_, (_, _, from_ns, to_ns, reason) = sink.gaps
    assert (from_ns, to_ns) == (max(begins), sink.clock_ns)
    assert reason == AGAIN_AND_AGAIN


# ---- sessions that follow one another --------------------------------------------------------------------------------


def test_the_session_that_follows_begins_with_the_next_message(delivery: Delivery, sink: Sink) -> None:
    hand_over(delivery, sink, 1, b"a")
    delivery.settle(delivery._ledger.tally(()))
    delivery.follow_on(7, 8)
    assert (delivery.active, delivery.is_current, delivery.is_followed) == (7, False, True)
    hand_over(delivery, sink, 2, b"b")
    assert (delivery.active, delivery.is_current, delivery.is_followed) == (8, True, False)
    delivery.settle(delivery._ledger.tally(()))
    delivery.release()
    assert [(account.messages_read, account.is_balanced) for account in sink.accounts] == [(1, False), (1, False)]
    assert sink.taken == [b"a", b"b"]


def test_a_read_that_is_being_delivered_stays_in_its_session(delivery: Delivery, sink: Sink) -> None:
    hand_over(delivery, sink, 1, b"a")
    delivery.follow_on(7, 8)
    hand_over(delivery, sink, 1, b"b")
    assert delivery.active == 7
    delivery.settle(delivery._ledger.tally(()))
    assert delivery.active == 8
    assert sink.accounts[0].messages_read == 2


def test_a_stop_behind_a_step_that_is_not_done_yet_comes_second(delivery: Delivery) -> None:
    delivery.follow_on(7, 8)
    delivery.wanted = PREVIEW_ID
    assert not delivery.is_current
    delivery.activate()
    assert (delivery.active, delivery.is_followed, delivery.is_current) == (8, False, False)
    delivery.activate()
    assert (delivery.active, delivery.is_current) == (PREVIEW_ID, True)


def test_of_two_steps_that_are_not_done_yet_the_last_counts(delivery: Delivery) -> None:
    delivery.follow_on(7, 8)
    delivery.follow_on(8, 9)
    delivery.activate()
    assert (delivery.active, delivery.is_current) == (9, True)


def test_a_device_of_the_preview_changes_over_as_usual(delivery: Delivery) -> None:
    delivery.wanted = PREVIEW_ID
    delivery.activate()
    delivery.follow_on(7, 8)
    assert (delivery.is_followed, delivery.is_current, delivery.wanted) == (False, False, 8)
