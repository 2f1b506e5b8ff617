"""Slowing down whoever tries one wrong token after the other. Pure but for the clock that it is given.

Counts by remote address, so that it never slows anybody who comes from elsewhere. Memory is bounded.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

FREE_ATTEMPTS = 5
"""Wrong tokens that cost nothing: people mistype, and programs are started with yesterday's token."""

LONGEST_S = 30.0
_FORGOTTEN_S = 600.0
_ADDRESSES = 10_000


@dataclass
class _Record:
    failures: int = 0
    until_s: float = 0.0
    last_s: float = 0.0


class Throttle:
    """Says how long an address is not listened to. Used by one thread.

    >>> clock = iter([0.0] * 6 + [0.25, 100.0]).__next__
    >>> throttle = Throttle(clock)
    >>> for attempt in range(FREE_ATTEMPTS + 1): throttle.count_failure("10.0.0.7")
    >>> throttle.wait_s("10.0.0.7"), throttle.wait_s("10.0.0.7")
    (0.75, 0.0)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return for how long nothing is taken from an address; 0 if it may try."""
        record = self._records.get(network_of(address))
        return 0.0 if record is None else max(0.0, record.until_s - self._clock())

    def count_failure(self, address: str) -> None:
        """Note a wrong token: after a few, each doubles the wait, from a second on."""
        network, now_s = network_of(address), self._clock()
        record = self._records.pop(network, None)
        if record is None or now_s - record.last_s > _FORGOTTEN_S:
            record = _Record()
        self._records[network] = record
        record.failures += 1
        record.last_s = now_s
        surplus = record.failures - FREE_ATTEMPTS
        if surplus > 0:
            record.until_s = now_s + min(2.0 ** min(surplus - 1, 10), LONGEST_S)
        if len(self._records) > _ADDRESSES:
            self._records.popitem(last=False)

    def take_back(self, address: str) -> None:
        """Undo the last failure: the token turned out to be a good one."""
        record = self._records.get(network_of(address))
        if record is not None:
            record.failures -= 1
            record.until_s = 0.0


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return what counts as one address: a single host has a whole /64 of IPv6.

    >>> network_of("2001:db8::1"), network_of("::ffff:10.0.0.7"), network_of("10.0.0.7")
    ('2001:db8::/64', '10.0.0.7', '10.0.0.7')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
