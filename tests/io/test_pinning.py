"""Certificates known by fingerprint, against real TLS servers on the loopback address."""

import asyncio
import datetime
import ipaddress
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import blitz
from blitz.data.records import Event
from blitz.errors import BlitzError, CertificateMismatch, ConfigError, ServerUnreachable
from blitz.io import live_reader
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.pinning import fingerprint_of

pytestmark = pytest.mark.anyio
TOKEN = "blz_c2VjcmV0LXNlY3JldC1zZWNyZXQ_-"


@dataclass
class Certificate:
    """A certificate with its key, made for a test."""

    path: Path
    fingerprint: str

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


@pytest.fixture
def make_certificate(tmp_path: Path) -> Callable[..., Certificate]:
    """Make a self-signed certificate, by default one with wrong dates and names, as on a computer without a clock."""

    def make(name: str = "somewhere.else", *, year: int = 1999) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        begin = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=100 * 365 if year > 2000 else 30))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return Certificate(path, fingerprint_of(certificate.public_bytes(serialization.Encoding.DER)))

    return make


@pytest.fixture
def serve_with(scripted: Any) -> Callable[[Certificate], str]:
    """Start the scripted server anew with that certificate; returns its link without a fingerprint."""

    def serve(certificate: Certificate) -> str:
        scripted.close()
        scripted.script.tls = certificate.context
        scripted.script.requests.clear()
        scripted.open()
        return f"blitz://127.0.0.1:{scripted.port}/#{TOKEN}&"

    return serve


async def status_then_hold(wire: Any, query: dict[str, str]) -> None:
    await wire.status()
    await wire.hold()


async def test_a_link_connects_with_token_and_certificate_and_no_log_shows_the_token(
    scripted: Any, serve_with: Any, make_certificate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "websockets.server")  # the test's own
    caplog.set_level(logging.DEBUG)
    certificate = make_certificate()
    link = serve_with(certificate) + certificate.fingerprint
    scripted.scripts[:] = [status_then_hold]
    async with AsyncClient(link) as client, client.live() as stream, asyncio.timeout(30):
        assert isinstance(await anext(stream), Event)
    assert {path for path, _ in scripted.requests} == {"/status", "/live"}
    assert {headers["Authorization"] for _, headers in scripted.requests} == {f"Bearer {TOKEN}"}
    assert "/live" in caplog.text
    assert TOKEN not in caplog.text


def test_plain_scripts_connect_with_a_link_or_with_arguments(serve_with: Any, make_certificate: Any) -> None:
    certificate = make_certificate()
    link = serve_with(certificate) + certificate.fingerprint
    with blitz.Client(link) as client:
        assert client.status().version == "0"
    address = ServerAddress.parse(link)
    colons = ":".join(certificate.fingerprint[n : n + 2] for n in range(0, 64, 2)).upper()
    for written in (str(address), [(address.host, address.port)], f"127.0.0.1:{address.port}"):
        with blitz.Client(written, token=TOKEN, fingerprint=colons) as client:
            assert client.status().version == "0"


