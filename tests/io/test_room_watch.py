"""Watching the room: a real Redis with a small memory, and disks that a test fills."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis

from blitz.config import ServerSettings
from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.store_sizes import StoreMemory
from blitz.errors import StoreFull, StoreUnavailable
from blitz.io.room_options import FlowMeter, Load, RoomOptions
from blitz.io.room_watch import RoomWatch

MB = 1 << 20
GB = 1 << 30


class SmallDisk(LocalDisk):
    """A disk, each folder with as much room as a test says."""

    def __init__(self, free: dict[Path, int]) -> None:
        self.free = free

    def free_bytes(self, folder: Path) -> int:
        return self.free[folder]


@dataclass
class Bench:
    """A watch and all that it looks at."""

    free: dict[Path, int]
    memory_now: StoreMemory = field(default_factory=lambda: StoreMemory(used_bytes=10 * MB))
    is_away: bool = False
    is_one_disk: bool = True
    archive: tuple[int, int] = (0, 0)
    now_s: float = 0.0
    told: list[tuple[str, str]] = field(default_factory=list)
    shrunk: int = 0

    def memory(self) -> StoreMemory:
        if self.is_away:
            raise StoreUnavailable("Redis does not answer.")
        return self.memory_now

    def shrink_files(self) -> None:
        self.shrunk += 1

    def watch(self, **changes: object) -> RoomWatch:
        options = RoomOptions(
            data_dir=Path("/data"),
            archive_dir=Path("/archive"),
            spool_dir=Path("/data/spool"),
            redis_budget_bytes=256 * MB,
            is_private_store=True,
            reserve_bytes=512 * MB,
            spool_limit_bytes=100 * MB,
        )
        watch = RoomWatch(
            self,
            replace(options, **changes),
            lambda severity, text, source: self.told.append((severity, text)),
            disk=SmallDisk(self.free),
            total_bytes=lambda folder: 100 * GB,
            disk_of=lambda folder: 1 if self.is_one_disk else folder.parts[1],
            clock=lambda: self.now_s,
        )
        watch.archived = lambda: self.archive
        return watch


@pytest.fixture
def bench() -> Bench:
    return Bench({Path("/data"): 50 * GB, Path("/data/spool"): 50 * GB, Path("/archive"): 50 * GB})


def test_while_there_is_room_nothing_is_said_and_the_reserve_does_not_count(bench: Bench) -> None:
    watch = bench.watch()
    record = watch.look(Load(bytes_per_s=1000, messages_per_s=30))
    assert (record.level, record.text, bench.told) == ("ok", "", [])
    assert record.disk_free_bytes == 50 * GB - 512 * MB
    assert record.limited_by == "disk"
    assert record.full_in_s is not None
    assert record.full_in_s > 86_400
    watch.check_start()
    assert watch.stop_reason is None


def test_before_the_first_look_nothing_is_said_to_be_full(bench: Bench) -> None:
    watch = bench.watch()
    assert (watch.record, watch.stop_reason) == (None, None)
    record = watch.look(Load())
    assert watch.record == record


def test_a_disk_that_fills_is_told_once_a_level_and_stops_the_session_at_the_reserve(bench: Bench) -> None:
    watch = bench.watch()
    levels = []
    for left in (20 * GB, 1.9 * GB, 1.8 * GB, 300 * MB, 200 * MB, 0, -MB, MB, 50 * MB):
        bench.now_s += 1
        bench.free[Path("/data")] = int(left) + 512 * MB
        levels.append(watch.look(Load()).level)
        assert (watch.stop_reason is None) == (levels[-1] != "full")
    assert levels == ["ok", "warning", "warning", "critical", "critical", "full", "full", "full", "full"]
    assert [severity for severity, _ in bench.told] == ["warning", "error", "error"]
    assert watch.stop_reason == (
        "No room was left: The disk of /data is full: only the reserve of 537 MB is left. Delete "
        "sessions ('blitz retention' shows which could go, 'blitz trash empty' gives their room back), or put "
        "archive_dir on a larger disk."
    )
    with pytest.raises(StoreFull, match="cannot be started, for no room is left"):
        watch.check_start()
    bench.free[Path("/data")] = 40 * GB
    watch.check_start()
    assert bench.told[-1] == ("info", "There is room for messages again.")
    assert watch.record.level == "ok"


def test_files_of_redis_that_hold_what_is_gone_are_written_anew_when_matters_are_critical(bench: Bench) -> None:
    watch = bench.watch()
    for left, file_bytes, expected in (
        (1.9, 900, 0),
        (0.3, 900, 1),
        (0.2, 900, 1),
        (0, 900, 2),
        (9, 20, 2),
        (0.1, 20, 2),
    ):
        bench.free[Path("/data")] = int(left * GB) + 512 * MB
        bench.memory_now = StoreMemory(used_bytes=10 * MB, file_bytes=file_bytes * MB)
        watch.look(Load())
        assert bench.shrunk == expected


def test_time_is_told_beforehand_at_the_rate_of_the_preview(bench: Bench) -> None:
    bench.free[Path("/data")] = 3 * GB
    watch = bench.watch(archive_dir=None, redis_budget_bytes=0)
    record = watch.look(Load(bytes_per_s=100_000, messages_per_s=3000))
    assert record.bytes_per_s == pytest.approx(190_000)
    assert record.full_in_s == pytest.approx((3 * GB - 512 * MB) / 190_000, rel=0.01)
    assert record.level == "warning"
    assert "which lasts for 3 hours at the present rate" in record.text


def test_without_an_archive_the_memory_of_redis_is_the_limit(bench: Bench) -> None:
    watch = bench.watch(archive_dir=None)
    bench.memory_now = StoreMemory(used_bytes=200 * MB)
    record = watch.look(Load(bytes_per_s=28_000, messages_per_s=1000))
    assert (record.level, record.limited_by) == ("critical", "redis")
    assert "The memory of Redis (268 MB at most) has 53 MB left, which lasts for 15 minutes" in record.text
    bench.memory_now = StoreMemory(used_bytes=252 * MB)
    assert watch.look(Load()).level == "full", "closing the session must still fit"
    assert watch.stop_reason is not None


def test_with_an_archive_the_memory_of_redis_is_no_limit_while_the_archive_can_write(bench: Bench) -> None:
    watch = bench.watch()
    bench.memory_now = StoreMemory(used_bytes=255 * MB)
    load = Load(bytes_per_s=28_000, messages_per_s=1000)
    assert watch.look(load).level == "ok"
    assert watch.look(replace(load, is_archiving_possible=False)).limited_by == "redis"


def test_a_limit_of_redis_own_counts_where_it_is_lower(bench: Bench) -> None:
    watch = bench.watch(archive_dir=None, redis_budget_bytes=0)
    bench.memory_now = StoreMemory(used_bytes=90 * MB, limit_bytes=100 * MB)
    record = watch.look(Load())
    assert (record.redis_budget_bytes, record.level) == (100 * MB, "warning")


def test_while_redis_is_away_the_spool_is_the_limit(bench: Bench) -> None:
    watch = bench.watch()
    watch.look(Load(bytes_per_s=28_000, messages_per_s=1000, is_recording=True))
    bench.is_away = True
    away = "Redis does not answer as it should: connection refused. Is it running?"
    for seconds in range(1, 60):
        bench.now_s += 1
        record = watch.look(Load(28_000, 1000, True, spool_bytes=80_000 * seconds, store_error=away))
    assert (record.limited_by, record.level) == ("spool", "critical")
    expected_s = (99 * MB - 80_000 * 59) / 80_000
    assert record.full_in_s == pytest.approx(expected_s, rel=0.1), "by what messages take there, not by a guess"
    assert "start Redis again" in record.text
    record = watch.look(Load(28_000, 1000, True, spool_bytes=100 * MB, store_error=away))
    assert record.level == "full"
    bench.is_away = False
    bench.now_s += 1
    assert watch.look(Load()).level == "ok"


def test_bytes_a_message_are_measured_while_recording_and_not_in_the_preview(bench: Bench) -> None:
    watch = bench.watch(archive_dir=None, redis_budget_bytes=0)
    preview = Load(28_000, 1000)
    for _ in range(30):
        bench.now_s += 1
        watch.look(preview)
    assert watch.record.bytes_per_s == pytest.approx(58_000)
    for second in range(60):
        bench.now_s += 1
        bench.memory_now = StoreMemory(used_bytes=10 * MB, file_bytes=43_000 * second)
        watch.look(replace(preview, is_recording=True))
    assert watch.record.bytes_per_s == pytest.approx(43_000, rel=0.02)


def test_the_archive_counts_with_what_its_messages_take_on_the_disk_it_lies_on(bench: Bench) -> None:
    bench.is_one_disk = False
    bench.archive = (15_000_000, 1_000_000)
    bench.free[Path("/archive")] = 600 * MB
    record = bench.watch().look(Load(bytes_per_s=280_000, messages_per_s=10_000))
    assert record.full_in_s == pytest.approx(88 * MB / 150_000, rel=0.001)
    assert record.text.startswith("The disk of /archive has 92 MB left")
    assert record.disk_free_bytes == 88 * MB


def test_a_redis_that_evicts_is_told_of_once(bench: Bench) -> None:
    watch = bench.watch()
    bench.memory_now = StoreMemory(used_bytes=MB, limit_bytes=GB, evicts=True)
    watch.look(Load())
    watch.look(Load())
    (told,) = bench.told
    assert told[0] == "error"
    assert "Set its maxmemory-policy to noeviction." in told[1]


def test_options_come_from_the_settings() -> None:
    settings = ServerSettings(data_dir=Path("/d"), redis_memory_mb=100, disk_reserve_mb=7, spool_limit_mb=16)
    options = RoomOptions.from_settings(settings)
    assert options.archive_dir == Path("/d/archive")
    assert options.spool_dir == Path("/d/spool")
    assert (options.redis_budget_bytes, options.reserve_bytes) == (100 * MB, 7 * MB)
    elsewhere = RoomOptions.from_settings(ServerSettings(redis_url="redis://lab", archive=False))
    assert (elsewhere.redis_budget_bytes, elsewhere.archive_dir, elsewhere.is_private_store) == (0, None, False)


def test_flow_is_counted_between_two_questions() -> None:
    now = [0.0]
    flow = FlowMeter(lambda: now[0])
    flow.add([b"abc", b"de"])
    now[0] = 2.0
    assert flow.rates() == (2.5, 1.0)
    now[0] = 3.0
    assert flow.rates() == (0.0, 0.0)


@pytest.fixture
def small_redis(redis_url: str) -> Iterator[DatabaseServer]:
    """A Redis with room for four more megabytes."""
    client = redis.Redis.from_url(redis_url)
    before = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 8 * MB)
    store = DatabaseServer(redis_url)
    try:
        yield store
    finally:
        client.config_set("maxmemory", before)
        client.flushall()
        client.close()
        store.close()


def test_a_session_into_a_redis_that_fills_is_warned_of_and_stopped_before_redis_refuses(
    small_redis: DatabaseServer, bench: Bench
) -> None:
    watch = bench.watch(archive_dir=None, redis_budget_bytes=0)
    watch._memory_source = small_redis.sizes
    session_id = small_redis.start_session()
    writer = small_redis.writer(session_id)
    levels = []
    while watch.stop_reason is None:
        bench.now_s += 1
        levels.append(watch.look(Load(280_000, 10_000, is_recording=True)).level)
        writer.append([Read(1, 0, [b"%028d" % number for number in range(2000)])])
        assert len(levels) < 500
    writer.close()
    small_redis.close_session(session_id, reason=watch.stop_reason)
    record = small_redis.session(session_id)
    assert record.stop_reason.startswith("No room was left: The memory of Redis (")
    assert record.message_count == 2000 * len(levels), "none was refused"
    assert levels[-2] == "critical"
    assert watch.record.limited_by == "redis"


def test_what_redis_refuses_is_said_with_its_remedy(small_redis: DatabaseServer, bench: Bench) -> None:
    session_id = small_redis.start_session()
    writer = small_redis.writer(session_id)
    lines = [b"%0280d" % number for number in range(2000)]

    def fill() -> None:
        for _ in range(500):
            writer.append([Read(1, 0, lines)])

    with pytest.raises(StoreUnavailable, match="used memory > 'maxmemory'") as refused:
        fill()
    writer.close()
    record = bench.watch().look(Load(store_error=str(refused.value)))
    assert record.level == "critical"
    assert record.text.startswith("Redis has reached its limit of memory and takes no more messages. Turn the archive")


def test_a_redis_without_room_still_stops_a_session_and_lets_sessions_go(small_redis: DatabaseServer) -> None:
    first = small_redis.start_session()
    small_redis.stop_session()
    second = small_redis.start_session()
    small_redis.client.config_set("maxmemory", MB // 2)
    with pytest.raises(StoreUnavailable, match="Turn the archive on, raise redis_memory_mb"):
        small_redis.update_session(second, name="x")
    assert small_redis.close_session(second, reason="No room was left.") == second
    assert small_redis.session(second).stop_reason == "No room was left."
    small_redis.trash.put(first, 1)
    small_redis.trash.restore(first)
    small_redis.trash.put(first, 1)
    small_redis.trash.delete(first)
    small_redis.delete_session(second)
    assert small_redis.sessions() == []
