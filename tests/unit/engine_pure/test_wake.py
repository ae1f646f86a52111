"""Waking: of the workloads at rest a pass looks at those of which something may have changed, no other."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why, shift
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.rest import Rest
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import PROCESSES, TRAFFIC, Exit, Facts, Load, Phase, Source
from lamplighter.model.history import History, Pending, Sample
from lamplighter.model.system import Resources, Scale, System
from lamplighter.testing.builders import NOW, crashed, facts, service, settled, system, up

LIKE = Scale(on="in_flight", goal=10.0, window_s=60.0, panic_window_s=6.0)
WANTED = system(
    a=service("a", 2, resources=Resources(memory_bytes=100)),
    b=service("b", 2, resources=Resources(memory_bytes=200)),
    c=service("c", 2),
    web=service("web", (1, 9), scale=LIKE),
)
SEEN = replace(
    facts(wanted=WANTED, a=[up] * 2, b=[up] * 2, c=[up] * 2, web=[up] * 2), loads={"web": Load(in_flight=15)}
)
STEADY = (Sample(at=-100.0, in_flight=15.0, readings=9),)
LATER = NOW + 1


def remembered(wanted: System = WANTED, **noted: dict[str, object]) -> History:
    """Return the history of all at rest, with something noted of some."""
    history = settled(wanted, web=2)
    notes: dict[str, dict[str, object]] = {"web": {"samples": STEADY}, **noted}
    changed = {name: replace(history.workloads[name], **each) for name, each in notes.items()}
    return replace(history, workloads={**history.workloads, **changed}, heard=(NOW - 1, NOW))


AT_REST = remembered()


def rested(history: History = AT_REST, seen: Facts = SEEN) -> Rest:
    """Return what a pass leaves that looked at everybody."""
    rest = Rest()
    survey = Survey(trusted(seen, NOW), NOW, history.pending, rest.laid_out(seen.replicas))
    rest.settle(history, survey)
    return rest


def looked_at(
    rest: Rest, history: History = AT_REST, seen: Facts = SEEN, now: float = LATER
) -> tuple[str, ...] | None:
    """Return whom the next pass looks at, None for everybody; those whose load alone changed are marked."""
    seen = replace(seen, sources={each: Source(observed_at=now) for each in seen.sources})
    survey = Survey(seen, now, history.pending, rest.laid_out(seen.replicas))
    survey.catch_up(history.workloads)
    rest.wake(history, survey)
    return survey.awake if survey.awake is None else (*survey.awake, *(f"{each}~" for each in survey.stirred))


def other(name: str, **changes: object) -> Facts:
    """Return the facts with one replica that stands otherwise."""
    return replace(
        SEEN, replicas=tuple(replace(each, **changes) if each.id == name else each for each in SEEN.replicas)
    )


@pytest.mark.parametrize(
    ("changes", "wakes"),
    [
        ({"phase": Phase.STARTING}, True),
        ({"ready": False}, True),
        ({"ready": None}, True),
        ({"started_at": 3.0}, True),
        ({"draining_since": 3.0}, True),
        ({"exit": Exit(at=3.0)}, True),
        ({"in_flight": 9}, False),
        ({"cpu": 0.5}, False),
        ({"pid": 7}, False),
        ({"detail": "busy"}, False),
        ({"memory_bytes": 100}, False),
        ({"memory_bytes": 101}, True),
        ({}, False),
    ],
)
def test_replica_that_stands_otherwise_wakes_its_own(changes: dict[str, object], *, wakes: bool) -> None:
    """What it is busy with, and memory within its limit, wakes nobody."""
    assert (("a",) if wakes else ()) == looked_at(rested(), seen=other("a-1", **changes))


@pytest.mark.parametrize(("name", "used", "wakes"), [("b", 150, False), ("b", 201, True), ("c", 999, False)])
def test_memory_is_held_against_the_limit_of_its_own_workload(name: str, used: int, *, wakes: bool) -> None:
    """Others may have less; one without a limit may use all there is."""
    assert ((name,) if wakes else ()) == looked_at(rested(), seen=other(f"{name}-2", memory_bytes=used))


def test_one_of_many_that_is_too_large_is_seen() -> None:
    """Beside another that changed and uses little."""
    used = {"a-1": 101, "b-1": 5}
    grown = tuple(replace(each, memory_bytes=used.get(each.id)) for each in SEEN.replicas)
    assert ("a",) == looked_at(rested(), seen=replace(SEEN, replicas=grown))


LISTS: dict[str, Callable[[Facts], tuple[object, ...]]] = {
    "": lambda seen: seen.replicas[::-1],
    "a": lambda seen: seen.replicas[1:],
    "b": lambda seen: (*seen.replicas, replace(seen.replicas[2], id="b-9")),
    "c": lambda seen: (*seen.replicas[:4], replace(seen.replicas[4], id="c-9"), *seen.replicas[5:]),
    "a b": lambda seen: (replace(seen.replicas[0], workload="b"), *seen.replicas[1:]),
    "zz": lambda seen: (*seen.replicas, replace(seen.replicas[0], id="zz-1", workload="zz")),
}


@pytest.mark.parametrize("wakes", LISTS)
def test_who_comes_or_goes_wakes_its_own(wakes: str) -> None:
    """In whichever order they are listed; a replica of nobody's wakes what it says that it is of."""
    changed = replace(SEEN, replicas=LISTS[wakes](SEEN))
    assert tuple(wakes.split()) == looked_at(rested(), seen=changed)


