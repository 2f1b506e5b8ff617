"""Which curve stands in which panel, on which axis. Pure."""

from collections import Counter
from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass

from blitz.ui.plots.curves import Curve


@dataclass(frozen=True)
class AxisPlan:
    """The curves that share a value axis."""

    key: Hashable
    """The same axis has the same one in every plan: it keeps its range."""
    unit: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class PanelPlan:
    """What one panel shows."""

    left: AxisPlan
    right: AxisPlan | None = None
    listed: tuple[Curve, ...] = ()
    """The channels of its legend, each once, those that are switched off among them."""

    @property
    def axes(self) -> tuple[AxisPlan, ...]:
        """Left, and right where there is one."""
        return (self.left,) if self.right is None else (self.left, self.right)


def overlay(curves: Iterable[Curve], empty: Container[Hashable] = ()) -> tuple[PanelPlan, ...]:
    """Lay curves over each other, by unit.

    :param empty: keys of curves that have no value anywhere: no axis is made for them alone, and they are listed in
        the first panel.

    The most common unit has the axis on the left, the second one that on the right; each further unit has a panel of
    its own below, since a third axis beside the others would be read wrongly. Curves that name another panel stand
    below, by their units again.
    """
    by_panel: dict[str, list[Curve]] = {}
    for curve in curves:
        by_panel.setdefault(curve.panel, []).append(curve)
    return tuple(plan for panel, here in (by_panel or {"": []}).items() for plan in _overlay(panel, here, empty))


def _overlay(panel: str, curves: list[Curve], empty: Container[Hashable]) -> list[PanelPlan]:
    shown = [curve for curve in curves if not curve.is_off]
    valued = [curve for curve in shown if curve.key not in empty] or shown
    counts = Counter(curve.unit for curve in valued if not curve.is_faint)
    units = [unit for unit, _ in counts.most_common()] or [shown[0].unit if shown else ""]
    units += [unit for unit in dict.fromkeys(curve.unit for curve in valued) if unit not in units]
    axes = [
        AxisPlan((panel, unit) if panel else unit, unit, tuple(curve for curve in shown if curve.unit == unit))
        for unit in units
    ]
    panels = [tuple(axes[:2]), *((axis,) for axis in axes[2:])]
    plans = []
    for place, beside in enumerate(panels):
        own = {axis.unit for axis in beside}
        here = [curve for curve in curves if curve.unit in own or (place == 0 and curve.unit not in units)]
        plans.append(PanelPlan(beside[0], beside[1] if len(beside) > 1 else None, _listed(here)))
    return plans


def stack(curves: Iterable[Curve], empty: Container[Hashable] = ()) -> tuple[PanelPlan, ...]:
    """Give each channel a panel; what it is compared with, and its other rows of the source table, stand there, too.

    Those that are switched off are listed in the first panel.

    :param empty: keys of curves that have no value anywhere: they are listed there, too, unless there are no others.
    """
    curves = list(curves)
    by_label: dict[tuple[str, str], list[Curve]] = {}
    off = []
    valued = {(curve.label, curve.unit) for curve in curves if not curve.is_off and curve.key not in empty}
    for curve in curves:
        if curve.is_off or (valued and (curve.label, curve.unit) not in valued):
            off.append(curve)
        else:
            by_label.setdefault((curve.label, curve.unit), []).append(curve)
    plans = [PanelPlan(AxisPlan(key, key[1], tuple(here)), None, _listed(here)) for key, here in by_label.items()]
    first = plans[0] if plans else PanelPlan(AxisPlan("", "", ()))
    return (PanelPlan(first.left, None, _listed([*first.listed, *off])), *plans[1:])


def _listed(curves: Iterable[Curve]) -> tuple[Curve, ...]:
    by_label = {curve.label: curve for curve in curves if not curve.is_faint}
    return tuple(by_label.values())
