"""A quick look at a server, against a real TLS socket: what is sent to whom."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blitz.errors import ServerUnreachable
from blitz.io.address import ServerAddress
from blitz.io.certificate import Certificate, private_certificate
from blitz.io.glance import glance

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n[{"name": "sim"}]'


class OneAnswer:
    """Answers one request in TLS, and keeps what came."""

    def __init__(self, certificate: Certificate) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._context, self._socket = context, socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        connection, _ = self._socket.accept()
        with connection, suppress(OSError), self._context.wrap_socket(connection, server_side=True) as secure:
            self.received = secure.recv(65536)
            if self.received:
                secure.sendall(ANSWER)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return private_certificate(tmp_path)


@pytest.fixture
def server(certificate: Certificate) -> Iterator[OneAnswer]:
    server = OneAnswer(certificate)
    yield server
    server.close()


def test_the_server_of_the_fingerprint_is_asked_with_the_token(server: OneAnswer, certificate: Certificate) -> None:
    address = ServerAddress.parse(f"blitz://127.0.0.1:{server.port}/#blz_secret&{certificate.fingerprint}")
    assert glance(address, "/boards", 30) == [{"name": "sim"}]
    server.close()
    assert server.received.startswith(b"GET /api/v1/boards HTTP/1.1\r\n")
    assert b"Authorization: Bearer blz_secret\r\n" in server.received


def test_another_server_gets_nothing(server: OneAnswer) -> None:
    address = ServerAddress.parse(f"blitz://127.0.0.1:{server.port}/#blz_secret&{32 * 'a7'}")
    with pytest.raises(ServerUnreachable):
        glance(address, "/boards", 30)
    server.close()
    assert server.received == b""


def test_a_private_certificate_without_its_fingerprint_gets_nothing(server: OneAnswer) -> None:
    with pytest.raises(ServerUnreachable):
        glance(ServerAddress.parse(f"https://127.0.0.1:{server.port}", token="blz_secret"), "/boards", 30)
    server.close()
    assert server.received == b""


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(ServerUnreachable, match="Cannot reach a Blitz server"):
        glance(ServerAddress.parse("http://127.0.0.1:9"), "/boards", 30)
