"""Checkers of what people are promised: each says no where a promise is broken, and only there."""

import itertools
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from lamplighter.engine.conditions import holds
from lamplighter.model.actions import (
    Action,
    Broken,
    Condition,
    Contract,
    Dismantle,
    Gone,
    Heard,
    Idle,
    Live,
    Ready,
    Replace,
    Scale,
    Serving,
    Shares,
    Shift,
)
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import SOURCES, Facts, Load
from lamplighter.model.history import Closed, History, Pending
from lamplighter.model.intents import Answer, Down, Intent, Rollback, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Freeze, Guards, RolloutPolicy, System
from lamplighter.targets.simulated import App, Faults, SourceFaults, World
from lamplighter.targets.simulated.journal import Applied, Closing, Draining
from lamplighter.testing.builders import (
    Shape,
    crashed,
    draining,
    facts,
    hung,
    service,
    survey,
    system,
    unknown,
    up,
)
from lamplighter.testing.checkers import (
    AppliedOnce,
    BakeKept,
    BegunIsEnded,
    DrainAsPromised,
    FailedTruly,
    FitsLoad,
    FreezeKept,
    NamedOnce,
    NotAtOnceAgain,
    OrdersStand,
    RefusedIsNotOwed,
    RiskKept,
    ShortIsSaid,
    StakesTold,
    StillStands,
    SuccessorFirst,
    UndoSpares,
    VerifiedTrue,
    WaysBackKept,
)
from lamplighter.testing.checkers.conditions import so
from lamplighter.testing.checkers.passes import Hear
from lamplighter.testing.rest import unrest
from lamplighter.testing.story import Story
from lamplighter.testing.witness import Witness

FEWER = Scale(workload="search", release="r1", replicas=1, stops=("search-2",))
MORE = Scale(workload="search", release="r1", replicas=2, starts=("search-2",))


def decision(action: Action, name: str = "a-1", **fields: object) -> Decision:
    """Return a decision that goes ahead; `fields` are those of its contract or of its proposal."""
    said = {each: fields.pop(each) for each in tuple(fields) if each in Contract.__struct_fields__}
    contract = replace(
        Contract(gain="", deadline_s=1.0, destructive=not getattr(action, "starts", ())), **said
    )
    chosen = Proposal("scaling", Priority.SCALING, "search/r1", action, contract, because="")
    return Decision(name, 0.0, "search/r1", replace(chosen, **fields), state="act", basis="")


def told(
    hear: Hear, *passes: tuple[Inputs, Result, History], wanted: System | None = None, written: bool = True
) -> list[str]:
    """Return what a checker says of passes, each of which its witness has heard of."""
    witness, found = Witness(World()), []
    witness.system = wanted or system(search=(1, 6))
    witness.systems = [witness.system]
    for inputs, result, after in passes:
        witness.heard(inputs, result, after, recorded=written)
        found += hear(inputs, result, after, witness)
    return found


def made(
    seen: Facts, *decisions: Decision, pending: Iterable[Decision] = ()
) -> tuple[Inputs, Result, History]:
    """Return a pass on facts with what it decided, and what is under way after it."""
    after = History(pending={each.id: Pending(decision=each) for each in (*pending, *decisions)})
    return Inputs(now=seen.at, facts=seen), Result(decisions=decisions), after


CONDITIONS: tuple[Condition, ...] = (
    Live(workload="search", release="r1", exactly=1),
    Ready(workload="search", release="r1", at_least=1),
    Serving(replica="search-1"),
    Broken(replica="search-1"),
    Gone(replica="search-1"),
    Shares(workload="search", shares={"r1": 1.0}),
    Heard(source="health"),
    Idle(workload="search"),
)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: type(each).__name__)
def test_checkers_read_a_condition_as_the_engine_does(condition: Condition) -> None:
    """Two readings of the same words agree on whatever stands there, and whoever is silent."""
    for first, other in itertools.product((None, up, hung, crashed, draining, unknown(3.0)), repeat=2):
        for silent in itertools.product((None, 1.0), repeat=len(SOURCES)):
            quiet = {name: since for name, since in zip(SOURCES, silent, strict=True) if since is not None}
            seen = facts(silent=quiet, search=[each for each in (first, other) if each is not None])
            assert holds(condition, survey(seen)) == so(condition, seen, seen.at)


