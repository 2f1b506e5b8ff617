"""A power failure, on a real server with its real Redis: the disk loses all that was written after the last fsync.

A library that is loaded before all others keeps what was synchronised (``lying_disk.c``). The processes are killed at
a random moment, with Redis well or hanging, the files are put back to what was kept, and the server starts again: what
it had served is there, once, in order, under the same numbers.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import redis

import blitz
from blitz.data.blocks import MessageBlock
from blitz.io.redis_child import runtime_folder
from blitz.io.simulated_board import SimulatedBoard
from blitz.io.simulator import message_number

ROUNDS = 100 if os.environ.get("BLITZ_SOAK") else 2
DEADLINE_S = 60.0
BAUD = 115_200

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs Linux and gcc"),
    pytest.mark.timeout(180 + 30 * ROUNDS),
]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of what was synchronised by the programs that are started from now on."""
    library, folder = tmp_path / "lying_disk.so", tmp_path / "kept"
    source = Path(__file__).with_name("lying_disk.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, capture_output=True)
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("LYING_DISK", str(folder))
        yield folder


def _lose_what_was_not_synchronised(data_dir: Path, kept: Path, random: Random) -> int:
    """Put the files back; of what came last a beginning may be there. Return how many bytes are gone."""
    lost = 0
    for path in sorted(path for path in data_dir.rglob("*") if path.is_file() and not path.is_symlink()):
        copy = kept / str(path.stat().st_ino)
        durable = copy.read_bytes() if copy.exists() else b""
        written = path.read_bytes()
        if written.startswith(durable) and path.suffix in (".aof", ".spool"):
            durable = written[: random.choice((len(durable), random.randint(len(durable), len(written))))]
        lost += max(len(written) - len(durable), 0)
        with path.open("r+b") as file:  # the same inode, which its copy is known by
            file.truncate(0)
            file.write(durable)
    return lost


def _wait(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


class _Viewer:
    """Follows the session live and keeps what it was served."""

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.seen: list[bytes] = []
        self.spooled = 0

    def watch(self, client: blitz.Client, is_enough: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        with client.live(self.session_id, len(self.seen), raw=True, reconnect=False) as stream:
            for entry in stream:
                assert time.monotonic() < deadline_s
                if isinstance(entry, MessageBlock):
                    assert entry.first_seq == len(self.seen)
                    self.seen += entry.messages()
                elif entry.status is not None:
                    self.spooled = entry.status.store.spooled_messages
                if is_enough():
                    return
        raise AssertionError("the server closed the connection")


def _redis_pid(data_dir: Path) -> int:
    with redis.Redis(unix_socket_path=f"{runtime_folder(data_dir)}/redis.sock") as client:
        return int(client.info("server")["process_id"])


def test_what_was_served_survives_power_failures(
    run_server: Callable[..., object], kept: Path, tmp_path: Path, seed: int
) -> None:
    print(f"Repeat with --hypothesis-seed={seed}")  # noqa: T201 - shown where the test fails
    random = Random(seed)
    with contextlib.ExitStack() as stack:
        board = SimulatedBoard("08", rate_hz=200.0, streaming=True, link_path=tmp_path / "board", baud=BAUD)
        stack.enter_context(board)
        server = run_server("--serial", f"{tmp_path / 'board'}:{BAUD}")
        with blitz.Client(server.url) as client:
            viewer = _Viewer(client.start("a night with thunderstorms").id)
        lost = 0
        for number in range(ROUNDS):
            pid = _redis_pid(server.data_dir)
            with blitz.Client(server.url) as client:
                enough = len(viewer.seen) + 20
                viewer.watch(client, lambda enough=enough: len(viewer.seen) > enough)
                if number % 2:
                    stack.callback(_go_on, pid)
                    os.kill(pid, signal.SIGSTOP)
                    viewer.watch(client, lambda: viewer.spooled > 100)
                until_s = time.monotonic() + random.random()
                viewer.watch(client, lambda until_s=until_s: time.monotonic() > until_s)
            os.kill(server.process.pid, signal.SIGSTOP)  # nothing is written between the two deaths
            os.kill(pid, signal.SIGKILL)
            server.kill()
            _wait(lambda pid=pid: not Path(f"/proc/{pid}").exists() or "Z" in _state(pid))
            lost += _lose_what_was_not_synchronised(server.data_dir, kept, random)
            server.start()
            with blitz.Client(server.url) as client:
                assert client.messages(viewer.session_id, 0, len(viewer.seen)).messages() == viewer.seen
        with blitz.Client(server.url) as client:
            _wait(lambda: client.status().store.spooled_messages == 0)
            record = client.stop(viewer.session_id)
            block = client.messages(viewer.session_id, 0, record.message_count)
        assert block.messages()[: len(viewer.seen)] == viewer.seen
        for source in record.sources:
            places = np.flatnonzero(block.source == source.index).tolist()
            numbers = [message_number(block.messages()[place]) for place in places]
            steps = [(later - earlier) % 65536 for earlier, later in itertools.pairwise(numbers)]
            assert 0 not in steps, "a message is there twice"
            assert max(steps, default=0) < 32768, "a message stands before an earlier one"
        assert lost > 0, "the disk lost nothing: the library was not loaded"
        server.end()


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"
