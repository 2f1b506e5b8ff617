import pytest

from blitz.io import protocol
from blitz.io.protocol import LineKind, ParsedLine, classify


def test_requests_are_the_lines_of_the_protocol_page() -> None:
    assert protocol.start("09") == b"0900\n"
    assert protocol.stop("09") == b"0920\n"
    assert protocol.transmit("0a") == b"0AC0\n"
    assert protocol.identify() == b"0081\n"
    assert protocol.status("08") == b"0883\n"


def test_a_set_point_of_20_is_padded_to_27_digits() -> None:
    line = protocol.set_point("09", 20)
    assert line == b"0985000000000014".ljust(27, b"0") + b"\n"


def test_every_instruction_has_its_own_meta_byte_and_27_digits() -> None:
    lines = [
        protocol.set_speed("09", 300),
        protocol.set_angle("09", 7),
        protocol.motor_home("09"),
        protocol.calibration_step("09"),
    ]
    assert [line[:4] for line in lines] == [b"0985", b"0986", b"0987", b"0988"]
    assert {len(line.rstrip()) for line in lines} == {27}
    assert lines[0][12:16] == b"012C"


@pytest.mark.parametrize("angle", [-1, 41])
def test_a_set_point_out_of_range_is_refused(angle: int) -> None:
    with pytest.raises(ValueError, match="must be 0 to 40"):
        protocol.set_point("09", angle)


@pytest.mark.parametrize("board_id", ["", "8", "008", "xy", "0\n"])
def test_an_id_that_is_not_two_hex_digits_is_refused(board_id: str) -> None:
    with pytest.raises(ValueError, match="two hex digits"):
        protocol.start(board_id)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"0840", ParsedLine(LineKind.ACK, "08", 0x40)),
        (b"0A40", ParsedLine(LineKind.ACK, "0a", 0x40)),
        (b"0866", ParsedLine(LineKind.ERROR, "08", 0x66)),
        (b"0882", ParsedLine(LineKind.SHORT, "08", 0x82)),
        (b"08ff00000c801951951950000000", ParsedLine(LineKind.DATA, "08", 0xFF)),
        (b"057500005555cccccccc00000000", ParsedLine(LineKind.DATA, "05", 0x75)),
        (b"0AA0" + b"0123456789abcdef" * 8 + b"00000000", ParsedLine(LineKind.DATA, "0a", 0xA0)),
        (b"512,498,730", ParsedLine(LineKind.OTHER)),
        (b"08ff00000c80195195195000000", ParsedLine(LineKind.OTHER)),
        (b"08ff00000c80195195195000000\xff", ParsedLine(LineKind.OTHER)),
        (b"temp", ParsedLine(LineKind.OTHER)),
        (b"", ParsedLine(LineKind.OTHER)),
    ],
)
def test_a_line_is_classified_by_its_form(line: bytes, expected: ParsedLine) -> None:
    assert classify(line) == expected


@pytest.mark.parametrize("code", range(0x61, 0x67))
def test_each_error_is_described_in_words(code: int) -> None:
    sentence = protocol.describe_error(code)
    assert f"error {code:02x}:" in sentence
    assert "does not define" not in sentence


def test_an_unknown_error_is_described_too() -> None:
    assert "does not define" in protocol.describe_error(0x67)


def test_a_status_answer_is_read_whatever_its_meta() -> None:
    assert protocol.parse_status(b"08ff00003d998180600000000000") == (True, 12, 12)
    assert protocol.parse_status(b"0884000000017fefe80000000000") == (False, 1023, 509)


def test_a_status_answer_that_is_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="less than 28"):
        protocol.parse_status(b"08ff00003d99818060000000000")


def test_a_data_run_is_told_from_a_run_with_an_answer_in_it() -> None:
    line = b"08ff00000c801951951950000000"
    assert protocol.is_data_run([])
    assert protocol.is_data_run([line, line.upper()])
    assert not protocol.is_data_run([line, b"0840"])
    assert not protocol.is_data_run([line, b"x" * 28])
