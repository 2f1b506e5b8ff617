"""The spool on a real disk: order, safety, what is torn or damaged, limits."""

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import Read
from blitz.data.disk import LocalDisk
from blitz.data.spool import Spool
from blitz.data.spool_records import Batch, Change, ChangeKind, SpoolRecord, encode, scan
from blitz.errors import SpoolError

WRITER = uuid.UUID(int=1).hex


def batch(number: int, first_seq: int, *messages: bytes, session_id: int = 1) -> Batch:
    return Batch(session_id, first_seq, WRITER, number, [Read(1_000 + number, 0, list(messages))])


def emptied(spool: Spool) -> list[SpoolRecord]:
    records = []
    while oldest := spool.oldest(100):
        records += oldest
        spool.drop(len(oldest))
    return records


reads = st.builds(
    Read,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 65_535),
    st.lists(st.binary(max_size=20), min_size=1, max_size=4),
)
records = st.one_of(
    st.builds(
        Batch,
        st.integers(1, 2**60),
        st.integers(0, 2**60),
        st.just(WRITER),
        st.integers(1, 2**60),
        st.lists(reads, max_size=4),
    ),
    st.builds(Change, st.integers(1, 2**60), st.sampled_from(ChangeKind), st.text(max_size=30)),
)


@given(st.lists(records, max_size=5), st.binary(max_size=40))
def test_records_come_back_as_they_were_whatever_is_torn_behind_them(given: list[SpoolRecord], torn: bytes) -> None:
    content = b"".join(map(encode, given)) + torn.replace(b"BzR1", b"")
    assert [found.record for found in scan(content)] == given


@given(records, st.integers(0, 40), st.integers(0, 60))
def test_a_record_whose_end_became_zeros_is_none(record: SpoolRecord, kept: int, zeros: int) -> None:
    encoded = encode(record)
    kept = min(kept, len(encoded) - 1)
    found = [each.record for each in scan(encoded[:kept] + bytes(zeros))]
    assert found in ([], [record])  # its own last bytes may be zeros
    assert [each.record for each in scan(encoded[:4] + bytes(zeros) + encode(record))][-1:] == [record]


@given(st.lists(records, max_size=5))
def test_all_but_the_messages_can_be_read_quickly(given: list[SpoolRecord]) -> None:
    def without_messages(record: SpoolRecord) -> SpoolRecord:
        if isinstance(record, Change):
            return record
        return replace(record, reads=[read._replace(messages=[b""] * len(read.messages)) for read in record.reads])

    found = [found.record for found in scan(b"".join(map(encode, given)), with_messages=False)]
    assert found == [without_messages(record) for record in given]


@given(st.lists(records, min_size=2, max_size=4), st.data())
def test_a_damaged_byte_costs_one_record_and_no_other(given: list[SpoolRecord], data: st.DataObject) -> None:
    encoded = [encode(record) for record in given]
    victim = data.draw(st.integers(0, len(given) - 1))
    position = data.draw(st.integers(0, len(encoded[victim]) - 1))
    damaged = bytearray(encoded[victim])
    damaged[position] ^= data.draw(st.integers(1, 255))
    encoded[victim] = bytes(damaged)
    found = [found.record for found in scan(b"".join(encoded))]
    assert found == given[:victim] + given[victim + 1 :]


def test_records_are_there_after_a_restart_in_order_and_go_when_they_are_dropped(tmp_path: Path) -> None:
    written: list[SpoolRecord] = [batch(n, n, b"%d" % n) for n in range(50)]
    written.insert(20, Change(1, ChangeKind.CLOSE, "{}"))
    spool = Spool(LocalDisk(), tmp_path, segment_bytes=500)
    for record in written:
        spool.append(record)
    spool.close()
    assert len(list(tmp_path.iterdir())) > 3

    again = Spool(LocalDisk(), tmp_path, segment_bytes=500)
    assert again.recover() == []
    assert again.message_count == 50
    assert (again.first_seq(1), again.next_seq(1)) == (0, 50)
    assert again.has_turns
    assert again.last_arrivals(1) == {0: 1_049}
    assert emptied(again) == written
    assert again.is_empty
    assert again.size_bytes == 0
    assert not list(tmp_path.iterdir())


def test_a_record_without_its_end_was_never_safe_and_is_cut_off(tmp_path: Path) -> None:
    spool = Spool(LocalDisk(), tmp_path)
    for n in range(3):
        spool.append(batch(n, n, b"x"))
    spool.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    again = Spool(LocalDisk(), tmp_path)
    assert again.recover() == []
    again.append(batch(2, 2, b"again"))
    assert emptied(again) == [batch(0, 0, b"x"), batch(1, 1, b"x"), batch(2, 2, b"again")]


def test_damage_in_the_middle_is_told_and_what_stands_behind_it_is_kept(tmp_path: Path) -> None:
    spool = Spool(LocalDisk(), tmp_path)
    for n in range(3):
        spool.append(batch(n, n, b"x" * 100))
    spool.close()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    again = Spool(LocalDisk(), tmp_path)
    (told,) = again.recover()
    assert "damaged" in told
    assert [record.number for record in emptied(again)] == [0, 2]


