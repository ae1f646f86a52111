"""Canonical form: as a recording gives it back, and what did not change stays the object that it was."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from lamplighter.adapters.delta import NOTHING, apply, delta
from lamplighter.engine.canonical import canonical, canonical_facts, canonical_history
from lamplighter.model.changes import LARGE, changed_places, columns
from lamplighter.model.facts import Exit, Facts, Load, Phase, Replica
from lamplighter.model.history import Acted, Closed, History, Sample, WorkloadHistory
from lamplighter.model.value import encode

MANY = 100


def replica(number: int, **changes: object) -> Replica:
    """Return a replica that serves."""
    plain = Replica(
        id=f"w-{number}", workload=f"w{number % 9}", release="r-1", phase=Phase.RUNNING, started_at=1.5
    )
    return replace(plain, ready=True, in_flight=number, cpu=0.5, memory_bytes=7, **changes)


def fleet(**changes: object) -> Facts:
    """Return the facts of many replicas and their loads."""
    loads = {f"w{number}": Load(in_flight=number, rate_per_s=0.5) for number in range(MANY)}
    plain = Facts(at=1.0, replicas=tuple(map(replica, range(MANY))), loads=dict(sorted(loads.items())))
    return replace(plain, **changes)


ODD: list[Callable[[Replica], Replica]] = [
    lambda each: replace(each, started_at=2),
    lambda each: replace(each, cpu=-0.0),
    lambda each: replace(each, cpu=float("nan")),
    lambda each: replace(each, phase="running"),
    lambda each: replace(each, exit=Exit(at=3)),
    lambda each: replace(each, draining_since=4),
    lambda each: replace(each, detail="Grüße"),
]


@pytest.mark.parametrize("odd", ODD)
def test_each_odd_value_is_made_canonical(odd: Callable[[Replica], Replica]) -> None:
    """Whatever a target hands in, it comes out as the whole way through its encoding would make it."""
    facts = fleet()
    facts = replace(facts, replicas=(*facts.replicas[:50], odd(facts.replicas[50]), *facts.replicas[51:]))
    made = canonical_facts(facts, None)
    assert repr(canonical(facts)) == repr(made)


def test_what_did_not_change_stays_the_same_object() -> None:
    """A target that makes every object anew costs no more later: equal ones are the ones from before."""
    last = canonical_facts(fleet(), None)
    again = canonical_facts(fleet(at=2.0), last)
    assert last.replicas is again.replicas
    assert last.loads is again.loads


def test_only_what_changed_is_another_object() -> None:
    """One replica and one load that changed leave all others as they were, in their places."""
    last = canonical_facts(fleet(), None)
    changed = fleet(
        replicas=(replica(0, detail="busy"), *last.replicas[1:]), loads={**last.loads, "w3": Load()}
    )
    made = canonical_facts(changed, last)
    assert [0] == changed_places(last.replicas, made.replicas)
    assert ["w3"] == [name for name, each in made.loads.items() if each is not last.loads[name]]


def test_columns_are_those_of_the_very_tuple() -> None:
    """A large snapshot's columns are made once, and are never taken for those of an equal one."""
    one = tuple(map(replica, range(LARGE)))
    other = tuple(replace(each, in_flight=-1) for each in one)
    assert columns(one)["id"] is columns(one)["id"]
    assert ([-1] * LARGE, 5) == (columns(other)["in_flight"], columns(one)["in_flight"][5])


def test_history_keeps_what_a_pass_left_alone() -> None:
    """Of many workloads only the changed one is made anew, and in canonical form."""
    before = History(workloads={f"w{number:02}": WorkloadHistory(ordinal=number) for number in range(50)})
    odd = WorkloadHistory(first_ready={"b": 2, "a": 1})  # type: ignore[dict-item]
    after = replace(before, workloads={**before.workloads, "w07": odd})
    made = canonical_history(after, before)
    assert repr(canonical(after)) == repr(made)
    assert made.workloads["w08"] is before.workloads["w08"]


@pytest.mark.parametrize("field", ["acted", "closed"])
def test_what_is_added_to_a_list_is_made_canonical_and_the_rest_kept(field: str) -> None:
    """Ends and actions that were remembered stay the objects that they were; new ones come out as encoded."""
    kinds = {
        "acted": Acted(at=1, subject="w", kind="scale"),
        "closed": Closed(action="a", at=1, result="failed"),
    }
    old = canonical(History(**{field: (replace(kinds[field], at=0.5),)}))
    new = replace(old, **{field: (*getattr(old, field), kinds[field])})
    made = canonical_history(new, old)
    assert repr(canonical(new)) == repr(made)
    assert getattr(made, field)[0] is getattr(old, field)[0]


def stepped(old: msgspec.Struct, new: msgspec.Struct) -> object:
    """Return what the delta of two values, stored and read again, leads to from the first."""
    operation = msgspec.json.decode(encode(delta(old, new)))
    return msgspec.convert(apply(msgspec.json.decode(encode(old)), operation), type=type(new))


CHANGES: list[Callable[[Facts], Facts]] = [
    lambda facts: replace(
        facts, replicas=tuple(replace(each, in_flight=3, cpu=0.25) for each in facts.replicas)
    ),
    lambda facts: replace(
        facts, replicas=(*facts.replicas[:40], replica(40, detail="x"), *facts.replicas[41:])
    ),
    lambda facts: replace(facts, replicas=(*facts.replicas[:10], *facts.replicas[20:], replica(200))),
    lambda facts: replace(facts, replicas=(replica(300), *reversed(facts.replicas))),
    lambda facts: replace(facts, replicas=(replica(300), replica(5, exit=Exit(at=1.0)), *facts.replicas[6:])),
    lambda facts: replace(facts, loads=dict.fromkeys(facts.loads, Load(queued=1))),
    lambda facts: replace(facts, loads={**facts.loads, **{f"w{n}": Load(cpu=0.1) for n in range(40)}}),
    lambda facts: replace(facts, loads={name: each for name, each in facts.loads.items() if name > "w3"}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_delta_of_many_is_exact(change: Callable[[Facts], Facts]) -> None:
    """Columns, tables and runs lead exactly to the next value, whatever came, went, moved or changed."""
    old = canonical(fleet())
    new = canonical(change(old))
    assert new == stepped(old, canonical_facts(new, old))
    assert new == stepped(old, new)


def test_delta_of_many_histories_is_exact() -> None:
    """Samples that were dropped, joined and added, and whole fields, in many workloads at once."""
    samples = tuple(Sample(at=float(at), in_flight=1.0) for at in range(9))
    old = History(workloads={f"w{number:02}": WorkloadHistory(samples=samples) for number in range(60)})
    later = (*samples[1:4], Sample(at=4.0, in_flight=2.0), *samples[6:], Sample(at=9.0))
    new = replace(old, workloads={name: replace(each, samples=later) for name, each in old.workloads.items()})
    assert new == stepped(old, new)
    assert len(encode(delta(old, new))) < 60 * 120


def test_the_cost_of_one_change_among_many_is_small() -> None:
    """One replica's change is stored as that, and none as nothing."""
    old = canonical_facts(fleet(), None)
    new = canonical_facts(replace(fleet(), replicas=(*old.replicas[:-1], replica(99, detail="x"))), old)
    assert len(encode(delta(old, new))) < 60
    assert NOTHING == delta(old, canonical_facts(fleet(), old))