@pytest.mark.parametrize(
    ("end", "violations"), [((), 1), ((Closed(action="a-1", at=1.0, result="failed"),), 0)]
)
def test_what_was_begun_has_an_end(end: tuple[Closed, ...], violations: int) -> None:
    """An action that is under way no more has come to an end that was recorded."""
    first, (inputs, _, after) = made(facts(), decision(FEWER)), made(facts())
    assert violations == len(told(BegunIsEnded().hear, first, (inputs, Result(closed=end), after)))


@pytest.mark.parametrize(("listed", "violations"), [((up,), 0), ((up, crashed), 1)])
def test_name_that_was_taken_over_is_the_same_replica(listed: tuple[Shape, ...], violations: int) -> None:
    """Named again before it was listed, a replica may have come and ended; one known by then may not."""
    checker, world = AppliedOnce(), World()
    first, (inputs, _, after) = made(facts(search=[up]), decision(MORE)), made(facts(search=listed))
    closed = (Closed(action="a-1", at=1.0, result="superseded", subject="search/r1"),)
    told(checker.hear, first, (inputs, Result(closed=closed, decisions=(decision(MORE, "a-2"),)), after))
    world.start("search-2", "search", "r1", "a-1")
    world.end(world.bodies["search-2"])
    world.advance(9.0)
    event = Applied(9.0, 9.0, MORE, "a-2", 1, "", None, world.truth(), world.truth())
    assert violations == len(list(checker.look(event, Witness(world))))


@pytest.mark.parametrize(("stopping", "violations"), [(None, 1), (1.0, 0)])
def test_order_to_go_down_outlives_who_took_it(stopping: float | None, violations: int) -> None:
    """Once all was ordered down, a history that knows nothing of it is wrong."""
    wanted, down = system(search=1), Down(id="down")
    result = Result(answers=(Answer(intent="down", accepted=True),))
    inputs, after = Inputs(now=1.0, facts=facts(), intents=(down,)), History(system=wanted, stopping=1.0)
    later = (Inputs(now=2.0, facts=facts()), Result(), replace(after, stopping=stopping))
    assert violations == len(told(OrdersStand().hear, (inputs, result, after), later, wanted=wanted))


@pytest.mark.parametrize(("slow_until", "told_of"), [(0.5, False), (-100.0, True)])
def test_order_that_may_have_been_written_too_late_may_be_unknown(
    slow_until: float, *, told_of: bool
) -> None:
    """While writes take their time a successor may begin before the record is there, and be heard of late."""
    checker, witness, down = OrdersStand(), Witness(World()), Down(id="down")
    witness.system, witness.down_at = system(search=1), 1.0
    witness.world.befalling.near["disk-slow"] = (slow_until - 1.0, slow_until)
    after = History(system=witness.system)
    found = [*checker.hear(Inputs(now=1.0, facts=facts(), intents=(down,)), Result(), after, witness)]
    witness.world.advance(200.0)
    found += checker.hear(Inputs(now=200.0, facts=facts()), Result(), after, witness)
    assert told_of == bool(found)


@pytest.mark.parametrize(("ends", "violations"), [("superseded", 0), ("", 1)])
def test_name_is_given_to_one(ends: str, violations: int) -> None:
    """A second action starts what a first was to start only where it takes over from it."""
    first, (inputs, result, after) = made(facts(), decision(MORE)), made(facts(), decision(MORE, "a-2"))
    closed = (Closed(action="a-1", at=1.0, result="superseded"),) if ends else ()
    assert violations == len(told(NamedOnce().hear, first, (inputs, replace(result, closed=closed), after)))


@pytest.mark.parametrize(("at_risk", "violations"), [(0.5, 0), (0.25, 1)])
def test_what_is_at_risk_adds_up(at_risk: float, violations: int) -> None:
    """One of four is being replaced; to stop another one besides is half of them."""
    wanted = replace(system(search=(1, 6)), guards=Guards(at_risk=at_risk))
    first = decision(Replace(workload="search", release="r1", replica="search-1", start="search-5"))
    seen = facts(search=[up, up, up, up])
    passes = made(seen, first), made(seen, decision(FEWER, "a-2"), pending=[first])
    assert violations == len(told(RiskKept().hear, *passes, wanted=wanted))


@pytest.mark.parametrize(("second", "said", "violations"), [(up, 0.5, 0), (up, 0.1, 1), (crashed, 0.5, 1)])
def test_what_is_asked_for_is_what_there_is(second: object, said: float, violations: int) -> None:
    """Who is asked about a stop is told of replicas that live, and of the share that they are."""
    seen = facts(search=[up, second])  # type: ignore[list-item]
    asked = replace(decision(FEWER, blast_radius=said), state="asked")
    assert violations == len(told(StakesTold().hear, made(seen, asked)))


