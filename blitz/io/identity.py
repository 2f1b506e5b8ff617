"""Which port belongs to which source (pure).

The rule: USB vendor, product and serial number; then the board's own id; then the USB path. The same device keeps its
source under another port name, and another never takes its place. Where two look alike (clones without a serial
number, or all with the same one) and nothing else tells them apart, neither is attached and the operator is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from blitz.data.source_config import SourceConfig, UsbIdentity

Looks = tuple[int, int, str, str]
"""What is alike in clones: vendor, product, serial number, and which of a device's several ports it is."""


class Port(Protocol):
    """A port that is there; :class:`blitz.io.usb_ports.FoundPort` is one."""

    @property
    def port(self) -> str:
        """Its name."""

    @property
    def identity(self) -> UsbIdentity | None:
        """What USB says of it."""


@dataclass(frozen=True)
class Matching:
    """What belongs together."""

    attached: dict[str, str] = field(default_factory=dict)
    """Source name to what is to be opened; a source that is not named here is away."""
    fresh: list[str] = field(default_factory=list)
    """Ports of devices that no source is for."""
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Source name to the ports that might be its device: the operator has to say, once."""
    needs_asking: list[str] = field(default_factory=list)
    """Ports to be opened and asked for the board's id; then :func:`match` is called again."""


def looks(identity: UsbIdentity) -> Looks:
    """Return what is alike in clones.

    >>> looks(UsbIdentity(vendor_id=1, product_id=2, serial_number="A", usb_path="1-2.4:1.0"))
    (1, 2, 'A', '1.0')
    """
    interface = identity.usb_path.partition(":")[2]
    return (*identity.kind, identity.serial_number, interface)


def attach(source: SourceConfig, port: Port) -> SourceConfig:
    """Return the source as it is kept once a port is known to be its own: found again there at the next start."""
    return source.model_copy(update={"link": port.port, "identity": port.identity or source.identity})


def match(
    sources: Sequence[SourceConfig],
    ports: Sequence[Port],
    board_ids: Mapping[str, str | None] | None = None,
    *,
    resolve: Callable[[str], str] = str,
) -> Matching:
    """Decide which port belongs to which source.

    A source without an identity (a pty, a socket, a port on the mainboard) is its path, if no USB device that is
    known by more than its path has that name now.

    :param board_ids: what was learned by opening ports: the board's id, or None where it told none. Only of devices
        that have stayed plugged in since.
    :param resolve: turns a path into the port's own name, as :func:`blitz.io.usb_ports.real_port` does.
    """
    board_ids = board_ids or {}
    result = Matching()
    left = {port.port: port for port in ports}
    kinds: dict[Looks, _Group] = {}
    for source in sources:
        if source.identity is not None:
            kinds.setdefault(looks(source.identity), _Group(board_ids)).sources.append(source)
    for port in ports:
        if port.identity is not None and (group := kinds.get(looks(port.identity))) is not None:
            group.ports.append(port)
    spoken_for: set[str] = set()
    for group in kinds.values():
        spoken_for |= group.decide(result)
    for port_name in result.attached.values():
        del left[port_name]
    _match_paths(sources, left, spoken_for, result, resolve)
    result.fresh.extend(name for name in left if name not in spoken_for)
    return result


def _match_paths(
    sources: Sequence[SourceConfig],
    left: dict[str, Port],
    spoken_for: set[str],
    result: Matching,
    resolve: Callable[[str], str],
) -> None:
    """Attach the sources that are nothing but a path, and take their ports away from those that are left."""
    by_place = {resolve(name): name for name in left}
    taken = {resolve(name) for name in (*result.attached.values(), *spoken_for)}
    for source in sources:
        place = resolve(source.link)
        if source.identity is None and place not in taken:
            taken.add(place)
            result.attached[source.name] = by_place.get(place, source.link)
            left.pop(result.attached[source.name], None)


