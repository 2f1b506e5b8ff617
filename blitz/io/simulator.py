"""Several simulated boards as a program (Unix only): ``blitz simulate``, and the server's ``--simulate N``."""

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from blitz.io.board_program import message_number
from blitz.io.simulated_board import DEFAULT_BAUD, DEFAULT_RATE_HZ, SILENCE_S, SimulatedBoard

__all__ = ["SimulatedBoard", "message_number", "run_simulator"]

_LOOK_AFTER_BOARDS_S = 1.0


def run_simulator(
    boards: Sequence[str] = ("08", "09"),
    *,
    rate_hz: float = DEFAULT_RATE_HZ,
    ring: int | None = None,
    streaming: bool = False,
    silence_s: float = SILENCE_S,
    baud: int = DEFAULT_BAUD,
    count: int | None = None,
    own_power: bool = False,
    seed: int = 0,
    link_dir: Path | None = None,
    exit_with_parent: bool = False,
    as_json: bool = False,
    out: TextIO | None = None,
) -> None:
    """Simulate boards until SIGINT or SIGTERM. Must run in the main thread.

    Says first where the boards are, once their ports can be opened, and in the end what became of their messages.

    :param boards: an id a board; the same may come twice.
    :param link_dir: where the links sim1, sim2, … are made, in the order of ``boards``; None: no links.
    :param exit_with_parent: also end when the standard input ends, and then remove ``link_dir``: whoever made it for
        us has been killed, perhaps.
    :param as_json: one JSON document a line instead of text: ``{"boards": […]}``, then ``{"counters": […]}``.
    :raises ValueError: if there is no such board to simulate.
    """
    out = out or sys.stdout
    if link_dir is not None:
        link_dir.mkdir(parents=True, exist_ok=True)
    simulated = [
        SimulatedBoard(
            board_id,
            rate_hz=rate_hz,
            ring=ring,
            streaming=streaming,
            silence_s=silence_s,
            baud=baud,
            count=count,
            own_power=own_power,
            seed=seed + index,
            link_path=link_dir / f"sim{index + 1}" if link_dir is not None else None,
        )
        for index, board_id in enumerate(boards)
    ]
    is_orphan = False
    with _stop_signals() as stopped, contextlib.ExitStack() as running:
        for board in simulated:
            running.enter_context(board)
        _say_places(simulated, as_json, out)
        watched = [stopped, sys.stdin.fileno()] if exit_with_parent else [stopped]
        while all(board.is_alive for board in simulated):
            readable, _, _ = select.select(watched, [], [], _LOOK_AFTER_BOARDS_S)
            if stopped in readable:
                break
            if readable and not os.read(readable[0], 4096):
                is_orphan = True
                break
    if is_orphan and link_dir is not None:
        with contextlib.suppress(OSError):  # not empty, or gone already
            link_dir.rmdir()
    _say_counters(simulated, as_json, out)


def _say_places(boards: Sequence[SimulatedBoard], as_json: bool, out: TextIO) -> None:
    if as_json:
        out.write(json.dumps({"boards": [{"board_id": board.board_id, "path": board.path} for board in boards]}) + "\n")
    else:
        for board in boards:
            out.write(f"Board {board.board_id} at {board.path}\n")
    out.flush()


def _say_counters(boards: Sequence[SimulatedBoard], as_json: bool, out: TextIO) -> None:
    names = ("generated", "sent", "overwritten", "forgotten", "dropped")
    counters = [{name: getattr(board, name) for name in names} for board in boards]
    if as_json:
        rows = [{"board_id": board.board_id} | row for board, row in zip(boards, counters, strict=True)]
        out.write(json.dumps({"counters": rows}) + "\n")
    else:
        for board, row in zip(boards, counters, strict=True):
            out.write(f"Board {board.board_id}: {', '.join(f'{name} {number}' for name, number in row.items())}\n")
    # Whoever started the program may be gone already.
    with contextlib.suppress(BrokenPipeError):
        out.flush()


@contextlib.contextmanager
def _stop_signals() -> Iterator[int]:
    """Give a file descriptor that becomes readable when SIGINT or SIGTERM comes."""
    read_end, write_end = os.pipe()

    def note(_signal: int, _frame: FrameType | None) -> None:
        os.write(write_end, b"\0")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield read_end
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        os.close(read_end)
        os.close(write_end)
