from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock, Read
from blitz.data.boards import (
    BoardDefinition,
    Channel,
    SessionDecoder,
    channel_labels,
    decode_values,
    device_ms,
    load_definitions,
)
from blitz.data.records import Source
from blitz.errors import BoardMismatch, ConfigError

DEFINITIONS = load_definitions()
LINE_08 = b"08a000005555cccccccc00000000"
LINE_09 = b"092800002f19572076ac00000000"
MS = 1_000_000


def matrix(*lines: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), -1)


def source(index: int, board_id: str | None, name: str = "") -> Source:
    definition = DEFINITIONS[board_id] if board_id else None
    return Source(index=index, name=name or f"sim{index}", link="pty", board_id=board_id, definition=definition)


def block(*reads: tuple[int, int, list[bytes]], first_seq: int = 0) -> MessageBlock:
    return MessageBlock.from_reads(7, first_seq, [Read(*read) for read in reads])


def test_the_boards_that_every_installation_knows_are_built_in() -> None:
    assert {board_id: board.name for board_id, board in DEFINITIONS.items() if len(board_id) == 2} == {
        "03": "GPIO",
        "08": "Blitz Basic",
        "09": "Motor",
        "0a": "NetScanner one",
        "0b": "NetScanner two",
    }
    assert [channel.name for channel in DEFINITIONS["08"].channels if channel.shown] == [
        f"adc_channel_{number}" for number in ("one", "two", "three", "four", "five")
    ]
    assert [channel.name for channel in DEFINITIONS["0b"].channels][::15] == ["Channel_17", "Channel_32"]


def test_the_known_line_of_board_08_is_decoded() -> None:
    line = b"08" + b"7500005555cccccccc00000000"
    assert decode_values(DEFINITIONS["08"], matrix(line))[0].tolist() == [3276, 3276, 3264, 0, 0, 1, 0, 1, 0, 1]
    assert device_ms(matrix(line)).tolist() == [21845]


def test_the_known_line_of_16_bit_words_is_decoded() -> None:
    assert decode_values(DEFINITIONS["09"], matrix(LINE_09)).tolist() == [[22304, 30380, 0]]
    assert device_ms(matrix(LINE_09)).tolist() == [12057]


def test_the_pressure_scanner_is_decoded_to_kilopascals() -> None:
    words = b"".join(b"%08X" % (2_000_000 + 250_000 * channel) for channel in range(16))
    values = decode_values(DEFINITIONS["0a"], matrix(b"0AA000000001" + words))
    assert values[0].tolist() == [0.25 * channel for channel in range(16)]
    assert {channel.unit for channel in DEFINITIONS["0a"].channels} == {"kPa"}


def test_digital_channels_are_single_bits() -> None:
    assert decode_values(DEFINITIONS["03"], matrix(b"03a000000001a500000000000000")).tolist() == [
        [1, 0, 1, 0, 0, 1, 0, 1]
    ]


def test_upper_and_lower_case_mean_the_same() -> None:
    values = decode_values(DEFINITIONS["08"], matrix(LINE_08, LINE_08.upper()))
    assert values[0].tolist() == values[1].tolist()


def test_a_message_of_another_board_or_with_a_wrong_digit_is_a_row_of_nan() -> None:
    rows = matrix(LINE_08, LINE_09, LINE_08[:-1] + b"g", b"0x" + LINE_08[2:], LINE_08)
    values = decode_values(DEFINITIONS["08"], rows)
    assert np.isnan(values).all(axis=1).tolist() == [False, True, True, True, False]


def test_a_timestamp_with_a_wrong_digit_is_unreadable() -> None:
    assert device_ms(matrix(LINE_08, LINE_08.replace(b"5555", b"55 5"))).tolist() == [21845, -1]
    assert device_ms(matrix(b"0840")).tolist() == [-1]


def test_a_message_that_is_too_short_for_the_layout_is_refused() -> None:
    with pytest.raises(BoardMismatch, match="28 digits is too short for board 0a, NetScanner one"):
        decode_values(DEFINITIONS["0a"], matrix(b"0aa000000001a500000000000000"))


