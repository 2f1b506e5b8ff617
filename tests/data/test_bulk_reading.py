"""Parts of Redis' lists as Arrow arrays, from several threads, over lost connections; where arrivals stand."""

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from blitz.data.blocks import Read
from blitz.data.bulk_reading import BulkReader, read_whole_replies
from blitz.data.database_server import DatabaseServer
from blitz.data.store_reader import _last_at_or_before
from blitz.errors import StoreUnavailable


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_parts_of_a_list_come_whatever_is_in_it(client: redis.Redis) -> None:
    elements = [b"", b"$3\r\nabc\r\n", b"one", b"x" * 3_000_000, bytes(range(256))] * 3
    client.rpush("list", *elements)
    bulk = BulkReader(client)
    for start, stop in [(0, 100), (0, 1), (3, 4), (4, 13), (14, 15), (15, 20), (7, 7), (9, 2)]:
        assert bulk.elements("list", start, stop).to_pylist() == elements[start:stop]
    assert bulk.elements("none", 0, 10).to_pylist() == []


def test_several_threads_read_at_once(client: redis.Redis) -> None:
    elements = [b"%d" % number for number in range(50_000)]
    client.rpush("list", *elements)
    bulk = BulkReader(client)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda start: bulk.elements("list", start, start + 1_000).to_pylist(), range(0, 50_000, 1_000))
        assert [element for part in parts for element in part] == elements


def test_a_connection_that_was_cut_is_made_anew(client: redis.Redis, redis_url: str) -> None:
    client.rpush("list", b"one")
    bulk = BulkReader(client)
    assert bulk.elements("list", 0, 1).to_pylist() == [b"one"]
    with redis.Redis.from_url(redis_url) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert bulk.elements("list", 0, 1).to_pylist() == [b"one"]


def test_what_is_no_list_is_told_and_does_not_hold_the_connection(client: redis.Redis) -> None:
    client.set("text", b"one")
    bulk = BulkReader(client)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            bulk.elements("text", 0, 1)
    assert client.get("text") == b"one"
    assert len(client.connection_pool._available_connections) == 1


class Entries:
    """Where the entries of a list of arrivals begin, and how often that was asked."""

    def __init__(self, counts: list[int]) -> None:
        self.begins = [0, *itertools.accumulate(counts)]
        self.total = self.begins.pop()
        self.asked = 0

    def first_seq(self, position: int) -> int:
        self.asked += 1
        return self.begins[position]


_CHANCE = random.Random(1)


@pytest.mark.parametrize(
    "counts",
    [[50] * 20_000, [1] * 19_000 + [5_000] * 1_000, [_CHANCE.choice((1, 3, 900)) for _ in range(20_000)], [7]],
    ids=["even", "ever longer", "by chance", "one"],
)
def test_a_place_among_arrivals_is_found_with_few_questions(counts: list[int]) -> None:
    entries = Entries(counts)
    for seq in [0, 1, entries.total - 1, entries.total + 5, *(_CHANCE.randrange(entries.total) for _ in range(50))]:
        entries.asked = 0
        found = _last_at_or_before(entries.first_seq, seq, 0, len(counts))
        assert entries.begins[found] <= seq
        assert found + 1 == len(counts) or entries.begins[found + 1] > seq
        assert entries.asked <= 3 * 15


def test_messages_of_uneven_reads_have_their_arrivals(redis_url: str) -> None:
    chance = random.Random(2)
    store = DatabaseServer(redis_url)
    session_id = store.start_session("uneven")
    with_arrivals: list[tuple[bytes, int, int]] = []
    reads = []
    for number in range(800):
        messages = [b"%d-%d" % (number, place) for place in range(chance.choice((1, 2, 60)))]
        reads.append(Read(1_000 + number, number % 3, messages))
        with_arrivals += [(message, 1_000 + number, number % 3) for message in messages]
    writer = store.writer(session_id)
    writer.append(reads)
    writer.close()
    for _ in range(30):
        first, count = chance.randrange(len(with_arrivals)), chance.randrange(3_000)
        block = store.messages(session_id, first, count)
        found = zip(block.messages(), block.arrived_ns.tolist(), block.source.tolist(), strict=True)
        assert list(found) == with_arrivals[first : first + count]
    store.close()


def test_what_stands_behind_a_reply_that_is_short_does_not_move_up() -> None:
    replies = [b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*1\r\n$1\r\nc\r\n", b"*2\r\n$1\r\ne\r\n$1\r\nf\r\n"]
    ends = list(itertools.accumulate(map(len, replies)))
    content = bytearray(b"".join(replies))
    assert read_whole_replies(content, ends, [2, 2, 2]).to_pylist() == [b"a", b"b", b"c"]
    assert read_whole_replies(content, ends, [2, 1, 2]).to_pylist() == [b"a", b"b", b"c", b"e", b"f"]
