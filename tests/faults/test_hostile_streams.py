"""Devices that send anything: every byte has its place, nothing grows, nothing raises, and the next frame is found.

Ten thousand streams in ``make soak``, a few in ``make test``; a seed that fails is named. What holds of framings alone
stands in tests/io/test_framing.py; here they stand under the conversation, with what the server makes of messages.
"""

import logging
import os
import random
import threading
import time
import tty
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from cobs import cobs

from blitz.config import SerialPort
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.boards import SessionDecoder, load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.framing_rule import FramingRule
from blitz.data.records import Source
from blitz.data.source_examiner import SourceExaminer
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.conversation import Conversation
from blitz.io.devices import DeviceOptions
from blitz.io.framing import make_framing
from blitz.io.ledger import Ledger
from blitz.io.protocol import recognise

log = logging.getLogger(__name__)

IS_LONG = bool(os.environ.get("BLITZ_SOAK"))
STREAMS = 10_000 if IS_LONG else 250
STREAMS_OVER_PTY = 40 if IS_LONG else 3
LIMIT_BYTES = 256


def rule(**fields: object) -> FramingRule:
    return FramingRule.model_validate({"limit_bytes": LIMIT_BYTES, **fields})


RULES = {
    "lines": rule(),
    "semicolons": rule(delimiter="3b"),
    "nmea": rule(checksum="NMEA"),
    "cobs": rule(kind="cobs"),
    "cobs crc": rule(kind="cobs", checksum="CRC-16/MODBUS"),
    "slip": rule(kind="slip"),
    "slip crc": rule(kind="slip", checksum="CRC-32"),
    "start": rule(kind="start_fixed", start="aa55", size=8),
    "length": rule(kind="start_length", start="aa55"),
    "length crc": rule(kind="start_length", start="aa55", length_bytes=2, length_adds=-3, checksum="CRC-16/MODBUS"),
    "fixed": rule(kind="fixed", size=12),
    "fixed crc": rule(kind="fixed", size=12, checksum="CRC-32"),
}
GOOD_END = {"lines": b"\n", "semicolons": b";", "cobs": b"\0", "slip": b"\xc0"}
"""What ends whatever came before, in framings without checksum that have such a mark."""

_counter = Channel(name="n", column=0, counts_messages=True)
DEFINITIONS = {
    "columns": BoardDefinition(
        id="c", name="C", format=Format.COLUMNS, channels=(_counter, Channel(name="x", column=1))
    ),
    "clocked": BoardDefinition(
        id="t",
        name="T",
        format=Format.COLUMNS,
        channels=(_counter,),
        clock=Clock(column=1, unit="us", wraps_at=1 << 32),
    ),
    "struct": BoardDefinition(
        id="s",
        name="S",
        format=Format.STRUCT,
        channels=(
            Channel(name="n", offset=0, type="u16", counts_messages=True),
            Channel(name="f", offset=2, type="f32"),
            Channel(name="d", offset=6, type="i16"),
        ),
    ),
    **{kind: definition for kind, definition in load_definitions().items() if kind in ("08", "09")},
}
PIECES = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xc0",
    b"\xdb",
    b"\xaa\x55",
    b"\xaa",
    b";",
    b",",
    b"$",
    b"*00",
    b"\xff" * 8,
    b"61\r\n",
    b"66\r\n",
    b"00\r\n",
    b"0881\r\n",
    b"08a0\r\n",
    b"08a0" + b"f" * 24 + b"\r\n",
    b"09a0" + b"0" * 24 + b"\r\n",
    b"nan,inf\n",
    b"1e999,-0\n",
    b"1,2,3\n",
    b'{"a": 1}\n',
    b'{"a": {"a": {"a": []}}}\n',
    b"-,-\n",
    b"\xff\xfe\xfd\n",
    b"9" * 400 + b"\n",
    b"\x1b[2J",
    b"%s%n%x\n",
    b"' or 1=1 --\n",
    b"=cmd|'/c calc'!A1\n",
    b"../../etc/passwd\n",
    b"\xe2\x80\xae\n",
    b"a: 1 b: 2\n",
]


def hostile_stream(chance: random.Random) -> bytes:
    """Return a stream of some hundred bytes, now and then of many."""
    parts = []
    for _ in range(chance.randrange(1, 30)):
        match chance.randrange(6):
            case 0:
                parts.append(chance.randbytes(chance.randrange(1, 80)))
            case 1:
                parts.append(chance.choice(PIECES) * chance.choice([1, 2, 30]))
            case 2:
                parts.append(b"%d,%d\n" % (chance.choice([0, 5, 1 << 31, 1 << 63, -1]), chance.randrange(1 << 40)))
            case 3:
                parts.append(cobs.encode(chance.randbytes(chance.randrange(1, 40))) + b"\0")
            case 4:
                parts.append(b"\xaa\x55" + chance.randbytes(1) + chance.randbytes(chance.randrange(60)))
            case _:
                parts.append(chance.choice(PIECES)[: chance.randrange(1, 9)])
    if chance.random() < 0.02:
        parts.append(chance.choice([b"x", b"\0", b"\xaa\x55", b"\xdb", b"\r", b"7,"]) * 100_000)
    chance.shuffle(parts)
    return b"".join(parts)


