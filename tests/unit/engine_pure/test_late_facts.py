"""Facts that were read before the last action on a workload was answered say nothing about it."""

from msgspec.structs import replace

from lamplighter.engine.step import step
from lamplighter.model.actions import Outcome
from lamplighter.model.facts import PROCESSES, Facts, Source
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.testing.builders import NOW, crashed, facts, settled, system, up

WANTED = system(search=2)


def read_at(instant: float) -> Facts:
    """Return facts in which a replica has ended, read at this instant."""
    seen = facts(search=[up, crashed], wanted=WANTED)
    return replace(seen, sources={**seen.sources, PROCESSES: Source(observed_at=instant)})


def answered_at(instant: float) -> History:
    """Return the history of a system on which an action was answered at this instant."""
    history = settled(WANTED)
    memory = replace(history.workloads["search"], answered_at=instant)
    return replace(history, workloads={"search": memory})


def decided(history: History, seen: Facts, *outcomes: Outcome) -> tuple[History, Result]:
    """Make one pass."""
    return step(history, Inputs(now=NOW, facts=seen, outcomes=outcomes))


def test_facts_of_before_the_last_answer_decide_nothing() -> None:
    """What the facts show may be undone already by what was answered since; the next facts will tell."""
    after, result = decided(answered_at(NOW - 1), read_at(NOW - 2))
    assert ((), answered_at(NOW - 1).workloads) == (result.decisions, after.workloads)


def test_facts_of_after_the_last_answer_decide() -> None:
    """A dead replica is replaced as soon as the facts are newer than the last answer, late as they are."""
    _, result = decided(answered_at(NOW - 3), read_at(NOW - 2))
    assert ["search-2"] == [each.subject for each in result.decisions]


def test_answer_is_noted_with_its_instant() -> None:
    """An answer that says that something was, or may have been, done dates what facts must be newer than."""
    before, result = decided(settled(WANTED), read_at(NOW))
    action = result.decisions[0].id
    outcome = Outcome(action=action, state="unknown", at=NOW + 2)
    after, _ = decided(before, read_at(NOW), outcome)
    assert NOW + 2 == after.workloads["search"].answered_at
