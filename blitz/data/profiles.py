"""Servers by name, as one user knows them: address, token and fingerprint of each, in a file of that user's own.

The file is ``profiles.toml`` in the user's configuration folder, or what ``BLITZ_PROFILES`` names. It holds tokens, so
that nobody else may read it; comments that somebody wrote into it stay. Asks no server, and knows no links.
"""

import logging
import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from blitz.config import PROFILE_VARIABLE, PROFILES_VARIABLE
from blitz.errors import ConfigError

if TYPE_CHECKING:
    from blitz.config import ClientSettings

log = logging.getLogger(__name__)

NAME = re.compile(r"\w[\w-]{0,39}")
"""Without dots and colons, so that no name is an address."""


@dataclass(frozen=True)
class Profile:
    """One server, by the name that its user gave it.

    As text it never shows the token.
    """

    name: str
    server: str
    token: str = field(default="", repr=False)
    fingerprint: str = ""
    """SHA-256 of the server's certificate; empty: verified as usual, or no TLS."""
    cache: str = ""
    """Name of the cache that is used with this server; empty: its own."""


@dataclass(frozen=True)
class Profiles:
    """What the file says.

    :ivar by_name: all profiles, in the file's order.
    :ivar chosen: the name of the one that is used where none is named; empty if there is none.
    :ivar path: where the file is, or would be.
    """

    by_name: Mapping[str, Profile]
    chosen: str
    path: Path

    def named(self, name: str) -> Profile:
        """Return one.

        :raises ConfigError: if there is none of this name; it says which there are.
        """
        profile = self.by_name.get(name)
        if profile is not None:
            return profile
        if not self.by_name:
            raise ConfigError(f"There is no profile {name!r}, nor any other. 'blitz profile add {name}' makes it.")
        raise ConfigError(f"There is no profile {name!r}. There are: {', '.join(self.by_name)}.")


def profiles_path() -> Path:
    """Return where this user's profiles are kept."""
    named = os.environ.get(PROFILES_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_config_path("blitz", appauthor=False)) / "profiles.toml"


def read_profiles(path: Path | None = None) -> Profiles:
    """Read all profiles; none where there is no file.

    :raises ConfigError: naming what is wrong in the file, without any token.
    """
    path = path or profiles_path()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Profiles({}, "", path)
    except OSError as error:
        raise ConfigError(f"Cannot read the profiles {path}: {(error.strerror or str(error)).lower()}.") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"Cannot read the profiles {path}: {error}.") from error
    profiles = _parse(document, path)
    is_open = sys.platform != "win32" and stat.S_ISREG(mode) and mode & 0o077
    if is_open and any(profile.token for profile in profiles.by_name.values()):
        log.warning("Others can read the tokens in %s. Mend it with: chmod 600 %s", path, path)
    return profiles


def _parse(document: Mapping[str, Any], path: Path) -> Profiles:
    unknown = sorted(set(document) - {"use", "profiles"})
    if unknown:
        raise ConfigError(f"{path} has {unknown[0]!r}. Allowed are: use, and tables [profiles.NAME].")
    tables, chosen = document.get("profiles", {}), document.get("use", "")
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{path}: profiles are tables, written [profiles.NAME].")
    if not isinstance(chosen, str):
        raise ConfigError(f"{path}: 'use' must be the name of a profile.")
    profiles = Profiles({name: _profile(name, table, path) for name, table in tables.items()}, chosen, path)
    if chosen and chosen not in profiles.by_name:
        raise ConfigError(f"{path}: 'use' names {chosen!r}, which is no profile there.")
    return profiles


def _profile(name: str, table: Mapping[str, Any], path: Path) -> Profile:
    allowed = [each.name for each in fields(Profile) if each.name != "name"]
    if not NAME.fullmatch(name):
        raise ConfigError(f"{path}: {wrong_name(name)}")
    for key, value in table.items():
        if key not in allowed:
            raise ConfigError(f"{path}: {key!r} in [profiles.{name}] is no setting. Allowed are: {', '.join(allowed)}.")
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {key!r} in [profiles.{name}] must be a text.")
    if not table.get("server"):
        raise ConfigError(f'{path}: [profiles.{name}] says no server, such as server = "http://bench1:8999".')
    return Profile(name, **table)


def wrong_name(name: str) -> str:
    """Return the sentence about a name that none can have."""
    return f"{name!r} cannot name a profile: take letters, digits, - and _, at most 40."