async def test_another_certificate_is_told_with_both_beginnings_and_gets_nothing(
    scripted: Any, serve_with: Any, make_certificate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    certificate, expected = make_certificate(), "ab" * 32
    client = AsyncClient(serve_with(certificate) + expected)
    for ask in (client.status(), anext(client.live())):
        with pytest.raises(CertificateMismatch) as caught:
            await ask
        words = str(caught.value)
        assert certificate.fingerprint[:16] in words
        assert expected[:16] in words
        assert "'blitz token create'" in words
        assert TOKEN not in words
    assert scripted.requests == []
    await client.close()
    assert TOKEN not in caplog.text


async def test_the_certificate_is_compared_again_on_each_reconnect(
    scripted: Any, serve_with: Any, make_certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reader, "FIRST_WAIT_S", 0.01)
    first, second = make_certificate(), make_certificate()
    link = serve_with(first) + first.fingerprint
    scripted.scripts[:] = [status_then_hold]
    async with AsyncClient(link, max_wait_retry=0.05) as client, client.live() as stream, asyncio.timeout(30):
        await anext(stream)
        await asyncio.to_thread(serve_with, second)
        with pytest.raises(CertificateMismatch, match=second.fingerprint[:16]):
            _ = [entry async for entry in stream]
        with pytest.raises(CertificateMismatch):
            await client.status()
    assert scripted.requests == []


async def test_a_private_certificate_without_a_fingerprint_says_how_to_get_the_link(
    scripted: Any, serve_with: Any, make_certificate: Any
) -> None:
    serve_with(make_certificate("localhost", year=2020))
    client = AsyncClient(f"https://localhost:{scripted.port}", token=TOKEN)
    for ask in (client.status(), anext(client.live())):
        with pytest.raises(CertificateMismatch, match="Paste the link that 'blitz token create' prints"):
            await ask
    assert scripted.requests == []
    await client.close()


async def test_a_certificate_that_this_computer_trusts_is_verified_as_usual(
    scripted: Any, serve_with: Any, make_certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate("localhost", year=2020)
    serve_with(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    async with AsyncClient(f"https://localhost:{scripted.port}") as client:
        assert (await client.status()).version == "0"
    wrong_name = make_certificate("somewhere.else", year=2020)
    serve_with(wrong_name)
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong_name.path))
    client = AsyncClient(f"https://localhost:{scripted.port}", token=TOKEN)
    with pytest.raises(CertificateMismatch, match=r"[Hh]ostname mismatch"):
        await client.status()
    await client.close()
    assert all("Authorization" not in headers for _, headers in scripted.requests)


async def test_tls_where_none_is_and_none_where_it_is_are_told(
    scripted: Any, serve_with: Any, make_certificate: Any
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        client = AsyncClient(f"https://127.0.0.1:{port}", fingerprint="ab" * 32)
        for ask in (client.status(), anext(client.live())):
            with pytest.raises(ServerUnreachable, match="does not speak TLS"):
                await ask
        await client.close()
    serve_with(make_certificate())
    client = AsyncClient(f"http://127.0.0.1:{scripted.port}")
    with pytest.raises(ServerUnreachable, match="if it uses TLS, connect with all of the link"):
        await client.status()
    await client.close()


@pytest.mark.parametrize(
    ("written", "url", "token", "fingerprint"),
    [
        (f"blitz://lab-pi:9000/#{TOKEN}&{'0F' * 32}", "https://lab-pi:9000", TOKEN, "0f" * 32),
        (f" blitz://lab-pi/#{TOKEN}&{'0f' * 32}\n", "https://lab-pi:8999", TOKEN, "0f" * 32),
        (f"blitz://[fe80::1]:9000/#{TOKEN}", "http://[fe80::1]:9000", TOKEN, ""),
        (f"blitz://lab-pi/#&{'0f' * 32}", "https://lab-pi:8999", "", "0f" * 32),
        (f"blitz://lab-pi/#{'0f' * 32}", "https://lab-pi:8999", "", "0f" * 32),
        (f"https://lab-pi/lab/#{TOKEN}&{'0f' * 32}", "https://lab-pi:8999/lab", TOKEN, "0f" * 32),
        ("blitz://127.0.0.1", "http://127.0.0.1:8999", "", ""),
    ],
)
def test_links_are_read(written: str, url: str, token: str, fingerprint: str) -> None:
    address = ServerAddress.parse(written)
    assert (address.http_url, address.token, address.fingerprint) == (url, token, fingerprint)
    assert TOKEN not in f"{address}{address!r}{address.live_url({})}"


def test_what_a_link_says_goes_before_settings() -> None:
    link = f"blitz://lab-pi/#{TOKEN}&{'0f' * 32}"
    address = ServerAddress.parse(link, token="another", fingerprint="ab" * 32)
    assert (address.token, address.fingerprint) == (TOKEN, "0f" * 32)
    assert ServerAddress.parse(address) == address


@pytest.mark.parametrize(
    "wrong",
    [
        f"blitz://lab-pi/#{TOKEN}&{'0f' * 31}",
        f"blitz://lab-pi/#{TOKEN}&{'0g' * 32}",
        f"blitz://lab-pi/#{TOKEN}%0d%0aX&{'0f' * 32}",
        f"blitz://lab-pi:0/#{TOKEN}",
        f"ftp://lab-pi/#{TOKEN}",
        f"blitz:///#{TOKEN}",
        f"blitz://me:{TOKEN}@lab-pi/",
        f"http://lab-pi/#{TOKEN}&{'0f' * 32}",
        f"blitz://lab-pi/# {TOKEN}",
    ],
)
def test_a_wrong_link_is_told_without_its_token(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerAddress.parse(wrong)
    assert TOKEN not in str(caught.value)
    assert isinstance(caught.value, BlitzError)


def test_a_token_alone_is_no_name_to_look_up() -> None:
    with pytest.raises(ConfigError, match="This is a token alone") as caught:
        ServerAddress.parse("blz_c2VjcmV0")
    assert "c2VjcmV0" not in str(caught.value)


def test_a_fingerprint_for_plain_http_is_refused() -> None:
    with pytest.raises(ConfigError, match="plain HTTP"):
        AsyncClient("http://lab-pi:8999", fingerprint="ab" * 32)
    with pytest.raises(ConfigError, match="no fingerprint"):
        AsyncClient("https://lab-pi:8999", fingerprint="abc")
