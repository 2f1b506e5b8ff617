"""The private Redis: started, adopted, locked, stopped."""

import os
import signal
from pathlib import Path

import pytest
import redis

from blitz.errors import ConfigError, StoreInUse, StoreUnavailable
from blitz.io import redis_child
from blitz.io.redis_child import RedisChild


def _connect(child: RedisChild) -> redis.Redis:
    return redis.Redis.from_url(child.url)


def test_redis_keeps_what_it_was_told_over_a_restart(tmp_path: Path) -> None:
    with RedisChild(tmp_path) as child, _connect(child) as client:
        client.rpush("session_1", "a", "b")
        assert client.config_get("appendfsync")["appendfsync"] == "always"
    with RedisChild(tmp_path) as child, _connect(child) as client:
        assert client.lrange("session_1", 0, -1) == [b"a", b"b"]
    assert not child._socket.parent.exists()


def test_nobody_else_on_the_machine_can_read_the_files(tmp_path: Path) -> None:
    with RedisChild(tmp_path) as child, _connect(child) as client:
        client.set("a", "1")
        paths = [tmp_path / "redis", *(tmp_path / "redis").rglob("*")]
        assert len(paths) > 3
        assert not [path for path in paths if path.stat().st_mode & 0o077]


def test_a_second_server_on_the_same_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    with RedisChild(tmp_path), pytest.raises(StoreInUse, match=str(os.getpid())), RedisChild(tmp_path):
        pass


def test_a_redis_that_outlived_its_server_is_adopted_with_its_content(tmp_path: Path) -> None:
    first = RedisChild(tmp_path).__enter__()
    with _connect(first) as client:
        client.set("answer", "42")
        pid = client.info("server")["process_id"]
    first._release_lock()  # what the kernel does for a server killed with -9
    with RedisChild(tmp_path, "everysec") as second, _connect(second) as client:
        assert second.was_adopted
        assert client.get("answer") == b"42"
        assert client.info("server")["process_id"] == pid
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
    assert first._process is not None
    assert first._process.wait(60) == 0
    assert not first._socket.parent.exists()


def test_a_dead_redis_leaves_a_socket_behind_and_a_new_one_starts(tmp_path: Path) -> None:
    first = RedisChild(tmp_path).__enter__()
    with _connect(first) as client:
        client.set("answer", "42")
    assert first._process is not None
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait(60)
    first._release_lock()
    with RedisChild(tmp_path) as second, _connect(second) as client:
        assert not second.was_adopted
        assert client.get("answer") == b"42"


def test_a_redis_that_dies_before_its_server_leaves_no_folder_behind(tmp_path: Path) -> None:
    with RedisChild(tmp_path) as child:
        assert child._process is not None
        child._process.kill()
    assert not child._socket.parent.exists()


def test_a_redis_that_outlived_its_server_and_lost_its_socket_keeps_its_files_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_child, "_LEFTOVER_WAIT_S", 0.1)
    first = RedisChild(tmp_path).__enter__()
    first._socket.unlink()
    first._release_lock()
    with pytest.raises(StoreInUse, match="an earlier server left"), RedisChild(tmp_path):
        pass
    first._end_process()
    with RedisChild(tmp_path) as second:
        assert not second.was_adopted


def test_a_redis_that_hangs_is_not_given_a_rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisChild(tmp_path) as first:
        monkeypatch.setattr(redis_child, "_ANSWER_S", 0.1)
        monkeypatch.setattr(redis_child, "_START_TIMEOUT_S", 0.1)
        assert first._process is not None
        first._release_lock()
        first._process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable, match="does not answer"), RedisChild(tmp_path):
                pass
        finally:
            first._process.send_signal(signal.SIGCONT)
        first._take_lock()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/below"), RedisChild(tmp_path / "file" / "below"):
        pass


def test_whoever_waits_for_redis_can_give_up(tmp_path: Path) -> None:
    class GivenUpError(Exception):
        pass

    def give_up() -> None:
        raise GivenUpError

    child = RedisChild(tmp_path, look=give_up)
    with pytest.raises(GivenUpError), child:
        pass
    assert child._process is None or child._process.poll() is not None
    with RedisChild(tmp_path) as again:
        assert not again.was_adopted