@given(payload=st.binary(min_size=8, max_size=8), bit=st.integers(0, 63), size=st.integers(1, 8), signed=st.booleans())
def test_whole_bytes_can_stand_in_little_endian_order(payload: bytes, bit: int, size: int, signed: bool) -> None:
    bit = min(bit, 64 - 8 * size)
    board = BoardDefinition(
        id="08",
        name="any",
        channels=(Channel(name="any", bit=bit, bits=8 * size, signed=signed, byte_order="little"),),
    )
    cut = (int.from_bytes(payload, "big") >> (64 - bit - 8 * size) & ((1 << 8 * size) - 1)).to_bytes(size, "big")
    values = decode_values(board, matrix(b"08a000000000" + payload.hex().encode()))
    assert values[0, 0] == float(int.from_bytes(cut, "little", signed=signed))


@given(payload=st.integers(0, (1 << 64) - 1), bit=st.integers(0, 63), bits=st.integers(1, 64), signed=st.booleans())
def test_any_channel_reads_the_bits_that_it_names(payload: int, bit: int, bits: int, signed: bool) -> None:
    bits = min(bits, 64 - bit)
    board = BoardDefinition(
        id="08",
        name="any",
        channels=(Channel(name="any", bit=bit, bits=bits, signed=signed, zero=3, scale=2, divisor=5),),
    )
    number = payload >> (64 - bit - bits) & ((1 << bits) - 1)
    if signed and number >> (bits - 1):
        number -= 1 << bits
    values = decode_values(board, matrix(b"08a000000000%016x" % payload))
    assert values[0, 0] == (float(number) - 3) * 2 / 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id = '08", "is not TOML"),
        ("id = '8'\nname = 'x'\nchannels = []", "the id '8' of a Blitz board is not two hex digits"),
        (
            "id = '08'\nname = 'x'\nchannels = []\ncolour = 1",
            "there is no 'colour' here. Did you mean 'color'",
        ),
        ("id = '08'\nname = 'x'\nchannels = [{name='a', bit=4, bits=2, is_flag=true}]", "beyond the 5 flags"),
        ("id = '08'\nname = 'x'\nchannels = [{name='a', bit=4, bits=2, divisor=0}]", "divisor 0"),
        ("id = '08'\nname = 'x'\nchannels = [{name='a', bit=4, bits=12, byte_order='little'}]", "only whole bytes"),
        ("id = 'x'\nname = 'x'\nformat = 'columns'\nchannels = [{name='a', column=-1}]", "a number from 0"),
        ("id = '08'\nname = 'x'\nchannels = [{name='a', bit=4, bits=2, scale=nan}]", "scale: nan should be a finite"),
        ("id = 'x'\nname = 'x'\nformat = 'json'\nchannels = [{name='a', column=1}]", "needs its column, the key"),
        ("id = 'x'\nname = 'x'\nformat = 'pairs'\nchannels = []\nclock = {unit='s'}", "the clock needs its column"),
        ("id = '08'\nname = 'x'\nchannels = [{name='a',bit=4,bits=2},{name='a',bit=4,bits=2}]", "2 channels 'a'"),
    ],
)
def test_a_wrong_definition_is_named_with_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=f"mine.toml.*{reason}"):
        load_definitions(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: No such file"):
        load_definitions(tmp_path / "nowhere")


def test_a_definition_of_a_folder_overrides_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("id = '08'\nname = 'Mine'\nchannels = [{name='a', bit=0, bits=8}]")
    definitions = load_definitions(tmp_path)
    assert definitions["08"].name == "Mine"
    assert definitions["09"] == DEFINITIONS["09"]


def test_two_sources_in_one_block_are_told_apart() -> None:
    decoder = SessionDecoder([source(0, "08"), source(2, "09"), source(3, None)])
    run = block((10, 2, [LINE_09]), (11, 0, [LINE_08, LINE_08]), (12, 3, [b"hello"]), (13, 2, [LINE_09]), first_seq=100)
    first, second = decoder.decode(run)
    assert (first.source.index, first.seq.tolist(), first.session_id) == (0, [101, 102], 7)
    assert (second.source.index, second.seq.tolist()) == (2, [100, 104])
    assert first.values[:, 0].tolist() == [3276, 3276]
    assert second.values[:, 0].tolist() == [22304, 22304]
    assert len(first) == 2
    assert [channel.name for channel in second.channels] == ["raw_adc", "motor_value", "set_point"]


def test_messages_of_odd_kind_become_rows_of_nan_and_never_an_exception() -> None:
    odd = [b"", b"08", b"0840", LINE_08, b"temp:21.5", LINE_08 + b"00", b"\xff" * 28, b"x" * 200, LINE_09]
    (readings,) = SessionDecoder([source(0, "08")]).decode(block((5 * MS, 0, odd)))
    assert readings.seq.tolist() == list(range(9))
    assert np.isnan(readings.values[:, 0]).tolist() == [True, True, True, False, True, False, True, True, True]
    assert (np.diff(readings.time_ns) >= 0).all()


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.binary(max_size=40), max_size=4)), max_size=6))
def test_no_bytes_whatsoever_make_the_decoder_raise(reads: list[tuple[int, list[bytes]]]) -> None:
    decoder = SessionDecoder([source(0, "08"), source(1, "0a")])
    run = block(*((place * MS, index, lines) for place, (index, lines) in enumerate(reads)))
    decoded = decoder.decode(run)
    assert sum(map(len, decoded)) == int(np.count_nonzero(run.source < 2))


