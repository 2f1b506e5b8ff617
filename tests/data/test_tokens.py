"""Tokens and the audit trail: what is kept, and what of it."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blitz.data import audit
from blitz.data.audit import AuditEntry, AuditStore, Outcome
from blitz.data.records import Role
from blitz.data.server_tables import SCHEMA_VERSION
from blitz.data.source_store import SourceStore
from blitz.data.tokens import Bearer, TokenStore, hash_of, new_token
from blitz.errors import TablesError, UnknownToken

VERSION_1 = Path(__file__).parents[2] / "fixtures" / "tables" / "server-1.db"


@pytest.fixture
def store() -> Iterator[TokenStore]:
    with TokenStore(":memory:") as store:
        yield store


def test_a_token_is_told_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    with TokenStore(path) as store:
        record, token = store.create(Role.OPERATOR, " bench 3 ")
        assert (record.name, record.role, record.last_used_at, record.revoked_at) == ("bench 3", "operator", None, None)
        assert store.tokens() == [record]
        assert store.bearers() == {hash_of(token): Bearer(record.id, "bench 3", Role.OPERATOR)}
    for file in tmp_path.iterdir():
        assert token.encode() not in file.read_bytes()
        assert token.removeprefix("blz_").encode() not in file.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_tokens_are_256_random_bits_and_fit_into_an_address() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    for token in tokens:
        assert token.startswith("blz_")
        assert len(token) == 4 + 43
        assert token.replace("-", "a").replace("_", "a").isalnum()


def test_a_token_without_a_name_is_called_by_its_role(store: TokenStore) -> None:
    assert store.create(Role.VIEWER)[0].name.startswith("viewer of ")
    assert store.create(Role.VIEWER, "\n")[0].name.startswith("viewer of ")


def test_a_tokens_name_has_no_invisible_characters(store: TokenStore) -> None:
    assert store.create(Role.VIEWER, "ann\x1b[2J\u202eß" + "x" * 1000)[0].name == "ann?[2J?ß" + "x" * 91


def test_a_revoked_token_is_worth_nothing_and_stays_in_the_list(store: TokenStore) -> None:
    kept, gone = store.create(Role.VIEWER, "kept")[0], store.create(Role.ADMIN, "gone")[0]
    revoked = store.revoke(gone.id)
    assert revoked.revoked_at is not None
    assert store.revoke(gone.id) == revoked
    assert [bearer.name for bearer in store.bearers().values()] == ["kept"]
    assert store.tokens() == [kept, revoked]
    with pytest.raises(UnknownToken, match="no token 99"):
        store.revoke(99)


def test_the_last_use_never_goes_back(store: TokenStore) -> None:
    token_id = store.create(Role.VIEWER)[0].id
    store.note_use({token_id: 5000, 99: 1})
    store.note_use({token_id: 4000})
    (record,) = store.tokens()
    assert record.last_used_at is not None
    assert record.last_used_at.timestamp() == 5


def test_two_programs_use_one_file(tmp_path: Path) -> None:
    with TokenStore(tmp_path / "server.db") as one, TokenStore(tmp_path / "server.db") as other:
        record, token = one.create(Role.ADMIN)
        assert hash_of(token) in other.bearers()
        other.revoke(record.id)
        assert one.bearers() == {}


def test_a_file_of_version_1_is_brought_up_and_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    shutil.copy(VERSION_1, path)
    with SourceStore(path) as sources:
        assert [source.name for source in sources.sources()] == ["bench", "furnace"]
        assert [version.version for version in sources.definition_versions("bench")] == [1, 2]
        assert [change.who for change in sources.history("furnace")] == ["", "bob@bench"]
    with TokenStore(path) as tokens:
        tokens.create(Role.ADMIN, "first")
    with AuditStore(path) as trail:
        assert trail.last(10) == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_a_file_that_was_brought_up_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    shutil.copy(VERSION_1, tmp_path / "old.db")
    schemas = []
    for name in ("old.db", "new.db"):
        TokenStore(tmp_path / name).close()
        with sqlite3.connect(tmp_path / name) as connection:
            schemas.append(sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"), key=str))
        connection.close()
    assert schemas[0] == schemas[1]


def test_a_newer_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    TokenStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(TablesError, match="written by a newer Blitz"):
        TokenStore(path)


def test_a_closed_store_says_so(store: TokenStore) -> None:
    store.close()
    with pytest.raises(TablesError, match="are closed"):
        store.tokens()


def entry(number: int, outcome: Outcome = Outcome.DONE, time_ms: int | None = None) -> AuditEntry:
    time_ms = audit.now_ms() if time_ms is None else time_ms
    return AuditEntry(time_ms, "ann", "10.0.0.7", f"POST /{number}", 200, outcome)


def test_the_audit_trail_gives_the_last_entries_oldest_first() -> None:
    with AuditStore(":memory:") as store:
        store.add([entry(number) for number in range(5)])
        store.add([])
        assert [record.what for record in store.last(3)] == ["POST /2", "POST /3", "POST /4"]
        assert store.last(1)[0].outcome == "done"


def test_what_is_refused_pushes_out_nothing_that_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT_ROWS", 50)
    monkeypatch.setattr(audit, "_PRUNED_EACH", 20)
    with AuditStore(":memory:") as store:
        store.add([entry(number) for number in range(30)])
        for begin in range(0, 1000, 10):
            store.add([entry(number, Outcome.REFUSED) for number in range(begin, begin + 10)])
        records = store.last(10_000)
        assert [record.what for record in records if record.outcome == "done"] == [f"POST /{n}" for n in range(30)]
        assert 50 <= sum(record.outcome == "refused" for record in records) <= 70
        assert records[-1].what == "POST /999"


def test_entries_that_are_too_old_go() -> None:
    with AuditStore(":memory:") as store:
        store.add([entry(1, time_ms=1), entry(2)])
        assert [record.what for record in store.last(10)] == ["POST /2"]


def test_what_comes_from_outside_is_cut_and_made_printable() -> None:
    with AuditStore(":memory:") as store:
        store.add([replace(entry(0), what="GET /\x1b[2J" + "x" * 10_000, who="a\nb", count=3)])
        (record,) = store.last(1)
        assert record.what.startswith("GET /?[2Jxxx")
        assert len(record.what) == 300
        assert (record.who, record.count) == ("a?b", 3)
