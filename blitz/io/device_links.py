"""The links there are: one for each source, opened, replaced and closed, with their rows in source tables.

Owns which devices are attended to. What clients ask about them is the business of :mod:`blitz.io.devices`.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blitz.config import ScanUsb, SerialPort
from blitz.data.blocks import PREVIEW_ID
from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.records import FoundDevice, Source, TimelineKind
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import checked_by_kind, kind_for
from blitz.data.source_store import SourceStore
from blitz.data.stream_definition import stream_definition
from blitz.data.stream_records import StreamRecord
from blitz.errors import BlitzError, LinkError
from blitz.io import identity
from blitz.io.asking import ask_board_id
from blitz.io.blitz_device import BlitzDevice
from blitz.io.delivery import NOT_THERE, Identified, Sink
from blitz.io.device import Device, Placement
from blitz.io.device_link import DeviceLink, LinkOptions
from blitz.io.doctor import guess_definition
from blitz.io.kind_device import KindDevice
from blitz.io.kind_links import KindSources
from blitz.io.link import Link
from blitz.io.link_watch import Fault, LinkWatch
from blitz.io.netscanner import NetScanner
from blitz.io.new_devices import new_device
from blitz.io.places import Places
from blitz.io.point_device import PointDevice
from blitz.io.source_naming import free_name, named_source, overridden
from blitz.io.source_rows import SourceRows
from blitz.io.stream_device import StreamDevice
from blitz.io.stream_link import StreamLink
from blitz.io.stream_sources import StreamSource, StreamSources
from blitz.io.usb_ports import FoundPort, real_port

log = logging.getLogger(__name__)

WAS_CHANGED = "the source was changed"


@dataclass(frozen=True)
class DeviceOptions:
    """Which devices are opened, and how; the settings of the same names."""

    serial: Sequence[SerialPort] = ()
    sources: Sequence[SourceConfig] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Source names for ports, where the port's own name would say less."""
    scan_usb: ScanUsb = "known"
    never_touch: Sequence[str] = ()
    poll_interval_s: float = 0.1
    preview: bool = True
    find_ports: Callable[[], list[FoundPort]] | None = None
    """Lists the ports there are, if not the system does."""


Record = Callable[..., None]
"""Puts an entry on the time line: ``record(kind, text, source=, who=, sent=, answer=, error=)``."""