def test_a_scanner_line_without_its_payload_is_a_row_of_nan() -> None:
    (readings,) = SessionDecoder([source(0, "0a")]).decode(block((1, 0, [b"0aa000000001a500000000000000"])))
    assert np.isnan(readings.values).all()


def test_an_empty_block_decodes_to_nothing() -> None:
    assert SessionDecoder([source(0, "08")]).decode(block()) == []


def test_decoding_in_pieces_gives_what_decoding_whole_gives() -> None:
    lines = [b"%sa0%08x%016x" % ((b"08", b"09")[number % 2], 10 * number, number << 20) for number in range(1000)]
    whole = block(*((number * 10 * MS, number % 2, [line]) for number, line in enumerate(lines)), first_seq=5)
    sources = [source(0, "08"), source(1, "09")]
    together = SessionDecoder(sources).decode(whole)
    pieces = SessionDecoder(sources)
    decoded = [pieces.decode(whole.between(start, start + 130)) for start in range(5, 1005, 130)]
    for index in range(2):
        for name in ("seq", "time_ns", "values"):
            parts = np.concatenate([getattr(part[index], name) for part in decoded])
            assert np.array_equal(parts, getattr(together[index], name))


def test_an_update_of_the_sources_keeps_the_clocks() -> None:
    decoder = SessionDecoder([source(0, "08")])
    decoder.decode(block((1000 * MS, 0, [b"08a000000064" + b"0" * 16])))
    decoder.update([source(0, "08", "renamed"), source(1, "09")])
    first, second = decoder.decode(
        block((5000 * MS, 0, [b"08a0000000c8" + b"0" * 16]), (5000 * MS, 1, [LINE_09]), first_seq=1)
    )
    assert first.source.name == "renamed"
    assert first.time_ns.tolist() == [1100 * MS]
    assert second.time_ns.tolist() == [5000 * MS]
    assert [known.name for known in decoder.sources] == ["renamed", "sim1"]


def test_a_board_without_a_clock_has_the_times_of_arrival() -> None:
    board = DEFINITIONS["08"].model_copy(update={"has_clock": False})
    device = source(0, "08").model_copy(update={"definition": board})
    (readings,) = SessionDecoder([device]).decode(block((10, 0, [LINE_08]), (20, 0, [LINE_08])))
    assert readings.time_ns.tolist() == [10, 20]


