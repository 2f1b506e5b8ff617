"""Where a server is: from what a script or an operator writes to the URLs that are asked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.errors import ConfigError

Host: TypeAlias = tuple[str, int] | tuple[str, int, Mapping[str, Any]]
"""Host name and port, and room for options."""

API_PATH = "/api/v1"


@dataclass(frozen=True)
class ServerAddress:
    """Host, port and scheme of one server.

    >>> ServerAddress.parse("bench1:9000").http_url
    'http://bench1:9000'
    >>> ServerAddress.parse([("::1", 8999)]).live_url({"session": "7"})
    'ws://[::1]:8999/api/v1/live?session=7'
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    is_tls: bool = False
    path: str = ""

    @classmethod
    def parse(cls, hostlist: str | Sequence[Host]) -> "ServerAddress":
        """Read a URL, ``HOST[:PORT]``, or a list with one ``(host, port)``.

        :raises ConfigError: naming what is wrong with it.
        """
        if isinstance(hostlist, str):
            return cls._parse_url(hostlist)
        hosts = list(hostlist)
        if len(hosts) != 1:
            raise ConfigError(f"The list of hosts has {len(hosts)} entries: give one, such as [('127.0.0.1', 8999)].")
        host, port = hosts[0][:2]
        if not isinstance(host, str) or not host or not isinstance(port, int) or not 0 < port < 65536:
            raise ConfigError(f"{hosts[0]!r} is no host: give a name and a port, such as ('127.0.0.1', 8999).")
        return cls(host, port)

    @classmethod
    def _parse_url(cls, text: str) -> "ServerAddress":
        wrong = ConfigError(f"{text!r} is no server's address: give a URL such as http://127.0.0.1:8999.")
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port
        except ValueError:
            raise wrong from None
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or any(char.isspace() or ord(char) < 32 for char in text)
            or "@" in parts.netloc
            or parts.query
            or parts.fragment
            or port == 0
        ):
            raise wrong
        is_tls = parts.scheme == "https"
        path = parts.path.rstrip("/").removesuffix(API_PATH)
        return cls(parts.hostname, DEFAULT_PORT if port is None else port, is_tls, path)

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
