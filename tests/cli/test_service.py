"""The unit and the udev rule: what they say, what systemd thinks of them, and that nothing is overwritten unasked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from blitz.cli import service, service_files
from blitz.io.usb_ports import KNOWN_USB_VENDORS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
PACKAGING = Path(__file__).parents[2] / "packaging"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    service.register(app)
    return app


@pytest.mark.parametrize(
    ("arguments", "manager"),
    [(["--system"], "--system"), (["--user"], "--user"), (["--data-dir", "/srv/50% lab/blitz"], "--system")],
)
def test_systemd_finds_nothing_wrong_with_the_units(
    app: typer.Typer, tmp_path: Path, arguments: list[str], manager: str
) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    shown = CliRunner().invoke(app, [*arguments, "--json"])
    unit = tmp_path / "blitz-server.service"
    unit.write_text(json.loads(shown.stdout)["files"][0]["text"])
    done = subprocess.run(
        [analyze, manager, "--man=no", "verify", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_starts_this_installation_under_the_chosen_user_and_folder(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["--run-as", "lab", "--data-dir", "/mnt/blitz"])
    assert f"ExecStart={sys.executable} -m blitz serve --data-dir /mnt/blitz\n" in shown.stdout
    assert "User=lab\n" in shown.stdout
    assert "ReadWritePaths=/mnt/blitz\n" in shown.stdout
    assert "StateDirectory" not in shown.stdout
    for line in ("Type=notify", "WatchdogSec=180", "KillMode=mixed", "DeviceAllow=char-ttyUSB rw"):
        assert f"{line}\n" in shown.stdout


def test_the_rule_knows_the_makers_that_the_server_knows() -> None:
    rule = (PACKAGING / "99-blitz.rules").read_text()
    named = re.findall(r'idVendor}=="([^"]*)"', rule)
    assert len(named) == 3
    for makers in named:
        assert {int(maker, 16) for maker in makers.split("|")} == set(KNOWN_USB_VENDORS)


def test_files_are_installed_and_left_alone_and_replaced_only_when_agreed(app: typer.Typer, tmp_path: Path) -> None:
    install = ["--install", "--root", str(tmp_path), "--json"]
    first = CliRunner().invoke(app, install)
    assert set(json.loads(first.stdout)["files"].values()) == {"written"}
    unit = tmp_path / "etc/systemd/system/blitz-server.service"
    settings = tmp_path / "etc/blitz/blitz.toml"
    settings.write_text("[server]\nport = 9000\n")
    again = CliRunner().invoke(app, install)
    assert set(json.loads(again.stdout)["files"].values()) == {"is as it should be", "was there, and is left as it is"}

    written = unit.read_text()
    unit.write_text("# changed by hand\n")
    refused = CliRunner().invoke(app, install)
    assert refused.exit_code == 2
    assert unit.read_text() == "# changed by hand\n"
    agreed = CliRunner().invoke(app, [*install, "--yes"])
    assert json.loads(agreed.stdout)["files"][str(unit)] == "replaced"
    assert unit.read_text() == written
    assert settings.read_text() == "[server]\nport = 9000\n"


def test_a_users_service_lies_in_the_users_folder(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["--user", "--install"])
    unit = tmp_path / "systemd/user/blitz-server.service"
    assert f"{unit}: written" in done.stdout
    assert "loginctl enable-linger" in done.stdout
    assert "User=" not in unit.read_text()


def test_an_installation_without_the_server_is_said(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has no server" not in CliRunner().invoke(app, []).stdout
    monkeypatch.setattr(service_files, "find_spec", lambda name: None)
    assert 'pip install "blitz[server]"' in CliRunner().invoke(app, []).stdout
    assert "has no server" in json.loads(CliRunner().invoke(app, ["--user", "--json"]).stdout)["warning"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    (file, *_) = service_files.system_files("blitz", Path("/var/lib/blitz"), tmp_path)
    with pytest.raises(Exception, match="Cannot write"):
        file.write()
