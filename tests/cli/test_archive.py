"""`blitz archive` against a real server whose Redis is full."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.cli.main import invoke
from blitz.data.archive import Archive
from blitz.data.archiving import Archiving
from blitz.data.blocks import GRID_MESSAGES, MessageBlock, Read
from blitz.data.database import DatabaseServer
from blitz.errors import ArchiveError, SessionNotFound
from blitz.io.redis_child import RedisChild

COUNT = 8 * GRID_MESSAGES


def message(seq: int) -> bytes:
    return b"%0120d" % seq


@pytest.fixture(scope="module")
def store() -> Iterator[DatabaseServer]:
    with tempfile.TemporaryDirectory(prefix="blitz-test-redis-") as folder, RedisChild(Path(folder), "none") as child:
        store = DatabaseServer(child.url)
        yield store
        store.close()


@pytest.fixture(scope="module")
def archived(
    store: DatabaseServer, run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[blitz.Client]:
    """A server that has moved session 1 to its archive."""
    store.start_session("long ago")
    writer = store.writer(1)
    for begin in range(0, COUNT, 2048):
        writer.append([Read(1_000 + begin, 0, [message(seq) for seq in range(begin, begin + 2048)])])
    writer.close()
    store.stop_session()
    config = tmp_path_factory.mktemp("config") / "blitz.toml"
    config.write_text("[server]\nredis_memory_mb = 32\n")
    server = run_server("--redis-url", store.url, "--config", str(config))
    with blitz.Client(server.url) as client:
        deadline_s = time.monotonic() + 30
        while client.session(1).archived_count < COUNT:
            assert time.monotonic() < deadline_s, server.log_path.read_text()
            time.sleep(0.05)
        yield client


Shell = Callable[..., str]


@pytest.fixture
def shell(archived: blitz.Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", str(archived.address))

    def run(*arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return printed.out + printed.err

    return run


def test_the_archive_is_listed(shell: Shell) -> None:
    text = shell("archive", "list")
    assert text == shell("archive")
    header, row, state = text.splitlines()
    assert header.split() == ["ID", "Name", "Messages", "Archived", "Files", "MB"]
    assert row.split()[:6] == ["1", "long", "ago", str(COUNT), str(COUNT), "1"]
    assert "of 32 MB; older messages move to" in state
    listed = json.loads(shell("archive", "list", "--json"))["archive"]
    assert listed["sessions"][0]["archived_count"] == COUNT


def test_archived_messages_are_downloaded_like_others(archived: blitz.Client) -> None:
    for first in (0, 5 * GRID_MESSAGES - 3, COUNT - 5):
        block = archived.messages(1, first, 10)
        assert block.messages() == [message(seq) for seq in range(first, min(first + 10, COUNT))]
    seen = 0
    for arrived in archived.live(1, 0, raw=True):
        if isinstance(arrived, MessageBlock):
            seen += len(arrived)
    assert seen == COUNT


def test_verifying_says_that_all_is_well(shell: Shell) -> None:
    assert shell("archive", "verify") == f"1 file with {COUNT} messages read: all is well.\n"
    assert json.loads(shell("archive", "verify", "1", "--json"))["check"]["messages"] == COUNT
    assert "There is no session 9" in shell("archive", "verify", "9", expect=1)


def test_verifying_names_what_is_damaged(shell: Shell, archived: blitz.Client) -> None:
    (path,) = (Path(archived.archive().folder) / "session_1").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"X" + content[len(content) // 2 + 1 :])
    try:
        text = shell("archive", "verify", expect=1)
        assert f"{path} is damaged" in text
        assert "1 file with" in text
        assert "1 fault" in text
    finally:
        path.write_bytes(content)


def test_restoring_needs_room(shell: Shell, archived: blitz.Client) -> None:
    assert "needs about" in shell("archive", "restore", "1", expect=1)
    with pytest.raises(ArchiveError, match="needs about"):
        archived.restore_from_archive(1)
    with pytest.raises(SessionNotFound):
        archived.restore_from_archive(9)


def test_a_small_session_is_restored(shell: Shell, archived: blitz.Client, store: DatabaseServer) -> None:
    session_id = store.start_session("small")
    writer = store.writer(session_id)
    writer.append([Read(1_000, 0, [message(seq) for seq in range(100)])])
    writer.close()
    store.stop_session()
    moving = store.archive_store()
    # As the worker would have done: it does nothing now, there being room again.
    assert Archiving(moving, Archive(Path(archived.archive().folder), store.store_id)).step() is not None
    moving.close()
    assert archived.session(session_id).archived_count == 100
    assert shell("archive", "restore", str(session_id)) == f"100 messages of session {session_id} are in memory.\n"
    assert archived.session(session_id).archived_count == 0
    assert archived.messages(session_id, 0, 100).messages() == [message(seq) for seq in range(100)]
