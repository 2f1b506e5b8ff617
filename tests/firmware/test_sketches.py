"""The sketches that show how to use the library, on one server: a board it knows, and a device that just prints."""

import time
from collections.abc import Callable
from typing import Any

import blitz

BAUD = 57_600
MILLIVOLTS = (500, 1000, 2000, 3000, 5000)
COUNTS = [millivolt * 1023 // 5000 for millivolt in MILLIVOLTS]
"""What simavr's converter of 10 bits makes of them, with 5 V as its reference."""


def test_analogue_board_and_csv_printer_are_recorded_as_they_are(
    run_chip: Callable[..., Any], run_server: Callable[..., Any]
) -> None:
    analogue = run_chip("atmega2560", "Analogue", BAUD, *MILLIVOLTS)
    printer = run_chip("atmega328p", "CsvPrinter", BAUD, *MILLIVOLTS)
    server = run_server("--serial", f"{analogue.port}:{BAUD}", "--serial", f"{printer.port}:{BAUD}")
    with blitz.Client(server.url) as client:
        deadline_s = time.monotonic() + 40
        while [board.mode for board in client.boards()] != ["polled", "streaming"]:
            assert time.monotonic() < deadline_s, client.boards()
            time.sleep(0.1)
        started = client.start("sketches")
        while client.session(started.id).message_count < 100:
            assert time.monotonic() < deadline_s, client.boards()
            time.sleep(0.1)
        session = client.stop(started.id)
        block = client.messages(session.id)
    lines: dict[str | None, list[bytes]] = {}
    for index, line in zip(block.source.tolist(), block.messages(), strict=True):
        source = next(source for source in session.sources if source.index == index)
        lines.setdefault(source.board_id, []).append(line)
    assert len(lines["08"]) > 20
    for line in lines["08"]:
        assert line[:4] == b"08bf", "the five inputs are pulled up"
        assert [int(line[first : first + 3], 16) for first in range(12, 27, 3)] == COUNTS
    assert len(lines[None]) > 10
    assert set(lines[None]) == {b",".join(b"%d" % count for count in COUNTS[:3])}
