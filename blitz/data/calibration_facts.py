"""What is known of how a channel was calibrated: who, when, against what, the points, and until when it is good.

Pure models. They stand in a channel of a definition, so they travel with it: into files, versions and sessions.
Unknown fields are ignored, so that later versions can say more.
"""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

MOST_POINTS = 200
_WORDS = 500


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CalibrationStep(_Facts):
    """A known value, and what the device sent meanwhile: the mean of some readings."""

    reference: float = Field(description="the known value, in the channel's unit")
    raw: float = Field(description="mean of the numbers as they stood in the messages")
    deviation: float = Field(default=0.0, ge=0, description="standard deviation of those numbers; 0 of a single one")
    count: int = Field(default=1, ge=1, description="how many there were")


class CalibrationPoint(CalibrationStep):
    """A step, and how well the curve meets it."""

    residual: float = Field(default=0.0, description="reference minus the curve's value, in the channel's unit")


class Calibration(_Facts):
    """How a channel got its numbers."""

    at: AwareDatetime = Field(description="when it was made")
    who: str = Field(default="", max_length=_WORDS)
    against: str = Field(
        default="", max_length=_WORDS, description="the instrument that told the references, its certificate"
    )
    expires: date | None = Field(default=None, description="the last day on which it is good; absent: no end is set")
    points: tuple[CalibrationPoint, ...] = Field(default=(), max_length=MOST_POINTS)
    standard_error: float | None = Field(
        default=None, description="of the residuals, in the channel's unit; absent where the curve meets every point"
    )
    r_squared: float | None = None

    @property
    def largest_error(self) -> float:
        """The largest of the residuals, without its sign."""
        return max((abs(point.residual) for point in self.points), default=0.0)
