"""The server's log file: bounded, private, and without secrets."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from blitz.config import ServerSettings
from blitz.errors import ConfigError
from blitz.io import log_files


def test_the_log_is_rotated_and_bounded_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path / "data", log_file_mb=1, log_files=2)
    log = logging.getLogger("blitz.test")
    with log_files.to_stderr(settings), log_files.to_file(settings) as path:
        assert path == tmp_path / "data" / "blitz.log"
        for number in range(450):
            log.info("%s %s", number, "x" * 10_000)
    log.error("behind the end")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["blitz.log", "blitz.log.1", "blitz.log.2"]
    assert all(file.stat().st_size <= 1 << 20 for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert "INFO    449 x" in path.read_text()
    assert "behind the end" not in path.read_text()


def test_what_is_secret_never_gets_into_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = ({"name": "mail", "kind": "email", "password": "mail-hush"}, {"kind": "webhook", "secret": "hook-hush"})
    settings = ServerSettings(data_dir=tmp_path, token="token-hush-0123456", hooks=hooks)
    log = logging.getLogger("blitz.test")
    with log_files.to_stderr(settings), log_files.to_file(settings) as path:
        log.warning("token-hush-0123456 mail-hush hook-hush redis://me:url-hush@bench1 Bearer header-hush")
        log.warning("blitz://bench1:8999/#link-hush&aabb password=field-hush")
        try:
            raise ValueError("token='traceback-hush'")
        except ValueError:
            log.exception("failed")
    for text in (path.read_text(), capsys.readouterr().err):
        assert "hush" not in text
        assert "redis://…@bench1" in text
        assert "Traceback" in text


def test_a_name_cannot_look_like_an_entry_of_its_own(tmp_path: Path) -> None:
    settings = ServerSettings(data_dir=tmp_path)
    with log_files.to_file(settings) as path:
        logging.getLogger("blitz.test").warning("Session 1 started by %s", "ann\n2026-01-01 ERROR   all is lost\x1b[2J")
    assert len(path.read_text().splitlines()) == 1
    assert "ann?2026-01-01 ERROR   all is lost?[2J" in path.read_text()


def test_a_log_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = ServerSettings(data_dir=tmp_path, log_file=tmp_path / "file" / "blitz.log")
    with pytest.raises(ConfigError, match="Cannot write the log file"), log_files.to_file(settings):
        pass


def test_a_full_disk_does_not_make_the_program_noisy(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    script = (
        "import logging, sys; from blitz.io.log_files import PrivateRotatingFile\n"
        "logging.getLogger().addHandler(PrivateRotatingFile('/dev/full')); logging.warning('x')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr


def test_the_log_of_redis_is_cut_and_redis_goes_on_writing_to_it(tmp_path: Path) -> None:
    from blitz.io.redis_child import RedisChild

    with RedisChild(tmp_path, "none") as child:
        path = tmp_path / "redis.log"
        with path.open("a") as file:
            file.writelines(f"line {number}\n" for number in range(20_000))
        assert not log_files.bound_redis_log(path)
        assert log_files.bound_redis_log(path, 100_000)
        kept = path.read_text()
        assert len(kept) <= 50_000
        assert kept.startswith("line ")
        assert kept.endswith("line 19999\n")
        client = redis.Redis.from_url(child.url)
        client.bgrewriteaof()
        deadline_s = time.monotonic() + 20
        while "rewrit" not in path.read_text():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        while client.info("persistence")["aof_rewrite_in_progress"]:
            assert time.monotonic() < deadline_s
        client.close()
    assert sorted(file.name for file in tmp_path.iterdir() if "log" in file.name) == ["redis.log"]


def test_a_text_that_is_said_again_and_again_passes_once_with_the_number_of_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def passes(text: str) -> str | None:
        record = logging.LogRecord("server", logging.WARNING, __file__, 1, text, None, None)
        return record.getMessage() if rare.filter(record) else None

    rare = log_files.OnceInAWhile()
    now_s = time.monotonic()
    monkeypatch.setattr(log_files.time, "monotonic", lambda: now_s)
    assert [passes("bad request") for _ in range(3)] == ["bad request", None, None]
    assert passes("another") == "another"
    now_s += 11
    assert passes("bad request") == "bad request (2 more of these)"
