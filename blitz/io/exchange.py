"""One request, one answer: HTTP with a server, and what an operator is told when it goes wrong.

Owns the HTTP client and the translation of its faults, and of the server's problem details, into Blitz's errors.
Knows no call of the interface by name.
"""

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from blitz.config import LOOPBACK_HOSTS
from blitz.data.source_records import OWNER_HEADER
from blitz.errors import (
    BlitzError,
    RemoteError,
    RequestTimeout,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    UnknownAnswer,
    error_for_code,
)
from blitz.io.address import API_PATH, ServerAddress
from blitz.io.pinning import client_context, tls_fault

log = logging.getLogger(__name__)

ARROW = "application/vnd.apache.arrow.stream"
_JSON = "application/json"
_IDLE_S = 3.0
"""An idle connection is closed before uvicorn does it (5 s): a request must not run into a closing one."""
_MAX_IN_FLIGHT = 8
RETRY_AFTER = "Retry-After"
_TOO_MANY, _UNAVAILABLE = 429, 503
_LONGEST_BUSY_S = 600.0
"""Nobody waits longer than that, whatever a server says."""


class HttpExchange:
    """Requests to one server, on one event loop.

    :param owner: who asks, as user@machine; told with each request.
    :param timeout_s: for a whole answer in JSON; for a block, whose size nobody knows, between two reads.
    """

    def __init__(self, address: ServerAddress, timeout_s: float, owner: str = "") -> None:
        self._address = address
        self._timeout_s = timeout_s
        self.tls = client_context(address)
        self.headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        is_exposed = bool(address.token) and not address.is_tls and address.host not in LOOPBACK_HOSTS
        self._must_sound = is_exposed
        # A laboratory's server is reached directly: proxies of the environment are for the world outside.
        self._http = httpx.AsyncClient(
            base_url=f"{address.http_url}{API_PATH}",
            headers={"Accept": _JSON, OWNER_HEADER: quote(owner, safe="@")},
            timeout=timeout_s,
            verify=self.tls or False,  # False: without TLS there is nothing to verify
            trust_env=False,
            limits=httpx.Limits(max_connections=_MAX_IN_FLIGHT, keepalive_expiry=_IDLE_S),
        )

    async def close(self) -> None:
        """Close the connections; a second time is allowed."""
        await self._http.aclose()

    async def sound(self) -> None:
        """Before a token goes over the network as it is: see that the server means to speak plain HTTP.

        A link whose fingerprint was cut off, as a shell does where the quotes are missing, looks like one to such a
        server; but its server waits for TLS, and hangs up on a question that bears no token.

        :raises RemoteError: if no HTTP comes back.
        """
        if not self._must_sound:
            return
        try:
            await self._request("GET", "/health")
        except (ServerUnreachable, RequestTimeout):
            raise
        except BlitzError as error:
            log.debug("%s answers without a token: %s", self._address, error)
        self._must_sound = False

    async def fetch_json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> tuple[int, Any]:
        """Send a request and return the status and the decoded answer (None where it is empty).

        :raises BlitzError: the error that the server's code stands for, or a RemoteError.
        """
        limit_s = timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._send(method, path, json=body, timeout=limit_s)
        except TimeoutError as error:
            if isinstance(error, BlitzError):
                raise
            raise self._too_late(method, path, limit_s) from error
        if not answer.content:
            return answer.status_code, None
        try:
            return answer.status_code, answer.json()
        except ValueError as error:
            raise self.not_understood(f"{method} {path}", answer.status_code) from error

    async def fetch_block(self, path: str, params: Mapping[str, Any]) -> bytes:
        """Ask for messages, or what was made of them, and return the encoded block or table.

        :raises BlitzError: as :meth:`fetch_json`.
        """
        return (await self.fetch_content(path, params, ARROW))[1]

    async def fetch_content(self, path: str, params: Mapping[str, Any], accept: str) -> tuple[str, bytes]:
        """Ask for bytes in one of several forms, and return their media type, and them.

        :param accept: media types, with commas between.
        :raises BlitzError: as :meth:`fetch_json`.
        """
        answer = await self._send("GET", path, params=params, headers={"Accept": accept})
        return answer.headers.get("Content-Type", ""), answer.content

    def not_understood(self, what: str, status: int) -> ServerError:
        """Return the error for an answer that is not in our language."""
        return UnknownAnswer(
            f"{self._address} answered {what} with something that is not Blitz's (HTTP status {status}). "
            "Check that a Blitz server of the same version runs at this address.",
            status=status,
        )

    async def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        await self.sound()
        return await self._request(method, path, headers=self.headers | dict(headers or {}), **request)

    async def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._send_again_if_stale(method, path, **request)
        except RuntimeError as error:
            # httpx says so when another task closed the client in the meantime.
            if not self._http.is_closed:
                raise
            raise closed_error(self._address) from error
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                raise unreachable(self._address, f"no answer within {self._timeout_s:g} s") from error
            raise self._too_late(method, path, self._timeout_s) from error
        except httpx.ConnectError as error:
            raise tls_fault(self._address, error) or unreachable(self._address, _reason(error)) from error
        except httpx.TransportError as error:
            raise ServerUnreachable(
                f"The connection to {self._address} broke during {method} {path}: {_reason(error)}. "
                f"{broken_remedy(self._address)}"
            ) from error
        if answer.is_success:
            return answer
        refusal = problem(answer.content, answer.status_code, answer.headers.get(RETRY_AFTER))
        raise refusal or self.not_understood(f"{method} {path}", answer.status_code)

    async def _send_again_if_stale(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Reading may be asked twice: a kept connection can turn out to be dead after a restart of the server."""
        if method == "GET":
            try:
                return await self._http.request(method, path, **request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                pass
        return await self._http.request(method, path, **request)

    def _too_late(self, method: str, path: str, limit_s: float) -> RequestTimeout:
        return RequestTimeout(
            f"{self._address} did not answer {method} {path} within {limit_s:g} s. "
            "Check that the server is not overloaded, or allow more time."
        )


def problem(body: bytes, status: int, retry_after: str | None = None) -> BlitzError | None:
    """Return the error that a server's problem details (RFC 9457) stand for; None if the body holds none.

    :param retry_after: the answer's header of that name, which stands for a busy server whatever the body says.
    """
    try:
        details = json.loads(body)
        code = str(details["code"])
        sentence = details.get("detail") or details.get("title") or f"The server answered with HTTP status {status}."
    except (ValueError, TypeError, KeyError, AttributeError):
        if status != _TOO_MANY and (status != _UNAVAILABLE or retry_after is None):
            return None
        code, sentence = ServerBusy.code, f"The server is busy (HTTP status {status}). Try again later."
    error = error_for_code(code, str(sentence), status)
    if isinstance(error, ServerBusy):
        error.retry_after_s = _seconds(retry_after)
    return error


def _seconds(retry_after: str | None) -> float | None:
    """Read ``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date.

    >>> _seconds("7"), _seconds("soon")
    (7.0, None)
    """
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _LONGEST_BUSY_S) if math.isfinite(seconds) else None


def unreachable(address: ServerAddress, reason: str) -> ServerUnreachable:
    """Return the sentence for a server that does not answer."""
    error = ServerUnreachable(
        f"Cannot reach a Blitz server at {address}: {reason}. Start one there with 'blitz serve', or check the address."
    )
    error.was_sent = False
    return error


def broken_remedy(address: ServerAddress) -> str:
    """Say what to do when a connection breaks before there is an answer: a server with TLS hangs up on plain HTTP."""
    if address.is_tls:
        return "Check that the server still runs, then try again."
    return (
        "Check that the server still runs, then try again; if it uses TLS, connect with all of the link that "
        "'blitz token create' prints there, on a command line in quotes."
    )


def closed_error(address: ServerAddress) -> RemoteError:
    """Return the error for a call after `close()`."""
    return RemoteError(f"This client of {address} is closed: make a new one.")


def describe_os_error(error: OSError) -> str:
    """Say in lower-case words why a connection failed, without asyncio's wrapping.

    >>> describe_os_error(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 8999)"))
    'connection refused'
    """
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return "it closed the connection"
    if str(error).startswith("Multiple exceptions"):
        return "none of the host's addresses answers"
    return (error.strerror or str(error) or type(error).__name__).lower().rstrip(".")


def _reason(error: BaseException) -> str:
    """Find the system's own fault below httpx's, httpcore's and anyio's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return describe_os_error(cause)
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return str(error).rstrip(".") or "the connection was lost"
