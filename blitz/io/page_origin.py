"""Whether a request names this server, and does not come from a foreign web page. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from blitz.config import LOOPBACK_HOSTS
from blitz.io.refusal import Refusal


class OwnNames:
    """What this server is called.

    :param hosts: names and addresses of this server besides the loopback ones, without ports.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = {host.lower() for host in (*LOOPBACK_HOSTS, *hosts)}

    def refusal(self, headers: Mapping[bytes, str]) -> Refusal | None:
        """Return why a request is turned away; None if it names us and comes from no page, or from our own."""
        host = headers.get(b"host", "")
        if not self._is_ours(_hostname(host)):
            return Refusal(
                421,
                "wrong_host",
                f"This server is not called {host!r}. If it should be, name it in its setting allowed_hosts "
                "(BLITZ_ALLOWED_HOSTS).",
            )
        origin = headers.get(b"origin")
        if origin is not None and _netloc(origin) != host.lower():
            return Refusal(403, "foreign_origin", f"Pages from {origin} may not talk to this server.")
        return None

    def _is_ours(self, hostname: str | None) -> bool:
        """An address is as good as a name of ours: only a name can be made to lead here by somebody else."""
        if hostname is None:
            return False
        try:
            ipaddress.ip_address(hostname)
        except ValueError:
            return hostname in self._hosts
        return True


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
