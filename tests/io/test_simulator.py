import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from waiting import wait_until

from blitz.io import protocol
from blitz.io.simulator import SimulatedBoard, message_number

DEADLINE_S = 20.0


@contextlib.contextmanager
def opened(board: SimulatedBoard) -> Iterator[serial.Serial]:
    with serial.Serial(board.path, 57600, timeout=DEADLINE_S) as port:
        yield port


@contextlib.contextmanager
def talking(board: SimulatedBoard) -> Iterator[serial.Serial]:
    """A port on which the board answers."""
    with board, opened(board) as port:
        wait_until(lambda: ask(port, protocol.identify(), patience_s=0.05) != [])
        forget_late_answers(board, port)
        yield port


def forget_late_answers(board: SimulatedBoard, port: serial.Serial) -> None:
    """Read what comes of earlier questions. Boards answer in order: it ends with the answer to another question."""
    unknown, error = (board.board_id.encode() + code for code in (b"99", b"65"))
    answers = ask(port, unknown + b"\n")
    while answers[-1] != error:
        answers = answer(port)


def ask(port: serial.Serial, request: bytes, patience_s: float = DEADLINE_S) -> list[bytes]:
    """Send a request and return the lines up to the first short one."""
    port.write(request)
    return answer(port, patience_s)


def answer(port: serial.Serial, patience_s: float = DEADLINE_S) -> list[bytes]:
    port.timeout = patience_s
    lines = []
    while line := port.read_until(b"\n"):
        lines.append(line.rstrip())
        if len(lines[-1]) == 4:
            break
    return lines


def board(board_id: str = "08", **options: object) -> SimulatedBoard:
    return SimulatedBoard(board_id, **{"silence_s": 0.0, "baud": 1_000_000, **options})  # type: ignore[arg-type]


def test_the_board_tells_its_id() -> None:
    with talking(board("09")) as port:
        assert ask(port, protocol.identify()) == [b"0982"]


def test_transmit_before_start_answers_that_the_board_is_not_logging() -> None:
    with talking(board()) as port:
        assert ask(port, protocol.transmit("08")) == [b"0866"]


def test_transmit_gives_every_message_since_the_last_one_then_an_ack() -> None:
    with talking(simulated := board(rate_hz=200)) as port:
        assert ask(port, protocol.start("08")) == [b"0840"]
        numbers = []
        while len(numbers) < 50:
            *messages, last = ask(port, protocol.transmit("08"))
            assert last == b"0840"
            assert all(protocol.classify(line).kind == "data" and len(line) == 28 for line in messages)
            numbers += [message_number(line) for line in messages]
        assert numbers == list(range(len(numbers)))
        assert simulated.overwritten == simulated.dropped == 0


def test_timestamps_are_milliseconds_since_start() -> None:
    with talking(board(rate_hz=100)) as port:
        ask(port, protocol.start("08"))
        lines: list[bytes] = []
        while len(lines) < 10:
            lines += ask(port, protocol.transmit("08"))[:-1]
        assert [int(line[4:12], 16) for line in lines[:10]] == list(range(10, 110, 10))


def test_stop_ends_logging() -> None:
    with talking(board()) as port:
        ask(port, protocol.start("08"))
        assert ask(port, protocol.stop("08")) == [b"0840"]
        assert ask(port, protocol.transmit("08")) == [b"0866"]


def test_a_full_ring_loses_the_oldest_messages() -> None:
    with talking(simulated := board(rate_hz=1000, ring=20, count=100)) as port:
        ask(port, protocol.start("08"))
        wait_until(lambda: simulated.generated == 100)
        *messages, _ = ask(port, protocol.transmit("08"))
        assert [message_number(line) for line in messages] == list(range(80, 100))
        assert simulated.overwritten == 80


def test_start_forgets_unsent_messages_and_resets_the_clock() -> None:
    with talking(simulated := board(rate_hz=500)) as port:
        ask(port, protocol.start("08"))
        wait_until(lambda: simulated.generated >= 20)
        ask(port, protocol.start("08"))
        assert simulated.forgotten >= 20
        first = []
        while len(first) < 2:
            first = ask(port, protocol.transmit("08"))
        assert message_number(first[0]) == simulated.forgotten
        assert int(first[0][4:12], 16) == 2


def test_an_empty_line_draws_an_error_and_acts_as_start() -> None:
    with talking(simulated := board(rate_hz=500)) as port:
        ask(port, protocol.start("08"))
        wait_until(lambda: simulated.generated >= 20)
        assert ask(port, b"\n") == [b"0861"]
        assert answer(port) == [b"0840"]
        assert simulated.forgotten >= 20


def test_a_newer_board_only_complains_about_an_empty_line() -> None:
    with talking(simulated := board(empty_line_starts=False)) as port:
        assert ask(port, b"\n0081\n") == [b"0861"]
        assert answer(port) == [b"0882"]
        assert not simulated.is_logging


