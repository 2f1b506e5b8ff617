"""The framings of docs/devices.md cut bytes as stands there, and its settings are settings."""

import re
import tomllib
from pathlib import Path

import pytest

from blitz.config import ServerSettings
from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.data.source_config import SourceConfig
from blitz.io.framing import make_framing

PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
FRAMINGS = re.findall(r"^\| `(\{ kind = .*? \})` \| `([0-9a-f ]+)` \| (.*) \|$", PAGE, re.MULTILINE)
SETTINGS = re.findall(r"^( *)```toml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


def test_each_framing_has_an_example() -> None:
    assert {tomllib.loads(f"rule = {rule}")["rule"]["kind"] for rule, _, _ in FRAMINGS} == set(FramingKind)


@pytest.mark.parametrize(("rule", "received", "messages"), FRAMINGS)
def test_a_framing_cuts_bytes_as_the_page_says(rule: str, received: str, messages: str) -> None:
    framing = make_framing(FramingRule.model_validate(tomllib.loads(f"rule = {rule}")["rule"]))
    frames = framing.feed(bytes.fromhex(received))
    assert [frame.hex(" ") for frame in frames] == re.findall("`([0-9a-f ]+)`", messages)
    assert framing.bad_count == 0


def test_the_settings_are_settings() -> None:
    assert len(SETTINGS) == 2
    for indent, text in SETTINGS:
        table = tomllib.loads(re.sub(f"^{indent}", "", text, flags=re.MULTILINE))["server"]
        for source in ServerSettings.model_validate(table).sources:
            assert set(source) <= set(SourceConfig.model_fields)
            SourceConfig.model_validate(source)
