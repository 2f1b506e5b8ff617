"""A month of a server's life, a day a few seconds long: what is recorded, what has to be there, what is measured.

Owns the course of a day, and how it ends. What has to be there stands in :mod:`month_expected`.
"""

import contextlib
import dataclasses
import json
import math
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from month_devices import DEFINITION, Printer, Told
from month_expected import BOARD, PRINTER, Expected, checksums_of, seen
from month_server import MonthServer, Size, wait_until

import blitz
from blitz.data.audit import AuditEntry, AuditStore, Outcome
from blitz.data.database import DatabaseServer
from blitz.data.records import LinkState
from blitz.data.server_tables import SCHEMA_VERSION
from blitz.io.simulator import SimulatedBoard

ENDINGS = ("keep", "kill", "close", "keep", "kill both", "close")
"""SIGTERM with ``on_stop = "keep"``; kill -9 of the server, or of the server and its Redis; SIGTERM."""
BOARD_RATE_HZ, BOARD_RING = 40.0, 1000
ENDING_RATE_HZ, MOVING_RATE_HZ = 10_000.0, 2_000.0
"""Of the printer, while the server is told to stop, which it does when it likes, and while a backup is made."""
ENDLESS = 1_000_000_000
REDIS_MEMORY_MB = 32


@dataclass(frozen=True)
class Plan:
    """How long, how much, and what happens when.

    :param lines: printed each day into the session that begins on it.
    :param lines_more: as many more into a session that goes on from the day before, and while the server is ended.
    :param calls: entries of the audit trail that other clients cause each day.
    :param turned_back: before this day the store and the tables are turned back to what version 1 wrote.
    :param moved: on this day a backup is made, and the month goes on with it in another folder.
    :param rescued: on this day, or the first after it with something in the trash, a session is restored and starred.
    """

    days: int
    lines: int
    lines_more: int
    keep_days: float
    trash_days: float
    chatter_kb: int
    calls: int
    turned_back: int
    moved: int
    deleted: int
    rescued: int


@dataclass(frozen=True)
class Open:
    """A session that was being recorded when the server was ended.

    :param acknowledged: so many messages had been shown.
    :param checksums: of the first ``read`` of them.
    """

    session_id: int
    acknowledged: int
    read: int
    checksums: tuple[str, ...]
    ending: str