def add_profile(profile: Profile, *, replace: bool = False, path: Path | None = None) -> None:
    """Keep a profile; the first one becomes the one that is used.

    :param replace: one of this name may exist.
    :raises ConfigError: if the name is none, or taken, or the file cannot be written.
    """
    if not NAME.fullmatch(profile.name):
        raise ConfigError(wrong_name(profile.name))

    def change(document: Any, profiles: Profiles) -> None:
        import tomlkit

        if profile.name in profiles.by_name and not replace:
            known = profiles.by_name[profile.name].server
            raise ConfigError(f"There is a profile {profile.name!r} already, for {known}: --replace puts this there.")
        table = tomlkit.table()
        for key in ("server", "token", "fingerprint", "cache"):
            if getattr(profile, key):
                table[key] = getattr(profile, key)
        if not profiles.by_name and "use" not in document:
            document["use"] = profile.name
        document.setdefault("profiles", tomlkit.table(is_super_table=True))[profile.name] = table

    _change(change, path)


def delete_profile(name: str, path: Path | None = None) -> None:
    """Take a profile away; if it was the one that is used, none is afterwards.

    :raises ConfigError: if there is none of this name, or the file cannot be written.
    """

    def change(document: Any, profiles: Profiles) -> None:
        profiles.named(name)
        del document["profiles"][name]
        if profiles.chosen == name:
            del document["use"]

    _change(change, path)


def use_profile(name: str, path: Path | None = None) -> None:
    """Choose the profile that is used where none is named; an empty name: none is.

    :raises ConfigError: if there is none of this name, or the file cannot be written.
    """

    def change(document: Any, profiles: Profiles) -> None:
        if name:
            document["use"] = profiles.named(name).name
        else:
            document.pop("use", None)

    _change(change, path)


def with_profile(settings: "ClientSettings") -> "ClientSettings":
    """Return the settings with the profile that they mean put in, or as they are where they mean none.

    A profile is named by ``server``, where that is one's name; by ``BLITZ_PROFILE``, which goes before the settings
    file; or, where neither says anything, by 'blitz profile use'.

    :raises ConfigError: if ``BLITZ_PROFILE`` names none, or contradicts ``BLITZ_SERVER``, or the file is wrong.
    """
    profiles, named = read_profiles(), os.environ.get(PROFILE_VARIABLE, "")
    origin = settings.origin("server")
    if origin == "--server" or (origin and not named):
        profile = profiles.by_name.get(settings.server)
    elif named:
        if origin == "BLITZ_SERVER":
            raise ConfigError(f"{origin} and {PROFILE_VARIABLE} both say which server is meant: give one of them.")
        profile = profiles.named(named)
    else:
        profile = profiles.by_name.get(profiles.chosen)
    return settings if profile is None else put_profile(profile, settings)


def other_names(server: str) -> list[str]:
    """Return the profiles that there are, where what was given as a server may be meant for one's name, but is none."""
    names = list(read_profiles().by_name)
    return names if NAME.fullmatch(server) and server not in names else []


def put_profile(profile: Profile, settings: "ClientSettings") -> "ClientSettings":
    """Put what a profile says in the place of settings; a token of the command line goes before its own.

    What the settings file says of another server's token and certificate is not for this one.
    """
    origin = settings.origin("token")
    if origin == "--token" or (origin == "BLITZ_TOKEN" and not profile.token):
        token = settings.token
    else:
        token = profile.token or None
    known = {"server": profile.server, "token": token, "fingerprint": profile.fingerprint or None}
    if profile.cache and not settings.origin("cache"):
        known["cache"] = profile.cache
    return settings.model_copy(update=known)


def _change(change: Callable[[Any, Profiles], None], path: Path | None) -> None:
    """Change the file, or leave it as it was; programs that change it take turns."""
    import tomlkit

    from blitz.data.file_turn import FileTurn

    path = path or profiles_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileTurn(path.with_name(f".{path.name}.turn")):
            profiles = read_profiles(path)
            document = tomlkit.parse(path.read_text("utf-8") if path.exists() else "")
            change(document, profiles)
            _write(path.resolve(), tomlkit.dumps(document))
    except OSError as error:
        raise ConfigError(f"Cannot write the profiles {path}: {(error.strerror or str(error)).lower()}.") from error


def _write(path: Path, text: str) -> None:
    """Put a text in the place of a file, which nobody else may read."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
