"""What Prometheus reads of the server: the state in numbers, gathered when it is asked for and never before."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from blitz.data.hook_records import HookRecord
from blitz.data.records import Account, BoardRecord, LinkState, RoomRecord, StatusRecord, StoreRecord
from blitz.io.lateness import BOUNDS_S, Lateness

_LEVELS = ("ok", "warning", "critical", "full")
_SOURCE_COUNTERS: Sequence[tuple[str, str, Callable[[Account], float]]] = (
    ("bytes", "Bytes read", lambda a: a.bytes_read),
    ("messages", "Messages read", lambda a: a.messages_read),
    ("messages_appended", "Messages that the store has acknowledged", lambda a: a.messages_appended),
    ("messages_dropped", "Messages discarded because the store was away for too long", lambda a: a.messages_dropped),
    ("messages_lost", "Messages that never arrived, as numbers, clock or rate tell", lambda a: a.lost),
    ("messages_recovered", "Messages of an absence that the board still held", lambda a: a.recovered),
    ("bad_frames", "Frames that mean nothing", lambda a: a.bad_frames),
    ("gaps", "Gaps", lambda a: a.gaps),
    ("overruns", "Bytes that the driver lost", lambda a: a.overruns or 0),
    ("restarts", "How often the device's clock began anew", lambda a: a.restarts),
)
_SOURCE_GAUGES: Sequence[tuple[str, str, Callable[[Account], float]]] = (
    ("account_balanced", "1 if every byte and message of the account has its place", lambda a: a.is_balanced),
    ("unaccounted_bytes", "Bytes that the account cannot place", lambda a: abs(a.surplus_bytes)),
    ("unaccounted_messages", "Messages that the account cannot place", lambda a: abs(a.surplus_messages)),
    ("messages_waiting", "Messages read, and not safe yet", lambda a: a.messages_waiting),
)


@dataclass(frozen=True)
class MetricSources:
    """Where the numbers come from; each is called for every answer.

    :param refused: connections refused since the server started.
    :param troubles: a sentence for each part that hangs.
    """

    status: Callable[[], StatusRecord]
    viewers: Callable[[], int] = lambda: 0
    refused: Callable[[], int] = lambda: 0
    lateness: Callable[[], Lateness | None] = lambda: None
    hooks: Callable[[], Sequence[HookRecord]] = lambda: ()
    troubles: Callable[[], Sequence[str]] = lambda: ()


class Metrics:
    """The server's numbers, in a registry of their own. May be used from any thread."""

    def __init__(self, sources: MetricSources) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(sources))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the numbers and their content type, in the form that an ``Accept`` header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Collector(Collector):
    def __init__(self, sources: MetricSources) -> None:
        self._sources = sources

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: a registry would gather everything for it."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        status = sources.status()
        build = {"version": status.version, "python": ".".join(map(str, sys.version_info[:3]))}
        yield InfoMetricFamily("blitz_build", "What is running", value=build)
        yield _gauge("session_running", "1 while a session is recorded", status.session is not None)
        count = 0 if status.session is None else status.session.message_count
        yield _gauge("session_messages", "Messages of the running session", count)
        yield _gauge("messages_per_second", "Messages of all sources", status.rate_hz)
        yield _gauge("viewers", "Live connections", sources.viewers())
        yield _counter("connections_refused", "Connections refused", sources.refused())
        yield _gauge("stalled_parts", "Parts of the server that show no sign of life", len(sources.troubles()))
        yield from _boards(status.boards)
        yield from _store(status.store)
        lateness = sources.lateness()
        if lateness is not None:
            yield _histogram(lateness)
        if status.room is not None:
            yield from _room(status.room)
        yield from _hooks(sources.hooks())
        yield _gauge("alarms_active", "Alarms whose condition holds", status.alarms.active)
        yield _gauge("alarms_unacknowledged", "Alarms that nobody has seen", status.alarms.unacknowledged)


