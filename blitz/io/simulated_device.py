"""A simulated device that is no Blitz board: one that prints, or sends binary frames, on a port of its own (Unix only).

What it sends and hears is written in :mod:`blitz.io.device_program`, the port and its time in
:mod:`blitz.io.simulated_port`.
"""

from pathlib import Path

from blitz.io.device_program import BINARY_KINDS, KINDS, DeviceProgram, device_message_number
from blitz.io.simulated_port import UART_BUFFER_BYTES, SimulatedPort

__all__ = ["BINARY_KINDS", "DEVICE_BAUD", "KINDS", "SimulatedDevice", "device_message_number"]

DEVICE_BAUD = 115200


class SimulatedDevice(SimulatedPort):
    """A device on a pty, in a thread of its own. A context manager that starts and stops it.

    Opening the port resets the device (DTR), and it says nothing for ``silence_s``.

    >>> with SimulatedDevice("plain", rate_hz=100, silence_s=0) as device, open(device.path, "rb") as port:
    ...     port.readline().count(b",")
    2

    :param kind: one of ``KINDS``.
    :param rate_hz: messages a second, on a schedule that does not drift.
    :param count: so many messages in all; after that the device only answers.
    :param quiet: send nothing until told ``on``, after each reset.
    :param link_path: see :class:`~blitz.io.simulated_port.SimulatedPort`, for this and the other options of the port.
    :raises ValueError: if no such device can be simulated.
    """

    def __init__(
        self,
        kind: str = "csv",
        *,
        rate_hz: float = 10.0,
        silence_s: float = 1.0,
        link_path: Path | None = None,
        seed: int = 0,
        count: int | None = None,
        quiet: bool = False,
        baud: int = DEVICE_BAUD,
        own_power: bool = False,
        uart_buffer_bytes: int = UART_BUFFER_BYTES,
        waits_for_reader: bool = False,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"There is no simulated device {kind!r}. Allowed are: {', '.join(KINDS)}.")
        if not 0 < rate_hz <= 1e6 or baud <= 0:
            raise ValueError(
                f"Rate {rate_hz:g} Hz and baud rate {baud} must be greater than 0, and the rate at most 1e6."
            )
        super().__init__(
            f"device-{kind}",
            DeviceProgram(kind, rate_hz, seed=seed, count=count, quiet=quiet),
            baud=baud,
            silence_s=silence_s,
            link_path=link_path,
            own_power=own_power,
            uart_buffer_bytes=uart_buffer_bytes,
            waits_for_reader=waits_for_reader,
        )
        self.kind = kind
