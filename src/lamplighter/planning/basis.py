"""The basis: a digest of those facts that a plan or an approval rests on.

Only what a decision about structure depends on goes in (which replicas of which release exist and
how they stand, what is wanted, what the gateway does); loads and ages change all the time and stay out.
"""

from lamplighter.model.facts import Facts, Phase
from lamplighter.model.history import History
from lamplighter.model.value import digest


def basis(facts: Facts, history: History) -> str:
    """Return the digest of the facts and memories that a plan for the whole system rests on."""
    replicas = sorted((each.id, each.release, _standing(each.phase)) for each in facts.replicas)
    workloads = {
        name: (each.stable, each.rollout, sorted(each.wanted.items()))
        for name, each in sorted(history.workloads.items())
    }
    return digest((replicas, workloads, facts.shares, facts.configured, history.stopping is not None))


def _standing(phase: Phase) -> str:
    """Starting and running are one standing: a replica that becomes ready changes no plan."""
    return "live" if phase in (Phase.STARTING, Phase.RUNNING) else phase.value