@pytest.mark.parametrize(
    ("shares", "wakes"),
    [
        ({"a": {"r1": 1.0}, "b": {"r1": 1.0}, "c": {"r1": 1.0}, "web": {"r1": 1.0}}, ()),
        ({**SEEN.shares, "b": {"r1": 0.5}}, ("b",)),
        ({**SEEN.shares, "zz": {"r1": 0.5}}, ("zz",)),
        ({"a": {"r1": 1.0}, "b": {"r1": 1.0}, "c": {"r1": 1.0}}, ("web",)),
    ],
)
def test_traffic_that_is_shared_otherwise_wakes_its_own(
    shares: dict[str, dict[str, float]], wakes: tuple[str, ...]
) -> None:
    """Equal shares are the same, whoever made them."""
    assert wakes == looked_at(rested(), seen=replace(SEEN, shares=shares))


@pytest.mark.parametrize(
    ("loads", "wakes"),
    [
        ({"web": Load(in_flight=15)}, ()),
        ({"web": Load(in_flight=15, queued=0, cpu=0.5)}, ()),
        ({"web": Load(in_flight=16)}, ("web~",)),
        ({"web": Load(in_flight=9)}, ("web",)),
        ({"web": Load(in_flight=10)}, ("web~",)),
        ({"web": Load(in_flight=21)}, ("web~",)),
        ({"web": Load(in_flight=22)}, ("web",)),
        ({"web": Load()}, ("web",)),
        ({}, ("web",)),
        ({"web": SEEN.loads["web"], "a": Load(in_flight=99)}, ()),
        ({"web": SEEN.loads["web"], "zz": Load(in_flight=99)}, ("zz",)),
    ],
)
def test_load_that_asks_for_another_number_wakes(loads: dict[str, Load], wakes: tuple[str, ...]) -> None:
    """One that asks for this very number is noted, and that of a fixed number is not even that."""
    assert wakes == looked_at(rested(), seen=replace(SEEN, loads=loads))


def test_load_at_the_greatest_number_is_noted_and_no_more() -> None:
    """Where bounds do not matter since there is one number only, a load that changes wakes nobody."""
    fixed = system(web=service("web", 2, scale=LIKE))
    seen = replace(facts(wanted=fixed, web=[up] * 2), loads={"web": Load(in_flight=15)})
    history = replace(remembered(fixed), system=fixed)
    busy = replace(seen, loads={"web": Load(in_flight=99)})
    assert ("web~",) == looked_at(rested(history, seen), history, busy)


@pytest.mark.parametrize(("panic_s", "wakes"), [(1.0, ("web",)), (1.1, ("web~",))])
def test_load_of_which_the_panic_window_may_know_too_little_wakes(
    panic_s: float, wakes: tuple[str, ...]
) -> None:
    """The pass before lies as far back as that."""
    wanted = system(web=service("web", (1, 9), scale=replace(LIKE, panic_window_s=panic_s)))
    seen = replace(facts(wanted=wanted, web=[up] * 2), loads={"web": Load(in_flight=15)})
    history = remembered(wanted)
    assert wakes == looked_at(
        rested(history, seen), history, replace(seen, loads={"web": Load(in_flight=16)})
    )


def test_who_is_remembered_otherwise_wakes() -> None:
    """Whatever it is: another value is another object."""
    noted = replace(AT_REST, workloads={**AT_REST.workloads, "b": replace(AT_REST.workloads["b"], acts=9)})
    assert ("b",) == looked_at(rested(), noted)


def test_who_the_facts_are_behind_on_wakes() -> None:
    """They were read before the last answer on it."""
    history = remembered(c={"answered_at": NOW + 5})
    assert ("c",) == looked_at(rested(history), history)


@pytest.mark.parametrize(("after_s", "wakes"), [(-0.01, ()), (0.0, ("a",)), (2.0, ("a", "b"))])
def test_who_has_a_repair_to_forget_wakes_in_time(after_s: float, wakes: tuple[str, ...]) -> None:
    """Each at its own instant, the first of them first."""
    begun = NOW - WANTED.services["a"].repair.window_s + 3
    history = remembered(a={"repairs": (begun,)}, b={"repairs": (begun + 2.0,)})
    assert wakes == looked_at(rested(history), history, now=NOW + 3 + after_s)


def test_later_one_wakes_in_its_time_after_the_first_has() -> None:
    """The next instant is looked up anew each time that one has come."""
    begun = NOW - WANTED.services["a"].repair.window_s + 3
    history = remembered(a={"repairs": (begun,)}, b={"repairs": (begun + 1.5,)})
    rest = rested(history)
    found = [looked_at(rest, history, now=NOW + each) or () for each in (2.0, 3.0, 4.0, 4.6)]
    assert [False, False, False, True] == ["b" in each for each in found]


