"""Tokens on the command line, and a server that is reached from the network. 127.0.0.2 stands for the network."""

import asyncio
import json
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from blitz.cli.main import invoke
from blitz.config import ServerSettings
from blitz.errors import ConfigError
from blitz.io.access import Access, uses_tls

NETWORK = "127.0.0.2"


@pytest.fixture
def blitz(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    """Run a command on a data folder; return its JSON document."""

    def run(*arguments: str, folder: Path = tmp_path / "data") -> Any:
        assert invoke([*arguments, "--data-dir", str(folder), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_a_link_has_a_token_and_beyond_loopback_a_fingerprint(blitz: Callable[..., Any]) -> None:
    made = blitz("token", "create", "--role", "admin", "--name", "ann", "--host", "lab-pi", "--port", "9000")
    assert re.fullmatch(r"blitz://lab-pi:9000/#blz_[\w-]{43}&[0-9a-f]{64}", made["link"])
    assert made["token"] in made["link"]
    assert (made["record"]["name"], made["record"]["role"]) == ("ann", "admin")
    insecure = blitz("token", "create", "--role", "viewer", "--host", "fd00::7", "--insecure")
    assert insecure["link"] == f"blitz://[fd00::7]:8999/#{insecure['token']}"
    assert insecure["page"] == f"http://[fd00::7]:8999/#{insecure['token']}"
    assert made["page"] == f"https://lab-pi:9000/#{made['token']}"
    local = blitz("token", "create", "--role", "viewer")
    assert local["link"] == f"blitz://127.0.0.1:8999/#{local['token']}"
    again = blitz("token", "create", "--role", "viewer", "--host", "10.0.0.7")
    assert again["link"].rpartition("&")[2] == made["link"].rpartition("&")[2], "the certificate is made once"


@pytest.mark.parametrize(
    ("host", "shown"), [("lab-pi:9478", "lab-pi:9478"), ("[fd00::7]:77", "[fd00::7]:77"), ("fd00::7", "[fd00::7]:8999")]
)
def test_a_name_may_come_with_its_port(blitz: Callable[..., Any], host: str, shown: str) -> None:
    made = blitz("token", "create", "--role", "viewer", "--host", host)
    assert made["link"].startswith(f"blitz://{shown}/#blz_")


@pytest.mark.parametrize("host", ["", "http://lab-pi", "lab-pi:x", "lab pi", "ann@lab-pi"])
def test_what_is_no_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert invoke(["token", "create", "--role", "viewer", "--host", host, "--data-dir", str(tmp_path)]) == 2
    assert "is no name" in capsys.readouterr().err
    assert not (tmp_path / "server.db").exists()


def test_a_link_for_this_machine_says_that_it_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["token", "create", "--role", "viewer", "--data-dir", str(tmp_path)]) == 0
    assert "without TLS" in capsys.readouterr().out


def test_a_phone_can_read_the_pages_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["token", "create", "--role", "viewer", "--host", "lab-pi", "--data-dir", str(tmp_path), "--qr"]
    assert invoke(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("In a browser, of a phone too: https://lab-pi:8999/#blz_") for line in lines)
    picture = [line for line in lines if line and not set(line) - set("█▀▄ ")]
    assert len({len(line) for line in picture}) == 1
    assert len(picture) * 2 >= len(picture[0])


def test_a_revoked_token_stays_in_the_list_and_all_is_in_the_audit_trail(blitz: Callable[..., Any]) -> None:
    made = blitz("token", "create", "--role", "operator", "--name", "bench")
    revoked = blitz("token", "revoke", "1")["token"]
    assert revoked["revoked_at"]
    assert blitz("token", "list")["tokens"] == [made["record"] | {"revoked_at": revoked["revoked_at"]}]
    trail = blitz("audit", "--last", "5")["audit"]
    assert [row["what"] for row in trail] == ["blitz token create: 1, bench, operator", "blitz token revoke: 1, bench"]
    assert {row["origin"] for row in trail} == {"console"}
    assert made["token"] not in json.dumps(trail)


def test_tables_are_shown_to_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = ["--data-dir", str(tmp_path)]
    assert invoke(["token", "create", "--role", "viewer", "--name", "[red]x", "--host", "lab-pi", *folder]) == 0
    text = capsys.readouterr().out
    assert text.startswith("blitz://lab-pi:8999/#blz_")
    assert "shown this once" in text
    assert 'allowed_hosts = ["lab-pi"]' in text
    assert invoke(["token", "list", *folder]) == 0
    assert "1   [red]x  viewer" in capsys.readouterr().out
    assert invoke(["audit", *folder]) == 0
    assert "blitz token create: 1, [red]x, viewer" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["token", "list"], ["token", "revoke", "1"], ["audit"]])
