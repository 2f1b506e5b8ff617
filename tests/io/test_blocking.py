import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import blitz
from blitz.data.records import Event, EventKind
from blitz.errors import RemoteError, RequestTimeout, ServerUnreachable


async def endless(wire: Any, query: dict[str, str]) -> None:
    await wire.status()
    await wire.block(1, 0, 3)
    await wire.hold()


def test_live_view_is_a_plain_iterator(scripted: Any) -> None:
    scripted.scripts[:] = [endless]
    with blitz.Client(scripted.url) as client, client.live(1, 0, raw=True) as stream:
        status, block = next(stream), next(stream)
        assert isinstance(status, Event)
        assert status.event is EventKind.STATUS
        assert not isinstance(block, Event)
        assert block.messages() == [b"0", b"1", b"2"]
    assert list(stream) == []
    assert not any(thread.name == "blitz client" for thread in threading.enumerate())


def test_close_is_idempotent_and_calls_afterwards_say_so(scripted: Any) -> None:
    client = blitz.Client(scripted.url)
    client.close()
    client.close()
    with pytest.raises(RemoteError, match="is closed"):
        client.status()
    used = blitz.Client(scripted.url)
    used.status()
    used.close()
    used.close()
    assert used.is_closed


@pytest.mark.parametrize("last_line", ["", "next(client.live(1, 0))", "client = None", "raise SystemExit(0)"])
def test_a_script_that_forgets_to_close_ends_all_the_same(scripted: Any, last_line: str) -> None:
    scripted.scripts[:] = [endless]
    script = f"import blitz\nclient = blitz.Client({scripted.url!r})\nclient.status()\n{last_line}\n"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_several_threads_use_one_client(scripted: Any) -> None:
    with blitz.Client(scripted.url) as client, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: client.status().store_id, range(64)))
    assert len(statuses) == 64
    assert len(set(statuses)) == 1


@pytest.mark.parametrize("closed_by", ["stream", "client"])
def test_closing_from_another_thread_ends_a_waiting_iteration(scripted: Any, closed_by: str) -> None:
    scripted.scripts[:] = [endless]
    client = blitz.Client(scripted.url)
    stream = client.live(1, 0, raw=True)
    received = threading.Event()
    entries: list[Any] = []

    def follow() -> None:
        for entry in stream:
            entries.append(entry)
            if len(entries) == 2:
                received.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert received.wait(30)
    (stream if closed_by == "stream" else client).close()
    thread.join(30)
    assert not thread.is_alive()
    client.close()
    stream.close()


def test_closing_while_a_request_is_under_way_ends_it_with_an_error(scripted: Any) -> None:
    scripted.answer("/status", 200, "text/plain", b"", delay=asyncio.Event())
    client = blitz.Client(scripted.url)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.status)
        deadline = threading.Event()
        while not scripted.requests:
            deadline.wait(0.01)
        client.close()
        with pytest.raises(RemoteError):
            waiting.result(30)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGINT to send")
def test_ctrl_c_while_the_connection_starts_does_not_wait_for_ever(scripted: Any) -> None:
    script = f"""
import os, signal, threading
from anyio import from_thread
run = from_thread.run_eventloop
def run_late(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(0.2)
    return run(*args, **options)
from_thread.run_eventloop = run_late
import blitz
try:
    blitz.Client({scripted.url!r}).connect()
except KeyboardInterrupt:
    print("interrupted")
    while any(thread.name == "blitz client" for thread in threading.enumerate()):
        threading.Event().wait(0.01)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def test_errors_reach_the_caller_with_their_type(scripted: Any) -> None:
    scripted.answer("/status", 200, "text/plain", b"", delay=asyncio.Event())
    with pytest.raises(RequestTimeout), blitz.Client(scripted.url, timeout=0.1):
        pass
    scripted.close()
    with pytest.raises(ServerUnreachable), blitz.Client(scripted.url):
        pass
