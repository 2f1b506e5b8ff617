"""Transforms of series: each a frozen value that makes a new series of one, to be chained and to be saved.

Pure. The series that goes in never changes. ::

    smooth = chain(series["Pressure"], [Scale(0.1, unit="bar"), MovingAverage(25)])

What each does stands in the modules ``transforms_*``; spectra, which are no series, in :mod:`blitz.data.spectra`;
formulas over several channels in :mod:`blitz.data.expressions`.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from blitz.data.series import Series
from blitz.data.transforms_filter import BandPass, HighPass, LowPass, Resample
from blitz.data.transforms_point import Derivative, Integral, Offset, Scale, Translate
from blitz.data.transforms_window import MedianFilter, MovingAverage
from blitz.errors import SeriesError

__all__ = [
    "TRANSFORMS",
    "BandPass",
    "Derivative",
    "HighPass",
    "Integral",
    "LowPass",
    "MedianFilter",
    "MovingAverage",
    "Offset",
    "Resample",
    "Scale",
    "Transform",
    "Translate",
    "chain",
    "transform_from",
    "transform_to_plain",
]


class Transform(Protocol):
    """Makes a new series of one."""

    def __call__(self, series: Series) -> Series:
        """Return the transformed series."""
        ...


TRANSFORMS: dict[str, type[Transform]] = {
    "scale": Scale,
    "offset": Offset,
    "translate": Translate,
    "moving_average": MovingAverage,
    "median": MedianFilter,
    "derivative": Derivative,
    "integral": Integral,
    "low_pass": LowPass,
    "high_pass": HighPass,
    "band_pass": BandPass,
    "resample": Resample,
}
"""By the name under which a transform is saved."""


def chain(series: Series, transforms: Iterable[Transform]) -> Series:
    """Return what the transforms, one after another, make of a series; without any, the series itself.

    :raises SeriesError: if one of them has no meaning for what the one before gives.
    """
    for transform in transforms:
        series = transform(series)
    return series


def transform_to_plain(transform: Transform) -> dict[str, Any]:
    """Return a transform as JSON can hold it.

    >>> transform_to_plain(MovingAverage(5))
    {'kind': 'moving_average', 'points': 5}
    """
    for kind, transform_type in TRANSFORMS.items():
        if type(transform) is transform_type:
            return {"kind": kind, **vars(transform)}
    raise SeriesError(f"{transform!r} is none of the transforms that can be saved: {', '.join(TRANSFORMS)}.")


def transform_from(plain: Mapping[str, Any]) -> Transform:
    """Return the transform that :func:`transform_to_plain` wrote; fields that are absent have their default.

    :raises SeriesError: if there is no such transform, or a field is wrong.

    >>> transform_from({"kind": "offset", "value": 2})
    Offset(value=2)
    """
    kind = plain.get("kind")
    transform_type = TRANSFORMS.get(kind) if isinstance(kind, str) else None
    if transform_type is None:
        raise SeriesError(f"There is no transform {kind!r}. There are: {', '.join(TRANSFORMS)}.")
    fields = {name: value for name, value in plain.items() if name != "kind"}
    try:
        return transform_type(**fields)
    except TypeError as error:
        known = ", ".join(field.name for field in dataclasses.fields(transform_type))  # type: ignore[arg-type]
        raise SeriesError(
            f"The transform {kind!r} cannot be made of {fields!r}: {error}. Its fields are: {known or 'none'}."
        ) from error
