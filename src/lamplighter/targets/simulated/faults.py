"""Faults: everything that may go wrong in a simulated world, each a named probability or duration.

Read by the world, its sources and its target. `every_s` is a mean time between events (0: never), drawn
from an exponential distribution; `p` is a probability for each occasion. Knows nothing of any policy.
"""

from msgspec.structs import replace

from lamplighter.model.value import Value
from lamplighter.targets.simulated.chance import Chance


class ReplicaFaults(Value):
    """What befalls replicas; times between events are for each replica."""

    start_slow_p: float = 0.0
    start_slow_s: float = 10.0
    crash_at_start_p: float = 0.0
    crash_every_s: float = 0.0
    crash_unrecorded_p: float = 0.0
    """The record is lost with the replica: it is listed no more, and nobody knows how it ended."""
    hang_every_s: float = 0.0
    hang_for_s: float = 0.0
    """0: until it is replaced."""
    lie_every_s: float = 0.0
    lie_for_s: float = 20.0
    """Passes its checks and fails its requests."""
    leak_every_s: float = 0.0
    end_ignored_p: float = 0.0
    end_ignored_s: float = 5.0
    """Goes on after the signal to end, until it is killed."""


class SourceFaults(Value):
    """What befalls the sources of facts: each of processes, health and traffic by itself, or all at once."""

    silent_every_s: float = 0.0
    silent_for_s: float = 15.0
    blackout_every_s: float = 0.0
    blackout_for_s: float = 20.0
    late_p: float = 0.0
    late_s: float = 2.0
    missing_p: float = 0.0
    """One value (of a replica or a load) cannot be had in one snapshot."""
    blip_p: float = 0.0
    """A check fails once though nothing is wrong."""
    contradiction_p: float = 0.0
    """Health goes on praising what has ended; loads do not add up."""


class AnswerFaults(Value):
    """What befalls an action on its way to the target and its answer on the way back."""

    slow_p: float = 0.0
    slow_s: float = 3.0
    refused_p: float = 0.0
    lost_before_p: float = 0.0
    """No answer, and nothing was done."""
    lost_after_p: float = 0.0
    """No answer, though it was done."""
    late_p: float = 0.0
    late_s: float = 4.0
    """No answer, and it is done only later."""


class MaintainerFaults(Value):
    """What befalls the maintainer and what it writes to."""

    killed_every_s: float = 0.0
    """Killed between any two steps of a pass; a successor starts."""
    away_s: float = 2.0
    """From its death to its successor's first pass."""
    deposed_every_s: float = 0.0
    """Stopped in the middle of a pass, succeeded, and then woken up again."""
    stopped_for_s: float = 8.0
    wall_jump_every_s: float = 0.0
    wall_jump_s: float = 86_400.0
    disk_full_every_s: float = 0.0
    disk_full_for_s: float = 30.0
    disk_reserve_writes: int = 4
    """What can still be written once the disk is full."""


class Faults(Value):
    """Everything that may go wrong. The default is a world in which nothing does."""

    replicas: ReplicaFaults = ReplicaFaults()
    sources: SourceFaults = SourceFaults()
    answers: AnswerFaults = AnswerFaults()
    maintainer: MaintainerFaults = MaintainerFaults()


STORM = Faults(
    replicas=ReplicaFaults(
        start_slow_p=0.1,
        crash_at_start_p=0.05,
        crash_every_s=600.0,
        crash_unrecorded_p=0.1,
        hang_every_s=900.0,
        lie_every_s=1200.0,
        leak_every_s=1800.0,
        end_ignored_p=0.2,
    ),
    sources=SourceFaults(
        silent_every_s=150.0,
        blackout_every_s=300.0,
        late_p=0.1,
        missing_p=0.02,
        blip_p=0.005,
        contradiction_p=0.05,
    ),
    answers=AnswerFaults(slow_p=0.05, refused_p=0.03, lost_before_p=0.05, lost_after_p=0.05, late_p=0.03),
    maintainer=MaintainerFaults(
        killed_every_s=60.0,
        deposed_every_s=200.0,
        wall_jump_every_s=150.0,
        disk_full_every_s=300.0,
    ),
)
"""Everything at once, more often than any real place would see it."""

_PART_KEPT_P = 0.6
_FAULT_KEPT_P = 0.7


def drawn(chance: Chance, storm: Faults = STORM) -> Faults:
    """Return some of a storm's faults: each part is kept or dropped, then each fault within it.

    A run with few kinds of faults goes deeper into each than one with all of them ("swarm testing",
    Groce et al., ISSTA 2012).
    """
    parts = {name: _thinned(chance, getattr(storm, name)) for name in storm.__struct_fields__}
    return replace(storm, **parts)


def _thinned(chance: Chance, part: Value) -> Value:
    if not chance.happens("faults", _PART_KEPT_P):
        return type(part)()
    switches = [name for name in part.__struct_fields__ if name.endswith(("_p", "_every_s"))]
    dropped = {name: 0.0 for name in switches if not chance.happens("faults", _FAULT_KEPT_P)}
    return replace(part, **dropped)
