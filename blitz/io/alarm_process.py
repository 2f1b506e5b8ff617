"""The subprocess that evaluates alarms over readings: ``python -m blitz.io.alarm_process``. Low priority.

It decodes blocks of messages with the session's definitions and evaluates the rules over them. It keeps nothing: the
server gives it where it stood, and may kill it at any moment. It ends when the server is gone, which closes its input.
:mod:`blitz.io.alarm_pipe` is the other side, and says what a request looks like.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import MessageBlock
from blitz.data.boards import SessionDecoder
from blitz.data.optional_packages import leave_out_pandas
from blitz.data.records import Source

log = logging.getLogger(__name__)

_NICENESS = 5
"""Behind acquisition, and before the archive."""


class AlarmProcess:
    """Answers requests, one after the other."""

    def __init__(self) -> None:
        self._evaluation = AlarmEvaluation()
        self._decoders: dict[int, SessionDecoder] = {}
        """By session; 0 is the preview."""
        self._clocks: dict[str, Any] = {}
        self._does: dict[str, Callable[[dict[str, Any], bytes], list[AlarmCrossing]]] = {
            "restore": self._restore,
            "rules": self._set_rules,
            "sources": self._set_sources,
            "begin": self._begin,
            "end": self._end,
            "marker": self._mark,
            "expect": self._expect,
            "block": self._take,
            "advance": self._advance,
        }

    def answer(self, request: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """Do what is asked; return what was crossed, and where evaluation stands, if that or the request asks for it.

        :param payload: a block, of the request ``block``.
        """
        crossings = self._does[request["do"]](request, payload)
        answer: dict[str, Any] = {"crossings": crossings}
        if crossings or request.get("wants_state"):
            clocks = {str(session_id): each.clock_states() for session_id, each in self._decoders.items() if session_id}
            answer["state"] = {"evaluation": self._evaluation.state(), "clocks": clocks}
        return answer

    def _restore(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        state = request["state"]
        self._evaluation = AlarmEvaluation(state["evaluation"])
        self._clocks = dict(state["clocks"])
        return []

    def _set_rules(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        rules = {rule_id: AlarmRule.model_validate(each) for rule_id, each in request["rules"].items()}
        return self._evaluation.set_rules(rules, request["now_ns"])

    def _set_sources(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        session_id, sources = request["session_id"], [Source.model_validate(each) for each in request["sources"]]
        if session_id in self._decoders:
            self._decoders[session_id].update(sources)
            return []
        decoder = self._decoders[session_id] = SessionDecoder(sources)
        if clocks := self._clocks.pop(str(session_id), None):
            decoder.restore_clocks(clocks)
        return []

    def _begin(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        session_id = request["session_id"]
        if session_id == self._evaluation.session_id:
            return []  # an earlier server began it
        return self._evaluation.begin_session(session_id, request["now_ns"])

    def _end(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        self._decoders.pop(request["session_id"], None)
        if request["session_id"] != self._evaluation.session_id:
            return []  # another follows it already
        return self._evaluation.end_session(request["now_ns"])

    def _mark(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        self._evaluation.add_marker(request["text"], request["time_ns"])
        return []

    def _expect(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        return self._evaluation.expect(request["source"], request["is_expected"], request["now_ns"])

    def _take(self, request: dict[str, Any], payload: bytes) -> list[AlarmCrossing]:
        block = MessageBlock.decode(payload)
        decoder = self._decoders.setdefault(block.session_id, SessionDecoder())
        return [each for part in decoder.decode(block) for each in self._evaluation.take_readings(part)]

    def _advance(self, request: dict[str, Any], _: bytes) -> list[AlarmCrossing]:
        return self._evaluation.advance(request["now_ns"])


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    process = AlarmProcess()
    while head := requests.readline():
        request = json.loads(head)
        payload = requests.read(request["bytes"])
        if len(payload) < request["bytes"]:
            return
        answers.write(json.dumps(process.answer(request, payload)).encode() + b"\n")
        answers.flush()


def main() -> None:
    """Be the program."""
    leave_out_pandas()
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the server is gone, and what waits to be flushed has no reader


if __name__ == "__main__":
    main()
