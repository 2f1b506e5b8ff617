"""What makes an alarm: the conditions that a rule can have, as they are stored and sent. Pure.

What becomes of them, message by message, is the business of :mod:`blitz.data.alarm_evaluation`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_REFERENCE_POINTS = 2_000
SHORTEST_S, LONGEST_S = 1e-3, 30 * 86400.0
USUAL_PERIODS = 3
"""A source that is silent for longer than so many of its usual periods gives no data,"""
SHORTEST_SILENCE_S = 2.0
"""and never before this."""

Hysteresis = Annotated[
    float, Field(ge=0, description="how far the value must come back behind the limit before it counts as back")
]


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LevelCondition(_Condition):
    """The value is above a limit, or below one; a value on the limit is neither.

    >>> LevelCondition(above=5, hysteresis=0.5).words("kPa")
    'above 5 kPa'
    """

    kind: Literal["level"] = "level"
    above: float | None = None
    below: float | None = None
    hysteresis: Hysteresis = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("a level needs a limit: give 'above', 'below' or both")
        if self.above is not None and self.below is not None:
            _check_band(self.below, self.above, self.hysteresis)
        return self

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        parts = [("above", self.above), ("below", self.below)]
        return " or ".join(f"{word} {_number(limit, unit)}" for word, limit in parts if limit is not None)


class BandCondition(_Condition):
    """The value is outside a band, or inside where ``is_inside``; a value on the edge is inside.

    >>> BandCondition(low=1, high=2).words("V"), BandCondition(low=1, high=2, is_inside=True).words()
    ('outside 1 to 2 V', 'inside 1 to 2')
    """

    kind: Literal["band"] = "band"
    low: float
    high: float
    is_inside: bool = Field(default=False, description="alarm while the value is inside")
    hysteresis: Hysteresis = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_band(self.low, self.high, 0.0 if self.is_inside else self.hysteresis)
        return self

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        return f"{'inside' if self.is_inside else 'outside'} {self.low:g} to {_number(self.high, unit)}"


class RateCondition(_Condition):
    """The value changes faster than a limit, measured over a window, or over one step where readings are rarer.

    >>> RateCondition(above_per_s=2, direction="falling", window_s=5).words("kPa")
    'falls by more than 2 kPa/s over 5 s'
    """

    kind: Literal["rate"] = "rate"
    above_per_s: float = Field(gt=0, description="units a second, without a sign")
    direction: Literal["rising", "falling", "either"] = "either"
    window_s: float = Field(default=1.0, ge=SHORTEST_S, le=86400.0)
    hysteresis: Hysteresis = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hysteresis > self.above_per_s:
            raise ValueError(f"a hysteresis of {self.hysteresis:g} is more than the rate of {self.above_per_s:g}")
        return self

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        verb = {"rising": "rises", "falling": "falls", "either": "changes"}[self.direction]
        return f"{verb} by more than {_number(self.above_per_s, unit)}/s over {self.window_s:g} s"


class EqualCondition(_Condition):
    """The value is a certain one, or is not where ``is_different``: of states and switches.

    >>> EqualCondition(value=3).words(), EqualCondition(value=1, tolerance=0.5, is_different=True).words("V")
    ('equals 3', 'differs from 1 ± 0.5 V')
    """

    kind: Literal["equal"] = "equal"
    value: float
    tolerance: float = Field(default=0.0, ge=0)
    is_different: bool = Field(default=False, description="alarm while the value is another")
    hysteresis: Hysteresis = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_different and self.hysteresis > self.tolerance:
            raise ValueError(
                f"with a hysteresis of {self.hysteresis:g} and a tolerance of {self.tolerance:g} no value is back"
            )
        return self

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        tolerance = f" ± {self.tolerance:g}" if self.tolerance else ""
        verb = "differs from" if self.is_different else "equals"
        return f"{verb} {self.value:g}{tolerance} {unit}".strip()


class NoDataCondition(_Condition):
    """Nothing comes from the source.

    >>> NoDataCondition().words(), NoDataCondition(after_s=10).words()
    ('sends nothing for three usual periods', 'sends nothing for 10 s')
    """

    kind: Literal["no_data"] = "no_data"
    after_s: float | None = Field(
        default=None,
        ge=SHORTEST_S,
        le=LONGEST_S,
        description="absent: three usual periods of the source, and at least 2 s",
    )

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        return f"sends nothing for {'three usual periods' if self.after_s is None else f'{self.after_s:g} s'}"


class ReferenceCondition(_Condition):
    """The value leaves a stored course by more than a tolerance, while a session is recorded.

    Between two points the course is a straight line, unless they are too far apart: there, before the first and behind
    the last nothing is said. Where both tolerances are given the larger one counts.

    >>> ReferenceCondition(times_s=(0, 1), values=(5, 5), relative=0.02).words("V")
    'leaves its reference by more than 2 %'
    """

    kind: Literal["reference"] = "reference"
    times_s: tuple[float, ...] = Field(
        min_length=2, max_length=MOST_REFERENCE_POINTS, description="seconds since the moment of `align`, rising"
    )
    values: tuple[float, ...] = Field(min_length=2, max_length=MOST_REFERENCE_POINTS)
    longest_s: float | None = Field(
        default=None,
        gt=0,
        exclude_if=lambda value: value is None,  # so that rules without it stay what they were, confirmations included
        description="points that are farther apart say nothing of what lies between; absent: always a straight line",
    )
    absolute: float | None = Field(default=None, ge=0, description="in the channel's unit")
    relative: float | None = Field(default=None, ge=0, description="a share of the reference: 0.02 is 2 %")
    align: Literal["start", "marker", "trigger"] = Field(
        default="start", description="which moment of the session has the time 0"
    )
    marker: str = Field(default="", max_length=200, description="marker: the newest one with this text")
    level: float | None = Field(default=None, description="trigger: the first crossing of this value in the session")
    edge: Literal["rising", "falling"] = "rising"
    hysteresis: Hysteresis = 0.0
    session_id: int | None = Field(default=None, description="the session that it was made of, for people")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.times_s) != len(self.values):
            raise ValueError(f"the reference has {len(self.times_s)} times and {len(self.values)} values")
        if any(late <= early for early, late in zip(self.times_s, self.times_s[1:], strict=False)):
            raise ValueError("the reference's times do not rise from point to point")
        if self.absolute is None and self.relative is None:
            raise ValueError("a reference needs a tolerance: give 'absolute', 'relative' or both")
        if self.hysteresis > (self.absolute or 0.0):
            raise ValueError(f"a hysteresis of {self.hysteresis:g} needs an absolute tolerance that is not smaller")
        if self.align == "marker" and not self.marker.strip():
            raise ValueError("align 'marker' needs the marker's text")
        if self.align == "trigger" and self.level is None:
            raise ValueError("align 'trigger' needs a level")
        return self

    def words(self, unit: str = "") -> str:
        """Return the condition for people."""
        parts = [] if self.absolute is None else [_number(self.absolute, unit)]
        parts += [] if self.relative is None else [f"{self.relative * 100:g} %"]
        return f"leaves its reference by more than {' or '.join(parts)}"


Condition = Annotated[
    LevelCondition | BandCondition | RateCondition | EqualCondition | NoDataCondition | ReferenceCondition,
    Field(discriminator="kind"),
]


def _check_band(low: float, high: float, hysteresis: float) -> None:
    if low >= high:
        raise ValueError(f"the band goes from {low:g} up to {high:g}")
    if low + hysteresis > high - hysteresis:
        raise ValueError(f"with a hysteresis of {hysteresis:g} no value between {low:g} and {high:g} is back")


def _number(value: float, unit: str) -> str:
    return f"{value:g} {unit}".strip()
