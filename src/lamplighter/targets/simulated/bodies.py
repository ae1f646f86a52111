"""Bodies: what simulated replicas truly are, whatever is said of them. Knows no action and no source."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from lamplighter.model.facts import Replica
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Standing

Stage = Literal["booting", "up", "draining", "ending", "ended"]

MEMORY_BYTES = 96 << 20
"""What a replica uses in good health."""
LEAK_BYTES_PER_S = 8 << 20


@dataclass(slots=True, eq=False)
class Body:
    """One replica. `passing`: passes its checks; `failing`: and yet fails its requests.

    `passed_at` is when it last passed its checks, where it has ceased to. `finishes` are the instants
    at which the requests in flight will be finished, once it drains; `stuck` are those that it
    will never finish, for it hangs. `recorded`: its supervisor still knows of it.
    `told`: what was last said of it, for as long as that holds. `frail_s`: it ends so long after it is up.
    """

    id: str
    workload: str
    release: str
    started_at: Instant
    stage: Stage = "booting"
    passing: bool = False
    failing: bool = False
    hung: bool = False
    passed_once: bool = False
    passed_at: Instant | None = None
    down_at: Instant | None = None
    draining_since: Instant | None = None
    drain_until: Instant = 0.0
    finishes: list[Instant] = field(default_factory=list)
    stuck: int = 0
    leaking_since: Instant | None = None
    ended_at: Instant | None = None
    signal: int | None = None
    recorded: bool = True
    told: Replica | None = None
    frail_s: float | None = None

    @property
    def live(self) -> bool:
        """Neither on its way out nor ended."""
        return self.stage in ("booting", "up")

    @property
    def serving(self) -> bool:
        """Gets requests, as far as the balancer is concerned."""
        return self.stage == "up" and self.passing

    def unfinished(self, at: Instant) -> int:
        """Return how many requests it still has in flight, once it drains."""
        return len(self.finishes) - bisect_right(self.finishes, at) + self.stuck

    def memory_bytes(self, at: Instant) -> int:
        """Return the memory that it uses."""
        leaked_s = 0.0 if self.leaking_since is None else at - self.leaking_since
        return MEMORY_BYTES + int(leaked_s * LEAK_BYTES_PER_S)

    def standing(self) -> Standing:
        """Return how it stands, for the journal."""
        return Standing(
            id=self.id,
            workload=self.workload,
            release=self.release,
            live=self.live,
            passing=self.serving,
            hung=self.hung,
            ended=self.stage == "ended",
            down_at=self.down_at,
        )
