"""Asks when a running session is to stop by itself."""

from collections.abc import Callable
from datetime import datetime

from PyQt5.QtWidgets import QWidget

from blitz.data.records import RunWishes, SessionRecord
from blitz.ui.dialogs.form import Form
from blitz.ui.widgets.timed_run import TimedRunFields

_SENTENCE = "Times count from now on. Without a mark, the session runs until somebody stops it."


class PlanChangeDialog(Form):
    """``changes`` are what is to be different when it is accepted.

    :param now: the server's time, aware.
    """

    def __init__(self, session: SessionRecord, now: Callable[[], datetime], parent: QWidget | None = None) -> None:
        super().__init__("When it stops", "&Change", _SENTENCE, parent)
        self.session_id = session.id
        plan = session.plan
        left_s = None
        if plan is not None and plan.ends_at is not None:
            left_s = max(60.0, 60.0 * round((plan.ends_at - now()).total_seconds() / 60))
        self._before = RunWishes(
            duration_s=left_s,
            message_count=plan.message_count if plan is not None else None,
            repeat_every_s=plan.repeat_every_s if plan is not None else None,
        )
        self.timed = TimedRunFields(now, can_plan=False)
        self.timed.show_run(self._before)
        self.put_below(self.timed)

    @property
    def changes(self) -> dict[str, float | int | None]:
        """What differs from before; None takes it away.

        :raises ValueError: if that cannot be.
        """
        run, before = self.timed.run, self._before
        wishes: dict[str, tuple[float | int | None, float | int | None]] = {
            "left_s": (run.duration_s, before.duration_s),
            "message_count": (run.message_count, before.message_count),
            "repeat_every_s": (run.repeat_every_s, before.repeat_every_s),
        }
        return {name: after for name, (after, was) in wishes.items() if after != was}

    def accept(self) -> None:
        """Close, unless something is wrong with what was typed."""
        try:
            _ = self.changes
        except ValueError as error:
            self.say_wrong(str(error))
        else:
            super().accept()