@dataclass
class Month:
    """Runs it. :meth:`run` does everything and raises AssertionError where something is not as it must be.

    :param load_version_1: puts what version 1 wrote into an empty store.
    :param turn_back: turns a store back to version 1.
    """

    plan: Plan
    folder: Path
    temporary: Path
    printer: Printer
    told: Told
    load_version_1: Callable[[DatabaseServer], None]
    turn_back: Callable[[DatabaseServer], None]
    sizes: list[Size] = field(default_factory=list)
    crashes: int = 0
    left: Open | None = None

    def __post_init__(self) -> None:
        self.expected = Expected(self.plan.keep_days, self.plan.trash_days)
        self.config = self.folder / "blitz.toml"
        self.config.write_text(_settings(self.plan, self.printer.link, self.folder / "board", self.told.url))
        self.server = MonthServer(self.folder / "data", self.config, self.temporary)

    def run(self) -> None:
        """Live through all days."""
        board = SimulatedBoard(
            "08",
            rate_hz=BOARD_RATE_HZ,
            ring=BOARD_RING,
            silence_s=0.1,
            link_path=self.folder / "board",
            own_power=True,
        )
        with self.server.stopped_store() as store:
            self.load_version_1(store)
            _make_recent(store)
        with contextlib.ExitStack() as stack:
            stack.enter_context(board)
            stack.callback(lambda: self.server.end())
            for day in range(self.plan.days):
                self._before(day)
                self._live(day)
            self.server.start(self.plan.days, "close", 0)
            self._look_back()
            self.server.stop()
        assert not [path for path in self.temporary.rglob("*") if not path.is_dir()], "it left temporary files"

    # ---- a day --------------------------------------------------------------------------------------------------

    def _live(self, day: int) -> None:
        ending = ENDINGS[day % len(ENDINGS)]
        is_moving = day == self.plan.moved
        said = self.server.start(day, "keep" if ending == "keep" and not is_moving else "close", self.plan.chatter_kb)
        if day in (0, self.plan.turned_back):
            assert "Migrated the store: version 2 of the store" in said
        if day == self.plan.turned_back:
            assert f"from version 1 to {SCHEMA_VERSION}" in said
        with blitz.Client(self.server.url, timeout=60) as client:
            self._go_on(client)
            session = client.start(f"day {day}")
            self._print(client, session.id, self.plan.lines)
            self._settle(client)
            self.expected.check_retention(client, self.server)
            self._intervene(client, day)
            self.expected.read_again(client, everything=day in (self.plan.turned_back, self.plan.moved + 1))
            size = self.server.measure(day)
            if is_moving:
                self._move(client, day, session.id)
                ending = "moved"
            else:
                self._end(client, session.id, ending)
        counts = {"sessions": self.expected.count(is_trash=False), "trash": self.expected.count(is_trash=True)}
        total = sum(known.count for known in self.expected.known.values() if not known.is_gone)
        self.sizes.append(dataclasses.replace(size, ending=ending, messages=total, **counts))

    def _before(self, day: int) -> None:
        """What happens while the server does not run."""
        if day == 1:  # as if Redis had complained for months
            with (self.server.data_dir / "redis.log").open("ab") as file:
                file.write(b"# It complains.\n" * 350_000)
        if day:
            with AuditStore(self.server.data_dir / "server.db") as audit:
                now_ms = round((datetime.now().timestamp() + day * 86_400) * 1000)
                call = AuditEntry(now_ms, "somebody", "127.0.0.1", "PATCH /api/v1/sessions/1", 200, Outcome.DONE)
                for _ in range(0, self.plan.calls, 500):
                    audit.add([call] * 500)

        if day == self.plan.turned_back:
            with self.server.stopped_store() as store:
                self.turn_back(store)
            _turn_tables_back(self.server.data_dir / "server.db")

    def _print(self, client: blitz.Client, session_id: int, lines: int) -> None:
        """Let the printer print, and wait until all of it is acknowledged."""
        wait_until(lambda: self._is_recording(client), f"a device is not recorded: {self.server.said}")
        self.expected.begins.setdefault(session_id, self.printer.next_number)
        self.printer.print_lines(lines)
        self.printer.wait_until_printed()
        last = self.printer.next_number - 1
        wait_until(lambda: _has_printed(client, session_id, last), f"line {last} does not arrive: {self.server.said}")
        self.server.look_at_worker()

    def _is_recording(self, client: blitz.Client) -> bool:
        states = {board.name: board.state for board in client.status().boards}
        if states[PRINTER] is LinkState.SILENT:  # it has had nothing to print for some seconds
            self.printer.print_lines(1)
        return states == {PRINTER: LinkState.RECORDING, BOARD: LinkState.RECORDING}

    def _go_on(self, client: blitz.Client) -> None:
        """Close what was open when the server was ended the day before, and look at it."""
        left, self.left = self.left, None
        if left is None:  # what version 1 left running
            running = client.status().session
            if running is not None:
                self.expected.read_closed(client, client.stop(running.id), 0)
            for session in client.sessions():
                self.expected.known.setdefault(session.id, seen(client, session))
            return
        if left.ending == "close" or left.ending == "moved":
            assert client.status().session is None
        else:
            self._print(client, left.session_id, self.plan.lines_more)
            stopped = client.stop(left.session_id)
            assert stopped.resumed == 1
            assert not stopped.interrupted
        session = client.session(left.session_id)
        assert session.message_count >= left.acknowledged
        assert checksums_of(client, session.id, left.read) == left.checksums, "what was acknowledged has changed"
        self.expected.read_closed(client, session, left.acknowledged, left.ending)

    def _settle(self, client: blitz.Client) -> None:
        """Wait until retention and archive have done what is due."""

        def is_settled() -> bool:
            self.server.look_at_worker()
            archive = client.archive()
            assert archive.trouble is None
            is_quiet = not archive.is_moving and archive.redis_used_bytes < archive.begin_bytes
            return is_quiet and not client.retention().steps and not self.server.is_rewriting()

        wait_until(is_settled, f"retention or archive do not come to rest: {self.server.said}")

    # ---- retention ----------------------------------------------------------------------------------------------

    def _intervene(self, client: blitz.Client, day: int) -> None:
        """What an operator does by hand: delete a session, bring one back, star it."""
        if day == self.plan.deleted:
            session_id = max(number for number, each in self.expected.known.items() if each.trashed_at is None)
            client.delete(session_id)
            self.expected.known[session_id].trashed_at = client.status().now
        is_rescued = any(known.is_starred for known in self.expected.known.values())
        trash = [
            number for number, each in self.expected.known.items() if each.trashed_at is not None and not each.is_gone
        ]
        if day >= self.plan.rescued and trash and not is_rescued:
            session_id = max(trash, key=lambda number: self.expected.known[number].count)
            client.restore(session_id)
            client.update_session(session_id, starred=True)
            self.expected.known[session_id].is_starred, self.expected.known[session_id].trashed_at = True, None
        self.expected.compare_lists(client)

    # ---- reading ------------------------------------------------------------------------------------------------

    def _look_back(self) -> None:
        """At the end, read everything there is, in the archive and in Redis, and let the archive verify itself."""
        with blitz.Client(self.server.url, timeout=60) as client:
            self._go_on(client)
            self._settle(client)
            self.expected.check_retention(client, self.server)
            self.expected.read_again(client, everything=True)
            check = client.verify_archive()
            assert check.files
            assert not check.faults
            expected = self.crashes
            wait_until(
                lambda: self.told.count("server_started_after_crash") == expected,
                f"{expected} crashes, but told were {self.told.events}",
            )
            assert set(self.told.events) <= {"server_started_after_crash"}, self.told.texts

    # ---- how a day ends -----------------------------------------------------------------------------------------

    def _end(self, client: blitz.Client, session_id: int, ending: str) -> None:
        """End the server in the middle of recording at full speed."""
        read = client.session(session_id).message_count
        checksums = checksums_of(client, session_id, read)
        acknowledged = self._in_full_flow(client, session_id, math.inf if ending.startswith("kill") else ENDING_RATE_HZ)
        self.left = Open(session_id, acknowledged, read, checksums, ending)
        if ending.startswith("kill"):
            self.crashes += 1
            self.server.kill(with_redis=ending == "kill both")
        else:
            self.server.stop()
        self.printer.rest()

    def _in_full_flow(self, client: blitz.Client, session_id: int, rate_hz: float) -> int:
        """Let the printer print on and on; return how much is acknowledged at some moment."""
        before = client.session(session_id).message_count
        self.printer.print_lines(ENDLESS, rate_hz)
        wait_until(
            lambda: client.session(session_id).message_count > before + self.plan.lines_more // 4, "no line comes"
        )
        return client.session(session_id).message_count

    def _move(self, client: blitz.Client, day: int, session_id: int) -> None:
        """Save everything in the middle of recording; go on with it in another folder."""
        backup = self.folder / "backup.tar"
        self.printer.print_lines(self.plan.lines_more, rate_hz=MOVING_RATE_HZ)
        document = json.loads(self.server.run(day, "backup", str(backup), "--json"))
        saved = {session["id"]: session["message_count"] for session in document["backup"]["sessions"]}
        there = {number: known.count for number, known in self.expected.known.items() if not known.is_gone}
        assert {number: count for number, count in saved.items() if number != session_id} == there
        self.printer.rest()
        count = saved[session_id]
        self.left = Open(session_id, count, count, checksums_of(client, session_id, count), "moved")
        self.server.stop()
        old = self.server
        self.server = MonthServer(self.folder / "moved", self.config, self.temporary)
        self.server.run(day, "restore", str(backup))
        shutil.rmtree(old.data_dir)
        backup.unlink()


