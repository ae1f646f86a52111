"""Draw: which mutants stand for all of them, and how near what is told of them comes to what would be of all.

A draw is stratified: each module gives in proportion to what it has, and a few at least.
"""

import random
from collections.abc import Mapping
from math import inf, sqrt
from typing import NamedTuple

from benchmarks.mutation.mutants import Mutant

LEAST = 2
"""So many of each module at least, however small it is."""
Z_95 = 1.959964
"""The 97.5th percentile of the normal distribution: an interval of 95%."""


class Stratum(NamedTuple):
    """What became of one module's mutants: how many there are, were tried, make a difference, were told."""

    there: int
    tried: int
    real: int
    told: int

    @property
    def weight(self) -> float:
        """How many of the module each one that was tried stands for."""
        return self.there / self.tried if self.tried else 0.0


class Rate(NamedTuple):
    """A share, and the ends of its 95% interval."""

    share: float
    low: float
    high: float


def drawn(there: Mapping[str, list[Mutant]], size: int | None, seed: int) -> list[Mutant]:
    """Return `size` mutants of all modules, in the order of their lines; all of them where it is None.

    Args:
        there: all mutants, by module.
        size: how many in all; a few more where modules are so small that `LEAST` is above their part.
        seed: of the draw; a module's draw is independent of the others'.
    """
    chosen: list[Mutant] = []
    for name, number in _parts({each: len(mutants) for each, mutants in there.items()}, size).items():
        picked = random.Random(f"{seed}/{name}").sample(there[name], number)
        chosen += sorted(picked, key=lambda each: each.lines)
    return chosen


def _parts(there: Mapping[str, int], size: int | None) -> dict[str, int]:
    """How many each module gives; what rounding leaves over goes to those it took most from."""
    total = sum(there.values())
    if size is None or size >= total:
        return dict(there)
    exact = {name: size * count / total for name, count in there.items()}
    parts = {name: max(min(LEAST, there[name]), int(part)) for name, part in exact.items()}
    for name in sorted(there, key=lambda each: (int(exact[each]) - exact[each], each)):
        if sum(parts.values()) < size and parts[name] <= exact[name]:
            parts[name] += 1
    return parts


def rate(strata: list[Stratum]) -> Rate:
    """Return the share that is told, each mutant counted for as many as it stands for.

    Wilson's score interval (E. B. Wilson, JASA 22, 1927) with Kish's effective sample size for the weights,
    and the correction for a finite whole: where all were tried, nothing is left to chance. That modules
    differ from each other is not made use of, so it is rather too wide.
    """
    real = sum(each.weight * each.real for each in strata)
    if not real:
        return Rate(1.0, 0.0, 1.0)
    share = sum(each.weight * each.told for each in strata) / real
    squares = sum(each.weight**2 * each.real for each in strata)
    there, tried = sum(each.there for each in strata), sum(each.tried for each in strata)
    size = real**2 / squares * (there - 1) / (there - tried) if there > tried else inf
    squeezed = 1 + Z_95**2 / size
    middle = (share + Z_95**2 / (2 * size)) / squeezed
    half = Z_95 / squeezed * sqrt(share * (1 - share) / size + Z_95**2 / (4 * size**2))
    return Rate(share, max(0.0, middle - half), min(1.0, middle + half))
