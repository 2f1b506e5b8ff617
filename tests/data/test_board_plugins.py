"""Plug-ins, found as installed packages are: by their metadata on the path."""

import logging
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, load_definitions
from blitz.data.board_plugins import GROUP, list_plugins, load_plugin
from blitz.data.boards import Readings, SessionDecoder
from blitz.data.records import Source

EXAMPLE = Path(__file__).parents[2] / "docs" / "board-plugin"
LOGGER = "blitz.data.board_plugins"
HEAD = "import numpy as np\nfrom blitz.data.layout import Decoded\n"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package with entry points onto the path, as pip does."""

    def put(package: str, code: str, **plugins: str) -> None:
        folder = tmp_path / package
        metadata = folder / f"{package}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{package}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        entries = "".join(f"{name} = {value}\n" for name, value in plugins.items())
        (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


def board(plugin: str, *names: str, **more: object) -> BoardDefinition:
    channels = [{"name": name, "scale": 2} for name in names]
    return BoardDefinition.model_validate(
        {"id": "any", "name": "Any", "format": "plugin", "plugin": plugin, "channels": channels, **more}
    )


def decode(definition: BoardDefinition, *messages: bytes, decoder: SessionDecoder | None = None) -> Readings:
    decoder = decoder or SessionDecoder([Source(index=0, name="device", link="port", definition=definition)])
    (readings,) = decoder.decode(MessageBlock.from_reads(1, 0, [Read(5_000_000_000, 0, list(messages))]))
    return readings


def test_the_numbers_of_a_plug_in_are_calibrated_by_the_definition(install: Install) -> None:
    code = HEAD + (
        "class Lengths:\n"
        "    def __init__(self, definition): self.more = definition.options['more']\n"
        "    def decode(self, rows): return Decoded(rows.lengths[:, None] + self.more)\n"
    )
    install("lengths_board", code, lengths="lengths_board:Lengths")
    readings = decode(board("lengths", "length", options={"more": 10}), b"", b"abc")
    assert readings.values.tolist() == [[20], [26]]
    assert readings.time_ns.tolist() == [5_000_000_000] * 2


def test_a_clock_of_a_plug_in_is_followed_in_the_definitions_unit(install: Install) -> None:
    code = HEAD + (
        "class Clocked:\n"
        "    def __init__(self, definition): pass\n"
        "    def decode(self, rows):\n"
        "        return Decoded(np.zeros((len(rows), 1)), [float(message) for message in rows.messages()])\n"
    )
    install("clocked_board", code, clocked="clocked_board:Clocked")
    readings = decode(board("clocked", "a", clock={"unit": "s"}), b"1.25", b"1.5", b"nan")
    assert (np.diff(readings.time_ns) // 1_000_000).tolist() == [250, 0]
    assert readings.time_ns[1] <= 5_000_000_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("return None", "TypeError"),
        ("return Decoded(np.zeros((7, 7)))", r"shape \(7, 7\) for 2 messages and 1 channels"),
        ("return Decoded(np.zeros((2, 1)), [1])", r"clock of shape \(1,\) for 2 messages"),
        ("return Decoded([['x'], ['y']])", "ValueError"),
    ],
)
def test_a_plug_in_that_fails_is_logged_once_and_gives_rows_of_nan(
    body: str, reason: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    code = f"{HEAD}class Bad:\n    def __init__(self, definition): pass\n    def decode(self, rows): {body}\n"
    install("bad_board", code, bad="bad_board:Bad")
    definition = board("bad", "a")
    decoder = SessionDecoder([Source(index=0, name="device", link="port", definition=definition)])
    with caplog.at_level(logging.ERROR, LOGGER):
        for _ in range(3):
            assert np.isnan(decode(definition, b"1", b"2", decoder=decoder).values).all()
    (record,) = caplog.records
    assert re.match(f"Plug-in 'bad' of board 'Any' failed on 2 messages: .*{reason}", record.getMessage())


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import a_module_that_is_nowhere", "ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"),
        ("", "AttributeError"),
        (
            "class Bad:\n    def __init__(self, definition): raise ValueError('no such channel')",
            "ValueError: no such channel",
        ),
    ],
)
def test_a_plug_in_that_cannot_be_made_is_logged_once_and_gives_rows_of_nan(
    code: str, reason: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("bad_board", code, bad="bad_board:Bad")
    definition = board("bad", "a", "b")
    decoder = SessionDecoder([Source(index=0, name="device", link="port", definition=definition)])
    with caplog.at_level(logging.ERROR, LOGGER):
        for _ in range(2):
            readings = decode(definition, b"1", decoder=decoder)
    assert np.isnan(readings.values).all()
    assert readings.values.shape == (1, 2)
    (record,) = caplog.records
    assert f"cannot be used: {reason}" in record.getMessage()


def test_a_plug_in_that_nobody_brings_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, LOGGER):
        assert np.isnan(decode(board("gone", "a"), b"1").values).all()
    assert "Plug-in 'gone' of board 'Any' cannot be used: no installed package brings it" in caplog.text


def test_two_packages_with_one_name_are_refused(install: Install) -> None:
    install("one_board", "class Board: ...", twice="one_board:Board")
    install("two_board", "class Board: ...", twice="two_board:Board")
    with pytest.raises(LookupError, match=r"one_board 1\.2 \(one_board:Board\), two_board 1\.2"):
        load_plugin("twice")


def test_plug_ins_are_listed_with_their_origin(install: Install) -> None:
    install("good_board", 'class Board:\n    """Reads well.\n\n    More."""\n', good="good_board:Board")
    install("bad_board", "1 / 0", bad="bad_board:Board")
    bad, good = [entry for entry in list_plugins() if entry.name in ("good", "bad")]
    assert (good.origin, good.summary, good.error) == ("good_board 1.2 (good_board:Board)", "Reads well.", "")
    assert (bad.summary, bad.error) == ("", "ZeroDivisionError: division by zero")


def test_the_example_package_reads_positions(install: Install) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    plugins = project["entry-points"][GROUP]
    install("blitz_nmea_position", (EXAMPLE / "blitz_nmea_position.py").read_text(), **plugins)
    definition = load_definitions(EXAMPLE / "boards")["gps"]
    readings = decode(
        definition,
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47",
        b"$GPGGA,123520,,,,,0,00,,,M,,M,,*66",
        b"$GPRMC,123520,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A",
        b"GPGGA,123521,4807.038,S,01131.000,W,1,08,0.9,-600,M,46.9,M,,",
    )
    assert np.allclose(readings.values[0], [48.1173, 11.516667, 545.4])
    assert np.isnan(readings.values[1:3]).all()
    assert np.allclose(readings.values[3], [-48.1173, -11.516667, np.nan], equal_nan=True)
    assert readings.time_ns[3] - readings.time_ns[0] == 2_000_000_000
