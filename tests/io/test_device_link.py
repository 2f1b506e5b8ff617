"""One link and its device: what the link asks in which order, what it keeps, and what it tells the operator."""

import json
import os
import threading
import time
import tty
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import serial
from waiting import wait_until

from blitz.data.blocks import PREVIEW_ID, MessageBlock, Read
from blitz.data.boards import Readings, SessionDecoder, load_definitions
from blitz.data.records import Account, BoardRecord, Source
from blitz.data.source_config import SerialOptions, SourceConfig
from blitz.errors import CommandRefused, LinkError
from blitz.io import blitz_device, protocol
from blitz.io.delivery import Identified, Severity
from blitz.io.device import WireCommand
from blitz.io.device_link import DeviceLink, LinkOptions
from blitz.io.devices import device_for
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600
SESSION = 7
RECORDING = Path(__file__).parents[2] / "fixtures" / "captures" / "board08.jsonl"


class RecordingSink:
    """Keeps all that a link tells."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self.messages: dict[int, list[bytes]] = defaultdict(list)
        self.reads: dict[int, list[Read]] = defaultdict(list)
        self.gaps: list[str] = []
        self.accounts: list[Account] = []
        self.notices: list[tuple[Severity, str, str]] = []

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        return Identified(0, "a board")

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        self.messages[session_id] += messages
        self.reads[session_id].append(Read(arrived_ns, source, list(messages)))
        return True

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        self.gaps.append(reason)

    def close_account(self, session_id: int, account: Account) -> None:
        assert account.is_balanced or account.surplus_bytes == 0
        self.accounts.append(account)

    def notice(self, severity: Severity, text: str, source: str) -> None:
        self.notices.append((severity, text, source))

    def link_changed(self, board: BoardRecord) -> None:
        pass

    def now_ns(self) -> int:
        return self._clock_ns()


class FaultySink(RecordingSink):
    """Cannot say what a device is, by a mistake in the program."""

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        raise ZeroDivisionError


class FullSink(RecordingSink):
    """Takes no message, by a mistake in the program."""

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        raise ZeroDivisionError


class ScriptedBoard:
    """A device on a real pty that answers each request with the chunks that a script gives for it."""

    def __init__(self, answer: Callable[[bytes], Iterable[bytes]]) -> None:
        self.requests: list[tuple[float, bytes]] = []
        self._answer = answer
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._run)

    @property
    def asked(self) -> list[bytes]:
        return [request for _, request in self.requests]

    def say(self, chunk: bytes) -> None:
        os.write(self._master, chunk)

    def __enter__(self) -> "ScriptedBoard":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._slave)
        self._thread.join(30)
        os.close(self._master)

    def _run(self) -> None:
        with os.fdopen(self._master, "rb", closefd=False) as port, suppress(OSError):
            while request := port.readline():
                self.requests.append((time.monotonic(), request))
                for chunk in self._answer(request):
                    os.write(self._master, chunk)


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scripted board needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.1)


def make_link(port: str, sink: RecordingSink, poll_s: float = 0.1) -> DeviceLink:
    config = SourceConfig(name="bench", link=port, serial=SerialOptions(baud=BAUD))
    return DeviceLink(config, LinkOptions(poll_s), device_for, sink)


@contextmanager
def linked(port: str, sink: RecordingSink, session: int = PREVIEW_ID, poll_s: float = 0.05) -> Iterator[DeviceLink]:
    link = make_link(port, sink, poll_s)
    link.deliver_to(session)
    link.start()
    try:
        yield link
    finally:
        link.stop()


@pytest.mark.parametrize("session", [PREVIEW_ID, SESSION])
def test_what_a_board_holds_that_logged_before_the_server_came_is_fetched_not_forgotten(session: int) -> None:
    sink = RecordingSink()
    with SimulatedBoard("08", rate_hz=200, ring=4000, own_power=True, silence_s=0.0, baud=BAUD) as board:
        with serial.Serial(board.path, timeout=30) as earlier_server:
            earlier_server.write(protocol.start("08"))
            assert earlier_server.read_until(b"\n") == b"0840\r\n"
        wait_until(lambda: board.generated > 20)
        with linked(board.path, sink, session):
            wait_until(lambda: len(sink.messages[session]) > 100)
    numbers = [message_number(message) for message in sink.messages[session]]
    assert numbers == list(range(len(numbers)))
    assert not sink.notices


def test_a_board_that_does_not_log_is_started_after_it_said_so() -> None:
    """What was pending answers for the id, and the id comes behind it: it is no answer to the next question."""
    sink = RecordingSink()
    answers = {b"0081\n": [b"0840\r\n0882\r\n"], b"08C0\n": [b"0866\r\n"]}

    def answer(request: bytes) -> list[bytes]:
        if request == b"0800\n":
            answers[b"08C0\n"] = [b"0840\r\n"]
        return answers.get(request, [b"0840\r\n"])

    with ScriptedBoard(answer) as board:
        with linked(board.path, sink, SESSION):
            wait_until(lambda: len(board.requests) > 4)
        assert board.asked[:4] == [b"0081\n", b"08C0\n", b"0800\n", b"08C0\n"]
    assert (sink.gaps, sink.notices) == (["was not there at the start"], [])


MEANINGS = {
    "61": "too short",
    "62": "too long",
    "63": "does not implement",
    "64": "does not know this kind of message",
    "65": "does not know this instruction",
    "66": "is not logging",
}


@pytest.mark.parametrize("code", MEANINGS)
@pytest.mark.parametrize("session", [PREVIEW_ID, SESSION])
def test_an_error_that_a_board_sends_unasked_reaches_the_operator(session: int, code: str) -> None:
    sink = RecordingSink()

    def answer(request: bytes) -> list[bytes]:
        if request == b"0081\n":
            return [b"0882\r\n"]
        is_time = request == b"08C0\n" and board.asked.count(request) == 2
        return [b"0840\r\n", f"08{code}\r\n".encode()] if is_time else [b"0840\r\n"]

    with ScriptedBoard(answer) as board, linked(board.path, sink, session):
        wait_until(lambda: sink.notices)
    ((severity, text, source),) = sink.notices
    assert (severity, source) == ("warning", "bench")
    assert text.startswith(f"bench: The board answered with error {code}: ")
    assert MEANINGS[code] in text


@pytest.mark.parametrize("refused", [b"0081\n", b"0800\n", b"0820\n"])
def test_an_error_in_answer_to_a_request_of_ours_reaches_the_operator(refused: bytes) -> None:
    sink = RecordingSink()

    def answer(request: bytes) -> list[bytes]:
        if request == refused:
            return [b"0865\r\n"]
        if request == b"0081\n":
            return [b"0882\r\n"]
        return [b"0840\r\n" if b"0800\n" in board.asked else b"0866\r\n"]

    with ScriptedBoard(answer) as board, linked(board.path, sink, SESSION) as link:
        wait_until(lambda: board.asked.count(b"08C0\n") > 1)
        link.deliver_to(SESSION + 1)
        wait_until(lambda: b"0820\n" in board.asked and sink.notices)
    (notice,) = sink.notices
    assert notice == ("warning", "bench: " + protocol.describe_error(0x65), "bench")


@pytest.mark.parametrize("asked_before", [3, 4, 5])
def test_an_answer_that_is_on_its_way_when_the_link_ends_is_heard_out(asked_before: int) -> None:
    """The board has given its messages away: what is not read now is nowhere."""
    sink = RecordingSink()
    sent: list[bytes] = []
    is_time = threading.Event()

    def answer(request: bytes) -> Iterator[bytes]:
        if request == b"0081\n":
            yield b"0882\r\n"
            return
        if request == b"08C0\n":
            if board.asked.count(request) == asked_before:
                is_time.set()
            for _ in range(3):
                sent.append(b"08ff%024x" % len(sent))
                time.sleep(0.02)
                yield sent[-1] + b"\r\n"
        yield b"0840\r\n"

    with ScriptedBoard(answer) as board, linked(board.path, sink, SESSION) as link:
        link.leaves_logging = True
        assert is_time.wait(30)
        link.stop()
        assert b"0820\n" not in board.asked
        assert sink.messages[SESSION] == sent
    assert not sink.notices


def test_a_board_that_does_not_answer_does_not_hold_up_the_end() -> None:
    sink = RecordingSink()
    answers = {b"0081\n": [b"0882\r\n"]}

    def answer(request: bytes) -> list[bytes]:
        return answers.get(request, [b"0840\r\n"])

    with ScriptedBoard(answer) as board, linked(board.path, sink, SESSION) as link:
        wait_until(lambda: len(board.requests) > 4)
        answers[b"08C0\n"] = []
        asked = len(board.requests)
        wait_until(lambda: len(board.requests) > asked + 1)
        began_s = time.monotonic()
        link.stop()
        assert time.monotonic() - began_s < 15


@pytest.mark.parametrize("session", [PREVIEW_ID, SESSION])
def test_a_board_that_does_not_log_any_more_is_started_again_and_the_operator_told(session: int) -> None:
    sink = RecordingSink()

    def answer(request: bytes) -> list[bytes]:
        if request == b"0081\n":
            return [b"0882\r\n"]
        return [b"0866\r\n" if board.asked.count(b"08C0\n") == 2 and request == b"08C0\n" else b"0840\r\n"]

    with ScriptedBoard(answer) as board:
        with linked(board.path, sink, session):
            wait_until(lambda: board.asked.count(b"08C0\n") > 2)
        assert board.asked[:5] == [b"0081\n", b"08C0\n", b"08C0\n", b"0800\n", b"08C0\n"]
    ((severity, text, _),) = sink.notices
    assert (severity, text[:19]) == (
        "warning",
        "bench was reset and" if session == PREVIEW_ID else "bench was reset in ",
    )
    assert ("board was reset" in sink.gaps) == (session == SESSION)


def test_a_link_that_ends_by_a_fault_of_ours_says_so_and_refuses_commands(caplog: pytest.LogCaptureFixture) -> None:
    sink = FaultySink()
    with ScriptedBoard(lambda request: [b"0882\r\n" if request == b"0081\n" else b"0840\r\n"]) as board:
        link = make_link(board.path, sink)
        link.start()
        assert link.identified.wait(30)
        wait_until(lambda: sink.notices)
        ((severity, text, source),) = sink.notices
        assert (severity, source) == ("error", "bench")
        assert "fault of ours" in text
        wait_until(lambda: not link._thread.is_alive())
        with pytest.raises(LinkError, match="fault of ours"):
            link.send(WireCommand(b"0883\n")).result(timeout=0.5)
        with pytest.raises(ZeroDivisionError):
            link.stop()
    assert "ZeroDivisionError" in caplog.text


def test_a_command_in_which_a_link_ends_by_a_fault_of_ours_is_refused_at_once() -> None:
    answers = {b"0081\n": [b"0882\r\n"], b"0899\n": [b"08a0000000640123456789ab0000\r\n"]}
    sink = FullSink()
    with ScriptedBoard(lambda request: answers.get(request, [b"0840\r\n"])) as board:
        link = make_link(board.path, sink)
        link.start()
        assert link.identified.wait(30)
        with pytest.raises(LinkError, match="fault of ours"):
            link.send(WireCommand(b"0899\n")).result(timeout=30)
        with pytest.raises(ZeroDivisionError):
            link.stop()


def test_a_link_that_was_stopped_refuses_commands_at_once() -> None:
    with (
        ScriptedBoard(lambda request: [b"0882\r\n" if request == b"0081\n" else b"0840\r\n"]) as board,
        linked(board.path, RecordingSink()) as link,
    ):
        link.stop()
        with pytest.raises(LinkError, match="bench is closed"):
            link.send(WireCommand(b"0883\n")).result(timeout=0.5)


@pytest.mark.parametrize(("count", "poll_s"), [(16, 2.0), (17, 60.0)])
def test_an_answer_with_more_than_sixteen_messages_is_followed_by_the_next_poll_at_once(
    count: int, poll_s: float
) -> None:
    message = b"08a0000000640123456789ab0000\r\n"
    sink = RecordingSink()

    def answer(request: bytes) -> list[bytes]:
        if request == b"0081\n":
            return [b"0882\r\n"]
        is_long = request == b"08C0\n" and board.asked.count(request) == 2  # the first is no poll yet
        return [message * count, b"0840\r\n"] if is_long else [b"0840\r\n"]

    with ScriptedBoard(answer) as board, linked(board.path, sink, poll_s=poll_s):
        wait_until(lambda: board.asked.count(b"08C0\n") > 2)
    assert len(sink.messages[PREVIEW_ID]) == count
    _, long_s, next_s, *_ = [asked_s for asked_s, request in board.requests if request == b"08C0\n"]
    pause_s = next_s - long_s
    assert pause_s < 30 if count > 16 else pause_s > 0.7


class RecordedChunk(NamedTuple):
    at_s: float
    content: bytes


class RecordedBoard(ScriptedBoard):
    """The real board of the recording: each request gets the next of its answers, chunk by chunk at the pace of then.

    A request that the recording has no more answers to is done.
    """

    def __init__(self) -> None:
        super().__init__(self._replay)
        self.at_s = 0.0
        """What time it was in the recording at the last chunk that was sent."""
        self._answers = recorded_answers()

    def __enter__(self) -> "RecordedBoard":
        super().__enter__()
        return self

    @property
    def is_exhausted(self) -> bool:
        return not self._answers[b"08C0\n"]

    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000 + round(self.at_s * 1e9)

    def _replay(self, request: bytes) -> Iterator[bytes]:
        if not self._answers[request]:
            yield b"0840\r\n"
            return
        answer = self._answers[request].popleft()
        ahead_s = time.monotonic() - answer[0].at_s
        for chunk in answer:
            threading.Event().wait(max(ahead_s + chunk.at_s - time.monotonic(), 0.0))
            self.at_s = max(self.at_s, chunk.at_s)
            yield chunk.content


def recorded_answers() -> dict[bytes, deque[list[RecordedChunk]]]:
    """By request, up to STOP: what was asked behind it found a board that does not log, and no link asks that."""
    answers: dict[bytes, deque[list[RecordedChunk]]] = defaultdict(deque)
    request = b""
    for row in map(json.loads, RECORDING.read_text().splitlines()):
        chunk = RecordedChunk(row["t_s"], bytes.fromhex(row["hex"]))
        if row["dir"] == "rx":
            answers[request][-1].append(chunk)
        elif request == b"0820\n":
            break
        else:
            request = chunk.content
            answers[request].append([])
    return answers


def recorded_messages() -> list[bytes]:
    polls = [chunk.content for answer in recorded_answers()[b"08C0\n"] for chunk in answer]
    return [line for line in b"".join(polls).split(b"\r\n") if len(line) == 28]


def test_a_real_boards_answers_become_a_session_of_12_bit_values_in_three_channels_at_rising_times() -> None:
    with RecordedBoard() as board:
        sink = RecordingSink(board.now_ns)
        with linked(board.path, sink, SESSION, poll_s=0.01) as link:
            wait_until(lambda: board.is_exhausted)
            assert link.send(WireCommand(b"0883\n")).result(30) == "08ff00003d998180600000000000"
            with pytest.raises(CommandRefused, match="error 65"):
                link.send(WireCommand(b"0899\n")).result(30)
            link.deliver_to(PREVIEW_ID)
            wait_until(lambda: b"0820\n" in board.asked)
    assert board.asked[:4] == [b"0081\n", b"08C0\n", b"0800\n", b"08C0\n"]
    assert len(recorded_messages()) == 43
    assert sink.messages[SESSION] == recorded_messages()
    assert not sink.messages[PREVIEW_ID]
    assert not sink.notices

    readings = decoded(sink.reads[SESSION])
    assert len(readings) == 43
    pauses_s = np.diff(readings.time_ns) / 1e9
    assert (pauses_s > 0).all()
    assert np.median(pauses_s) == pytest.approx(1.101, abs=0.005)
    by_name = dict(zip([channel.name for channel in readings.channels], readings.values.T, strict=True))
    for name in ("adc_channel_one", "adc_channel_two", "adc_channel_three"):
        values = by_name[name]
        assert ((values >= 0) & (values < 4096) & (values == np.round(values))).all()
        assert len(set(values)) > 30
        assert values[:3].tolist() == [0x195, 0x1B7, 0x1D9]
    assert not by_name["adc_channel_four"].any()


def decoded(reads: Sequence[Read]) -> Readings:
    source = Source(index=0, name="bench", link="pty", board_id="08", definition=load_definitions()["08"])
    (readings,) = SessionDecoder([source]).decode(MessageBlock.from_reads(SESSION, 0, reads))
    return readings
