"""Shapes: how a phase goes from its start ``a`` to its end ``b`` over local progress ``x`` in [0, 1].

A shape is a function ``(a, b, x) -> value``, vectorised over ``x`` (float64 array), with
``shape(a, b, 0) = a`` and ``shape(a, b, 1) = b``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from lrsched.errors import ConfigError
from lrsched.schedules.checks import one_of

Floats: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = Callable[[float, float, Floats], Floats]

WarmupShape: TypeAlias = Literal["linear", "cosine", "polynomial", "exponential", "sqrt", "constant"]
WARMUP_SHAPES: tuple[WarmupShape, ...] = get_args(WarmupShape)
DecayShape: TypeAlias = Literal["linear", "cosine", "sqrt", "square", "mirror_cosine", "exponential"]
DECAY_SHAPES: tuple[DecayShape, ...] = get_args(DecayShape)


def constant(a: float, b: float, x: Floats) -> Floats:
    """a, whatever x is."""
    return np.full_like(x, a)


def linear(a: float, b: float, x: Floats) -> Floats:
    """a + (b − a)·x."""
    return a + (b - a) * x


def cosine(a: float, b: float, x: Floats) -> Floats:
    """b + (a − b)·(1 + cos πx)/2."""
    return b + (a - b) * ((1 + np.cos(np.pi * x)) / 2)


def mirror_cosine(a: float, b: float, x: Floats) -> Floats:
    """b + (a − b)·(2(1 − x) − (1 + cos πx)/2): the cosine mirrored at the straight line."""
    return b + (a - b) * (2 * (1 - x) - (1 + np.cos(np.pi * x)) / 2)


def sqrt(a: float, b: float, x: Floats) -> Floats:
    """a + (b − a)·√x: fast first."""
    return a + (b - a) * np.sqrt(x)


def square(a: float, b: float, x: Floats) -> Floats:
    """a + (b − a)·x²: slow first."""
    return a + (b - a) * x**2


def exponential(a: float, b: float, x: Floats) -> Floats:
    """a·(b/a)^x; both ends must be positive."""
    if not (a > 0 and b > 0):
        rule = f"an exponential cannot go from {a:g} to {b:g}: both ends must be above 0"
        raise ConfigError("shape", "exponential", rule, "give a start or final above 0, or another shape")
    return a * (b / a) ** x


def polynomial(power: float) -> Shape:
    """b + (a − b)·(1 − x)^power falling, a + (b − a)·x^power rising: slow at its lower end."""

    def shape(a: float, b: float, x: Floats) -> Floats:
        if b >= a:
            return a + (b - a) * x**power
        return b + (a - b) * (1 - x) ** power

    return shape


NAMED: dict[str, Shape] = {
    shape.__name__: shape for shape in (constant, linear, cosine, mirror_cosine, sqrt, square, exponential)
}


def named(name: str, known: tuple[str, ...], *, key: str = "shape", power: float = 2.0) -> Shape:
    """The shape of that name, one of those that ``key`` allows."""
    one_of(key, name, known)
    return polynomial(power) if name == "polynomial" else NAMED[name]
