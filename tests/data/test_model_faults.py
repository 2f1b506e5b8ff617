from pathlib import Path

import pytest
from pydantic import ValidationError

from blitz.data.board_definition import BoardDefinition, read_definition
from blitz.data.model_faults import first_fault
from blitz.data.source_config import SourceConfig
from blitz.errors import ConfigError

HEAD = 'id = "scale"\nname = "Scale"\nformat = "columns"\n'
CHANNEL = '[[channels]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "id: it is missing."),
        ("id = 5", "id: 5 is no text. Write it in quotation marks."),
        ("id = 'My scale'", "id: 'My scale' is not a short name of small letters, digits, - and _."),
        (HEAD + CHANNEL, "channel 'a' needs its column, a number from 0."),
        (
            HEAD + CHANNEL + "column = 0\nunits = 'g'",
            "channels 'a', units: there is no 'units' here. Did you mean 'unit'",
        ),
        (HEAD + CHANNEL + "column = 0\ndivisor = 0", "wrong: channel 'a' has the divisor 0."),
        (
            HEAD + CHANNEL + "column = 0\ndecimals = 20",
            "channels 'a', decimals: 20 should be less than or equal to 12.",
        ),
        (HEAD + CHANNEL + "column = 0\ncolor = 'red'", "channels 'a', color: 'red' is not a color such as #1f77b4."),
        (HEAD + CHANNEL + "column = 0\npolynomial = 3", "channels 'a', polynomial: 3 is no list. Write it in [ ]."),
        (HEAD + "framing = 'cobs'\nchannels = []", "framing: 'cobs' is no table. Write it in { }."),
        (HEAD + "framing = { kind = 'cobs', checksum = 'CRC-16/MODBUZ' }\nchannels = []", "Did you mean CRC-16/MODBUS"),
        (HEAD + "channels = [{ column = 0 }]", "channels 1, name: it is missing."),
        (HEAD + "channels = []\non_connect = ['5 €']", "on_connect: '5 €' cannot be sent"),
        (HEAD + CHANNEL + "column = 0\n[[commands]]\nname = 'T'\nsend = 't'\nending = '€'", "command 'T' sends 't€'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_place_and_value(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "scale.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_definition(path)
    assert str(caught.value).startswith(f"The board definition {path} is wrong: ")
    assert sentence in str(caught.value)


def test_a_line_that_cannot_be_sent_is_refused_while_a_source_is_configured() -> None:
    with pytest.raises(ValidationError) as caught:
        SourceConfig(name="s", link="COM3", on_connect=("5 €",))
    assert first_fault(caught.value) == "on_connect: '5 €' cannot be sent: of text, only characters of latin-1 can"


def test_a_long_value_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        BoardDefinition.model_validate({"id": "x" * 1000, "name": "x", "channels": []})
    assert len(first_fault(caught.value)) < 200
