"""A Redis that a test may kill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from waiting import wait_until

from blitz.io.redis_child import find_binary


@contextmanager
def running_redis(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one at ``redis.sock`` in a folder with a short name; what it was told is in the folder, too."""
    options = ["--port", "0", "--unixsocket", str(folder / "redis.sock"), "--dir", str(folder), "--save", ""]
    command = [str(find_binary()), *options, "--appendonly", "yes", "--appendfsync", "always"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(unix_socket_path=str(folder / "redis.sock")) as client:
                wait_until(lambda: _answers(client))
            yield process
        finally:
            process.kill()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
