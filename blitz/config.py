"""Settings of the two programs, from four places: arguments, ``BLITZ_…`` variables, a TOML file, defaults.

A wrong setting becomes a :class:`~blitz.errors.ConfigError` that names it, where it came from and what is allowed.
The file is ``blitz.toml`` in the user's configuration folder, or the one that ``BLITZ_CONFIG`` or ``--config``
names; its tables are ``[server]`` and ``[client]``. A variable that is no setting is named in a warning only: it may
be another program's.
"""

import logging
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from blitz.errors import ConfigError

log = logging.getLogger(__name__)

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8999
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

Durability = Literal["always", "everysec", "none"]
ScanUsb = Literal["known", "ask", "off"]
_SCAN_WORDS: dict[object, ScanUsb] = {
    True: "known",
    "true": "known",
    "1": "known",
    False: "off",
    "false": "off",
    "0": "off",
}
"""What the setting could be before there was a third way."""


class SerialPort(NamedTuple):
    """One entry of ``--serial``: where a device is, its baud rate, and the definition of what it sends.

    The place is a port's path, or an address: ``socket://host:port``, ``netscanner://host:port``, ``replay:FILE``,
    ``stream:NAME``.
    """

    port: str
    baud: int | None = None
    definition: str = ""

    @classmethod
    def parse(cls, text: str) -> "SerialPort":
        """Read ``PORT[:BAUD][=DEFINITION]`` or ``ADDRESS[=DEFINITION]``.

        >>> SerialPort.parse("/dev/ttyUSB0:115200")
        SerialPort(port='/dev/ttyUSB0', baud=115200, definition='')
        >>> SerialPort.parse("COM3=scale")
        SerialPort(port='COM3', baud=None, definition='scale')
        >>> SerialPort.parse("socket://lab-pi:4001")
        SerialPort(port='socket://lab-pi:4001', baud=None, definition='')
        >>> SerialPort.parse("replay:run.jsonl?speed=max=scale")
        SerialPort(port='replay:run.jsonl?speed=max', baud=None, definition='scale')
        """
        parts = _SERIAL.fullmatch(text)
        if parts is None:
            raise ValueError(_wrong_port(text))
        place, definition = parts["place"], parts["definition"] or ""
        if _ADDRESS.match(place):
            return cls(place, None, definition)
        if "://" in place:
            known = "socket://HOST:PORT, netscanner://HOST:PORT, replay:FILE and stream:NAME"
            raise ValueError(f"{text!r} is none of {known}")
        port, colon, baud = place.rpartition(":")
        if not colon or (place.startswith("/dev/serial/") and not baud.isdecimal()):  # by-path has colons of its own
            return cls(_checked_port(place, text), None, definition)
        if not baud.isdecimal() or len(baud) > _BAUD_DIGITS or not _SLOWEST_BAUD <= int(baud) <= _FASTEST_BAUD:
            raise ValueError(_wrong_port(text))
        return cls(_checked_port(port, text), int(baud), definition)


_SERIAL = re.compile(r"(?P<place>[^=?]*(\?\w+=[^=]*)?)(=(?P<definition>[^=]+))?")
_ADDRESS = re.compile(r"socket://|netscanner://|replay:|stream:")
_SLOWEST_BAUD, _FASTEST_BAUD, _BAUD_DIGITS = 50, 20_000_000, 8


def _checked_port(port: str, text: str) -> str:
    if not port:
        raise ValueError(_wrong_port(text))
    return port


def _wrong_port(text: str) -> str:
    return (
        f"{text!r} is not PORT, PORT:BAUD or PORT:BAUD=DEFINITION, such as /dev/ttyUSB0:57600, "
        f"with {_SLOWEST_BAUD} to {_FASTEST_BAUD} baud"
    )


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def origin(self, name: str) -> str:
        """Say where a setting stands, such as ``BLITZ_SYNC``; empty where it is the default, or chosen elsewhere."""
        return self._origins.get(name, "")

    def told_by(self, other: Self) -> Self:
        """Take over where other settings stand, and return these."""
        self._origins = dict(other._origins)
        return self


