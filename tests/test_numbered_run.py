"""The whole way with numbered messages: board, server, Redis, client, cache, CSV. Each once, in order, whose it is."""

import contextlib
import csv
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis

import blitz
from blitz.data.blocks import MessageBlock
from blitz.data.boards import decode_values
from blitz.data.database import DatabaseClient, DatabaseServer
from blitz.data.export import export_csv
from blitz.data.records import SessionRecord
from blitz.io.simulated_board import UART_BUFFER_BYTES
from blitz.io.simulator import SimulatedBoard, message_number

KINDS = {"stream8": ("08", True), "polled8": ("08", False), "stream9": ("09", True), "polled9": ("09", False)}
"""Two ids, each twice; two stream, two are polled."""


@dataclass(frozen=True)
class Run:
    """How much each board sends, and how."""

    count: int
    rate_hz: float
    baud: int
    ring: int
    uart_buffer_bytes: int
    waits_for_reader: bool

    def boards(self, folder: Path) -> dict[str, SimulatedBoard]:
        return {
            name: SimulatedBoard(
                board_id,
                rate_hz=self.rate_hz,
                ring=self.ring,
                streaming=is_streaming,
                silence_s=0.3,
                link_path=folder / name,
                count=self.count,
                baud=self.baud,
                uart_buffer_bytes=self.uart_buffer_bytes,
                waits_for_reader=self.waits_for_reader,
            )
            for name, (board_id, is_streaming) in KINDS.items()
        }


FAST = Run(10_000, 1_000.0, 921_600, ring=2_000, uart_buffer_bytes=1 << 16, waits_for_reader=True)
"""Buffers bear a busy test machine's pauses of a second: a pty holds less than half a second of what streams, so that
the boards must hold back the rest while the server pauses."""

_USUAL_COUNT, _USUAL_HZ = (2_000, 300.0) if os.environ.get("BLITZ_SOAK") else (700, 100.0)
USUAL = Run(_USUAL_COUNT, _USUAL_HZ, 115_200, ring=180, uart_buffer_bytes=UART_BUFFER_BYTES, waits_for_reader=False)
"""A UART that loses what its reader has no room for, and the ring of a real board: at 100/s they bear a busy machine's
pause of a second, at 300/s half of one."""


def _wait(is_done: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_done():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _lost(boards: dict[str, SimulatedBoard]) -> int:
    return sum(board.overwritten + board.dropped for board in boards.values())


def _check_csv(path: Path, session: SessionRecord, block: MessageBlock, run: Run) -> None:
    """Row n holds what message n means, under its source's columns, and nothing under the others'; times rise."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    messages = block.messages()
    assert len(rows) == len(messages)
    for source in session.sources:
        assert source.definition is not None
        units = {channel.name: f" [{channel.unit}]" if channel.unit else "" for channel in source.definition.channels}
        columns = [header.index(f"{source.name} {name}{unit}") for name, unit in units.items()]
        places = np.flatnonzero(block.source == source.index).tolist()
        raw = np.frombuffer(b"".join(messages[place] for place in places), np.uint8).reshape(len(places), -1)
        found = [[float(rows[place][column]) for column in columns] for place in places]
        assert found == decode_values(source.definition, raw).tolist()
        times = [float(rows[place][1]) for place in places]
        assert all(later >= earlier for earlier, later in itertools.pairwise(times))
        assert times[-1] - times[0] == pytest.approx((run.count - 1) / run.rate_hz, abs=0.5)
        elsewhere = set(range(2, len(header))) - set(columns)
        assert not any(rows[place][column] for place in places for column in elsewhere)


def _check_run(run: Run, run_server: Callable[..., object], redis_url: str, folder: Path) -> None:
    boards = run.boards(folder)
    ports = [argument for name in boards for argument in ("--serial", f"{folder / name}:{run.baud}")]
    server = run_server("--redis-url", redis_url, *ports)
    with blitz.Client(server.url) as client, contextlib.ExitStack() as stack:
        started = client.start("numbered run")
        for board in boards.values():
            stack.enter_context(board)
        _wait(lambda: client.status().session.message_count + _lost(boards) >= 4 * run.count, 60)
        session = client.stop(started.id)
        counters = {name: (board.generated, board.overwritten, board.dropped) for name, board in boards.items()}
        assert counters == dict.fromkeys(boards, (run.count, 0, 0))
        assert session.message_count == 4 * run.count

        with redis.Redis.from_url(redis_url) as raw:
            in_redis = raw.lrange(f"session_{session.id}", 0, -1)
        store = DatabaseServer(redis_url)
        block = store.messages(session.id, 0, 10 * run.count)
        store.close()
        assert block.messages() == in_redis
        assert {source.name for source in session.sources} == set(boards)
        for source in session.sources:
            lines = [line for line, index in zip(in_redis, block.source, strict=True) if index == source.index]
            assert [message_number(line) for line in lines] == list(range(run.count))

        with DatabaseClient(path=str(folder / "cache.db")) as cache:
            client.download(session.id, cache)
            cached = [message for part in cache.session_blocks(session.id) for message in part.messages()]
            assert cached == in_redis
            _check_csv(export_csv(cache, session.id, folder / "run.csv"), session, block, run)
    server.end()  # or it would take the next test's store again


def test_ten_thousand_messages_of_four_boards_arrive_once_in_order_under_the_right_source(
    run_server: Callable[..., object], redis_url: str, tmp_path: Path
) -> None:
    _check_run(FAST, run_server, redis_url, tmp_path)


def test_boards_that_cannot_wait_lose_nothing_at_a_usual_speed(
    run_server: Callable[..., object], redis_url: str, tmp_path: Path
) -> None:
    _check_run(USUAL, run_server, redis_url, tmp_path)
