"""What a drill finds: each message that was sent, shown and stored, compared one by one. Pure.

Devices number what they send, so that nothing has to be estimated: what is missing is known, and must be what the
session's gaps say is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.records import SessionRecord
from blitz.io.drill_device import BOARD, BOARD_MODULO, numbers_of


@dataclass(frozen=True)
class Bounds:
    """What one device sent between a session's start and its end, as far as that is known.

    :param first: the number of the first message; None: it was sending already.
    :param stop: the number behind the last; None: it goes on sending.
    """

    first: int | None = None
    stop: int | None = None


@dataclass
class Tally:
    """What became of messages. Sums of several sessions can be made with :meth:`add`."""

    sent: int = 0
    stored: int = 0
    missed: int = 0
    """Not stored, and stated in the session's gaps: nobody had the port open, or what had come was not safe yet."""
    lost: int = 0
    """Shown to a client and not stored so, or missing and in no gap."""
    doubled: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what became of others."""
        self.sent += other.sent
        self.stored += other.stored
        self.missed += other.missed
        self.lost += other.lost
        self.doubled += other.doubled
        self.problems += other.problems


def tally(
    session: SessionRecord,
    stored: MessageBlock,
    shown: Sequence[MessageBlock],
    devices: Mapping[int, tuple[str, Bounds]],
) -> Tally:
    """Compare what a session holds with what was sent and shown.

    :param stored: all its messages.
    :param shown: what a client was shown while it was recorded.
    :param devices: name and bounds of each device, by what :func:`~blitz.io.drill_device.numbers_of` calls it.
    """
    found = Tally(stored=len(stored))
    _check_shown(found, session.id, stored, shown)
    if len(stored) != session.message_count:
        found.problems.append(f"Session {session.id} says {session.message_count} messages and holds {len(stored)}.")
    if (np.diff(stored.arrived_ns) < 0).any():
        found.problems.append(f"In session {session.id} times of arrival fall.")
    whose, numbers = numbers_of(stored)
    strange = int((whose < 0).sum())
    if strange:
        found.problems.append(f"Session {session.id} holds {strange} messages that no device sent.")
    for device, (name, bounds) in devices.items():
        rows = np.flatnonzero(whose == device)
        # In what is numbered modulo something a step back is a small negative one.
        own = _unwrapped(numbers[rows], bounds) if device == BOARD else numbers[rows]
        _check_numbers(found, session, name, rows, own, bounds)
    return found


def _check_shown(found: Tally, session_id: int, stored: MessageBlock, shown: Sequence[MessageBlock]) -> None:
    for block in shown:
        kept = stored.between(block.first_seq, block.next_seq)
        if len(kept) == len(block) and kept.raw.equals(block.raw) and (kept.source == block.source).all():
            continue
        same = sum(a == b for a, b in zip(kept.messages(), block.messages(), strict=False))
        found.lost += len(block) - same
        found.problems.append(
            f"Of the messages {block.first_seq} to {block.next_seq - 1} of session {session_id}, which were shown, "
            f"{len(block) - same} are not stored there."
        )


def _check_numbers(
    found: Tally,
    session: SessionRecord,
    name: str,
    rows_of_device: NDArray[np.int64],
    numbers: NDArray[np.int64],
    bounds: Bounds,
) -> None:
    if not len(numbers):
        if bounds.first is not None and bounds.stop is not None and bounds.stop > bounds.first:
            found.problems.append(f"Nothing of {name} is in session {session.id}.")
            found.lost += bounds.stop - bounds.first
        return
    first = int(numbers[0]) if bounds.first is None else bounds.first
    stop = int(numbers.max()) + 1 if bounds.stop is None else bounds.stop
    distinct = len(np.unique(numbers))
    doubled = len(numbers) - distinct
    missing = stop - first - distinct
    rows = {source.index for source in session.sources if source.name.partition(" (board")[0] == name}
    gaps = [gap for gap in session.gaps if gap.source in rows]
    stated = sum(gap.lost or 0 for gap in gaps)
    found.sent += stop - first
    found.missed += min(missing, stated)
    found.lost += max(missing - stated, 0)
    found.doubled += doubled
    if (np.diff(numbers) < 0).any():
        found.problems.append(f"Messages of {name} in session {session.id} are not in order.")
    if doubled:
        found.problems.append(f"{doubled} messages of {name} are in session {session.id} twice.")
    # Of the board, whose numbers the server does not know, gaps may tell an estimate.
    if missing > stated or (missing < stated and name != "board"):
        steps = np.diff(numbers)
        holes = [(int(rows_of_device[place + 1]), int(steps[place]) - 1) for place in np.flatnonzero(steps > 1)]
        stated_so = [(gap.seq, gap.lost, gap.reason, "exactly" if gap.is_exact else "about") for gap in gaps]
        found.problems.append(
            f"Of {name} {missing} messages are missing in session {session.id}; its gaps say {stated}. Before which "
            f"messages how many are missing: {holes}; what gaps say: {stated_so}."
        )


def _unwrapped(numbers: NDArray[np.int64], bounds: Bounds) -> NDArray[np.int64]:
    if not len(numbers):
        return numbers
    half = BOARD_MODULO // 2
    steps = (np.diff(numbers) + half) % BOARD_MODULO - half
    own = np.concatenate([numbers[:1], numbers[0] + np.cumsum(steps)])
    if bounds.stop is not None:  # which of the rounds it is, the device knows
        own = own + round((bounds.stop - int(own[-1])) / BOARD_MODULO) * BOARD_MODULO
    return own
