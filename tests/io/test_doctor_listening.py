"""Listening at several rates, over links whose bytes depend on the rate, and over real pseudo terminals."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from blitz.data.board_definition import load_definitions
from blitz.data.source_config import SerialOptions
from blitz.errors import LinkError
from blitz.io.device_program import DeviceProgram
from blitz.io.diagnosis import Confidence
from blitz.io.doctor_listening import LIKELY_RATES, Heard, hear_recording, listen
from blitz.io.recording import RecordingWriter
from blitz.io.serial_link import LineErrors, SerialLink
from blitz.io.simulated_board import SimulatedBoard
from blitz.io.simulated_device import SimulatedDevice

KNOWN = load_definitions()


class FakeLink:
    """A device that sends at one rate, heard at another; time passes only by reading."""

    def __init__(
        self, sends: Callable[[int], bytes], counts_errors: Callable[[int], bool] = lambda baud: False
    ) -> None:
        self.rates = [LIKELY_RATES[0]]
        self.written = b""
        self.now_s = 0.0
        self.errors = 0
        self._sends = sends
        self._counts_errors = counts_errors
        self._waiting = sends(self.rates[0])

    @property
    def line_errors(self) -> LineErrors:
        return LineErrors(framing=self.errors)

    def read(self, timeout_s: float) -> bytes:
        self.now_s += timeout_s
        chunk, self._waiting = self._waiting[:100], self._waiting[100:]
        self.errors += len(chunk) if self._counts_errors(self.rates[-1]) else 0
        return chunk

    def write(self, line: bytes) -> None:
        self.written += line
        if line == b"0081\n" and self.rates[-1] == 9600:
            self._waiting += b"0882\r\n"

    def change_rate(self, baud: int) -> None:
        if baud == 1_000_000:
            raise LinkError("This driver does not know it.")
        self.rates.append(baud)
        self._waiting = self._sends(baud)

    def heard(self, *, is_asking: bool = False, told: list[int] | None = None) -> Heard:
        return listen(
            self,
            LIKELY_RATES,
            5.0,
            KNOWN,
            is_asking=is_asking,
            change_rate=self.change_rate,
            tell=lambda done, total: told.append(done) if told is not None else None,
            now_s=lambda: self.now_s,
        )


def lines_at(baud: int) -> Callable[[int], bytes]:
    program = DeviceProgram("csv", 50.0)
    program.power_up(0.0)
    stream = b"".join(program.advance(5.0))
    return lambda heard_at: stream if heard_at == baud else random.Random(heard_at).randbytes(4000)


@pytest.mark.parametrize("baud", [57600, 9600, 19200])
def test_the_rate_at_which_it_makes_sense_is_found_and_none_is_tried_behind_it(baud: int) -> None:
    link = FakeLink(lines_at(baud))
    told: list[int] = []
    heard = link.heard(told=told)
    assert (heard.baud, heard.diagnosis.confidence) == (baud, Confidence.SURE)
    assert link.rates[-1] == baud
    assert told == list(range(LIKELY_RATES.index(baud) + 1))
    assert link.written == b""


def test_noise_at_every_rate_is_not_known() -> None:
    link = FakeLink(lines_at(1))
    heard = link.heard()
    assert (heard.diagnosis.confidence, len(link.rates)) == (Confidence.UNKNOWN, len(LIKELY_RATES) - 1)
    assert link.now_s < 30


def test_silence_at_the_first_rate_is_silence_at_all() -> None:
    link = FakeLink(lambda baud: b"")
    assert link.heard().diagnosis.summary == "nothing came"
    assert (link.rates, link.written) == ([57600], b"")


def test_a_silent_board_is_asked_only_if_that_is_wanted() -> None:
    link = FakeLink(lambda baud: b"")
    heard = link.heard(is_asking=True)
    assert (heard.baud, heard.diagnosis.board_id) == (9600, "08")
    assert link.written == 3 * b"0081\n"


def test_bytes_without_a_stop_bit_speak_against_a_rate() -> None:
    stream = b"".join(struct.pack("<HHf", n, 500 + n % 7, 20 + n / 100) for n in range(400))
    link = FakeLink(lambda baud: stream, counts_errors=lambda baud: baud != 38400)
    heard = link.heard()
    assert heard.baud == 38400
    assert not any("without a stop bit" in reason for reason in heard.diagnosis.reasons)


@pytest.mark.parametrize("kind", ["plain", "cobs", "start-fixed"])
def test_a_device_on_a_port_is_heard(kind: str) -> None:
    with SimulatedDevice(kind, rate_hz=200, silence_s=0.1) as device:
        link = SerialLink(device.path, SerialOptions(baud=57600))
        try:
            heard = listen(link, (57600, 9600), 10.0, KNOWN, change_rate=link.change_rate)
        finally:
            link.close()
    assert heard.diagnosis.confidence is Confidence.SURE
    assert heard.diagnosis.rows()


def test_the_rate_of_an_open_port_can_be_changed() -> None:
    with SimulatedDevice("plain", rate_hz=200, silence_s=0) as device:
        link = SerialLink(device.path, SerialOptions(baud=57600))
        try:
            link.change_rate(115200)
            assert link.baud == 115200
            assert link.read(10.0)
        finally:
            link.close()


def test_a_polled_board_on_a_port_answers() -> None:
    with SimulatedBoard("08", silence_s=0) as board:
        link = SerialLink(board.path, SerialOptions(baud=57600))
        try:
            silent = listen(link, (57600,), 0.3, KNOWN, change_rate=link.change_rate)
            asked = listen(link, (57600,), 1.0, KNOWN, is_asking=True, change_rate=link.change_rate)
        finally:
            link.close()
    assert silent.diagnosis.summary == "nothing came"
    assert asked.diagnosis.summary == "Blitz board 08, Blitz Basic; it answers when it is asked"


def test_a_recording_and_raw_bytes_are_diagnosed(tmp_path: Path) -> None:
    stream = lines_at(9600)(9600)
    (tmp_path / "raw.bin").write_bytes(stream)
    raw = hear_recording(tmp_path / "raw.bin", KNOWN)
    with RecordingWriter(tmp_path / "run.jsonl", {"link": "/dev/ttyUSB0", "baud": 9600}) as writer:
        writer.add(0.0, "tx", b"on\n")
        for begin in range(0, len(stream), 100):
            writer.add(5.0 * begin / len(stream), "rx", stream[begin : begin + 100])
    recorded = hear_recording(tmp_path / "run.jsonl", KNOWN)
    assert raw.diagnosis.definition == recorded.diagnosis.definition is not None
    assert (raw.baud, recorded.baud, recorded.sample == stream) == (None, 9600, True)
    with pytest.raises(LinkError, match=r"Cannot read .*none: no such file or directory\."):
        hear_recording(tmp_path / "none", KNOWN)


def test_raw_json_is_not_taken_for_a_recording(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_bytes(b"".join(b'{"t":%d,"v":%d}\n' % (n * 20, n % 5) for n in range(50)))
    definition = hear_recording(tmp_path / "raw.txt", KNOWN).diagnosis.definition
    assert definition is not None
    assert definition.id == "json"