def _boards(boards: Sequence[BoardRecord]) -> Iterator[Metric]:
    up = GaugeMetricFamily("blitz_source_up", "1 if the device is there and known", labels=["source"])
    rate = GaugeMetricFamily("blitz_source_messages_per_second", "In the last seconds", labels=["source"])
    for board in boards:
        up.add_metric([board.name], board.state in (LinkState.READY, LinkState.RECORDING))
        rate.add_metric([board.name], board.rate_hz)
    yield up
    yield rate
    accounts = [(board.name, board.account) for board in boards if board.account is not None]
    for name, text, read in _SOURCE_COUNTERS:
        text = f"{text}; of the running session, else since the link was made"
        counter = CounterMetricFamily(f"blitz_source_{name}", text, labels=["source"])
        for source, account in accounts:
            counter.add_metric([source], read(account))
        yield counter
    for name, text, read in _SOURCE_GAUGES:
        gauge = GaugeMetricFamily(f"blitz_source_{name}", text, labels=["source"])
        for source, account in accounts:
            gauge.add_metric([source], float(read(account)))
        yield gauge


def _store(store: StoreRecord) -> Iterator[Metric]:
    yield _gauge("store_up", "1 while the store answers", store.is_up)
    yield _gauge("store_append_seconds", "How long an append takes, smoothed", store.append_ms / 1000)
    yield _gauge("store_waiting_messages", "Messages read, and not safe yet", store.waiting_messages)
    yield _gauge("spool_messages", "Messages safe in the spool, and not in the store yet", store.spooled_messages)
    yield _gauge("spool_bytes", "What the spool takes on disk", store.spooled_bytes)
    yield _gauge("spooling", "1 while messages go to the spool", store.spooling_since is not None)


def _histogram(lateness: Lateness) -> Metric:
    totals = itertools.accumulate(lateness.counts)
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    buckets = [(bound, float(total)) for bound, total in zip(bounds, totals, strict=True)]
    text = "From a message's reading until it is safe"
    return HistogramMetricFamily("blitz_message_wait_seconds", text, buckets=buckets, sum_value=lateness.sum_s)


def _room(room: RoomRecord) -> Iterator[Metric]:
    yield _gauge("redis_used_bytes", "Memory that Redis uses", room.redis_used_bytes)
    yield _gauge("redis_budget_bytes", "Memory that Redis may use; 0: no limit", room.redis_budget_bytes)
    yield _gauge("archive_bytes", "What the archive takes on disk", room.archive_bytes)
    yield _gauge("disk_free_bytes", "Free on the fullest disk in use, the reserve not counted", room.disk_free_bytes)
    yield _gauge("spool_limit_bytes", "What the spool may take", room.spool_limit_bytes)
    yield _gauge("written_bytes_per_second", "What messages take on disk at the present rate", room.bytes_per_s)
    if room.full_in_s is not None:
        yield _gauge("full_in_seconds", "Time until something is full; absent: not in sight", room.full_in_s)
    level = GaugeMetricFamily("blitz_room_level", "1 at the level that room for messages is at", labels=["level"])
    for name in _LEVELS:
        level.add_metric([name], name == room.level)
    yield level


def _hooks(hooks: Sequence[HookRecord]) -> Iterator[Metric]:
    sent = CounterMetricFamily("blitz_hook_sent", "What the hook has told", labels=["hook"])
    dropped = CounterMetricFamily("blitz_hook_dropped", "What it could not tell and gave up", labels=["hook"])
    waiting = GaugeMetricFamily("blitz_hook_waiting", "What it has not told yet", labels=["hook"])
    failing = GaugeMetricFamily("blitz_hook_failing", "1 if the last attempt failed", labels=["hook"])
    for hook in hooks:
        sent.add_metric([hook.name], hook.sent)
        dropped.add_metric([hook.name], hook.dropped)
        waiting.add_metric([hook.name], hook.waiting)
        failing.add_metric([hook.name], hook.error is not None)
    yield from (sent, dropped, waiting, failing)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"blitz_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"blitz_{name}", text, value=float(value))
