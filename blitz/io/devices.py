"""Devices as clients see them: how they are doing, what is sent to them, who is lent out, how they are configured.

What is recorded of them is the business of :mod:`blitz.io.acquisition`.
"""

import logging
import time
from collections.abc import Callable, Mapping

from blitz.data.board_definition import BoardDefinition
from blitz.data.records import Account, BadFrameRecord, BoardRecord, FoundDevice, LinkState, TimelineKind
from blitz.data.source_config import SerialOptions, SourceConfig
from blitz.data.source_records import CommandAnswer, CommandRequest, DefinitionVersion
from blitz.data.source_store import SourceStore, changed_source
from blitz.errors import (
    BlitzError,
    ConfigError,
    LinkError,
    UnknownSource,
)
from blitz.io import identity
from blitz.io.delivery import Sink
from blitz.io.device_link import DeviceLink
from blitz.io.device_links import DeviceOptions, Record, device_for
from blitz.io.device_sources import SCAN_S, DeviceSources, check_usable, wait_until
from blitz.io.kind_links import KindSources
from blitz.io.new_devices import device_key
from blitz.io.sending import make_sending, send
from blitz.io.source_naming import free_name
from blitz.io.stream_sources import StreamSources
from blitz.io.usb_ports import FoundPort

__all__ = ["DeviceOptions", "Devices", "device_for"]

log = logging.getLogger(__name__)


