"""The witness: what checkers may go by besides the world itself: what people ordered, what was recorded.

It hears of each pass when that is recorded, and of each order when that is answered. It looks at no
opinion of the engine: neither at what it remembers nor at why it wants something.
"""

from lamplighter.model.history import History
from lamplighter.model.intents import Approve, Down, Intent, Rollback, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Service, System
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import World
from lamplighter.testing.stores import Disk

Ordered = tuple[Instant, str]
"""When, and which release (empty: an earlier one, whichever that is)."""


class Witness:
    """What is known of one run."""

    def __init__(self, world: World, disk: Disk | None = None) -> None:
        """Begin with nothing ordered and nothing recorded."""
        self.world = world
        self.disk = disk or Disk()
        self.system: System | None = None
        self.systems: list[System] = []
        self.releases: dict[str, list[Ordered]] = {}
        self.rolled_back: dict[str, Instant] = {}
        self.down_at: Instant | None = None
        self.recorded: set[str] = set()
        self.asked: set[str] = set()
        self.approved: set[str] = set()
        self.passes = 0

    def heard(self, inputs: Inputs, result: Result, after: History, *, recorded: bool) -> None:
        """Take in a pass, which has just been recorded or could not be.

        Of the history after it only the names of actions under way are looked at: a record holds them too.
        """
        self.passes += 1
        answers = {each.intent: each.accepted for each in result.answers}
        for intent in inputs.intents:
            if answers.get(intent.id):
                self._ordered(intent, inputs.now)
        if recorded:
            self.recorded.update(each.id for each in result.decisions if each.state == "act")
            self.recorded.update(after.pending)
        self.asked.update(each.id for each in result.decisions if each.state == "asked")

    def service(self, workload: str) -> Service | None:
        """Return a workload as the spec in force has it."""
        return self.system.services.get(workload) if self.system else None

    def drain_s(self, workload: str) -> float:
        """Return the shortest drain that any spec so far has promised a workload's requests."""
        found = [each.services[workload].drain_s for each in self.systems if workload in each.services]
        return min(found, default=0.0)

    def surge(self, workload: str) -> int:
        """Return by how much a workload may exceed its `max`, at the most."""
        found = [each.services[workload].rollout.surge for each in self.systems if workload in each.services]
        return max(found, default=0)

    def released_by_order(self, workload: str) -> bool:
        """Return whether a person has ordered this workload down, out of the spec, or back."""
        return self.down_at is not None or self.service(workload) is None or workload in self.rolled_back

    def _ordered(self, intent: Intent, at: Instant) -> None:
        match intent:
            case Up(system=system, releases=releases):
                self.system, self.down_at = system, None
                self.systems.append(system)
                for name, release in releases.items():
                    self.rolled_back.pop(name, None)
                    self.releases.setdefault(name, []).append((at, release))
            case Rollback(workload=workload, to=to):
                self.rolled_back[workload] = at
                self.releases.setdefault(workload, []).append((at, to))
            case Approve(action=action):
                self.approved.add(action)
            case Down():
                self.down_at = at
