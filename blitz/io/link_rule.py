"""Which links somebody may name over the network: no file of the server but recordings in its data folder, no device
but serial ports.

What is named in settings, and on a server that only programs of its own machine reach, is nobody else's business.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from blitz.data.source_config import SourceConfig, kind_of
from blitz.data.source_kinds import load_kind
from blitz.errors import ConfigError
from blitz.io.link import check_link, is_port

RECORDINGS = "recordings"
"""The folder in the data folder."""

_PORT = re.compile(r"/dev/(tty|rfcomm|cu\.)[\w.:+@-]+")
_TERMINAL = re.compile(r"/dev/(console|tty\d*|ttys\d+|tty[a-ep-z][\da-f]|pts/.*)")
"""Where people type on that machine: ttyN, pts/N; ttysN on macOS; the old names, ttyp0 and on."""
_NAMED_BY_SYSTEM = re.compile(r"/dev/(serial/by-(id|path)/)?[\w.:+@-]+")
"""What udev calls a port is a link in /dev that only the system can make."""
_WINDOWS_PORT = re.compile(r"(\\\\\.\\)?COM\d{1,3}", re.IGNORECASE)


class LinkRule(Protocol):
    """Checks a link that comes in a request, with what its kind of source is told."""

    def __call__(self, link: str, options: Mapping[str, Any] | None = None) -> None:
        """:raises ConfigError: if it may not be named."""


def network_rule(data_dir: Path) -> LinkRule:
    """Return the rule for a server that is reached from the network."""
    recordings = data_dir / RECORDINGS

    def check(link: str, options: Mapping[str, Any] | None = None) -> None:
        check_link(link)
        kind = kind_of(link)
        if kind is not None:
            load_kind(kind).check_remote(SourceConfig(name="new", link=link, options=dict(options or {})), data_dir)
        elif link.startswith("replay:"):
            _check_recording(link, recordings)
        elif is_port(link):
            _check_port(link)

    return check


def _check_recording(link: str, folder: Path) -> None:
    from blitz.io.replay_link import parse_replay

    path = parse_replay(link)[0]
    try:
        is_inside = path.is_absolute() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that is none, or a loop of symbolic links
        is_inside = False
    if not is_inside:
        raise ConfigError(
            f"{link!r} cannot be played: over the network only recordings in the server's folder {folder} can be "
            "named, by their whole path. Put the file there, or name it in the server's settings."
        )


def _check_port(link: str) -> None:
    if _WINDOWS_PORT.fullmatch(link):
        return
    real = os.path.realpath(link) if "\0" not in link else ""
    is_port = _PORT.fullmatch(real) if os.path.exists(real) else True
    is_terminal = _TERMINAL.fullmatch(link) or _TERMINAL.fullmatch(real)
    if not _NAMED_BY_SYSTEM.fullmatch(link) or is_terminal or not is_port:
        raise ConfigError(
            f"{link!r} is no serial port: over the network only ports in /dev, such as /dev/ttyUSB0, can be named. "
            "Name others in the server's settings."
        )
