"""Servers on the network: how they announce themselves, and looking for those that do (DNS service discovery, mDNS).

What is heard is what anybody on the network says: it tells where a server may be, never whom to trust. No token and no
fingerprint is announced; the link of ``blitz token create`` brings both. Knows nothing of Qt.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from blitz.config import DEFAULT_PORT
from blitz.errors import PackageMissing, RemoteError

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, ServiceStateChange, Zeroconf

log = logging.getLogger(__name__)

SERVICE_TYPE = "_blitz._tcp.local."
_RESOLVE_MS = 3000
LOOK_S = 10.0
"""So often it is looked at whether the machine has other addresses."""
_LONGEST_NAME = 63 - len("-65535-99")
"""Bytes of a label of DNS, with room for a port, and for a number where two machines have one name."""


@dataclass(frozen=True)
class FoundServer:
    """A server that announces itself."""

    name: str
    """What it is called, as a rule its machine's name; unique on the network at a time."""
    addresses: tuple[str, ...]
    """Of its machine, those of IPv4 first."""
    port: int
    uses_tls: bool = True
    needs_fingerprint: bool = True
    """Its certificate is its own: a client must know the fingerprint, from a link."""
    version: str = ""
    store_id: str = ""
    """Of its store: the same one as in the links and caches of that server."""

    @property
    def url(self) -> str:
        """Where it is reached.

        >>> FoundServer("lab-pi", ("192.168.1.5",), 8999).url
        'https://192.168.1.5:8999'
        """
        host = self.addresses[0] if self.addresses else self.name
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.uses_tls else 'http'}://{shown}:{self.port}"


class ServerBrowser:
    """Looks for servers from :meth:`start` to :meth:`close`.

    :param found: told of each server, and again when it announces something else; called in a thread of the browser.
    :param lost: told the name of each that has gone, or has not been heard of for a while; called there, too.
    :param interfaces: addresses of this machine on whose networks to look; None: on all.
    """

    def __init__(
        self,
        found: Callable[[FoundServer], None],
        lost: Callable[[str], None] = lambda name: None,
        interfaces: Sequence[str] | None = None,
    ) -> None:
        self._found = found
        self._lost = lost
        self._interfaces = interfaces
        self._zeroconf: Zeroconf | None = None

    def start(self) -> None:
        """Begin to look; returns at once.

        :raises RemoteError: if that is not possible here, such as without any network.
        :raises PackageMissing: if zeroconf is not installed.
        """
        self._zeroconf = open_network(self._interfaces)
        from zeroconf import ServiceBrowser

        ServiceBrowser(self._zeroconf, SERVICE_TYPE, handlers=[self._on_change])

    def close(self) -> None:
        """End; nothing is told any more behind it."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            zeroconf.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _on_change(
        self, zeroconf: "Zeroconf", service_type: str, name: str, state_change: "ServiceStateChange"
    ) -> None:
        """Zeroconf calls it in the browser's thread, by these names."""
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            if self._zeroconf is not None:
                self._lost(name.removesuffix(f".{service_type}"))
            return
        info = zeroconf.get_service_info(service_type, name, _RESOLVE_MS)
        server = None if info is None else read_announcement(info)
        if server is not None and self._zeroconf is not None:
            self._found(server)


def discover(wait_s: float = 3.0, interfaces: Sequence[str] | None = None) -> list[FoundServer]:
    """Look for servers for a while; return those that are there, by name.

    :param wait_s: two at least: the first question is asked so that only one program of this machine gets the answer.
    :raises RemoteError: if that is not possible here.
    """
    servers: dict[str, FoundServer] = {}

    def add(server: FoundServer) -> None:
        servers[server.name] = server

    def remove(name: str) -> None:
        servers.pop(name, None)

    with ServerBrowser(add, remove, interfaces):
        time.sleep(wait_s)
    return [servers[name] for name in sorted(servers)]


@dataclass(frozen=True)
class Announcement:
    """What a server says of itself.

    :param host: the address that it listens on.
    """

    name: str
    host: str
    port: int
    uses_tls: bool
    needs_fingerprint: bool
    version: str
    store_id: str

    @property
    def label(self) -> str:
        """The name under which it is announced: several servers of one machine have several.

        >>> Announcement("lab-pi.example.org", "", 9000, True, True, "", "").label
        'lab-pi-9000'
        """
        label = self.name.partition(".")[0].strip() or "blitz"
        while len(label.encode()) > _LONGEST_NAME:
            label = label[:-1]
        return label if self.port == DEFAULT_PORT else f"{label}-{self.port}"

    def properties(self) -> dict[str, str]:
        """Return what goes into the TXT record."""
        return {
            "version": self.version,
            "store_id": self.store_id,
            "tls": str(int(self.uses_tls)),
            "private": str(int(self.needs_fingerprint)),
        }


