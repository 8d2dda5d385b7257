"""A function of t written as text: safe arithmetic, for LambdaLR and MultiplicativeLR from YAML."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from lrsched.errors import ConfigError, nearest

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "cos": math.cos,
    "sin": math.sin,
    "tanh": math.tanh,
}
CONSTANTS = {"pi": math.pi, "e": math.e}
OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}
GRAMMAR = (
    "an expression may use t, T, numbers, + - * / // % **, comparisons, `a if condition else b`, pi, e and "
    + ", ".join(FUNCTIONS)
)

Node = Callable[[Mapping[str, float]], float]


class Expression:
    """A function of ``t`` (and ``T``, the run's length in the same unit) given as text.

    It keeps nothing but text and T, so that it can be copied, pickled and saved in a checkpoint.

    Args:
        text: an expression of numbers, ``t``, ``T``, operators and the functions named below.
        T: the run's length, in steps or epochs, as ``t`` counts.

    Raises:
        ConfigError: the text is no such expression.

    >>> Expression("0.95 ** t", T=10)(2) == 0.95 ** 2
    True
    >>> Expression("t / 5 if t < 5 else max(0, 1 - (t - 5) / (T - 5))", T=10)(7)
    0.6
    >>> Expression("print(t)", T=1)
    Traceback (most recent call last):
    lrsched.errors.ConfigError: lr_lambda=print(t): 'print' is no function here; known are: abs, \
ceil, cos, exp, floor, log, max, min, sin, sqrt, tanh
    """

    def __init__(self, text: str, T: int) -> None:
        self.text, self.T = str(text), T
        compiled(self.text)

    def __call__(self, t: float) -> float:
        try:
            value = compiled(self.text)({"t": t, "T": self.T})
        except (ArithmeticError, ValueError) as error:
            raise ConfigError("lr_lambda", self.text, f"cannot be computed at t={t}: {error}") from error
        if isinstance(value, complex) or not math.isfinite(value):
            raise ConfigError("lr_lambda", self.text, f"gives {value} at t={t}")
        return value


@lru_cache(maxsize=256)
def compiled(text: str) -> Node:
    """The function that a text stands for. Nothing is evaluated but the grammar's own nodes."""
    if len(text) > 1000:
        raise ConfigError("lr_lambda", text[:40] + "…", "an expression has at most 1000 characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _compile(tree.body, text)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ConfigError("lr_lambda", text, "is not an arithmetic expression", GRAMMAR) from error


def _compile(node: ast.expr, text: str) -> Node:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        number: float = node.value  # type: ignore[assignment]
        return lambda scope: number
    if isinstance(node, ast.Name):
        return _variable(node.id, text)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        apply, left, right = OPERATORS[type(node.op)], _compile(node.left, text), _compile(node.right, text)
        # Floats overflow at once where whole numbers would grow until the memory is full.
        return lambda scope: apply(float(left(scope)), float(right(scope)))
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        apply, operand = OPERATORS[type(node.op)], _compile(node.operand, text)
        return lambda scope: apply(operand(scope))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
        apply, left = OPERATORS[type(node.ops[0])], _compile(node.left, text)
        right = _compile(node.comparators[0], text)
        return lambda scope: apply(left(scope), right(scope))
    if isinstance(node, ast.IfExp):
        test, then, other = (_compile(part, text) for part in (node.test, node.body, node.orelse))
        return lambda scope: then(scope) if test(scope) else other(scope)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [_compile(argument, text) for argument in node.args], text)
    raise ConfigError("lr_lambda", text, f"{ast.unparse(node)!r} is not arithmetic", GRAMMAR)


def _variable(name: str, text: str) -> Node:
    if name in CONSTANTS:
        number = CONSTANTS[name]
        return lambda scope: number
    if name not in ("t", "T"):
        raise ConfigError("lr_lambda", text, f"{name!r} is unknown here", nearest(name, ["t", "T", *CONSTANTS]))
    return lambda scope: scope[name]


def _call(name: str, arguments: list[Node], text: str) -> Node:
    if name not in FUNCTIONS:
        raise ConfigError("lr_lambda", text, f"{name!r} is no function here", nearest(name, FUNCTIONS))
    function = FUNCTIONS[name]
    return lambda scope: function(*(argument(scope) for argument in arguments))
