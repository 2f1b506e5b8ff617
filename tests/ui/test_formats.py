"""How numbers and times are written."""

import doctest

from blitz.data.boards import Channel, load_definitions
from blitz.ui import formats, rights
from blitz.ui.plots import curves


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (formats, rights, curves):
        assert doctest.testmod(module).failed == 0


def test_decimals_follow_the_smallest_step_of_a_channel() -> None:
    pressure = load_definitions()["0a"].channels[0]
    assert formats.channel_decimals(pressure) == 6
    assert formats.channel_decimals(Channel(name="adc", bit=0, bits=12)) == 0
    assert formats.channel_decimals(Channel(name="volt", bit=0, bits=12, scale=5, divisor=4096)) == 3
    assert formats.channel_decimals(Channel(name="tenth", bit=0, bits=12, divisor=10)) == 1


def test_numbers_that_come_as_text_show_the_decimals_that_they_have() -> None:
    printed = Channel(name="temp", column=3)
    assert formats.fitting_decimals(printed, [23.0]) == 0
    assert formats.fitting_decimals(printed, [23.01, 4.5]) == 2
    assert formats.fitting_decimals(printed, [23.0], at_least=2) == 2
    assert formats.fitting_decimals(Channel(name="temp", column=3, scale=0.001), [1.0]) == 3
    assert formats.fitting_decimals(Channel(name="temp", column=3, decimals=1), [23.01]) == 1
    assert formats.fitting_decimals(Channel(name="adc", bit=0, bits=12), [1.25]) == 0
