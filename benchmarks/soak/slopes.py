"""How fast something grows, fitted over several lives of a process, and how sure that is. Pure."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.645
"""One-sided 95% of the normal distribution."""
LEAST_POINTS = 8


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth an hour, with the value that it lies below with 95% confidence, and over how much it was seen.

    Args:
        per_h: least squares, with a level of its own for each life.
        error_per_h: its standard error.
        hours: the longest life that was looked at, its warm-up left out.
        points: how many values it was fitted to.
    """

    per_h: float
    error_per_h: float
    hours: float
    points: int

    @property
    def most_per_h(self) -> float:
        """The upper bound."""
        return self.per_h + Z95 * self.error_per_h


def slope(lives: Sequence[Sequence[tuple[float, float]]]) -> Slope | None:
    """Fit one slope to (hours, value) of several lives; None where there are too few points.

    Neighbouring samples are alike, so the standard error is widened by their first-order autocorrelation r:
    sqrt((1 + r) / (1 - r)) (Wilks, Statistical Methods in the Atmospheric Sciences, 2011, section 5.2.4).
    """
    centred = [_centred(life) for life in lives if len(life) >= LEAST_POINTS]
    points = [each for life in centred for each in life]
    spread = sum(x * x for x, _ in points)
    if not spread:
        return None
    per_h = sum(x * y for x, y in points) / spread
    residuals = [[y - per_h * x for x, y in life] for life in centred]
    degrees = max(1, len(points) - len(centred) - 1)
    variance = sum(each * each for life in residuals for each in life) / degrees
    widened = math.sqrt((1 + (r := _alike(residuals))) / (1 - r))
    error = math.sqrt(variance / spread) * widened
    longest = max(life[-1][0] - life[0][0] for life in lives if len(life) >= LEAST_POINTS)
    return Slope(per_h, error, longest, len(points))


def _centred(life: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    x_mean = sum(x for x, _ in life) / len(life)
    y_mean = sum(y for _, y in life) / len(life)
    return [(x - x_mean, y - y_mean) for x, y in life]


def _alike(residuals: Sequence[Sequence[float]]) -> float:
    """Return the first-order autocorrelation, between 0 and 0.98."""
    whole = sum(each * each for life in residuals for each in life)
    if not whole:
        return 0.0
    beside = sum(a * b for life in residuals for a, b in itertools.pairwise(life))
    return min(0.98, max(0.0, beside / whole))
