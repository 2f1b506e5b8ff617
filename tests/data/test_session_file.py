"""Session files: a session goes to another machine whole, and nothing that is not one gets into a cache."""

import dataclasses
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blitz.data import session_file, session_file_reading
from blitz.data.backup_format import BackupReader, digest
from blitz.data.block_sizes import unpacked_bytes
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Session, SessionCopy, StoredBlock
from blitz.data.session_file import pack_session, unpack_session, verify_session_file
from blitz.errors import BackupError, BlockError, CacheMismatch, DownloadCancelled, ImportFileError, SessionNotFound

STORE_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def packed(cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path) -> Path:
    """A session file of a session of some blocks with a corrected definition."""
    session = example(2 * GRID_MESSAGES + 50)
    cache.bind_store(STORE_ID)
    session.fill(cache)
    definition = session.record.sources[0].definition
    channel = definition.channels[0].model_copy(update={"zero": 1.0})
    corrected = definition.model_copy(update={"channels": (channel, *definition.channels[1:])})
    cache.add_definition_version(7, {"sim1": corrected}, reason="an offset", who="ann")
    return pack_session(cache, 7, tmp_path / "run.blitz")


@pytest.fixture
def other() -> Any:
    with DatabaseClient() as cache:
        yield cache


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """Write the file again with changed members, each a name and a content."""
    with tarfile.open(path.with_name("changed.blitz"), "w") as tar:
        for member, content in members(path):
            changed = change(member.name, content)
            if changed is not None:
                head = tarfile.TarInfo(changed[0])
                head.size = len(changed[1])
                tar.addfile(head, io.BytesIO(changed[1]))
    return path.with_name("changed.blitz")


def test_a_session_goes_to_another_cache_whole(cache: DatabaseClient, other: DatabaseClient, packed: Path) -> None:
    told: list[tuple[int, int]] = []
    unpacked = unpack_session(other, packed, progress=lambda done, total: told.append((done, total)))
    assert not unpacked.was_there
    assert unpacked.record == other.session_record(7) == cache.session_record(7)
    assert other.store_id == STORE_ID
    assert [block.checksum for block in other.session_blocks(7)] == [
        block.checksum for block in cache.session_blocks(7)
    ]
    assert other.definition_versions(7) == cache.definition_versions(7)
    assert other.session_sources(7) == cache.session_sources(7)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    again = unpack_session(other, packed)
    assert again.was_there
    assert len(other.all(SessionCopy)) == 1


def test_a_file_tells_what_it_holds(packed: Path) -> None:
    saved = verify_session_file(packed)
    assert (saved.store_id, saved.record.id, saved.record.name, len(saved.versions)) == (STORE_ID, 7, "A try", 1)


def test_an_imported_session_gets_an_id_of_its_own_elsewhere(
    cache: DatabaseClient, other: DatabaseClient, tmp_path: Path
) -> None:
    for name, target in (("here", cache), ("there", other)):
        (tmp_path / f"{name}.csv").write_text(f"time,{name}\n1,2\n2,3\n")
        target.import_file(tmp_path / f"{name}.csv")
    path = pack_session(cache, -1, tmp_path / "run.blitz")
    unpacked = unpack_session(other, path)
    assert (unpacked.record.id, unpacked.record.name) == (-2, "here")
    assert [block.session_id for block in other.session_blocks(-2)] == [-2]
    assert unpack_session(other, path) == session_file.Unpacked(unpacked.record, was_there=True)


