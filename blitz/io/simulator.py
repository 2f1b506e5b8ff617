"""Simulated boards, devices and a scanner as a program (Unix only): ``blitz simulate``, and ``--simulate N`` of the
server."""

import contextlib
import itertools
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
from blitz.io.simulated_device import SimulatedDevice
from blitz.io.simulated_port import SimulatedPort
from blitz.io.simulated_scanner import SimulatedScanner

__all__ = ["SimulatedBoard", "SimulatedDevice", "SimulatedScanner", "message_number", "run_simulator"]

_LOOK_AFTER_BOARDS_S = 1.0


def run_simulator(
    boards: Sequence[str] = ("08", "09"),
    *,
    devices: Sequence[tuple[str, float | None]] = (),
    scanner_port: int | None = None,
    quiet: bool = False,
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
    """Simulate boards and devices until SIGINT or SIGTERM. Must run in the main thread.

    Says first where they are, once their ports can be opened, and in the end what became of their messages.

    :param boards: an id a board; the same may come twice.
    :param devices: kind and messages a second of each device that is no board; None: ``rate_hz``.
    :param scanner_port: also simulate a pressure scanner, at this TCP port; 0: a free one.
    :param quiet: devices send nothing until they are told ``on``.
    :param link_dir: where the links sim1, sim2, … are made, in the order of ``boards``, then of ``devices``; None: no
        links.
    :param exit_with_parent: also end when the standard input ends, and then remove ``link_dir``: whoever made it for
        us has been killed, perhaps.
    :param as_json: one JSON document a line instead of text: ``{"boards": […]}``, with ``devices`` and ``scanner`` if
        there are any, then ``{"counters": […]}``.
    :raises ValueError: if there is no such board or device to simulate.
    """
    out = out or sys.stdout
    if link_dir is not None:
        link_dir.mkdir(parents=True, exist_ok=True)
    links = (link_dir / f"sim{number}" if link_dir is not None else None for number in itertools.count(1))
    simulated: list[SimulatedPort] = [
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
            link_path=next(links),
        )
        for index, board_id in enumerate(boards)
    ]
    simulated += [
        SimulatedDevice(
            kind,
            rate_hz=device_rate_hz or rate_hz,
            silence_s=silence_s,
            count=count,
            own_power=own_power,
            quiet=quiet,
            seed=seed + index,
            link_path=next(links),
        )
        for index, (kind, device_rate_hz) in enumerate(devices)
    ]
    scanner = None if scanner_port is None else SimulatedScanner(scanner_port)
    is_orphan = False
    with _stop_signals() as stopped, contextlib.ExitStack() as running:
        for port in simulated:
            running.enter_context(port)
        if scanner is not None:
            running.enter_context(scanner)
        _say_places(simulated, scanner, as_json, out)
        watched = [stopped, sys.stdin.fileno()] if exit_with_parent else [stopped]
        while all(port.is_alive for port in simulated) and (scanner is None or scanner.is_alive):
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


def _say_places(ports: Sequence[SimulatedPort], scanner: SimulatedScanner | None, as_json: bool, out: TextIO) -> None:
    if as_json:
        places: dict[str, object] = {"boards": [], "devices": []}
        for kind, kind_name, key in ((SimulatedBoard, "board_id", "boards"), (SimulatedDevice, "kind", "devices")):
            found = [port for port in ports if isinstance(port, kind)]
            places[key] = [{kind_name: getattr(port, kind_name), "path": port.path} for port in found]
        if not places["devices"]:
            del places["devices"]
        if scanner is not None:
            places["scanner"] = scanner.address
        out.write(json.dumps(places) + "\n")
    else:
        for port in ports:
            out.write(f"{_title(port)} at {port.path}\n")
        if scanner is not None:
            out.write(f"Scanner at netscanner://{scanner.address}\n")
    out.flush()


def _title(port: SimulatedPort) -> str:
    return f"Board {port.board_id}" if isinstance(port, SimulatedBoard) else port.name.replace("device-", "Device ")


def _say_counters(ports: Sequence[SimulatedPort], as_json: bool, out: TextIO) -> None:
    names = ("generated", "sent", "overwritten", "forgotten", "dropped")
    counters = [{name: getattr(port, name) for name in names} for port in ports]
    if as_json:
        rows = [_identity(port) | row for port, row in zip(ports, counters, strict=True)]
        out.write(json.dumps({"counters": rows}) + "\n")
    else:
        for port, row in zip(ports, counters, strict=True):
            out.write(f"{_title(port)}: {', '.join(f'{name} {number}' for name, number in row.items())}\n")
    # Whoever started the program may be gone already.
    with contextlib.suppress(BrokenPipeError):
        out.flush()


def _identity(port: SimulatedPort) -> dict[str, object]:
    if isinstance(port, SimulatedBoard):
        return {"board_id": port.board_id}
    return {"device": port.kind if isinstance(port, SimulatedDevice) else port.name}


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
