"""What a rule would have told of a session that is over: to choose limits by. Pure."""

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import MessageBlock
from blitz.data.boards import SessionDecoder
from blitz.data.records import SessionRecord

_ID = "trial"


class AlarmTrial:
    """Evaluates one rule over a session, block by block in their order.

    :param session: with its sources and markers.
    """

    def __init__(self, rule: AlarmRule, session: SessionRecord) -> None:
        self._decoder = SessionDecoder(session.sources)
        self._evaluation = AlarmEvaluation()
        started_ns = round(session.started_at.timestamp() * 1e9)
        self._evaluation.set_rules({_ID: rule.model_copy(update={"is_enabled": True})}, started_ns)
        self._evaluation.begin_session(session.id, started_ns)
        for marker in session.markers:
            self._evaluation.add_marker(marker.text, marker.from_ns)

    def take(self, block: MessageBlock) -> list[AlarmCrossing]:
        """Evaluate the next block, and return when the alarm would have been raised and cleared."""
        return [each for part in self._decoder.decode(block) for each in self._evaluation.take_readings(part)]
