"""What stands beside an exported file, and what is found by it."""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.sidecar import Sidecar, block_sha256, read_sidecar, sidecar_path, verify_file, write_sidecar
from blitz.errors import ExportError, SessionNotFound, VerificationError


@pytest.fixture
def exported(cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path) -> Path:
    example(GRID_MESSAGES + 50).fill(cache)
    return export_session(cache, 7, tmp_path / "run.csv")


def test_the_sidecar_says_what_a_file_is(cache: DatabaseClient, example: Callable[..., Any], exported: Path) -> None:
    document = json.loads((exported.parent / "run.csv.json").read_text("utf-8"))
    assert (document["kind"], document["version"], document["file"]) == ("blitz export", 1, "run.csv")
    assert document["sha256"] == hashlib.sha256(exported.read_bytes()).hexdigest()
    assert document["size"] == exported.stat().st_size
    assert (document["format"], document["layout"], document["preset"]) == ("csv", "wide", "analysis")
    assert document["rows"] == GRID_MESSAGES + 50
    assert document["session"]["name"] == "A try"
    assert document["definition_version"] == 0
    assert [column["unit"] for column in document["columns"]] == ["V", "", "°"]
    assert [(block["first"], block["count"]) for block in document["raw"]] == [
        (0, GRID_MESSAGES),
        (GRID_MESSAGES, 50),
    ]


def test_the_hash_of_a_block_is_taken_as_it_is_described(example: Callable[..., Any]) -> None:
    block: MessageBlock = example(20).block(3, 9)
    messages = block.messages()
    content = b"7:3:9:" + struct.pack("<9q", *block.arrived_ns.tolist()) + struct.pack("<9H", *block.source.tolist())
    content += struct.pack("<9q", *map(len, messages)) + b"".join(messages)
    assert block_sha256(block) == hashlib.sha256(content).hexdigest()


def test_a_file_is_verified_with_and_without_the_cache(cache: DatabaseClient, exported: Path) -> None:
    seen: list[tuple[int, int]] = []
    verdict = verify_file(exported, cache, progress=lambda *counts: seen.append(counts))
    assert (verdict.raw_checked, verdict.blocks, verdict.rows) == (True, 2, GRID_MESSAGES + 50)
    assert seen == [(1, 2), (2, 2)]
    with DatabaseClient() as empty:
        assert not verify_file(exported, empty).raw_checked
    assert not verify_file(exported).raw_checked


@pytest.mark.parametrize(
    "wanted", [{"first": 10, "count": 5}, {"channels": ["first"], "step_s": 1.0}, {"start": 1_700_000_150.0}]
)
def test_a_part_of_a_session_is_verified(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, wanted: dict[str, Any]
) -> None:
    example(GRID_MESSAGES + 50).fill(cache)
    path = export_session(cache, 7, tmp_path / "part.parquet", **wanted)
    assert verify_file(path, cache).raw_checked


def test_a_changed_file_is_told(exported: Path) -> None:
    content = exported.read_bytes()
    exported.write_bytes(content.replace(b",0.5,", b",0.6,", 1))
    with pytest.raises(VerificationError, match=r"run\.csv was changed since it was exported: its SHA-256 is"):
        verify_file(exported)
    exported.write_bytes(content + b"\n")
    with pytest.raises(VerificationError, match=f"it has {len(content) + 1} bytes, and had {len(content)}"):
        verify_file(exported)
    exported.unlink()
    with pytest.raises(VerificationError, match=r"Cannot read .*run\.csv: no such file"):
        verify_file(exported)


def test_changed_definitions_in_the_sidecar_are_told(exported: Path) -> None:
    sidecar = read_sidecar(exported)
    source = sidecar.session.sources[0]
    assert source.definition is not None
    channels = (Channel(name="first", bit=0, bits=12, unit="kV"), *source.definition.channels[1:])
    changed = source.model_copy(update={"definition": source.definition.model_copy(update={"channels": channels})})
    session = sidecar.session.model_copy(update={"sources": (changed, *sidecar.session.sources[1:])})
    write_sidecar(exported, sidecar.model_copy(update={"session": session}))
    with pytest.raises(VerificationError, match="its definitions have another SHA-256"):
        verify_file(exported)


def test_any_change_of_the_sidecar_is_told(exported: Path) -> None:
    place = sidecar_path(exported)
    text = place.read_text("utf-8")
    for before, after in [
        ('"name": "A try"', '"name": "B try"'),
        ('"rows": ', '"rows": 1'),
        ('"is_whole": true', '"is_whole": false'),
        ('"°"', '"K"'),
        ('"sidecar_sha256": "', '"sidecar_sha256": "0'),
        ('"kind"', '"more": 1, "kind"'),
    ]:
        assert before in text
        place.write_text(text.replace(before, after, 1), "utf-8")
        with pytest.raises(VerificationError, match=r"run\.csv\.json was changed since it was written"):
            verify_file(exported)
    place.write_text(json.dumps(json.loads(text)), "utf-8")  # how it is laid out does not matter
    assert verify_file(exported).sidecar_checked


