"""Kinds of sources besides ports, sockets, recordings and streams: what gives messages through code of its own.

A kind has a prefix, and its sources have links that begin with it: ``csv:/home/lab/run.csv``. Those that other packages
bring are registered as entry points of the group ``blitz.sources``; see ``docs/source-plugin`` for an example package.
Finds and loads them; what opens their links is :mod:`blitz.io.kind_links`.
"""

import functools
import importlib.metadata
import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from sqlalchemy import Connection, MetaData

from blitz.data.board_definition import BoardDefinition
from blitz.data.source_config import STREAM, SourceConfig, kind_of
from blitz.errors import ConfigError

log = logging.getLogger(__name__)

GROUP = "blitz.sources"
"""The group of entry points in which kinds are looked for; an entry's name is the prefix."""

_PREFIX = re.compile(r"[a-z][a-z0-9]{1,19}")
_TAKEN = frozenset(
    ("audit", "definition", "ignored", "planned", "replay", "socket", "source", "sqlite", "stream", "token")
)
"""What other links, or the server's own tables, begin with."""


class SourceLink(Protocol):
    """An open source, used by one thread (:meth:`wake` may be called from any); as :class:`blitz.io.link.Link`."""

    @property
    def name(self) -> str:
        """What was opened."""

    @property
    def reopens(self) -> bool:
        """Whether it is worth opening again once it is lost or at its end."""

    @property
    def overruns(self) -> int | None:
        """Bytes lost before they could be read, since it was opened; None if nobody tells."""

    def read(self, timeout_s: float) -> bytes:
        """Return all that is there, waiting up to ``timeout_s`` for a first byte; nothing if none came.

        What ends a message is the source's framing, lines if it has none. At most about 1 MiB at once.

        :raises blitz.errors.LinkError: if it is gone: a sentence with the remedy. It is opened again later.
        """

    def write(self, line: bytes) -> None:
        """Send bytes.

        :raises blitz.errors.CommandRefused: if it takes none.
        """

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""

    def close(self) -> None:
        """Close it, whatever state it is in; no thread of it goes on."""


@runtime_checkable
class CountedLink(SourceLink, Protocol):
    """A link whose every message goes into a session exactly once, over lost links and servers that were killed.

    The kind numbers its source's messages: 0, 1, 2 …, each once, in the order in which they are to be recorded. Such a
    link gives whole messages only. What it missed meanwhile is no gap: it comes later.
    """

    @property
    def position(self) -> int:
        """The number of the first message that was not delivered yet: what :meth:`delivered` counts from."""

    def begin(self, session_id: int | None) -> None:
        """Messages go to this session from now on; None: they are only shown, as nothing is recorded.

        Comes before the first read that is for it; but where one session follows another without a break it comes when
        some of its messages were delivered already. A kind that gives what was only shown once more goes back here.
        """

    def delivered(self, count: int, session_id: int | None) -> None:
        """So many messages from :attr:`position` on were taken, for a session or (None) only to be shown."""

    def rewind(self) -> None:
        """What was read and not delivered could not be taken: the next read begins at :attr:`position` again."""


class SourceContext(Protocol):
    """What the server gives a source that is opened."""

    @property
    def data_dir(self) -> Path:
        """The server's data folder; files of the kind's own go into a folder of its prefix there."""

    @property
    def position(self) -> int | None:
        """How many messages of a counted source are safe in sessions: the number of the first that is not.

        None if none of it was ever recorded.
        """

    @property
    def session_id(self) -> int | None:
        """The session that messages go to when the link is opened; None where nothing is recorded."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Give a connection to ``server.db`` that reaches the kind's tables, and no others.

        What was done is kept at the end, or undone when an error leaves the block. Keep it short: every other change
        of the server's settings waits.
        """

    def is_leaving(self) -> bool:
        """Say whether the link is about to be closed: asked where opening or reading takes long."""

    def notice(self, severity: Literal["info", "warning", "error"], text: str) -> None:
        """Tell the operator, at most once in ten seconds for one text."""

    def describe(self, definition: BoardDefinition) -> None:
        """Say what messages mean from those on that the present, or the next, read returns.

        Called in the link's thread. A definition that the operator gave goes before it.
        """


class SourceKind:
    """One kind of source; plug-ins derive from it. One object serves all sources of the kind, from several threads."""

    prefix: str = ""
    """Begins its links, before a colon: 2 to 20 small letters and digits."""
    summary: str = ""
    """One line for people; empty: the first line of the class's docstring."""
    tables: MetaData | None = None
    """Own tables in ``server.db``, whose names begin with the prefix and an underscore.

    They are made in the transaction that adds a source, and dropped in the one that deletes the last of the kind.
    """
    is_steady: bool = True
    """Whether its sources go on giving messages: then it is an alarm by itself that nothing comes from one."""
    interval_s: float = 10.0
    """``poll_interval_s`` of a source that says nothing of it."""

    def check(self, config: SourceConfig) -> SourceConfig:
        """Complete and check how a source is configured; its link may be written in another way, its options completed.

        Must not depend on whether the source can be opened now.

        :raises ConfigError: one sentence that says what to do.
        """
        return config

    def check_remote(self, config: SourceConfig, data_dir: Path) -> None:
        """Check what somebody names over the network, who may not read whatever the server's account may.

        :raises ConfigError: if it may not be named so; by default nothing may.
        """
        raise ConfigError(
            f"{config.link!r} cannot be added over the network: add it on the server's machine, or in its settings."
        )

    def place(self, config: SourceConfig) -> str:
        """Return what tells one source from another: two of one place are the same, and the second is refused."""
        return config.link

    def open(self, config: SourceConfig, context: SourceContext) -> SourceLink:
        """Open a source; called in its link's thread, again and again where it cannot be opened.

        :raises blitz.errors.LinkError: if it cannot be opened: one sentence that says what to do.
        """
        raise NotImplementedError

    def forget(self, config: SourceConfig, db: Connection) -> None:
        """Remove a deleted source's rows from the kind's tables, in the transaction that deletes it."""

    def forgotten(self, config: SourceConfig, data_dir: Path) -> None:
        """Remove the files of a source that was deleted, once that is for good.

        A crash may come before: whatever is left then is to be found by the tables when another source is opened.
        """


