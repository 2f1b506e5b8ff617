"""Our firmware on emulated chips, and the server talking to it as to real boards: every numbered message once."""

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import blitz
from blitz.data.records import SessionRecord

DEFINITIONS = Path(__file__).parents[2] / "firmware" / "definitions"
POLLED, STREAMING = "1a", "1b"
RUN_MS = 10_000
"""By the chip's clock: an emulator that falls behind makes the run longer, not shorter."""
BLOCK = 16_384


class Numbered(NamedTuple):
    """What a message of the sketches Numbered and NumberedStream says."""

    at_ms: int
    number: int
    dropped: int

    @classmethod
    def read(cls, line: bytes) -> "Numbered":
        assert len(line) == 28, line
        return cls(int(line[4:12], 16), int(line[12:20], 16), int(line[20:24], 16))


def _wait_for_boards(client: blitz.Client, wanted: set[str]) -> None:
    deadline_s = time.monotonic() + 40
    while {board.board_id for board in client.boards()} != wanted:
        assert time.monotonic() < deadline_s, client.boards()
        time.sleep(0.1)


def _messages(client: blitz.Client, session: SessionRecord, first: int = 0) -> list[tuple[int, bytes]]:
    """All messages from a place on, each with its row in the session's table of sources."""
    found: list[tuple[int, bytes]] = []
    while True:
        block = client.messages(session.id, first + len(found), BLOCK)
        found += zip(block.source.tolist(), block.messages(), strict=True)
        if len(block) < BLOCK:
            return found


def _record(client: blitz.Client) -> SessionRecord:
    """Record until both chips have lived through ten seconds of it."""
    started = client.start("numbered firmware")
    begun_ms: dict[int, int] = {}
    lived_ms: dict[int, int] = {}
    count = 0
    deadline_s = time.monotonic() + 60
    while len(lived_ms) < 2 or min(lived_ms.values()) < RUN_MS:
        assert time.monotonic() < deadline_s, lived_ms
        time.sleep(0.3)
        fresh = _messages(client, started, count)
        count += len(fresh)
        for source, line in fresh:
            at_ms = Numbered.read(line).at_ms
            lived_ms[source] = at_ms - begun_ms.setdefault(source, at_ms)
    return client.stop(started.id)


def _describe(messages: Sequence[Numbered], account: dict[str, float]) -> str:
    """The line for the summary: what is missing between the first and the last, among others."""
    spent_s = (messages[-1].at_ms - messages[0].at_ms) / 1000
    numbers = [message.number for message in messages]
    missing = numbers[-1] - numbers[0] + 1 - len(set(numbers))
    line = (
        f"{len(messages):6} messages in {spent_s:5.2f} s of the chip's time, "
        f"{(len(messages) - 1) / spent_s:7.1f} a second, {missing} lost, {len(numbers) - len(set(numbers))} twice"
    )
    lag_s, held_s = account["lag_s"], account["held_s"]
    if lag_s + held_s > 0.5:
        line += f" (the emulator fell {lag_s:.1f} s behind and waited {held_s:.1f} s for its reader)"
    return line


def _why(messages: Sequence[Numbered], account: dict[str, Any]) -> str:
    late_ms = max(later.at_ms - earlier.at_ms for earlier, later in itertools.pairwise(messages))
    return (
        f"The board says that it dropped {messages[-1].dropped} because nobody fetched them in time; the longest pause "
        f"between two messages was {late_ms} ms. The emulator's account: {account}"
    )


@pytest.mark.parametrize("baud", [57_600, 115_200, 1_000_000])
@pytest.mark.parametrize("chip", ["atmega328p", "atmega2560"])
def test_every_numbered_message_of_a_polled_and_of_a_streaming_chip_is_there_once(
    chip: str, baud: int, run_chip: Callable[..., Any], run_server: Callable[..., Any], report: Callable[[str], None]
) -> None:
    chips = {POLLED: run_chip(chip, "Numbered", baud), STREAMING: run_chip(chip, "NumberedStream", baud)}
    ports = [argument for chip in chips.values() for argument in ("--serial", f"{chip.port}:{baud}")]
    server = run_server("--definitions-dir", str(DEFINITIONS), *ports)
    with contextlib.ExitStack() as stack:
        stack.callback(server.end)  # whatever happens, the ports are free for the next chips
        client = stack.enter_context(blitz.Client(server.url))
        _wait_for_boards(client, set(chips))
        session = _record(client)
        recorded = _messages(client, session)
        boards = client.boards()
    accounts = {board_id: emulated.stop() for board_id, emulated in chips.items()}

    assert session.message_count == len(recorded)
    assert not session.gaps
    assert [board.bad_frames for board in boards] == [0, 0]
    for source in session.sources:
        assert source.board_id is not None
        assert source.definition is not None
        assert [channel.name for channel in source.definition.channels] == ["number", "dropped", "waiting"]
        messages = [Numbered.read(line) for index, line in recorded if index == source.index]
        account = accounts[source.board_id]
        line = _describe(messages, account)
        report(f"{chip:10} {baud:8} baud {'polled' if source.board_id == POLLED else 'streaming':9} {line}")
        if messages[-1].dropped and account["lag_s"] > 1:
            pytest.skip(f"This machine is too busy to poll in time. {_why(messages, account)}")
        # START sets the polled board's number to 0. The streaming one was not asked to start.
        first = 0 if source.board_id == POLLED else messages[0].number
        numbers = [message.number for message in messages]
        assert numbers == list(range(first, first + len(numbers))), _why(messages, account)
        assert messages[-1].dropped == 0
        assert account["overrun_bytes"] == account["boot_bytes"] == 0
        assert account["resets"] == 1
