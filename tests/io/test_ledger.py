"""The ledger's tallies."""

from blitz.io.frame_account import LINE_ENDINGS
from blitz.io.framing import LineFraming
from blitz.io.ledger import ANSWERS, Ledger, Tally


def test_a_tally_holds_each_count_under_its_name() -> None:
    framing = LineFraming()
    ledger = Ledger(framing)
    chunk = b"12,3\r\n4\r\nOK\n12"
    ledger.bytes_read += len(chunk)
    first, second, answer = framing.feed(chunk)
    ledger.deliver([first], is_dropped=False, is_recovered=True)
    ledger.deliver([second], is_dropped=True, is_recovered=False)
    ledger.discard([answer], ANSWERS)
    framing.keep_bad(b"?", "noise")
    ledger.overruns = 7
    tally = ledger.tally([b"345", b"6"])
    assert {reason: count for reason, count in tally.discarded.items() if count} == {LINE_ENDINGS: 5, ANSWERS: 2}
    assert tally == Tally(
        bytes_read=14,
        message_bytes=5,
        bad_bytes=1,
        discarded=tally.discarded,
        pending_bytes=6,
        bad_frames=1,
        messages_read=2,
        messages_dropped=1,
        recovered=1,
        overruns=7,
    )


def test_what_framing_and_ledger_discard_for_one_reason_is_added_up() -> None:
    framing = LineFraming()
    ledger = Ledger(framing)
    framing.feed(b"1\n")
    ledger.discard([b"12"], LINE_ENDINGS)
    assert ledger.tally(()).discarded[LINE_ENDINGS] == 3
    assert framing.discarded[LINE_ENDINGS] == 1
