"""Settings: where they come from, and what is said about a wrong one."""

import os
from pathlib import Path

import pytest

from blitz.config import ClientSettings, SerialPort, ServerSettings, load
from blitz.errors import ConfigError


@pytest.fixture(autouse=True)
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file that the environment names, empty at first."""
    path = tmp_path / "blitz.toml"
    path.write_text("")
    monkeypatch.setenv("BLITZ_CONFIG", str(path))
    return path


def test_arguments_come_before_variables_before_the_file_before_defaults(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file.write_text("[server]\nport = 1\nsimulate = 1\ndurability = 'none'\n[client]\nserver = 'http://lab'\n")
    monkeypatch.setenv("BLITZ_PORT", "2")
    monkeypatch.setenv("BLITZ_SIMULATE", "2")
    settings = load(ServerSettings, {"port": 3, "host": None, "serial": ()})
    assert (settings.port, settings.simulate, settings.durability) == (3, 2, "none")
    assert (settings.host, settings.serial) == ("127.0.0.1", ())
    assert load(ClientSettings).server == "http://lab"


def test_lists_are_lists_in_the_file_and_have_commas_in_a_variable(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file.write_text("[server]\nserial = ['/dev/a:9600', 'COM3']\n")
    monkeypatch.setenv("BLITZ_NEVER_TOUCH", "/dev/b, /dev/c")
    settings = load(ServerSettings)
    assert settings.serial == (SerialPort("/dev/a", 9600), SerialPort("COM3"))
    assert settings.never_touch == ("/dev/b", "/dev/c")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = 'x'", "'port' in [server] of {path} is 'x': it must be a whole number"),
        ("prot = 1", "'prot' in [server] of {path} is not a setting. Allowed are: acquisition, after_crash, "),
        ("serial = 5", "'serial' in [server] of {path}: 5 is not a list of texts."),
        ("serial = [5]", "'serial' in [server] of {path}: [5] is not a list of texts."),
        ("serial = [['/dev/a', 0]]", "'serial' in [server] of {path}: "),
        ("hooks = 'hush'", "'hooks' in [server] of {path} is wrong: "),
        ("never_touch = 1.5", "'never_touch' in [server] of {path}: 1.5 is not a list of texts."),
    ],
)
def test_a_wrong_setting_is_named_with_where_it_stands(config_file: Path, text: str, sentence: str) -> None:
    config_file.write_text(f"[server]\n{text}\n")
    with pytest.raises(ConfigError) as told:
        load(ServerSettings)
    assert str(told.value).startswith(sentence.format(path=config_file))


def test_a_mistyped_variable_is_a_warning_that_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = {"CONFIG": os.devnull, "SOAK": "1", "NO_INSTALL": "1", "TOKEN": 16 * "x", "CACHE_DIR": "caches"}
    for name, value in known.items():
        monkeypatch.setenv(f"BLITZ_{name}", value)
    load(ServerSettings)
    load(ClientSettings)
    assert caplog.messages == []
    monkeypatch.setenv("BLITZ_TOKNE", "s3cret")
    load(ClientSettings)
    (warning,) = caplog.messages
    assert warning.startswith("BLITZ_TOKNE is not a setting, and ignored. Allowed are: BLITZ_ACQUISITION, ")
    assert "BLITZ_TOKEN" in warning
    assert "s3cret" not in warning


def test_a_file_that_cannot_be_read_is_named(config_file: Path, tmp_path: Path) -> None:
    config_file.write_bytes(b"[server]\nhost = '\xff'\n")
    with pytest.raises(ConfigError, match="Cannot read the settings file"):
        load(ServerSettings)
    with pytest.raises(ConfigError, match=r"Cannot read the settings file .*: is a directory\.$"):
        load(ServerSettings, config_file=tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        load(ServerSettings, config_file=tmp_path / "missing.toml")


def test_a_token_is_never_repeated() -> None:
    with pytest.raises(ConfigError) as told:
        load(ServerSettings, {"token": "s3cret"})
    assert "s3cret" not in str(told.value)
    assert "at least 16 characters" in str(told.value)


@pytest.mark.parametrize("text", ["/dev/a:99999999", "/dev/a:49", "/dev/a:²", "/dev/a:" + "9" * 5000])
def test_a_rate_that_no_line_has_is_wrong(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not PORT, PORT:BAUD .* with 50 to 20000000 baud"):
        load(ServerSettings, {"serial": [text]})


def test_an_address_that_nothing_reads_is_wrong() -> None:
    with pytest.raises(ConfigError, match="'http://lab-pi' is none of socket://HOST:PORT, netscanner://HOST:PORT, "):
        load(ServerSettings, {"serial": ["http://lab-pi"]})


def test_a_port_by_its_path_has_colons_of_its_own() -> None:
    port = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0"
    assert SerialPort.parse(port) == SerialPort(port)
    assert SerialPort.parse(f"{port}:9600=scale") == SerialPort(port, 9600, "scale")
