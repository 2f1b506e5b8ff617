"""One quick look at what a server lists, with next to nothing imported: for a shell that waits for its completions."""

import hmac
import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from blitz.errors import ServerUnreachable
from blitz.io.address import API_PATH, ServerAddress
from blitz.io.pinning import client_context, fingerprint_of

_LIMIT_BYTES = 4 << 20


def glance(address: ServerAddress, path: str, timeout_s: float) -> Any:
    """Return the JSON that the server answers to a GET.

    :param path: below the interface's root, such as ``/boards``.
    :param timeout_s: for each wait on the network; looking up a name may take longer.
    :raises ServerUnreachable: for whatever went wrong; it is not said what.
    """
    connection = _connection(address, timeout_s)
    try:
        connection.connect()
        if address.fingerprint:
            _compare(connection, address.fingerprint)
        headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        connection.request("GET", f"{address.path}{API_PATH}{path}", headers=headers)
        response = connection.getresponse()
        content = response.read(_LIMIT_BYTES)
        if response.status != 200:
            raise ServerUnreachable(f"{address} answered {response.status}.")
        return json.loads(content)
    except (OSError, HTTPException, ValueError) as error:
        raise ServerUnreachable(f"Cannot reach a Blitz server at {address}.") from error
    finally:
        connection.close()


def _connection(address: ServerAddress, timeout_s: float) -> HTTPConnection:
    if not address.is_tls:
        return HTTPConnection(address.host, address.port, timeout=timeout_s)
    return HTTPSConnection(address.host, address.port, timeout=timeout_s, context=client_context(address))


def _compare(connection: HTTPConnection, fingerprint: str) -> None:
    """Give up before anything is sent, if it is another certificate: only asyncio's connections are compared so far."""
    certificate = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
    if not hmac.compare_digest(fingerprint_of(certificate or b""), fingerprint):
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "the certificate is not the one that is expected")
