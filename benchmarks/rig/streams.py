"""Streams of numbered messages: what a device sends, what the server is told of it, and what must be stored of it."""

from collections.abc import Callable
from typing import NamedTuple

from cobs import cobs
from fastcrc import crc16


class Format(NamedTuple):
    """One kind of device.

    :param id: the definition's; of a Blitz board, the one that its lines begin with.
    :param definition: the file that tells the server what its messages mean.
    :param messages: makes the messages with the numbers from one up to another.
    :param on_wire: what the device sends for one of them.
    :param cut: the barest way from bytes to messages, of complete frames and the rest behind the last one.
    """

    name: str
    title: str
    id: str
    definition: str
    messages: Callable[[int, int], list[bytes]]
    on_wire: Callable[[list[bytes]], bytes]
    cut: Callable[[bytes], tuple[list[bytes], bytes]]

    @property
    def serial_suffix(self) -> str:
        """What stands behind the port in ``--serial``: a Blitz board says itself what it is."""
        return "" if self.name == "blitz" else f"={self.id}"


def _blitz_messages(first: int, stop: int) -> list[bytes]:
    return [b"0ea0%08x%08x00000000" % (n // 40, n) for n in range(first, stop)]


def _csv_messages(first: int, stop: int) -> list[bytes]:
    return [b"%d,%d,%d,%d.5" % (n, n % 1024, n * 7 % 1024, n * 13 % 1000) for n in range(first, stop)]


def _struct_messages(first: int, stop: int) -> list[bytes]:
    little = int.to_bytes
    return [little(n, 4, "little") + little(n * 2654435761 % (1 << 64), 8, "little") for n in range(first, stop)]


def _as_lines(messages: list[bytes]) -> bytes:
    return b"\r\n".join(messages) + b"\r\n"


def _as_frames(messages: list[bytes]) -> bytes:
    crc = crc16.modbus
    return b"".join(cobs.encode(m + crc(m).to_bytes(2, "little")) + b"\0" for m in messages)


def _cut_lines(chunk: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = chunk.split(b"\r\n")
    return lines, rest


def _cut_frames(chunk: bytes) -> tuple[list[bytes], bytes]:
    *frames, rest = chunk.split(b"\0")
    crc = crc16.modbus
    # A frame with its right checksum behind it has the checksum 0.
    return [content[:-2] for content in map(cobs.decode, frames) if not crc(content)], rest


_BLITZ = """
id = "0e"
name = "Numbered Blitz board"
channels = [{ name = "number", bit = 0, bits = 32, counts_messages = true }]
"""
_CSV = """
id = "bench_csv"
name = "Numbered columns"
format = "columns"
channels = [
    { name = "number", column = 0, counts_messages = true },
    { name = "a", column = 1 },
    { name = "b", column = 2 },
    { name = "c", column = 3 },
]
"""
_COBS = """
id = "bench_cobs"
name = "Numbered frames"
format = "struct"
framing = { kind = "cobs", checksum = "CRC-16/MODBUS" }
channels = [
    { name = "number", offset = 0, type = "u32", counts_messages = true },
    { name = "a", offset = 4, type = "u16" },
    { name = "b", offset = 6, type = "u16" },
    { name = "c", offset = 8, type = "u16" },
    { name = "d", offset = 10, type = "u16" },
]
"""

FORMATS = {
    "blitz": Format("blitz", "blitz lines", "0e", _BLITZ, _blitz_messages, _as_lines, _cut_lines),
    "csv": Format("csv", "csv lines", "bench_csv", _CSV, _csv_messages, _as_lines, _cut_lines),
    "cobs": Format("cobs", "cobs frames with crc-16", "bench_cobs", _COBS, _struct_messages, _as_frames, _cut_frames),
}
