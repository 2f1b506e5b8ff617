"""Sources that are added, changed and played to their end while the server runs; a faulty one changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from blitz.data.board_definition import BoardDefinition, Channel, Command, Format
from blitz.data.boards import load_definitions
from blitz.data.database import DatabaseServer
from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.data.records import BoardRecord
from blitz.data.source_config import SourceConfig
from blitz.data.source_records import CommandRequest
from blitz.data.source_store import SourceStore
from blitz.errors import CommandRefused, ConfigError
from blitz.io import device_link, device_sources
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.recording import RecordingWriter

PRINTER = BoardDefinition(id="printer", name="Printer", format=Format.COLUMNS, channels=(Channel(name="a", column=0),))


@pytest.fixture
def kept() -> Iterator[SourceStore]:
    with SourceStore(":memory:") as kept:
        yield kept


@pytest.fixture
def acquisition(store: DatabaseServer, kept: SourceStore) -> Iterator[Acquisition]:
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(DeviceOptions(scan_usb="off")), kept)
    acquisition.start()
    yield acquisition
    acquisition.stop()


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
            acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "", later=True)
    assert (kept.sources(), acquisition.devices.sources()) == ([], [])
    acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "", later=True)


def test_a_change_that_cannot_be_made_leaves_the_source_as_it_is(
    acquisition: Acquisition, kept: SourceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "", later=True)
    (link,) = acquisition.devices.links()
    framed = PRINTER.model_copy(update={"framing": FramingRule(kind=FramingKind.COBS)})
    with monkeypatch.context() as patch:
        refuse_framing(patch)
        with pytest.raises(ValueError, match="no such framing"):
            acquisition.devices.update_source("bench", {"framing": {"kind": "slip"}}, "")
        with pytest.raises(ValueError, match="no such framing"):
            acquisition.devices.set_definition("bench", framed, "")
    with monkeypatch.context() as patch:
        patch.setattr(device_sources, "layout_of", lambda definition: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            acquisition.devices.set_definition("bench", PRINTER, "")
    assert acquisition.devices.links() == [link]
    assert not link.is_over
    assert kept.sources() == acquisition.devices.sources() == [source]
    assert kept.definition("bench") is None
    acquisition.devices.set_definition("bench", framed, "")
    assert acquisition.devices.links()[0].config.rule.kind is FramingKind.COBS


def test_a_definition_whose_plug_in_cannot_be_used_is_refused_and_the_known_ones_are_listed(
    acquisition: Acquisition, kept: SourceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "boards_of_tests-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: boards-of-tests\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[blitz.boards]\nbroken = nowhere_at_all:Board\nfine = fine_board:Board\npicky = fine_board:Picky\n"
    )
    (tmp_path / "fine_board.py").write_text(
        "class Board:\n    def __init__(self, definition): pass\n"
        "class Picky:\n    def __init__(self, definition): raise ValueError('options lack a port')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def of_plugin(name: str) -> BoardDefinition:
        channels = (Channel(name="a"),)
        return BoardDefinition(id="any", name="Any", format=Format.PLUGIN, plugin=name, channels=channels)

    acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "", later=True)
    with pytest.raises(ConfigError, match=r"Plug-in 'nosuch' cannot be used: no installed package .* fine") as refusal:
        acquisition.devices.set_definition("bench", of_plugin("nosuch"), "")
    assert "broken (ModuleNotFoundError: No module named 'nowhere_at_all')" in str(refusal.value)
    with pytest.raises(ConfigError, match=r"'broken' cannot be used: ModuleNotFoundError"):
        acquisition.devices.set_definition("bench", of_plugin("broken"), "")
    with pytest.raises(ConfigError, match=r"'picky' cannot be used: ValueError: options lack a port"):
        acquisition.devices.set_definition("bench", of_plugin("picky"), "")
    with pytest.raises(ConfigError, match=r"Plug-in 'nosuch'"):
        acquisition.devices.update_source("bench", {"definition": of_plugin("nosuch").model_dump(mode="json")}, "")
    with pytest.raises(ConfigError, match=r"Plug-in 'nosuch'"):
        acquisition.devices.add_source(SourceConfig(name="b", link="/dev/b", definition=of_plugin("nosuch")), "")
    assert [source.definition for source in kept.sources()] == [None]
    assert kept.definition("bench") is None
    acquisition.devices.set_definition("bench", of_plugin("fine"), "")


def test_a_command_that_the_definition_does_not_have_is_refused_with_the_names_there_are(
    acquisition: Acquisition,
) -> None:
    acquisition.devices.add_source(SourceConfig(name="bench", link="/dev/nothing"), "", later=True)
    commands = (Command(name="TARE", send="t"), Command(name="HEAT", send="h"))
    acquisition.devices.set_definition("bench", PRINTER.model_copy(update={"commands": commands}), "")
    with pytest.raises(CommandRefused, match=r"bench has no command 'ZERO'\. It has: TARE, HEAT\.") as refusal:
        acquisition.devices.command("bench", CommandRequest(command="ZERO"), "")
    assert refusal.value.code == "command_refused"
