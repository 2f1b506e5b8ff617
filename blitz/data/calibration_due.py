"""Which channels were calibrated, until when that is good, and whether they still read by it. Pure."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration import on_curve
from blitz.data.calibration_facts import Calibration

WARN_DAYS = 30.0
_SAME = 1e-6
"""Of the range of the references: so exactly a channel meets the values that its calibration tells."""


class CalibrationState(StrEnum):
    """How a calibration stands, worst last."""

    GOOD = "good"
    SOON = "soon"
    """It expires within the days in which one wants to be warned."""
    CHANGED = "changed"
    """Somebody has changed the channel's numbers since."""
    EXPIRED = "expired"


class CalibrationDue(BaseModel):
    """One channel's calibration, and how it stands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    channel: str = Field(description="what people read")
    state: CalibrationState
    expires: date | None = None

    @property
    def sentence(self) -> str:
        """What people read.

        >>> CalibrationDue(source="scale", channel="mass", state="soon", expires=date(2026, 12, 1)).sentence
        'The calibration of mass (scale) expires on 2026-12-01.'
        """
        begin = f"The calibration of {self.channel} ({self.source})"
        if self.state is CalibrationState.EXPIRED:
            return f"{begin} has expired on {self.expires}: calibrate it again."
        if self.state is CalibrationState.CHANGED:
            return f"{begin} does not hold any more: its numbers were changed since."
        if self.expires is None:
            return f"{begin} does not expire."
        return f"{begin} expires on {self.expires}."


def calibration_state(channel: Channel, today: date, warn_days: float = WARN_DAYS) -> CalibrationState | None:
    """Return how a channel's calibration stands; None where it was never calibrated.

    :param today: where it is good through its last day.
    """
    calibration = channel.calibration
    if calibration is None:
        return None
    if calibration.expires is not None and today > calibration.expires:
        return CalibrationState.EXPIRED
    if not is_in_force(channel, calibration):
        return CalibrationState.CHANGED
    if calibration.expires is not None and (calibration.expires - today).days <= warn_days:
        return CalibrationState.SOON
    return CalibrationState.GOOD


def is_in_force(channel: Channel, calibration: Calibration) -> bool:
    """Whether a channel still gives the values that its calibration found, at each of its points."""
    points = calibration.points
    if not points:
        return True
    meant = np.array([point.reference - point.residual for point in points])
    values = on_curve(channel, np.array([point.raw for point in points]))
    scale = max(float(np.ptp(meant)), float(np.abs(meant).max()) * _SAME, 1e-300)
    return bool((np.abs(values - meant) <= _SAME * scale).all())


def list_calibrations(
    definitions: Iterable[tuple[str, BoardDefinition | None]], today: date, warn_days: float = WARN_DAYS
) -> list[tuple[CalibrationDue, Calibration]]:
    """Return all calibrations of sources, what is due first at the top, those without an end last.

    :param definitions: name of a source, and its definition.
    """
    found = []
    for source, definition in definitions:
        for channel in definition.channels if definition else ():
            state = calibration_state(channel, today, warn_days)
            if state is not None and channel.calibration is not None:
                expires = channel.calibration.expires
                due = CalibrationDue(source=source, channel=channel.display_name, state=state, expires=expires)
                found.append((due, channel.calibration))
    return sorted(found, key=lambda pair: (pair[0].expires or date.max, pair[0].source, pair[0].channel))


def due_calibrations(
    definitions: Iterable[tuple[str, BoardDefinition | None]], today: date, warn_days: float = WARN_DAYS
) -> tuple[CalibrationDue, ...]:
    """Return those that an operator should know of: expired, about to, or changed since."""
    known = list_calibrations(definitions, today, warn_days)
    return tuple(due for due, _ in known if due.state is not CalibrationState.GOOD)
