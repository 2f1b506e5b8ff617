import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Event, EventKind
from blitz.errors import BlockError
from blitz.io.live_cursor import LiveCursor


def block(session_id: int, first: int, stop: int) -> MessageBlock:
    return MessageBlock.from_reads(session_id, first, [Read(0, 0, [b"%d" % n for n in range(first, stop)])])


def test_cursor_asks_first_for_what_the_caller_asked_for() -> None:
    assert LiveCursor().query() == {}
    assert LiveCursor(None, -50).query() == {"first": "-50"}
    assert LiveCursor(7, 0).query() == {"session": "7", "first": "0"}
    assert LiveCursor("preview").query() == {"session": "preview"}


def test_cursor_goes_on_behind_the_last_block() -> None:
    cursor = LiveCursor()
    cursor.advance(block(3, 100, 110))
    assert cursor.query() == {"session": "3", "first": "110"}


def test_cursor_cuts_off_what_was_there_already() -> None:
    cursor = LiveCursor(3, 0)
    cursor.advance(block(3, 0, 10))
    new = cursor.advance(block(3, 5, 12))
    assert new is not None
    assert (new.first_seq, new.next_seq) == (10, 12)
    assert cursor.advance(block(3, 0, 12)) is None


def test_cursor_refuses_a_hole_and_a_foreign_session() -> None:
    cursor = LiveCursor(3, 0)
    cursor.advance(block(3, 0, 10))
    with pytest.raises(BlockError, match="10 to 10 of session 3 are missing"):
        cursor.advance(block(3, 11, 12))
    with pytest.raises(BlockError, match="session 4 came instead"):
        cursor.advance(block(4, 0, 1))
    assert cursor.query() == {"session": "3", "first": "10"}


def test_cursor_is_finished_when_its_own_session_stops_and_not_before() -> None:
    cursor = LiveCursor(3, 0)
    cursor.observe(Event(event=EventKind.SESSION_STOPPED, session_id=2))
    assert not cursor.is_finished
    cursor.observe(Event(event=EventKind.SESSION_STOPPED, session_id=3))
    assert cursor.is_finished


def test_following_cursor_wants_the_next_session_from_its_beginning() -> None:
    cursor = LiveCursor(None, -5)
    cursor.advance(block(3, 100, 110))
    cursor.observe(Event(event=EventKind.SESSION_STOPPED, session_id=3))
    assert not cursor.is_finished
    assert cursor.query() == {"first": "0"}
    cursor.observe(Event(event=EventKind.SESSION_STARTED, session_id=4))
    with pytest.raises(BlockError, match="0 to 4 of session 4 are missing"):
        cursor.advance(block(4, 5, 6))


def test_following_cursor_that_saw_no_session_wants_all_of_one_that_starts_while_it_is_away() -> None:
    cursor = LiveCursor()
    cursor.disconnect()
    assert cursor.query() == {"first": "0"}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30))
def test_cursor_delivers_each_message_once_whatever_blocks_come(blocks: list[tuple[int, int]]) -> None:
    cursor = LiveCursor(1, 0)
    delivered: list[bytes] = []
    for first, count in blocks:
        try:
            new = cursor.advance(block(1, first, first + count))
        except BlockError:
            continue
        delivered += new.messages() if new is not None else []
    assert delivered == [b"%d" % number for number in range(len(delivered))]
