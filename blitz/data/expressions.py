"""Formulas over several channels, such as ``"Supply voltage" * current / 1000``.

Pure. A formula is read with Python's own parser, and then by a small evaluator of our own that knows numbers, channels,
operators and the functions below, and nothing else: a formula from a file can compute, and do no more.
"""

import ast
import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Self, cast

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import How, at_times, check_how, usual_gap_ns
from blitz.data.series import Series
from blitz.data.transforms_checks import renewed, require_all_points, require_positive
from blitz.errors import SeriesError

_Values = NDArray[np.float64]
_LONGEST = 2000
_DEEPEST = 200

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (np.abs, 1, 1),
    "sqrt": (np.sqrt, 1, 1),
    "exp": (np.exp, 1, 1),
    "log": (np.log, 1, 1),
    "sin": (np.sin, 1, 1),
    "cos": (np.cos, 1, 1),
    "min": (lambda *values: _folded(np.minimum, values), 2, 20),
    "max": (lambda *values: _folded(np.maximum, values), 2, 20),
    "where": (lambda condition, yes, no: np.where(np.isnan(condition), np.nan, np.where(condition, yes, no)), 3, 3),
}
"""By name: what is called, and with how many values at least and at most."""


@dataclass(frozen=True)
class Expression:
    """A formula over channels, whose result is a series at the times of the first channel in it.

    Channels stand in it by their labels: in quotes, or plain where the label is a name as in Python. Numbers, ``+ - *
    / **``, comparisons (1 where true, 0 where not), and ``abs sqrt exp log sin cos min max where(condition, yes, no)``.

    :param text: the formula.
    :param label: what the result is called; empty: as the formula.
    :param unit: of the result: nobody can tell it from a formula.
    :param how: how the other channels are brought to the first one's times, see :func:`blitz.data.aligning.at_times`.
    :param max_gap_s: what lies within a longer gap is NaN; None: five usual steps of the channel.

    :raises SeriesError: if the formula is wrong; it shows the place.

    >>> Expression("voltage * max('Current 1', 0)").channels
    ('voltage', 'Current 1')
    """

    text: str
    label: str = ""
    unit: str = ""
    how: How = "linear"
    max_gap_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("text", "label", "unit"):
            if not isinstance(getattr(self, name), str):
                raise SeriesError(f"The {name} of a formula is {getattr(self, name)!r}: give a text.")
        check_how(self.how)
        if self.max_gap_s is not None:
            require_positive("max_gap_s", self.max_gap_s)
        if not self.channels:
            raise SeriesError(f"The formula {self.text!r} has no channel in it.")

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The labels of the channels in the formula, the first one first."""
        return tuple(dict.fromkeys(_Check(self.text).channels))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the formula that :meth:`to_plain` wrote; fields that are absent have their default.

        :raises SeriesError: if it is wrong.
        """
        try:
            return cls(**plain)
        except TypeError as error:
            known = ", ".join(field.name for field in dataclasses.fields(cls))
            raise SeriesError(f"No formula can be made of {dict(plain)!r}: its fields are {known}.") from error

    def to_plain(self) -> dict[str, Any]:
        """Return the formula as JSON can hold it."""
        return dataclasses.asdict(self)

    def __call__(self, channels: Mapping[str, Series]) -> Series:
        """Return the result for these channels, NaN where one of them has no value.

        :raises SeriesError: if one is not among them.
        """
        for name in self.channels:
            if name not in channels:
                known = ", ".join(repr(label) for label in channels) or "none"
                raise SeriesError(f"The formula {self.text!r} needs a channel {name!r}. There are: {known}.")
            if len(self.channels) > 1:
                require_all_points(channels[name])
        first = channels[self.channels[0]]
        values = {name: self._values_of(channels[name], first) for name in self.channels}
        with np.errstate(all="ignore"):
            computed = _evaluate(formula_tree(self.text), values)
        result = np.array(np.broadcast_to(computed, len(first)), np.float64)
        label = self.label or self.text
        return renewed(
            Series(first.session_id, "", label, label, self.unit, first.time_ns, first.values, first.is_thinned), result
        )

    def _values_of(self, series: Series, first: Series) -> _Values:
        if series.time_ns is first.time_ns or np.array_equal(series.time_ns, first.time_ns):
            return series.values
        max_gap_ns = usual_gap_ns(series) if self.max_gap_s is None else round(self.max_gap_s * 1e9)
        return at_times(series, first.time_ns, self.how, max_gap_ns)


