"""When requests are due: stages of a rate turned into moments, from a seed.

Pure: no clock, no sockets. The generator turns the offsets into sends.
"""

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

import msgspec

Spacing = Literal["poisson", "constant"]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of time at one rate, or with a rate that moves in a straight line.

    Args:
        seconds: how long it lasts, above 0.
        rate: requests per second at its start, 0 or more.
        to: requests per second at its end; None keeps `rate`.
    """

    seconds: float
    rate: float
    to: float | None = None

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.rate >= 0 and (self.to is None or self.to >= 0)):
            raise ValueError(f"a stage needs seconds > 0 and rates >= 0, not {self}")

    @property
    def end_rate(self) -> float:
        """Requests per second at the end of the stage."""
        return self.rate if self.to is None else self.to

    @property
    def expected(self) -> float:
        """How many requests fall into the stage on average."""
        return self.seconds * (self.rate + self.end_rate) / 2

    def moment(self, count: float) -> float:
        """The offset in seconds at which `count` requests are expected; `count` is below `expected`.

        Solves rate * t + (end_rate - rate) * t^2 / (2 * seconds) = count for t, in the form that stays
        exact when both rates are equal.
        """
        bend = (self.end_rate - self.rate) / self.seconds
        return 2 * count / (self.rate + math.sqrt(max(0.0, self.rate**2 + 2 * bend * count)))


def arrivals(stages: Sequence[Stage], seed: int, spacing: Spacing = "poisson") -> Iterator[float]:
    """The offsets in seconds from the start at which a request is due, rising.

    Poisson arrivals are unit-rate exponential gaps carried through the expected count (time rescaling:
    Cinlar, Introduction to Stochastic Processes, 1975, section 4.7); constant ones are gaps of exactly one.
    The same seed and stages give the same offsets.
    """
    draw = Random(f"arrivals:{seed}")
    begun, counted = 0.0, 0.0
    due = _gap(draw, spacing)
    for stage in stages:
        while due < counted + stage.expected:
            yield begun + stage.moment(due - counted)
            due += _gap(draw, spacing)
        begun += stage.seconds
        counted += stage.expected


def duration_s(stages: Sequence[Stage]) -> float:
    """How long the stages last together."""
    return sum(stage.seconds for stage in stages)


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Read `SECONDS:RATE[-RATE]`, several with commas: `10:50,20:50-250` holds 50/s, then rises to 250/s.

    Raises:
        ValueError: the text has another form; says which piece.
    """
    return tuple(_stage(piece) for piece in text.split(","))


def _stage(piece: str) -> Stage:
    try:
        seconds, rates = piece.split(":")
        first, _, last = rates.partition("-")
        return Stage(float(seconds), float(first), float(last) if last else None)
    except ValueError as error:
        raise ValueError(f"stage {piece!r} is not SECONDS:RATE or SECONDS:RATE-RATE ({error})") from error


def _gap(draw: Random, spacing: Spacing) -> float:
    return draw.expovariate(1.0) if spacing == "poisson" else 1.0
