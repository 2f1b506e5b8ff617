"""Which devices there are: configured sources and found ports, a link for each, their rows in source tables.

Owns what is decided about them: names, identities, definitions, who is lent out. What is recorded of them is the
business of :mod:`blitz.io.acquisition`.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Any

from blitz.config import SerialPort
from blitz.data.blocks import PREVIEW_ID
from blitz.data.board_definition import BoardDefinition
from blitz.data.framing_rule import LINES
from blitz.data.records import Account, BadFrameRecord, BoardRecord, LinkState, Source, TimelineKind
from blitz.data.source_config import SerialOptions, SourceConfig
from blitz.data.source_records import CommandAnswer, CommandRequest, DefinitionVersion
from blitz.data.source_store import SourceStore, changed_source
from blitz.errors import BlitzError, BoardTimeout, ConfigError, SourceExists, UnknownBoard, UnknownSource
from blitz.io import identity
from blitz.io.blitz_device import BlitzDevice
from blitz.io.delivery import Identified, Sink
from blitz.io.device import Device, Placement, WireCommand
from blitz.io.device_link import DeviceLink, LinkOptions
from blitz.io.doctor import guess_definition
from blitz.io.netscanner import NetScanner
from blitz.io.stream_device import StreamDevice
from blitz.io.usb_ports import FoundPort, find_ports, is_forbidden, real_port

log = logging.getLogger(__name__)

SCAN_S = 5.0
COMMAND_WAIT_S = 6.0
PORTS_KEPT_S = 0.2


@dataclass(frozen=True)
class DeviceOptions:
    """Which devices are opened, and how; the settings of the same names."""

    serial: Sequence[SerialPort] = ()
    sources: Sequence[SourceConfig] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Source names for ports, where the port's own name would say less."""
    scan_usb: bool = True
    never_touch: Sequence[str] = ()
    poll_interval_s: float = 0.1
    preview: bool = True
    find_ports: Callable[[], list[FoundPort]] | None = None
    """Lists the ports there are, if not the system does."""


Record = Callable[..., None]
"""Puts an entry on the time line: ``record(kind, text, source=, who=, sent=, answer=, error=)``."""