def test_a_longer_file_replaces_what_was_downloaded_while_the_session_ran(
    cache: DatabaseClient, other: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(30).fill(other)
    example(50).fill(cache)
    unpacked = unpack_session(other, pack_session(cache, 7, tmp_path / "run.blitz"))
    assert (unpacked.was_there, unpacked.record.message_count) == (False, 50)


class Another:
    """An example session of which one message is another."""

    def __init__(self, session: Any, seq: int) -> None:
        self._session, self._seq = session, seq
        self.record = session.record

    def block(self, first: int, count: int) -> MessageBlock:
        block: MessageBlock = self._session.block(first, count)
        messages = block.messages()
        if first <= self._seq < block.next_seq:
            messages[self._seq - first] = messages[self._seq - first][:-1] + b"9"
        return dataclasses.replace(block, raw=pa.array(messages, pa.binary()))

    def fill(self, cache: DatabaseClient, stop: int) -> None:
        first = cache.begin_download(self.record)
        for start in range(first, stop, GRID_MESSAGES):
            cache.store_block(7, self.block(start, min(GRID_MESSAGES, stop - start)))
        if stop == self.record.message_count:
            cache.finish_download(self.record)


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("seq", [0, GRID_MESSAGES + 3])
def test_a_longer_file_with_other_messages_replaces_nothing(
    other: DatabaseClient, example: Callable[..., Any], packed: Path, is_whole: bool, seq: int
) -> None:
    count = 2 * GRID_MESSAGES
    Another(example(count if is_whole else count + 20), seq).fill(other, count)
    before = contents(other)
    with pytest.raises(ImportFileError, match=r"in the file is not the one in the cache.*: they differ from message"):
        unpack_session(other, packed)
    assert contents(other) == before


def contents(cache: DatabaseClient) -> list[Any]:
    """Return all that tables of sessions hold."""
    return [
        [{name: value for name, value in vars(row).items() if name[0] != "_"} for row in cache.all(table)]
        for table in (Session, SessionCopy, StoredBlock)
    ]


def test_a_file_that_is_here_already_in_another_form_is_told(
    other: DatabaseClient, example: Callable[..., Any], packed: Path
) -> None:
    count = 2 * GRID_MESSAGES + 50
    Another(example(count), 3).fill(other, count)
    with pytest.raises(ImportFileError, match="they differ from message 0 on"):
        unpack_session(other, packed)


def test_an_interrupted_download_goes_on_from_a_file(
    cache: DatabaseClient, other: DatabaseClient, example: Callable[..., Any], packed: Path
) -> None:
    session = example(2 * GRID_MESSAGES + 50)
    other.begin_download(session.record)
    other.store_block(7, session.block(0, GRID_MESSAGES + 7))
    assert not unpack_session(other, packed).was_there
    assert [block.checksum for block in other.session_blocks(7)] == [
        block.checksum for block in cache.session_blocks(7)
    ]


def test_a_session_of_an_unknown_store_gets_an_id_of_its_own(
    cache: DatabaseClient, other: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(20).fill(cache)
    path = pack_session(cache, 7, tmp_path / "run.blitz")
    assert verify_session_file(path).store_id == ""
    other.bind_store(STORE_ID)
    assert unpack_session(other, path).record.id == -1
    assert unpack_session(other, path).was_there
    with DatabaseClient() as of_no_store:
        assert unpack_session(of_no_store, path).record.id == 7


def test_what_belongs_elsewhere_is_left_alone(other: DatabaseClient, example: Callable[..., Any], packed: Path) -> None:
    example(10, started_s=1_600_000_000).fill(other)
    with pytest.raises(ImportFileError, match="has another session 7"):
        unpack_session(other, packed)
    assert other.session_record(7).message_count == 10
    with DatabaseClient() as of_another_store:
        of_another_store.bind_store("another")
        with pytest.raises(CacheMismatch):
            unpack_session(of_another_store, packed)
        assert not of_another_store.all(Session)


def test_a_session_of_another_store_is_a_guest_where_that_is_wanted(
    other: DatabaseClient, example: Callable[..., Any], packed: Path
) -> None:
    other.bind_store("another")
    unpacked = unpack_session(other, packed, as_guest=True)
    assert (unpacked.record.id, unpacked.record.name) == (-1, "A try")
    assert other.is_available(-1)
    assert len(other.definition_versions(-1)) == 1
    assert unpack_session(other, packed, as_guest=True) == session_file.Unpacked(unpacked.record, was_there=True)


def test_a_session_that_is_not_here_cannot_be_packed(cache: DatabaseClient, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound):
        pack_session(cache, 7, tmp_path / "run.blitz")
    assert not list(tmp_path.iterdir())


def test_what_is_here_of_a_session_that_the_server_has_no_more_can_be_packed(
    cache: DatabaseClient, other: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    cache.update_session_records([example(20).record])
    cache.begin_download(example(20).record)
    cache.store_block(7, example(20).block(0, 15))
    cache.update_session_records([])
    unpacked = unpack_session(other, pack_session(cache, 7, tmp_path / "run.blitz"))
    assert unpacked.record.message_count == sum(map(len, other.session_blocks(7))) == 15


def test_packing_can_be_cancelled(cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path) -> None:
    example(10).fill(cache)
    with pytest.raises(DownloadCancelled):
        pack_session(cache, 7, tmp_path / "run.blitz", is_cancelled=lambda: True)
    assert not list(tmp_path.glob("*.blitz")) + list(tmp_path.glob(".*"))


def test_long_messages_are_cut_into_members_that_are_not_too_large(
    cache: DatabaseClient, other: DatabaseClient, example: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(session_file, "BLOCK_BYTES", 1000)
    example(500).fill(cache)
    path = pack_session(cache, 7, tmp_path / "run.blitz")
    assert len(members(path)) > 10
    unpack_session(other, path)
    assert [block.checksum for block in other.session_blocks(7)] == [
        block.checksum for block in cache.session_blocks(7)
    ]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.97])
def test_a_file_that_was_cut_short_is_refused(other: DatabaseClient, packed: Path, share: float) -> None:
    content = packed.read_bytes()
    packed.write_bytes(content[: int(len(content) * share)])
    _refused(other, packed, "damaged|is not a session file")


def test_a_file_in_which_a_byte_is_another_is_refused(other: DatabaseClient, packed: Path) -> None:
    content = packed.read_bytes()
    rng = np.random.default_rng(11)
    # The last kilobytes of a tar are zeros that mean nothing, as is what fills members up.
    for place in rng.integers(0, len(content) - 11_000, 25).tolist():
        changed = bytearray(content)
        changed[place] ^= 0x55
        packed.write_bytes(changed)
        try:
            unpack_session(other, packed)
        except ImportFileError:
            assert not other.all(SessionCopy)
        else:
            assert _is_padding(content, place)
            other.delete_session(7)


def _is_padding(content: bytes, place: int) -> bool:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        # Names of owners and the like are in heads; contents are what counts.
        return not any(m.offset_data <= place < m.offset_data + m.size for m in tar)


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/evil", "session_7/../x.arrow", "keys.json", "session_7/keys.json"]
)
def test_names_that_do_not_belong_there_are_refused(other: DatabaseClient, packed: Path, name: str) -> None:
    path = rewritten(packed, lambda old, content: (name if old.endswith(".arrow") else old, content))
    _refused(other, path, "does not belong there")


def test_messages_that_are_others_than_the_list_says_are_refused(other: DatabaseClient, packed: Path) -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        if not name.endswith("0000.arrow"):
            return name, content
        block = MessageBlock.decode(content)
        return name, dataclasses.replace(block, arrived_ns=block.arrived_ns + 1).encode(compressed=True)

    _refused(other, rewritten(packed, change), "session 7 is not whole")


def test_a_block_that_would_unpack_to_more_than_the_file_says_is_refused(other: DatabaseClient, packed: Path) -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        if not name.endswith("0000.arrow"):
            return name, content
        raw = pa.array([bytes(100_000_000)], pa.binary())
        return name, MessageBlock(7, 0, np.zeros(1, np.int64), np.zeros(1, np.uint16), raw).encode(compressed=True)

    path = rewritten(packed, change)
    assert path.stat().st_size < 2_000_000
    _refused(other, path, "holds more than it says")


def test_a_member_that_is_no_plain_file_or_too_large_is_refused(
    other: DatabaseClient, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_with(kind: bytes) -> Path:
        path = packed.with_name("linked.blitz")
        with tarfile.open(path, "w") as tar:
            for place, (member, content) in enumerate(members(packed)):
                if place == 1:
                    link = tarfile.TarInfo("session_7/record.json")
                    link.type, link.linkname = kind, "/etc/passwd"
                    tar.addfile(link)
                tar.addfile(member, io.BytesIO(content))
        return path

    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE):
        _refused(other, write_with(kind), "is not a file|damaged")
    monkeypatch.setattr(session_file_reading, "_LARGEST_WORDS_BYTES", 1000)
    _refused(other, packed, "'session_7/record.json' in it is too large")


@pytest.mark.parametrize("kind", [b"x", b"L"])
@pytest.mark.parametrize("size", [1 << 62, 1 << 80])
def test_a_head_that_says_an_impossible_size_is_refused(
    other: DatabaseClient, packed: Path, kind: bytes, size: int
) -> None:
    content = bytearray(packed.read_bytes())
    content[156:157], content[124:136] = kind, b"\x80" + size.to_bytes(11, "big")
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    packed.write_bytes(content)
    _refused(other, packed, "is not a session file|damaged")


@pytest.mark.parametrize("member", ["blitz-backup.json", "manifest.json", "session_7/record.json"])
def test_json_that_is_too_deep_is_refused(other: DatabaseClient, packed: Path, member: str) -> None:
    path = rewritten(packed, lambda name, content: (name, b"[" * 1_000_000 if name == member else content))
    _refused(other, path, "is not a session file|damaged")


@pytest.mark.parametrize("what", ["marker", "versions", "definitions"])
def test_words_that_would_spoil_the_cache_are_refused(other: DatabaseClient, packed: Path, what: str) -> None:
    def spoil(saved: dict[str, Any]) -> None:
        if what == "marker":
            marker = {"id": 1, "text": "x", "from_ns": 10**40, "changed_at": "2024-01-01T00:00:00Z"}
            saved["record"]["markers"] = [marker]
        elif what == "versions":
            saved["versions"] *= 2
        else:
            saved["versions"][0]["definitions"] = "nonsense"

    _refused(other, _respelled(packed, spoil), "its session cannot be read")
    assert unpack_session(other, _respelled(packed, lambda saved: None)).record.id == 7


def _respelled(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the file again with a changed record, to which the checksums fit."""
    contents = {member.name: content for member, content in members(path)}
    saved = json.loads(contents["session_7/record.json"])
    change(saved)
    record = json.dumps(saved).encode()
    manifest = json.loads(json.loads(contents["manifest.json"])["content"])
    manifest["sessions"][0]["keys_checksum"] = digest(record)
    text = json.dumps(manifest)
    new = {
        "session_7/record.json": record,
        "manifest.json": json.dumps({"checksum": digest(text.encode()), "content": text}).encode(),
    }
    return rewritten(path, lambda name, content: (name, new.get(name, content)))


def test_other_files_are_told_apart(other: DatabaseClient, packed: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is not a backup"):
        list(BackupReader(packed).parts())
    text = tmp_path / "run.txt"
    text.write_text("time,a\n1,2\n")
    _refused(other, text, "is not a session file made by Blitz")
    _refused(other, tmp_path / "absent.blitz", "no such file")

    def newer(name: str, content: bytes) -> tuple[str, bytes]:
        if name != "blitz-backup.json":
            return name, content
        return name, json.dumps(json.loads(content) | {"version": 99, "blitz_version": "9.9"}).encode()

    _refused(other, rewritten(packed, newer), r"newer Blitz \(9.9")


def test_a_session_that_cannot_be_read_is_refused(other: DatabaseClient, packed: Path) -> None:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        return (name, content.replace(b'"id":7', b'"id":8', 1)) if name.endswith("record.json") else (name, content)

    _refused(other, rewritten(packed, change), "not whole")
    _refused(
        other, rewritten(packed, lambda n, c: (n, b"[]") if n.endswith("record.json") else (n, c)), "cannot be read"
    )


def _refused(cache: DatabaseClient, path: Path, reason: str) -> None:
    with pytest.raises(ImportFileError, match=reason):
        unpack_session(cache, path)
    assert not cache.all(SessionCopy)
    assert cache.store_id is None


def test_the_unpacked_size_of_a_block_is_told_before_it_is_read() -> None:
    count = 1000
    raw = pa.array([b"x" * 28] * count, pa.binary())
    block = MessageBlock(7, 0, np.arange(count), np.zeros(count, np.uint16), raw)
    for compressed in (False, True):
        encoded = block.encode(compressed=compressed)
        assert count * (8 + 2 + 4 + 28) <= unpacked_bytes(encoded) <= count * (8 + 2 + 4 + 28) + 256
        rng = np.random.default_rng(int(hashlib.md5(encoded).hexdigest()[:8], 16))
        for place in rng.integers(0, len(encoded), 300).tolist():
            changed = bytearray(encoded)
            changed[place] ^= 0xFF
            try:
                unpacked_bytes(bytes(changed[: place + 500]))
            except BlockError:
                continue