def test_the_rest_of_an_overlong_line_is_read_as_a_new_line() -> None:
    # As recorded from a real board, like the following.
    with talking(board()) as port:
        assert ask(port, b"08C00000000000000000000000000000000000000000\n") == [b"0862"]
        assert answer(port) == [b"0840"]
        assert ask(port, b"08850000000000001400000000000\n") == [b"0862"]
        assert answer(port) == [b"0861"]
        assert answer(port) == [b"0840"]


@pytest.mark.parametrize(
    ("request_line", "error"),
    [(b"08\n", b"0861"), (b"0885\n", b"0863"), (b"0840\n", b"0864"), (b"hello\n", b"0864"), (b"0899\n", b"0865")],
)
def test_what_the_board_cannot_do_draws_the_fitting_error(request_line: bytes, error: bytes) -> None:
    with talking(board()) as port:
        assert ask(port, request_line) == [error]


def test_status_tells_whether_the_board_logs_and_where_its_ring_stands() -> None:
    with talking(simulated := board(rate_hz=1000, count=7)) as port:
        assert protocol.parse_status(status_line(port)) == (False, 0, 0)
        ask(port, protocol.start("08"))
        wait_until(lambda: simulated.generated == 7)
        line = status_line(port)
        assert line[:4] == b"0884"
        assert protocol.parse_status(line) == (True, 7, 0)
        ask(port, protocol.transmit("08"))
        assert protocol.parse_status(status_line(port)) == (True, 7, 7)


def status_line(port: serial.Serial) -> bytes:
    port.write(protocol.status("08"))
    line: bytes = port.read_until(b"\n")
    return line.rstrip()


def test_a_motor_follows_its_set_point() -> None:
    with talking(board("09", rate_hz=100)) as port:
        ask(port, protocol.start("09"))
        assert ask(port, protocol.set_point("09", 40)) == [b"0940"]
        words: list[bytes] = []
        while not words or words[-1] < b"0026":
            words += [line[16:20] for line in ask(port, protocol.transmit("09"))[:-1]]
        assert all(line[20:24] == b"0028" for line in ask(port, protocol.transmit("09"))[:-1])


def test_a_motor_board_refuses_a_set_point_beyond_40_and_takes_the_other_instructions() -> None:
    with talking(board("09")) as port:
        assert ask(port, protocol.set_speed("09", 41)) == [b"0965"]
        assert ask(port, protocol.set_angle("09", 10)) == [b"0940"]
        assert ask(port, protocol.motor_home("09")) == [b"0940"]
        assert ask(port, protocol.calibration_step("09")) == [b"0940"]


def test_opening_resets_the_board_which_is_silent_and_deaf_for_a_while() -> None:
    with board(silence_s=0.3) as simulated:
        began = time.monotonic()
        with opened(simulated) as port:
            wait_until(lambda: ask(port, protocol.identify(), patience_s=0.05) == [b"0882"])
            assert time.monotonic() - began >= 0.3
            forget_late_answers(simulated, port)
            assert ask(port, protocol.start("08")) == [b"0840"]
            assert simulated.is_logging
        wait_until(lambda: not simulated._port.is_open)
        with opened(simulated):
            wait_until(lambda: not simulated.is_logging)


def test_a_streaming_board_sends_unasked_from_opening_on() -> None:
    with board("09", rate_hz=500, streaming=True, count=100) as simulated:
        assert simulated.generated == 0
        with opened(simulated) as port:
            lines = [port.read_until(b"\n") for _ in range(100)]
            assert [message_number(line) for line in lines] == list(range(100))
            wait_until(lambda: simulated.sent == 100)
            assert ask(port, protocol.identify()) == [b"0982"]


def test_the_pace_is_kept_in_real_time() -> None:
    # This program may be late itself, for a while: what counts is that no message comes before its time, and that
    # after hundreds of them one comes as promptly as the promptest. No more a second than a busy machine reads.
    began = time.monotonic()
    with board(rate_hz=200, streaming=True) as simulated, opened(simulated) as port:
        number, late_s, least_late_s = 0, 0.0, float("inf")
        while number < 200 or late_s > least_late_s + 0.05:
            number = message_number(checked(port.read_until(b"\n")))
            late_s = time.monotonic() - began - (number + 1) / 200
            least_late_s = min(late_s, least_late_s)
            assert late_s < DEADLINE_S
        assert least_late_s >= 0


def test_a_uart_sends_no_faster_than_its_baud_rate() -> None:
    with talking(simulated := board(rate_hz=1000, count=50, baud=19200)) as port:
        ask(port, protocol.start("08"))
        wait_until(lambda: simulated.generated == 50)
        began = time.monotonic()
        lines = ask(port, protocol.transmit("08"))
        took_s = time.monotonic() - began
        assert took_s > 0.8 * sum(len(line) + 2 for line in lines) / 1920


def test_a_board_that_streams_more_than_its_uart_carries_drops_whole_messages() -> None:
    with board(rate_hz=2000, streaming=True, baud=57600, count=800) as simulated, opened(simulated) as port:
        wait_until(lambda: simulated.generated == 800)
        numbers = numbers_of_all_sent(simulated, port, 800)
        assert numbers == sorted(set(numbers))
        assert simulated.dropped > 500


