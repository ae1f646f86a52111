"""Shrinking: of a story that fails, what is left fails in the same way, and can be written into a test."""

from msgspec.structs import replace

from lamplighter.model import intents, system
from lamplighter.model.actions import Action, Outcome, Scale
from lamplighter.model.facts import Facts
from lamplighter.ports import Scope, Target
from lamplighter.targets import simulated
from lamplighter.testing.report import Parts
from lamplighter.testing.shrink import Shrinking, written
from lamplighter.testing.story import Order, Story, story

NAMES = {**vars(simulated), **vars(intents), **vars(system), "Order": Order, "Story": Story}


class Hasty:
    """A target that lets no request finish: everything that it drains it ends at once."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def observe(self, scope: Scope) -> Facts:
        """Observe."""
        return await self._target.observe(scope)

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Apply, without any time for a drain."""
        hasty = replace(action, drain_s=0.0) if isinstance(action, Scale) else action
        return await self._target.apply(hasty, action_id=action_id, token=token)


def test_planted_bug_is_shrunk_to_what_shows_it() -> None:
    """Of a whole story with a bug planted, what is left is a fraction, and the same checker still tells."""
    whole = story(7, length_s=240.0)
    found = Shrinking(whole, 7, "DrainAsPromised", Parts(target=Hasty))
    small = found.run()
    pieces = len(small.troubles) + len(small.orders)
    assert (True, True, True) == (pieces <= 3, len(small.apps) <= 2, found.fails(small))


def test_what_is_left_can_be_pasted_into_a_test() -> None:
    """A story that is written out makes the same story again."""
    whole = story(5, length_s=600.0)
    assert whole == eval(written(whole), dict(NAMES))  # noqa: S307 - our own text
