"""How the acquisition is run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blitz.config import Durability
from blitz.data.name_pattern import NamePattern
from blitz.data.session_words import check_field_name
from blitz.errors import (
    ConfigError,
)
from blitz.io.devices import DeviceOptions
from blitz.io.room_options import RoomOptions


@dataclass(frozen=True)
class AcquisitionOptions:
    """How the acquisition is run; the settings of the same names."""

    devices: DeviceOptions = field(default_factory=DeviceOptions)
    durability: Durability = "always"
    is_private_store: bool = True
    revive_store: Callable[[], bool] | None = None
    """Starts a private Redis again that has died; says whether it had."""
    spool_dir: Path | None = None
    """Where messages go while Redis is away; None takes a temporary folder, which no restart finds."""
    spool_limit_bytes: int = 2 << 30
    after_crash: Literal["resume", "close"] = "resume"
    on_stop: Literal["close", "keep"] = "close"
    room: RoomOptions | None = None
    """What is watched for room; None watches nothing."""
    session_name: str = ""
    """The pattern of the name that a session without one gets."""
    required_fields: tuple[str, ...] = ()
    """Own fields that every new session must have."""
    calibration_warn_days: float = 30.0
    """So many days before a calibration expires operators are told."""

    def __post_init__(self) -> None:
        """Refuse what could never be.

        :raises ConfigError: naming the setting.
        """
        try:
            NamePattern(self.session_name)
        except ValueError as error:
            raise ConfigError(f"The setting session_name: {error}") from error
        try:
            for name in self.required_fields:
                check_field_name(name)
        except ValueError as error:
            raise ConfigError(f"The setting required_fields: {error}") from error
