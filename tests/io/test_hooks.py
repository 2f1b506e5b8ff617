"""Hooks: what is told to whom, by a real mail server, a real web server and a real program."""

import http.server
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, serving

from blitz.data.hook_config import HookEvent, added_hook, read_hooks
from blitz.data.hook_records import Telling
from blitz.data.hook_store import HookStore
from blitz.data.records import (
    BoardRecord,
    Event,
    EventKind,
    LinkState,
    RoomRecord,
    SessionRecord,
    StatusRecord,
    StoreRecord,
)
from blitz.errors import ConfigError
from blitz.io import hooks as hooks_module
from blitz.io.hook_watch import HookWatch
from blitz.io.hooks import Hooks

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _board(state: LinkState, name: str = "scale", link: str = "/dev/ttyUSB0") -> BoardRecord:
    return BoardRecord(name=name, link=link, baud=9600, state=state)


def _status(*boards: BoardRecord, store: StoreRecord | None = None, room: RoomRecord | None = None) -> StatusRecord:
    return StatusRecord(
        version="0", store_id="x", now=NOW, store=store or StoreRecord(is_up=True), boards=boards, room=room
    )


def _stopped(**fields: Any) -> Event:
    session = SessionRecord(id=7, started_at=NOW, message_count=5, **fields)
    return Event(event=EventKind.SESSION_STOPPED, session_id=7, session=session)


# ---- what is worth telling --------------------------------------------------------------------------------------


def test_a_source_that_stays_away_is_told_once_and_its_return_too() -> None:
    watch = HookWatch(after_s=60)
    there, away = _status(_board(LinkState.READY)), _status(_board(LinkState.AWAY))
    assert watch.look(there, 0) == []
    assert watch.look(away, 10) == []
    assert watch.look(away, 69) == []
    (lost,) = watch.look(away, 70)
    assert (lost.event, lost.source) == (HookEvent.SOURCE_LOST, "scale")
    assert "away for 1 min 0 s" in lost.text
    assert watch.look(away, 500) == []
    (back,) = watch.look(there, 3670)
    assert (back.event, back.text) == (HookEvent.SOURCE_BACK, "scale on /dev/ttyUSB0 is back after 1 h 1 min.")


def test_a_short_absence_and_a_lent_port_and_a_source_that_never_came_are_told_nobody() -> None:
    watch = HookWatch(after_s=60)
    watch.look(_status(_board(LinkState.READY)), 0)
    for state, now_s in ((LinkState.AWAY, 1), (LinkState.READY, 40), (LinkState.SILENT, 50), (LinkState.RELEASED, 90)):
        assert watch.look(_status(_board(state)), now_s) == []
    assert watch.look(_status(_board(LinkState.RELEASED)), 900) == []
    assert HookWatch(0).look(_status(_board(LinkState.AWAY)), 900) == []


def test_a_session_is_told_only_if_nobody_stopped_it() -> None:
    watch = HookWatch(0)
    assert watch.tell(_stopped()) == []
    (told,) = watch.tell(_stopped(stop_reason="The disk is full."))
    assert (told.event, told.session_id) == (HookEvent.SESSION_STOPPED, 7)
    assert "The disk is full. It has 5 messages." in told.text
    assert "unexpectedly" in watch.tell(_stopped(interrupted=True))[0].text


def test_room_is_told_when_it_gets_worse_and_when_it_is_well_again() -> None:
    watch = HookWatch(0)
    levels = ["ok", "warning", "warning", "critical", "warning", "full", "ok"]
    told = [watch.look(_status(room=RoomRecord(level=level, text=f"{level}!")), 0) for level in levels]  # type: ignore[arg-type]
    assert [[each.event for each in tellings] for tellings in told] == [
        [],
        [HookEvent.DISK_WARNING],
        [],
        [HookEvent.DISK_WARNING],
        [],
        [HookEvent.DISK_WARNING],
        [HookEvent.DISK_OK],
    ]
    assert told[1][0].text == "warning!"


def test_the_store_is_told_away_until_the_spool_is_empty_again() -> None:
    watch = HookWatch(after_s=10)
    away = StoreRecord(is_up=False, spooling_since=NOW, spooled_messages=12, error="Redis is away.")
    behind = StoreRecord(is_up=True, spooled_messages=3)
    assert watch.look(_status(store=away), 0) == []
    (told,) = watch.look(_status(store=away), 10)
    assert told.event is HookEvent.STORE_AWAY
    assert "12 messages are safe" in told.text
    assert watch.look(_status(store=behind), 20) == []
    (told,) = watch.look(_status(), 30)
    assert told.event is HookEvent.STORE_BACK
    assert watch.look(_status(), 40) == []


