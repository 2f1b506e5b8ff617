import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.errors import ConfigError
from blitz.io import certificate_facts
from blitz.io.certificate import private_certificate
from blitz.io.certificate_facts import CertificateFacts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLITZ_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert invoke([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_looking_makes_no_certificate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["tls"], ["tls", "show"], ["tls", "fingerprint"], ["tls", "renew", "-y"]):
        assert invoke(command) == 2
        assert capsys.readouterr().err.startswith(f"There is no certificate in {folder} yet. One is made when ")
    assert not folder.exists()


def test_names_validity_and_fingerprint_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = private_certificate(folder, ["lab-pi"])
    shown = asked(capsys, "tls")
    assert shown["fingerprint"] == asked(capsys, "tls", "fingerprint")["fingerprint"] == made.fingerprint
    assert {"localhost", "127.0.0.1", "lab-pi"} <= set(shown["names"])
    assert (shown["is_private"], shown["until"], shown["is_used"], shown["trouble"]) == (True, None, False, "")
    assert invoke(["tls", "show"]) == 0
    text = capsys.readouterr().out
    assert f"Fingerprint:  {made.fingerprint}\n" in text
    assert "Valid:        without end\n" in text
    assert "With these settings the server does not use it" in text


def test_a_new_one_keeps_the_names_and_the_old_one_lies_beside_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = private_certificate(folder, ["lab-pi"])
    content = old.certificate.read_bytes()
    answer = asked(capsys, "tls", "renew", "--yes")
    assert answer["before"] == old.fingerprint != answer["fingerprint"]
    assert (Path(answer["moved_to"]) / "certificate.pem").read_bytes() == content
    shown = asked(capsys, "tls", "show")
    assert shown["fingerprint"] == answer["fingerprint"]
    assert "lab-pi" in shown["names"]
    assert invoke(["audit"]) == 0
    assert f"blitz tls renew: {answer['fingerprint']}" in capsys.readouterr().out


def test_nobody_asked_means_no_new_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = private_certificate(folder)
    assert invoke(["tls", "renew"]) == 2
    assert "say --yes if it is meant" in capsys.readouterr().err
    assert private_certificate(folder) == old


def test_the_old_one_stays_where_no_new_one_can_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = private_certificate(folder)

    def fail(*_: object) -> None:
        raise ConfigError("the disk is full")

    monkeypatch.setattr(certificate_facts, "private_certificate", fail)
    with pytest.raises(ConfigError, match="the disk is full"):
        certificate_facts.renew_private_certificate(folder, ())
    assert private_certificate(folder) == old
    assert [name for name in os.listdir(folder) if name.startswith("tls")] == ["tls"]


def test_one_s_own_certificate_is_shown_and_not_renewed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = private_certificate(folder.parent / "own")
    monkeypatch.setenv("BLITZ_TLS_CERTIFICATE", str(own.certificate))
    monkeypatch.setenv("BLITZ_TLS_KEY", str(own.key))
    shown = asked(capsys, "tls")
    assert (shown["fingerprint"], shown["is_private"], shown["is_used"]) == (own.fingerprint, False, True)
    assert shown["issuer"] == "CN=Blitz server"
    assert invoke(["tls", "renew", "-y"]) == 2
    assert capsys.readouterr().err.startswith(f"The server uses your own certificate {own.certificate}: put a new one")


def test_dates_that_are_over_are_told() -> None:
    facts = CertificateFacts((), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), "", "")
    assert facts.trouble(datetime(2026, 3, 1, tzinfo=UTC)) == ""
    assert facts.trouble(datetime(2026, 7, 1, tzinfo=UTC)) == "It is not valid since 2026-06-01: get a new one."
    assert facts.trouble(datetime(2025, 7, 1, tzinfo=UTC)) == "It is not valid before 2026-01-01."
