import pytest
from pydantic import ValidationError

from blitz.data.checksum_names import CHECKSUM_SIZES
from blitz.data.framing_rule import FramingKind, FramingRule


def test_a_checksum_has_its_catalogue_name_in_a_rule() -> None:
    assert FramingRule(kind=FramingKind.COBS, checksum="modbus").checksum == "CRC-16/MODBUS"
    assert FramingRule(kind=FramingKind.COBS, checksum="").checksum is None
    assert all(FramingRule(checksum=name).checksum == name for name in CHECKSUM_SIZES)


def test_a_rule_with_a_checksum_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"no checksum 'CRC-16/MODBUZ'. Did you mean CRC-16/MODBUS"):
        FramingRule(kind=FramingKind.COBS, checksum="CRC-16/MODBUZ")


@pytest.mark.parametrize("kind", ["cobs", "slip", "fixed", "start_fixed", "start_length"])
def test_nmea_goes_with_lines_only(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"does not go with framing '{kind}'"):
        FramingRule(kind=FramingKind(kind), start="24", size=10, checksum="nmea")


def test_a_frame_that_is_all_checksum_is_refused() -> None:
    with pytest.raises(ValidationError, match="frame of 4 bytes has no room for a message and CRC-32/ISO-HDLC"):
        FramingRule(kind=FramingKind.FIXED, size=4, checksum="CRC-32")
