"""Which sources there are: added, changed, disabled, deleted, each time as a whole; their history."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.board_plugins import check_plugin
from blitz.data.boards import layout_of
from blitz.data.model_faults import ended
from blitz.data.records import FoundDevice, LinkState, TimelineKind
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceKind, checked_by_kind, kind_for
from blitz.data.source_records import SourceChange
from blitz.data.source_store import SourceStore, changed_source
from blitz.errors import (
    ConfigError,
    LinkError,
    SourceExists,
    SourceUnavailable,
    UnknownBoard,
    UnknownSource,
)
from blitz.io import identity
from blitz.io.delivery import Sink
from blitz.io.device_link import DeviceLink
from blitz.io.device_links import DeviceLinks, DeviceOptions, Record
from blitz.io.kind_links import KindSources
from blitz.io.opening import Opening
from blitz.io.stream_sources import StreamSources

log = logging.getLogger(__name__)

_AGAIN = re.compile(r" It is (read as soon as|opened again|tried again)[^.]*\.")
"""What is said of a link that stays."""
SCAN_S = 5.0
OPEN_S = 8.0
"""A source that is added must be open by then; the tables are locked that long, where its kind has some."""


class DeviceSources(DeviceLinks):
    """The sources among all devices. Calls may come from any thread; adding waits until a source is open.

    See :class:`~blitz.io.device_links.DeviceLinks` for the parameters.
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
        super().__init__(definitions, store, options, sink, record, tell_found, streams, kinds)
        self.let_go: Callable[[str], None] = lambda link: None
        """Closes a port that somebody listens to before it becomes a source."""
        self.renamed: Callable[[str, str], None] = lambda before, after: None
        """Told a source's name before and after somebody has changed it."""

    def sources(self) -> list[SourceConfig]:
        """Return all sources, those that were found included."""
        return [link.config for link in self._shown()]

    def check_free(self, link: str) -> None:
        """Check that a link may be opened, and is no source's.

        :raises ConfigError: if it must never be.
        :raises SourceExists: if it is a source's.
        """
        self._places.check_allowed(link)
        holder = self._places.holder(link)
        if holder is not None:
            raise SourceExists(f"{link} is the source {holder!r} already.")

    def add_source(self, config: SourceConfig, who: str, *, later: bool = False) -> SourceConfig:
        """Configure a source, open it, and keep it over restarts; or, where it cannot be opened, leave no trace of it.

        :param later: keep it whether it can be opened now or not: it is opened as soon as that is possible.
        :raises SourceExists: if there is one of that name, or one for that device.
        :raises ConfigError: if the port must not be touched, or its kind refuses it.
        :raises SourceUnavailable: if it cannot be opened now.
        """
        with self._change:
            if config.name in self._links:
                raise SourceExists(
                    f"There is a source {config.name!r} already. Choose another name, or change that one."
                )
            kind = kind_for(config)
            config = self._at_a_free_place(config if kind is None else checked_by_kind(config, kind), kind=kind)
            if config.protocol == "netscanner" and config.definition is None:
                config = config.model_copy(update={"definition": self._definitions.get("netscanner")})
            check_usable(config.definition)
            self._forget(config)
            self.let_go(config.link)
            link = self._make(config if config.definition else self._with_saved_definition(config))
            if later or not config.is_enabled:
                self._store.add(config, who, kind=kind)
                self._kept.add(config.name)
                self._open(link)
            else:
                self._add_open(config, link, kind, who)
        return config

    def _add_open(self, config: SourceConfig, link: DeviceLink, kind: SourceKind | None, who: str) -> None:
        """Open a source, then keep it: what is lost on the way is lost as a whole."""
        link.opening = Opening()
        try:
            if kind is None or self._kinds is None:
                self._wait_open(link)
                self._store.add(config, who)
            else:
                source = self._kinds.source(config.link, self._sink)

                def start(db: Connection) -> None:
                    with source.added_in(db):
                        self._wait_open(link)

                self._store.add(config, who, kind=kind, start=start)
        except BaseException as error:
            self._give_up(link)
            if isinstance(error, LinkError):
                why = ended(_AGAIN.sub("", str(error)))
                raise SourceUnavailable(
                    f"The source {config.name!r} was not added: {why} If it is to be read as soon as it is there, add "
                    "it for later: --later."
                ) from error
            raise
        self._kept.add(config.name)
        link.opening.decide()

    def _wait_open(self, link: DeviceLink) -> None:
        self._open(link)
        assert link.opening is not None
        link.opening.wait(OPEN_S)

    def _give_up(self, link: DeviceLink) -> None:
        """Forget a source that could not be added."""
        if link.opening is not None and link.opening.was_tried:
            self._remove(link)
        else:  # it hangs in opening
            link.abandon()
            self._drop(link)
        if link.opening is not None:
            link.opening.decide()
        self._forget(link.config)

    def _forget(self, config: SourceConfig) -> None:
        """Forget where a source stands that is no more, or is new."""
        if config.stream is not None and self._streams is not None:
            self._streams.source(config.link, self._sink).forget()
        if config.kind is not None and self._kinds is not None:
            self._kinds.forget(config.link)

    def update_source(self, name: str, changes: Mapping[str, Any], who: str) -> SourceConfig:
        """Change fields of a source; its link is opened anew.

        :raises SourceExists: if the new name or the new port is another source's.
        """
        with self._change:
            link = self._link(name, UnknownSource)
            config = changed_source(link.config, changes)
            if config == link.config:
                return config
            if config.kind != link.config.kind:
                raise ConfigError(f"{name} is read by other means at {config.link}: delete it, and add another source.")
            if config == link.config.model_copy(update={"is_enabled": config.is_enabled}):
                return self._enable(link, config, who)
            if config.name != name and config.name in self._links:
                raise SourceExists(f"There is a source {config.name!r} already. Choose another name.")
            kind = kind_for(config)
            if kind is not None:
                config = checked_by_kind(config, kind)
            if config.link != link.config.link:
                if "identity" not in changes:  # another port is another device
                    config = config.model_copy(update={"identity": None, "board_id": None})
                config = self._at_a_free_place(config, but=name, kind=kind)
            check_usable(config.definition if "definition" in changes else None)
            if config.link != link.config.link:
                self._forget(config)
            fresh = self._make(config, before=link)
            self._keep(name, config, who)
            self._exchange(link, fresh)
        if config.name != name:
            self.renamed(name, config.name)
        return config

    def _enable(self, link: DeviceLink, config: SourceConfig, who: str) -> SourceConfig:
        """Close a source's link until it is enabled again, or open it again."""
        self._keep(link.name, config, who)
        link.config = config
        link.enable(config.is_enabled)
        what = "enabled" if config.is_enabled else "disabled"
        self._record(TimelineKind.LINK, f"{link.name} was {what}.", source=link.name, who=who)
        wait_until(lambda: link.is_over or (link.state is LinkState.DISABLED) is not config.is_enabled)
        return config

    def delete_source(self, name: str, who: str) -> None:
        """Close a source's link and forget it; what was recorded stays.

        A device that was found is left alone until it is plugged in again. If it cannot be forgotten, it is read on.
        """
        with self._change:
            link = self._link(name, UnknownSource)
            self._end(link)
            try:
                if name in self._kept:
                    self._store.delete(name, who, kind=self._kind_of(link.config))
            except BaseException:
                self._exchange(link, self._make(link.config, before=link))
                raise
            self._kept.discard(name)
            found = self._places.port(link.port)
            if found is not None:
                self._dismissed.add(found.port)
            self._drop(link)
            self._forget(link.config)
            kind = self._kind_of(link.config)
            if kind is not None and self._kinds is not None:
                self._kinds.remove_files(kind, link.config)

    def source_history(self, name: str) -> list[SourceChange]:
        """Return each change to the sources that had a name, oldest first; those that were deleted included.

        :raises UnknownSource: if there was never one.
        """
        changes = self._store.history(name)
        if not changes:
            self._link(name, UnknownSource)
        return changes

    # ---- below: how ---------------------------------------------------------------------------------------------

    def _link(self, name: str, kind: type[UnknownBoard] | type[UnknownSource] = UnknownBoard) -> DeviceLink:
        link = self._links.get(name)
        if link is None:
            known = ", ".join(list(self._links)) or "none is connected"
            what = "board" if kind is UnknownBoard else "source"
            raise kind(f"There is no {what} {name!r}. Known are: {known}.")
        return link

    def _keep(self, name: str, config: SourceConfig, who: str) -> None:
        if name not in self._kept:
            self._store.add(self._links[name].config)
        self._store.update(name, config, who)
        self._kept.discard(name)
        self._kept.add(config.name)

    def _shown(self) -> list[DeviceLink]:
        """Return the links of all sources but one that is just being tried."""
        return [link for link in self.links() if link.opening is None or not link.opening.is_pending]

    def _kind_of(self, config: SourceConfig) -> SourceKind | None:
        """Return a source's kind; None if it cannot be used."""
        try:
            return kind_for(config)
        except ConfigError as error:
            log.warning("%s", error)
            return None

    def _at_a_free_place(
        self, config: SourceConfig, but: str | None = None, kind: SourceKind | None = None
    ) -> SourceConfig:
        """Return a source that may be opened, with what is known of the device at its port."""
        if kind is not None:
            others = [other for other in self._configs() if other.kind == config.kind and other.name != but]
            for other in others:
                if kind.place(other) == kind.place(config):
                    raise SourceExists(f"{config.link} is the source {other.name!r} already. Change that one.")
        self._places.check_allowed(config.link)
        holder = self._places.holder(config.link)
        if holder not in (None, but):
            raise SourceExists(f"{config.link} is the source {holder!r} already. Change that one.")
        found = self._places.port(config.link)
        is_usb = found is not None and found.identity is not None and config.identity is None
        return identity.attach(config, found) if is_usb and found is not None else config


def check_usable(definition: BoardDefinition | None) -> None:
    """Decide before anything is kept whether messages can be decoded.

    :raises ConfigError: if the plug-in is not there or does not take the definition.
    """
    if definition is not None and definition.format is Format.PLUGIN:
        check_plugin(definition)
    elif definition is not None:
        layout_of(definition)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what a link's thread does, at most five seconds."""
    deadline_s = time.monotonic() + SCAN_S
    while not is_so() and time.monotonic() < deadline_s:
        time.sleep(0.01)
