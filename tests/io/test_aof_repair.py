"""A real Redis whose files are damaged as power failures, and worse, damage them."""

import logging
import os
import shutil
import signal
from pathlib import Path

import pytest
import redis

from blitz.errors import StoreUnavailable
from blitz.io import aof_repair
from blitz.io.aof_format import Ending, is_whole_snapshot, read_manifest, scan
from blitz.io.aof_repair import AofRepair
from blitz.io.redis_child import RedisChild

_ROUNDS = 40
_EACH = 10


def _fill(child: RedisChild, first: int = 0) -> None:
    with redis.Redis.from_url(child.url) as client:
        for number in range(first, first + _ROUNDS):
            with client.pipeline(transaction=True) as pipe:
                pipe.rpush("messages", *(b"%028d" % (number * _EACH + place) for place in range(_EACH)))
                pipe.hset("meta", "batch", number)
                pipe.execute()


def _content(child: RedisChild) -> tuple[list[bytes], int]:
    with redis.Redis.from_url(child.url) as client:
        return client.lrange("messages", 0, -1), int(client.hget("meta", "batch") or -1)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("left") / "data"
    with RedisChild(folder) as child:
        _fill(child)
    return folder


@pytest.fixture
def data_dir(left: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(left, tmp_path / "data"))


def _aof(data_dir: Path) -> Path:
    return data_dir / "redis" / "appendonlydir"


def _commands(data_dir: Path) -> Path:
    return _aof(data_dir) / "appendonly.aof.1.incr.aof"