class DeviceLinks:
    """All links. Calls may come from any thread.

    :param definitions: board definitions by id.
    :param store: what is kept over restarts.
    :param sink: where links deliver.
    :param record: puts what happens on the session's time line.
    :param tell_found: told the new devices that nobody listens to, when these are others.
    :param streams: the streams of the store that can be sources; None: none can.
    :param kinds: the sources of kinds that plug-ins bring; None: none can be opened.
    """

    def __init__(
        self,
        definitions: Mapping[str, BoardDefinition],
        store: SourceStore,
        options: DeviceOptions,
        sink: Sink,
        record: Record,
        tell_found: Callable[[tuple[FoundDevice, ...]], None] = lambda found: None,
        streams: StreamSources | None = None,
        kinds: KindSources | None = None,
    ) -> None:
        self._definitions = definitions
        self._store = store
        self._options = options
        self._sink = sink
        self._streams = streams
        self._kinds = kinds
        self._record = record
        self._change = threading.RLock()
        """Held while links are added, replaced and removed: one change after the other."""
        self._lock = threading.RLock()
        """Held for moments: links and sessions change under it."""
        self._links: dict[str, DeviceLink] = {}
        self._kept: set[str] = set()
        """Names of the sources that the store knows."""
        self._session_id = PREVIEW_ID
        self._rows = SourceRows()
        self._guesses: dict[str, BoardDefinition] = {}
        self._told: set[str] = set()
        """Names of the sources of which a kind, not a guess, says what their messages mean."""
        self._new: tuple[FoundDevice, ...] = ()
        """USB devices that no source is for."""
        self._ignored = store.ignored_devices()
        self._tell_found = tell_found
        self._dismissed: set[str] = set()
        """Ports whose source was deleted: left alone until they are plugged in anew."""
        self._places = Places(self._configs, options.never_touch, options.find_ports)
        self._watch = LinkWatch()
        self._resumed: dict[str, tuple[int, int, Source]] = {}
        self._is_starting = False
        """Whether sources are being opened that there were before: a session that runs already has points of theirs."""
        self._is_stopping = False

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open what is configured and what is found."""
        self._is_starting = True
        sources, wrong = self._store.all_sources()
        for config in sources:
            self._kept.add(config.name)
            self._restore(config)
        for name, why in wrong.items():
            self._kept.add(name)
            self._add_wrong(SourceConfig(name=name, link="unreadable"), why)
        for config in self._options.sources:
            if config.name not in self._links:
                self._restore(config)
        for port in self._options.serial:
            self._add_named(port)
        self._is_starting = False
        self.find_new()

    def stop(self, *, leaves_logging: bool = False) -> None:
        """Close all links.

        :param leaves_logging: boards are not told to stop; what they hold is fetched when they are opened again.
        """
        with self._lock:
            self._is_stopping = True
            links = list(self._links.values())
        for link in links:
            link.leaves_logging = leaves_logging
            link.stopping.set()
        for link in links:
            self._end(link)

    def deliver_to(self, session_id: int) -> None:
        """Let every device deliver to this session (or the preview) from now on, and those that come later."""
        with self._lock:
            self._session_id = session_id
            for link in self._links.values():
                link.deliver_to(session_id)

    def follow_on(self, before_id: int, session_id: int) -> None:
        """Let devices that deliver to a session deliver to the one that follows it, without a break."""
        with self._lock:
            self._session_id = session_id
            for link in self._links.values():
                link.follow_on(before_id, session_id)

    def links(self) -> list[DeviceLink]:
        """Return the links of all sources."""
        with self._lock:
            return list(self._links.values())

    def find_new(self) -> None:
        """Look for USB ports that no source is for: open those of known kinds, or tell of them."""
        scan = self._options.scan_usb
        if scan == "off" or not self._change.acquire(blocking=False):
            return  # somebody changes sources: the next look is a second away
        try:
            ports = self._places.ports()
            self._dismissed &= {port.port for port in ports}
            with self._lock:
                fresh = set(self._places.match().fresh) - self._dismissed
                new = [port for port in ports if port.port in fresh and port.identity is not None]
                for port in new:
                    if port.is_known_kind and scan == "known":
                        name = free_name(port.port, self._links)
                        self._add(SourceConfig(name=name, link=port.port, identity=port.identity), is_named=False)
                before = self._new
                self._new = tuple(
                    new_device(port, self._ignored) for port in new if not (port.is_known_kind and scan == "known")
                )
        finally:
            self._change.release()
        if self._new != before:
            asked = [device for device in self._new if device not in before and not device.is_ignored]
            for device in asked:
                log.info("%s is new, at %s: nobody listens to it yet", device.words, device.port)
            self._tell_found(self.found())

    def found(self, *, ignored: bool = False) -> tuple[FoundDevice, ...]:
        """Return the new devices that nobody listens to.

        :param ignored: those that are ignored, too.
        """
        return tuple(device for device in self._new if ignored or not device.is_ignored)

    def revive_dead(self) -> None:
        """Start links anew whose thread has ended by a fault, or shows no sign of life; called once a second.

        What they miss is a gap, and their accounts go on.
        """
        if not self._change.acquire(blocking=False):
            return  # somebody changes sources: the next look is a second away
        try:
            for link, fault in self._watch.look(self.links()):
                self._revive(link, fault)
        finally:
            self._change.release()

    def present_sources(self) -> list[Source]:
        """Return the rows of the devices that are known now."""
        links = [link for link in self.links() if link.config.is_recorded and link.config.is_enabled]
        rows = [link.delivery.source for link in links]
        return [self._rows.get(row) for row in rows if row is not None]

    def source(self, row: int) -> Source:
        """Return a row of the source table."""
        return self._rows.get(row)

    def name_of(self, row: int) -> str | None:
        """Return whose row it is, that of a device that is not known included; None if it is nobody's."""
        return self._rows.name(row)

    def resume(self, session_id: int, missed: Mapping[str, tuple[int, Source]], sources: Sequence[Source]) -> None:
        """Go on with a session of an earlier server; called before :meth:`start`.

        :param missed: since when messages of a source are missing, in ns, and what it was, by its name.
        :param sources: the session's source table.
        """
        self._rows.take(sources)
        self._resumed = {name: (session_id, since_ns, source) for name, (since_ns, source) in missed.items()}

    # ---- what links ask ---------------------------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the row of a device and what its messages mean; a row is made for one not seen so yet.

        :raises LinkError: if it is another device than the source's.
        """
        with self._lock:
            self._remember(name, link, board_id)
            config = self._links[name].config
            definition, is_guessed = config.definition, False
            if definition is None and board_id is not None:
                definition = self._definitions.get(board_id)
            elif definition is None and (config.stream is not None or name in self._told):
                definition = self._guesses.get(name)
            elif definition is None:
                definition = self._guess(name, heard)
                is_guessed = definition is not None
            is_polled = self._links[name].mode == "polled"
            source = self._rows.find(config, link, board_id, definition, is_polled=is_polled)
        kind = f"board {board_id}" if board_id is not None else ""
        if definition is not None:
            kind = definition.name
        log.info("%s on %s is %s", name, link, kind or "a device that prints lines")
        return Identified(source.index, kind, definition, is_guessed)

    def _guess(self, name: str, heard: Sequence[bytes]) -> BoardDefinition | None:
        """Return what a device's lines mean: what they meant before, unless it prints something else now."""
        before, now = self._guesses.get(name), guess_definition(heard)
        is_news = now is not None and (before is None or _shape(before) != _shape(now) or _has_names(before, now))
        if now is not None and is_news:
            self._guesses[name] = now
        return self._guesses.get(name)

    def _remember(self, name: str, port: str, board_id: str | None) -> None:
        """Keep what tells a USB device from others, so that it is found again under whatever port name."""
        link = self._links[name]
        config = self._places.settle(link.config, port, board_id)
        if config == link.config and (name in self._kept or config.identity is None):
            return
        link.config = config
        kept = config if name in self._kept else config.model_copy(update={"definition": None})
        try:
            self._store.update(name, kept) if name in self._kept else self._store.add(kept)
            self._kept.add(name)
        except BlitzError as error:
            log.warning("%s cannot be kept over restarts: %s", name, error)

    def _locate(self, link: DeviceLink) -> Placement:
        def go_on() -> bool:
            link.keep_waiting()
            return not link.is_leaving

        return self._places.locate(link.config, lambda port: ask_board_id(port, link.config.serial, go_on))

    # ---- adding, replacing, removing --------------------------------------------------------------------------

    def _configs(self) -> list[SourceConfig]:
        return [link.config for link in self.links()]

    def _add_named(self, port: SerialPort) -> None:
        """Open a port that the operator named; the device there may be known under another name."""
        if not self._places.is_allowed(port.port):
            log.warning("%s is not opened: it is on the never-touch list", port.port)
            return
        config = named_source(port, self._definitions, self._options.names.get(port.port), self._links)
        found = self._places.port(port.port)
        if found is not None and found.identity is not None:
            config = identity.attach(config, found)
            if found.port not in self._places.match().fresh:
                holder = self._places.holder(found.port)
            else:
                holder = None
                config = config.model_copy(update={"name": free_name(config.name, self._links)})
        else:
            place = real_port(config.link)
            holder = next((c.name for c in self._configs() if real_port(c.link) == place), None)
        if holder is None and config.name not in self._links:
            self._add(config)
        elif holder is not None:
            link = self._links[holder]
            changed = overridden(link.config, port, config)
            if changed != link.config:
                self._replace(link, changed)

    def _add(self, config: SourceConfig, *, is_named: bool = True) -> None:
        """Open a source under the definition in force."""
        self._open(self._make(self._with_saved_definition(config), is_named=is_named))

    def _restore(self, config: SourceConfig) -> None:
        """Open a source that was kept; whatever is wrong with it holds up no other."""
        try:
            kind = kind_for(config)
            if kind is not None:
                config = checked_by_kind(config, kind)
                self._store.make_tables(kind)
            self._add(config)
        except BlitzError as error:
            self._add_wrong(config, str(error))
        except Exception as error:
            log.exception("The source %s cannot be used", config.name)
            self._add_wrong(config, f"The source {config.name} cannot be used: a fault of ours, {error!r}.")

    def _add_wrong(self, config: SourceConfig, why: str) -> None:
        """Show a source that cannot be opened, so that it can be mended or deleted."""

        def refuse(*_: object) -> Link:
            raise LinkError(why)

        log.error("%s", why)
        options = LinkOptions(open_link=refuse)
        plain = config.model_copy(update={"definition": None, "framing": None})
        self._open(DeviceLink(plain, options, StreamDevice, self._sink))

    def _with_saved_definition(self, config: SourceConfig) -> SourceConfig:
        saved = self._store.definition(config.name, config.identity.serial_number if config.identity else None)
        return config if saved is None else config.model_copy(update={"definition": saved})

    def _make(self, config: SourceConfig, *, is_named: bool = True, before: DeviceLink | None = None) -> DeviceLink:
        """Make a source's link without opening it: whatever is wrong with the source shows here.

        :param before: the earlier link in whose place it is to be opened.
        """
        if config.definition is None and before is not None:
            config = self._with_saved_definition(config)
        options = LinkOptions(self._options.poll_interval_s, self._options.preview, is_named)
        sink: Sink = self._sink
        make_device: Callable[[DeviceLink], Device] = device_for
        if config.kind is not None and self._kinds is not None:
            sink = source = self._kinds.source(config.link, self._sink)
            options = replace(
                options,
                open_link=lambda *_: source.open(
                    link.config, link.delivery.active, lambda: link.is_leaving, link.notice
                ),
            )

            def kind_device(owner: DeviceLink) -> Device:
                return KindDevice(owner, source, lambda definition: self._take_description(owner, definition))

            make_device = kind_device
        elif config.stream is not None and self._streams is not None:
            sink = stream = self._streams.source(config.link, self._sink)
            options = replace(options, open_link=lambda *_: self._open_stream(link, stream))
            if self._is_starting and self._session_id != PREVIEW_ID and config.is_recorded:
                stream.resume(self._session_id)

        def locate() -> Placement:
            return self._locate(link)

        def tell(text: str) -> None:
            self._record(TimelineKind.LINK, text, source=config.name)

        why, lending = (NOT_THERE, None) if before is None else (WAS_CHANGED, before.lending)
        link = DeviceLink(config, options, make_device, sink, locate, tell, why, lending)
        return link

    def _take_description(self, link: DeviceLink, definition: BoardDefinition) -> None:
        """Take what a kind of source says its messages mean, unless an operator has said that."""
        if link.config.definition is None:
            with self._lock:
                self._told.add(link.name)
                self._guesses[link.name] = link.definition = definition

    def _open_stream(self, link: DeviceLink, stream: StreamSource) -> StreamLink:
        """Open a stream, in its link's thread; what its points mean is known as soon as there is one."""

        def take(record: StreamRecord, points: Sequence[bytes]) -> None:
            if link.config.definition is None and (definition := stream_definition(record, points)) is not None:
                with self._lock:
                    self._guesses[link.name] = link.definition = definition

        return stream.open(link.delivery.active, take, lambda: link.is_leaving)

    def _open(self, link: DeviceLink) -> None:
        with self._lock:
            if self._is_stopping:
                return
            self._links[link.name] = link
            if (resumed := self._resumed.pop(link.name, None)) is not None:
                link.resume(*resumed)
            link.delivery.reserved = self._rows.reserve(link.name)
            link.deliver_to(self._session_id)
        link.start()

    def _replace(self, link: DeviceLink, config: SourceConfig) -> None:
        """Close a link and open it anew under another configuration; the account of a running session goes on."""
        with self._change:
            self._exchange(link, self._make(config, before=link))

    def _revive(self, link: DeviceLink, fault: Fault) -> None:
        what = f"ended by a fault of ours ({link.failure!r})"
        if fault is Fault.HANGS:
            what = "showed no sign of life"
            if not link.abandon():
                link.notice("error", f"The link of {link.name} hangs: nobody takes its messages. Restart the server.")
                return
        delay_s = self._watch.delay_s(link.name)
        text = f"The link of {link.name} {what}: it is started anew{f' in {delay_s} s' if delay_s else ''}."
        fresh = self._make(link.config, is_named=link.options.is_named, before=link)
        fresh.take_over(link, fault, delay_s)
        self._sink.notice("warning" if fault is Fault.DIED else "error", text, link.name)
        self._record(TimelineKind.LINK, text, source=link.name)
        self._open(fresh)

    def _exchange(self, link: DeviceLink, fresh: DeviceLink) -> None:
        self._remove(link)
        self._open(fresh)

    def _remove(self, link: DeviceLink) -> None:
        self._end(link)
        self._drop(link)

    def _drop(self, link: DeviceLink) -> None:
        with self._lock:
            self._links.pop(link.name, None)
            self._guesses.pop(link.name, None)
            self._told.discard(link.name)
        self._places.forget(link.name)

    @staticmethod
    def _end(link: DeviceLink) -> None:
        try:
            link.stop()
        except Exception:
            log.exception("%s did not end well", link.name)


def device_for(link: DeviceLink) -> Device:
    """Return what knows the kind of device that a source is configured to be."""
    if link.config.stream is not None:
        return PointDevice(link)
    if link.config.protocol == "netscanner":
        return NetScanner(link)
    return StreamDevice(link) if link.config.is_stream else BlitzDevice(link)


def _has_names(before: BoardDefinition, now: BoardDefinition) -> bool:
    """Tell whether a header names the columns now that had none."""

    def are_numbered(definition: BoardDefinition) -> bool:
        return all(channel.name.startswith("column_") for channel in definition.channels)

    return are_numbered(before) and not are_numbered(now)


def _shape(definition: BoardDefinition) -> tuple[object, ...]:
    """What differs where a device prints something else; names are learned from a header that comes but once."""
    width = len(definition.channels) + (definition.clock is not None) if definition.format is Format.COLUMNS else 0
    return definition.format, definition.separator, width
