"""Formats that other packages bring: Python classes, registered as entry points of the group ``blitz.boards``.

Finds and loads them. What a plug-in does wrong is logged once and makes rows of NaN; it never ends an acquisition. See
``docs/board-plugin`` for an example package.
"""

import importlib.metadata
import logging
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition
from blitz.data.layout import Decoded, Rows
from blitz.errors import ConfigError

log = logging.getLogger(__name__)

GROUP = "blitz.boards"
"""The group of entry points in which plug-ins are looked for."""


class BoardPlugin(Protocol):
    """What an entry point names: a class that is called with the definition, which may raise ValueError where the
    definition's ``options`` or ``channels`` do not suit it. The first line of its docstring is what people read.

    One object may be asked by several threads, for blocks in any order: ``decode`` keeps nothing from call to call.
    """

    def __init__(self, definition: BoardDefinition) -> None: ...

    def decode(self, rows: Rows) -> Decoded:
        """Decode messages: numbers of shape (len(rows), len(definition.channels)), NaN where there is none.

        The definition's calibration (scale, polynomial, table, valid range) is applied to them afterwards.
        """
        ...


@dataclass(frozen=True)
class PluginEntry:
    """One registered plug-in, as ``blitz boards --types`` lists it."""

    name: str
    origin: str
    """The package that brings it, with its version, and where the class is."""
    summary: str
    """The first line of the class's docstring."""
    error: str = ""
    """Why it cannot be used."""


class PluginLayout:
    """Decodes by a plug-in, and stands in for it where it fails."""

    def __init__(self, definition: BoardDefinition) -> None:
        self._definition = definition
        self._has_failed = False
        self._board: BoardPlugin | None = None
        try:
            self._board = load_plugin(definition.plugin)(definition)
        except Exception as error:  # noqa: BLE001 (other people's code)
            self._report(f"cannot be used: {_reason(error)}", error)

    def decode(self, rows: Rows) -> Decoded:
        """Return what the plug-in makes of the messages; rows of NaN where it raises or returns something else."""
        width = len(self._definition.channels)
        if self._board is not None:
            try:
                return _checked(self._board.decode(rows), len(rows), width)
            except Exception as error:  # noqa: BLE001 (other people's code)
                self._report(f"failed on {len(rows)} messages: {_reason(error)}", error)
        return Decoded(np.full((len(rows), width), np.nan))

    def _report(self, what: str, error: Exception) -> None:
        if not self._has_failed:
            name = self._definition.name
            log.error("Plug-in %r of board %r %s.", self._definition.plugin, name, what, exc_info=error)
        self._has_failed = True


def load_plugin(name: str) -> Any:
    """Import the class that is registered under a name.

    :raises LookupError: if there is none, or more than one.
    :raises Exception: whatever its import raises.
    """
    found = tuple(importlib.metadata.entry_points(group=GROUP, name=name))
    if not found:
        raise LookupError(f"no installed package brings it. Install one with an entry point {name!r} in {GROUP!r}")
    if len({entry.value for entry in found}) > 1:
        raise LookupError(f"several packages bring it: {', '.join(sorted(map(_origin, found)))}. Uninstall all but one")
    return found[0].load()


def check_plugin(definition: BoardDefinition) -> None:
    """Check that the plug-in of a definition is there and takes the definition.

    :raises ConfigError: with what it says, and with the plug-ins there are.
    """
    try:
        load_plugin(definition.plugin)(definition)
    except Exception as error:
        known = [entry.name + (f" ({entry.error})" if entry.error else "") for entry in list_plugins()]
        raise ConfigError(
            f"Plug-in {definition.plugin!r} cannot be used: {_reason(error)}. Known are: {', '.join(known) or 'none'}."
        ) from error


def list_plugins() -> list[PluginEntry]:
    """Return all registered plug-ins by name, having imported each."""
    entries = []
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            summary, error = (load_plugin(entry.name).__doc__ or "").strip().partition("\n")[0], ""
        except Exception as problem:  # noqa: BLE001 (other people's code)
            summary, error = "", _reason(problem)
        entries.append(PluginEntry(entry.name, _origin(entry), summary, error))
    return entries


def _checked(decoded: Decoded, count: int, width: int) -> Decoded:
    numbers, clock = decoded
    numbers = np.array(numbers, np.float64)  # a copy: it is calibrated in place
    if numbers.shape != (count, width):
        raise ValueError(f"decode returned numbers of shape {numbers.shape} for {count} messages and {width} channels")
    return Decoded(numbers, None if clock is None else _checked_clock(np.asarray(clock, np.float64), count))


def _checked_clock(clock: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    if clock.shape != (count,):
        raise ValueError(f"decode returned a clock of shape {clock.shape} for {count} messages")
    return clock


def _origin(entry: importlib.metadata.EntryPoint) -> str:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown package"
    return f"{package} ({entry.value})"


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text if isinstance(error, LookupError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
