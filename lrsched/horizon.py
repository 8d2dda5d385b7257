"""The length of a run, and durations that become whole steps once, at the border."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Literal, TypeAlias, cast

from lrsched.errors import ConfigError

UNITS = {"%": "percent of the run", "ep": "epochs", "st": "steps", "sp": "samples"}
RULE = "a duration carries its unit: 5% (of the run), 2ep (epochs), 500st (steps) or 64000sp (samples)"

Duration = Annotated[str, RULE]
"""A length with its unit, as text: ``"5%"``, ``"2ep"``, ``"500st"``, ``"64000sp"``."""

Policy: TypeAlias = Literal["keep", "stretch", "cooldown", "restart", "reanneal"]
POLICIES: dict[str, str] = {
    "keep": "what was planned, then its last value",
    "stretch": "the schedule of a run of the new length, from here on",
    "cooldown": "the value in force, and a decay at the end",
    "restart": "the schedule once more, over the steps that are left",
    "reanneal": "from the value in force down to final, over the steps that are left",
}
"""What a schedule does when a run is continued for longer or shorter than it was planned for."""

WRITTEN = r"^\s*(\d{1,18}(\.0{1,18})?|\.0{1,18})\s*(st|sp)\s*$|^\s*(\d{1,18}(\.\d{1,18})?|\.\d{1,18})\s*(%|ep)\s*$"
"""What :func:`parse` accepts, as a pattern of JSON Schema."""

_PATTERN = re.compile(r"\s*(\d{1,18}(?:\.\d{1,18})?|\.\d{1,18})\s*(%|ep|st|sp)\s*")


@dataclass(frozen=True)
class Horizon:
    """How long a run is.

    Args:
        steps: optimizer updates in the run, at least 1.
        steps_per_epoch: updates in one pass over the data, needed only for durations in epochs; 0: not known.
        samples_per_step: samples in one full update, needed only for durations in samples.
        whole: steps of the whole run, where this is a part of it: percentages are of the whole.
        unit: what one step of a duration counts here; not 1 in a run that was configured at another pace.

    Raises:
        ConfigError: a number that is not whole, or a run without a step.

    >>> horizon = Horizon(steps=1000, steps_per_epoch=100, samples_per_step=64)
    >>> [horizon.resolve(d) for d in ("5%", "2ep", "500st", "64000sp", "0.5ep")]
    [50, 200, 500, 1000, 50]
    >>> horizon.epochs
    10.0
    """

    steps: int
    steps_per_epoch: int = 0
    samples_per_step: int = 0
    whole: int = 0
    unit: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        for name in ("steps", "steps_per_epoch", "samples_per_step"):
            if type(getattr(self, name)) is not int:
                raise ConfigError(f"horizon.{name}", getattr(self, name), "must be a whole number")
            if getattr(self, name) < 0:
                raise ConfigError(f"horizon.{name}", getattr(self, name), "must be at least 0")
        if self.steps < 1:
            raise ConfigError("horizon.steps", self.steps, "a run has at least one step")
        if self.whole < 1:
            object.__setattr__(self, "whole", self.steps)

    def part(self, steps: int) -> Horizon:
        """So many steps of this run: a clock of its own, in which 5% is still 5 % of the whole run.

        Args:
            steps: in the part, at least 1.

        >>> part = Horizon(steps=1000, steps_per_epoch=100).part(300)
        >>> part.steps, part.resolve("5%"), part.resolve("2ep")
        (300, 50, 200)
        """
        return replace(self, steps=steps)

    @property
    def epochs(self) -> float:
        """Passes over the data in the run; 1 where nobody knows how long one is."""
        return self.steps / (self.steps_per_epoch or self.steps)

    def resolve(self, duration: str, key: str = "duration", *, least: Literal[0, 1] = 0) -> int:
        """The whole steps of a duration, rounded half up, in exact arithmetic.

        Args:
            duration: text with a unit, as ``"5%"``.
            key: the name that an error speaks of.
            least: 1 where no steps at all make no sense: then a duration above 0 is not rounded to 0,
                so that 5% can also be said of a run that is tried for one step.

        Raises:
            ConfigError: no unit, an unknown unit, a broken step, or a length of 0 where ``least`` is 1.

        >>> Horizon(steps=3).resolve("10%"), Horizon(steps=3).resolve("10%", least=1)
        (0, 1)
        """
        exact = self.exact(duration, key)
        if least and not exact:
            raise ConfigError(key, duration, "must be at least one step", "give a longer duration")
        return max(least, half_up(exact))

    def exact(self, duration: str, key: str = "duration") -> Fraction:
        """The steps of a duration before rounding: for sums of durations, which are rounded once, as a whole.

        Args:
            duration: text with a unit, as ``"5%"``.
            key: the name that an error speaks of.

        Raises:
            ConfigError: as for :meth:`resolve`, of a unit that cannot be used here.

        >>> Horizon(steps=25).exact("30%")
        Fraction(15, 2)
        """
        amount, unit = parse(duration, key)
        if unit == "%":
            return amount * self.whole / 100
        if unit == "ep":
            if not self.steps_per_epoch:
                remedy = f"give Horizon({self.whole}, steps_per_epoch=NUMBER), or use % or st"
                raise ConfigError(key, duration, "how many steps an epoch has is not known here", remedy)
            return amount * self.steps_per_epoch
        if unit == "st":
            return amount * self.unit
        if not self.samples_per_step:
            raise ConfigError(key, duration, "samples per step are not known here", "use %, ep or st")
        return amount / self.samples_per_step


def half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up.

    >>> [half_up(Fraction(n, 4)) for n in (1, 2, 3, 6)]
    [0, 1, 1, 2]
    """
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _with_unit(bare: str) -> str:
    """What a number without a unit may have been meant as.

    >>> [_with_unit(bare) for bare in ("0.05", "1.5", "30", "500.0", "zero")]
    ['write 5%', 'write 1.5ep or 1.5%', 'write 30st, 30ep or 30%', 'write 500st or 500ep', '']
    """
    if not re.fullmatch(r"\d+(\.\d+)?", bare) or not float(bare):
        return ""
    amount = Fraction(bare)
    if amount < 1:
        return f"write {float(100 * amount):g}%"
    text = f"{float(amount):.12g}"
    units = ["st"] * (amount.denominator == 1) + ["ep"] + ["%"] * (amount <= 100)
    *first, last = [text + unit for unit in units]
    return f"write {', '.join(first)} or {last}"


def parse(duration: str, key: str = "duration") -> tuple[Fraction, Literal["%", "ep", "st", "sp"]]:
    """Amount and unit of a duration.

    >>> parse("2.5ep")
    (Fraction(5, 2), 'ep')
    >>> parse("5")
    Traceback (most recent call last):
    lrsched.errors.ConfigError: duration=5: a duration carries its unit: 5% (of the run), \
2ep (epochs), 500st (steps) or 64000sp (samples); write 5st, 5ep or 5%
    """
    text = cast("object", duration)  # from a config or a caller: it may be a number
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(key, duration, RULE, _with_unit(str(duration).strip()))
    amount, unit = Fraction(match[1]), match[2]
    if unit in ("st", "sp") and amount.denominator != 1:
        raise ConfigError(key, duration, f"{UNITS[unit]} are whole numbers", "use % or ep for a part of the run")
    return amount, unit  # type: ignore[return-value]
