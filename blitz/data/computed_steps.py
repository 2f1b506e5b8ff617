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
    is_whole: bool = False


KINDS = (
    StepKind("scale", "Scale", ("factor",), "factor"),
    StepKind("offset", "Offset", ("value",), "number to be added"),
    StepKind("moving_average", "Moving average", ("points",), "readings, an odd number", is_whole=True),
    StepKind("median", "Median", ("points",), "readings, an odd number", is_whole=True),
    StepKind("derivative", "Derivative"),
    StepKind("integral", "Integral"),
    StepKind("low_pass", "Low pass", ("frequency_hz",), "Hz"),
    StepKind("high_pass", "High pass", ("frequency_hz",), "Hz"),
    StepKind("band_pass", "Band pass", ("low_hz", "high_hz"), "Hz to Hz, such as 1 20"),
    StepKind("resample", "Resample", ("step_s",), "seconds"),
    StepKind("translate", "Later by", ("seconds",), "seconds"),
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
    'Band pass 1 20'
    """
    plain = transform_to_plain(transform)
    kind = next(kind for kind in KINDS if kind.kind == plain["kind"])
    return " ".join([kind.words, *(f"{plain[field]:g}" for field in kind.fields)])
