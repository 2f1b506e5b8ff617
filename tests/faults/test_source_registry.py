"""Sources in trouble: servers that are killed at each step of an addition and of a deletion, kinds that fail, hang and
lose their files. After a restart a source is whole, or not there; and each message of a counted one is there once."""

import contextlib
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import counted_kind
import pytest
from waiting import wait_until

import blitz
from blitz.data.records import BoardRecord, LinkState
from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError, RemoteError, SourceUnavailable

QUICK_KILLS = 3
NO_KILL = 1_000_000


class Bench:
    """A server with the kind `lines`, over one Redis, and what is in its tables."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.server = server
        self.file = folder / "run.txt"
        self.last = folder / "last"
        self.config = SourceConfig(name="bench", link=f"lines:{self.file}")

    @contextlib.contextmanager
    def client(self) -> Iterator[blitz.Client]:
        with contextlib.closing(blitz.Client(self.server.url, timeout=60)) as client:
            yield client

    def rows(self, query: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.server.data_dir / "server.db")) as db:
            return db.execute(query).fetchall()

    def has_tables(self) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'lines_opened'"))

    def restart(self) -> None:
        self.last.unlink(missing_ok=True)
        self.server.process.wait(60)
        self.server.start()

    def check(self, client: blitz.Client) -> bool:
        """Check that the source is whole, or not there; return whether it is there."""
        names = [source.name for source in client.sources()]
        assert names in ([], ["bench"])
        if names:
            wait_until(lambda: board(client).state is LinkState.READY)
            assert self.rows("SELECT link FROM lines_opened") == [(self.config.link,)]
        else:
            assert client.boards() == []
            assert not self.has_tables()
            assert self.rows("SELECT * FROM source") == self.rows("SELECT * FROM source_place") == []
        return bool(names)


def board(client: blitz.Client) -> BoardRecord:
    return next(record for record in client.boards() if record.name == "bench")


@pytest.fixture
def bench(run_server: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    site = tmp_path / "site"
    metadata = site / "counted_kind-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counted-kind\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[blitz.sources]\nlines = counted_kind:Lines\n")
    (site / "counted_kind.py").write_bytes(Path(counted_kind.__file__).read_bytes())
    (site / "sitecustomize.py").write_text("import counted_kind\ncounted_kind.watch_statements()\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("COUNTED_KIND_LAST", str(tmp_path / "last"))
    (tmp_path / "run.txt").write_text("1,2\n3,4\n")
    return Bench(run_server("--durability", "none"), tmp_path)


def chosen(bench: Bench, seed: int, request: pytest.FixtureRequest) -> list[int]:
    """Return the steps to be killed at: a few of those that were counted, or each of them; they count from 1 again."""
    bench.server.kill()
    bench.restart()
    count = len(bench.last.with_suffix(".steps").read_text().splitlines())
    bench.last.with_suffix(".steps").unlink()
    steps = list(range(1, count + 1))
    return steps if request.node.get_closest_marker("soak") else random.Random(seed).sample(steps, QUICK_KILLS)


def kill_while_adding(bench: Bench, seed: int, request: pytest.FixtureRequest) -> None:
    bench.last.write_text(str(NO_KILL))
    with bench.client() as client:
        client.add_source(bench.config)
        assert bench.check(client)
        bench.last.unlink()
        client.delete_source("bench")
    outcomes = []
    for number in chosen(bench, seed, request):
        bench.last.write_text(str(number))
        with bench.client() as client, contextlib.suppress(RemoteError):
            client.add_source(bench.config)
        if bench.server.process.poll() is None:  # it came to its end in fewer steps
            bench.server.kill()
        bench.restart()
        with bench.client() as client:
            outcomes.append(bench.check(client))
            if outcomes[-1]:
                client.delete_source("bench")
            assert not bench.check(client)
    assert outcomes == sorted(outcomes) or not request.node.get_closest_marker("soak"), outcomes


def kill_while_deleting(bench: Bench, seed: int, request: pytest.FixtureRequest) -> None:
    with bench.client() as client:
        client.add_source(bench.config)
        bench.last.write_text(str(NO_KILL))
        client.delete_source("bench")
        bench.last.unlink()
    for number in chosen(bench, seed, request):
        with bench.client() as client:
            client.add_source(bench.config)
            bench.last.write_text(str(number))
            with contextlib.suppress(RemoteError):
                client.delete_source("bench")
        if bench.server.process.poll() is None:
            bench.server.kill()
        bench.restart()
        with bench.client() as client:
            if bench.check(client):
                client.delete_source("bench")
            assert not bench.check(client)


def test_a_server_that_is_killed_while_a_source_is_added_has_it_whole_or_not_at_all(
    bench: Bench, seed: int, request: pytest.FixtureRequest
) -> None:
    kill_while_adding(bench, seed, request)


def test_a_server_that_is_killed_while_a_source_is_deleted_has_it_whole_or_not_at_all(
    bench: Bench, seed: int, request: pytest.FixtureRequest
) -> None:
    kill_while_deleting(bench, seed, request)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_server_that_is_killed_at_any_step_of_an_addition_has_a_source_whole_or_not_at_all(
    bench: Bench, seed: int, request: pytest.FixtureRequest
) -> None:
    kill_while_adding(bench, seed, request)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_server_that_is_killed_at_any_step_of_a_deletion_has_a_source_whole_or_not_at_all(
    bench: Bench, seed: int, request: pytest.FixtureRequest
) -> None:
    kill_while_deleting(bench, seed, request)


def test_what_cannot_be_added_leaves_no_trace(bench: Bench) -> None:
    gone = bench.config.model_copy(update={"link": f"{bench.config.link}.gone"})
    with bench.client() as client:
        with pytest.raises(SourceUnavailable, match=r"'bench' was not added: There is no file .* add it for later"):
            client.add_source(gone)
        assert not bench.check(client)
        assert bench.rows("SELECT * FROM source_history") == []
        hanging = bench.config.model_copy(update={"options": {"hangs": 20}})
        with pytest.raises(SourceUnavailable, match="was not open after 8 s"):
            client.add_source(hanging)
        assert not bench.check(client)
        client.add_source(gone, later=True)
        wait_until(lambda: "There is no file" in (board(client).error or ""))
        client.delete_source("bench")
        client.add_source(bench.config)
        assert bench.check(client)
    assert bench.server.stop() == 0


def test_a_source_stays_disabled_over_a_restart_and_what_a_counted_one_has_meanwhile_comes_later(bench: Bench) -> None:
    with bench.client() as client:
        client.add_source(bench.config)
        session = client.start("run")
        wait_until(lambda: client.session(session.id).message_count == 2)
        client.update_source("bench", is_enabled=False)
        assert board(client).state is LinkState.DISABLED
        with pytest.raises(BlitzError, match="is disabled"):
            client.command("bench", "x")
        with pytest.raises(BlitzError, match="is disabled"):
            client.release("bench")
        bench.file.write_text("1,2\n3,4\n5,6\n")
        client.update_source("bench", is_enabled=True)
        wait_until(lambda: client.session(session.id).message_count == 3)
        client.update_source("bench", is_enabled=False)
        assert client.stop().message_count == 3
        entries = [entry.text for entry in client.session(session.id).timeline]
        assert entries == [
            *("bench was disabled.", "bench could not be sent 'x'."),
            *("bench was enabled.", "bench was disabled."),
        ]
        assert client.session(session.id).gaps == ()
        changes = [change.what for change in client.source_history("bench")]
        assert changes == [f"added: {bench.config.link}", "disabled", "enabled", "disabled"]
    bench.server.kill()
    bench.restart()
    with bench.client() as client:
        wait_until(lambda: board(client).state is LinkState.DISABLED)
        client.delete_source("bench")
        assert not bench.check(client)


def has(client: blitz.Client, count: int) -> bool:
    return sum(session.message_count for session in client.sessions()) >= count


def test_each_message_of_a_counted_source_is_in_a_session_once_whenever_the_server_is_killed(
    bench: Bench, seed: int
) -> None:
    rng = random.Random(seed)
    lines = [f"{number},{number * number}" for number in range(900)]
    bench.file.write_text("".join(f"{line}\n" for line in lines))
    with bench.client() as client:
        client.add_source(bench.config)
        wait_until(lambda: board(client).message_count > 20)
        client.start("run")
    for wanted in (rng.randrange(50, 200), rng.randrange(250, 500)):
        with bench.client() as client:
            wait_until(partial(has, client, wanted))
        bench.server.kill()
        bench.restart()
    with bench.client() as client:
        if client.status().session is not None:
            client.stop()
        client.start("the rest")

        def recorded() -> list[str]:
            ids = sorted(session.id for session in client.sessions())
            blocks = (client.messages(number) for number in ids)
            return [message.decode() for message in itertools.chain.from_iterable(b.messages() for b in blocks)]

        wait_until(lambda: len(recorded()) >= len(lines))
        client.stop()
        assert recorded() == lines