def _add(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def _started(data_dir: Path) -> tuple[list[bytes], int, list[str]]:
    told: list[str] = []
    with RedisChild(data_dir) as child:
        child.tell_repairs(told.append)
        messages, batch = _content(child)
    assert messages == [b"%028d" % number for number in range(len(messages))]
    assert len(messages) == _EACH * (batch + 1), "a transaction is there as a whole or not at all"
    return messages, batch, told


def test_files_that_are_well_are_left_as_they_are(data_dir: Path) -> None:
    before = _commands(data_dir).read_bytes()
    assert _started(data_dir)[1:] == (_ROUNDS - 1, [])
    assert _commands(data_dir).read_bytes() == before
    assert AofRepair(data_dir / "redis", 1000).after_refusal() == []


@pytest.mark.parametrize(
    "tail", [bytes(4096), bytes(3 << 20), b"\x00\xff" * 500, b"*3\r\n$5\r\nRPU" + bytes(999), b"*1\r\n"]
)
def test_what_a_power_failure_appends_is_cut_off_and_nothing_is_lost(
    data_dir: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    whole = _commands(data_dir).read_bytes()
    _add(_commands(data_dir), tail)
    _, batch, told = _started(data_dir)
    assert batch == _ROUNDS - 1
    assert _commands(data_dir).read_bytes() == whole
    assert len(told) == 1
    assert "may be missing" in told[0]
    assert f"{len(tail)} bytes from byte {len(whole)} on were cut off" in caplog.text
    kept = [path.read_bytes() for path in (data_dir / "redis" / "cut-off").glob("*")]
    assert kept == ([tail.rstrip(b"\0")] if tail.strip(b"\0") else [])


@pytest.mark.parametrize("missing", [1, 20, 150, 400])
def test_a_file_that_ends_too_early_loses_its_last_transaction_alone(data_dir: Path, missing: int) -> None:
    size = _commands(data_dir).stat().st_size
    os.truncate(_commands(data_dir), size - missing)
    _, batch, told = _started(data_dir)
    assert batch == _ROUNDS - 2
    assert len(told) == 1


def test_a_hole_near_the_end_costs_what_stands_behind_it_which_is_kept_aside(data_dir: Path) -> None:
    before = _commands(data_dir).read_bytes()
    place = before.index(b"%028d" % 350)
    _overwrite(_commands(data_dir), place - 3, bytes(512))
    damaged = _commands(data_dir).read_bytes()
    _, batch, told = _started(data_dir)
    assert batch == 34
    assert len(told) == 1
    (kept,) = (data_dir / "redis" / "cut-off").iterdir()
    cut_at = int(kept.name.rpartition("-")[2])
    assert before[:cut_at] + kept.read_bytes() == damaged


@pytest.mark.parametrize("damage", [b"\xffgarbage\xff", b"$9999999\r\n"])
def test_damage_far_from_the_end_is_named_and_nothing_is_changed(
    data_dir: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blitz.io.redis_child._LOSABLE_BYTES", {"always": 2000})
    before = _commands(data_dir).read_bytes()
    _overwrite(_commands(data_dir), before.index(b"$28\r\n%028d" % 50), damage)
    damaged = _commands(data_dir).read_bytes()
    with (
        pytest.raises(StoreUnavailable, match=r"is damaged at byte \d+.*backup.*truncate -s \d+") as raised,
        RedisChild(data_dir),
    ):
        pass
    assert str(_commands(data_dir)) in str(raised.value)
    assert _commands(data_dir).read_bytes() == damaged
    assert not (data_dir / "redis" / "cut-off").exists()


@pytest.mark.parametrize("content", [None, b"", bytes(88), b"file appendonly.aof.1.base.rdb seq 1 type b\nfile app"])
def test_a_manifest_that_is_lost_is_made_anew(data_dir: Path, content: bytes | None) -> None:
    manifest = _aof(data_dir) / aof_repair.MANIFEST
    before = manifest.read_text()
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    _, batch, told = _started(data_dir)
    assert batch == _ROUNDS - 1
    assert len(told) == 1
    assert manifest.read_text() == before


def test_a_lost_manifest_that_could_have_named_several_files_stops_the_start(data_dir: Path) -> None:
    (_aof(data_dir) / aof_repair.MANIFEST).unlink()
    (_aof(data_dir) / "appendonly.aof.2.incr.aof").write_bytes(b"*1\r\n$4\r\nPING\r\n")
    with pytest.raises(StoreUnavailable, match=r"not certain.*nothing was"), RedisChild(data_dir):
        pass
    assert _commands(data_dir).stat().st_size > 0


def test_a_manifest_beside_which_nothing_is_begins_a_store(tmp_path: Path) -> None:
    folder = tmp_path / "redis" / aof_repair.FOLDER
    folder.mkdir(parents=True)
    (folder / aof_repair.MANIFEST).touch()
    assert _started(tmp_path)[1] == -1


def test_files_that_are_missing_are_named(data_dir: Path) -> None:
    _commands(data_dir).unlink()
    with pytest.raises(StoreUnavailable, match=r"1\.incr\.aof is missing.*backup"), RedisChild(data_dir):
        pass
    assert not _commands(data_dir).exists()


@pytest.mark.parametrize("damage", ["missing", "damaged", "empty"])
def test_the_first_base_which_holds_nothing_is_no_loss(data_dir: Path, damage: str) -> None:
    base = _aof(data_dir) / "appendonly.aof.1.base.rdb"
    assert is_whole_snapshot(base.read_bytes())
    if damage == "missing":
        base.unlink()
    elif damage == "empty":
        os.truncate(base, 0)
    else:
        _overwrite(base, 30, b"????")
    assert _started(data_dir)[1] == _ROUNDS - 1


def _rewritten(data_dir: Path) -> None:
    """Have Redis write its file anew, and more after it."""
    with RedisChild(data_dir) as child:
        with redis.Redis.from_url(child.url) as client:
            client.bgrewriteaof()
        _wait_until_written(child)
        _fill(child, _ROUNDS)


def _wait_until_written(child: RedisChild) -> None:
    from blitz.io.redis_child import _wait_until

    with redis.Redis.from_url(child.url) as client:
        assert _wait_until(lambda: (child._redis_dir / aof_repair.FOLDER / "appendonly.aof.2.base.rdb").exists(), 20)
        assert _wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 20)


def test_a_base_that_holds_something_is_never_given_up(data_dir: Path) -> None:
    _rewritten(data_dir)
    base = _aof(data_dir) / "appendonly.aof.2.base.rdb"
    before = base.read_bytes()
    _overwrite(base, len(before) // 2, b"????????")
    with pytest.raises(StoreUnavailable, match=r"Redis did not start on .*RDB.*backup"), RedisChild(data_dir):
        pass
    os.truncate(base, 0)
    with pytest.raises(StoreUnavailable, match=r"2\.base\.rdb is empty"), RedisChild(data_dir):
        pass
    base.write_bytes(before)
    _add(_aof(data_dir) / "appendonly.aof.2.incr.aof", bytes(100))
    assert _started(data_dir)[1] == 2 * _ROUNDS - 1


def test_commands_behind_a_damaged_file_go_with_its_end(data_dir: Path) -> None:
    later = _aof(data_dir) / "appendonly.aof.2.incr.aof"
    later.write_bytes(b"*3\r\n$5\r\nRPUSH\r\n$8\r\nmessages\r\n$28\r\n%028d\r\n" % (_ROUNDS * _EACH))
    _add(_aof(data_dir) / aof_repair.MANIFEST, b"file appendonly.aof.2.incr.aof seq 2 type i\n")
    os.truncate(_commands(data_dir), _commands(data_dir).stat().st_size - 20)
    assert _started(data_dir)[1] == _ROUNDS - 2
    assert later.stat().st_size == 0
    assert len(list((data_dir / "redis" / "cut-off").iterdir())) == 2


def test_what_redis_had_not_finished_is_removed(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (data_dir / "redis" / "temp-rewriteaof-bg-4711.aof").write_bytes(bytes(5000))
    (_aof(data_dir) / "temp-appendonly.aof.manifest").write_bytes(b"file")
    assert _started(data_dir)[2] == []
    assert not list((data_dir / "redis").rglob("temp-*"))
    assert caplog.text.count("which Redis had not finished") == 2


def test_a_redis_that_dies_with_a_torn_file_is_revived_repaired(data_dir: Path) -> None:
    told: list[str] = []
    with RedisChild(data_dir) as child:
        child.tell_repairs(told.append)
        assert child._process is not None
        child._process.send_signal(signal.SIGKILL)
        child._process.wait(60)
        _add(_commands(data_dir), bytes(100))
        assert child.revive()
        assert _content(child)[1] == _ROUNDS - 1
    assert len(told) == 1


def test_a_redis_that_cannot_be_revived_is_told_of_once_and_not_tried_without_end(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with RedisChild(data_dir) as child:
        child.tell_repairs(told.append)
        assert child._process is not None
        child._process.kill()
        child._process.wait(60)
        before = _commands(data_dir).read_bytes()
        _add(_commands(data_dir), b"*1\r\n$9\r\nNOCOMMAND\r\n")
        dead = child._process
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="NOCOMMAND"):
                child.revive()
        assert child._process is not dead
        assert len(told) == 1
        second = child._process
        monkeypatch.setattr(child, "_revive_again_s", 0.0)
        _commands(data_dir).write_bytes(before)
        assert child.revive()
        assert child._process is not second
        assert _content(child)[1] == _ROUNDS - 1


def test_a_file_of_a_redis_before_version_7_is_left_to_redis(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    commands = b"*3\r\n$5\r\nRPUSH\r\n$1\r\na\r\n$1\r\nb\r\n"
    (tmp_path / "redis" / "appendonly.aof").write_bytes(commands + commands[:-3])
    with RedisChild(tmp_path) as child, redis.Redis.from_url(child.url) as client:
        assert client.lrange("a", 0, -1) == [b"b"]
    base = _aof(tmp_path) / "appendonly.aof"
    assert base.exists(), "a newer one has taken it over"
    os.truncate(base, 0)
    with pytest.raises(StoreUnavailable, match="is empty"), RedisChild(tmp_path):
        pass


def test_a_log_that_cannot_be_written_does_not_stop_redis(data_dir: Path) -> None:
    (data_dir / "redis.log").unlink()
    (data_dir / "redis.log").mkdir()
    assert _started(data_dir)[1] == _ROUNDS - 1


def test_a_redis_that_does_not_start_says_why(data_dir: Path) -> None:
    _add(_commands(data_dir), b"*1\r\n$9\r\nNOCOMMAND\r\n")
    with pytest.raises(StoreUnavailable, match="NOCOMMAND"), RedisChild(data_dir):
        pass


@pytest.mark.parametrize("window", [64, 700, 1 << 20])
def test_the_examination_finds_damage_at_any_byte_whatever_its_window(
    left: Path, tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aof_repair, "_WINDOW_BYTES", window)
    whole = _commands(left).read_bytes()[:3000]
    ends = [place for place in range(len(whole) + 1) if _is_whole(whole[:place])]
    path = tmp_path / "commands"
    repair = AofRepair(tmp_path, 0)
    for size in range(1, len(whole), 7):
        path.write_bytes(whole[:size])
        damage = repair._examine(path)
        last = max(end for end in ends if end <= size)
        assert (damage is None) == (size == last)
        assert damage is None or (damage.whole == last and last <= damage.reached <= size)
        path.write_bytes(whole[:size] + b"\0" * 50)
        damage = repair._examine(path)
        assert damage is not None
        assert damage.whole == last


def _is_whole(content: bytes) -> bool:
    found = scan(content, len(content))
    return found.ending is Ending.WHOLE and not found.in_transaction


def test_messages_that_look_like_commands_are_messages() -> None:
    values: list[bytes] = [b"RPUSH", b"messages", *(b"\r\n*1\r\n$4\r\nEXEC\r\n", b"$3\r\nabc", b"", b"\0" * 9) * 20]
    content = b"*%d\r\n" % len(values) + b"".join(b"$%d\r\n%s\r\n" % (len(value), value) for value in values)
    assert scan(content, len(content)).whole == len(content)
    assert scan(content[:-1], len(content) - 1).whole == 0


def test_a_manifest_with_names_that_lead_elsewhere_is_none() -> None:
    assert read_manifest("file ../../etc/passwd seq 1 type b\n") is None


def test_a_folder_that_cannot_be_read_is_a_sentence(data_dir: Path) -> None:
    _commands(data_dir).unlink()
    _commands(data_dir).mkdir()
    with pytest.raises(StoreUnavailable, match="Cannot repair"), RedisChild(data_dir):
        pass