class ServerSettings(_Settings):
    """What ``blitz serve`` can be told."""

    host: str = Field(DEFAULT_HOST, description="address to listen on")
    port: int = Field(DEFAULT_PORT, ge=0, le=65535, description="port of the HTTP interface; 0 chooses a free one")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_path("blitz", appauthor=False)),
        description="folder of the server's own Redis",
    )
    redis_url: str | None = Field(None, description="a Redis to use instead of a private one")
    redis_prefix: str = Field("", description="put before every key, so that several benches can share one Redis")
    acquisition: bool = Field(
        True, description="false: only serve what another server over the same Redis records; open no port"
    )
    serial: tuple[SerialPort, ...] = Field((), description="ports to open: PORT[:BAUD][=DEFINITION], or an address")
    sources: tuple[dict[str, Any], ...] = Field((), description="further inputs, tables [[server.sources]]")
    scan_usb: ScanUsb = Field(
        "ask", description="new USB devices: known opens those of known makers, ask waits for a word, off ignores them"
    )
    never_touch: tuple[str, ...] = Field((), description="ports that are never opened")
    simulate: int = Field(0, ge=0, le=64, description="number of simulated boards")
    definitions_dir: Path | None = Field(None, description="folder of your own board definitions, *.toml")
    durability: Durability = Field("always", description="when Redis writes to disk: each append, each second, never")
    poll_interval_s: float = Field(
        0.1, gt=0, le=60, description="time from one poll of a board to the next, in seconds"
    )
    preview: bool = Field(True, description="start and poll boards while nothing is recorded, to show their values")
    token: str | None = Field(None, min_length=16, repr=False, description="one more token, with the role admin")
    allowed_hosts: tuple[str, ...] = Field((), description="further names of this server")
    announce: bool = Field(True, description="announce a server beyond loopback on the network (multicast DNS)")
    announce_name: str = Field("", max_length=60, description="under which name; absent: this machine's")
    announce_on: tuple[str, ...] = Field((), description="addresses of the interfaces; absent: where it listens")
    tls_certificate: Path | None = Field(None, description="your own certificate, PEM; else one is made when needed")
    tls_key: Path | None = Field(None, description="the private key of your certificate, PEM")
    insecure: bool = Field(False, description="no TLS beyond loopback: tokens and messages can be read on the network")
    after_crash: Literal["resume", "close"] = Field(
        "resume", description="what becomes of a session that was running when the server ended unexpectedly"
    )
    on_stop: Literal["close", "keep"] = Field(
        "close", description="what becomes of the running session when the server is told to stop; keep: it is resumed"
    )
    redis_memory_mb: int | None = Field(
        None, ge=32, description="memory for Redis; absent: a quarter of the machine's, at most 2048"
    )
    archive: bool = Field(True, description="move older messages from Redis to files when the memory fills")
    archive_dir: Path | None = Field(None, description="folder of the archive; absent: archive in the data folder")
    spool_limit_mb: int = Field(2048, ge=16, description="what the spool may take while Redis is away")
    disk_reserve_mb: int = Field(512, ge=0, description="what stays free on disk: before that a session is stopped")
    keep_days: float | None = Field(None, gt=0, description="older sessions go to the trash; absent: kept")
    keep_starred: bool = Field(True, description="starred sessions are kept, whatever their age")
    keep_free_gb: float | None = Field(None, gt=0, description="oldest sessions go when less than that is free on disk")
    trash_days: float = Field(30, ge=0, description="how long a session can be taken out of the trash")
    session_name: str = Field(
        "{date}_{sample}_{n}", description="name of a session that is given none: {date}, {time}, {n}, {owner}, fields"
    )
    required_fields: tuple[str, ...] = Field((), description="own fields without which no session is started")
    calibration_warn_days: float = Field(
        30, ge=0, description="so many days before a calibration expires operators are told"
    )
    max_connections: int = Field(500, ge=10, description="connections at one time; beyond it the idle ones make room")
    max_viewers: int = Field(200, ge=1, description="live connections at one time; more are refused")
    max_request_kb: int = Field(1024, ge=16, description="largest body of a request")
    request_timeout_s: float = Field(30.0, gt=0, description="time in which a request must arrive")
    viewer_timeout_s: float = Field(600.0, gt=0, description="a viewer that has taken nothing for so long is dropped")
    hooks: tuple[dict[str, Any], ...] = Field((), description="whom to tell what, tables [[server.hooks]]")
    exit_when_idle_s: float | None = Field(
        None,
        gt=0,
        description="end by itself when nobody has looked and nothing was recorded for so long; absent: never",
    )
    log_file: Path | None = Field(None, description="log file; absent: blitz.log in the data folder")
    log_file_mb: int = Field(10, ge=1, description="size at which the log file is rotated")
    log_files: int = Field(5, ge=1, description="how many older log files are kept")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("serial", mode="before")
    @classmethod
    def _parse_serial(cls, value: Any) -> Any:
        return tuple(SerialPort.parse(part) if isinstance(part, str) else part for part in _listed(value))

    @field_validator("scan_usb", mode="before")
    @classmethod
    def _parse_scan(cls, value: Any) -> Any:
        word = value.strip().lower() if isinstance(value, str) else value
        return _SCAN_WORDS.get(word, word) if isinstance(word, str | bool) else word

    @field_validator("never_touch", "allowed_hosts", "announce_on", "required_fields", mode="before")
    @classmethod
    def _parse_list(cls, value: Any) -> Any:
        return tuple(_listed(value))

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return self.host in LOOPBACK_HOSTS


