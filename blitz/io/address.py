"""Where a server is: from what a script or an operator writes to the URLs that are asked. Pure.

A **link**, which ``blitz token create`` prints, says all that a client needs in one line to paste:
``blitz://host:port/#TOKEN&FINGERPRINT``. The fingerprint, SHA-256 of the server's certificate as 64 hex digits, stands
for TLS; without it the server is asked over plain HTTP. Either part may be missing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.errors import ConfigError

Host: TypeAlias = tuple[str, int] | tuple[str, int, Mapping[str, Any]]
"""Host name and port, and room for options."""

API_PATH = "/api/v1"
LINK_SCHEME = "blitz"
TOKEN_PREFIX = "blz_"
"""With which the tokens of ``blitz token create`` begin."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What may stand behind ``Bearer``: RFC 6750, section 2.1."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ServerAddress:
    """Host, port and scheme of one server, and what its link says of token and certificate.

    As text it never shows the token, so that it may stand in logs and on screens.

    >>> ServerAddress.parse("bench1:9000").http_url
    'http://bench1:9000'
    >>> ServerAddress.parse([("::1", 8999)]).live_url({"session": "7"})
    'ws://[::1]:8999/api/v1/live?session=7'
    >>> print(ServerAddress.parse("blitz://lab-pi:8999/#blz_c2VjcmV0&" + 32 * "a7"))
    https://lab-pi:8999
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    is_tls: bool = False
    path: str = ""
    fingerprint: str = ""
    """SHA-256 of the certificate that the server must show, 64 small hex digits; empty: verified as usual."""
    token: str = field(default="", repr=False)

    @classmethod
    def parse(
        cls,
        hostlist: "str | ServerAddress | Sequence[Host]",
        *,
        token: str | None = None,
        fingerprint: str | None = None,
    ) -> "ServerAddress":
        """Read a link, a URL, ``HOST[:PORT]``, or a list with one ``(host, port)``.

        :param token: from a setting or an argument; what a link says itself goes before it.
        :param fingerprint: likewise; where nothing says http or https, it stands for https.
        :raises ConfigError: naming what is wrong, without the token.
        """
        if isinstance(hostlist, ServerAddress):
            address, scheme = hostlist, "https" if hostlist.is_tls else "http"
        elif isinstance(hostlist, str):
            address, scheme = cls._parse_url(hostlist.strip())
        else:
            address, scheme = cls._parse_list(list(hostlist)), ""
        expected = address.fingerprint or (normal_fingerprint(fingerprint) if fingerprint else "")
        if expected and scheme == "http":
            raise ConfigError(
                f"{address} is plain HTTP, where no certificate can be verified, but a fingerprint is given for it. "
                "Write https:// instead, or give no fingerprint."
            )
        is_tls = scheme == "https" or bool(expected)
        return replace(address, token=address.token or token or "", fingerprint=expected, is_tls=is_tls)

    @classmethod
    def _parse_list(cls, hosts: "list[Host]") -> "ServerAddress":
        if len(hosts) != 1:
            raise ConfigError(f"The list of hosts has {len(hosts)} entries: give one, such as [('127.0.0.1', 8999)].")
        host, port = hosts[0][:2]
        if not isinstance(host, str) or not host or not isinstance(port, int) or not 0 < port < 65536:
            raise ConfigError(f"{hosts[0]!r} is no host: give a name and a port, such as ('127.0.0.1', 8999).")
        return cls(host, port)

    @classmethod
    def _parse_url(cls, text: str) -> "tuple[ServerAddress, str]":
        """Return what a link or URL says, and its scheme; empty where none was written."""
        wrong = ConfigError(
            f"{_without_secrets(text)!r} is no server's address: give a URL such as http://127.0.0.1:8999, "
            "or the link that 'blitz token create' prints."
        )
        has_scheme = "://" in text
        if text.startswith(TOKEN_PREFIX):  # it must not be looked up as a name, nor shown
            raise ConfigError(
                "This is a token alone. Paste the whole link that 'blitz token create' printed: it begins with "
                f"{LINK_SCHEME}://; or give the server's address, and the token as BLITZ_TOKEN or in its own field."
            )
        try:
            parts = urlsplit(text if has_scheme else f"http://{text}")
            port = parts.port
        except ValueError:
            raise wrong from None
        if (
            parts.scheme not in ("http", "https", LINK_SCHEME)
            or not parts.hostname
            or any(char.isspace() or ord(char) < 32 for char in text)
            or "@" in parts.netloc
            or parts.query
            or port == 0
        ):
            raise wrong
        token, fingerprint = _read_fragment(parts.fragment)
        path = parts.path.rstrip("/").removesuffix(API_PATH)
        port = DEFAULT_PORT if port is None else port
        address = cls(parts.hostname, port, parts.scheme == "https", path, fingerprint, token)
        return address, parts.scheme if has_scheme and parts.scheme != LINK_SCHEME else ""

    @property
    def http_url(self) -> str:
        """The server's own address, as an operator would write it."""
        return f"http{'s' if self.is_tls else ''}://{self._netloc}{self.path}"

    def live_url(self, query: Mapping[str, str]) -> str:
        """Return the address of the live connection."""
        tail = f"?{urlencode(query)}" if query else ""
        return f"ws{'s' if self.is_tls else ''}://{self._netloc}{self.path}{API_PATH}/live{tail}"

    @property
    def _netloc(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        return self.http_url


def normal_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 small hex digits; other programs write capitals, and colons between.

    :raises ConfigError: if it is none.

    >>> normal_fingerprint(":".join(32 * ["A7"]))[:8]
    'a7a7a7a7'
    """
    digits = re.sub(r"[:\s]", "", text).lower()
    if not _FINGERPRINT.fullmatch(digits):
        raise ConfigError(
            f"{text!r} is no fingerprint of a certificate, which has 64 hex digits (SHA-256). The link that "
            "'blitz token create' prints on the server ends with it."
        )
    return digits


def _read_fragment(fragment: str) -> tuple[str, str]:
    """Return token and fingerprint of a link; either may be empty.

    :raises ConfigError: without showing what may be a token.
    """
    token, _, fingerprint = fragment.partition("&")
    if not fingerprint and _FINGERPRINT.fullmatch(token.lower()):
        token, fingerprint = "", token
    fingerprint = fingerprint.lower()
    if (token and not _TOKEN.fullmatch(token)) or (fingerprint and not _FINGERPRINT.fullmatch(fingerprint)):
        raise ConfigError(
            "The link is damaged: behind its # stand a token, an & and 64 hex digits. Copy all of the line that "
            "'blitz token create' printed; on a command line put it between quotes."
        )
    return token, fingerprint


def _without_secrets(text: str) -> str:
    """Return what was written as it may be shown: without what stands behind # or before @."""
    shown = text.partition("#")[0]
    scheme, separator, rest = shown.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
