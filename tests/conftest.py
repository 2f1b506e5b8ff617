"""What all tests share: a real Redis, hypothesis profiles, Qt without a screen."""

import contextlib
import gc
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from forked_servers import ForkedServer, ForkingProcess
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for name in [name for name in os.environ if name.startswith("BLITZ_") and name != "BLITZ_SOAK"]:
    del os.environ[name]
os.environ["BLITZ_CONFIG"] = os.devnull
_sockets = Path(tempfile.mkdtemp(prefix="blitz-test-"))
os.environ["XDG_RUNTIME_DIR"] = str(_sockets)  # a server that a test kills leaves its folder behind
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script; programs would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)

_calm = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("quick", max_examples=25, print_blob=True, **_calm)
settings.register_profile("soak", max_examples=2000, print_blob=True, **_calm)
settings.register_profile("ci", settings.get_profile("quick"), derandomize=True, max_examples=12)  # the same each time
settings.load_profile("soak" if os.environ.get("BLITZ_SOAK") else "quick")


def pytest_unconfigure() -> None:
    end_processes(f"XDG_RUNTIME_DIR={_sockets}")
    shutil.rmtree(_sockets, ignore_errors=True)


LONG_FILES = re.compile(
    r"^tests/(faults|ui/days)/(?!test_faults)|with_server\.py$"
    r"|/test_(simulation|crash|numbered_run|power_failure|pages_\w+|site|naming_caches)\.py$"
    r"|/test_(own_server|stream_link|archiver|versions|all_servers|local_servers)\.py$"
)
"""Few tests that take long: run first, or one process waits at the end for the other."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a run end where one of its processes crashes: pytest-xdist's own way waits for ever.

    It offers what the crashed one had finished to the others again, who wait for a second test before they begin with
    their last one; and it begins again with the test that crashed.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def remove_node(self, node: Any) -> str | None:
            units = self.assigned_work.pop(node)
            unfinished = [test for unit in units.values() for test, is_done in unit.items() if not is_done]
            for unit in units.values():
                unit.update(dict.fromkeys(unfinished[:1], True) if unfinished and unfinished[0] in unit else {})
            self.workqueue.update({scope: unit for scope, unit in units.items() if not all(unit.values())})
            for other in self.nodes:
                self._reschedule(other)
            return unfinished[0] if unfinished else None

        def _assign_work_unit(self, node: Any) -> None:
            for scope in [scope for scope in self.workqueue if LONG_FILES.search(scope)]:
                self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

        def _reschedule(self, node: Any) -> None:
            if node in self.registered_collections:
                super()._reschedule(node)
            while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
                self._assign_work_unit(node)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """End the servers and the Redis of a process that crashed."""
    if error is not None:
        run = node.workerinput["testrunuid"]
        end_processes(f"PYTEST_XDIST_WORKER={node.gateway.id}", f"PYTEST_XDIST_TESTRUNUID={run}")


def end_processes(*marks: str) -> None:
    """End what was started with these variables in its environment, and was left; where the system tells them."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes().split(b"\0")
            if process.name != str(os.getpid()) and {mark.encode() for mark in marks} <= set(environment):
                os.kill(int(process.name), signal.SIGKILL)


