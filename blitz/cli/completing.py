"""What the shell offers for a word that is being typed: names and ids, as this machine or the server knows them.

Nothing here may raise, print, or keep the shell waiting: where a server is away, nothing is offered. Names come from
other people, and some shells evaluate what they are given: only harmless characters go there.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import typer

from blitz.errors import BlitzError

Offer = str | tuple[str, str]
"""A word, or a word and what it means."""
Completer = Callable[[typer.Context, list[str], str], list[Offer]]

_WAIT_S = 0.5
_UNSAFE_WORD = re.compile(r"[^\w.,:/+@=-]")
_UNSAFE_HELP = re.compile(r"[^\w .,/+@=-]")
_HELP_LENGTH = 60
_MOST = 200


def completer(find: Callable[[typer.Context], Iterable[Offer]]) -> Completer:
    """Make a function that finds words fit to be called by a shell."""

    def complete(context: typer.Context, args: list[str], incomplete: str) -> list[Offer]:
        try:
            found = list(find(context))
        except BaseException:  # noqa: BLE001 - a shell waits, and has no use for an error
            return []
        harmless = [offer for each in found[:_MOST] if (offer := _harmless(each)) is not None]
        return [each for each in harmless if (each if isinstance(each, str) else each[0]).startswith(incomplete)]

    complete.__doc__ = find.__doc__
    return complete


def begin_completion() -> bool:
    """Return whether a shell asks, with whose line no error must interfere; from then on."""
    if not os.environ.get("_BLITZ_COMPLETE"):
        return False
    logging.disable()  # a warning on the standard error would stand in the line that is being typed
    if "COMP_WORDS" in os.environ and os.environ.get("COMP_CWORD", "").isdecimal():
        words, place = whole_words(os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"]))
        os.environ.update(COMP_WORDS="\n".join(words), COMP_CWORD=str(place))
    return True


def whole_words(words: list[str], place: int) -> tuple[list[str], int]:
    """Put together what bash takes apart: addresses at each colon, options at the sign of equality.

    :param place: of the word that is being typed; of that, bash replaces only the part behind the last such sign.

    >>> whole_words(["blitz", "boards", "-s", "http", ":", "//lab", ":", "8999", "--"], 8)
    (['blitz', 'boards', '-s', 'http://lab:8999', '--'], 4)
    >>> whole_words(["blitz", "boards", "--server", "=", "he"], 4)
    (['blitz', 'boards', '--server', 'he'], 3)
    """
    whole: list[str] = []
    glued = False
    for index, word in enumerate(words[: place + 1]):
        if word == "=" and whole and whole[-1].startswith("--"):
            if index == place:
                whole.append("")
        elif (word == ":" or glued) and whole:
            whole[-1] += word
            glued = word == ":"
        else:
            whole.append(word)
    return whole, len(whole) - 1


def _harmless(offer: Offer) -> Offer | None:
    """Return what may be given to any shell; None where a word itself is not.

    >>> _harmless(("7", "run `x` $(y)"))
    ('7', 'run x y')
    >>> _harmless("a;b")
    """
    word, meaning = (offer, "") if isinstance(offer, str) else offer
    if not word or _UNSAFE_WORD.search(word):
        return None
    meaning = " ".join(_UNSAFE_HELP.sub("", meaning).split())[:_HELP_LENGTH].strip()
    return (word, meaning) if meaning else word


def _ask(context: typer.Context, path: str) -> list[dict[str, Any]]:
    """Return what the server lists that the line so far means."""
    from blitz.cli.asking import client_settings
    from blitz.io.address import ServerAddress
    from blitz.io.glance import glance

    told = context.params
    settings = client_settings(told.get("server"), told.get("token"), told.get("config_file"))
    address = ServerAddress.parse(settings.server, token=settings.token, fingerprint=settings.fingerprint)
    listed: list[dict[str, Any]] = []

    def look() -> None:
        with suppress(BlitzError):
            listed.extend(glance(address, path, _WAIT_S))

    # Looking up a name has no limit of its own.
    thread = threading.Thread(target=look, name="blitz completion", daemon=True)
    thread.start()
    thread.join(2 * _WAIT_S)
    return listed


@completer
def complete_boards(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of the devices that the server sees."""
    return [
        (board["name"], str(board.get("board_name") or board.get("link") or "")) for board in _ask(context, "/boards")
    ]


@completer
def complete_sources(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of the server's sources."""
    return [(source["name"], str(source.get("link") or "")) for source in _ask(context, "/sources")]


@completer
def complete_sessions(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of the server's sessions, with their names."""
    return [(str(session["id"]), str(session.get("name") or "")) for session in _ask(context, "/sessions")]


@completer
def complete_trashed(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of the sessions in the server's trash, with their names."""
    return [(str(session["id"]), str(session.get("name") or "")) for session in _ask(context, "/trash")]


@completer
def complete_streams(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of the server's streams."""
    return [(stream["name"], str(stream.get("description") or "")) for stream in _ask(context, "/streams")]


@completer
def complete_hooks(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of the server's hooks."""
    return [hook["name"] for hook in _ask(context, "/hooks")]


@completer
def complete_alarms(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of the present alarms, with the names of their rules."""
    return [(str(alarm["id"]), str(alarm["rule"].get("name") or "")) for alarm in _ask(context, "/alarms")]


@completer
def complete_alarm_rules(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of the rules of alarms, with their names."""
    return [(kept["id"], str(kept["rule"].get("name") or "")) for kept in _ask(context, "/alarms/rules")]


@completer
def complete_planned(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of planned starts, with the names of what they start."""
    return [(str(plan["id"]), str(plan.get("name") or "")) for plan in _ask(context, "/planned")]


@completer
def complete_ports(context: typer.Context) -> Iterable[Offer]:
    """Offer the serial ports of this machine."""
    from blitz.io.usb_ports import find_ports

    return [(port.port, port.description) for port in find_ports()]


@completer
def complete_found(context: typer.Context) -> Iterable[Offer]:
    """Offer the ports of new USB devices at the server."""
    return [(device["port"], str(device.get("maker") or "")) for device in _ask(context, "/found")]


@completer
def complete_tokens(context: typer.Context) -> Iterable[Offer]:
    """Offer the ids of the tokens that are not revoked, in the data folder that is meant, with their names."""
    from blitz.config import ServerSettings, load
    from blitz.data.tokens import TokenStore

    settings = load(ServerSettings, {"data_dir": context.params.get("data_dir")}, context.params.get("config_file"))
    path = settings.data_dir / "server.db"
    if not path.exists():
        return []
    with TokenStore(path) as store:
        return [(str(token.id), token.name) for token in store.tokens() if token.revoked_at is None]


@completer
def complete_profiles(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of profiles."""
    from blitz.data.profiles import read_profiles

    return [(profile.name, profile.server) for profile in read_profiles().by_name.values()]


@completer
def complete_caches(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of caches."""
    from blitz.cli import caches

    return list(caches.cache_names())


@completer
def complete_commands(context: typer.Context) -> Iterable[Offer]:
    """Offer the names of commands, for `blitz help`."""
    root: Any = context.find_root().command
    return [name for name, command in root.commands.items() if not command.hidden]
