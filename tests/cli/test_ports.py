import json
import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz import Client
from blitz.cli import ports
from blitz.cli.main import invoke
from blitz.data.source_config import UsbIdentity
from blitz.io import port_faults, usb_ports
from blitz.io.usb_ports import FoundPort

NOBODY = "http://127.0.0.1:9"
ARDUINO = UsbIdentity(vendor_id=0x2341, product_id=0x43, serial_number="85736", usb_path="1-2")


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert invoke(["ports", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> list[FoundPort]:
    """The ports that this machine has."""
    found: list[FoundPort] = []
    monkeypatch.setattr(usb_ports, "find_ports", lambda never_touch=(): found)
    return found


@pytest.fixture
def terminal() -> Iterator[str]:
    """A port of the system that nobody reads."""
    leader, follower = pty.openpty()
    yield os.ttyname(follower)
    os.close(leader)
    os.close(follower)


def test_ports_are_listed_without_a_server(
    there: list[FoundPort], terminal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there.append(FoundPort(terminal, "Arduino 85736", ARDUINO))
    listed = asked(capsys, "-s", NOBODY)
    assert listed["ports"] == [
        {
            "port": terminal,
            "kind": "Arduino",
            "serial_number": "85736",
            "source": "",
            "state": "",
            "in_use_by": [],
            "trouble": "",
        }
    ]
    assert listed["server"] is None
    assert listed["away"].startswith("Cannot reach a Blitz server")
    assert invoke(["ports", "-s", NOBODY]) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0].split("  ")[0] == "Port"
    assert text[1].split() == [terminal, "Arduino", "85736", "–"]
    assert text[2].startswith("Which sources read them is not known: Cannot reach a Blitz server")


def test_no_port_is_said(there: list[FoundPort], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["ports", "-s", NOBODY]) == 0
    assert capsys.readouterr().out.startswith("This machine has no serial port now.\n")


def test_a_server_s_sources_are_named_and_who_has_their_ports(
    run_server: Callable[..., Any], there: list[FoundPort], capsys: pytest.CaptureFixture[str]
) -> None:
    server = run_server("--simulate", "1", "--durability", "none")
    with Client(server.url) as client:
        (board,) = client.scan()
    there.append(FoundPort(board.link, "Arduino 85736", ARDUINO))
    (listed,) = asked(capsys, "-s", server.url)["ports"]
    assert (listed["port"], listed["kind"], listed["source"]) == (board.link, "Arduino", "sim1")
    there.clear()
    (listed,) = asked(capsys, "-s", server.url)["ports"]
    assert (listed["port"], listed["kind"], listed["source"]) == (board.link, "08 Blitz Basic", "sim1")
    assert any("process" in program for program in listed["in_use_by"])


def test_links_that_are_no_ports_are_left_out() -> None:
    assert [
        each for each in ("COM3", "/dev/x", "socket://a:1", "replay:a", "stream:a", "csv:/a") if ports._is_port(each)
    ] == [
        "COM3",
        "/dev/x",
    ]


def test_a_port_that_one_may_not_open_comes_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch(0o660)
    assert port_faults.may_not_open(str(port)) == ""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(port_faults, "_permission_remedy", lambda port: "Add your user to the group dialout")
    assert port_faults.may_not_open(str(port)) == "Add your user to the group dialout"
    assert port_faults.may_not_open(str(tmp_path / "none")) == ""