@dataclass(frozen=True)
class KindEntry:
    """One registered kind, as ``blitz source kinds`` lists it."""

    prefix: str
    origin: str
    """The package that brings it, with its version, and where the class is; "Blitz" for our own."""
    summary: str
    error: str = ""
    """Why it cannot be used."""


_BUILT_IN: dict[str, Callable[[], SourceKind]] = {}


def register_kind(prefix: str, make: Callable[[], SourceKind]) -> None:
    """Register a kind that comes with Blitz; whatever module brings it does so when it is imported."""
    _BUILT_IN[prefix] = make


def load_kind(prefix: str) -> SourceKind:
    """Return the kind of links with a prefix.

    :raises ConfigError: if there is none, or it cannot be used: why, and what to do.
    """
    try:
        return _load(prefix)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"Sources '{prefix}:…' cannot be used: {_reason(error)}. 'blitz source kinds' lists those that can."
        ) from error


def kind_for(config: SourceConfig) -> SourceKind | None:
    """Return the kind of a source; None for a port, a socket, a recording or a stream.

    :raises ConfigError: if it is of a kind that cannot be used.
    """
    prefix = kind_of(config.link)
    return None if prefix is None else load_kind(prefix)


def is_steady(link: str) -> bool:
    """Say whether something is to come from a source as long as it is there.

    A script logs into a stream when it likes, and a recording or a file of values is over some day.

    >>> is_steady("/dev/ttyUSB0"), is_steady("socket://10.0.0.2:4000"), is_steady("stream:room"), is_steady("replay:x")
    (True, True, False, False)
    """
    if link.startswith((STREAM, "replay:")):
        return False
    prefix = kind_of(link)
    return prefix is None or _is_steady_kind(prefix)


@functools.cache
def _is_steady_kind(prefix: str) -> bool:
    try:
        return load_kind(prefix).is_steady
    except ConfigError:  # whoever adds the source is told
        return True


def checked_by_kind(config: SourceConfig, kind: SourceKind) -> SourceConfig:
    """Return a source as its kind completes it.

    :raises ConfigError: if the kind refuses it, or fails.
    """
    try:
        checked = kind.check(config)
        if checked.kind != kind.prefix or checked.name != config.name:
            raise TypeError(f"check returned the source {checked.name!r} at {checked.link!r}")
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except Exception as error:
        log.exception("The kind of source %r failed", kind.prefix)
        raise ConfigError(f"The plug-in for '{kind.prefix}:…' failed: {_reason(error)}.") from error
    if checked.poll_interval_s is None:
        checked = checked.model_copy(update={"poll_interval_s": kind.interval_s})
    return checked


def list_kinds() -> list[KindEntry]:
    """Return all kinds by prefix, having imported each."""
    entries = []
    for prefix in _BUILT_IN:
        entries.append(KindEntry(prefix, "Blitz", _summary(_load(prefix))))
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            summary, error = _summary(_load(entry.name)), ""
        except Exception as problem:  # noqa: BLE001 (other people's code)
            summary, error = "", _reason(problem)
        entries.append(KindEntry(entry.name, _origin(entry), summary, error))
    return sorted(entries, key=lambda entry: (entry.prefix, entry.origin))


def _load(prefix: str) -> SourceKind:
    found = tuple(importlib.metadata.entry_points(group=GROUP, name=prefix))
    if len({entry.value for entry in found}) + (prefix in _BUILT_IN) > 1:
        origins = ", ".join(sorted(map(_origin, found)) + ["Blitz"] * (prefix in _BUILT_IN))
        raise LookupError(f"several packages bring them: {origins}. Uninstall all but one")
    if prefix in _BUILT_IN:
        return _BUILT_IN[prefix]()
    if not found:
        raise LookupError(f"no installed package brings them. Install one with an entry point {prefix!r} in {GROUP!r}")
    return _checked(found[0].load()(), prefix)


def _checked(kind: SourceKind, prefix: str) -> SourceKind:
    if not isinstance(kind, SourceKind):
        raise TypeError(f"{type(kind).__name__} does not derive from blitz.data.source_kinds.SourceKind")
    if kind.prefix != prefix or not _PREFIX.fullmatch(prefix) or prefix in _TAKEN:
        raise ValueError(
            f"the prefix {kind.prefix!r} of the entry point {prefix!r} must be its name, 2 to 20 small letters and "
            f"digits, and none of {', '.join(sorted(_TAKEN))}"
        )
    for table in () if kind.tables is None else kind.tables.tables:
        if not table.startswith(f"{prefix}_"):
            raise ValueError(f"its table {table!r} must have a name that begins with {prefix}_")
    return kind


def _summary(kind: SourceKind) -> str:
    return kind.summary or (type(kind).__doc__ or "").strip().partition("\n")[0]


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown package"
    return f"{package} ({entry.value})"


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text if isinstance(error, LookupError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
