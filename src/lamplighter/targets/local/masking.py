"""Secret values that a program has printed, kept from those who read its logs through us.

What a program writes is its own and stands in its log as it wrote it, for its user only. What is shown of
it goes further, into tickets, terminals and models: there each value that is kept for any release is
replaced. Values shorter than SHORTEST are not looked for; they would be found in everything.
"""

import time
from contextlib import suppress

from lamplighter.model.errors import LampError
from lamplighter.ports import Secrets
from lamplighter.targets.local.releases.store import ReleaseStore

MASK = "[secret {name}]"
SHORTEST = 6
LOOK_AGAIN_S = 5.0
"""A release that was cut meanwhile may have brought new values."""


class Mask:
    """Replaces the values that the releases of a store use."""

    def __init__(self, store: ReleaseStore, secrets: Secrets) -> None:
        """Take where the releases and where the values are; nothing is read yet."""
        self._store = store
        self._secrets = secrets
        self._values: dict[str, str] = {}
        self._looked_at = float("-inf")

    def __call__(self, text: str) -> str:
        """Return a line with each value replaced by the name of its secret."""
        if time.monotonic() - self._looked_at > LOOK_AGAIN_S:
            self._look()
        for value, name in self._values.items():
            if value in text:
                text = text.replace(value, MASK.format(name=name))
        return text

    def _look(self) -> None:
        """Read the values; of one with several lines each line counts. The longest are replaced first."""
        found: dict[str, str] = {}
        versions = {pair for release in self._store.all() for pair in release.secrets.items()}
        for name, version in sorted(versions):
            with suppress(LampError):  # not kept any more: no replica has it either
                value = self._secrets.value(name, version)
                found |= {part: name for part in value.splitlines() if len(part) >= SHORTEST}
        self._values = dict(sorted(found.items(), key=lambda each: -len(each[0])))
        self._looked_at = time.monotonic()