class Devices:
    """All links. Calls may come from any thread; those that wait for devices say so.

    :param definitions: board definitions by id.
    :param store: what is kept over restarts.
    :param sink: where links deliver.
    :param record: puts commands and changes on the session's time line.
    :param account: gives the account of what a link read.
    """

    def __init__(
        self,
        definitions: Mapping[str, BoardDefinition],
        store: SourceStore,
        options: DeviceOptions,
        sink: Sink,
        record: Record,
        account: Callable[[DeviceLink], Account | None] = lambda link: None,
    ) -> None:
        self._definitions = definitions
        self._store = store
        self._options = options
        self._sink = sink
        self._record = record
        self._account = account
        self._lock = threading.RLock()
        self._links: dict[str, DeviceLink] = {}
        self._kept: set[str] = set()
        """Names of the sources that the store knows."""
        self._session_id = PREVIEW_ID
        self._rows: dict[int, Source] = {}
        self._reserved_rows: dict[str, int] = {}
        """The row that waits for each device: in the order of the ports, not of who answers first."""
        self._row_count = 0
        self._guesses: dict[str, BoardDefinition] = {}
        self._board_ids: dict[str, str | None] = {}
        self._ports: tuple[float, list[FoundPort]] = (-PORTS_KEPT_S, [])
        self._is_stopping = False

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open what is configured and what is found."""
        for config in self._store.sources():
            self._kept.add(config.name)
            self._add(config, is_named=True)
        for config in self._options.sources:
            if config.name not in self._links:
                self._add(config, is_named=True)
        for port in self._options.serial:
            self._add_named(port)
        self.find_new()

    def stop(self) -> None:
        """Close all links."""
        with self._lock:
            self._is_stopping = True
            links = list(self._links.values())
        for link in links:
            try:
                link.stop()
            except Exception:
                log.exception("%s did not end well", link.name)

    def deliver_to(self, session_id: int) -> None:
        """Let every device deliver to this session (or the preview) from now on, and those that come later."""
        with self._lock:
            self._session_id = session_id
            for link in self._links.values():
                link.deliver_to(session_id)

    def links(self) -> list[DeviceLink]:
        """Return the links of all sources."""
        return list(self._links.values())

    def find_new(self) -> None:
        """Open USB ports of known kinds that no source is for."""
        if not self._options.scan_usb:
            return
        ports = self._present_ports()
        with self._lock:
            fresh = identity.match(self._configs(), ports, self._board_ids, resolve=real_port).fresh
            for port in ports:
                if port.port in fresh and port.is_known_kind:
                    name = self._free_name(port.port)
                    config = SourceConfig(name=name, link=port.port, identity=port.identity)
                    self._add(config, is_named=False)

    def present_sources(self) -> list[Source]:
        """Return the rows of the devices that are known now."""
        rows = [link.delivery.source for link in self.links()]
        return [self._rows[row] for row in rows if row is not None]

    def source(self, row: int) -> Source:
        """Return a row of the source table."""
        return self._rows[row]

    def rows(self) -> set[int]:
        """Return the rows there are."""
        return set(self._rows)

    # ---- what links ask ---------------------------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the row of a device and what its messages mean; a row is made for one not seen so yet."""
        with self._lock:
            config = self._links[name].config
            definition, is_guessed = config.definition, False
            if definition is None and board_id is not None:
                definition = self._definitions.get(board_id)
            elif definition is None:
                definition = self._guesses.get(name) or guess_definition(heard)
                is_guessed = definition is not None
                if definition is not None:
                    self._guesses[name] = definition
            self._remember(name, link, board_id)
            source = self._row(name, link, board_id, definition, config)
        kind = f"board {board_id}" if board_id is not None else ""
        if definition is not None:
            kind = definition.name
        log.info("%s on %s is %s", name, link, kind or "a device that prints lines")
        return Identified(source.index, kind, definition, is_guessed)

    def _row(
        self, name: str, link: str, board_id: str | None, definition: BoardDefinition | None, config: SourceConfig
    ) -> Source:
        rows = [row for row in self._rows.values() if row.name.partition(" (board")[0] == name]
        for row in rows:
            if (row.board_id, row.definition, row.framing or LINES) == (board_id, definition, config.rule):
                return row
        if rows and rows[0].board_id != board_id:  # another board at the same port is another device
            name = f"{name} (board {board_id})"
        index = self._reserved_rows.pop(name, None)
        if index is None:
            index = self._new_row()
        framing = None if config.rule == LINES else config.rule
        source = Source(index=index, name=name, link=link, board_id=board_id, definition=definition, framing=framing)
        self._rows[index] = source
        return source

    def _remember(self, name: str, port: str, board_id: str | None) -> None:
        """Keep what tells a USB device from others, so that it is found again under whatever port name."""
        found = self._port(port)
        if found is None or found.identity is None:
            return
        self._board_ids[found.port] = board_id
        link = self._links[name]
        config = identity.attach(link.config, found)
        if board_id is not None:
            config = config.model_copy(update={"board_id": board_id})
        link.config = config
        kept = config if name in self._kept else config.model_copy(update={"definition": None})
        try:
            self._store.update(name, kept) if name in self._kept else self._store.add(kept)
            self._kept.add(name)
        except BlitzError as error:
            log.warning("%s cannot be kept over restarts: %s", name, error)

    def _locate(self, name: str) -> Placement:
        """Say where a source's device is now."""
        link = self._links[name]
        config = link.config
        if is_forbidden(config.link, None, self._options.never_touch):
            return Placement(None, f"{config.link} is on the never-touch list.")
        ports = self._present_ports()
        if config.identity is None and not ports:
            return Placement(config.link)
        with self._lock:
            matching = identity.match(self._configs(), ports, self._board_ids, resolve=real_port)
        candidates = matching.ambiguous.get(name)
        if candidates:
            listed = ", ".join(candidates)
            return Placement(
                None, f"Several devices look like {name}: {listed}. Say which it is, in the client or with "
                f"'blitz attach {name} PORT'.", candidates
            )  # fmt: skip
        port = matching.attached.get(name)
        if port is None:
            return Placement(None, f"{name} is not plugged in (last seen at {config.link}).")
        return Placement(port)

    # ---- what clients ask -------------------------------------------------------------------------------------

    def boards(self) -> list[BoardRecord]:
        """Return how all devices are doing."""
        return [link.record().model_copy(update={"account": self._account(link)}) for link in self.links()]

    def scan(self) -> list[BoardRecord]:
        """Look for new ports, ask silent devices again, and wait, at most five seconds, for what comes of it."""
        self.find_new()
        for link in self.links():
            link.identify_again()
        deadline_s = time.monotonic() + SCAN_S
        for link in self.links():
            link.identified.wait(max(deadline_s - time.monotonic(), 0.0))
        return self.boards()

    def command(self, name: str, request: CommandRequest, who: str) -> CommandAnswer:
        """Send something to a device and return its answer; all of it stands on the session's time line.

        :raises UnknownBoard: if there is none with that name.
        :raises ValueError: if a Blitz board would be sent an empty line, which boards take for START.
        :raises BoardTimeout: if the device does not answer.
        :raises CommandRefused: if it answers with an error.
        :raises LinkError: if the link is away.
        """
        link = self._link(name)
        wire, shown, label = self._to_wire(link, request)
        log.info("Command to %s by %s: %s", name, who or "an unnamed client", label)
        outcome: dict[str, str | None] = {}
        try:
            answer = self._send(link, wire, label)
            outcome["answer"] = answer
            return CommandAnswer(answer=answer, sent=shown)
        except BlitzError as error:
            outcome["error"] = str(error)
            raise
        finally:
            self._record(TimelineKind.COMMAND, f"{name} was sent {label}.", source=name, who=who, sent=shown, **outcome)

    def _send(self, link: DeviceLink, wire: WireCommand, label: str) -> str | None:
        answer = link.send(wire)
        wait([answer], COMMAND_WAIT_S)
        if not answer.done() and answer.cancel():
            raise BoardTimeout(f"{link.name} is busy or away: {label} was not sent. Try again when it is back.")
        wait([answer], COMMAND_WAIT_S + wire.timeout_s)  # it is being sent at this moment
        if not answer.done():
            raise BoardTimeout(f"{link.name} was sent {label}, but nothing is known of its answer.")
        return answer.result()

    def _to_wire(self, link: DeviceLink, request: CommandRequest) -> tuple[WireCommand, str, str]:
        """Return what goes over the wire, how that is shown, and what it is called."""
        if request.command is not None:
            command = link.definition.command(request.command) if link.definition else None
            if command is None:
                known = ", ".join(c.name for c in link.definition.commands) if link.definition else ""
                raise ValueError(f"{link.name} has no command {request.command!r}. It has: {known or 'none'}.")
            pattern = request.answer or command.answer
            wire = WireCommand(command.payload, _pattern(pattern), command.timeout_s)
            return wire, command.send, f"{command.name} ({command.send})"
        line = request.line or ""
        is_board = link.board_id is not None and not request.is_hex
        if is_board and (not line.strip() or not line.isascii() or not line.isprintable()):
            raise ValueError(f"Cannot send {line!r}: a command is one line of printable ASCII, and never empty.")
        payload = bytes.fromhex(line) if request.is_hex else (line + request.ending).encode("latin-1")
        shown = payload.hex(" ") if request.is_hex else line
        return WireCommand(payload, _pattern(request.answer), request.timeout_s), shown, repr(shown)

    def release(self, name: str, for_s: float, who: str) -> BoardRecord:
        """Close a port for another program, and wait until it is closed."""
        link = self._link(name)
        link.release(for_s)
        deadline_s = time.monotonic() + SCAN_S
        while link.state is not LinkState.RELEASED and time.monotonic() < deadline_s:
            time.sleep(0.01)
        self._record(TimelineKind.LINK, f"{name} was released for up to {for_s:g} s.", source=name, who=who)
        return link.record()

    def retake(self, name: str, who: str) -> BoardRecord:
        """Open a port that was lent out again, and wait, at most five seconds, until the device is back."""
        link = self._link(name)
        link.identified.clear()
        link.retake()
        self._record(TimelineKind.LINK, f"{name} was taken again.", source=name, who=who)
        deadline_s = time.monotonic() + SCAN_S
        while link.state is LinkState.RELEASED and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return link.record()

    def attach(self, name: str, port: str, who: str) -> BoardRecord:
        """Take the operator's word for which of several devices that look alike a source is."""
        link = self._link(name)
        found = self._port(port)
        if found is None or found.identity is None:
            raise ConfigError(f"There is no USB device at {port} now. Candidates are: {', '.join(link.candidates)}.")
        holder = next((other for other in self.links() if other is not link and other.port == port), None)
        if holder is not None and holder.state not in (LinkState.AWAY, LinkState.AMBIGUOUS):
            raise ConfigError(f"{port} is {holder.name} already.")
        link.config = identity.attach(link.config, found)
        if name in self._kept:
            self._store.update(name, link.config, who)
        self._record(TimelineKind.LINK, f"{name} is the device at {port}.", source=name, who=who)
        deadline_s = time.monotonic() + SCAN_S
        while link.state is LinkState.AMBIGUOUS and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return link.record()

    def bad_frames(self, name: str) -> list[BadFrameRecord]:
        """Return the last frames of a device that mean nothing."""
        return self._link(name).bad_frames()

    def sources(self) -> list[SourceConfig]:
        """Return all sources, those that were found included."""
        return self._configs()

    def add_source(self, config: SourceConfig, who: str) -> SourceConfig:
        """Configure a source, keep it over restarts, and open it."""
        with self._lock:
            if config.name in self._links:
                raise SourceExists(
                    f"There is a source {config.name!r} already. Choose another name, or change that one."
                )
            if any(real_port(link.config.link) == real_port(config.link) for link in self._links.values()):
                holder = next(k.name for k in self.links() if real_port(k.config.link) == real_port(config.link))
                raise SourceExists(f"{config.link} is the source {holder!r} already. Change that one.")
            self._store.add(config, who)
            self._kept.add(config.name)
            self._add(config, is_named=True)
        return config

    def update_source(self, name: str, changes: Mapping[str, Any], who: str) -> SourceConfig:
        """Change fields of a source; its link is opened anew."""
        link = self._link(name, UnknownSource)
        config = changed_source(link.config, changes)
        if config == link.config:
            return config
        with self._lock:
            if config.name != name and config.name in self._links:
                raise SourceExists(f"There is a source {config.name!r} already. Choose another name.")
            if name in self._kept:
                self._store.update(name, config, who)
            else:
                self._store.add(config, who)
            self._kept.discard(name)
            self._kept.add(config.name)
        self._replace(link, config)
        return config

    def delete_source(self, name: str, who: str) -> None:
        """Close a source's link and forget it; what was recorded stays."""
        link = self._link(name, UnknownSource)
        if name in self._kept:
            self._store.delete(name, who)
        with self._lock:
            self._kept.discard(name)
            self._links.pop(name, None)
        link.stop()

    def known_definitions(self) -> list[BoardDefinition]:
        """Return all kinds of boards that are known."""
        return list(self._definitions.values())

    def definition(self, source: str) -> BoardDefinition:
        """Return the definition in force for a source.

        :raises UnknownSource: if there is no such source, or nothing is known of what it sends.
        """
        definition = self._link(source, UnknownSource).definition
        if definition is None:
            raise UnknownSource(f"{source} has no definition: nothing is known of what it sends.")
        return definition

    def set_definition(self, source: str, definition: BoardDefinition, who: str) -> BoardDefinition:
        """Put a definition in force from the next message on, and keep it over restarts."""
        link = self._link(source, UnknownSource)
        serial_number = link.config.identity.serial_number if link.config.identity else ""
        version = self._store.save_definition(source, definition, who, serial_number)
        config = link.config.model_copy(update={"definition": definition})
        if config.rule == link.config.rule:
            link.redefine(definition)
        else:
            self._replace(link, config)
        text = f"The definition of {source} is {definition.name!r} now, version {version}."
        self._record(TimelineKind.DEFINITION, text, source=source, who=who)
        return definition

    def definition_versions(self, source: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had."""
        self._link(source, UnknownSource)
        return self._store.definition_versions(source)

    # ---- below: how -------------------------------------------------------------------------------------------

    def _configs(self) -> list[SourceConfig]:
        return [link.config for link in self.links()]

    def _link(self, name: str, kind: type[UnknownBoard] | type[UnknownSource] = UnknownBoard) -> DeviceLink:
        link = self._links.get(name)
        if link is None:
            known = ", ".join(list(self._links)) or "none is connected"
            what = "board" if kind is UnknownBoard else "source"
            raise kind(f"There is no {what} {name!r}. Known are: {known}.")
        return link

    def _present_ports(self) -> list[FoundPort]:
        now_s, (read_s, ports) = time.monotonic(), self._ports
        if now_s - read_s >= PORTS_KEPT_S:
            find = self._options.find_ports or (lambda: find_ports(self._options.never_touch))
            ports = find()
            self._board_ids = {p: b for p, b in self._board_ids.items() if p in {port.port for port in ports}}
            self._ports = (now_s, ports)
        return ports

    def _port(self, place: str) -> FoundPort | None:
        return next((port for port in self._present_ports() if real_port(port.port) == real_port(place)), None)

    def _add_named(self, port: SerialPort) -> None:
        """Open a port that the operator named; the device there may be known under another name."""
        if is_forbidden(port.port, None, self._options.never_touch):
            return
        config = self._named_config(port)
        with self._lock:
            found = self._port(port.port)
            if found is not None and found.identity is not None:
                known = identity.match(self._configs(), self._present_ports(), resolve=real_port).attached
                if found.port in known.values():
                    return  # it is a source already
                config = identity.attach(config, found)
            place = real_port(config.link)
            if not any(real_port(link.config.link) == place for link in self._links.values()):
                self._add(config, is_named=True)

    def _named_config(self, port: SerialPort) -> SourceConfig:
        definition = None
        if port.definition:
            definition = self._definitions.get(port.definition)
            if definition is None:
                known = ", ".join(sorted(self._definitions))
                raise ConfigError(f"There is no definition {port.definition!r} for {port.port}. Known are: {known}.")
        link, protocol = port.port, "auto"
        if link.startswith("netscanner://"):
            link, protocol = "socket" + link.removeprefix("netscanner"), "netscanner"
            definition = definition or self._definitions.get("netscanner")
        elif link.startswith("replay:"):
            protocol = "stream"
        name = self._options.names.get(port.port) or self._free_name(link)
        serial = SerialOptions(baud=port.baud) if port.baud else SerialOptions()
        if definition is not None and definition.baud and not port.baud:
            serial = SerialOptions(baud=definition.baud)
        return SourceConfig.model_validate(
            {"name": name, "link": link, "serial": serial, "protocol": protocol, "definition": definition}
        )

    def _free_name(self, link: str) -> str:
        """Return a short name for a link that no other source has."""
        short = link.partition("?")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
        name = short = re.sub(r"[\s%#?]", "_", short) or "source"
        number = 2
        while name in self._links:
            name, number = f"{short}-{number}", number + 1
        return name

    def _add(self, config: SourceConfig, *, is_named: bool) -> None:
        with self._lock:
            if self._is_stopping:
                return
            name = config.name
            serial_number = config.identity.serial_number if config.identity else None
            saved = self._store.definition(name, serial_number)
            if saved is not None:
                config = config.model_copy(update={"definition": saved})
            options = LinkOptions(self._options.poll_interval_s, self._options.preview, is_named)
            link = DeviceLink(config, options, device_for, self._sink, lambda: self._locate(name))
            self._links[name] = link
            self._reserved_rows.setdefault(name, self._new_row())
            link.deliver_to(self._session_id)
        link.start()

    def _replace(self, link: DeviceLink, config: SourceConfig) -> None:
        """Close a link and open it anew under another configuration."""
        link.stop()
        with self._lock:
            self._links.pop(link.name, None)
            self._guesses.pop(link.name, None)
        self._add(config, is_named=True)

    def _new_row(self) -> int:
        self._row_count += 1
        return self._row_count - 1


def device_for(link: DeviceLink) -> Device:
    """Return what knows the kind of device that a source is configured to be."""
    if link.config.protocol == "netscanner":
        return NetScanner(link)
    return StreamDevice(link) if link.config.is_stream else BlitzDevice(link)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text)
