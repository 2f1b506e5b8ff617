"""A disk that is really small: a file system in memory, which only root may mount."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.errors import StoreFull

LINES_PER_S = 30_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=56m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def printer() -> Iterator[str]:
    """The address of a device that prints numbered lines as fast as a fast one does."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                began_s, sent = time.monotonic(), 0
                while not over.wait(0.02):
                    due = int((time.monotonic() - began_s) * LINES_PER_S)
                    try:
                        connection.sendall(b"".join(b"%012d,1\n" % number for number in range(sent, due)))
                    except OSError:
                        return
                    sent = due

        thread = threading.Thread(target=run, name="printer", daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        listener.close()
        thread.join(10)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("archive", ["true", "false"])
def test_a_session_that_fills_a_small_disk_is_stopped_whole_and_there_is_room_again_without_it(
    run_server: Callable[..., Any], small_disk: Path, tmp_path: Path, printer: str, archive: str
) -> None:
    config = tmp_path / "blitz.toml"
    limits = "disk_reserve_mb = 24\nredis_memory_mb = 64\nspool_limit_mb = 16"
    config.write_text(f"[server]\n{limits}\narchive = {archive}\n")
    server = run_server("--data-dir", str(small_disk / "data"), "--config", str(config), "--serial", printer)
    try:
        with blitz.Client(server.url, timeout=60) as client:
            fill(client)
    finally:
        server.stop()


def fill(client: blitz.Client) -> None:
    wait_until(lambda: client.status().boards and client.status().boards[0].format)
    wait_until(lambda: room_level(client) == "critical")  # it is said before Start
    session_id = client.start("fills the disk").id
    wait_until(lambda: client.status().session is None, 600)
    session = client.session(session_id)
    assert session.stop_reason.startswith("No room was left: The disk of ")
    assert session.verdict == "no gaps, nothing lost, account balances"
    seq, last = 0, None
    while seq < session.message_count:
        numbers = [int(message[:12]) for message in client.messages(session_id, seq).messages()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert last in (None, numbers[0] - 1)
        seq, last = seq + len(numbers), numbers[-1]
    assert seq > 100_000
    with pytest.raises(StoreFull, match="no room is left"):
        client.start()
    client.delete(session_id)
    client.delete_for_good(session_id)
    wait_until(lambda: room_level(client) not in (None, "full"), 60)
    client.stop(client.start().id)


def room_level(client: blitz.Client) -> str | None:
    room = client.status().room
    return None if room is None else room.level
