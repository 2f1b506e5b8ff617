"""A Blitz plug-in that brings a kind of source: thermometers on the 1-wire bus of a Raspberry Pi.

The kernel's driver (overlay ``w1-gpio``) shows each as a file, which measures when it is read.
"""

import re
import threading
import time
from pathlib import Path

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, delete, update
from sqlalchemy.dialects.sqlite import insert

from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.source_config import SourceConfig
from blitz.data.source_kinds import SourceContext, SourceKind
from blitz.errors import CommandRefused, ConfigError, LinkError

BUS = "/sys/bus/w1/devices"
TEMPERATURE = BoardDefinition(
    id="w1-thermometer",
    name="1-wire thermometer",
    format=Format.COLUMNS,
    channels=(Channel(name="temperature", unit="°C", column=0),),
)
TABLES = MetaData()
COUNTS = Table(
    "w1_count",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("address", Text, nullable=False, unique=True),
    Column("failed_checks", Integer, nullable=False, default=0),
)
"""How often the bus garbled a reading: a long cable, a bad contact. Kept over restarts."""


class W1Thermometer(SourceKind):
    """Thermometers on the 1-wire bus, such as a DS18B20: w1:ADDRESS, measured every ten seconds."""

    prefix = "w1"
    tables = TABLES

    def check(self, config: SourceConfig) -> SourceConfig:
        """Complete a source: what it sends is known. The option `bus` names another folder than the kernel's."""
        if not re.fullmatch(r"w1:[0-9a-f]{2}-[0-9a-f]{12}", config.link):
            raise ConfigError(f"{config.link!r} is no thermometer: give its address, such as w1:28-000005e2fdc3.")
        unknown = sorted(set(config.options) - {"bus"})
        if unknown:
            raise ConfigError(f"A thermometer has no option {unknown[0]!r}. It has: bus.")
        return config if config.definition else config.model_copy(update={"definition": TEMPERATURE})

    def check_remote(self, config: SourceConfig, data_dir: Path) -> None:
        """Let everybody name a thermometer, and nobody a folder."""
        if config.options:
            raise ConfigError("Over the network no other bus can be named: leave the options out.")

    def open(self, config: SourceConfig, context: SourceContext) -> "Thermometer":
        """Open one; it must be there."""
        return Thermometer(config, context)

    def forget(self, config: SourceConfig, db: Connection) -> None:
        """Remove its row."""
        db.execute(delete(COUNTS).where(COUNTS.c.address == config.link))


class Thermometer:
    """One thermometer, used by one thread; only :meth:`wake` is called from others."""

    reopens = True
    overruns = None

    def __init__(self, config: SourceConfig, context: SourceContext) -> None:
        self.name = config.link
        self._context = context
        self._interval_s = config.poll_interval_s or 10.0
        self._due_s = time.monotonic()
        self._woken = threading.Event()
        bus = Path(config.options.get("bus", BUS))
        self._file = bus / config.link.removeprefix("w1:") / "w1_slave"
        if not self._file.is_file():
            there = ", ".join(f"w1:{path.name}" for path in sorted(bus.glob("[0-9a-f][0-9a-f]-*"))) or "none"
            raise LinkError(f"There is no thermometer {self.name}. There are: {there}. Look at its three wires.")
        with context.transaction() as db:
            db.execute(insert(COUNTS).values(address=self.name, failed_checks=0).on_conflict_do_nothing())

    def read(self, timeout_s: float) -> bytes:
        """Return a line with the temperature when it is due; nothing if that takes longer."""
        wait_s = self._due_s - time.monotonic()
        if wait_s > 0 and (self._woken.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            self._woken.clear()
            return b""
        self._due_s = max(self._due_s + self._interval_s, time.monotonic())
        try:
            text = self._file.read_text("ascii")
        except (OSError, ValueError) as error:
            raise LinkError(f"Lost {self.name}: {error}. It is opened again when it is back.") from error
        found = re.search(r"YES\n.*t=(-?\d+)", text)
        if found is None:
            with self._context.transaction() as db:
                count = COUNTS.c.failed_checks
                db.execute(update(COUNTS).where(COUNTS.c.address == self.name).values(failed_checks=count + 1))
            self._context.notice("warning", f"{self.name}: a reading failed its check. Look at the cable.")
            return b""
        return f"{int(found[1]) / 1000:.3f}\n".encode()

    def write(self, line: bytes) -> None:
        """Refuse: it takes no commands."""
        raise CommandRefused(f"{self.name} is a thermometer, and takes no commands.")

    def wake(self) -> None:
        """Make a waiting read return now."""
        self._woken.set()

    def close(self) -> None:
        """Nothing is open between two readings."""
