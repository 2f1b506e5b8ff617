"""What a power failure leaves of a server's other files, and what the start makes of it."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from blitz.config import ServerSettings, load
from blitz.data.archive import Archive
from blitz.data.audit import AuditEntry, AuditStore, Outcome, now_ms
from blitz.data.records import Role
from blitz.data.tokens import TokenStore
from blitz.errors import ArchiveError, ConfigError, TablesError
from blitz.io.certificate import private_certificate
from blitz.io.redis_child import RedisChild
from blitz.io.run_mark import RunMark

_ENTRIES = 400


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    path = tmp_path / "server.db"
    with TokenStore(path) as tokens, AuditStore(path) as audit:
        tokens.create(Role.OPERATOR, "bench")
        audit.add(
            [AuditEntry(now_ms(), "ada", "10.0.0.7", "POST /sessions", 201, Outcome.DONE) for _ in range(_ENTRIES)]
        )
    return path


def _spoil(path: Path, table: str) -> None:
    """Overwrite the root page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_a_damaged_audit_trail_keeps_no_server_from_starting(tables: Path, caplog: pytest.LogCaptureFixture) -> None:
    _spoil(tables, "audit")
    with TokenStore(tables) as tokens, AuditStore(tables) as audit:
        assert [token.name for token in tokens.tokens()] == ["bench"]
        assert tokens.create(Role.VIEWER, "second")[0].id == 2
        audit.add([AuditEntry(now_ms(), "ada", "10.0.0.7", "POST /sessions", 201, Outcome.DONE)])
        assert len(audit.last(10)) == 1
    assert "The audit trail in" in caplog.text
    (kept,) = tables.parent.glob("server.db-damaged-*")
    assert str(kept) in caplog.text
    assert tables.stat().st_mode & 0o777 == 0o600


def test_other_damage_is_a_sentence_that_names_the_backup_and_changes_nothing(tables: Path) -> None:
    _spoil(tables, "token")
    before = tables.read_bytes()
    with pytest.raises(TablesError, match=r"damaged.*backup") as raised:
        TokenStore(tables)
    assert "\n" not in str(raised.value)
    assert tables.read_bytes() == before
    assert [path.name for path in tables.parent.glob("server.db*")] == ["server.db"]


def test_tables_of_no_length_are_made_anew_and_said_to_be(tables: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.truncate(tables, 0)
    with TokenStore(tables) as tokens:
        assert tokens.tokens() == []
    assert "are empty, as a power failure can leave them" in caplog.text


def test_tables_that_were_never_there_are_made_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    TokenStore(tmp_path / "server.db").close()
    assert caplog.text == ""


@pytest.mark.parametrize("damage", ["no key", "empty key", "no certificate", "zeros", "another key", "empty folder"])
def test_a_private_certificate_that_is_damaged_is_told_with_both_remedies(tmp_path: Path, damage: str) -> None:
    made = private_certificate(tmp_path)
    if damage == "no key":
        made.key.unlink()
    elif damage == "empty key":
        os.truncate(made.key, 0)
    elif damage == "no certificate":
        made.certificate.unlink()
    elif damage == "zeros":
        made.certificate.write_bytes(bytes(made.certificate.stat().st_size))
    elif damage == "another key":
        shutil.copyfile(private_certificate(tmp_path / "other").key, made.key)
    else:
        shutil.rmtree(made.key.parent)
        made.key.parent.mkdir()
    with pytest.raises(ConfigError, match=r"backup.*move it away.*new links"):
        private_certificate(tmp_path)
    made.key.parent.rename(tmp_path / "aside")
    assert private_certificate(tmp_path).fingerprint != made.fingerprint


def test_a_certificate_that_was_never_finished_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "tls.abcd1234"
    left.mkdir(parents=True)
    private_certificate(tmp_path)
    assert left.exists(), "another program may be making it"
    os.utime(left, (1, 1))
    private_certificate(tmp_path)
    assert not left.exists()


@pytest.mark.parametrize("content", [b"", bytes(25), b"\xff\xfe\x00garbage", b"2026-11-22T02:00:00+00:00"])
def test_a_mark_that_a_server_ran_counts_whatever_is_left_of_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "running").write_bytes(content)
    when = "2026-11-22T02:00:00+00:00" if content.startswith(b"2026") else "an unknown time"
    assert RunMark(tmp_path).set() == f"The server that was started at {when} had ended unexpectedly."
    assert (tmp_path / "running").read_bytes().startswith(b"2")


def test_settings_of_zeros_are_a_sentence_and_empty_ones_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "blitz.toml"
    path.write_bytes(bytes(100))
    with pytest.raises(ConfigError, match="nothing but zeros, as a power failure"):
        load(ServerSettings, {}, path)
    path.write_bytes(b"")
    load(ServerSettings, {}, path)
    assert "is empty: the defaults hold" in caplog.text


@pytest.mark.parametrize("content", [b"", bytes(36)])
def test_an_archive_whose_owner_was_not_written_is_claimed_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store_id").write_bytes(content)
    archive = Archive(tmp_path, "ours")
    archive.claim()
    assert archive.is_ours()
    with pytest.raises(ArchiveError, match="another store"):
        Archive(tmp_path, "theirs").claim()


def test_a_data_folder_in_which_something_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "redis").write_text("")
    with pytest.raises(ConfigError, match=f"{tmp_path}/redis"), RedisChild(tmp_path):
        pass