@pytest.mark.parametrize(("later_s", "violations"), [(0.5, 1), (1.1, 0)])
def test_failure_is_not_repeated_at_once(later_s: float, violations: int) -> None:
    """What has failed is tried again a second later at the earliest."""
    closed = Closed(action="a-0", at=60.0, result="failed", subject="search/r1", kind="scale")
    inputs, _, after = made(facts(at=60.0))
    again = made(facts(at=60.0 + later_s), decision(MORE))
    assert violations == len(told(NotAtOnceAgain().hear, (inputs, Result(closed=(closed,)), after), again))


@pytest.mark.parametrize(("in_flight", "violations"), [(8, 0), (24, 1)])
def test_scale_down_fits_the_load_of_now(in_flight: int, violations: int) -> None:
    """One replica is left where the last readings need one, and not where they need three."""
    loads = {"search": Load(in_flight=in_flight)}
    passes = [made(replace(facts(at=at, search=[up, up]), loads=loads)) for at in (60.0, 62.0)]
    last = made(replace(facts(at=64.0, search=[up, up]), loads=loads), decision(FEWER))
    assert violations == len(told(FitsLoad().hear, *passes, last))


def test_a_burst_that_was_looked_at_often_weighs_no_more_for_it() -> None:
    """Of sixteen seconds one had three times the load, in ten looks: what is left fits the mean over time."""
    often = [(60.0, 8), *((60.0 + n / 10, 24) for n in range(1, 11)), (66.0, 8), (70.0, 8)]
    passes = [
        made(replace(facts(at=at, search=[up, up]), loads={"search": Load(in_flight=load)}))
        for at, load in often
    ]
    last = made(
        replace(facts(at=75.0, search=[up, up]), loads={"search": Load(in_flight=8)}), decision(FEWER)
    )
    assert 0 == len(told(FitsLoad().hear, *passes, last))


@pytest.mark.parametrize(("second", "violations"), [(up, 1), (hung, 0)])
def test_undo_leaves_what_serves(second: object, violations: int) -> None:
    """To undo a start takes away what does not serve, and nothing else."""
    seen = facts(search=[up, second])  # type: ignore[list-item]
    assert violations == len(told(UndoSpares().hear, made(seen, decision(FEWER, controller="undo"))))


@pytest.mark.parametrize(("most", "violations"), [(2, 1), (0, 0)])
def test_what_serves_has_a_successor_first(most: int, violations: int) -> None:
    """With room for one more, what serves is not ended before another one serves in its place."""
    wanted = system(search=service("search", (1, 1 + most)))
    wanted = replace(wanted, services={"search": replace(wanted.services["search"], rollout=SURGELESS)})
    action = Replace(workload="search", release="r1", replica="search-1", start="search-2")
    assert violations == len(
        told(SuccessorFirst().hear, made(facts(search=[up]), decision(action)), wanted=wanted)
    )


SURGELESS = replace(service("search").rollout, surge=0)


@pytest.mark.parametrize(("given_s", "violations"), [(30.0, 0), (0.0, 1)])
def test_drain_is_as_long_as_the_spec_says(given_s: float, violations: int) -> None:
    """Whoever drains a replica gives its requests the time that was promised."""
    witness = Witness(World())
    witness.systems = [system(search=1)]
    witness.world.start("search-1", "search", "r1", "a-0")
    event = Draining(1.0, "search-1", 3, given_s, "a-1")
    assert violations == len(list(DrainAsPromised().look(event, witness)))


@pytest.mark.parametrize(
    ("hour", "taking", "violations"), [("10", "r1", 1), ("12", "r1", 0), ("10", "r0", 0)]
)
def test_new_release_does_not_begin_in_a_freeze(hour: str, taking: str, violations: int) -> None:
    """From ten to eleven on Mondays nothing new is started beside what has the traffic; after that it is."""
    wanted = replace(system(search=(1, 6)), freeze=(Freeze(start_min=600, end_min=660),))
    shares = {"search": {taking: 1.0}}
    seen = replace(facts(search=[up]), wall=f"2030-01-07T{hour}:30:00+00:00", shares=shares)
    old = decision(replace(MORE, starts=("search-1",)), "a-0")
    passes = made(seen, old), made(seen, decision(replace(MORE, release="r2")))
    assert violations == len(told(FreezeKept().hear, *passes, wanted=wanted))


