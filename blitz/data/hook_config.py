"""A hook as it is configured: whom to tell, by which way, and of what. Tables ``[[server.hooks]]`` of the settings.

Passwords and secrets need not stand in the settings file: they are read from the environment or from a file whenever
they are needed.
"""

import os
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from blitz.data.model_faults import ended, first_fault
from blitz.errors import ConfigError


class HookEvent(StrEnum):
    """What a hook can be told of."""

    SOURCE_LOST = "source_lost"
    SOURCE_BACK = "source_back"
    SESSION_STOPPED = "session_stopped_by_itself"
    DISK_WARNING = "disk_warning"
    DISK_OK = "disk_ok"
    STORE_AWAY = "store_away"
    STORE_BACK = "store_back"
    AFTER_CRASH = "server_started_after_crash"
    ALARM = "alarm"
    """A rule of the server was broken: see :mod:`blitz.data.alarm_rule`."""
    ALARM_OVER = "alarm_over"
    """What had raised an alarm is back to normal."""
    TEST = "test"
    """Somebody asked for it; told to every hook."""


RECOVERED = "recovered"
"""In ``on``: all that tells that a trouble is over."""
RECOVERIES = (HookEvent.SOURCE_BACK, HookEvent.DISK_OK, HookEvent.STORE_BACK, HookEvent.ALARM_OVER)


