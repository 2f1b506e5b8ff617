from hypothesis import given
from hypothesis import strategies as st

from blitz.io.simulated_uart import SimulatedUart


def test_bytes_leave_at_a_tenth_of_the_baud_rate() -> None:
    uart = SimulatedUart(1000, 1000)
    written = bytearray()

    def write(chunk: bytes) -> int:
        written.extend(chunk)
        return len(chunk)

    uart.put(b"0" * 49 + b"\n", True, 10.0)
    uart.send(write, 10.25)
    assert len(written) == 25
    assert uart.remaining_s == 0.25
    uart.send(write, 99.0)
    assert len(written) == 50
    assert not uart.is_busy
    uart.put(b"0" * 49 + b"\n", True, 100.0)
    uart.send(write, 100.125)
    assert len(written) == 62
    assert uart.sent == 1


def test_a_program_that_does_not_wait_loses_what_does_not_fit() -> None:
    uart = SimulatedUart(1000, 100)
    uart.offer([b"%029d\n" % number for number in range(5)], 0.0)
    assert uart.dropped == 2
    uart.clear()
    assert uart.dropped == 5


def test_a_reader_that_makes_room_in_time_loses_nothing() -> None:
    uart = SimulatedUart(1000, 1000)
    written = bytearray()
    rooms = [5, 25]

    def write(chunk: bytes) -> int:
        taken = chunk[: rooms.pop(0)]
        written.extend(taken)
        return len(taken)

    uart.offer([b"%029d\n" % 7], 0.0)
    uart.send(write, 1.0, wait_for_room=lambda: None)
    assert bytes(written) == b"%029d\n" % 7
    assert (uart.sent, uart.dropped) == (1, 0)


def test_a_uart_that_waits_for_its_reader_loses_only_what_its_buffer_cannot_hold() -> None:
    uart = SimulatedUart(1000, 100, waits_for_reader=True)
    written = bytearray()
    rooms = [10, 0, 200]

    def write(chunk: bytes) -> int:
        taken = chunk[: rooms.pop(0)]
        written.extend(taken)
        return len(taken)

    messages = [b"%029d\n" % number for number in range(4)]
    uart.offer(messages[:3], 0.0)
    uart.send(write, 1.0)
    uart.send(write, 2.0)
    uart.offer(messages[3:], 2.0)
    assert uart.dropped == 1
    uart.send(write, 3.0)
    assert bytes(written) == b"".join(messages[:3])
    assert (uart.sent, uart.dropped) == (3, 1)


@given(
    steps=st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 200)), max_size=40),
    baud=st.sampled_from([300, 3000, 30000]),
)
def test_only_whole_lines_are_lost_and_each_message_is_accounted_for(
    steps: list[tuple[int, bool, int]], baud: int
) -> None:
    uart = SimulatedUart(baud, 150)
    written = bytearray()
    offered = 0
    now_s = 0.0
    for count, is_answered, room in steps:

        def write(chunk: bytes, room: int = room) -> int:
            written.extend(chunk[:room])
            return min(len(chunk), room)

        uart.offer([b"%029d\n" % number for number in range(offered, offered + count)], now_s)
        offered += count
        if is_answered:
            uart.put(b"0840\r\n", False, now_s)
        now_s += 0.1
        uart.send(write, now_s)
    unlimited: list[bytes] = []
    uart.send(lambda chunk: unlimited.append(chunk) or len(chunk), now_s + 1000)
    lines = (bytes(written) + b"".join(unlimited)).split(b"\n")
    assert lines.pop() == b""
    numbers = [int(line) for line in lines if len(line) == 29]
    assert all(len(line) == 29 or line == b"0840\r" for line in lines)
    assert numbers == sorted(set(numbers))
    assert uart.sent == len(numbers) == offered - uart.dropped