@pytest.mark.parametrize(("to", "violations"), [({"r1": 0.5, "r2": 0.5}, 1), ({"r1": 1.0}, 0)])
def test_what_was_called_back_gains_nothing(to: dict[str, float], violations: int) -> None:
    """After a rollback the candidate gets no more traffic than it has."""
    witness = Witness(World())
    back = Rollback(id="back", workload="search")
    answer = Answer(intent="back", accepted=True, detail="r2 gives its traffic back to r1")
    inputs = Inputs(now=1.0, facts=facts(), intents=(back,))
    witness.heard(inputs, Result(answers=(answer,)), History(), recorded=True)
    witness.world.shift("search", {"r1": 0.9, "r2": 0.1})
    before = witness.world.truth()
    witness.world.shift("search", to)
    shift = Shift(workload="search", shares=to)
    event = Applied(20.0, 20.0, shift, "a-1", 1, "", None, before, witness.world.truth())
    assert violations == len(list(WaysBackKept().look(event, witness)))


@pytest.mark.parametrize(("contradiction_p", "violations"), [(0.0, 1), (0.1, 0)])
def test_word_for_one_that_never_served_is_a_lie_of_somebodys(
    contradiction_p: float, violations: int
) -> None:
    """Called verified as it ends: excused where health may say so of one that a late list has as living."""
    world = World(faults=Faults(sources=SourceFaults(contradiction_p=contradiction_p)))
    world.start("search-2", "search", "r1", "a-1")
    world.end(world.bodies["search-2"])
    world.advance(1.0)
    closed = Closed(action="a-1", at=1.0, result="verified")
    event = Closing(1.0, closed, decision(MORE, expects=(Serving(replica="search-2"),)))
    assert violations == len(list(VerifiedTrue().look(event, Witness(world))))


@pytest.mark.parametrize(("judged_at", "violations"), [(60.5, 0), (80.0, 1)])
def test_word_is_held_against_when_it_was_found_so(judged_at: float, violations: int) -> None:
    """It served when it was looked at, and had ended long since when a slow disk had written that down."""
    world = World()
    world.start("search-2", "search", "r1", "a-1")
    world.advance(60.0)
    world.end(world.bodies["search-2"])
    world.advance(80.0)
    closed = Closed(action="a-1", at=judged_at, result="verified")
    event = Closing(judged_at, closed, decision(MORE, expects=(Serving(replica="search-2"),)))
    assert violations == len(list(VerifiedTrue().look(event, Witness(world))))


@pytest.mark.parametrize(("dismantled", "violations"), [(True, 0), (False, 1)])
def test_bake_begins_anew_once_all_was_taken_down(dismantled: bool, violations: int) -> None:  # noqa: FBT001
    """What had everything before the end is the one that stays no more: what is up first after it is."""
    checker, world, witness = BakeKept(), World(), Witness(World())
    witness.system = system(search=replace(service("search"), rollout=RolloutPolicy(steps=(0.5, 1.0))))

    def applied(action: Action) -> list[str]:
        before = world.truth()
        if isinstance(action, Shift):
            world.shift("search", action.shares)
        seen = replace(facts(at=9.0, search=[replace(up, release="r2")]), at=9.0)
        event = Applied(9.0, 9.0, action, "a-1", 1, "", seen, before, world.truth())
        return list(checker.look(event, witness))

    shares: tuple[dict[str, float], ...] = ({"r0": 1.0}, {"r1": 1.0}, {"r2": 1.0}, {"r1": 1.0})
    ends = Dismantle(system="sim") if dismantled else Scale(workload="search", release="r0", replicas=2)
    actions = [Shift(workload="search", shares=each) for each in shares]
    assert violations == sum(len(applied(each)) for each in (actions[0], ends, *actions[1:]))


@pytest.mark.parametrize(("under_way", "violations"), [(True, 0), (False, 1)])
def test_shortage_is_mended_or_said(under_way: bool, violations: int) -> None:  # noqa: FBT001
    """Two are wanted and one lives: a start is under way, or after half a minute that is wrong."""
    pending = [decision(MORE)] if under_way else []
    passes = [made(facts(at=float(at), search=[up]), pending=pending) for at in range(60, 95, 5)]
    assert violations == len(told(ShortIsSaid().hear, *passes[1:], wanted=system(search=2)))


