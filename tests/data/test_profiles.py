import logging
import os
import sys
from pathlib import Path

import pytest

from blitz.config import ClientSettings, load
from blitz.data.profiles import Profile, add_profile, delete_profile, read_profiles, use_profile, with_profile
from blitz.errors import ConfigError

BENCH1 = Profile("bench1", "https://lab-pi:8999", "blz_secret", 32 * "a7")
BENCH2 = Profile("bench2", "http://127.0.0.1:9000")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "new" / "profiles.toml"
    monkeypatch.setenv("BLITZ_PROFILES", str(path))
    return path


def test_a_profile_is_read_as_it_was_added_and_the_first_is_used() -> None:
    add_profile(BENCH1)
    add_profile(BENCH2)
    profiles = read_profiles()
    assert list(profiles.by_name.values()) == [BENCH1, BENCH2]
    assert profiles.chosen == "bench1"
    assert profiles.named("bench2") == BENCH2


def test_a_profile_does_not_show_its_token() -> None:
    assert "blz_secret" not in repr(BENCH1)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
def test_nobody_else_can_read_the_file_whatever_it_was_before(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("# mine\n")
    path.chmod(0o644)
    add_profile(BENCH1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["profiles.toml"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
def test_tokens_that_others_can_read_are_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_profile(BENCH1)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        read_profiles()
    assert f"chmod 600 {path}" in caplog.text


def test_comments_and_order_stay_when_the_file_is_changed(path: Path) -> None:
    add_profile(BENCH1)
    path.write_text(path.read_text("utf-8") + '\n[profiles.old]\n# the old one\nserver = "old:8999"  # slow\n', "utf-8")
    add_profile(BENCH2)
    use_profile("bench2")
    delete_profile("bench1")
    text = path.read_text("utf-8")
    assert "# the old one" in text
    assert "# slow" in text
    assert list(read_profiles().by_name) == ["old", "bench2"]


def test_deleting_the_one_that_is_used_leaves_none_in_use() -> None:
    add_profile(BENCH1)
    delete_profile("bench1")
    assert (read_profiles().by_name, read_profiles().chosen) == ({}, "")
    add_profile(BENCH2)
    assert read_profiles().chosen == "bench2"


def test_a_taken_name_is_refused_unless_it_is_to_be_replaced(path: Path) -> None:
    add_profile(BENCH1)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="already, for https://lab-pi:8999"):
        add_profile(Profile("bench1", "http://other"))
    assert path.read_bytes() == before
    add_profile(Profile("bench1", "http://other"), replace=True)
    assert read_profiles().named("bench1") == Profile("bench1", "http://other")


def test_an_unknown_name_lists_the_known() -> None:
    add_profile(BENCH1)
    add_profile(BENCH2)
    for ask in (read_profiles().named, delete_profile, use_profile):
        with pytest.raises(ConfigError, match=r"There is no profile 'bench9'\. There are: bench1, bench2\."):
            ask("bench9")


@pytest.mark.parametrize("name", ["", "lab.pi", "a:1", "a b", "-x", 41 * "x"])
def test_a_name_that_is_none_is_refused(name: str, path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot name a profile"):
        add_profile(Profile(name, "http://x"))
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("x = 1", "has 'x'"),
        ("profiles = 1", "profiles are tables"),
        ("[profiles.a]", "says no server"),
        (
            '[profiles.a]\nserver = "b"\nport = "1"',
            r"'port' in \[profiles.a\] is no setting. Allowed are: server, token",
        ),
        ("[profiles.a]\nserver = 1", "must be a text"),
        ('use = "b"', "names 'b', which is no profile"),
        ("use = 1", "must be the name"),
        ("[", "Cannot read the profiles"),
        ('[profiles."a b"]\nserver = "b"', "'a b' cannot name a profile"),
    ],
)
def test_a_wrong_file_is_explained(content: str, sentence: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_profiles()


def settings(server: str | None = None, token: str | None = None, file: Path | None = None) -> ClientSettings:
    return with_profile(load(ClientSettings, {"server": server, "token": token}, file))


def test_the_server_is_a_profile_s_name_or_an_address() -> None:
    add_profile(BENCH1)
    add_profile(BENCH2)
    assert settings("bench1").server == BENCH1.server
    assert (settings("bench1").token, settings("bench1").fingerprint) == (BENCH1.token, BENCH1.fingerprint)
    assert settings("bench2").token is None
    assert settings("bench3").server == "bench3"


def test_without_a_word_the_one_in_use_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    default = settings().server
    add_profile(BENCH1)
    assert settings().server == BENCH1.server
    file = tmp_path / "blitz.toml"
    file.write_text('[client]\nserver = "http://file"\ntoken = "of the file"\n')
    assert settings(file=file).server == "http://file"
    monkeypatch.setenv("BLITZ_SERVER", "http://variable")
    assert settings(file=file).server == "http://variable"
    monkeypatch.delenv("BLITZ_SERVER")
    use_profile("")
    assert settings().server == default


def test_the_variable_names_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add_profile(BENCH1)
    add_profile(BENCH2)
    file = tmp_path / "blitz.toml"
    file.write_text('[client]\nserver = "http://file"\ntoken = "of the file"\n')
    monkeypatch.setenv("BLITZ_PROFILE", "bench2")
    assert settings(file=file).server == BENCH2.server
    assert settings(file=file).token is None, "a token of another server"
    assert settings("http://argument").server == "http://argument"
    monkeypatch.setenv("BLITZ_PROFILE", "bench9")
    with pytest.raises(ConfigError, match="There are: bench1, bench2"):
        settings()
    monkeypatch.setenv("BLITZ_SERVER", "http://variable")
    with pytest.raises(ConfigError, match="BLITZ_SERVER and BLITZ_PROFILE both"):
        settings()


def test_a_token_of_the_command_line_goes_before_the_profile_s(monkeypatch: pytest.MonkeyPatch) -> None:
    add_profile(BENCH1)
    add_profile(BENCH2)
    monkeypatch.setenv("BLITZ_TOKEN", "of the variable")
    assert settings("bench1").token == BENCH1.token
    assert settings("bench1", "given").token == "given"
    assert settings("bench2").token == "of the variable"


def test_a_file_that_cannot_be_written_is_explained(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="Cannot write the profiles"):
        add_profile(BENCH1)