@pytest.mark.parametrize(
    ("unit", "shown", "step_ns"),
    [
        ("ms", b"%d", 1_000_000),
        ("us", b"%d", 1000),
        ("s", b"%d", 1_000_000_000),
        ("s", b"%d.25", 1_000_000_000),
        ("ms", b"%d.5", 1_000_000),
        ("us", b"170000000000%d", 1000),
    ],
)
def test_a_column_with_the_devices_time_is_followed_in_its_unit(unit: str, shown: bytes, step_ns: int) -> None:
    definition = BoardDefinition.model_validate(
        {
            "id": "any",
            "name": "any",
            "format": "columns",
            "channels": [{"name": "a", "column": 1}],
            "clock": {"column": 0, "unit": unit},
        }
    )
    device = Source(index=0, name="any", link="port", definition=definition)
    lines = [shown % 10 + b",1", shown % 13 + b",2", b"oops,3", shown % 17 + b",4"]
    (readings,) = SessionDecoder([device]).decode(block((10**18, 0, lines)))
    assert (readings.time_ns - readings.time_ns[0]).tolist() == [0, 3 * step_ns, 3 * step_ns, 7 * step_ns]
    assert readings.values.ravel().tolist() == [1, 2, 3, 4]
    assert readings.uncertainty_ns.shape == (4,)


def test_a_clock_wraps_where_the_definition_says() -> None:
    clock = {"column": 0, "unit": "ms", "wraps_at": 1000}
    channels = [{"name": "a", "column": 1}]
    definition = BoardDefinition.model_validate(
        {"id": "any", "name": "any", "format": "columns", "channels": channels, "clock": clock}
    )
    decoder = SessionDecoder([Source(index=0, name="any", link="port", definition=definition)])
    reads = [(10**18 + number * 100 * MS, 0, [b"%d,0" % (number * 100 % 1000)]) for number in range(25)]
    (readings,) = decoder.decode(block(*reads))
    assert (np.diff(readings.time_ns) == 100 * MS).all()


@pytest.mark.parametrize("time", [b"-5", b"nan", b"1e300", b"inf", b"", b"9223372036854775807", b"x"])
def test_impossible_device_times_are_none(time: bytes) -> None:
    channels, clock = [{"name": "a", "column": "a"}], {"column": "t", "unit": "s", "wraps_at": None}
    definition = BoardDefinition.model_validate(
        {"id": "any", "name": "any", "format": "pairs", "channels": channels, "clock": clock}
    )
    decoder = SessionDecoder([Source(index=0, name="any", link="port", definition=definition)])
    (readings,) = decoder.decode(block((10**18, 0, [b"t:1,a:1"]), (10**18 + MS, 0, [b"t:" + time + b",a:2"])))
    assert readings.time_ns.tolist() == [10**18, 10**18]


@pytest.mark.parametrize("wraps_at", [1 << 62, (1 << 63) - 1, 1 << 64, 10**30])
def test_a_clock_that_wraps_after_ages_never_does(wraps_at: int) -> None:
    logger = BoardDefinition(
        id="logger",
        name="Logger",
        format="columns",
        channels=[],
        clock={"column": 0, "unit": "s", "wraps_at": wraps_at},
    )
    decoder = SessionDecoder([Source(index=0, name="l", link="pty", definition=logger)])
    reads = [(count * 1000 * MS, 0, [b"%d" % count]) for count in (1, 2, 1, 2, 3)]
    (readings,) = decoder.decode(block(*reads))
    assert len(readings) == 5


def test_a_column_that_no_line_has_takes_no_memory() -> None:
    far = BoardDefinition(id="far", name="Far", format="columns", channels=[Channel(name="x", column=10**15)])
    decoder = SessionDecoder([Source(index=0, name="l", link="pty", definition=far)])
    (readings,) = decoder.decode(block((1, 0, [b"1,2"] * 6000)))
    assert np.isnan(readings.values).all()


