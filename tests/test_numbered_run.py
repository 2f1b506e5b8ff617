"""The whole way with numbered messages: board, server, Redis, client, cache, CSV. Each once, in order, whose it is."""

import contextlib
import csv
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

import blitz
from blitz.data.database import DatabaseClient, DatabaseServer
from blitz.data.export import export_csv
from blitz.data.records import SessionRecord
from blitz.io.simulator import SimulatedBoard, message_number

COUNT = 10_000
BAUD = 921_600
RATE_HZ = 1_000.0


def _boards(folder: Path) -> dict[str, SimulatedBoard]:
    """Two ids, each twice; two stream, two are polled. Buffers bear a busy test machine's pauses of a second.

    A pty holds less than half a second of what streams: the boards must hold back the rest while the server pauses.
    """
    kinds = {"stream8": ("08", True), "polled8": ("08", False), "stream9": ("09", True), "polled9": ("09", False)}
    return {
        name: SimulatedBoard(
            board_id,
            rate_hz=RATE_HZ,
            ring=2_000,
            streaming=is_streaming,
            silence_s=0.3,
            link_path=folder / name,
            count=COUNT,
            baud=BAUD,
            uart_buffer_bytes=1 << 16,
            waits_for_reader=True,
        )
        for name, (board_id, is_streaming) in kinds.items()
    }


def _wait(is_done: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_done():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _check_sequence(messages: list[bytes]) -> None:
    assert [message_number(message) for message in messages] == list(range(COUNT))


def _check_csv(path: Path, session: SessionRecord) -> None:
    """Board 08 counts in channel five; of board 09 the times tell: a message a millisecond."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert len(rows) == 4 * COUNT
    for name in ("stream8", "polled8"):
        column = header.index(f"{name} adc_channel_five [count]")
        assert [int(float(row[column])) for row in rows if row[column]] == [n % 4096 for n in range(COUNT)]
    for name in ("stream9", "polled9"):
        column = header.index(f"{name} raw_adc [count]")
        times = [float(row[1]) for row in rows if row[column]]
        assert len(times) == COUNT
        assert all(later >= earlier for earlier, later in itertools.pairwise(times))
        assert times[-1] - times[0] == pytest.approx((COUNT - 1) / RATE_HZ, abs=0.5)


def test_ten_thousand_messages_of_four_boards_arrive_once_in_order_under_the_right_source(
    run_server: Callable[..., object], redis_url: str, tmp_path: Path
) -> None:
    boards = _boards(tmp_path)
    ports = [argument for name in boards for argument in ("--serial", f"{tmp_path / name}:{BAUD}")]
    server = run_server("--redis-url", redis_url, *ports)
    with blitz.Client(server.url) as client, contextlib.ExitStack() as stack:
        started = client.start("numbered run")
        for board in boards.values():
            stack.enter_context(board)
        _wait(lambda: client.status().session.message_count >= 4 * COUNT, 60)
        session = client.stop(started.id)
        counters = {name: (board.generated, board.overwritten, board.dropped) for name, board in boards.items()}
        assert counters == dict.fromkeys(boards, (COUNT, 0, 0))
        assert session.message_count == 4 * COUNT

        with redis.Redis.from_url(redis_url) as raw:
            in_redis = raw.lrange(f"session_{session.id}", 0, -1)
        store = DatabaseServer(redis_url)
        block = store.messages(session.id, 0, 10 * COUNT)
        store.close()
        assert block.messages() == in_redis
        assert {source.name for source in session.sources} == set(boards)
        for source in session.sources:
            _check_sequence([line for line, index in zip(in_redis, block.source, strict=True) if index == source.index])

        with DatabaseClient(path=str(tmp_path / "cache.db")) as cache:
            client.download(session.id, cache)
            cached = [message for part in cache.session_blocks(session.id) for message in part.messages()]
            assert cached == in_redis
            _check_csv(export_csv(cache, session.id, tmp_path / "run.csv"), session)
