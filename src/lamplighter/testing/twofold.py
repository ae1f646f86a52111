"""A step that makes each pass in both forms, and fails where they do not come to the same."""

import msgspec

from lamplighter.engine.rest import Rest
from lamplighter.engine.step import step
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result


class Twofold:
    """Decides as a loop does, looking only at who is not at rest, and again looking at everybody."""

    def __init__(self) -> None:
        """Begin with everybody awake."""
        self._rest = Rest()
        self.passes = 0

    def __call__(self, history: History, inputs: Inputs) -> tuple[History, Result]:
        """Return what a pass comes to.

        Raises:
            AssertionError: the two forms differ, in a byte or in the order of keys.
        """
        found = step(history, inputs, self._rest)
        expected = step(history, inputs)
        self.passes += 1
        for one, other in zip(expected, found, strict=True):
            assert msgspec.json.encode(one) == msgspec.json.encode(other), "the two forms of a pass differ"
        return found
