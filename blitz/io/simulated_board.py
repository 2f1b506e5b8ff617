"""A simulated board: a board's program on a port of its own (Unix only).

The program is in :mod:`blitz.io.board_program`, the port and its time in :mod:`blitz.io.simulated_port`.
"""

from pathlib import Path

from blitz.io.board_program import RINGS, BoardProgram, Traits
from blitz.io.simulated_port import UART_BUFFER_BYTES, SimulatedPort

__all__ = ["DEFAULT_BAUD", "DEFAULT_RATE_HZ", "SILENCE_S", "UART_BUFFER_BYTES", "SimulatedBoard"]

DEFAULT_RATE_HZ = 10.0
DEFAULT_BAUD = 57600
SILENCE_S = 1.0


class SimulatedBoard(SimulatedPort):
    """A board on a pty, in a thread of its own. A context manager that starts and stops it.

    Opening the port resets the board (DTR), and it says nothing for ``silence_s``; what comes in that time is lost.

    :param board_id: "08" or "09".
    :param rate_hz: messages a second, on a schedule that does not drift.
    :param ring: unsent messages kept; None: as many as such boards have.
    :param streaming: send data lines unasked, from opening on.
    :param count: log so many messages in all; after that the board only answers.
    :param link_path: see :class:`~blitz.io.simulated_port.SimulatedPort`, for this and the other options of the port.
    :param start_resets_clock: see :class:`~blitz.io.board_program.Traits`, for this and the following.
    :raises ValueError: if no such board can be simulated.
    """

    def __init__(
        self,
        board_id: str = "08",
        *,
        rate_hz: float = DEFAULT_RATE_HZ,
        ring: int | None = None,
        streaming: bool = False,
        silence_s: float = SILENCE_S,
        link_path: Path | None = None,
        seed: int = 0,
        count: int | None = None,
        baud: int = DEFAULT_BAUD,
        own_power: bool = False,
        uart_buffer_bytes: int = UART_BUFFER_BYTES,
        waits_for_reader: bool = False,
        start_resets_clock: bool = True,
        empty_line_starts: bool = True,
        signed_char: bool = False,
    ) -> None:
        if board_id not in RINGS:
            raise ValueError(f"There is no simulated board {board_id!r}. Allowed are: {', '.join(sorted(RINGS))}.")
        if rate_hz <= 0 or baud <= 0 or (ring is not None and ring < 1):
            raise ValueError(f"Rate {rate_hz:g} Hz, baud rate {baud} and ring {ring} must all be greater than 0.")
        traits = Traits(streaming, start_resets_clock, empty_line_starts, signed_char)
        program = BoardProgram(board_id, rate_hz, ring or RINGS[board_id], traits=traits, seed=seed, count=count)
        super().__init__(
            f"board-{board_id}",
            program,
            baud=baud,
            silence_s=silence_s,
            link_path=link_path,
            own_power=own_power,
            uart_buffer_bytes=uart_buffer_bytes,
            waits_for_reader=waits_for_reader,
        )
        self.board_id = board_id
        """Two hex digits."""
