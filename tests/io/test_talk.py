"""What is said on a link, over a link that gives what it is told to."""

import threading
from collections.abc import Sequence

from blitz.io.framing import LineFraming
from blitz.io.ledger import Ledger
from blitz.io.talk import Talk


class GivenLink:
    """Gives one chunk a read."""

    name = "given"
    reopens = False
    overruns = None

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = list(chunks)

    def read(self, timeout_s: float) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    def write(self, line: bytes) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


def test_lines_that_were_heard_before_the_device_was_known_keep_the_times_of_their_arrival() -> None:
    taken: list[tuple[int, list[bytes]]] = []
    clock = iter(range(1000, 2000, 100))
    framing = LineFraming()
    talk = Talk(
        GivenLink([b"1\n2\n", b"3\n", b"4\n5"]),
        framing,
        Ledger(framing),
        lambda messages, arrived_ns: taken.append((arrived_ns, list(messages))),
        lambda: next(clock),
        lambda: False,
        threading.Event(),
        lambda tally: None,
    )
    for _ in range(3):
        talk.hear(talk.receive(0.1))
    assert talk.tally().pending_bytes == 5
    talk.take_heard()
    assert taken == [(1000, [b"1", b"2"]), (1100, [b"3"]), (1200, [b"4"])]
    assert talk.tally().pending_bytes == 1
