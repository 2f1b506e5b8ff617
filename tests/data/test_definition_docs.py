"""The examples of docs/definitions.md do what stands there."""

import math
import re
import tomllib
from pathlib import Path

import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.records import Source

PAGE = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)


def test_each_format_has_an_example() -> None:
    formats = {tomllib.loads(definition).get("format", "blitz") for definition, _ in EXAMPLES}
    assert formats == {"blitz", "columns", "pairs", "json", "struct"}
    assert len(EXAMPLES) == PAGE.count("```toml")


@pytest.mark.parametrize(("text", "messages"), EXAMPLES)
def test_an_example_is_read_as_the_page_says(text: str, messages: str) -> None:
    definition = BoardDefinition.model_validate(tomllib.loads(text))
    decoder = SessionDecoder([Source(index=0, name="any", link="port", definition=definition)])
    for line in messages.splitlines():
        shown, _, meaning = line.partition(" -> ")
        message = bytes.fromhex(shown[2:]) if shown.startswith("0x") else shown.encode()
        (readings,) = decoder.decode(MessageBlock.from_reads(1, 0, [Read(10**18, 0, [message])]))
        named = zip(readings.channels, readings.values[0].tolist(), strict=True)
        found = [f"{channel.name} {value:.6g}" for channel, value in named if not math.isnan(value)]
        assert (", ".join(found) or "nothing") == meaning