def test_a_fork_of_a_decoder_goes_on_by_itself() -> None:
    decoder = SessionDecoder([source(0, "08")])
    decoder.decode(block((1000 * MS, 0, [b"08a000000064" + b"0" * 16])))
    fork = decoder.fork()
    later = block((5000 * MS, 0, [b"08a0000000c8" + b"0" * 16]), first_seq=1)
    assert fork.decode(later)[0].time_ns.tolist() == [1100 * MS]
    assert decoder.decode(later)[0].time_ns.tolist() == [1100 * MS]


@given(
    messages=st.lists(st.binary(max_size=30), max_size=8),
    form=st.sampled_from(["columns", "pairs", "json", "struct", "blitz"]),
)
def test_no_bytes_whatsoever_make_any_format_raise(messages: list[bytes], form: str) -> None:
    part: dict[str, object] = {"column": "a" if form in ("pairs", "json") else 0}
    if form == "struct":
        part = {"offset": 1, "type": "f32"}
    if form == "blitz":
        part = {"bit": 0, "bits": 8}
    definition = BoardDefinition.model_validate(
        {"id": "08", "name": "any", "format": form, "channels": [{"name": "a", **part}], "clock": part}
    )
    decoder = SessionDecoder([Source(index=0, name="any", link="port", definition=definition)])
    decoded = decoder.decode(block((5 * MS, 0, messages)))
    assert [readings.values.shape for readings in decoded] == ([(len(messages), 1)] if messages else [])


def test_a_corrected_definition_takes_effect_at_once() -> None:
    decoder = SessionDecoder([source(0, "08")])
    assert decoder.decode(block((1, 0, [LINE_08])))[0].values[0, 0] == 3276
    channels = (DEFINITIONS["08"].channels[0].model_copy(update={"scale": 2.0}),)
    corrected = DEFINITIONS["08"].model_copy(update={"channels": channels})
    decoder.update([source(0, "08").model_copy(update={"definition": corrected})])
    assert decoder.decode(block((2, 0, [LINE_08]), first_seq=1))[0].values.tolist() == [[6552]]


def test_rows_of_one_device_share_their_labels() -> None:
    labels = channel_labels([source(0, "08", "pump"), source(1, "09", "motor"), source(2, "08", "pump")])
    assert labels[0, "adc_channel_one"] == labels[2, "adc_channel_one"] == "adc_channel_one"


def test_channels_are_labelled_with_their_source_only_where_two_share_a_name() -> None:
    labels = channel_labels(
        [source(0, "08", "sim1"), source(1, "09", "sim2"), source(2, "08", "sim3"), source(3, None)]
    )
    assert labels[0, "adc_channel_one"] == "sim1 adc_channel_one"
    assert labels[2, "adc_channel_one"] == "sim3 adc_channel_one"
    assert labels[1, "raw_adc"] == "raw_adc"
    assert len(labels) == 23


@given(
    lines=st.lists(
        st.text("0123456789abcdefABCDEFg \xff", min_size=26, max_size=43).map(
            lambda text: b"0" + text.encode("latin-1")
        ),
        max_size=6,
    ),
    width=st.one_of(st.none(), st.integers(27, 36)),
    first_bit=st.integers(0, 60),
    bits=st.integers(1, 64),
)
def test_lines_of_any_length_mean_what_their_digits_mean(
    lines: list[bytes], width: int | None, first_bit: int, bits: int
) -> None:
    if width is not None:
        lines = [line.ljust(width, b"7")[:width] for line in lines]
    definition = BoardDefinition(id="00", name="any", channels=(Channel(name="any", bit=first_bit, bits=bits),))
    needed = definition.needed_digits

    def expected(line: bytes) -> float:
        is_ours = len(line) >= needed and line[:2] == b"00" and not set(line) - set(b"0123456789abcdefABCDEF")
        if not is_ours:
            return np.nan
        return float(int(line, 16) >> (4 * len(line) - 48 - first_bit - bits) & ((1 << bits) - 1))

    decoder = SessionDecoder([Source(index=0, name="any", link="pty", definition=definition)])
    found = [value for readings in decoder.decode(block((MS, 0, lines))) for value in readings.values[:, 0].tolist()]
    np.testing.assert_array_equal(found, [expected(line) for line in lines])
