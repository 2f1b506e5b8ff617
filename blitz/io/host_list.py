"""The servers that a script names: each with its address, how often it is chosen, whether it is for need only. Pure.

They stand for one store: several hosts are several ways to the same sessions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blitz.errors import ConfigError
from blitz.io.address import Host, ServerAddress

LEAST_WEIGHT, MOST_WEIGHT = 1, 9
_OPTIONS = ("weight", "backup", "token", "fingerprint")


@dataclass(frozen=True)
class HostEntry:
    """One server of a list.

    :param weight: 1 to 9: a host of weight 3 gets three times as many calls as one of weight 1.
    :param is_backup: it is asked only where none of the others is available.
    """

    address: ServerAddress
    weight: int = LEAST_WEIGHT
    is_backup: bool = False


def parse_hosts(
    hostlist: "str | ServerAddress | Sequence[Host | str | ServerAddress]",
    *,
    token: str | None = None,
    fingerprint: str | None = None,
) -> tuple[HostEntry, ...]:
    """Read one address, or a list of them.

    :param hostlist: a link, a URL, ``HOST[:PORT]``, or a list of those and of ``(host, port, options)``; options are
        ``weight``, ``backup``, ``token`` and ``fingerprint``.
    :param token: for all that name none themselves; likewise `fingerprint`.
    :raises ConfigError: naming what is wrong, without the token.

    >>> [(str(host.address), host.weight, host.is_backup) for host in parse_hosts(
    ...     [("a", 9000, {"weight": 3}), ("b", 9000, {"backup": True})])]
    [('http://a:9000', 3, False), ('http://b:9000', 1, True)]
    """
    if isinstance(hostlist, str | ServerAddress):
        return (HostEntry(ServerAddress.parse(hostlist, token=token, fingerprint=fingerprint)),)
    entries = tuple(_entry(host, token, fingerprint) for host in hostlist)
    if not entries:
        raise ConfigError("The list of hosts is empty: give at least one, such as [('127.0.0.1', 8999)].")
    places = [entry.address.http_url for entry in entries]
    for place in places:
        if places.count(place) > 1:
            raise ConfigError(f"{place} stands in the list of hosts {places.count(place)} times: once is enough.")
    return entries


def _entry(host: "Host | str | ServerAddress", token: str | None, fingerprint: str | None) -> HostEntry:
    if isinstance(host, str | ServerAddress):
        return HostEntry(ServerAddress.parse(host, token=token, fingerprint=fingerprint))
    if not isinstance(host, Sequence) or not all(isinstance(part, Mapping) for part in host[2:]):
        raise ConfigError(f"{host!r} is no host: give a name and a port, such as ('127.0.0.1', 8999).")
    options: dict[str, Any] = {}
    for part in host[2:]:
        options.update(part)  # type: ignore[arg-type]
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"{name!r} is no option of a host. There are: {', '.join(_OPTIONS)}.")
    weight, is_backup = options.get("weight", LEAST_WEIGHT), options.get("backup", False)
    if isinstance(weight, bool) or not isinstance(weight, int) or not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise ConfigError(
            f"The weight of {host[0]!r} is {weight!r}: give a whole number, {LEAST_WEIGHT} to {MOST_WEIGHT}."
        )
    if not isinstance(is_backup, bool):
        raise ConfigError(f"The option backup of {host[0]!r} is {is_backup!r}: give True or False.")
    place: Host = (host[0], host[1] if len(host) > 1 else 0)  # type: ignore[assignment]
    token, fingerprint = options.get("token") or token, options.get("fingerprint") or fingerprint
    return HostEntry(ServerAddress.parse([place], token=token, fingerprint=fingerprint), weight, is_backup)
