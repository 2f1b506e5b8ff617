"""The steps of computed channels as operators read and write them. Pure."""

from dataclasses import dataclass

from blitz.data.transforms import Transform, transform_from, transform_to_plain
from blitz.errors import SeriesError


@dataclass(frozen=True)
class StepKind:
    """One kind of step: what it is called, and which numbers it needs."""

    kind: str
    words: str
    fields: tuple[str, ...] = ()
    hint: str = ""
    unit: str = ""
    is_whole: bool = False


KINDS = (
    StepKind("scale", "Scale", ("factor",), "factor"),
    StepKind("offset", "Offset", ("value",), "to be added"),
    StepKind("moving_average", "Moving average", ("points",), "readings, odd", "readings", is_whole=True),
    StepKind("median", "Median", ("points",), "readings, odd", "readings", is_whole=True),
    StepKind("derivative", "Derivative"),
    StepKind("integral", "Integral"),
    StepKind("low_pass", "Low pass", ("frequency_hz",), "Hz", "Hz"),
    StepKind("high_pass", "High pass", ("frequency_hz",), "Hz", "Hz"),
    StepKind("band_pass", "Band pass", ("low_hz", "high_hz"), "Hz, such as 1 20", "Hz"),
    StepKind("resample", "Resample", ("step_s",), "seconds", "s"),
    StepKind("translate", "Later by", ("seconds",), "seconds", "s"),
)


def read_step(kind: StepKind, text: str) -> Transform:
    """Return the step of a kind with the numbers that were typed, parted by spaces.

    :raises SeriesError: if they are not what it needs.

    >>> read_step(KINDS[2], "25")
    MovingAverage(points=25)
    """
    words = text.replace(",", ".").replace(";", " ").split()
    if len(words) != len(kind.fields):
        raise SeriesError(f"{kind.words} needs {kind.hint or 'no number'}.")
    try:
        numbers = [int(word) if kind.is_whole else float(word) for word in words]
    except ValueError as error:
        raise SeriesError(f"{kind.words} needs {kind.hint}, and {text!r} is none.") from error
    return transform_from({"kind": kind.kind, **dict(zip(kind.fields, numbers, strict=True))})


def step_words(transform: Transform) -> str:
    """Say what a step is.

    >>> step_words(read_step(KINDS[8], "1 20"))
    'Band pass 1 to 20 Hz'
    """
    plain = transform_to_plain(transform)
    kind = next(kind for kind in KINDS if kind.kind == plain["kind"])
    numbers = " to ".join(f"{plain[field]:g}" for field in kind.fields)
    return " ".join(filter(None, [kind.words, numbers, kind.unit]))
