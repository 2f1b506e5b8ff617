"""Accounts: stretches that are joined, parts that are told by others, and the line that a session carries."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import Read
from blitz.data.records import Account, Gap, SessionRecord
from blitz.io.account_book import AccountBook, verdict
from blitz.io.ledger import Tally, account_between, join_accounts


def stretch(**counts: int) -> Account:
    return Account(source=3, **counts)  # type: ignore[arg-type]


def test_a_source_that_was_configured_anew_has_one_account_of_both_stretches() -> None:
    book = AccountBook()
    book.open(7)
    book.append(7, [Read(0, 3, [b"a", b"b"]), Read(0, 4, [b"x"])])
    book.close(7, stretch(bytes_read=10, message_bytes=8, pending_bytes=2, messages_read=2))
    book.append(7, [Read(0, 3, [b"c"])])
    live = stretch(bytes_read=4, message_bytes=4, messages_read=2)
    account = book.account(7, "bench", 3, live)
    assert (account.bytes_read, account.messages_read, account.messages_appended, account.messages_waiting) == (
        14,
        4,
        3,
        1,
    )
    assert account.is_balanced
    book.append(7, [Read(0, 3, [b"d"])])
    book.close(7, live)
    assert book.account(7, "bench", 3, None).is_balanced
    assert book.rows(7) == {3, 4}


def test_a_message_that_never_reached_the_store_shows() -> None:
    book = AccountBook()
    book.open(7)
    book.append(7, [Read(0, 3, [b"a"])])
    book.close(7, stretch(messages_read=2))
    account = book.account(7, "bench", 3, None)
    assert (account.surplus_messages, account.is_balanced) == (1, False)
    record = SessionRecord(id=7, started_at=datetime.now(UTC), message_count=1)
    assert verdict([account], [], record).endswith("does not balance: 1 messages and 0 bytes are unaccounted for")


def test_what_comes_for_another_session_does_not_count() -> None:
    book = AccountBook()
    book.open(7)
    book.append(6, [Read(0, 3, [b"a"])])
    book.close(6, stretch(messages_read=1))
    assert book.rows(7) == set()
    preview = book.account(0, "bench", 3, stretch(messages_read=9, messages_dropped=2))
    assert (preview.messages_previewed, preview.is_balanced) == (7, True)


@pytest.mark.parametrize(
    ("account", "gaps", "line"),
    [
        ({}, [], "no gaps, nothing lost, account balances"),
        (
            {"lost": 410, "is_lost_exact": True, "recovered": 60},
            [410],
            "1 gap, 410 lost, 60 recovered from the board, account balances",
        ),
        ({"lost": 12}, [12, 0], "2 gaps, about 12 lost, account balances"),
        (
            {"bad_frames": 1, "overruns": 40},
            [None],
            "losses of one gap unknown, 40 bytes overrun in the driver, 1 bad frame",
        ),
        ({"messages_appended": 5, "messages_read": 5}, [], "account does not balance: 5 messages that were stored"),
    ],
)
def test_a_session_carries_one_line(account: dict[str, int], gaps: list[int | None], line: str) -> None:
    record = SessionRecord(id=7, started_at=datetime.now(UTC), message_count=0)
    told = [Gap(source=3, seq=0, from_ns=n, to_ns=n + 1, reason="x", lost=lost) for n, lost in enumerate(gaps)]
    assert line in verdict([stretch(**account)], told, record)


counts = st.integers(0, 1000)
tallies = st.builds(
    lambda message, bad, answers, pending, messages, dropped: Tally(
        bytes_read=message + bad + answers + pending,
        message_bytes=message,
        bad_bytes=bad,
        discarded={"answers": answers},
        pending_bytes=pending,
        messages_read=messages + dropped,
        messages_dropped=dropped,
    ),
    *[counts] * 6,
)


def grown(first: Tally, by: Tally) -> Tally:
    """A later tally: counters only grow, what is pending is another thing then."""
    resolved = {name: getattr(first, name) + getattr(by, name) for name in ("message_bytes", "bad_bytes")}
    answers = first.discarded["answers"] + by.discarded["answers"]
    total = sum(resolved.values()) + answers + by.pending_bytes
    return by._replace(
        **resolved,
        bytes_read=total,
        discarded={"answers": answers},
        messages_read=first.messages_read + by.messages_read,
        messages_dropped=first.messages_dropped + by.messages_dropped,
    )


@given(tallies, tallies, tallies)
def test_stretches_join_to_the_account_of_the_whole(first: Tally, second: Tally, third: Tally) -> None:
    second = grown(first, second)
    third = grown(second, third)
    early, late = account_between(first, second, 3, "x"), account_between(second, third, 3, "x")
    whole, joined = account_between(first, third, 3, "x"), join_accounts([early, late])
    assert early.surplus_bytes == late.surplus_bytes == whole.surplus_bytes == joined.surplus_bytes == 0
    assert (joined.bytes_read, joined.messages_read, joined.messages_dropped) == (
        whole.bytes_read,
        whole.messages_read,
        whole.messages_dropped,
    )