def cut(stream: bytes, chance: random.Random) -> list[bytes]:
    """Cut a stream as reads might."""
    chunks = []
    while stream:
        size = chance.choice([1, 3, 16, 100, 4095, 65_536])
        chunks.append(stream[:size])
        stream = stream[size:]
    return chunks


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


def converse(stream: bytes, framing_rule: FramingRule, chance: random.Random, *, prints: bool) -> list[Read]:
    """Feed a stream to a conversation; after each read every byte has its place. Return the messages."""
    reads: list[Read] = []
    chunks = cut(stream, chance)
    framing = make_framing(framing_rule)
    ledger = Ledger(framing)

    def deliver(messages: Sequence[bytes], arrived_ns: int) -> None:
        ledger.deliver(messages, is_dropped=False, is_recovered=False)
        if messages:
            reads.append(Read(arrived_ns, 0, list(messages)))

    clock = iter(range(10**18, 10**19, 1_000_000))
    talk = Conversation(
        GivenLink(chunks),
        framing,
        ledger,
        deliver,
        lambda: next(clock),
        lambda: False,
        threading.Event(),
        lambda tally: None,
        lambda sentence: None,
    )
    talk.takes_every_line = prints
    for number in range(len(chunks)):
        lines = talk.receive(0.0)
        if lines and not prints:
            recognise(lines[:9], is_asked=bool(number % 2))
        talk.take(lines)
        tally = talk.tally()
        placed = tally.message_bytes + tally.bad_bytes + sum(tally.discarded.values()) + tally.pending_bytes
        assert tally.bytes_read == placed
        assert tally.pending_bytes < 2 * LIMIT_BYTES
        assert len(framing.bad_frames) <= 100
    assert tally.bytes_read == len(stream)
    return reads


def examine(reads: list[Read], definition: BoardDefinition) -> None:
    """Do with messages what the server and its clients do; whatever they hold, it is an answer."""
    source = Source(index=0, name="d", link="pty", board_id=None, definition=definition)
    examiner, decoder = SourceExaminer(source), SessionDecoder((source,))
    first = 0
    for begin in range(0, len(reads), 20):
        block = MessageBlock.from_reads(1, first, reads[begin : begin + 20])
        first = block.next_seq
        examiner.examine(block)
        for readings in decoder.decode(block):
            assert len(readings.values) <= len(block)
        assert MessageBlock.decode(block.encode()).messages() == block.messages()
    examiner.close()
    assert np.all([gap.lost is None or gap.lost >= 0 for gap in examiner.gaps.all()])


def test_whatever_a_device_sends_every_byte_has_its_place(seed: int) -> None:
    names, kinds = list(RULES), list(DEFINITIONS)
    for number in range(seed, seed + STREAMS):
        chance = random.Random(number)
        name, kind = chance.choice(names), chance.choice(kinds)
        try:
            stream = hostile_stream(chance)
            good = b"42,17"
            end = GOOD_END.get(name)
            if end is not None:
                wire = cobs.encode(good) if name == "cobs" else good
                stream += end + wire + end
            reads = converse(stream, RULES[name], chance, prints=end is not None or chance.random() < 0.7)
            if end is not None:
                assert reads[-1].messages[-1] == good
            examine(reads, DEFINITIONS[kind])
        except Exception as error:
            error.add_note(f"Stream {number}, {name}, {kind}: repeat with --hypothesis-seed={number}")
            raise


def test_a_server_with_hostile_devices_records_the_good_one_without_loss(redis_url: str, seed: int) -> None:
    """Over ptys, with everything that stands between a port and the store."""
    log.info("Repeat with --hypothesis-seed=%d", seed)
    chance = random.Random(seed)
    ends = [os.openpty() for _ in range(STREAMS_OVER_PTY % 7 + 2)]
    for _, slave in ends:
        tty.setraw(slave)
    store = DatabaseServer(redis_url)
    ports = tuple(SerialPort(os.ttyname(slave)) for _, slave in ends)
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(DeviceOptions(ports, scan_usb="off")))
    acquisition.start()
    good, *bad = [master for master, _ in ends]
    for master in bad:
        os.set_blocking(master, False)
    sent = 0
    try:
        session = acquisition.start_session("hostile devices")
        for turn in range(STREAMS_OVER_PTY):
            for master in bad:
                for chunk in cut(hostile_stream(chance), chance):
                    try:
                        os.write(master, chunk)
                    except BlockingIOError:
                        break  # the terminal is full: a device that does not wait
            for _ in range(20):
                os.write(good, b"%d,1\n" % sent)
                sent += 1
            wait_for(partial(are_stored, store, session.id, sent), f"seed {seed}, turn {turn}")
        record = store.session(acquisition.stop_session(None).id)
        messages = store.messages(record.id, 0, record.message_count).messages()
        assert [m for m in messages if m in {b"%d,1" % n for n in range(sent)}] == [b"%d,1" % n for n in range(sent)]
        for account in record.accounts:
            assert account.surplus_bytes == account.surplus_messages == 0, account
    finally:
        acquisition.stop()
        store.close()
        for end in (end for pair in ends for end in pair):
            os.close(end)


def are_stored(store: DatabaseServer, session_id: int, count: int) -> bool:
    return {b"%d,1" % n for n in range(count)} <= set(store.messages(session_id, 0, 1_000_000).messages())


def wait_for(is_so: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)