# ---- sending ----------------------------------------------------------------------------------------------------


class _WebConversation(http.server.BaseHTTPRequestHandler):
    server: "WebServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), json.loads(body)))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        self.end_headers()
        if status >= 400:
            self.wfile.write(b"out of \x1b[2J order")

    def log_message(self, *_: object) -> None:
        pass


class WebServer(http.server.ThreadingHTTPServer):
    """Takes posts."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), _WebConversation)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(WebServer()) as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([*command, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path


@contextmanager
def _hooks(*tables: dict[str, Any], retry_s: tuple[float, ...] = (0.01,)) -> Iterator[tuple[Hooks, list[str]]]:
    notices: list[str] = []
    hooks = Hooks(read_hooks(tables), lambda severity, text: notices.append(f"{severity}: {text}"), retry_s)
    hooks.start()
    try:
        yield hooks, notices
    finally:
        hooks.stop()


def _wait_until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_an_email_goes_out_encrypted_with_a_login_from_a_file(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    password = tmp_path / "password"
    password.write_text("secret pass\n")
    with serving(MailServer(context)) as server:
        table = {
            "name": "mail",
            "kind": "email",
            "host": "127.0.0.1",
            "port": server.server_address[1],
            "ca_file": str(certificate),
            "sender": "blitz@lab.example",
            "to": ["ada@lab.example", "bob@lab.example"],
            "user": "blitz",
            "password_file": str(password),
        }
        with _hooks(table) as (hooks, _):
            hooks.tell(_stopped(name="pump\r\nBcc: eve@evil.example", stop_reason="Die Platte ist voll: 0 °."))
            _wait_until(lambda: server.mails)
            to, body, was_safe = server.mails[0]
            assert (to, was_safe) == (["ada@lab.example", "bob@lab.example"], True)
            mail = message_from_bytes(body, policy=policy.default)
            assert "Session 7 was stopped" in mail["Subject"]
            assert mail["Bcc"] is None
            assert "0 °." in mail.get_content()
            assert hooks.test("mail").is_sent  # type: ignore[union-attr]
            password.write_text("another")
            outcome = hooks.test("mail")
            assert outcome is not None
            assert not outcome.is_sent
            assert "does not take the login of 'blitz'" in str(outcome.error)
            assert "another" not in str(outcome.error)
    with _hooks({**table, "timeout_s": 5}) as (hooks, _):
        assert "Cannot send an e-mail" in str(hooks.test("mail").error)  # type: ignore[union-attr]


def test_what_a_server_refuses_is_sent_again_and_the_operator_knows() -> None:
    with serving(MailServer(None)) as server:
        server.refusals = 3
        table = {"name": "mail", "kind": "email", "host": "127.0.0.1", "port": server.server_address[1]}
        table |= {"security": "none", "sender": "a@b.c", "to": ["d@e.f"]}
        with _hooks(table) as (hooks, notices):
            hooks.tell(_stopped(interrupted=True))
            _wait_until(lambda: hooks.records()[0].waiting == 0)
            (record,) = hooks.records()
            assert (record.sent, record.error) == (1, None)
            assert record.last_failure is not None
            assert len(server.mails) == 1
            _wait_until(lambda: len(notices) == 2)
            assert "451 'not now'" in notices[0]
            assert notices[1] == "info: Hook 'mail' works again."


def test_an_alarm_that_chatters_is_told_at_its_first_time_and_how_often_it_was_when_the_server_ends() -> None:
    with serving(MailServer(None)) as server:
        table = {"name": "mail", "kind": "email", "host": "127.0.0.1", "port": server.server_address[1]}
        table |= {"security": "none", "sender": "a@b.c", "to": ["d@e.f"]}
        with _hooks(table) as (hooks, _):
            for _ in range(20):
                for event, title in ((HookEvent.ALARM, "Hot"), (HookEvent.ALARM_OVER, "Well")):
                    hooks.tell_all(Telling(event=event, title=title, text=f"{title}.", subject="rule 1"))
            _wait_until(lambda: hooks.records()[0].waiting == 0)
            assert (hooks.records()[0].sent, hooks.records()[0].held) == (2, 1)
        subjects = [message_from_bytes(mail[1], policy=policy.default)["Subject"] for mail in server.mails]
        assert [subject.partition(": ")[2][:25] for subject in subjects] == ["Hot", "Well", "Well, and 19 times more s"]


def test_a_chattering_alarm_is_told_again_when_the_time_is_over(web: WebServer) -> None:
    url = f"http://127.0.0.1:{web.server_address[1]}/"
    with _hooks({"name": "chat", "kind": "webhook", "url": url, "at_most_every_s": 0.05}) as (hooks, _):
        hooks.tell_all(Telling(event=HookEvent.ALARM, title="Hot", text="Hot.", subject="rule 1"))
        hooks.tell_all(Telling(event=HookEvent.ALARM, title="Hot", text="Hot.", subject="rule 1"))
        _wait_until(lambda: len(web.posts) == 2)
        assert [post["subject"] for _, post in web.posts] == ["rule 1", "rule 1"]


def test_a_hook_is_tried_without_being_kept_and_nobody_else_hears_of_it() -> None:
    with serving(MailServer(None)) as server, _hooks() as (hooks, notices):
        table = {"name": "mail", "kind": "email", "host": "127.0.0.1", "port": server.server_address[1]}
        table |= {"sender": "a@b.c", "to": ["d@e.f"]}
        outcome = hooks.try_out(added_hook(table))
        assert not outcome.is_sent
        assert "STARTTLS extension not supported" in str(outcome.error)
        assert "“not encrypted”" in str(outcome.error)
        assert hooks.try_out(added_hook(table | {"security": "none"})).is_sent
        assert [to for to, _, _ in server.mails] == [["d@e.f"]]
        assert (hooks.records(), notices) == ([], [])


def test_a_webhook_gets_json_and_its_secret_which_is_shown_to_nobody(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_SECRET", "Bearer hush")
    url = f"http://user:pass@127.0.0.1:{web.server_address[1]}/deep/secret-path"
    web.statuses = [503]
    with _hooks({"name": "chat", "kind": "webhook", "url": url, "secret_env": "CHAT_SECRET", "header": "X-Key"}) as (
        hooks,
        notices,
    ):
        hooks.tell(_stopped(stop_reason="Full."))
        _wait_until(lambda: len(web.posts) == 2)
        (headers, first), (_, second) = web.posts
        assert headers["X-Key"] == "Bearer hush"
        assert first == second  # the same id: a receiver can tell that it is no second trouble
        assert (first["event"], first["session_id"]) == ("session_stopped_by_itself", 7)
        _wait_until(lambda: len(notices) == 2)
        assert "answered 503" in notices[0]
        assert "\x1b" not in notices[0]
        shown = " ".join([*notices, *(record.model_dump_json() for record in hooks.records())])
        assert not any(secret in shown for secret in ("hush", "pass@", "secret-path"))
        monkeypatch.delenv("CHAT_SECRET")
        assert "CHAT_SECRET, which is not in the environment" in str(hooks.test("chat").error)  # type: ignore[union-attr]


def test_a_command_is_told_by_arguments_environment_and_standard_input_and_no_shell_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLITZ_TOKEN", "0123456789abcdef")
    script = "import sys, os, json; told = [sys.argv[2:], json.load(sys.stdin), dict(os.environ)]\n"
    script += "with open(sys.argv[1], 'w') as out: json.dump(told, out)"
    out = tmp_path / "out"
    command = [sys.executable, "-c", script, str(out), "{text}", "{event} {nothing}", "$(id)"]
    with _hooks({"name": "run", "kind": "command", "command": command}) as (hooks, _):
        hooks.tell(_stopped(stop_reason="$(touch /tmp/x); {event} `id`."))
        _wait_until(lambda: hooks.records()[0].sent)
    arguments, told, environment = json.loads(out.read_text())
    assert "$(touch /tmp/x); {event} `id`." in arguments[0]
    assert arguments[1:] == ["session_stopped_by_itself {nothing}", "$(id)"]
    assert told["text"] == arguments[0] == environment["HOOK_TEXT"]
    assert environment["HOOK_SESSION"] == "7"
    assert "BLITZ_TOKEN" not in environment


def test_a_command_that_fails_or_does_not_end_is_said() -> None:
    fails = {"name": "fails", "kind": "command", "command": [sys.executable, "-c", "import sys; sys.exit('no luck')"]}
    hangs = {"name": "hangs", "kind": "command", "command": ["sleep", "600"], "timeout_s": 0.2}
    absent = {"name": "absent", "kind": "command", "command": ["/nowhere/program"]}
    with _hooks(fails, hangs, absent) as (hooks, notices):
        errors = {name: str(hooks.test(name).error) for name in ("fails", "hangs", "absent")}  # type: ignore[union-attr]
    assert "ended with code 1: 'no luck'" in errors["fails"]
    assert "did not end within 0.2 s" in errors["hangs"]
    assert "Cannot start /nowhere/program" in errors["absent"]
    assert len(notices) == 3


def test_a_hook_that_hangs_holds_nobody_up_and_keeps_the_newest(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks_module, "WAITING_LIMIT", 5)
    goes_on = tmp_path / "goes on"
    command = ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.05; done', str(goes_on)]
    held = {"name": "held", "kind": "command", "command": command, "timeout_s": 60}
    chat = {"name": "chat", "kind": "webhook", "url": f"http://127.0.0.1:{web.server_address[1]}/"}
    with _hooks(held, chat) as (hooks, _):
        for number in range(20):
            hooks.tell(_stopped(stop_reason=f"Reason {number}."))
        _wait_until(lambda: web.posts)
        records = {record.name: record for record in hooks.records()}
        assert (records["held"].waiting, records["held"].dropped, records["held"].sent) == (5, 15, 0)
        assert records["held"].error is None, "it is held still"
        goes_on.touch()


def test_only_what_a_hook_listens_for_is_told(web: WebServer) -> None:
    table = {"name": "chat", "kind": "webhook", "url": f"http://127.0.0.1:{web.server_address[1]}/", "after_s": 0}
    with _hooks({**table, "on": ["recovered", "server_started_after_crash"]}) as (hooks, _):
        hooks.look(_status(_board(LinkState.READY)))
        hooks.look(_status(_board(LinkState.AWAY)))
        hooks.look(_status(_board(LinkState.READY)))
        hooks.tell(_stopped(interrupted=True))
        hooks.started_after_crash("The server was killed.")
        _wait_until(lambda: len(web.posts) == 2)
    assert [post["event"] for _, post in web.posts] == ["source_back", "server_started_after_crash"]
    assert hooks.test("nobody") is None


# ---- hooks that are added by a call -----------------------------------------------------------------------------


def test_an_added_hook_is_told_at_once_and_is_there_after_a_restart_until_it_is_removed(
    web: WebServer, tmp_path: Path
) -> None:
    table = {"name": "chat", "kind": "webhook", "url": f"http://127.0.0.1:{web.server_address[1]}/x", "secret": "hush"}
    for start in range(2):
        with HookStore(tmp_path / "server.db") as kept:
            hooks = Hooks((), lambda severity, text: None, (0.01,), kept)
            hooks.start()
            try:
                if start == 0:
                    assert hooks.add(added_hook(table)).is_added
                hooks.tell(_stopped(stop_reason="The disk is full."))
                _wait_until(lambda start=start: len(web.posts) == start + 1)
                assert web.posts[start][0]["Authorization"] == "hush"
                if start == 1:
                    assert hooks.remove("chat")
                    assert not hooks.remove("chat")
                    assert kept.hooks() == hooks.records() == []
            finally:
                hooks.stop()


def test_what_the_settings_have_is_changed_there_and_nothing_of_the_server_is_run_or_read_by_a_call(
    tmp_path: Path,
) -> None:
    mail = {"name": "mail", "kind": "email", "host": "h", "sender": "a@b.c", "to": ["d@e.f"]}
    with HookStore(tmp_path / "server.db") as kept:
        hooks = Hooks(read_hooks([mail]), lambda severity, text: None, kept=kept)
        with pytest.raises(ConfigError, match="have a hook 'mail'"):
            hooks.add(added_hook(mail))
        with pytest.raises(ConfigError, match="settings file"):
            hooks.remove("mail")
    for refused, words in (
        ({"name": "x", "kind": "command", "command": ["rm"]}, "Programs are run only"),
        ({**mail, "user": "u", "password_file": "/etc/shadow"}, "does not read files of the server"),
        ({**mail, "user": "u", "password_env": "HOME"}, "does not read the server's environment"),
        ({**mail, "to": ["nobody"]}, "'nobody' is no e-mail address"),
    ):
        with pytest.raises(ConfigError, match=words):
            added_hook(refused)
