"""Commands that are given a number: its range, how it is written, and what is refused."""

import pytest

from blitz.data.board_definition import BoardDefinition, Command, load_definitions
from blitz.data.command_parameter import Parameter, read_value
from blitz.io.protocol import set_point

RATE = Parameter(min=0.5, max=20, step=0.5, unit="Hz")


def test_the_motors_set_point_is_the_line_that_the_protocol_builds() -> None:
    command = load_definitions()["09"].command("set point")
    assert command is not None
    for angle in (0, 20, 40):
        assert command.with_value(angle).payload == set_point("09", angle)
    for angle in (-1, 41, 20.5, float("nan"), None):
        with pytest.raises(ValueError, match="0 to 40 deg"):
            command.with_value(angle)


def test_a_value_stands_where_the_text_says_and_as_it_says() -> None:
    def sent(send: str, value: float, **more: object) -> bytes:
        return Command.model_validate({"name": "a", "send": send, "parameter": RATE, **more}).with_value(value).payload

    assert sent("rate {value}", 2.5) == b"rate 2.5\n"
    assert sent("rate {value}", 3) == b"rate 3\n"
    assert sent("rate {value:.2f};", 3) == b"rate 3.00;\n"
    assert sent('{"rate": {value}}', 20) == b'{"rate": 20}\n'
    assert sent("02 {value:04X} 03", 20, is_hex=True) == b"\x02\x00\x14\x03"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"send": "rate"}, "does not say by {value} where it stands"),
        ({"send": "rate {value:s}"}, "is not like {value}"),
        ({"send": "{value:X}", "is_hex": True, "parameter": {"min": 0, "max": 40}}, "cannot be bytes"),
        ({"send": "{value}", "parameter": {"min": 3, "max": 3}}, "from 3 up to 3"),
        ({"send": "{value}", "parameter": {"min": 0, "max": 10, "step": 3}}, "do not lead from 0 to 10"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_the_definition(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Command.model_validate({"name": "RATE", "parameter": RATE, **fields})


def test_a_command_that_needs_a_value_is_not_sent_on_connecting() -> None:
    command = Command(name="RATE", send="rate {value}", parameter=RATE)
    with pytest.raises(ValueError, match="'RATE' needs a value"):
        BoardDefinition(id="a", name="A", format="json", channels=(), commands=(command,), on_connect=("rate",))


def test_an_actuators_command_is_known_with_whatever_value() -> None:
    heat = Command(name="HEAT", send="heat {value}", parameter=Parameter(min=0, max=90), is_actuator=True)
    assert heat.is_said_by(b"heat 40\r\n")
    assert not heat.is_said_by(b"cool 40")
    hexadecimal = heat.model_copy(update={"send": "02 {value:02X} 03", "is_hex": True})
    assert hexadecimal.is_said_by(b"\x02\x50\x03")
    assert not hexadecimal.is_said_by(b"\x02\x50\x04")
    assert Command(name="A", send="a b").is_said_by(b"a b\n")
    assert read_value(hexadecimal.send, "025003", is_hex=True) == 80
    assert read_value("heat {value:.1f}", "heat x") is None
    with pytest.raises(ValueError, match="takes no value"):
        Command(name="A", send="a b").with_value(1)
