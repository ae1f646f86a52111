"""Befalling: what each kind of trouble does to a world. A part of the world.

Some are over at once; others are spells: for as long as one lasts, whoever does the thing that it bears on
asks for it. What befalls maintainers and what they write to is not the world's: see `testing.upkeep`.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from lamplighter.model.value import Instant
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.journal import Mishap
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.troubles import EVERYTHING, Trouble

if TYPE_CHECKING:
    from lamplighter.targets.simulated.world import World

SPELLS = frozenset(
    {
        "crash-loop",
        "late-crash",
        "slow-start",
        "never-ready",
        "deaf",
        "unanswered",
        "late",
        "gaps",
        "blips",
        "contradictions",
        "health-lies",
        "load-lies",
        "list-short",
        "orders-lost",
        "answers-lost",
        "orders-late",
        "orders-doubled",
        "refusals",
        "slow-answers",
        "supervisor-restart",
        "reboot",
        "disk-slow",
    }
)
"""Kinds that are asked for while they last."""
COUNTED_S = 30.0
"""A fault counts as near for so long after it."""


UNENDED = frozenset({"standing-still"})
"""Who stands still does so to the end, even if nothing goes wrong any more."""


class Befalling:
    """Lets troubles come about, and remembers which spells last."""

    def __init__(self, world: "World") -> None:
        self.counts: Counter[str] = Counter()
        self.near: dict[str, tuple[Instant, Instant]] = {}
        self._world = world
        self._spells: dict[tuple[str, str], tuple[Instant, float]] = {}

    def befall(self, trouble: Trouble) -> None:
        """Let a trouble come about now."""
        world = self._world
        subject = trouble.subject or "world"
        size = f", {trouble.size:g}" if trouble.size != 1 else ""
        lasts = f" for {trouble.for_s:.1f} s" if trouble.for_s else ""
        world.note(Mishap(world.now, subject, f"{trouble.kind}{lasts}{size}"))
        self.tally(trouble.kind, trouble.for_s)
        if trouble.kind in SPELLS:
            self.spell(trouble)
        _AT_ONCE.get(trouble.kind, _nothing)(world, trouble)

    def spell(self, trouble: Trouble) -> None:
        """Let a spell last; one that lasts already lasts as long as the longer of the two."""
        key = (trouble.kind, trouble.subject)
        until, _ = self._spells.get(key, (0.0, 0.0))
        self._spells[key] = (max(until, self._world.now + trouble.for_s), trouble.size)

    def size(self, kind: str, subject: str = "") -> float | None:
        """Return how bad a spell is that lasts now, None if there is none."""
        if not self._spells:
            return None
        found = self._spells.get((kind, subject)) or self._spells.get((kind, EVERYTHING))
        return found[1] if found is not None and self._world.now < found[0] else None

    def lasts(self, *kinds: str) -> bool:
        """Return whether a spell of one of these kinds lasts now, whomever it befell."""
        now = self._world.now
        return any(kind in kinds and now < until for (kind, _), (until, _) in self._spells.items())

    def happens(self, kind: str, probability: float, subject: str = "") -> bool:
        """Return whether a fault happens now: by the chance that it always has, or that of a spell."""
        size = self.size(kind, subject)
        likely = probability if size is None else max(probability, size)
        happens = likely > 0 and self._world.chance.happens(kind, likely)
        if happens:
            self.tally(kind)
        return happens

    def tally(self, kind: str, for_s: float = 0.0) -> None:
        """Count a fault, and remember that it is near."""
        now = self._world.now
        self.counts[kind] += 1
        self.near[kind] = (now, max(now + for_s, self.near.get(kind, (now, now))[1]))

    def lately(self, kind: str, within_s: float) -> bool:
        """Return whether a kind of fault lasts, or lasted until a moment ago."""
        near = self.near.get(kind)
        return near is not None and self._world.now <= near[1] + within_s

    def end_all(self) -> None:
        """End every spell; what takes its time is near until then."""
        self._spells.clear()
        now = self._world.now
        for kind, (began, ends) in self.near.items():
            self.near[kind] = began, ends if kind in UNENDED else min(ends, now)


def _nothing(_world: "World", _trouble: Trouble) -> None:
    """Nothing happens at once."""


def _some(world: "World", trouble: Trouble, *, serving: bool = False) -> list[Body]:
    """Return some of a workload's live replicas, as many as the trouble's size."""
    live = [
        each
        for each in world.bodies.values()
        if each.workload == trouble.subject and each.live and (each.serving or not serving)
    ]
    count = min(len(live), max(1, round(trouble.size)))
    return world.chance.stream(f"trouble/{trouble.kind}").sample(live, count)


def _crash(world: "World", trouble: Trouble) -> None:
    for each in _some(world, trouble):
        world.mishaps.crash(each, 1.0 if trouble.kind == "vanish" else 0.0)


def _hang(world: "World", trouble: Trouble) -> None:
    for each in _some(world, trouble, serving=True):
        world.mishaps.hang(each, trouble.for_s)


def _lie(world: "World", trouble: Trouble) -> None:
    for each in _some(world, trouble, serving=True):
        world.mishaps.lie(each, trouble.for_s)


def _leak(world: "World", trouble: Trouble) -> None:
    for each in _some(world, trouble):
        world.mishaps.leak(each)


def _checks_flap(world: "World", trouble: Trouble) -> None:
    for each in _some(world, trouble, serving=True):
        world.mishaps.flap(each, trouble.for_s, trouble.size)


def _reboot(world: "World", trouble: Trouble) -> None:
    for each in tuple(world.bodies.values()):
        world.mishaps.crash(each, 1.0 if trouble.size >= 1 / 2 else 0.0)
    world.restart_target(forget_shares=False)


def _gateway_restart(world: "World", _trouble: Trouble) -> None:
    world.restart_gateway()


def _supervisor_restart(world: "World", _trouble: Trouble) -> None:
    world.restart_target(forget_shares=False)


def _silent(world: "World", trouble: Trouble) -> None:
    for each in SOURCES if trouble.subject == EVERYTHING else (trouble.subject,):
        world.silences.begin(each, trouble.for_s, "stuck" if trouble.kind == "stuck" else "fault")


def _flapping(world: "World", trouble: Trouble) -> None:
    for each in SOURCES if trouble.subject == EVERYTHING else (trouble.subject,):
        world.silences.flap(each, trouble.for_s, trouble.size)


def _burst(world: "World", trouble: Trouble) -> None:
    world.surge(trouble.subject, trouble.for_s, trouble.size)


_AT_ONCE: dict[str, Callable[["World", Trouble], None]] = {
    "crash": _crash,
    "vanish": _crash,
    "hang": _hang,
    "hang-for-good": _hang,
    "lie": _lie,
    "leak": _leak,
    "checks-flap": _checks_flap,
    "reboot": _reboot,
    "gateway-restart": _gateway_restart,
    "supervisor-restart": _supervisor_restart,
    "silent": _silent,
    "stuck": _silent,
    "flapping": _flapping,
    "burst": _burst,
    "lull": _burst,
}
"""What is over at once, or goes on by itself."""
