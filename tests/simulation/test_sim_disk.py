"""A synchronisation that fails, as Linux does it: what was to be written can be read, and is on no disk."""

from random import Random

import pytest
from sim_disk import SimDisk
from sim_faults import Crash
from sim_promise import SPOOL

from blitz.data.blocks import Read
from blitz.data.spool import Spool
from blitz.data.spool_records import Batch, Change, ChangeKind
from blitz.errors import SpoolError

WRITER = "0" * 32
CHANGE = Change(1, ChangeKind.FIELDS, "{}")


class Fails:
    """Says what goes wrong with the next calls of a name, one after the other."""

    def __init__(self) -> None:
        self.next: dict[str, str] = {}

    def __call__(self, call: str) -> str | None:
        fault = self.next.pop(call, None)
        if fault == "die":
            raise Crash
        return fault


def _batch(number: int) -> Batch:
    return Batch(1, number, WRITER, number, [Read(1_000 + number, 0, [b"message %d" % number])])


def _started(disk: SimDisk) -> Spool:
    disk.reboot()
    spool = Spool(disk, SPOOL)
    spool.recover()
    return spool


def _shown(spool: Spool) -> list[bytes]:
    block = spool.messages(1, 1, 100)
    return block.messages() if block is not None else []


@pytest.mark.parametrize("seed", range(40))
def test_what_was_killed_behind_a_failed_synchronisation_is_safe_once_it_is_taken_up(seed: int) -> None:
    fails = Fails()
    disk = SimDisk(fails, Random(seed))
    spool = _started(disk)
    spool.append(_batch(1))
    fails.next = {"sync": "refuse", "truncate": "die"}
    with pytest.raises(Crash):
        spool.append(_batch(2))
    assert _shown(_started(disk)) == [b"message 1", b"message 2"]
    disk.fail_power()
    assert _shown(_started(disk)) == [b"message 1", b"message 2"]


def test_a_start_that_could_not_make_it_last_takes_nothing_up() -> None:
    fails = Fails()
    disk = SimDisk(fails, Random(1))
    spool = _started(disk)
    fails.next = {"sync": "refuse", "truncate": "die"}
    with pytest.raises(Crash):
        spool.append(_batch(1))
    for call in ("write", "sync"):
        fails.next = {call: "refuse"}
        with pytest.raises(SpoolError, match="Cannot take up the spool"):
            _started(disk)
    assert _shown(_started(disk)) == [b"message 1"]
    disk.fail_power()
    assert _shown(_started(disk)) == [b"message 1"]


def test_what_a_failed_write_has_left_is_cut_off_before_another_file_is_begun() -> None:
    """Else what another thread writes would stand behind it, and a start would not write it again."""
    fails = Fails()
    disk = SimDisk(fails, Random(1))
    spool = _started(disk)
    spool.append(_batch(1))
    fails.next = {"sync": "refuse", "truncate": "refuse"}
    with pytest.raises(SpoolError):
        spool.append(_batch(2))
    fails.next = {"truncate": "refuse"}
    with pytest.raises(SpoolError):
        spool.append(CHANGE)
    spool.append(CHANGE)
    spool = _started(disk)
    assert _shown(spool) == [b"message 1"]
    spool.drop(len(spool.oldest()))
    assert spool.oldest() == [CHANGE]


def test_a_file_that_is_gone_need_not_be_cut_off() -> None:
    fails = Fails()
    disk = SimDisk(fails, Random(1))
    spool = _started(disk)
    spool.append(_batch(1))
    fails.next = {"sync": "refuse", "truncate": "refuse"}
    with pytest.raises(SpoolError):
        spool.append(_batch(2))
    spool.drop(len(spool.oldest()))
    spool.append(_batch(3))
    assert spool.oldest() == [_batch(3)]
    assert len(disk.contents(SPOOL)) == 1
