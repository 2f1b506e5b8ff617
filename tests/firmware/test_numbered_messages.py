"""Our firmware on emulated chips, and the server talking to it as to real boards: every numbered message once."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import blitz
from blitz.data.records import Account, SessionRecord

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


def _record(client: blitz.Client, meanwhile: Callable[[], None] = lambda: None) -> SessionRecord:
    """Record until both chips have lived through ten seconds of it."""
    started = client.start("numbered firmware")
    begun_ms: dict[int, int] = {}
    lived_ms: dict[int, int] = {}
    count = 0
    deadline_s = time.monotonic() + 75
    while len(lived_ms) < 2 or min(lived_ms.values()) < RUN_MS:
        assert time.monotonic() < deadline_s, lived_ms
        time.sleep(0.3)
        fresh = _messages(client, started, count)
        for source, line in fresh:
            at_ms = Numbered.read(line).at_ms
            lived_ms[source] = at_ms - begun_ms.setdefault(source, at_ms)
        if fresh and not count:
            meanwhile()
        count += len(fresh)
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


def _why(messages: Sequence[Numbered], account: dict[str, float]) -> str:
    late_ms = max(later.at_ms - earlier.at_ms for earlier, later in itertools.pairwise(messages))
    return (
        f"The board says that it dropped {messages[-1].dropped} because nobody fetched them in time; the longest pause "
        f"between two messages was {late_ms} ms. The emulator's account: {account}"
    )


class Run(NamedTuple):
    """What came of a session with a polled and a streaming chip; by board id, except for the session."""

    session: SessionRecord
    messages: dict[str, list[Numbered]]
    accounts: dict[str, Account]
    emulated: dict[str, dict[str, float]]


@pytest.fixture
def run(run_chip: Callable[..., Any], run_server: Callable[..., Any]) -> Callable[..., Run]:
    """Run ten seconds of both sketches on two chips of a kind, and all of it through a server."""

    def run(chip: str, baud: int, disturb: Callable[[Any], None] = lambda server: None) -> Run:
        chips = {POLLED: run_chip(chip, "Numbered", baud), STREAMING: run_chip(chip, "NumberedStream", baud)}
        ports = [argument for chip in chips.values() for argument in ("--serial", f"{chip.port}:{baud}")]
        server = run_server("--definitions-dir", str(DEFINITIONS), *ports)
        with contextlib.ExitStack() as stack:
            stack.callback(server.end)  # whatever happens, the ports are free for the next chips
            client = stack.enter_context(blitz.Client(server.url))
            _wait_for_boards(client, set(chips))
            session = _record(client, lambda: disturb(server))
            recorded = _messages(client, session)
        assert session.message_count == len(recorded)
        ids = {source.index: source.board_id or "" for source in session.sources}
        messages: dict[str, list[Numbered]] = {board_id: [] for board_id in chips}
        for source, line in recorded:
            messages[ids[source]].append(Numbered.read(line))
        accounts = {ids[account.source]: account for account in session.accounts}
        return Run(session, messages, accounts, {board_id: emulated.stop() for board_id, emulated in chips.items()})

    return run


@pytest.mark.parametrize("baud", [57_600, 115_200, 1_000_000])
@pytest.mark.parametrize("chip", ["atmega328p", "atmega2560"])
def test_every_numbered_message_of_a_polled_and_of_a_streaming_chip_is_there_once(
    chip: str, baud: int, run: Callable[..., Run], report: Callable[[str], None]
) -> None:
    session, messages_by_id, accounts, emulated_by_id = run(chip, baud)
    for board_id, messages in messages_by_id.items():
        account, emulated = accounts[board_id], emulated_by_id[board_id]
        kind = "polled" if board_id == POLLED else "streaming"
        report(f"{chip:10} {baud:8} baud {kind:9} {_describe(messages, emulated)}")
        if messages[-1].dropped and emulated["lag_s"] > 1:
            pytest.skip(f"This machine is too busy to poll in time. {_why(messages, emulated)}")
        # START sets the polled board's number to 0. The streaming one was not asked to start.
        first = 0 if board_id == POLLED else messages[0].number
        numbers = [message.number for message in messages]
        assert numbers == list(range(first, first + len(numbers))), _why(messages, emulated)
        assert messages[-1].dropped == 0
        assert emulated["overrun_bytes"] == emulated["boot_bytes"] == 0
        assert emulated["resets"] == 1
        assert account.is_balanced
        assert account.messages_appended == len(messages)
        assert (account.lost, account.is_lost_exact, account.duplicates, account.bad_frames) == (0, True, 0, 0)
    assert not session.gaps


def test_what_a_ring_drops_while_the_server_stands_still_is_told_exactly(run: Callable[..., Run]) -> None:
    def stand_still(server: Any) -> None:
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(3)  # a ring of one second, on a chip that may be somewhat behind
        os.kill(server.process.pid, signal.SIGCONT)

    session, messages_by_id, accounts, _ = run("atmega2560", 1_000_000, stand_still)
    polled, streamed = messages_by_id[POLLED], messages_by_id[STREAMING]
    dropped = polled[-1].dropped
    assert dropped > 0
    assert polled[-1].number - polled[0].number + 1 - len(polled) == dropped
    assert (accounts[POLLED].lost, accounts[POLLED].is_lost_exact) == (dropped, True)
    assert sum(gap.lost or 0 for gap in session.gaps) == dropped
    assert accounts[POLLED].is_balanced
    # The streaming chip has waited.
    assert accounts[STREAMING].lost == 0
    assert len(streamed) == streamed[-1].number - streamed[0].number + 1
