"""The number that is given with a command, such as a motor's set point: its range, and how it is written. Pure."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_PLACE = re.compile(r"\{value(?::(?P<form>[^{}]*))?\}")
_FORM = re.compile(r"0?[0-9]{0,2}(\.[0-9]{1,2})?[dxXf]?")
_CLOSE, _STEP_CLOSE = 1e-9, 1e-6


class Parameter(BaseModel):
    """A command's number: from ``min`` to ``max``, in steps of ``step`` that begin at ``min``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min: float
    max: float
    step: float = Field(default=1.0, gt=0)
    unit: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"the parameter is to go from {self.min:g} up to {self.max:g}")
        steps = (self.max - self.min) / self.step
        if round(steps) < 1 or abs(steps - round(steps)) > _STEP_CLOSE:
            raise ValueError(f"steps of {self.step:g} do not lead from {self.min:g} to {self.max:g}")
        return self

    @property
    def is_switch(self) -> bool:
        """Whether it is only off or on."""
        return (self.min, self.max, self.step) == (0, 1, 1)

    @property
    def decimals(self) -> int:
        """How many digits behind the point tell all its values apart, at most 6.

        >>> Parameter(min=0, max=1, step=0.25).decimals, Parameter(min=0, max=40).decimals
        (2, 0)
        """
        fits = (n for n in range(6) if all(abs(round(x, n) - x) < _CLOSE for x in (self.min, self.step)))
        return next(fits, 6)

    @property
    def words(self) -> str:
        """The range, for people.

        >>> Parameter(min=0, max=40, unit="deg").words
        '0 to 40 deg'
        """
        return f"{self.min:g} to {self.max:g} {self.unit}".strip()

    def checked(self, value: float) -> float:
        """Return a value that can be sent, exactly on its step.

        :raises ValueError: if it lies outside the range, or between two steps.

        >>> Parameter(min=0, max=40).checked(41)
        Traceback (most recent call last):
            ...
        ValueError: 41 is not possible: it must be 0 to 40
        """
        if not self.min <= value <= self.max:  # NaN, too
            raise ValueError(f"{value:g} is not possible: it must be {self.words}")
        steps = (value - self.min) / self.step
        if abs(steps - round(steps)) > _STEP_CLOSE:
            raise ValueError(f"{value:g} is not possible: it must be {self.words} in steps of {self.step:g}")
        return round(self.min + round(steps) * self.step, 12)


def check_places(send: str) -> None:
    """Check that a text says where the number goes.

    :raises ValueError: if it does not, or by a form that is none.
    """
    places = list(_PLACE.finditer(send))
    if not places:
        raise ValueError("it has a parameter, and does not say by {value} where it stands")
    for place in places:
        form = place["form"] or ""
        if not _FORM.fullmatch(form):
            raise ValueError(f"{place[0]!r} is not like {{value}}, {{value:04X}} or {{value:.1f}}")


def write_value(send: str, value: float) -> str:
    """Return what is sent for a value.

    >>> write_value("0985{value:04X}", 20), write_value("rate {value}", 2.5), write_value("{value:.1f}", 3)
    ('09850014', 'rate 2.5', '3.0')
    """

    def write(place: re.Match[str]) -> str:
        form = place["form"] or ""
        if form.endswith("f") or "." in form:
            return format(float(value), form)
        if form:
            return format(round(value), form)
        return str(round(value)) if float(value).is_integer() else repr(float(value))

    return _PLACE.sub(write, send)


def read_value(send: str, sent: str, *, is_hex: bool = False) -> float | None:
    """Return the value with which a command was sent; None if this is not it.

    >>> read_value("0985{value:04X}", "09850014"), read_value("rate {value}", "rate 2.5"), read_value("{value}", "on")
    (20.0, 2.5, None)
    """
    if is_hex:
        send, sent = "".join(send.split()), "".join(sent.split()).upper()
    found = pattern_of(send).fullmatch(sent) or (pattern_of(send.upper()).fullmatch(sent) if is_hex else None)
    form = _PLACE.search(send)
    if found is None or form is None:
        return None
    try:
        return float(int(found[1], 16)) if (form["form"] or "")[-1:] in ("x", "X") else float(found[1])
    except ValueError:
        return None


def pattern_of(payload: str) -> re.Pattern[str]:
    """Return what matches a text with whatever stands at the places of its value, each a group.

    >>> bool(pattern_of("heat {value}").fullmatch("heat 40")), bool(pattern_of("heat {value}").fullmatch("cool 40"))
    (True, False)
    """
    parts, end = [], 0
    for place in _PLACE.finditer(payload):
        parts += [re.escape(payload[end : place.start()]), "(.+)"]
        end = place.end()
    return re.compile("".join([*parts, re.escape(payload[end:])]), re.DOTALL)
