"""The faults of a drill. Each strikes at a random moment, while messages come; what comes of it others count."""

import contextlib
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blitz.errors import BlitzError, NoSession, SessionRunning
from blitz.io.blocking import Client
from blitz.io.drill_bench import Bench
from blitz.io.drill_device import PrintingDevice
from blitz.io.drill_server import DrillFailed
from blitz.io.simulated_board import SimulatedBoard

_MEGABYTE = 1 << 20
_QUOTA_BYTES = 1 << 30
_MOST_TAKEN_BYTES = 32 << 30
_LEAST_QUOTA_BYTES = 300 * _MEGABYTE
_TOLD_S = 20.0
_SLOW_CLIENTS = 12
_HANDSHAKE = (
    "GET /api/v1/live?{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHJpbGxkcmlsbGRyaWxsZA==\r\n\r\n"
)


@dataclass(frozen=True)
class Fault:
    """Something that happens in a lab.

    :ivar strike: does it, and returns when it is over (seconds of the monotonic clock): from then on it is counted
        how long recovering takes.
    :ivar settings: what the server is told, given the drill's folder.
    """

    name: str
    title: str
    strike: Callable[[Bench, random.Random], float]
    settings: Callable[[Path], Mapping[str, Any]] = field(default=lambda _: {})
    has_own_clock: bool = False


def unplug(bench: Bench, chance: random.Random) -> float:
    """Pull the plug of a device, and plug it in again."""
    pluggable: list[PrintingDevice | SimulatedBoard] = [*bench.devices, bench.board]
    device = chance.choice(pluggable)
    device.unplug()
    time.sleep(chance.uniform(0.1, 1.0))
    device.replug()
    return time.monotonic()


def kill_redis(bench: Bench, chance: random.Random) -> float:
    """Kill -9."""
    _signal_redis(bench, signal.SIGKILL)
    return time.monotonic()


def hang_redis(bench: Bench, chance: random.Random) -> float:
    """Stop it, as a disk does that answers no more, and let it go on."""
    pid = _signal_redis(bench, signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 4.5))
    os.kill(pid, signal.SIGCONT)
    return time.monotonic()


def kill_server(bench: Bench, chance: random.Random) -> float:
    """Kill -9, and start it again."""
    bench.server.kill()
    return _start_again(bench, chance)


def kill_both(bench: Bench, chance: random.Random) -> float:
    """Kill -9 of server and Redis, one shortly after the other; start again."""
    pid = bench.server.redis_pid()
    ends = [lambda: os.kill(pid, signal.SIGKILL), bench.server.kill]
    chance.shuffle(ends)
    ends[0]()
    time.sleep(chance.uniform(0.0, 0.02))
    ends[1]()
    return _start_again(bench, chance)


def restart(bench: Bench, chance: random.Random) -> float:
    """End the server in good order, the session being kept; start it again."""
    bench.server.terminate()
    return _start_again(bench, chance)


def restart_without_redis(bench: Bench, chance: random.Random) -> float:
    """Kill Redis, end the server in good order, start it again."""
    _signal_redis(bench, signal.SIGKILL)
    time.sleep(chance.uniform(0.0, 0.5))
    bench.server.terminate()
    return _start_again(bench, chance)


def restart_with_hung_redis(bench: Bench, chance: random.Random) -> float:
    """Redis hangs; end the server in good order; Redis goes on; start the server again."""
    pid = _signal_redis(bench, signal.SIGSTOP)
    try:
        time.sleep(chance.uniform(0.0, 3.0))
        bench.server.terminate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return _start_again(bench, chance)


def fill_disk(bench: Bench, chance: random.Random) -> float:
    """Take all the room that the server may use: it must stop the session by itself, with the reason; give it back."""
    running = bench.client.status().session
    assert running is not None
    data_dir = bench.server.data_dir
    ballast = bench.folder / "ballast"
    free = shutil.disk_usage(data_dir).free - int(bench.settings["disk_reserve_mb"]) * _MEGABYTE
    # Taken by a call that writes nothing; what is left free is what was to be left in any case.
    if free > _MOST_TAKEN_BYTES:
        raise DrillFailed("Somebody has made so much room on the disk meanwhile that the drill will not fill it.")
    try:
        with ballast.open("wb") as file:
            if free > 0:
                os.posix_fallocate(file.fileno(), 0, free + 16 * _MEGABYTE)
        bench.wait_for(lambda: bench.client.status().session is None, "the server has stopped the session", _TOLD_S)
    finally:
        ballast.unlink(missing_ok=True)
    over_s = time.monotonic()
    reason = bench.client.session(running.id).stop_reason
    if "disk" not in reason:
        bench.problems.append(f"Session {running.id} was stopped with the reason {reason!r}, which is not the disk.")
    bench.begin()
    return over_s