class Devices(DeviceSources):
    """All devices. Calls may come from any thread; those that wait for devices say so.

    See :class:`~blitz.io.device_links.DeviceLinks` for the other parameters.

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
        tell_found: Callable[[tuple[FoundDevice, ...]], None] = lambda found: None,
        streams: StreamSources | None = None,
        kinds: KindSources | None = None,
    ) -> None:
        super().__init__(definitions, store, options, sink, record, tell_found, streams, kinds)
        self._account = account

    # ---- devices ----------------------------------------------------------------------------------------------

    def boards(self) -> list[BoardRecord]:
        """Return how all devices are doing."""
        return [link.record().model_copy(update={"account": self._account(link)}) for link in self._shown()]

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
        :raises CommandRefused: if it answers with an error, or has no command of that name.
        :raises LinkError: if the link is away.
        """
        link = self._link(name)
        sending = make_sending(link, request)
        log.info("Command to %s by %s: %s", name, who or "an unnamed client", sending.label)
        text, outcome = f"{name} was sent {sending.label}.", {}
        try:
            outcome["answer"] = answer = send(link, sending)
            return CommandAnswer(answer=answer, sent=sending.shown)
        except BlitzError as error:
            outcome["error"] = str(error)
            if isinstance(error, LinkError):
                text = f"{name} could not be sent {sending.label}."
            raise
        finally:
            self._record(TimelineKind.COMMAND, text, source=name, who=who, sent=sending.shown, **outcome)

    def release(self, name: str, for_s: float, who: str) -> BoardRecord:
        """Close a port for another program, and wait until it is closed.

        :raises LinkError: if there is nothing to be closed: a recording is at its end.
        """
        link = self._link(name)
        if not link.config.is_enabled:
            raise LinkError(f"{name} is closed already: it is disabled.")
        if link.is_over:
            raise LinkError(f"{name} is closed already: {link.error or 'it has ended'}")
        link.release(for_s)
        wait_until(lambda: link.state is LinkState.RELEASED)
        self._record(TimelineKind.LINK, f"{name} was released for up to {for_s:g} s.", source=name, who=who)
        return link.record()

    def retake(self, name: str, who: str) -> BoardRecord:
        """Open a port that was lent out again, and wait, at most five seconds, until it is open.

        A recording that is at its end is played once more.
        """
        link = self._link(name)
        if link.is_over:
            self._replace(link, link.config)
            return self._link(name).record()
        if link.retake():
            self._record(TimelineKind.LINK, f"{name} was taken again.", source=name, who=who)
            wait_until(lambda: link.state is not LinkState.RELEASED)
        return link.record()

    def attach(self, name: str, port: str, who: str) -> BoardRecord:
        """Take the operator's word for which of several devices that look alike a source is.

        :raises ConfigError: if there is no such device, or it is another source.
        """
        link = self._link(name)
        self._places.check_allowed(port)
        found = self._places.port(port)
        if found is None or found.identity is None:
            there = ", ".join(link.candidates) or "none"
            raise ConfigError(f"There is no USB device at {port} now. Candidates are: {there}.")
        holder = self._places.holder(port)
        if holder not in (None, name):
            raise ConfigError(f"{port} is {holder} already.")
        with self._change, self._lock:
            # What its board said before does not count any more: the operator knows better.
            link.config = identity.attach(link.config, found).model_copy(update={"board_id": None})
            self._keep(name, link.config, who)
        self._record(TimelineKind.LINK, f"{name} is the device at {port}.", source=name, who=who)
        if link.state in (LinkState.AWAY, LinkState.AMBIGUOUS, LinkState.RELEASED):
            wait_until(lambda: link.state is not LinkState.AMBIGUOUS)
        elif holder is None:  # it is open at another port
            self._replace(link, link.config)
        return self._link(name).record()

    def bad_frames(self, name: str) -> list[BadFrameRecord]:
        """Return the last frames of a device that mean nothing."""
        return self._link(name).bad_frames()

    # ---- new devices --------------------------------------------------------------------------------------------

    def listen(self, port: str, name: str | None, baud: int | None, who: str) -> SourceConfig:
        """Make a source of a new device, and open it, which may reset it.

        :param name: None: one is made from the port's.
        :raises ConfigError: if there is no USB device at that port, or it must not be touched.
        :raises SourceExists: if it is a source already, or there is one of that name.
        """
        found = self._new_port(port)
        config = SourceConfig(
            name=name or free_name(found.port, self._links),
            link=found.port,
            serial=SerialOptions(baud=baud) if baud else SerialOptions(),
            identity=found.identity,
        )
        self._ask_again(found, is_asked=True)
        config = self.add_source(config, who, later=True)  # it is plugged in: whatever is wrong now is shown
        self.find_new()
        return config

    def ignore(self, port: str, who: str) -> None:
        """Ask no more of a new device, over restarts, too; :meth:`listen` is possible all the same.

        :raises ConfigError: if there is no USB device at that port, or it must not be touched.
        """
        found = self._new_port(port)
        self._ask_again(found, is_asked=False)
        log.info("%s at %s is ignored from now on, says %s", found.description, port, who or "an unnamed client")
        self.find_new()

    def _new_port(self, port: str) -> FoundPort:
        self._places.check_allowed(port)
        found = self._places.port(port)
        if found is None or found.identity is None:
            there = ", ".join(device.port for device in self.found(ignored=True)) or "none"
            raise ConfigError(f"There is no new USB device at {port}. New ones are: {there}.")
        return found

    def _ask_again(self, found: FoundPort, *, is_asked: bool) -> None:
        assert found.identity is not None
        self._store.ignore_device(device_key(found.identity), not is_asked)
        self._ignored = self._store.ignored_devices()

    # ---- definitions ------------------------------------------------------------------------------------------

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
        """Put a definition in force from the next message on, and keep it over restarts.

        :raises ConfigError: if it does not go with the way in which the source is configured, or names a plug-in that
            cannot be used.
        """
        with self._change:
            link = self._link(source, UnknownSource)
            config = changed_source(link.config, {"definition": definition.model_dump(mode="json")})
            check_usable(definition)
            fresh = self._make(config, before=link)
            serial_number = config.identity.serial_number if config.identity else ""
            version = self._store.save_definition(source, definition, who, serial_number)
            text = f"The definition of {source} is {definition.name!r} now, version {version}."

            def tell() -> None:
                self._record(TimelineKind.DEFINITION, text, source=source, who=who)

            is_same_kind = config.is_stream == link.config.is_stream or link.mode == "streaming"
            if config.rule == link.config.rule and is_same_kind:
                link.redefine(definition, tell)
            else:
                self._exchange(link, fresh)
                tell()
        return definition

    def definition_versions(self, source: str) -> list[DefinitionVersion]:
        """Return all definitions that a source had."""
        self._link(source, UnknownSource)
        return self._store.definition_versions(source)
