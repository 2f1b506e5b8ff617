"""Accounts, gaps, time lines and bad frames as they are printed."""

import pytest

from blitz.cli.accounts import balance, print_accounts, print_bad_frames, print_gaps, print_timeline
from blitz.cli.output import Output
from blitz.data.records import Account, BadFrameRecord, Gap, Source, TimelineEntry, TimelineKind

NOON_NS = 1_700_000_000_123_456_789


def test_an_account_that_does_not_balance_says_by_how_much() -> None:
    assert balance(Account(source=0, bytes_read=10, message_bytes=8, discarded={"noise": 2})) == "yes"
    assert balance(Account(source=0, bytes_read=10, message_bytes=8)) == "no: +2 bytes"
    assert balance(Account(source=0, messages_read=3, messages_appended=4, bad_bytes=1)) == "no: -1 bytes, -1 messages"


def test_an_account_shows_what_became_of_each_byte(capsys: pytest.CaptureFixture[str]) -> None:
    known = Account(
        source=0,
        bytes_read=120,
        message_bytes=100,
        bad_bytes=8,
        discarded={"noise": 12, "answers": 0},
        messages_read=10,
        messages_appended=10,
        lost=3,
        is_lost_exact=True,
        recovered=1,
        bad_frames=2,
        overruns=4,
        drift_ppm=-12.34,
        jitter_ms=0.56,
    )
    print_accounts(Output(False), [("pump", known), ("oven", Account(source=1, lost=70))])
    _, head, pump, oven = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["Account", "of", "Messages", "Stored"]
    assert pump.split() == ["pump", "10", "10", "3", "1", "2", "12", "noise", "4", "-12.3", "ppm", "0.6", "ms", "yes"]
    assert oven.split() == ["oven", "0", "0", "about", "70", "0", "0", "0", "yes"]
    print_accounts(Output(False), [])
    assert capsys.readouterr().out == ""


def test_gaps_say_what_is_missing_as_well_as_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    sources = [Source(index=0, name="pump", link="COM3")]
    span = {"source": 0, "seq": 17, "from_ns": NOON_NS, "reason": "unplugged"}
    gaps = [
        Gap(to_ns=NOON_NS + 1_500_000_000, lost=410, is_exact=True, recovered=60, **span),
        Gap(to_ns=NOON_NS + 7200 * 10**9, lost=33, **span),
        Gap(to_ns=NOON_NS, **{**span, "source": 5}),
    ]
    print_gaps(Output(False), gaps, sources)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows[0][0] == "pump"
    assert rows[0][2].endswith(".123")
    assert rows[0][3:] == ["1.500", "s", "17", "410", "60", "unplugged"]
    assert rows[1][3:] == ["2:00:00", "17", "about", "33", "0", "unplugged"]
    assert (rows[2][0], rows[2][3:]) == ("5", ["0.000", "s", "17", "unknown", "0", "unplugged"])


def test_a_time_line_shows_who_did_what(capsys: pytest.CaptureFixture[str]) -> None:
    entries = [
        TimelineEntry(
            kind=TimelineKind.COMMAND, time_ns=NOON_NS, source="pump", who="ann@lab", text="TARE", answer="ok"
        ),
        TimelineEntry(kind=TimelineKind.CLOCK_STEP, time_ns=NOON_NS, text="The clock was set back by 3 s."),
    ]
    print_timeline(Output(False), entries)
    command, step = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert command[2:] == ["command", "pump", "ann@lab", "TARE", "ok"]
    assert step[2:4] == ["clock", "step"]


def test_bad_frames_are_cut_unless_all_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [
        BadFrameRecord(time_ns=NOON_NS, reason="checksum", raw="480a1b"),
        BadFrameRecord(time_ns=NOON_NS, reason="too long", raw="41" * 30),
    ]
    print_bad_frames(Output(False), frames, whole=False)
    short, long = capsys.readouterr().out.splitlines()[1:]
    assert short.split()[2:] == ["3", "checksum", "48", "0a", "1b", "H··"]
    assert long.endswith("A" * 24 + "…")
    print_bad_frames(Output(False), frames, whole=True)
    assert capsys.readouterr().out.splitlines()[2].endswith(f"41  {'A' * 30}")