def test_messages_are_found_by_their_number_across_segments_and_sessions(tmp_path: Path) -> None:
    spool = Spool(LocalDisk(), tmp_path, segment_bytes=400)
    for n in range(40):
        spool.append(batch(n, 100 + 2 * n, b"%d" % (2 * n), b"%d" % (2 * n + 1)))
        spool.append(batch(n, n, b"other", session_id=2))
    for first, count in ((100, 80), (101, 5), (133, 1), (179, 10)):
        block = spool.messages(1, first, count)
        assert block is not None
        assert block.first_seq == first
        assert block.messages() == [b"%d" % (n - 100) for n in range(first, min(first + count, 180))]
    assert spool.messages(1, 99, 5) is None, "that is in the store"
    assert spool.messages(1, 180, 5) is None
    assert spool.messages(3, 0, 5) is None
    spool.drop(len(spool.oldest(1)))
    assert spool.first_seq(1) == 102
    assert spool.messages(1, 100, 5) is None


def test_a_spool_takes_no_more_than_its_limit_and_what_is_in_it_stays(tmp_path: Path) -> None:
    spool = Spool(LocalDisk(), tmp_path, limit_bytes=1_000)

    def fill() -> None:
        for n in range(100):
            spool.append(batch(n, n, b"x" * 50))

    with pytest.raises(SpoolError, match="limit"):
        fill()
    kept = len(emptied(spool))
    assert 5 < kept < 20
    spool.append(batch(kept, kept, b"x"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    spool = Spool(LocalDisk(), tmp_path / "file")
    with pytest.raises(SpoolError, match="Cannot write the spool"):
        spool.append(batch(1, 0, b"x"))
    assert spool.is_empty


def test_any_range_of_a_long_spool_is_found(tmp_path: Path) -> None:
    spool = Spool(LocalDisk(), tmp_path, segment_bytes=1 << 20)
    for n in range(150):
        spool.append(batch(n, 10 * n, *(b"%04d" % (10 * n + k) + bytes(2_000) for k in range(10))))
    for first, count in ((0, 1), (0, 1_500), (333, 7), (499, 500), (1_490, 10), (1_499, 100)):
        block = spool.messages(1, first, count)
        assert block is not None
        assert [int(message[:4]) for message in block.messages()] == list(range(first, min(first + count, 1_500)))


def test_a_spool_that_is_taken_up_again_and_again_grows_by_one_record_at_most(tmp_path: Path) -> None:
    written: list[SpoolRecord] = [batch(n, n, b"x" * 50) for n in range(9)]
    spool = Spool(LocalDisk(), tmp_path, segment_bytes=300)
    for record in written:
        spool.append(record)
    spool.close()
    files = len(list(tmp_path.iterdir()))
    for _ in range(4):
        spool = Spool(LocalDisk(), tmp_path, segment_bytes=300)
        assert spool.recover() == []
        assert spool.message_count == 9
        assert spool.size_bytes == sum(len(encode(record)) for record in written)
        assert len(list(tmp_path.iterdir())) == files + 1
    assert emptied(spool) == written
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("last", [batch(3, 3, b"3"), Change(1, ChangeKind.CLOSE, "{}")], ids=["batch", "change"])
def test_starts_with_records_between_them_offer_each_record_once(tmp_path: Path, last: SpoolRecord) -> None:
    written = [batch(1, 1, b"1"), batch(2, 2, b"2"), last]
    spool = Spool(LocalDisk(), tmp_path)
    for record in written:
        spool = Spool(LocalDisk(), tmp_path)
        spool.recover()
        spool.append(record)
        spool.close()
    count = sum(isinstance(record, Batch) for record in written)
    for _ in range(3):
        spool = Spool(LocalDisk(), tmp_path)
        spool.recover()
        assert spool.message_count == count
        block = spool.messages(1, 1, 9)
        assert block is not None
        assert block.messages() == [b"1", b"2", b"3"][:count]
        assert spool.has_turns == (count == 2)
    assert emptied(spool) == written
    assert spool.message_count == 0
    assert not list(tmp_path.iterdir())


def test_what_is_offered_is_read_where_it_was_written_last(tmp_path: Path) -> None:
    """The file before may hold it in memory only, and lose it at any moment."""
    spool = Spool(LocalDisk(), tmp_path)
    for n in range(3):
        spool.append(batch(n, n, b"%d" % n))
    spool.close()
    (path,) = tmp_path.iterdir()
    spool = Spool(LocalDisk(), tmp_path)
    spool.recover()
    content = path.read_bytes()
    last = len(encode(batch(2, 2, b"2")))
    path.write_bytes(content[:-last] + bytes(last))
    block = spool.messages(1, 0, 9)
    assert block is not None
    assert block.messages() == [b"0", b"1", b"2"]
    assert emptied(spool) == [batch(n, n, b"%d" % n) for n in range(3)]