def disk_quota(folder: Path) -> Mapping[str, Any]:
    """Leave the server a small part of the disk.

    :raises DrillFailed: if there is no room even for that.
    """
    free = shutil.disk_usage(folder).free
    quota = min(_QUOTA_BYTES, free // 2)
    if quota < _LEAST_QUOTA_BYTES:
        raise DrillFailed(f"The disk of {folder} has too little room for a drill: {free // _MEGABYTE} MB are free.")
    return {"disk_reserve_mb": (free - quota) // _MEGABYTE}


def fill_redis(bench: Bench, chance: random.Random) -> float:
    """Let Redis have less memory than it uses, so that it refuses to write; it must be told; give it back."""
    heard = len(bench.watcher.notices)
    with bench.server.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1 * _MEGABYTE)
        try:
            # Where it is seen to be full before it refuses anything, the session is stopped in good order.
            bench.wait_for(
                lambda: _was_told(bench, heard, "the spool") or bench.client.status().session is None,
                "it is told that Redis takes nothing",
                _TOLD_S,
            )
            time.sleep(chance.uniform(0.0, 2.0))
        finally:
            client.config_set("maxmemory", before)
    over_s = time.monotonic()
    bench.wait_until_store_is_well()
    if bench.client.status().session is None or _was_told(bench, heard, "stopped by the server"):
        bench.wait_for(lambda: bench.client.status().session is None, "the session is stopped")
        bench.begin()
    return over_s


def slow_clients(bench: Bench, chance: random.Random) -> float:
    """Clients that ask for everything and take nothing, or a byte a second, or vanish."""
    address = urlsplit(bench.server.url)
    session = bench.client.status().session
    query = f"session={session.id}&first=0" if session else ""
    request = _HANDSHAKE.format(query=query, host=address.netloc).encode()
    with contextlib.ExitStack() as stack:
        open_ones = []
        for _ in range(_SLOW_CLIENTS):
            connection = stack.enter_context(socket.create_connection((address.hostname, address.port), 10))
            connection.sendall(request)
            open_ones.append(connection)
        for vanishing in open_ones[: _SLOW_CLIENTS // 4]:
            vanishing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
            vanishing.close()
        until_s = time.monotonic() + chance.uniform(1.0, 4.0)
        while time.monotonic() < until_s:
            for slow in open_ones[-_SLOW_CLIENTS // 4 :]:
                slow.recv(1)
            time.sleep(1.0)
        began_s = time.monotonic()
        bench.wait_until_well()  # they are still there
        return began_s


def step_clock(bench: Bench, chance: random.Random) -> float:
    """Set the server's clock by something between a second and some hours, forward or back."""
    heard = len(bench.watcher.notices)
    bench.set_clock(chance.choice([-1, 1]) * 10 ** chance.uniform(0.0, 4.5))
    bench.wait_for(lambda: _was_told(bench, heard, "clock was set"), "the step of the clock is told", _TOLD_S)
    return time.monotonic()


def two_operators(bench: Bench, chance: random.Random) -> float:
    """Two stop the session at once, then two start one at once: each time one must succeed and one be told."""
    stopped = _at_once(bench, lambda client: client.stop().id)
    started = _at_once(bench, lambda client: client.start("drill, two operators").id)
    for what, outcome, refusal in (("stopped", stopped, NoSession), ("started", started, SessionRunning)):
        if sorted(isinstance(one, refusal) for one in outcome) != [False, True] or None in outcome:
            bench.problems.append(f"Of two operators who {what} a session at once, {outcome} came.")
    for one in started:
        if isinstance(one, int):
            bench.note_session(one)
    return time.monotonic()


def _at_once(bench: Bench, call: Callable[[Client], int]) -> list[int | BlitzError | None]:
    ready = threading.Barrier(2)
    outcome: list[int | BlitzError | None] = [None, None]

    def act(place: int) -> None:
        with Client(bench.server.url, timeout=30) as client:
            ready.wait(30)
            try:
                outcome[place] = call(client)
            except BlitzError as error:
                outcome[place] = error

    threads = [threading.Thread(target=act, args=(place,), name=f"operator {place}") for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def _signal_redis(bench: Bench, number: signal.Signals) -> int:
    pid = bench.server.redis_pid()
    os.kill(pid, number)
    return pid


def _start_again(bench: Bench, chance: random.Random) -> float:
    time.sleep(chance.choice([0.0, chance.uniform(0.0, 0.5)]))
    began_s = time.monotonic()
    bench.server.start()
    return began_s


def _was_told(bench: Bench, heard: int, words: str) -> bool:
    return any(words in text for text in list(bench.watcher.notices)[heard:])


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("unplug", "a device unplugged", unplug),
        Fault("redis-killed", "Redis killed", kill_redis),
        Fault("redis-hung", "Redis hung", hang_redis),
        Fault("redis-full", "Redis out of memory", fill_redis, lambda _: {"archive": False, "redis_memory_mb": 1024}),
        Fault("server-killed", "server killed", kill_server),
        Fault("both-killed", "server and Redis killed", kill_both),
        Fault("restart", "server restarted", restart),
        Fault("restart-redis-dead", "restarted, Redis dead", restart_without_redis),
        Fault("restart-redis-hung", "restarted, Redis hung", restart_with_hung_redis),
        Fault("disk-full", "disk full", fill_disk, disk_quota),
        Fault("slow-clients", "slow clients", slow_clients),
        Fault("clock-step", "clock set", step_clock, has_own_clock=True),
        Fault("two-operators", "two operators at once", two_operators),
    )
}
"""By name, in the order in which they are drilled."""