def numbers_of_all_sent(simulated: SimulatedBoard, port: serial.Serial, count: int) -> list[int]:
    """Read until every message was either read or dropped. What was sent may still be on its way through the pty."""
    received = b""

    def is_all_there() -> bool:
        nonlocal received
        received += port.read(port.in_waiting)
        return simulated.sent + simulated.dropped == count and received.count(b"\n") == simulated.sent

    wait_until(is_all_there)
    return [message_number(checked(line)) for line in received.splitlines(keepends=True)]


def checked(line: bytes) -> bytes:
    assert protocol.classify(line.rstrip()).kind == "data"
    assert len(line) == 30
    return line


def test_a_reader_that_is_too_slow_loses_whole_messages_and_nothing_merges() -> None:
    with board(rate_hz=3000, streaming=True, count=2000) as simulated, opened(simulated) as port:
        wait_until(lambda: simulated.generated == 2000)
        wait_until(lambda: not simulated._uart.is_busy or simulated.dropped > 0)
        numbers = numbers_of_all_sent(simulated, port, 2000)
        assert numbers == sorted(set(numbers))
        assert simulated.dropped > 0


def test_a_board_can_be_unplugged_in_the_middle_of_a_line_and_replugged(tmp_path: Path) -> None:
    link = tmp_path / "sim1"
    with board(rate_hz=100, streaming=True, link_path=link) as simulated:
        with opened(simulated) as port:
            checked(port.read_until(b"\n"))
            first_place = os.readlink(link)
            simulated.unplug(mid_line=True)
            assert not link.exists()
            received = b""
            with contextlib.suppress(serial.SerialException, OSError):
                while chunk := port.read(port.in_waiting or 1):
                    received += chunk
        assert not received.endswith(b"\n")
        simulated.replug()
        assert link.exists()
        with opened(simulated) as port:
            checked(port.read_until(b"\n"))
        assert first_place


def test_a_board_with_its_own_power_keeps_ring_and_clock_while_unplugged() -> None:
    with board(rate_hz=200, count=30, own_power=True) as simulated:
        with opened(simulated) as port:
            ask(port, protocol.start("08"))
            simulated.unplug()
        wait_until(lambda: simulated.generated == 30)
        simulated.replug()
        with opened(simulated) as port:
            *messages, last = ask(port, protocol.transmit("08"))
        assert [message_number(line) for line in messages] == list(range(30))
        assert last == b"0840"


def test_a_board_without_its_own_power_must_be_started_again_after_an_unplug() -> None:
    with board(rate_hz=200) as simulated:
        with opened(simulated) as port:
            ask(port, protocol.start("08"))
            simulated.unplug()
        simulated.replug()
        with opened(simulated) as port:
            assert ask(port, protocol.transmit("08")) == [b"0866"]


def test_a_held_board_logs_nothing_until_it_is_released() -> None:
    simulated = board(rate_hz=1000, streaming=True, count=50)
    simulated.hold()
    with talking(simulated) as port:
        assert ask(port, protocol.identify()) == [b"0882"]
        assert simulated.generated == 0
        simulated.release()
        assert [message_number(port.read_until(b"\n")) for _ in range(50)] == list(range(50))


@pytest.mark.parametrize("options", [{"rate_hz": 0}, {"ring": 0}, {"baud": -1}, {"board_id": "55"}])
def test_an_impossible_board_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"greater than 0|Allowed are: 08, 09"):
        board(**options)  # type: ignore[arg-type]


def test_the_program_makes_links_and_ends_with_its_parent(tmp_path: Path) -> None:
    process = run_program(tmp_path, "exit_with_parent=True")
    with process:
        assert process.stdin
        assert process.stdout
        places = json.loads(process.stdout.readline())["boards"]
        assert [place["board_id"] for place in places] == ["08", "08"]
        assert [place["path"] for place in places] == [str(tmp_path / "sim1"), str(tmp_path / "sim2")]
        with serial.Serial(places[1]["path"], timeout=DEADLINE_S) as port:
            wait_until(lambda: ask(port, protocol.identify(), patience_s=0.05) == [b"0882"])
        process.stdin.close()
        counters = json.loads(process.stdout.readline())["counters"]
        assert counters[0] == {
            "board_id": "08",
            "generated": 0,
            "sent": 0,
            "overwritten": 0,
            "forgotten": 0,
            "dropped": 0,
        }
        assert process.wait(DEADLINE_S) == 0
    assert not tmp_path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with run_program(tmp_path, "") as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        assert b"counters" in process.stdout.readline()
        assert process.wait(DEADLINE_S) == 0


def run_program(folder: Path, options: str) -> subprocess.Popen[bytes]:
    program = (
        "from pathlib import Path; from blitz.io.simulator import run_simulator; "
        f"run_simulator(['08', '08'], link_dir=Path({str(folder)!r}), silence_s=0, as_json=True, {options})"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