class _Group:
    """Sources and ports that look alike."""

    def __init__(self, board_ids: Mapping[str, str | None]) -> None:
        self.sources: list[SourceConfig] = []
        self.ports: list[Port] = []
        self._board_ids = board_ids

    def decide(self, result: Matching) -> set[str]:
        """Put into ``result`` what is certain, and what is open; return the ports about which something is open."""

        def take(source: SourceConfig, port: Port) -> None:
            result.attached[source.name] = port.port
            self.sources.remove(source)
            self.ports.remove(port)

        if len(self.sources) == len(self.ports) == 1 and self._is_told_by_serial_number():
            take(self.sources[0], self.ports[0])
        for is_decided in (self._is_told_by_id, self._is_told_by_place):
            for source, port in [(s, p) for s in self.sources for p in self.ports if is_decided(s, p)]:
                take(source, port)
        return self._leave_open(result)

    def _leave_open(self, result: Matching) -> set[str]:
        candidates = {
            source.name: tuple(port.port for port in self.ports if self._may_be(source, port))
            for source in self.sources
        }
        telling = [source.name for source in self.sources if source.board_id is not None]
        asked = {port for name in telling for port in candidates[name] if port not in self._board_ids}
        result.needs_asking.extend(port.port for port in self.ports if port.port in asked)
        result.ambiguous.update(
            (name, ports) for name, ports in candidates.items() if ports and not asked.intersection(ports)
        )
        return {port for ports in candidates.values() for port in ports}

    def _is_told_by_serial_number(self) -> bool:
        source, port = self.sources[0], self.ports[0]
        assert source.identity is not None
        return bool(source.identity.serial_number) and not self._contradict(source, port)

    def _is_told_by_id(self, source: SourceConfig, port: Port) -> bool:
        """Whether this board's id is that source's, and nobody else's."""
        if not self._has_same_id(source, port):
            return False
        same_sources = [other for other in self.sources if self._has_same_id(other, port)]
        same_ports = [other for other in self.ports if self._has_same_id(source, other)]
        if len(same_sources) == len(same_ports) == 1:
            return _is_at_home(source, port) or not any(map(self._is_stranger, self.ports))
        return self._is_only_pair_at_home(source, port, same_sources, same_ports)

    def _is_told_by_place(self, source: SourceConfig, port: Port) -> bool:
        if self._contradict(source, port):
            return False
        sources = [other for other in self.sources if not self._contradict(other, port)]
        ports = [other for other in self.ports if not self._contradict(source, other)]
        return self._is_only_pair_at_home(source, port, sources, ports)

    def _is_stranger(self, port: Port) -> bool:
        """Whether nothing is known of it: neither its id, nor a source at its place."""
        return port.port not in self._board_ids and not any(_is_at_home(source, port) for source in self.sources)

    @staticmethod
    def _is_only_pair_at_home(
        source: SourceConfig, port: Port, sources: Sequence[SourceConfig], ports: Sequence[Port]
    ) -> bool:
        return (
            _is_at_home(source, port)
            and sum(_is_at_home(other, port) for other in sources) == 1
            and sum(_is_at_home(source, other) for other in ports) == 1
        )

    def _has_same_id(self, source: SourceConfig, port: Port) -> bool:
        return source.board_id is not None and self._board_ids.get(port.port) == source.board_id

    def _contradict(self, source: SourceConfig, port: Port) -> bool:
        told = self._board_ids.get(port.port)
        return None not in (told, source.board_id) and told != source.board_id

    def _may_be(self, source: SourceConfig, port: Port) -> bool:
        """Whether a port that is not at the source's place might be its device, moved.

        A device that once told an id, and tells none now, is not.
        """
        if source.board_id is None or port.port not in self._board_ids:
            return True
        told = self._board_ids[port.port]
        return told == source.board_id or (told is None and _is_at_home(source, port))


def _is_at_home(source: SourceConfig, port: Port) -> bool:
    """Whether the port is where the source's device was seen last; its name counts where the system tells no place."""
    assert source.identity is not None
    assert port.identity is not None
    place = source.identity.usb_path or source.link
    return place == (port.identity.usb_path or port.port)