class KilledAtFailure(subprocess.Popen[Any]):
    """A program in whose `with` block a test failed ends there: nobody tells it to any more, and waiting has no end."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


subprocess.Popen = KilledAtFailure  # type: ignore[misc]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("BLITZ_SOAK"):
        return
    skip = pytest.mark.skip(reason="a long count; `make soak` runs it")
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Keep what all tests consist of out of the garbage collection: each pass would look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _redis_process() -> Iterator[str]:
    from blitz.io.redis_child import RedisChild

    with tempfile.TemporaryDirectory(prefix="blitz-test-redis-") as folder, RedisChild(Path(folder), "none") as child:
        yield child.url


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """What random tests begin with: another each time, `--hypothesis-seed=…` to repeat one, a fixed one in CI."""
    given = request.config.getoption("hypothesis_seed", None)
    drawn = 1 if settings().derandomize else secrets.randbelow(1_000_000)
    return int(given) if given is not None else drawn


@pytest.fixture
def redis_url(_redis_process: str) -> str:
    """The address of a real, empty Redis."""
    import redis

    client = redis.Redis.from_url(_redis_process)
    client.flushall()
    client.close()
    return _redis_process


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    """The sessions of a real, empty Redis."""
    from blitz.data.database_server import DatabaseServer

    store = DatabaseServer(redis_url)
    yield store
    store.close()


@pytest.fixture
def load_store() -> Callable[[Any, int], None]:
    """Put a store that an earlier version wrote into an empty one: ``load_store(store, version)``."""

    def load(store: Any, version: int) -> None:
        path = Path(__file__).parents[1] / "fixtures" / "stores" / f"v{version}.json"
        for name, key in json.loads(path.read_text("utf-8")).items():
            value = key["value"]
            if key["type"] == "string":
                store.client.set(store.keys.prefix + name, value.encode("latin-1"))
            elif key["type"] == "list":
                store.client.rpush(store.keys.prefix + name, *(text.encode("latin-1") for text in value))
            else:
                fields = {field.encode("latin-1"): text.encode("latin-1") for field, text in value.items()}
                store.client.hset(store.keys.prefix + name, mapping=fields)

    return load


@pytest.fixture
def as_version_1() -> Callable[[Any], None]:
    """Turn a store back to version 1, as if an older Blitz had written it.

    Of a store that has an archive or a trash in use only the version goes: what version 2 brought stays, and the
    migration must bear it.
    """

    def turn_back(store: Any) -> None:
        client, keys = store.client, store.keys
        sessions = store.available_sessions()
        firsts = [keys.first(number) for number in sessions]
        client.delete(keys.schema)
        if client.exists(keys.trash) or any(map(int, filter(None, map(client.get, firsts)))):
            return
        client.delete(keys.archive, *firsts)
        for number in sessions:
            client.hdel(keys.meta(number), "starred", "stop_reason", "resumed", "trashed_at")

    return turn_back


START_S = 60.0
"""A server takes a second to start and to end; on a busy machine, half a minute."""


class ServerProcess:
    """A real server in a process of its own, as `python run_server.py` starts it.

    :param forking: where it comes from.
    :param arguments: after `--port 0 --data-dir …`.
    :param sockets: the file of the USB sockets that it looks into (`usb_sockets.py`); None: it looks into none.
    """

    def __init__(
        self, forking: ForkingProcess, data_dir: Path, arguments: Sequence[str], sockets: Path | None = None
    ) -> None:
        self.data_dir = data_dir
        self.arguments = [*([] if sockets else ["--no-scan-usb"]), *arguments]
        self._forking = forking
        self._sockets = sockets
        self.url = ""
        self.log_path = data_dir.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | ForkedServer | None = None

    def start(self) -> "ServerProcess":
        arguments = ["serve", "--port", "0", "--data-dir", str(self.data_dir), *self.arguments]
        with self.log_path.open("ab") as log:
            begin = log.tell()
            if not self._forking.is_other_interpreter():
                self.process = self._forking.start(arguments, log.fileno(), self._sockets)
            else:
                assert self._sockets is None, "only a fork looks into them"
                command = [sys.executable, "-m", "blitz", *arguments]
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, stdout=log)
        deadline_s = time.monotonic() + START_S
        while True:
            found = re.search(rb"serves (https?://\S+),", self.log_path.read_bytes()[begin:])
            if found:
                self.url = found[1].decode()
                return self
            assert self.process.poll() is None, self.log_path.read_text()
            assert time.monotonic() < deadline_s, self.log_path.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """As the kernel or a power user would: no chance to say goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(START_S)

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(START_S)

    def end(self) -> None:
        """Leave nothing behind, whatever a test has done: the Redis of a killed server outlives it."""
        from blitz.io.redis_child import RedisChild

        if self.process is None:
            return
        try:
            if self.process.poll() is None:
                self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            if self.process.returncode < 0:
                with RedisChild(self.data_dir, "none"):
                    pass


@pytest.fixture
def steady_port() -> int:
    """A port for a server that is started again."""
    return find_steady_port()


@pytest.fixture(scope="module")
def module_port() -> int:
    """A port for a server that is started again, one a test module."""
    return find_steady_port()


def find_steady_port() -> int:
    """Return none of the ports that the system gives to connections meanwhile."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@pytest.fixture(scope="session")
def _forking() -> Iterator[ForkingProcess]:
    process = ForkingProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def run_server(
    _forking: ForkingProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers with the given arguments; they are ended with the module."""
    with contextlib.ExitStack() as servers:

        def run(*arguments: str, sockets: Path | None = None) -> ServerProcess:
            server = ServerProcess(_forking, tmp_path_factory.mktemp("server") / "data", arguments, sockets)
            servers.callback(server.end)
            return server.start()

        yield run


@pytest.fixture(scope="module")
def server(run_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server with two simulated boards, 08 (sim1) and 09 (sim2), both known; one a test module."""
    server = run_server("--simulate", "2", "--durability", "none")
    request = urllib.request.Request(f"{server.url}/api/v1/boards/scan", method="POST")
    deadline_s = time.monotonic() + START_S
    while True:
        # A scan waits five seconds at most; on a busy machine the boards may take longer.
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            if {board.get("board_id") for board in json.load(answer)} == {"08", "09"}:
                return server
        assert time.monotonic() < deadline_s, server.log_path.read_text()
