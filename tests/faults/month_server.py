"""The server of the simulated month: started on each day by that day's clock, ended in several ways, and measured."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from blitz.data.database import DatabaseServer
from blitz.io.redis_child import RedisChild, running_redis

_PROGRAM = Path(__file__).with_name("days_later.py")
_START_S = 60.0
_END_S = 40.0
_LOOK_S = 0.05
_SERVES = re.compile(rb"serves (http://\S+),")
MB = 1_000_000


def wait_until(is_so: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, what
        time.sleep(_LOOK_S)


@dataclass(frozen=True)
class Size:
    """What was measured on one day, in a server that records; sizes in MB."""

    day: int
    ending: str
    server: float
    worker: float
    redis: float
    redis_files: float
    archive: float
    log: float
    redis_log: float
    tables: float
    spool: float
    files: int
    temporary: int
    descriptors: int
    threads: int
    sessions: int = 0
    trash: int = 0
    messages: int = 0


class MonthServer:
    """One installation: a data folder, and the server that runs in it on some days.

    :param temporary: the folder for temporary files; as `XDG_RUNTIME_DIR` of this process, too.
    """

    def __init__(self, data_dir: Path, config: Path, temporary: Path) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._config = config
        self._temporary = temporary
        self._output = data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._worker_mb = 0.0

    # ---- its life -----------------------------------------------------------------------------------------------

    def start(self, day: int, on_stop: str, chatter_kb: int) -> str:
        """Start it on a day; return what it said until it served."""
        self._worker_mb = 0.0
        command = self._command(day, chatter_kb, "serve", "--port", "0", "--no-scan-usb")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment(on_stop)
            )
        deadline_s = time.monotonic() + _START_S
        while not (found := _SERVES.search(self._output.read_bytes())):
            assert self._process.poll() is None, self.said
            assert time.monotonic() < deadline_s, self.said
            time.sleep(_LOOK_S)
        self.url = found[1].decode()
        return self.said

    def run(self, day: int, *arguments: str) -> str:
        """Run another command on that day; return what it printed."""
        command = self._command(day, 0, *arguments)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=self._environment("close"))
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def said(self) -> str:
        """What it wrote to the terminal since its start, besides the lines that fill the log."""
        lines = self._output.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if " of the day: " not in line)

    def stop(self) -> None:
        """Tell it to end, and see that it ends well."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(_END_S) == 0, self.said
        self._process = None

    def kill(self, *, with_redis: bool) -> None:
        """End it, and its Redis, as a power failure would end them."""
        assert self._process is not None
        with self._redis() as client:
            redis_id = _redis_process(client)
        self._process.kill()
        if with_redis:
            os.kill(redis_id, signal.SIGKILL)
        self._process.wait(_END_S)
        self._process = None

    def end(self) -> None:
        """Leave nothing behind, whatever has happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(_END_S)
        if running_redis(self.data_dir) is not None:
            with RedisChild(self.data_dir, "none"):
                pass

    def _command(self, day: int, chatter_kb: int, *arguments: str) -> list[str]:
        settings = ("--config", str(self._config), "--data-dir", str(self.data_dir))
        return [sys.executable, str(_PROGRAM), str(day), str(chatter_kb), *arguments, *settings]

    def _environment(self, on_stop: str) -> dict[str, str]:
        return os.environ | {"TMPDIR": str(self._temporary), "BLITZ_ON_STOP": on_stop}

    # ---- what it has --------------------------------------------------------------------------------------------

    @contextmanager
    def _redis(self) -> Iterator["redis.Redis"]:
        url = running_redis(self.data_dir)
        assert url is not None, "its Redis does not run"
        with redis.Redis.from_url(url) as client:
            yield client

    @contextmanager
    def stopped_store(self) -> Iterator[DatabaseServer]:
        """Give the store of the server, which does not run."""
        with RedisChild(self.data_dir, "always") as child:
            store = DatabaseServer(child.url)
            try:
                yield store
            finally:
                store.close()

    def traces(self, session_id: int) -> list[str]:
        """Return all that is left of a session: its keys in Redis and its folder in the archive."""
        with self._redis() as client:
            keys = [key.decode() for key in client.scan_iter(f"session_{session_id}*", count=1000)]
        kept = [key for key in keys if re.fullmatch(rf"session_{session_id}(_.*)?", key)]
        folder = self.data_dir / "archive" / f"session_{session_id}"
        return [*kept, *([str(folder)] if folder.exists() else [])]

    def is_rewriting(self) -> bool:
        """Whether Redis writes its file anew."""
        with self._redis() as client:
            state = client.info("persistence")
        return bool(state["aof_rewrite_in_progress"] or state.get("aof_rewrite_scheduled"))

    def look_at_worker(self) -> None:
        """Remember how large the archive's worker is, if there is one."""
        for process_id in self._children():
            if b"blitz.io.worker" in _read(Path(f"/proc/{process_id}/cmdline")):
                self._worker_mb = max(self._worker_mb, _resident_mb(process_id))

    def measure(self, day: int) -> Size:
        """Measure it; the server records."""
        assert self._process is not None
        self.look_at_worker()
        with self._redis() as client:
            redis_mb = _resident_mb(_redis_process(client))
        here = Path(f"/proc/{self._process.pid}")
        folder = self.data_dir
        return Size(
            day=day,
            ending="",
            server=_resident_mb(self._process.pid),
            worker=self._worker_mb,
            redis=redis_mb,
            redis_files=_size_mb((folder / "redis").rglob("*")),
            archive=_size_mb((folder / "archive").rglob("*")),
            log=_size_mb(folder.glob("blitz.log*")),
            redis_log=_size_mb(folder.glob("redis.log*")),
            tables=_size_mb(folder.glob("server.db*")),
            spool=_size_mb((folder / "spool").rglob("*")),
            files=sum(1 for _ in folder.rglob("*")),
            temporary=sum(1 for _ in self._temporary.rglob("*")),
            descriptors=len(list((here / "fd").iterdir())),
            threads=len(list((here / "task").iterdir())),
        )

    def _children(self) -> list[int]:
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(word) for task in tasks for word in _read(task).split()]


def table(sizes: Sequence[Size]) -> str:
    """Return what was measured as a table in Markdown, a line a day."""
    names = [field.name.replace("_", " ") for field in dataclasses.fields(Size)]
    lines = [f"| {' | '.join(names)} |", f"|{'---:|' * len(names)}"]
    for size in sizes:
        cells = [f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in dataclasses.astuple(size)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _redis_process(client: "redis.Redis") -> int:
    return int(client.info("server")["process_id"])


def _resident_mb(process_id: int) -> float:
    found = re.search(rb"VmRSS:\s+(\d+) kB", _read(Path(f"/proc/{process_id}/status")))
    return 0.0 if found is None else int(found[1]) * 1024 / MB


def _size_mb(paths: Iterator[Path]) -> float:
    sizes = []
    for path in paths:
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:  # a file that was written anew just now
            continue
    return sum(sizes) / MB


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has just ended
        return b""