EVERYBODY: dict[str, tuple[History, float]] = {
    "another spec": (replace(AT_REST, system=replace(WANTED, name="other")), LATER),
    "an equal spec": (replace(AT_REST, system=replace(WANTED)), LATER),
    "a clock that goes back": (replace(AT_REST, heard=(NOW - 9,)), NOW - 5),
    "the same instant": (AT_REST, NOW),
    "a gap": (AT_REST, NOW + 5.1),
    "no pass before": (replace(AT_REST, heard=()), LATER),
    "an end": (replace(AT_REST, stopping=NOW), LATER),
    "all that is down": (replace(AT_REST, stopped=True), LATER),
}


@pytest.mark.parametrize("why", EVERYBODY)
def test_everybody_is_looked_at_where_what_was_seen_does_not_follow(why: str) -> None:
    """Another spec, another time, or an end of it all."""
    history, now = EVERYBODY[why]
    assert looked_at(rested(), history, now=now) is None


@pytest.mark.parametrize("gap_s", [0.001, 5.0])
def test_next_pass_follows_within_five_seconds(gap_s: float) -> None:
    """However soon."""
    assert () == looked_at(rested(), now=NOW + gap_s)


@pytest.mark.parametrize("seen", [replace(SEEN, configured="other"), replace(SEEN, sources={})])
def test_nobody_rests_while_not_all_is_known_and_as_set(seen: Facts) -> None:
    """A silent source, or a gateway of another spec; neither in the pass before nor in this one."""
    assert looked_at(rested(seen=seen)) is None
    assert looked_at(rested(), seen=seen) is None


def under_way(workload: str) -> dict[str, Pending]:
    """Return an action on its way that shares the traffic as it is."""
    chosen = shift(Survey(SEEN, NOW), workload, {"r1": 1.0}, Why("rollout", Priority.ROLLOUT, "a test"))
    decision = Decision(id="a-1", at=NOW, subject=workload, chosen=chosen, state="act", basis="b")
    return {"a-1": Pending(decision=decision, since=NOW, outcome="accepted")}


def test_who_is_acted_on_is_looked_at() -> None:
    """Until its action is closed; also where all stands as it should."""
    history = replace(AT_REST, pending=under_way("b"))
    assert ("b",) == looked_at(rested(history), history)


def test_who_does_not_rest_is_looked_at_until_it_does() -> None:
    """In each pass; then no more."""
    broken = facts(wanted=WANTED, a=[up, up], b=[up, crashed], c=[up, up], web=[up, up])
    broken = replace(broken, loads=SEEN.loads)
    rest = rested(seen=broken)
    assert ("b",) == looked_at(rest, seen=broken)
    whole = Survey(SEEN, NOW, {}, rest.laid_out(SEEN.replicas))
    whole.rest(["b"], [])
    rest.settle(AT_REST, whole)
    assert () == looked_at(rest)


def test_only_who_was_looked_at_is_judged_anew() -> None:
    """Of another nothing can have changed; a stranger that was looked at never rests."""
    rest, noted = rested(), remembered(c={"replaced": {"c-9": "c-1"}})
    survey = Survey(SEEN, NOW, {}, rest.laid_out(SEEN.replicas))
    survey.rest(["b", "zz"], [])
    rest.settle(noted, survey)
    assert ("zz",) == looked_at(rest, noted)


def test_pass_in_which_nobody_may_rest_is_forgotten_whoever_was_looked_at() -> None:
    """What was seen before an end began is nothing to go on."""
    rest = rested()
    survey = Survey(SEEN, NOW, {}, rest.laid_out(SEEN.replicas))
    survey.rest(["b"], [])
    rest.settle(replace(AT_REST, stopping=NOW), survey)
    assert looked_at(rest) is None


def test_limits_are_those_of_the_spec_in_force() -> None:
    """One that got a limit is held to it from the next pass on."""
    limited = replace(WANTED.services["c"], resources=Resources(memory_bytes=50))
    wanted = replace(WANTED, services={**WANTED.services, "c": limited})
    rest, history = rested(), remembered(wanted)
    seen = replace(SEEN, configured=facts(wanted=wanted).configured)
    rest.settle(history, Survey(seen, NOW, {}, rest.laid_out(seen.replicas)))
    fat = replace(seen, replicas=other("c-1", memory_bytes=51).replicas)
    assert ("c",) == looked_at(rest, history, fat)


def test_sources_are_those_that_tell() -> None:
    """Each of those that everything rests on has to answer."""
    late = {**SEEN.sources, PROCESSES: Source(observed_at=NOW, fault="refused")}
    assert looked_at(rested(seen=replace(SEEN, sources=late))) is None
    late = {**SEEN.sources, TRAFFIC: Source(observed_at=NOW - 6)}
    assert looked_at(rested(seen=replace(SEEN, sources=late))) is None