def test_the_hash_of_a_sidecar_is_taken_as_it_is_described(exported: Path) -> None:
    document = json.loads(sidecar_path(exported).read_text("utf-8"))
    told = document.pop("sidecar_sha256")
    content = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert told == hashlib.sha256(content).hexdigest()


def test_a_sidecar_of_an_earlier_version_still_verifies(cache: DatabaseClient, exported: Path) -> None:
    document = json.loads(sidecar_path(exported).read_text("utf-8"))
    for field in ("sidecar_sha256", "is_whole"):
        del document[field]
    sidecar_path(exported).write_text(json.dumps(document), "utf-8")
    verdict = verify_file(exported, cache)
    assert (verdict.sidecar_checked, verdict.raw_checked, verdict.missing) == (False, True, None)


def test_other_raw_messages_are_told(exported: Path, example: Callable[..., Any]) -> None:
    session = example(GRID_MESSAGES + 50)
    session.message = lambda seq: b"temp:0" if seq == GRID_MESSAGES + 7 else type(session).message(session, seq)
    with DatabaseClient() as other:
        session.fill(other)
        with pytest.raises(
            VerificationError, match=r"raw messages 16384 to 16433 of session 7 in the cache are not those"
        ):
            verify_file(exported, other)
    shorter = example(40)
    with DatabaseClient() as other:
        shorter.fill(other)
        with pytest.raises(VerificationError, match="raw messages 0 to 16383"):
            verify_file(exported, other)


def test_another_session_with_the_same_id_is_not_compared(exported: Path, example: Callable[..., Any]) -> None:
    with DatabaseClient() as other:
        example(40, started_s=1_600_000_000).fill(other)
        assert not verify_file(exported, other).raw_checked


def test_no_sidecar_and_a_damaged_one_are_told(exported: Path) -> None:
    sidecar_path(exported).write_text("{}")
    with pytest.raises(VerificationError, match="is not the sidecar of an exported file, or is damaged"):
        verify_file(exported)
    sidecar_path(exported).write_text('{"kind": "blitz export", "version": 2}')
    with pytest.raises(VerificationError, match="written by a newer Blitz"):
        verify_file(exported)
    sidecar_path(exported).unlink()
    with pytest.raises(VerificationError, match=r"cannot be verified: there is no run\.csv\.json beside it"):
        verify_file(exported)


def test_a_file_that_is_replaced_without_a_sidecar_does_not_keep_the_old_one(
    cache: DatabaseClient, exported: Path
) -> None:
    assert isinstance(read_sidecar(exported), Sidecar)
    export_session(cache, 7, exported, sidecar=False)
    assert not sidecar_path(exported).exists()
    sidecar_path(exported).write_text('{"mine": 1}')
    export_session(cache, 7, exported, sidecar=False)
    assert sidecar_path(exported).exists()


def test_a_file_of_the_user_that_has_the_sidecars_name_stays(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(10).fill(cache)
    own = tmp_path / "run.csv.json"
    own.write_text('{"mine": 1}')
    with pytest.raises(ExportError, match=r"run\.csv\.json is there, and is no sidecar"):
        export_session(cache, 7, tmp_path / "run.csv")
    assert [each.name for each in tmp_path.iterdir()] == ["run.csv.json"]
    export_session(cache, 7, tmp_path / "run.csv", sidecar=False)
    assert own.read_text() == '{"mine": 1}'
    own.write_text("")
    export_session(cache, 7, tmp_path / "run.csv")
    export_session(cache, 7, tmp_path / "run.csv")
    assert verify_file(tmp_path / "run.csv").rows == 10


def test_a_corrected_definition_is_exported_and_told(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    session = example(40)
    session.fill(cache)
    definition = session.record.sources[0].definition
    corrected = definition.model_copy(
        update={"channels": (definition.channels[0].model_copy(update={"zero": 1.0}), *definition.channels[1:])}
    )
    cache.add_definition_version(7, {"sim1": corrected}, "offset")
    newest, recorded = (export_session(cache, 7, tmp_path / f"{version}.csv", version=version) for version in (None, 0))
    assert [read_sidecar(path).definition_version for path in (newest, recorded)] == [1, 0]
    assert len({read_sidecar(path).definitions_sha256 for path in (newest, recorded)}) == 2
    cells = [path.read_text().splitlines()[4].split(",")[2] for path in (newest, recorded)]
    assert cells == ["2", "3"]
    assert verify_file(newest, cache).raw_checked
    with pytest.raises(SessionNotFound):
        export_session(cache, 7, tmp_path / "5.csv", version=5)