class ClientSettings(_Settings):
    """What ``blitz client`` and the other commands of the client side can be told."""

    server: str = Field(
        f"http://{DEFAULT_HOST}:{DEFAULT_PORT}", repr=False, description="address of the server, or a link with a token"
    )
    token: str | None = Field(None, repr=False, description="what the server asks for, beyond loopback")
    fingerprint: str | None = Field(None, description="SHA-256 of the server's certificate, where it is a private one")
    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_path("blitz", appauthor=False)) / "caches",
        description="folder of the local caches, one a server",
    )
    cache: str | None = Field(
        None,
        repr=False,
        description="the cache: its name, a file, a SQLAlchemy URL, or usual: one a server; absent: what was chosen",
    )
    sync: Literal["off", "chosen", "all"] = Field(
        "chosen", description="which sessions come into the cache without being asked for"
    )
    sync_period_s: float = Field(300.0, ge=1, description="time from one synchronisation to the next, in seconds")
    overview_mb: int = Field(
        2048, ge=1, description="room on disk for the overviews of a cache's long sessions; the oldest go first"
    )
    export_dir: Path | None = Field(
        None, description="where each session is exported to when it stops; absent: nowhere"
    )
    export_pattern: str = Field(
        "{date}_{name}_{id}", description="names of such files: {date}, {time}, {name}, {id}, {owner}, own fields"
    )
    export_format: Literal["csv", "parquet", "feather", "hdf5", "xlsx"] = Field("csv", description="of such files")
    export_preset: Literal["analysis", "spreadsheet"] = Field("analysis", description="of such files")
    export_report: bool = Field(False, description="a report beside each such file")
    report_template: Path | None = Field(
        None, description="template of reports, or a folder with report.html; absent: the one that comes with Blitz"
    )
    console_messages: int = Field(50_000, ge=1000, le=1_000_000, description="raw messages that the console keeps")
    keep_awake: bool = Field(True, description="this computer does not go to sleep while a server on it records")


_S = TypeVar("_S", bound=_Settings)

DEMONSTRATION_VARIABLE = "BLITZ_DEMONSTRATION"
"""Folder in which the window of `make run` remembers its places, apart from the user's own window."""
PROFILE_VARIABLE = "BLITZ_PROFILE"
"""Name of the profile that says which server is meant."""
PROFILES_VARIABLE = "BLITZ_PROFILES"
"""The file of profiles, if it is another than the user's own."""
_FURTHER_VARIABLES = (
    *("BLITZ_CONFIG", "BLITZ_NO_INSTALL", "BLITZ_SOAK", "BLITZ_RELEASED_PORT"),
    *(DEMONSTRATION_VARIABLE, PROFILE_VARIABLE, PROFILES_VARIABLE),
)
"""What is no setting: where the settings file is, and what set-up, tests and the demonstration are told."""