def formula_tree(text: str) -> ast.expr:
    """Return what Python's parser makes of a formula; only an :class:`Expression` knows whether it can be computed.

    :raises SeriesError: if it cannot be read; shows the place.
    """
    if len(text) > _LONGEST:
        raise SeriesError(f"A formula may have {_LONGEST} characters; this one has {len(text)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes in names, and the like
            # In brackets, a formula may go over several lines and begin with a space.
            return ast.parse(f"(\n{text}\n)", mode="eval").body
    except SyntaxError as error:
        lines = text.splitlines() or [""]
        line, column = (error.lineno or 1) - 1, error.offset or 1
        if not 1 <= line <= len(lines):  # at our own brackets
            line, column = len(lines), len(lines[-1]) + 1
        _refuse(text, line, column, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SeriesError(f"The formula {text!r} cannot be read: {error}.") from error


class _Check(ast.NodeVisitor):
    """Finds the channels of a formula, and refuses whatever is not known, before anything is computed."""

    def __init__(self, text: str) -> None:
        self.channels: list[str] = []
        self._text = text
        self._depth = 0
        self.visit(formula_tree(text))

    def visit(self, node: ast.AST) -> None:
        """Look at one node, and those below it."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(node, "this is nested too deeply")
        super().visit(node)
        self._depth -= 1

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _FUNCTIONS:
            self._refuse(node, f"{node.id} is a function: write {node.id}(…), or the channel's name in quotes")
        self.channels.append(node.id)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.channels.append(node.value)
        elif isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._refuse(node, "here a number, a channel or a function is expected")
        elif isinstance(node.value, int) and abs(node.value) > 1 << 1000:
            self._refuse(node, "this number is too large")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._require_operator(node, node.op)
        self.visit(node.left)
        self.visit(node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._require_operator(node, node.op)
        self.visit(node.operand)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) > 1:
            self._refuse(node, "compare two values at a time")
        self._require_operator(node, node.ops[0])
        self.visit(node.left)
        self.visit(node.comparators[0])

    def visit_Call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
            self._refuse(node, f"there is no such function; there are: {', '.join(_FUNCTIONS)}")
        _, least, most = _FUNCTIONS[node.func.id]
        if node.keywords or not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            self._refuse(node, f"{node.func.id} takes {wanted} values, separated by commas")
        for value in node.args:
            self.visit(value)

    def generic_visit(self, node: ast.AST) -> None:
        """Refuse all else."""
        self._refuse(node, "a formula has numbers, channels, + - * / **, comparisons and functions only")

    def _require_operator(self, node: ast.AST, operator: ast.AST) -> None:
        if type(operator) not in _OPERATORS:
            self._refuse(node, "there is no such operator here; there are: + - * / ** < <= > >= == !=")

    def _refuse(self, node: ast.AST, why: str) -> NoReturn:
        line, byte = max(getattr(node, "lineno", 2) - 1, 1), getattr(node, "col_offset", 0)
        lines = self._text.splitlines() or [""]
        before = lines[min(line, len(lines)) - 1].encode()[:byte]
        _refuse(self._text, line, len(before.decode(errors="replace")) + 1, why)


def _evaluate(node: ast.expr, values: Mapping[str, _Values]) -> Any:
    """Compute a formula that :class:`_Check` has let through."""
    if isinstance(node, ast.Constant):
        return values[node.value] if isinstance(node.value, str) else np.float64(cast(float, node.value))
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_evaluate(node.operand, values))
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluate(node.left, values), _evaluate(node.right, values))
    if isinstance(node, ast.Compare):
        left, right = _evaluate(node.left, values), _evaluate(node.comparators[0], values)
        is_true = _OPERATORS[type(node.ops[0])](left, right)
        # What is not known is neither greater nor smaller.
        return np.where(np.isnan(left) | np.isnan(right), np.nan, is_true)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id][0](*(_evaluate(value, values) for value in node.args))


def _folded(function: Callable[[Any, Any], Any], values: tuple[Any, ...]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def _refuse(text: str, line: int, column: int, why: str) -> NoReturn:
    lines = text.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    column = min(column, len(shown) + 1)
    where = f"character {column}" if len(lines) == 1 else f"line {line}, character {column}"
    raise SeriesError(f"The formula is wrong at {where}: {why}.\n    {shown}\n    {' ' * (column - 1)}^")
