"""The simulated Redis answers as a real one does, whatever is asked of it through the store's own classes."""

import contextlib
from random import Random
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from sim_client import connect
from sim_clock import SimClock, governed
from sim_redis import TAKES_MEMORY
from sim_store import OUT_OF_MEMORY, SimStore

from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Gap, Source, TimelineEntry, TimelineKind
from blitz.data.spool_records import Batch
from blitz.errors import BlitzError, NoSession, StoreUnavailable

_NS = 1_800_000_000_000_000_000
_WRITERS = ("0" * 31 + "1", "0" * 31 + "2")

_operation = st.one_of(
    st.tuples(st.just("start"), st.sampled_from(["", "bench"])),
    st.tuples(st.just("stop"), st.integers(1, 3)),
    st.tuples(st.just("append"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("append"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("queue"), st.integers(1, 9)),
    st.tuples(st.just("place"), st.integers(0, 1), st.integers(-4, 2), st.integers(1, 3)),
    st.tuples(st.just("delete"), st.integers(1, 3)),
    st.tuples(st.just("trash"), st.integers(1, 3)),
    st.tuples(st.just("restore"), st.integers(1, 3)),
    st.tuples(st.just("gap"), st.integers(0, 2)),
    st.tuples(st.just("entry"), st.integers(0, 2)),
    st.tuples(st.just("source"), st.integers(0, 2)),
    st.tuples(st.just("trim"), st.integers(1, 3), st.integers(1, 5)),
    st.tuples(st.just("read"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(
        st.just("flush"),
    ),
)


class _Bench:
    """A store and what programs do with it; equal operations give equal answers."""

    def __init__(self, store: DatabaseServer) -> None:
        self.store = store
        self.numbers = [0, 0]
        self.writers: dict[tuple[int, int], Any] = {}

    def do(self, word: str, *arguments: Any) -> Any:
        try:
            return getattr(self, f"do_{word}")(*arguments)
        except BlitzError as error:
            return type(error)

    def do_start(self, name: str) -> Any:
        return self.store.start_session(name, "notes", "me", [_source(0)])

    def do_stop(self, session_id: int) -> Any:
        return self.store.close_session(session_id, _NS // 1_000_000)

    def _writer(self, who: int) -> Any:
        session_id = self.store.running_session() or 1
        if (who, session_id) not in self.writers:
            self.writers[who, session_id] = self.store.writer(session_id, _WRITERS[who])
        return self.writers[who, session_id]

    def do_append(self, who: int, count: int) -> Any:
        self.numbers[who] += 1
        return self._writer(who).append([_read(self.numbers[who], count)], self.numbers[who])

    def do_queue(self, number: int) -> Any:
        return self.store.queue(b"queued %d" % number)

    def do_place(self, who: int, ahead: int, count: int) -> Any:
        session_id = self.store.running_session() or 1
        first_seq = max(self.store.count_messages(session_id) + ahead, 0)
        first_seq = max(
            first_seq, int(self.store.client.execute_command("GET", self.store.keys.first(session_id)) or 0)
        )
        batches = []
        for _ in range(2):
            self.numbers[who] += 1
            batches.append(
                Batch(session_id, first_seq, _WRITERS[who], self.numbers[who], [_read(self.numbers[who], count)])
            )
            first_seq += count
        return self.store.place(batches)

    def do_delete(self, session_id: int) -> Any:
        return self.store.delete_session(session_id)

    def do_trash(self, session_id: int) -> Any:
        return self.store.trash.put(session_id, _NS // 1_000_000 + session_id)

    def do_restore(self, session_id: int) -> Any:
        return self.store.trash.restore(session_id)

    def do_gap(self, number: int) -> Any:
        return self.store.add_gap(1, Gap(source=0, seq=number, from_ns=_NS + number, to_ns=_NS + 9, reason="away"))

    def do_entry(self, number: int) -> Any:
        return self.store.add_entry(1, TimelineEntry(kind=TimelineKind.SERVER, time_ns=_NS, text=f"entry {number}"))

    def do_source(self, number: int) -> Any:
        return self.store.add_source(self.store.running_session() or 1, _source(number))

    def do_trim(self, session_id: int, count: int) -> Any:
        keys = self.store.keys
        with self.store.client.pipeline(transaction=True) as pipe:
            pipe.ltrim(keys.messages(session_id), count, -1)
            pipe.ltrim(keys.arrivals(session_id), count, -1)
            return pipe.execute()

    def do_read(self, first: int, count: int) -> Any:
        session_id = self.store.running_session() or 1
        try:
            return self.store.get_all_from_session(session_id), self.store.messages(session_id, first, count).messages()
        except (IndexError, ValueError):  # trimmed without saying so, which only this test does
            return "trimmed"

    def do_flush(self) -> Any:
        return self.store.flush()

    def look(self) -> Any:
        """Return all that programs can see."""
        store = self.store
        records = []
        for session_id in store.available_sessions():
            records.append(store.session(session_id).model_copy(update={"started_at": None}))
        return store.running_session(), records, [row[:1] + row[2:] for row in store.build_client_session_list()]


def _read(number: int, count: int) -> Read:
    return Read(_NS + number, 0, [b"%d.%d" % (number, index) for index in range(count)])


def _source(index: int) -> Source:
    return Source(index=index, name=f"bench{index}", link="/dev/ttyUSB0", board_id=None)


def _dump(client: Any) -> dict[bytes, Any]:
    """Return all keys and what is in them, times of day left out."""
    kinds = {b"string": ("GET",), b"list": ("LRANGE", 0, -1), b"hash": ("HGETALL",), b"zset": ("ZRANGE", 0, -1)}
    content = {}
    for key in client.execute_command("KEYS", "*"):
        word, *rest = kinds[client.execute_command("TYPE", key)]
        value = client.execute_command(word, key, *rest)
        if key.endswith((b"_start", b"_end")) or key == b"store_id":
            value = None
        elif isinstance(value, dict):
            value.pop(b"start_token", None)
            # A queue's writer has a name of its own.
            queue = [field for field in value if field.startswith(b"batch:") and field[6:].decode() not in _WRITERS]
            value["queues"] = sorted(value.pop(field) for field in queue)
        elif key.endswith(b"_arrivals"):
            value = [(entry[:8], entry[16:]) for entry in value]
        content[key] = value
    return content


@given(operations=st.lists(_operation, max_size=40))
def test_the_simulated_store_does_as_the_real_one(redis_url: str, operations: list[tuple[Any, ...]]) -> None:
    real, simulated = DatabaseServer(redis_url), connect(SimStore(lambda _: None, Random(0), SimClock().now_ms))
    with contextlib.closing(real):
        real.client.execute_command("FLUSHALL")
        first, second = _Bench(real), _Bench(simulated)
        for operation in operations:
            answers = [bench.do(*operation) for bench in (first, second)]
            assert answers[0] == answers[1], operation
        assert second.look() == first.look()
        assert _dump(simulated.client) == _dump(real.client)


class _Faults:
    """Says what goes wrong with the next conversations."""

    def __init__(self, *faults: str | None) -> None:
        self.faults = list(faults)

    def __call__(self, call: str) -> str | None:
        return self.faults.pop(0) if self.faults else None


def _recording(faults: _Faults) -> tuple[SimStore, DatabaseServer, Any]:
    store = SimStore(faults, Random(1), SimClock().now_ms)
    server = connect(store)
    return store, server, server.writer(server.start_session(), _WRITERS[0])


def test_a_batch_whose_reply_was_lost_is_stored_once() -> None:
    faults = _Faults()
    _, server, writer = _recording(faults)
    faults.faults = [None, "lose"]
    with pytest.raises(StoreUnavailable):
        writer.append([_read(1, 2)], 1)
    assert writer.append([_read(1, 2)], 1) == 0
    assert server.get_all_from_session(1) == ["1.0", "1.1"]


def test_a_batch_that_is_executed_after_it_was_given_up_is_stored_once() -> None:
    faults = _Faults()
    store, server, writer = _recording(faults)
    faults.faults = [None, "late"]
    with pytest.raises(StoreUnavailable):
        writer.append([_read(1, 2)], 1)
    assert writer.append([_read(1, 2)], 1) == 0
    store.catch_up()
    assert server.get_all_from_session(1) == ["1.0", "1.1"]


def test_a_store_that_is_full_or_gone_stores_nothing() -> None:
    store, server, writer = _recording(_Faults())
    store.redis.refuse(TAKES_MEMORY, OUT_OF_MEMORY)
    with pytest.raises(StoreUnavailable, match="OOM"):
        writer.append([_read(1, 2)], 1)
    store.redis.refuse(frozenset(), "")
    store.die()
    with pytest.raises(StoreUnavailable):
        writer.append([_read(1, 2)], 1)
    store.start()
    assert server.get_all_from_session(1) == []
    server.stop_session()
    with pytest.raises(NoSession):
        writer.append([_read(1, 2)], 1)


def test_the_same_seed_gives_the_same_names_and_times() -> None:
    import time
    import uuid

    seen = []
    for _ in range(2):
        clock, random = SimClock(), Random(7)
        with governed(clock, random):
            time.sleep(0.5)
            seen.append((uuid.uuid4(), time.time_ns(), time.monotonic()))
    assert seen[0] == seen[1]
    assert redis is not None
