"""Chance: every random draw of a simulated world, from one seed.

Each name has a stream of its own, so that one more draw for one thing leaves all others as they were.
"""

from random import Random


class Chance:
    """Draws by name. Two of the same seed draw the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Random] = {}

    def stream(self, name: str) -> Random:
        """Return the stream of this name."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Random(f"{self.seed}/{name}")  # noqa: S311 - not for secrets
        return found

    def happens(self, name: str, probability: float) -> bool:
        """Return whether something of this probability happens on this occasion."""
        return probability > 0 and self.stream(name).random() < probability

    def between(self, name: str, low: float, high: float) -> float:
        """Return a number from `low` to `high`, each as likely."""
        return self.stream(name).uniform(low, high)

    def wait_s(self, name: str, mean_s: float) -> float:
        """Return the seconds until the next event of a kind that has this mean time between events."""
        return self.stream(name).expovariate(1.0 / mean_s)

    def count(self, name: str, mean: float) -> int:
        """Return a count around `mean`, spread as arrivals are (normal, with the mean as variance)."""
        if mean <= 0:
            return 0
        drawn = round((self._streams.get(name) or self.stream(name)).gauss(mean, mean**0.5))
        return max(0, drawn)