class _Hook(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")
    on: tuple[HookEvent, ...] = Field(default=tuple(HookEvent), description="absent: everything")
    after_s: float = Field(default=60.0, ge=0, description="how long a source or the store must be away")
    at_most_every_s: float = Field(
        default=300.0, ge=0, le=86400, description="of one alarm rule or source not more than one in so long; 0: each"
    )
    timeout_s: float = Field(default=20.0, gt=0, le=300)

    @field_validator("on", mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [event for word in value for event in (RECOVERIES if word == RECOVERED else (word,))]

    def wants(self, event: HookEvent) -> bool:
        """Whether the hook is to be told of this."""
        return event is HookEvent.TEST or event in self.on


class EmailHook(_Hook):
    """An e-mail through a mail server."""

    kind: Literal["email"]
    host: str = Field(min_length=1, description="the mail server")
    port: int | None = Field(default=None, ge=1, le=65535, description="absent: 587, 465 with ssl, 25 with none")
    security: Literal["starttls", "ssl", "none"] = "starttls"
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the system's, PEM")
    sender: str = Field(min_length=3, description="address that it comes from")
    to: tuple[str, ...] = Field(min_length=1, description="addresses that it goes to")
    user: str = Field(default="", description="login at the mail server; empty: none")
    password: str | None = None
    password_env: str | None = Field(default=None, description="the environment variable with the password")
    password_file: Path | None = Field(default=None, description="the file with the password")

    @field_validator("sender", "to")
    @classmethod
    def _check_address(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in [value] if isinstance(value, str) else value:
            if "@" not in address or any(not char.isprintable() or char == " " for char in address):
                raise ValueError(f"{address!r} is no e-mail address")
        return value

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if self.user and not (self.password or self.password_env or self.password_file):
            raise ValueError("a user needs a password: give password_env, password_file or password")
        return self

    @property
    def port_in_use(self) -> int:
        """The mail server's port."""
        return self.port or {"starttls": 587, "ssl": 465, "none": 25}[self.security]

    @property
    def target(self) -> str:
        """Whom it tells, without secrets."""
        return f"{', '.join(self.to)} by {self.host}"

    def secret(self) -> str:
        """Return the password.

        :raises ConfigError: if it cannot be read.
        """
        return _secret(self.name, self.password, self.password_env, self.password_file)


class WebhookHook(_Hook):
    """A POST of JSON to a web address."""

    kind: Literal["webhook"]
    url: str = Field(pattern=r"^https?://[^\s/]")
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$", description="what carries the secret")
    secret: str | None = Field(default=None, description="the header's whole value, such as 'Bearer …'")
    secret_env: str | None = None
    secret_file: Path | None = None
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the system's, PEM")

    @property
    def target(self) -> str:
        """Whom it tells, without what may be secret in the address."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"

    def headers(self) -> dict[str, str]:
        """Return the header with the secret; none where there is none.

        :raises ConfigError: if it cannot be read.
        """
        if not (self.secret or self.secret_env or self.secret_file):
            return {}
        return {self.header: _secret(self.name, self.secret, self.secret_env, self.secret_file)}


_SHELL = re.compile(r"(.*/)?(ba|da|z|k|mk|a|c|tc|fi)?sh")
_WINDOWS_SHELL = re.compile(r"(.*[/\\])?(cmd|powershell|pwsh)(\.exe)?", re.IGNORECASE)
_PLACE = re.compile(r"\{(?:event|title|text|source|session|server)\}")


class CommandHook(_Hook):
    """A program of this machine, started without a shell.

    In its arguments ``{event}``, ``{title}``, ``{text}``, ``{source}``, ``{session}`` and ``{server}`` stand for what
    is told. It finds the same in ``HOOK_EVENT``, ``HOOK_TITLE`` and so on, and as JSON on its standard input.
    """

    kind: Literal["command"]
    at_most_every_s: float = Field(
        default=0.0, ge=0, le=86400, description="as for others, but a program is told each: it may switch a lamp"
    )
    command: tuple[str, ...] = Field(min_length=1, description="program and arguments, one text each")

    @field_validator("command")
    @classmethod
    def _check_shell(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        """What a shell is to run must not be put together from texts that anybody on the network can choose."""
        shell = next((part for part in command if _SHELL.fullmatch(part) or _WINDOWS_SHELL.fullmatch(part)), None)
        if shell is None:
            return command
        for script in command[command.index(shell) + 1 :]:
            if found := _PLACE.search(script):
                raise ValueError(
                    f"{found[0]} in a shell's command could run anything: name the variable instead, such as "
                    '"$HOOK_TEXT"'
                )
            if not script.startswith("-") and _SHELL.fullmatch(shell):
                break  # what follows are arguments of the script
        return command

    @property
    def target(self) -> str:
        """Which program it starts."""
        return self.command[0]


HookConfig = Annotated[EmailHook | WebhookHook | CommandHook, Field(discriminator="kind")]
_HOOK: TypeAdapter[EmailHook | WebhookHook | CommandHook] = TypeAdapter(HookConfig)


def read_hooks(tables: Sequence[Mapping[str, Any]]) -> list[EmailHook | WebhookHook | CommandHook]:
    """Read the hooks of the settings.

    :raises ConfigError: saying which one is wrong and how, without its values, which may be secret.
    """
    hooks: list[EmailHook | WebhookHook | CommandHook] = []
    for number, table in enumerate(tables, 1):
        what = f"The settings' hook {number}"
        if isinstance(table.get("name"), str):
            what += f" ({table['name']!r})"
        try:
            hook = _HOOK.validate_python(table)
        except ValidationError as error:
            raise ConfigError(f"{what} is wrong: {_fault(error)}") from None  # its cause shows the values
        if any(hook.name == other.name for other in hooks):
            raise ConfigError(f"{what} is wrong: there is another hook of that name.")
        hooks.append(hook)
    return hooks


def hook_from_json(text: str) -> EmailHook | WebhookHook | CommandHook:
    """Read one hook as it was kept.

    :raises ValidationError: if it is none.
    """
    return _HOOK.validate_json(text)


def added_hook(table: Mapping[str, Any]) -> EmailHook | WebhookHook:
    """Read a hook that somebody adds through the network: it tells others, and neither runs nor reads anything here.

    :raises ConfigError: saying what is wrong, without values, which may be secret.
    """
    try:
        hook = _HOOK.validate_python(table)
    except ValidationError as error:
        raise ConfigError(f"The hook is wrong: {_fault(error)}") from None  # its cause shows the values
    if isinstance(hook, CommandHook):
        raise ConfigError("Programs are run only where the server's settings file says so: add this hook there.")
    for name in ("password_env", "password_file", "secret_env", "secret_file", "ca_file"):
        if getattr(hook, name, None) is not None:
            where = "the server's environment" if name.endswith("_env") else "files of the server"
            raise ConfigError(
                f"{name} is for hooks of the settings file: what is added by a call does not read {where}."
            )
    return hook


def _fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = [part for part in fault["loc"] if part not in ("email", "webhook", "command")] or list(fault["loc"])
    kind = fault["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return "its kind must be 'email', 'webhook' or 'command'."
    if any(word in str(place[0] if place else "") for word in ("password", "secret", "url")):
        return f"{place[0]} is not as it must be: {ended(str(fault['msg']).lower())}"
    return ended(first_fault(error))


def _secret(name: str, given: str | None, variable: str | None, file: Path | None) -> str:
    if variable is not None:
        if not os.environ.get(variable):
            raise ConfigError(f"Hook {name!r} wants its secret from {variable}, which is not in the environment.")
        return os.environ[variable]
    if file is not None:
        try:
            return file.expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"Hook {name!r} cannot read its secret from {file}: {error}.") from error
    return given or ""
