"""Sessions follow one another every second while server and Redis are killed: what is there is in order, and once."""

import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import redis
from waiting import wait_until

import blitz
from blitz.data.database_server import DatabaseServer
from blitz.data.records import SessionRecord
from blitz.errors import NoSession
from blitz.io.redis_child import runtime_folder
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600
ROUNDS = 8 if os.environ.get("BLITZ_SOAK") else 2


def wait_until_two_more_follow(client: blitz.Client) -> None:
    begun = client.status().session
    wait_until(lambda: client.status().session.id > begun.id + 1)


def stop(client: blitz.Client) -> SessionRecord:
    while True:
        with contextlib.suppress(NoSession):  # another one has just followed
            return client.stop()


def test_a_run_goes_on_whenever_server_and_redis_are_killed(run_server: Callable[..., Any]) -> None:
    with ExitStack() as stack:
        boards = [
            stack.enter_context(SimulatedBoard(board_id, rate_hz=200, ring=8000, silence_s=0.3, baud=BAUD))
            for board_id in ("08", "09")
        ]
        server = run_server(*(part for board in boards for part in ("--serial", f"{board.path}:{BAUD}")))
        socket = f"{runtime_folder(server.data_dir)}/redis.sock"
        with blitz.Client(server.url) as client:
            wait_until(lambda: all(board.board_id for board in client.status().boards))
            client.start("soak", repeat_every_s=1)
        for number in range(ROUNDS):
            with blitz.Client(server.url) as client:
                wait_until_two_more_follow(client)
            with redis.Redis(unix_socket_path=socket) as connection:
                process_id = int(connection.info("server")["process_id"])
            if number % 2:
                os.kill(process_id, signal.SIGKILL)
            server.kill()
            server.start()
        with blitz.Client(server.url) as client:
            wait_until(lambda: client.status().session.message_count > 20)
            last = stop(client)
        store = DatabaseServer(f"unix://{socket}")
        stack.callback(store.close)
        run = [store.session(session_id) for session_id in reversed(store.available_sessions())]
        assert run[-1].id == last.id
        assert [record.name for record in run] == ["soak", *(f"soak_{n}" for n in range(2, len(run) + 1))]
        assert all("account balances" in record.verdict for record in run), [record.verdict for record in run]
        for source in range(2):
            numbers = [
                message_number(message)
                for record in run
                for block in [store.messages(record.id, 0, 100_000)]
                for message, row in zip(block.messages(), block.source, strict=True)
                if row == source
            ]
            assert all(later > earlier for earlier, later in pairwise(numbers))
            holes = sum(later != earlier + 1 for earlier, later in pairwise(numbers))
            assert holes <= ROUNDS, "only what was under way when the server was killed is missing"
    server.end()
