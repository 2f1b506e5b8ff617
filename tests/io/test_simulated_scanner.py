import socket

import pytest

from blitz.io.simulated_scanner import KPA_PER_PSI, ScannerProgram, SimulatedScanner

DEADLINE_S = 20.0


def ask(connection: socket.socket, request: bytes, length: int) -> bytes:
    connection.sendall(request)
    received = b""
    while len(received) < length:
        chunk = connection.recv(4096)
        assert chunk, received
        received += chunk
    return received


def connect(scanner: SimulatedScanner) -> socket.socket:
    return socket.create_connection((scanner.host, scanner.port), timeout=DEADLINE_S)


def test_program_answers_as_its_page_says() -> None:
    program = ScannerProgram()
    assert [program.answer(request, 0.0) for request in (b"A", b"B", b"v01101 6.894757", b"u01101")] == [
        b"A",
        b"A",
        b"A",
        b" 6.894757",
    ]
    assert program.answer(b"B", 0.0) == b"A"
    assert program.factor == 1.0


def test_pressures_come_in_reverse_order_and_in_the_chosen_unit() -> None:
    program = ScannerProgram()
    psi = [float(word) for word in program.answer(b"rFFFF0", 7.0).split(b" ")[1:]]
    assert psi == [pytest.approx(program.pressure_psi(channel, 7.0), abs=1e-6) for channel in range(16, 0, -1)]
    program.answer(b"v01101 6.894757", 0.0)
    answer = program.answer(b"rffff0", 7.0)
    assert answer.startswith(b" ")
    assert not answer.endswith((b"\n", b" "))
    kpa = [float(word) for word in answer.split()]
    assert kpa == [pytest.approx(number * KPA_PER_PSI, abs=1e-5) for number in psi]
    assert kpa[0] < -2
    assert max(kpa) > 1
    assert program.answer(b"r80010", 7.0).split() == [answer.split()[0], answer.split()[15]]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"x", b"N01"),
        (b"AB", b"N01"),
        (b"rFFFF", b"N05"),
        (b"rFFGF0", b"N05"),
        (b"r00000", b"N05"),
        (b"rFFFF7", b"N08"),
        (b"v01101 much", b"N05"),
        (b"v01101 nan", b"N05"),
        (b"v01102 1", b"N08"),
        (b"u9", b"N08"),
    ],
)
def test_what_it_cannot_do_is_refused_with_a_code(request_: bytes, code: bytes) -> None:
    assert ScannerProgram().answer(request_, 0.0) == code


@pytest.mark.parametrize("split_bytes", [None, 7])
def test_scanner_answers_over_tcp_whole_or_in_pieces(split_bytes: int | None) -> None:
    with SimulatedScanner(split_bytes=split_bytes) as scanner, connect(scanner) as connection:
        assert ask(connection, b"A", 1) == b"A"
        assert ask(connection, b"v01101 6.894757\r\n", 1) == b"A"
        connection.sendall(b"rFFFF0")
        received = b""
        pieces = 0
        while received.count(b".") < 16 or len(received.rpartition(b".")[2]) < 6:
            received += connection.recv(4096)
            pieces += 1
        assert len(received.split()) == 16
        assert (pieces > 1) == (split_bytes is not None)
        assert list(scanner.requests) == [b"A", b"v01101 6.894757", b"rFFFF0"]


def test_connections_can_be_dropped_and_the_scanner_unplugged() -> None:
    with SimulatedScanner() as scanner:
        with connect(scanner) as connection:
            assert ask(connection, b"A", 1) == b"A"
            scanner.drop_connections()
            assert connection.recv(1) == b""
        with connect(scanner) as connection:
            assert ask(connection, b"v01101 2\n", 1) == b"A"
            scanner.unplug()
            assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(scanner)
        scanner.replug()
        with connect(scanner) as connection:
            assert ask(connection, b"u01101", 9) == b" 1.000000"


def test_answers_can_be_forced_and_withheld() -> None:
    with SimulatedScanner() as scanner, connect(scanner) as connection:
        scanner.forced_answers.append(b"N08")
        assert ask(connection, b"A", 3) == b"N08"
        scanner.is_mute = True
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask(connection, b"A", 1)


def test_a_taken_port_is_an_error_at_the_start() -> None:
    with SimulatedScanner() as scanner:
        second = SimulatedScanner(scanner.port)
        with pytest.raises(OSError, match="in use"):
            second.start()
        assert not second.is_alive
