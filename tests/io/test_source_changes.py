"""Sources that are added, changed and played to their end while the server runs; a faulty one changes nothing."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.framing_rule import FramingRule
from blitz.data.records import BoardRecord
from blitz.data.source_config import SourceConfig
from blitz.data.source_store import SourceStore
from blitz.io import device_link, device_links
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.recording import RecordingWriter

PRINTER = BoardDefinition(id="printer", name="Printer", format=Format.COLUMNS, channels=(Channel(name="a", column=0),))


@pytest.fixture
def store(redis_url: str) -> Iterator[DatabaseServer]:
    store = DatabaseServer(redis_url)
    yield store
    store.close()


@pytest.fixture
def kept() -> Iterator[SourceStore]:
    with SourceStore(":memory:") as kept:
        yield kept


@pytest.fixture
def acquisition(store: DatabaseServer, kept: SourceStore) -> Iterator[Acquisition]:
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(DeviceOptions(scan_usb=False)), kept)
    acquisition.start()
    yield acquisition
    acquisition.stop()


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def board(acquisition: Acquisition, name: str) -> BoardRecord:
    return next(record for record in acquisition.boards() if record.name == name)


def recording(folder: Path, lines: int) -> str:
    path = folder / "run.jsonl"
    with RecordingWriter(path, {}) as writer:
        for number in range(lines):
            writer.add(5.0 + number, "rx", b"%d,%d\r\n" % (number, number % 7))
    return f"replay:{path}?speed=max"


def test_the_account_of_a_recording_that_is_at_its_end_stays_until_the_session_is_over(
    acquisition: Acquisition, store: DatabaseServer, tmp_path: Path
) -> None:
    acquisition.start_session()
    acquisition.devices.add_source(SourceConfig(name="replay", link=recording(tmp_path, 595)), "")
    (link,) = acquisition.devices.links()
    wait_until(lambda: link.is_over)
    record = board(acquisition, "replay")
    assert record.message_count == 595
    assert record.account is not None
    assert record.account.messages_read == 595
    assert record.account.is_balanced
    wait_until(lambda: (account := board(acquisition, "replay").account) and account.messages_appended == 595)
    stopped = acquisition.stop_session(None)
    (account,) = store.session(stopped.id).accounts
    assert (account.messages_appended, account.is_balanced) == (595, True)


def test_the_account_of_a_recording_that_was_shown_only_stays(acquisition: Acquisition, tmp_path: Path) -> None:
    acquisition.devices.add_source(SourceConfig(name="replay", link=recording(tmp_path, 20)), "")
    (link,) = acquisition.devices.links()
    wait_until(lambda: link.is_over)
    account = board(acquisition, "replay").account
    assert account is not None
    assert (account.messages_read, account.messages_previewed, account.is_balanced) == (20, 20, True)


def refuse_framing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rule: object) -> None:
        raise ValueError("no such framing")

    monkeypatch.setattr(device_link, "make_framing", fail)


def test_a_source_that_cannot_be_opened_is_not_kept(
    acquisition: Acquisition, kept: SourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse_framing(patch)
        with pytest.raises(ValueError, match="no such framing"):
            acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "")
    assert (kept.sources(), acquisition.devices.sources()) == ([], [])
    acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "")


def test_a_change_that_cannot_be_made_leaves_the_source_as_it_is(
    acquisition: Acquisition, kept: SourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "")
    (link,) = acquisition.devices.links()
    framed = PRINTER.model_copy(update={"framing": FramingRule(kind="cobs")})
    with monkeypatch.context() as patch:
        refuse_framing(patch)
        with pytest.raises(ValueError, match="no such framing"):
            acquisition.devices.update_source("bench", {"framing": {"kind": "slip"}}, "")
        with pytest.raises(ValueError, match="no such framing"):
            acquisition.devices.set_definition("bench", framed, "")
    with monkeypatch.context() as patch:
        patch.setattr(device_links, "layout_of", lambda definition: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            acquisition.devices.set_definition("bench", PRINTER, "")
    assert acquisition.devices.links() == [link]
    assert not link.is_over
    assert kept.sources() == acquisition.devices.sources() == [source]
    assert kept.definition("bench") is None
    acquisition.devices.set_definition("bench", framed, "")
    assert acquisition.devices.links()[0].config.rule.kind == "cobs"