@pytest.mark.parametrize(("second", "violations"), [(up, 0), (crashed, 1)])
def test_what_is_done_still_stands_on_the_facts(second: object, violations: int) -> None:
    """With two ready one may go; if one was seen to have ended, right before, none may."""
    witness, seen = Witness(World()), facts(search=[up, second])  # type: ignore[list-item]
    needs = (Ready(workload="search", release="r1", at_least=2),)
    witness.decisions["a-1"] = decision(FEWER, needs=needs)
    event = Applied(60.0, 60.0, FEWER, "a-1", 1, "", seen, witness.world.truth(), witness.world.truth())
    assert violations == len(list(StillStands().look(event, witness)))


@pytest.mark.parametrize(("silent", "violations"), [({}, 0), ({"health": 1.0}, 1)])
def test_unknown_is_not_failed(silent: dict[str, float], violations: int) -> None:
    """An action has failed if what it was for is known to lack; where that cannot be told it has not."""
    seen = facts(search=[up, hung], silent=silent)
    started = decision(MORE, expects=(Ready(workload="search", release="r1", at_least=2),))
    inputs, _, after = made(seen)
    failed = Result(closed=(Closed(action="a-1", at=60.0, result="failed"),))
    assert violations == len(told(FailedTruly().hear, made(seen, started), (inputs, failed, after)))


@pytest.mark.parametrize(("runs", "violations"), [("r2", 0), ("r1", 1)])
def test_release_that_was_promised_runs_at_rest(runs: str, violations: int) -> None:
    """Once all is calm the release that was ordered last is what runs, if nothing spoke against it."""
    world = World()
    witness, wanted = Witness(world), system(search=1)
    order: Intent = Up(id="up", system=wanted, releases={"search": "r2"})
    inputs = Inputs(now=0.0, facts=facts(), intents=(order,))
    witness.heard(inputs, Result(answers=(Answer(intent="up", accepted=True),)), History(), recorded=True)
    world.configure(wanted)
    world.start("search-1", "search", runs, "a-0")
    world.shift("search", {runs: 1.0})
    world.advance(30.0)
    assert violations == len(unrest(world, witness, Story()))


@pytest.mark.parametrize(("start_s", "surge", "violations"), [(1.0, 1, 1), (58.0, 1, 0), (1.0, 0, 0)])
def test_release_that_started_too_late_or_has_no_room_was_given_up_for_a_reason(
    start_s: float, surge: int, violations: int
) -> None:
    """One that passes only after all the time that its spec gives it has fared badly, although it serves."""
    world = World(apps={"search": App(start_s=start_s)})
    one = service("search", rollout=RolloutPolicy(surge=surge))
    witness, wanted = Witness(world), system(search=one)
    order: Intent = Up(id="up", system=wanted, releases={"search": "r2"})
    inputs = Inputs(now=0.0, facts=facts(), intents=(order,))
    witness.heard(inputs, Result(answers=(Answer(intent="up", accepted=True),)), History(), recorded=True)
    world.configure(wanted)
    world.start("search-1", "search", "r1", "a-0")
    world.start("search-2", "search", "r2", "a-0")
    world.advance(60.0)
    world.drain("search-2", 1.0, "a-1")
    world.shift("search", {"r1": 1.0})
    world.advance(90.0)
    assert violations == len(unrest(world, witness, Story()))


@pytest.mark.parametrize(("ends", "violations"), [("refused", 1), ("lapsed", 1), ("superseded", 0)])
def test_number_that_was_refused_is_not_owed(ends: str, violations: int) -> None:
    """Repair makes good what was settled and came about, or may have; not what the target would not do."""
    checker, witness = RefusedIsNotOwed(), Witness(World())
    found: list[str] = []
    for action_id, controller in (("a-1", "scaling"), ("a-2", "repair")):
        scale = Scale(workload="web", release="r1", replicas=4, starts=("web-4",))
        chosen = Proposal(controller, Priority.REPAIR, "web/r1", scale, Contract(gain="", deadline_s=1.0), "")
        more = Decision(id=action_id, at=0.0, subject="web/r1", chosen=chosen, state="act", basis="")
        gone = (Closed("a-1", 1.0, ends, "", "web/r1", "scale"),) if controller == "repair" else ()  # type: ignore[arg-type]
        result = Result(decisions=(more,), closed=gone)
        found += checker.hear(Inputs(now=1.0, facts=Facts(at=1.0)), result, History(), witness)
    assert violations == len(found)