def _settings(plan: Plan, printer: str, board: Path, hook: str) -> str:
    return f"""
[server]
redis_memory_mb = {REDIS_MEMORY_MB}
disk_reserve_mb = 16
log_file_mb = 1
log_files = 2
keep_days = {plan.keep_days}
trash_days = {plan.trash_days}

[[server.sources]]
name = "{PRINTER}"
link = "{printer}"
[server.sources.definition]
{DEFINITION.strip()}

[[server.sources]]
name = "{BOARD}"
link = "{board}"

[[server.hooks]]
name = "told"
kind = "webhook"
url = "{hook}"
on = ["server_started_after_crash", "session_stopped_by_itself", "store_away"]
"""


def _has_printed(client: blitz.Client, session_id: int, number: int) -> bool:
    count = client.session(session_id).message_count
    tail = client.messages(session_id, max(count - 1000, 0), 2000).messages()
    return any(message.startswith(b"%010d," % number) for message in tail)


def _make_recent(store: DatabaseServer) -> None:
    """Let the sessions of an earlier version have ended just now, whenever they were made."""
    now_ms = round(datetime.now().timestamp() * 1000)
    for session_id in store.available_sessions():
        keys = store.keys
        store.client.set(keys.start(session_id), now_ms - 60_000)
        if store.client.exists(keys.end(session_id)):
            store.client.set(keys.end(session_id), now_ms - 30_000)


def _turn_tables_back(path: Path) -> None:
    """Make the server's tables what version 1 had."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE audit")
        connection.execute("DROP TABLE token")
        connection.execute("PRAGMA user_version=1")