def load(kind: type[_S], arguments: dict[str, Any] | None = None, config_file: Path | None = None) -> _S:
    """Gather the settings of a program.

    :param arguments: what the command line gave; None values count as not given.
    :param config_file: a TOML file that must exist; None looks in the usual place, where none need be.
    :raises ConfigError: naming each wrong setting and what is allowed.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None and value != ()}
    table = "server" if kind is ServerSettings else "client"
    _warn_of_unknown_variables()
    from_file, path = _read_file(table, config_file)
    from_environment = {
        name: os.environ[f"BLITZ_{name.upper()}"]
        for name in kind.model_fields
        if os.environ.get(f"BLITZ_{name.upper()}")
    }
    merged = from_file | from_environment | given

    def origin_of(name: str) -> str:
        if name in given:
            return f"--{name.replace('_', '-')}"
        return f"BLITZ_{name.upper()}" if name in from_environment else f"'{name}' in [{table}] of {path}"

    try:
        settings = kind.model_validate(merged)
        settings._origins = {name: origin_of(name) for name in merged}
        return settings
    except ValidationError as error:
        sentences = []
        for problem in error.errors():
            name = str(problem["loc"][0])
            origin = origin_of(name)
            if problem["type"] == "extra_forbidden":
                allowed = ", ".join(sorted(kind.model_fields))
                sentences.append(f"{origin} is not a setting. Allowed are: {allowed}.")
            else:
                sentences.append(_wrong(origin, name, problem))
        raise ConfigError(" ".join(sentences)) from error


def _warn_of_unknown_variables() -> None:
    names = {*ServerSettings.model_fields, *ClientSettings.model_fields}
    allowed = sorted({f"BLITZ_{name.upper()}" for name in names} | set(_FURTHER_VARIABLES))
    for variable in sorted(os.environ):
        if variable.startswith("BLITZ_") and variable not in allowed:
            log.warning("%s is not a setting, and ignored. Allowed are: %s.", variable, ", ".join(allowed))


def _wrong(origin: str, name: str, problem: Mapping[str, Any]) -> str:
    """Return the sentence about a wrong value."""
    if problem["type"] == "value_error":  # ours, which say the value
        return f"{origin}: {problem['ctx']['error']}."
    reason = plain_reason(str(problem["msg"]))
    # A secret does not belong on a screen or in a log.
    value = "wrong" if name in ("token", "hooks") else repr(problem["input"])
    return f"{origin} is {value}: {reason}."


def plain_reason(reason: str) -> str:
    """Return why a value is refused, in plain words instead of pydantic's.

    >>> plain_reason("Input should be a valid integer, unable to parse string as an integer")
    'it must be a whole number'
    >>> plain_reason("Input should be less than or equal to 65535")
    'it must be at most 65535'
    """
    for theirs, ours in _PLAIN_REASONS:
        reason = re.sub(theirs, ours, reason)
    return f"{reason[:1].lower()}{reason[1:]}"


_PLAIN_REASONS = (
    (r"Input should be a valid integer(, [^.]*)?", "it must be a whole number"),
    (r"Input should be a valid (number|float)(, [^.]*)?", "it must be a number"),
    (r"Input should be a valid boolean(, [^.]*)?", "it must be true or false"),
    (r"Input should be (greater than or equal to|at least)", "it must be at least"),
    (r"Input should be (less than or equal to|at most)", "it must be at most"),
    (r"Input should be (greater|less) than", r"it must be \1 than"),
    (r"Input should be", "it must be"),
)


def _read_file(table: str, config_file: Path | None) -> tuple[dict[str, Any], Path]:
    named = config_file or (Path(os.environ["BLITZ_CONFIG"]) if os.environ.get("BLITZ_CONFIG") else None)
    path = named or Path(platformdirs.user_config_path("blitz", appauthor=False)) / "blitz.toml"
    try:
        with path.open("rb") as file:
            content = file.read()
        document = tomllib.loads(content.decode("utf-8"))
    except FileNotFoundError:
        if named is None:
            return {}, path
        raise ConfigError(f"Cannot read the settings file {path}: it does not exist.") from None
    except OSError as error:
        raise ConfigError(f"Cannot read the settings file {path}: {(error.strerror or str(error)).lower()}.") from error
    except ValueError as error:  # no TOML, or no UTF-8
        reason = str(error)
        if not content.strip(b"\0"):
            reason = "it holds nothing but zeros, as a power failure can leave it; bring it back from a copy"
        raise ConfigError(f"Cannot read the settings file {path}: {reason}.") from error
    if not content and path.is_file():
        log.warning("The settings file %s is empty: the defaults hold", path)
    unknown = set(document) - {"server", "client"}
    if unknown:
        raise ConfigError(f"{path} has the table {sorted(unknown)[0]!r}. Allowed are: [server], [client].")
    section = document.get(table, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {table!r} must be a table, written [{table}].")
    return section, path


def _listed(value: Any) -> list[Any]:
    """Accept a list, or one text with commas, as environment variables give it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple) and all(isinstance(part, str | SerialPort) for part in value):
        return list(value)
    raise ValueError(f"{value!r} is not a list of texts")
