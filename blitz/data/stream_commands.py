"""Commands to streams, their downlink: sent, answered once, or over in time, and kept as messages.

A command is a message of the stream's second session when it is sent, and one more when it is over. What waits for an
answer stands in that session's meta hash as ``open:ID``, and with its deadline, by Redis' clock, in the sorted set
``stream_deadlines``. Owns what is atomic about that; who calls :meth:`StreamCommands.expire` when is decided elsewhere.
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import redis

from blitz.data.store_faults import translated
from blitz.data.store_keys import StoreKeys
from blitz.data.stream_listing import sessions_of_streams
from blitz.data.stream_points import CheckedPoints, check_points
from blitz.data.stream_records import CommandState, StreamCommand
from blitz.data.stream_schema import compile_schema
from blitz.data.stream_scripts import ANSWER_COMMAND_SCRIPT, EXPIRE_COMMAND_SCRIPT, SEND_COMMAND_SCRIPT
from blitz.errors import CommandOver, PointsRefused, StreamNotFound

MOST_COMMANDS: Final = 1_000
_PAGE: Final = 4_000
_DUE_AT_ONCE: Final = 100
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Known(Protocol):
    """What never changes of a stream."""

    @property
    def id(self) -> int:
        """Its session."""

    @property
    def downlink_id(self) -> int:
        """The session of its commands."""

    @property
    def schema(self) -> str:
        """The schema of its values, as text."""

    @property
    def start_token(self) -> str:
        """The token of the call that made it."""


class StreamCommands:
    """The commands to the streams of a store. May be used from several threads.

    :param find: returns what never changes of a stream, or raises StreamNotFound.
    :param forget: is told of a stream that is gone.
    :param read_raw: returns messages of a session, (session, first, count).
    :param tell: is told of each session that has become longer, and how long it is.
    """

    def __init__(
        self,
        client: "redis.Redis",
        keys: StoreKeys,
        find: Callable[[str], Known],
        forget: Callable[[str], StreamNotFound],
        read_raw: Callable[[int, int, int], list[bytes]],
        tell: Callable[[int, int], None],
    ) -> None:
        self._redis = client
        self._keys = keys
        self._find = find
        self._forget = forget
        self._read_raw = read_raw
        self._tell = tell
        self.listeners: list[Callable[[], None]] = []
        """Told when a command was sent by a call here. Must be quick."""

    def send(self, name: str, value: Any, timeout_s: float, by: str = "") -> StreamCommand | None:
        """Send a command; None if the stream takes none.

        :param value: what is wanted; the stream's schema must allow it.
        :param timeout_s: when it is over without an answer.
        :raises StreamNotFound: if there is no stream of that name.
        :raises PointsRefused: if the value cannot be.
        """
        known = self._find(name)
        now = time.time()
        checked = check_points([{"t": now, "d": value}], compile_schema(known.schema))
        if checked.refused:
            raise PointsRefused(f"The command was not sent: {checked.refused[0].reason}")
        command = StreamCommand(id=0, stream=name, t=now, d=value, by=by, timeout_s=timeout_s)
        arguments = [secrets.token_hex(8), _now(), max(1, round(timeout_s * 1000)), _without_id(command)]
        arguments.append(known.start_token)
        reply = self._script(SEND_COMMAND_SCRIPT, self._names(known), arguments)
        if reply[0] == 0:
            raise self._forget(name)
        if reply[0] == 2:
            return None
        self._tell(known.downlink_id, reply[2])
        for listen in self.listeners:
            listen()
        return command.model_copy(update={"id": reply[1]})

    def answer(
        self,
        name: str,
        command_id: int,
        state: Literal[CommandState.ACKNOWLEDGED, CommandState.FAILED],
        *,
        points: Sequence[Any] | None = None,
        reason: str = "",
        by: str = "",
    ) -> StreamCommand:
        """Say what became of a command, once; what it did is stored in the stream in the same step.

        :param points: of the stream, to be stored if it is acknowledged; None: the command's own value, at the present.
        :raises CommandOver: if it was answered already, its time is over, or there was none with that id.
        :raises PointsRefused: if the points cannot be stored; then it still waits.
        :raises StreamNotFound: if there is no stream of that name.
        """
        known = self._find(name)
        sent = self._redis_get(known.downlink_id, f"open:{command_id}")
        if sent is None:
            self._forget(name)
            self._find(name)  # else the stream is gone, too
            raise _over(name, command_id)
        command = _command(command_id, sent)
        now = time.time()
        checked = CheckedPoints()
        mode = ""
        if state is CommandState.ACKNOWLEDGED:
            mode = "restamp" if points is None else "all"
            points = [{"t": now, "d": command.d}] if points is None else points
            checked = check_points(points, compile_schema(known.schema), stop_at_first=True)
            if checked.refused:
                raise checked.refusal()
        done = command.model_copy(update={"state": state, "reason": reason, "answered_by": by, "answered_at": now})
        messages = [_text(done), _text(_timed_out(command, now))]
        arguments = [_member(known.downlink_id, command_id), f"open:{command_id}", *messages, _now(), mode]
        reply = self._script(
            ANSWER_COMMAND_SCRIPT, self._names(known), [*arguments, *checked.arguments(), *checked.messages]
        )
        outcome, length, stream_length, too_old, newest = reply
        if outcome == 3:
            checked.refused += checked.too_old(too_old, float(newest))
            raise checked.refusal()
        if length:
            self._tell(known.downlink_id, length)
        if stream_length:
            self._tell(known.id, stream_length)
        if outcome != 1:
            raise _over(name, command_id)
        return done

    def commands(self, name: str, first: int | None = None) -> list[StreamCommand]:
        """Return commands as they are now, oldest first, 1000 at most.

        :param first: from this id on; None: the newest.
        :raises StreamNotFound: if there is no stream of that name.
        """
        self.expire()
        known = self._find(name)
        with translated():
            length = self._redis.llen(self._keys.messages(known.downlink_id))
            border = self._redis.get(self._keys.first(known.downlink_id))
        end = int(border or 0) + int(length)
        # Each command has one message or two.
        place = max(0, end - 2 * MOST_COMMANDS if first is None else first - 1)
        found: dict[int, StreamCommand] = {}
        while messages := self._read_raw(known.downlink_id, place, _PAGE):
            for command in map(read_command, messages):
                if first is None or command.id >= first:
                    found[command.id] = command
            place += len(messages)
        newest = [found[command_id] for command_id in sorted(found)]
        return newest[-MOST_COMMANDS:] if first is None else newest[:MOST_COMMANDS]

    def expire(self) -> float | None:
        """End the commands whose time is over; return in how many seconds the next one's is, None where none waits."""
        while True:
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.time()
            pipeline.zrange(self._keys.stream_deadlines, 0, _DUE_AT_ONCE, withscores=True)
            with translated():
                (seconds, microseconds), waiting = pipeline.execute()
            now_ms = seconds * 1000 + microseconds / 1000
            for member, deadline_ms in waiting:
                if deadline_ms > now_ms:
                    return float(deadline_ms - now_ms) / 1000
                self._expire(str(member, "ascii"))
            if len(waiting) <= _DUE_AT_ONCE:
                return None

    def recover(self) -> None:
        """Give a deadline, now, to commands that wait without one, as they came out of a backup."""
        for session_id in sessions_of_streams(self._redis, self._keys):
            with translated():
                fields: Any = self._redis.hkeys(self._keys.meta(session_id))
                lost = [_member(session_id, int(field[5:])) for field in fields if field.startswith(b"open:")]
                if lost:
                    self._redis.zadd(self._keys.stream_deadlines, dict.fromkeys(lost, 0), nx=True)

    def _expire(self, member: str) -> None:
        session_id, command_id = map(int, member.split(":"))
        sent = self._redis_get(session_id, f"open:{command_id}")
        message = "" if sent is None else _text(_timed_out(_command(command_id, sent), time.time()))
        keys = [self._keys.messages(session_id), self._keys.stream_deadlines]
        length = self._script(EXPIRE_COMMAND_SCRIPT, keys, [member, f"open:{command_id}", message, _now()])
        if length:
            self._tell(session_id, length)

    def _names(self, known: Known) -> list[str]:
        keys = self._keys
        return [keys.messages(known.downlink_id), keys.messages(known.id), keys.stream_deadlines]

    def _redis_get(self, session_id: int, field: str) -> bytes | None:
        with translated():
            found: Any = self._redis.hget(self._keys.meta(session_id), field)
        return None if found is None else bytes(found)

    def _script(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        with translated():
            return self._redis.execute_command("EVAL", script, len(keys), *keys, *arguments)  # type: ignore[no-untyped-call]


def read_command(message: bytes) -> StreamCommand:
    """Return a command, in the state that a message of the downlink tells."""
    return StreamCommand.model_validate(json.loads(message))


def _command(command_id: int, without_id: bytes) -> StreamCommand:
    return StreamCommand.model_validate({"id": command_id, **json.loads(b"{" + without_id)})


def _without_id(command: StreamCommand) -> str:
    """Return a command's text behind its id."""
    return _encode(command.model_dump(exclude={"id"}))[1:]


def _text(command: StreamCommand) -> str:
    return _encode(command.model_dump())


def _timed_out(command: StreamCommand, now: float) -> StreamCommand:
    reason = f"Nobody has answered within {command.timeout_s:g} s."
    return command.model_copy(update={"state": CommandState.TIMED_OUT, "reason": reason, "answered_at": now})


def _member(session_id: int, command_id: int) -> str:
    return f"{session_id}:{command_id}"


def _now() -> bytes:
    return time.time_ns().to_bytes(8, "little")


def _over(name: str, command_id: int) -> CommandOver:
    return CommandOver(
        f"No command {command_id} to the stream {name!r} waits for an answer: it was answered already, its time is "
        "over, or there was none."
    )
