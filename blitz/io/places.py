"""Where devices are: the ports of this machine, whose they are, and what boards said of themselves.

Applies the rule of :mod:`blitz.io.identity` to the real world, and keeps what must never be opened from being opened.
"""

import threading
import time
from collections.abc import Callable, Sequence

from blitz.data.source_config import SourceConfig
from blitz.errors import ConfigError, LinkError
from blitz.io import identity
from blitz.io.device import Placement
from blitz.io.identity import Matching
from blitz.io.usb_ports import FoundPort, find_ports, is_forbidden, real_port

KEPT_S = 0.2

AskId = Callable[[str], str | None]
"""Opens a port and returns the id that the board there says it has; raises LinkError if it cannot be opened."""


class Places:
    """May be used from any thread.

    :param configs: gives all sources.
    :param never_touch: see :func:`~blitz.io.usb_ports.is_forbidden`.
    :param find: lists the ports there are, if not the system does.
    """

    def __init__(
        self,
        configs: Callable[[], list[SourceConfig]],
        never_touch: Sequence[str] = (),
        find: Callable[[], list[FoundPort]] | None = None,
    ) -> None:
        self._configs = configs
        self._never_touch = never_touch
        self._find = find
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._read_s = -KEPT_S
        self._ports: list[FoundPort] = []
        self._board_ids: dict[str, str | None] = {}
        self._opened: dict[str, str] = {}
        """The port that each source's device was identified at."""

    def ports(self) -> list[FoundPort]:
        """Return the ports that may be opened."""
        with self._lock:
            if time.monotonic() - self._read_s >= KEPT_S:
                self._ports = self._list_ports()
                names = {port.port for port in self._ports}
                self._board_ids = {port: told for port, told in self._board_ids.items() if port in names}
                self._read_s = time.monotonic()
            return self._ports

    def port(self, place: str) -> FoundPort | None:
        """Return the port with that name, whatever the name."""
        real = real_port(place)
        return next((port for port in self.ports() if real_port(port.port) == real), None)

    def match(self, extra: Sequence[SourceConfig] = ()) -> Matching:
        """Decide which port belongs to which source."""
        ports = self.ports()
        with self._lock:
            told = dict(self._board_ids)
        return identity.match([*self._configs(), *extra], ports, told, resolve=real_port)

    def holder(self, link: str) -> str | None:
        """Return the source whose device is at a link now."""
        real = real_port(link)
        return next((name for name, port in self.match().attached.items() if real_port(port) == real), None)

    def is_allowed(self, link: str) -> bool:
        """Say whether a link may be opened."""
        found = self.port(link)
        return not is_forbidden(link, found.identity if found else None, self._never_touch)

    def check_allowed(self, link: str) -> None:
        """:raises ConfigError: if it must never be opened."""
        if not self.is_allowed(link):
            raise ConfigError(f"{link} is on the never-touch list (never_touch). Take it off the list first.")

    def locate(self, source: SourceConfig, ask: AskId) -> Placement:
        """Say where a source's device is now. Called by its own link, which has no port open.

        :param ask: used where only the boards' ids can tell devices apart.
        """
        name = source.name
        with self._lock:
            self._board_ids.pop(self._opened.pop(name, ""), None)
        matching = self.match()
        if name not in matching.attached and source.board_id is not None and source.identity is not None:
            alike = self._alike(source, matching.needs_asking)
            if alike:
                why = self._ask(alike, ask)
                if why is not None:
                    return Placement(None, f"{name} is not found: {why}")
                matching = self.match()
        candidates = matching.ambiguous.get(name, ())
        if candidates:
            return Placement(
                None,
                f"Several devices look like {name}: {', '.join(candidates)}. Say which it is, in the client or with "
                f"'blitz attach {name} PORT'.",
                candidates,
            )
        port = matching.attached.get(name)
        if port is None:
            return Placement(None, f"{name} is not plugged in (last seen at {source.link}).")
        if is_forbidden(port, None, self._never_touch):
            return Placement(None, f"{port} is on the never-touch list.")
        return Placement(port)

    def settle(self, source: SourceConfig, port: str, board_id: str | None) -> SourceConfig:
        """A source's device said who it is: return the source as it is to be kept.

        :raises LinkError: if it is another device, which only its id tells.
        """
        found = self.port(port)
        if found is None or found.identity is None:
            return source
        with self._lock:
            self._board_ids[found.port] = board_id
        is_other = source.identity is not None and None not in (source.board_id, board_id)
        if is_other and source.board_id != board_id and not self._is_unmistakable(found):
            raise LinkError(
                f"The board at {port} says that it is {board_id}, and {source.name} is {source.board_id}: "
                f"it is another device. {source.name} is not plugged in."
            )
        with self._lock:
            self._opened[source.name] = found.port
        changes = {} if board_id is None else {"board_id": board_id}
        return identity.attach(source, found).model_copy(update=changes)

    def forget(self, name: str) -> None:
        """A source is gone, or is configured anew."""
        with self._lock:
            self._opened.pop(name, None)

    def _list_ports(self) -> list[FoundPort]:
        if self._find is None:
            return find_ports(self._never_touch)
        return [
            port
            for port in self._find()
            if not is_forbidden(port.port, port.identity, self._never_touch, list_them=lambda: ())
        ]

    def _alike(self, source: SourceConfig, names: Sequence[str]) -> list[str]:
        assert source.identity is not None
        wanted = identity.looks(source.identity)
        there = {port.port: port.identity for port in self.ports()}
        return [name for name in names if (found := there.get(name)) is not None and identity.looks(found) == wanted]

    def _is_unmistakable(self, found: FoundPort) -> bool:
        """Whether no other device, here or away, looks like it: then it is the same with another program."""
        assert found.identity is not None
        wanted = identity.looks(found.identity)
        known = [source.identity for source in self._configs()] + [port.identity for port in self.ports()]
        alike = [each for each in known if each is not None and identity.looks(each) == wanted]
        return bool(found.identity.serial_number) and len(alike) == 2  # the source, and the port

    def _ask(self, names: Sequence[str], ask: AskId) -> str | None:
        """Learn the ids of boards; return a sentence where that is not possible now."""
        if not self._asking.acquire(blocking=False):
            return "devices that look like it are being asked who they are."
        try:
            for name in names:
                told = ask(name)
                with self._lock:
                    self._board_ids[name] = told
        except LinkError as error:
            return str(error)
        finally:
            self._asking.release()
        return None
