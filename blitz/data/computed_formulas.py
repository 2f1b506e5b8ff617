"""Formulas of computed channels that are made of other computed ones: written out, down to boards' channels. Pure."""

import ast
import dataclasses
from collections.abc import Collection, Iterable

from blitz.data.computed import ComputedChannel
from blitz.data.expressions import formula_tree
from blitz.errors import SeriesError

MARK = "ƒ"
"""Before the name of a computed channel, wherever the window shows it."""


def written_out(
    computed: ComputedChannel, others: Iterable[ComputedChannel], known: Collection[str] = ()
) -> ComputedChannel:
    """Return a computed channel in whose formula stand the formulas of the computed ones that it is made of.

    So it is computed in one go, of readings alone, with its own longest gap.

    :param known: labels of channels that are no computed ones; they count before those of the same name.
    :raises SeriesError: if channels are computed of each other, or of one whose steps would be left out.

    >>> power = ComputedChannel("Power", "voltage * current")
    >>> written_out(ComputedChannel("Loss", "0.1 * 'ƒ Power'"), [power]).formula
    '0.1 * (voltage * current)'
    """
    by_label = {other.label: other for other in others}
    return _written_out(computed, by_label, frozenset(known), (computed.label,))


def _written_out(
    computed: ComputedChannel, by_label: dict[str, ComputedChannel], known: frozenset[str], way: tuple[str, ...]
) -> ComputedChannel:
    made_of = {label: _plain(label) for label in computed.channels if label not in known and _plain(label) in by_label}
    if not made_of:
        return computed
    trees: dict[str, ast.expr] = {}
    for label, name in made_of.items():
        if name in way:
            circle = " of ".join(f"“{each}”" for each in (*way[way.index(name) :], name))
            raise SeriesError(f"These would be computed of each other, for ever: {circle}.")
        other = by_label[name]
        if other.transforms:
            raise SeriesError(
                f"“{name}” has steps, and a formula can be made only of computed channels without any: switch its "
                "steps off, or make the formula of the board's own channels."
            )
        trees[label] = formula_tree(_written_out(other, by_label, known, (*way, name)).formula)
    formula = ast.unparse(_Replacing(trees).visit(formula_tree(computed.formula)))
    return dataclasses.replace(computed, formula=formula)


def _plain(label: str) -> str:
    return label.removeprefix(f"{MARK} ")


class _Replacing(ast.NodeTransformer):
    """Puts trees in the places of channels; all other channels stand in quotes."""

    def __init__(self, trees: dict[str, ast.expr]) -> None:
        self._trees = trees

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._trees.get(node.id, ast.Constant(node.id))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return self._trees.get(node.value, node) if isinstance(node.value, str) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return ast.Call(node.func, [self.visit(value) for value in node.args], [])
