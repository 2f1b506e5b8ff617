"""What a rule would have told of a session that is over: to choose limits by. Pure."""

from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import MessageBlock
from blitz.data.boards import SessionDecoder
from blitz.data.records import SessionRecord
from blitz.data.session_alarms import SessionAlarms

_ID = "trial"


class AlarmTrial:
    """Evaluates one rule over a session, block by block in their order.

    :param session: with its sources, gaps and markers.
    """

    def __init__(self, rule: AlarmRule, session: SessionRecord) -> None:
        self._decoder = SessionDecoder(session.sources)
        self._alarms = SessionAlarms({_ID: rule.model_copy(update={"is_enabled": True})}, session)
        self._stopped_at = session.stopped_at

    def take(self, block: MessageBlock) -> list[AlarmCrossing]:
        """Evaluate the next block, and return when the alarm would have been raised and cleared."""
        return self._alarms.take(block, self._decoder.decode(block))

    def end(self) -> list[AlarmCrossing]:
        """Evaluate the time behind the last message, up to the session's end."""
        return [] if self._stopped_at is None else self._alarms.end(round(self._stopped_at.timestamp() * 1e9))