class Announcer:
    """Announces a server, in a thread of its own: nobody waits for the network. What goes wrong is one warning, and
    tried again.

    :param interfaces: addresses of this machine on whose networks to announce; None: where the server listens.
    """

    def __init__(self, announcement: Announcement, interfaces: Sequence[str] | None = None) -> None:
        self.announced = threading.Event()
        """Set once it is."""
        self._announcement = announcement
        self._interfaces = interfaces
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_s: float = 1.0) -> None:
        """Withdraw it; the network is waited for that long."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        is_told = False
        while True:
            try:
                self._announce()
            except PackageMissing as error:
                log.warning("The server is not announced on the network: %s", error)
                return
            except Exception as error:  # noqa: BLE001 - a convenience: whatever is wrong with the network
                if not is_told:
                    log.warning("The server is not announced on the network: %s", error or type(error).__name__)
                is_told = True
                self._stopping.wait(LOOK_S)
            if self._stopping.is_set():
                return

    def _announce(self) -> None:
        """Announce the server until it ends, or the machine has other addresses: a network may come late, and change.

        :raises RemoteError: if that is not possible at present.
        """
        host = self._announcement.host
        zeroconf = open_network(self._interfaces or _addresses_of(host) or None)
        try:
            addresses = self._addresses()
            if not addresses:
                raise RemoteError("this machine has no address yet.")
            info = _service(self._announcement, addresses)
            zeroconf.register_service(info, allow_name_change=True, strict=False)
            self.announced.set()
            log.info("Announced on the network as %s", info.name.removesuffix(f".{SERVICE_TYPE}"))
            while not self._stopping.wait(LOOK_S) and self._addresses() == addresses:
                pass
            zeroconf.unregister_service(info)
        finally:
            with contextlib.suppress(Exception):
                zeroconf.close()

    def _addresses(self) -> list[str]:
        return _addresses_of(self._announcement.host) or list(self._interfaces or ()) or own_addresses()


def open_network(interfaces: Sequence[str] | None) -> "Zeroconf":
    """Take part in multicast DNS.

    :param interfaces: None: all.
    :raises RemoteError: if that is not possible here.
    :raises PackageMissing: if zeroconf is not installed.
    """
    try:
        from zeroconf import InterfaceChoice, Zeroconf
    except ModuleNotFoundError as error:
        raise PackageMissing(
            "Finding servers on the network needs zeroconf, which is not installed. Install it with: pip install "
            '"blitz[gui]"'
        ) from error
    for interface in interfaces or ():
        _check_interface(interface)  # zeroconf 0.154 leaves a socket open where it cannot
    try:
        return Zeroconf(interfaces=InterfaceChoice.All if interfaces is None else list(interfaces))
    except Exception as error:
        raise RemoteError(f"Cannot look at the network (multicast DNS): {error or type(error).__name__}.") from error


def _check_interface(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError as error:
        raise RemoteError(f"{address} is no address of this machine ({error.strerror or error}).") from error


def read_announcement(info: "ServiceInfo") -> FoundServer | None:
    """Return what a server says of itself; None where it makes no sense: anybody may announce anything."""
    texts = {
        key.decode("utf-8", "replace"): (value or b"").decode("utf-8", "replace")[:200]
        for key, value in info.properties.items()
    }
    addresses = sorted(info.parsed_scoped_addresses(), key=lambda address: ":" in address)
    name = info.name.removesuffix(f".{info.type}")
    if not info.port or not addresses or not name.isprintable():
        return None
    return FoundServer(
        name,
        tuple(addresses),
        info.port,
        uses_tls=texts.get("tls", "1") != "0",
        needs_fingerprint=texts.get("private", "1") != "0",
        version=texts.get("version", ""),
        store_id=texts.get("store_id", ""),
    )


def _addresses_of(host: str) -> list[str]:
    """Return the addresses that a host has; none for one that stands for all interfaces."""
    if host in ("", "0.0.0.0", "::"):
        return []
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


def own_addresses() -> list[str]:
    """Return the addresses at which other machines may reach this one now."""
    from zeroconf import get_all_addresses  # type: ignore[attr-defined]

    return sorted(each for each in get_all_addresses() if not ip_address(each).is_loopback)


def _service(announcement: Announcement, addresses: Sequence[str]) -> "ServiceInfo":
    from zeroconf import ServiceInfo

    return ServiceInfo(
        SERVICE_TYPE,
        f"{announcement.label}.{SERVICE_TYPE}",
        port=announcement.port,
        properties=announcement.properties(),
        server=f"{announcement.label}.local.",
        parsed_addresses=list(addresses),
    )
