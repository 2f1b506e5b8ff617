"""Listening to a device before it becomes a source: through a real server, from a real pseudo terminal."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from blitz import Client
from blitz.data.board_definition import load_definitions
from blitz.data.format_proposal import FormatProposal
from blitz.errors import BlitzError, LinkError, ServerBusy, SourceExists
from blitz.io.examining import Examiner
from blitz.io.simulated_board import SimulatedBoard
from blitz.io.simulated_device import SimulatedDevice


@pytest.fixture
def client(server: Any) -> Any:
    with Client(server.url) as client:
        yield client


def test_an_unknown_printing_device_is_proposed_and_becomes_the_source_that_was_proposed(client: Client) -> None:
    with SimulatedDevice("csv-header", rate_hz=100, silence_s=0.1) as device:
        before = len(client.boards())
        proposal = client.examine(device.path)
        assert proposal.is_understood
        assert proposal.confidence == "sure"
        assert "This is sure." in proposal.heard_words
        assert proposal.lines
        assert proposal.definition is not None
        assert len(proposal.rows[0]) == len(proposal.definition.channels)
        assert len(client.boards()) == before  # nothing was configured

        source = client.add_source(proposal.source("pump"))
        assert source.link == device.path
        assert source.definition is not None
        assert source.definition.id == "pump"
        assert source.serial.baud == proposal.baud
        with pytest.raises(SourceExists, match="is the source 'pump' already"):
            client.examine(device.path)
        client.delete_source("pump")


def test_a_port_that_is_kept_open_goes_on_without_a_reset_until_it_becomes_a_source(client: Client) -> None:
    with SimulatedDevice("csv", rate_hz=100, silence_s=1.5) as device:  # after a reset it says nothing for so long
        first = client.examine(device.path, seconds=10, keep_s=30)
        more = client.examine(device.path, first.baud, 0.5, keep_s=30)
        assert more.definition == first.definition
        assert more.heard_bytes > first.heard_bytes
        assert more.rows[-1] != first.rows[-1]
        client.end_examining(device.path)
        client.end_examining(device.path)  # nothing is open any more
        client.add_source(more.source("kept"))
        deadline_s = time.monotonic() + 30
        while not any(board.name == "kept" and board.message_count for board in client.boards()):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        client.delete_source("kept")


def test_a_port_that_nobody_asks_for_any_more_is_closed() -> None:
    class Quiet:
        is_closed = threading.Event()

        def read(self, timeout_s: float) -> bytes:
            time.sleep(0.01)
            return b""

        def write(self, line: bytes) -> None:
            pass

        def close(self) -> None:
            self.is_closed.set()

    link: Any = Quiet()
    examiner = Examiner(lambda link: None, load_definitions(), lambda place, options: link)
    examiner.examine("/dev/ttyUSB0", 9600, 0.05, keep_s=0.05)
    assert link.is_closed.wait(10)


def test_a_silent_device_is_said_to_be_silent(client: Client) -> None:
    with SimulatedDevice("silent", silence_s=0) as device:
        proposal = client.examine(device.path, baud=9600, seconds=0.2)
    assert proposal.heard_words == "It said nothing, and did not answer."
    assert not proposal.is_understood
    assert proposal.source("quiet").serial.baud == 9600


def test_a_board_that_waits_to_be_asked_is_asked(client: Client) -> None:
    with SimulatedBoard("08", silence_s=0) as board:
        proposal = client.examine(board.path, seconds=0.5)
    assert proposal.board_id == "08"
    assert proposal.is_understood
    assert proposal.source("bench").board_id == "08"


def test_binary_frames_are_shown_as_hex_digits(client: Client) -> None:
    with SimulatedDevice("cobs", rate_hz=200, silence_s=0) as device:
        proposal = client.examine(device.path)
    assert proposal.framing is not None
    assert all(set(line) <= set("0123456789abcdef …") for line in proposal.lines)
    assert proposal.source("scale").framing is None  # its definition says it


def test_a_port_that_is_not_there_is_a_sentence(client: Client) -> None:
    with pytest.raises(LinkError, match="Cannot open /dev/ttyNONE") as caught:
        client.examine("/dev/ttyNONE")
    assert "opened again" not in str(caught.value)


def test_a_device_is_examined_once_at_a_time() -> None:
    began, may_end = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def refuse(link: str, options: object) -> Any:
        began.set()
        may_end.wait(10)
        raise LinkError(f"Cannot open {link}.")

    examiner = Examiner(lambda link: None, load_definitions(), refuse)

    def examine(then: Callable[[BaseException], object]) -> None:
        try:
            examiner.examine("/dev/ttyUSB0")
        except LinkError as error:
            then(error)

    thread = threading.Thread(target=examine, args=(failures.append,))
    thread.start()
    assert began.wait(10)
    with pytest.raises(ServerBusy, match="is being listened to already"):
        examiner.examine("/dev/ttyUSB0")
    may_end.set()
    thread.join(10)
    assert len(failures) == 1
    with pytest.raises(LinkError):
        examiner.examine("/dev/ttyUSB0")


def test_a_proposal_for_a_blitz_board_leaves_its_definition_to_the_server() -> None:
    board = load_definitions()["08"]
    proposal = FormatProposal(
        link="/dev/ttyUSB0", baud=57600, confidence="sure", heard_bytes=60, board_id="08", definition=board
    )
    source = proposal.source("ttyUSB0")
    assert (source.definition, source.framing, source.board_id) == (None, None, "08")
    named = board.model_copy(update={"name": "Bench of Ada"})
    assert proposal.source("ttyUSB0", named).definition == named


def test_parity_makes_a_source_with_seven_bits() -> None:
    source = FormatProposal(link="/dev/ttyUSB0", baud=2400, confidence="likely", parity="even").source("scale")
    assert (source.serial.data_bits, source.serial.parity) == (7, "even")


def test_listening_ends_when_nobody_waits_for_it_any_more_and_when_the_server_ends() -> None:
    class Noisy:
        def __init__(self) -> None:
            self.has_begun, self.is_closed = threading.Event(), threading.Event()

        def read(self, timeout_s: float) -> bytes:
            self.has_begun.set()
            time.sleep(0.01)
            return b"\xa5\x17"

        def write(self, line: bytes) -> None:
            pass

        def close(self) -> None:
            self.is_closed.set()

    is_ending = threading.Event()
    for way in ("asked for no more", "server ends"):
        link: Any = Noisy()
        examiner = Examiner(lambda link: None, load_definitions(), lambda place, options: link, is_ending.is_set)  # noqa: B023
        failures: list[BaseException] = []

        def examine() -> None:
            try:
                examiner.examine("/dev/ttyUSB0", 9600, 60.0, keep_s=60.0)  # noqa: B023
            except LinkError as error:
                failures.append(error)  # noqa: B023

        thread = threading.Thread(target=examine)
        thread.start()
        assert link.has_begun.wait(10)
        if way == "server ends":
            is_ending.set()
        else:
            examiner.end("/dev/ttyUSB0")
        thread.join(20)
        assert link.is_closed.is_set()
        assert "was ended" in str(failures)


def test_a_port_that_is_kept_open_is_let_go_when_it_becomes_a_source(client: Client) -> None:
    with SimulatedDevice("csv", rate_hz=100, silence_s=0.1) as device:
        proposal = client.examine(device.path, seconds=5, keep_s=60)
        client.add_source(proposal.source("taken"))
        deadline_s = time.monotonic() + 30
        while not any(board.name == "taken" and board.message_count for board in client.boards()):
            assert time.monotonic() < deadline_s, client.boards()
            time.sleep(0.05)
        client.delete_source("taken")


def test_a_server_that_listens_to_a_new_device_ends_at_once(run_server: Callable[..., Any]) -> None:
    server = run_server("--durability", "none")
    failures: list[str] = []
    with SimulatedDevice("silent", silence_s=0) as device, Client(server.url) as client:

        def examine() -> None:
            while not failures:
                try:
                    client.examine(device.path, seconds=10)
                except ServerBusy:  # the look whether it has begun was there first
                    continue
                except BlitzError as error:
                    failures.append(str(error))

        thread = threading.Thread(target=examine)
        thread.start()
        with Client(server.url) as other:
            deadline_s = time.monotonic() + 30
            while not _is_busy(other, device.path):
                assert time.monotonic() < deadline_s
        began_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began_s < 10
        thread.join(30)
    assert "was ended" in failures[0]


def _is_busy(client: Client, port: str) -> bool:
    try:
        client.examine(port, seconds=0.01)
    except ServerBusy:
        return True
    return False