def test_looking_makes_no_data_folder(command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert invoke([*command, "--data-dir", str(tmp_path / "mistyped")]) == 2
    assert "No server has used the data folder" in capsys.readouterr().err
    assert not (tmp_path / "mistyped").exists()


def test_an_unknown_token_is_told(
    capsys: pytest.CaptureFixture[str], blitz: Callable[..., Any], tmp_path: Path
) -> None:
    blitz("token", "create", "--role", "viewer")
    assert invoke(["token", "revoke", "7", "--data-dir", str(tmp_path / "data")]) == 1
    assert "There is no token 7" in capsys.readouterr().err


def settings(folder: Path, **fields: Any) -> ServerSettings:
    return ServerSettings(data_dir=folder, **fields)


def test_beyond_loopback_a_server_does_not_start_without_a_token(blitz: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with pytest.raises(ConfigError, match=r"anybody there could stop a run\. Make one with 'blitz token create"):
        Access(settings(folder, host=NETWORK))
    Access(settings(folder)).close()
    Access(settings(folder, host=NETWORK, token="one-of-16-letters-or-more")).close()
    blitz("token", "create", "--role", "admin")
    Access(settings(folder, host=NETWORK)).close()
    blitz("token", "revoke", "1")
    with pytest.raises(ConfigError):
        Access(settings(folder, host=NETWORK))


def test_a_clients_token_is_no_setting_of_the_server(tmp_path: Path) -> None:
    """Somebody with BLITZ_TOKEN in the environment would make a viewer's token an admin's."""
    with pytest.raises(ConfigError, match="made for a client"):
        Access(settings(tmp_path, token="blz_2J9sdcN8KqT3n1o0ZbKeTg"))


def test_tls_is_on_by_itself_beyond_loopback(tmp_path: Path) -> None:
    own = {"tls_certificate": tmp_path / "own.pem"}
    assert not uses_tls(settings(tmp_path))
    assert uses_tls(settings(tmp_path, host=NETWORK))
    assert uses_tls(settings(tmp_path, **own))
    assert not uses_tls(settings(tmp_path, host=NETWORK, insecure=True))
    with pytest.raises(ConfigError, match="insecure and tls_certificate"):
        uses_tls(settings(tmp_path, host=NETWORK, insecure=True, **own))
    with pytest.raises(ConfigError, match="tls_key is given without"):
        uses_tls(settings(tmp_path, tls_key=tmp_path / "own.pem"))


def test_a_server_on_the_network_lets_in_who_has_a_link(
    run_server: Callable[..., Any], blitz: Callable[..., Any]
) -> None:
    server = run_server("--host", NETWORK, "--durability", "none", "--token", "one-of-16-letters-or-more")
    assert server.url.startswith(f"https://{NETWORK}:")
    made = blitz("token", "create", "--role", "operator", "--name", "bench", folder=server.data_dir)
    host, port, token, fingerprint = re.fullmatch(r"blitz://(.*):(\d+)/#(.*)&(.*)", made["link"]).groups()  # type: ignore[union-attr]
    assert f"https://{host}:{port}" == server.url
    assert fingerprint in server.log_path.read_text()
    assert token not in server.log_path.read_text()

    trusting = ssl.create_default_context(cafile=str(server.data_dir / "tls" / "certificate.pem"))
    bearing = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", verify=trusting, trust_env=False, timeout=30) as http:
        assert http.get("/health").status_code == 200
        assert http.get("/status").status_code == 401
        assert http.get("/whoami", headers=bearing).json() == {"name": "bench", "role": "operator"}
        assert http.get("/tokens", headers=bearing).status_code == 403
        spying = http.post("/sources", headers=bearing, json={"name": "spy", "link": "replay:/etc/passwd"})
        assert (spying.status_code, spying.json()["code"]) == (422, "config")
        live = server.url.replace("https://", "wss://") + "/api/v1/live"
        with pytest.raises(ConnectionClosed):
            asyncio.run(
                _read_on(
                    connect(live, ssl=trusting, proxy=None, open_timeout=30, additional_headers=bearing),
                    lambda: blitz("token", "revoke", str(made["record"]["id"]), folder=server.data_dir),
                )
            )
        assert http.get("/whoami", headers=bearing).status_code == 401
    with pytest.raises(httpx.HTTPError):
        httpx.get(server.url.replace("https", "http") + "/api/v1/health", trust_env=False, timeout=30)
    assert server.stop() == 0
    assert not (server.data_dir / "served.json").exists()


async def _read_on(connecting: connect, meanwhile: Callable[[], object]) -> None:
    """Read; when the first frame has come, do something, and read until the connection ends.

    By asyncio, as Blitz's own clients do it. With the library's threads a handshake over TLS got no answer twice.
    """
    async with connecting as connection:
        await asyncio.wait_for(connection.recv(), 30)
        await asyncio.to_thread(meanwhile)
        while True:
            await asyncio.wait_for(connection.recv(), 30)


def test_an_insecure_server_says_what_that_means(run_server: Callable[..., Any], blitz: Callable[..., Any]) -> None:
    server = run_server("--host", NETWORK, "--insecure", "--durability", "none", "--token", "one-of-16-letters-or-more")
    assert server.url.startswith("http://")
    assert "TLS is off (insecure): whoever can listen on this network" in server.log_path.read_text()
    made = blitz("token", "create", "--role", "viewer", folder=server.data_dir)
    assert made["link"] == f"{server.url.replace('http', 'blitz')}/#{made['token']}"
    assert httpx.get(f"{server.url}/api/v1/status", trust_env=False, timeout=30).status_code == 401
    bearing = {"authorization": f"Bearer {made['token']}"}
    assert httpx.get(f"{server.url}/api/v1/status", headers=bearing, trust_env=False, timeout=30).status_code == 200
