"""Checkers by themselves: each says no to what must not be, and nothing to what had every reason."""

import pytest
from msgspec.structs import replace

from lamplighter.model.actions import Contract, Replace, Scale, Shift
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import HEALTH, TRAFFIC, Facts, Load, Source
from lamplighter.model.findings import Finding
from lamplighter.model.history import Closed, History, WorkloadHistory
from lamplighter.model.intents import Answer, Down, Rollback, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Guards, Health
from lamplighter.model.system import Scale as Autoscale
from lamplighter.targets.simulated import Ailment, App, Demand, Trouble, World
from lamplighter.targets.simulated.journal import Applied, Standing, Truth
from lamplighter.testing.builders import crashed, facts, service, starting, system, up
from lamplighter.testing.checkers import (
    BudgetKept,
    CountExact,
    NeedsKept,
    OutageHeld,
    Patient,
    RepairsBounded,
    ScaledDownRightly,
    SharesSound,
    StillStands,
    UndoKept,
    WaitersServed,
)
from lamplighter.testing.checkers.seen import could_serve
from lamplighter.testing.need import needed, overloaded
from lamplighter.testing.witness import Witness

BUSY = App(service_s=0.1, start_s=1.0, demand=Demand(points=((0.0, 400.0),), noise=0.0))
"""Forty requests in flight: five replicas' work."""


def applied(seen: Facts, *replicas: Standing) -> Applied:
    """Return a shift that took effect while the world stood like this, and facts said that."""
    truth = Truth(60.0, replicas, {"search": {"r1": 1.0}}, "")
    action = Shift(workload="search", shares={"r1": 1.0})
    return Applied(60.0, 60.0, action, "a-1", 1, "maintainer", seen, truth, truth)


def test_one_that_vanished_from_the_list_is_not_held_to_serve() -> None:
    """It passed its checks until a moment ago; listed without a word of its checks it might do so still."""
    gone = Standing("search-2", "search", "r1", False, False, False, True, 59.0)
    missed, listed = applied(facts(search=[up]), gone), applied(facts(search=[up, up]), gone)
    assert (False, True) == (could_serve(gone, missed), could_serve(gone, listed))


@pytest.mark.parametrize(("ordered", "violations"), [("r1", 1), ("r2", 0)])
def test_release_that_makes_way_is_not_scaled_down(ordered: str, violations: int) -> None:
    """What is taken from a release by a rollout of another one is not for the load to say."""
    world = World(apps={"search": BUSY})
    witness, checker = Witness(world), ScaledDownRightly()
    for number in range(5):
        world.start(f"search-{number}", "search", "r1", "a-0")
    world.shift("search", {"r1": 1.0})
    world.advance(500.0)
    scale = Scale(workload="search", release="r1", replicas=2, stops=("search-1", "search-2", "search-3"))
    chosen = Proposal(
        "rollout", Priority.ROLLOUT, "search/r1", scale, Contract(gain="", deadline_s=1.0), because=""
    )
    decision = Decision(id="a-1", at=500.0, subject="search/r1", chosen=chosen, state="act", basis="")
    order = Up(id="up", system=system(search=(2, 6)), releases={"search": ordered})
    told = (Inputs(now=0.0, facts=Facts(at=0.0), intents=(order,)), Answer(intent="up", accepted=True))
    witness.heard(told[0], Result(answers=(told[1],), decisions=(decision,)), History(), recorded=True)
    event = Applied(500.0, 500.0, scale, "a-1", 1, "", None, world.truth(), world.truth())
    witness.recorded["a-1"] = 500.0
    assert violations == len(list(checker.look(event, witness)))


@pytest.mark.parametrize(
    ("answer", "called"), [("no release changes", True), ("rolling out search", False), ("", True)]
)
def test_release_before_is_called_back_where_its_return_is_no_rollout(answer: str, called: bool) -> None:  # noqa: FBT001
    """Asked for again while another is on its way, it is a person's order even if it has no traffic left."""
    witness = Witness(World(apps={"search": BUSY}))
    for number, (release, said) in enumerate((("r1", ""), ("r2", "rolling out search"), ("r1", answer))):
        up = Up(id=f"up-{number}", system=system(search=(2, 6)), releases={"search": release})
        inputs = Inputs(now=float(number), facts=Facts(at=0.0), intents=(up,))
        told = Answer(intent=up.id, accepted=True, detail=said)
        witness.heard(inputs, Result(answers=(told,)), History(), recorded=True)
    assert called == ("search" in witness.rolled_back)


@pytest.mark.parametrize(("decided_at", "violations"), [(1.0, 0), (9.0, 1)])
def test_budget_goes_by_when_an_action_was_decided(decided_at: float, violations: int) -> None:
    """One that was decided on a full disk and written down later is out of the window in its own time."""
    world = World(apps={"search": BUSY})
    witness, checker, truth = Witness(world), BudgetKept(), world.truth()
    witness.system = replace(system(search=(2, 6)), guards=Guards(actions=1, window_s=60.0))
    witness.systems = [witness.system]
    witness.decided, witness.recorded = {"a-1": decided_at, "a-2": 65.0}, {"a-1": 10.0, "a-2": 65.0}
    for number, at in ((1, 10.0), (2, 65.0)):
        scale = Scale(workload="search", release="r1", replicas=number, starts=(f"search-{number}",))
        event = Applied(at, at, scale, f"a-{number}", 1, "maintainer", None, truth, truth)
        told = list(checker.look(event, witness))
    assert violations == len(told)


@pytest.mark.parametrize(
    ("written", "holder", "violations"), [(True, "other", 1), (False, "other", 0), (False, "maintainer", 1)]
)
def test_budget_holds_what_its_maintainer_could_know(written: bool, holder: str, violations: int) -> None:  # noqa: FBT001
    """An action of a predecessor that nobody wrote down cannot be counted; one's own can."""
    world = World(apps={"search": BUSY})
    witness, checker, truth = Witness(world), BudgetKept(), world.truth()
    witness.system = replace(system(search=(2, 6)), guards=Guards(actions=1, window_s=60.0))
    witness.systems = [witness.system]
    witness.recorded = {"a-2": 2.0} | ({"a-1": 1.0} if written else {})
    for number, who in ((1, holder), (2, "maintainer")):
        scale = Scale(workload="search", release="r1", replicas=number, starts=(f"search-{number}",))
        event = Applied(number, number, scale, f"a-{number}", 1, who, None, truth, truth)
        told = list(checker.look(event, witness))
    assert violations == len(told)


@pytest.mark.parametrize(("answered_at", "violations"), [(10.0, 0), (8.0, 1)])
def test_facts_are_as_old_as_their_last_answer(answered_at: float, violations: int) -> None:
    """A reading that took two seconds is no older than what came last in it."""
    witness = Witness(World())
    scale = Scale(workload="search", release="r1", replicas=2, starts=("search-1",))
    chosen = Proposal("scaling", Priority.SCALING, "search/r1", scale, Contract(gain="", deadline_s=1.0), "")
    decided = Decision(id="a-1", at=8.0, subject="search/r1", chosen=chosen, state="act", basis="")
    witness.decisions["a-1"] = decided
    seen = Facts(at=8.0, sources={HEALTH: Source(observed_at=answered_at)})
    event = Applied(10.5, 10.0, scale, "a-1", 1, "", seen, witness.world.truth(), witness.world.truth())
    assert violations == len(list(StillStands().look(event, witness)))


def test_waiting_for_the_gateway_is_not_held_against_a_workload() -> None:
    """What is held of the gateway is to be done first; nobody is started before it knows of the spec."""
    checker, order = WaitersServed(), Witness(World())
    history = History(system=system(search=1), workloads={"search": WorkloadHistory(stable="r1")})
    found: list[str] = []
    for now in range(0, 100, 5):
        held = Finding(kind="action-held", subject="gateway", message="")
        seen = replace(facts(at=float(now), search=[]), loads={"search": Load(queued=9)})
        told = Inputs(now=float(now), facts=seen), Result(findings=(held,))
        found += checker.hear(*told, history, order)
    assert [] == found


@pytest.mark.parametrize(("settled_at", "violations"), [(3.0, 0), (1.0, 1)])
def test_successor_that_comes_late_is_counted_by_what_was_settled_since(
    settled_at: float, violations: int
) -> None:
    """Decided on when one was settled, it is one more of the three that were settled before it came."""
    world, checker, found = World(), CountExact(), []
    witness = Witness(world)
    witness.system = system(search=(1, 6))
    witness.recorded = {"a-1": 2.0, "a-2": settled_at}
    witness.subjects = {"a-1": "search-1", "a-2": "search/r1"}
    for name, number, starts in (("a-2", 3, ("search-2", "search-3")), ("a-1", 2, ("search-4",))):
        for each in ("search-1", *starts):
            world.start(each, "search", "r1", name)
        scale = Scale(workload="search", release="r1", replicas=number, starts=starts)
        event = Applied(9.0, 9.0, scale, name, 1, "", None, world.truth(), world.truth())
        found += checker.look(event, witness)
    assert violations == len(found)


@pytest.mark.parametrize(("drained", "violations"), [(True, 0), (False, 1)])
def test_traffic_may_stay_with_the_last_that_is_drained(*, drained: bool, violations: int) -> None:
    """Where the other release has ended a moment ago none is left that could serve, whatever facts said."""
    world, checker = World(apps={"search": BUSY}), SharesSound()
    witness = Witness(world)
    witness.system = system(search=(0, 6))
    for name, release in (("search-1", "r1"), ("search-2", "r2")):
        world.start(name, "search", release, "a-0")
    world.shift("search", {"r2": 1.0})
    world.advance(20.0)
    if drained:
        world.drain("search-1", 1.0, "a-1")
    world.advance(22.0)
    before = world.truth()
    ones = facts(at=20.0, search=[up, up])
    seen = replace(ones, replicas=(ones.replicas[0], replace(ones.replicas[1], release="r2")))
    world.drain("search-2", 1.0, "a-2")
    scale = Scale(workload="search", release="r2", replicas=0, stops=("search-2",))
    event = Applied(22.0, 22.0, scale, "a-2", 1, "", seen, before, world.truth())
    assert violations == len(list(checker.look(event, witness)))


@pytest.mark.parametrize(("queued", "violations"), [(0, 0), (9, 1)])
def test_to_zero_nothing_is_at_risk_that_nobody_asks_for(queued: int, violations: int) -> None:
    """Two of two may go at once while nothing is asked of them."""
    world, checker = World(apps={"search": BUSY}), BudgetKept()
    witness = Witness(world)
    wanted = system(search=(0, 6))
    witness.system = replace(wanted, guards=Guards(at_risk=0.5))
    witness.systems = [witness.system]
    for each in ("search-1", "search-2"):
        world.start(each, "search", "r1", "a-0")
    world.shift("search", {"r1": 1.0})
    world.advance(50.0)
    before, seen = world.truth(), facts(at=50.0, search=[up, up])
    seen = replace(seen, loads={"search": Load(in_flight=0, queued=queued)})
    scale = Scale(workload="search", release="r1", replicas=0, stops=("search-1", "search-2"))
    for each in scale.stops:
        world.drain(each, 5.0, "a-1")
    event = Applied(50.0, 50.0, scale, "a-1", 1, "", seen, before, world.truth())
    assert violations == len(list(checker.look(event, witness)))


def test_outage_that_looked_like_age_is_known_by_age() -> None:
    """A source that was not seen to fail may be thought fresh for as long as facts may be."""
    world = World(apps={"search": BUSY})
    witness = Witness(world)
    witness.system = system(search=(2, 6))
    witness.heard(Inputs(now=0.0, facts=Facts(at=0.0)), Result(), History(), recorded=True)
    for number in range(3):
        world.start(f"search-{number}", "search", "r1", "a-0")
    world.shift("search", {"r1": 1.0})
    world.advance(100.0)
    world.silences.begin("traffic", 60.0, "fault")
    scale = Scale(workload="search", release="r1", replicas=2, stops=("search-1",))
    fresh = facts(at=103.0, search=[up, up, up])
    failed = replace(fresh, sources={**fresh.sources, TRAFFIC: Source(observed_at=100.0, fault="gone")})
    events = [
        Applied(103.0, 103.0, scale, "a-1", 1, "", each, world.truth(), world.truth())
        for each in (fresh, failed)
    ]
    assert [0, 1] == [len(list(OutageHeld().look(each, witness))) for each in events]


def test_waiting_that_a_guard_makes_is_not_held_against_a_workload() -> None:
    """Requests that wait while the repair of a replica is held have an answer: a person set the bound."""
    checker, order = WaitersServed(), Witness(World())
    loads = {"search": Load(in_flight=0, queued=9)}
    history = History(system=system(search=1), workloads={"search": WorkloadHistory(stable="r1")})
    action = Replace(workload="search", release="r1", replica="search-1", start="search-2")
    chosen = Proposal("repair", Priority.REPAIR, "search-1", action, Contract(gain="", deadline_s=1.0), "")
    held = Decision(id="a-1", at=0.0, subject="search-1", chosen=chosen, state="held", basis="")
    found = []
    for state, since in (("held", 0), ("act", 100)):
        result = Result(decisions=(replace(held, state=state),))
        for now in range(since, since + 100, 5):
            seen = replace(facts(at=float(now), search=[crashed]), loads=loads)
            found.append((state, *checker.hear(Inputs(now=float(now), facts=seen), result, history, order)))
    assert {"act"} == {each[0] for each in found if each[1:]}


@pytest.mark.parametrize("subject", ["search", "search-1"])
@pytest.mark.parametrize(("kind", "violations"), [("needs-a-person", 0), ("repair-waits", 1)])
def test_waiting_that_a_person_was_asked_to_end_is_not_held_against_a_workload(
    kind: str, violations: int, subject: str
) -> None:
    """Repairs that did not last are bounded; one that only waits for its turn has to come soon."""
    checker, order = WaitersServed(), Witness(World())
    history = History(system=system(search=1), workloads={"search": WorkloadHistory(stable="r1")})
    found: list[str] = []
    for now in range(0, 100, 5):
        seen = replace(facts(at=float(now), search=[crashed]), loads={"search": Load(queued=9)})
        result = Result(findings=(Finding(kind=kind, subject=subject, message=""),))
        found += checker.hear(Inputs(now=float(now), facts=seen), result, history, order)
    assert violations == len(found)


@pytest.mark.parametrize(("turned_away_at", "violations"), [(50.0, 0), (-1.0, 1)])
def test_waiting_counts_from_when_the_target_last_turned_an_order_away(
    turned_away_at: float, violations: int
) -> None:
    """What the target does not do is not held against who ordered it; a minute without an order is."""
    checker, witness = WaitersServed(), Witness(World())
    wanted = system(search=service("search", health=Health(start_timeout_s=9.0)))
    history = History(system=wanted, workloads={"search": WorkloadHistory(stable="r1")})
    found: list[str] = []
    for now in range(0, 70, 5):
        witness.refused = {"search": turned_away_at} if now >= turned_away_at else {}
        seen = replace(facts(at=float(now), search=[]), loads={"search": Load(queued=9)})
        found += checker.hear(Inputs(now=float(now), facts=seen), Result(), history, witness)
    assert violations == len(found)


@pytest.mark.parametrize(("start_timeout_s", "violations"), [(20.0, 1), (60.0, 0)])
def test_waiting_is_as_long_as_a_start_may_take(start_timeout_s: float, violations: int) -> None:
    """One start that comes to nothing is given up after its time, and only then made good."""
    checker, order = WaitersServed(), Witness(World())
    wanted = system(search=service("search", health=Health(start_timeout_s=start_timeout_s)))
    history = History(system=wanted, workloads={"search": WorkloadHistory(stable="r1")})
    found: list[str] = []
    for now in range(0, 70, 5):
        seen = replace(facts(at=float(now), search=[starting]), loads={"search": Load(queued=9)})
        found += checker.hear(Inputs(now=float(now), facts=seen), Result(), history, order)
    assert violations == len(found)


@pytest.mark.parametrize(("befallen_s", "violations"), [(0.0, 1), (60.0, 0)])
def test_waiting_counts_from_when_a_start_can_serve(befallen_s: float, violations: int) -> None:
    """While whatever is started never passes its checks nobody can help those who wait."""
    world = World(apps={"search": BUSY})
    checker, witness = WaitersServed(), Witness(world)
    world.befalling.befall(Trouble(kind="never-ready", at=0.0, for_s=befallen_s, subject="search"))
    history = History(system=system(search=1), workloads={"search": WorkloadHistory(stable="r1")})
    found: list[str] = []
    for now in range(0, 100, 5):
        world.advance(float(now))
        seen = replace(facts(at=float(now), search=[starting]), loads={"search": Load(queued=9)})
        found += checker.hear(Inputs(now=float(now), facts=seen), Result(), history, witness)
    assert violations == len(found)


@pytest.mark.parametrize(("read_s_before", "violations"), [(0.5, 0), (0.0, 1)])
def test_one_that_answers_again_is_judged_as_it_was_seen(read_s_before: float, violations: int) -> None:
    """What had failed for long enough when the facts were read may be replaced, a moment later too."""
    world, checker = World(apps={"search": BUSY}), Patient()
    witness = Witness(world)
    witness.system = system(search=1)
    world.listeners.append(lambda event: [*checker.look(event, witness)])
    world.start("search-1", "search", "r1", "a-0")
    world.advance(10.0)
    world.mishaps.hang(world.bodies["search-1"], 60.0)
    world.advance(70.2)
    read_at = world.now - read_s_before
    seen = replace(facts(at=read_at, search=[crashed]), sources={HEALTH: Source(observed_at=read_at)})
    action = Replace(workload="search", release="r1", replica="search-1", start="search-2")
    event = Applied(world.now, world.now, action, "a-1", 1, "", seen, world.truth(), world.truth())
    assert violations == len(list(checker.look(event, witness)))


@pytest.mark.parametrize(("read_at", "violations"), [(61.0, 0), (64.0, 1)])
def test_one_that_answers_for_the_first_time_is_judged_as_it_was_seen(
    read_at: float, violations: int
) -> None:
    """It had been starting for too long when the facts were read, answered on the way there, and hung."""
    world, checker = World(apps={"search": replace(BUSY, start_s=62.0, start_spread=0.0)}), Patient()
    witness = Witness(world)
    witness.system = system(search=1)
    world.listeners.append(lambda event: [*checker.look(event, witness)])
    world.start("search-1", "search", "r1", "a-0")
    world.advance(63.0)
    world.mishaps.hang(world.bodies["search-1"], 60.0)
    world.advance(64.5)
    seen = replace(facts(at=read_at, search=[starting]), sources={HEALTH: Source(observed_at=read_at)})
    action = Replace(workload="search", release="r1", replica="search-1", start="search-2")
    event = Applied(world.now, world.now, action, "a-1", 1, "", seen, world.truth(), world.truth())
    assert violations == len(list(checker.look(event, witness)))


@pytest.mark.parametrize(("recorded_at", "violations"), [(55.0, 1), (30.0, 0)])
def test_budget_goes_by_when_an_action_was_decided_even_if_that_is_told_later(
    recorded_at: float, violations: int
) -> None:
    """A slow disk tells of a decision when it is done already; it is as old as it is."""
    world, checker = World(), BudgetKept()
    witness = Witness(world)
    wanted = replace(system(search=2), guards=Guards(actions=1, window_s=60.0))
    witness.system, witness.systems, witness._in_force_since = wanted, [wanted], [0.0]
    scale, truth = Scale(workload="search", release="r1", replicas=3, starts=("search-3",)), world.truth()
    events = [Applied(at, at, scale, f"a-{at:g}", 1, "one", None, truth, truth) for at in (55.0, 95.0)]
    assert [] == list(checker.look(events[0], witness))
    witness.decided |= {"a-55": recorded_at, "a-95": 95.0}
    assert violations == len(list(checker.look(events[1], witness)))


@pytest.mark.parametrize(("sent_at", "excused"), [(99.0, True), (101.0, False)])
def test_what_was_sent_while_all_was_ordered_down_is_that_orders_if_it_was_rolled_back_too(
    sent_at: float,
    excused: bool,  # noqa: FBT001
) -> None:
    """A way back before it that is in force still takes nothing from what the order excuses."""
    world = World()
    witness, wanted = Witness(world), system(search=1)
    asked = ((0.0, Up(id="up", system=wanted)), (50.0, Rollback(id="back", workload="search")))
    for at, intent in (*asked, (80.0, Down(id="down")), (100.0, Up(id="again", system=wanted))):
        inputs = Inputs(now=at, facts=Facts(at=at), intents=(intent,))
        answers = (Answer(intent=intent.id, accepted=True),)
        witness.heard(inputs, Result(answers=answers), History(), recorded=True)
    assert excused == witness.ordered_down("search", sent_at)


@pytest.mark.parametrize(
    ("release", "share", "goes_on"), [("r1", 0.1, True), ("r1", 1.0, False), ("r3", 0.1, False)]
)
def test_way_back_goes_on_where_its_release_is_asked_for_again(
    release: str,
    share: float,
    goes_on: bool,  # noqa: FBT001
) -> None:
    """An order that names the release that is gone back to changes nothing about how it comes there."""
    world = World()
    witness, wanted = Witness(world), system(search=1)
    world.shares["search"] = {"r1": share, "r2": 1 - share}
    back = Rollback(id="back", workload="search"), "going back to r1"
    said = "no release changes" if release == "r1" else "rolling out search"
    again = Up(id="up", system=wanted, releases={"search": release}), said
    for at, (intent, detail) in ((50.0, back), (60.0, again), (70.0, again)):
        inputs = Inputs(now=at, facts=Facts(at=at), intents=(intent,))
        answers = (Answer(intent=intent.id, accepted=True, detail=detail),)
        witness.heard(inputs, Result(answers=answers), History(), recorded=True)
    assert goes_on == ("search" in witness.rolled_back)


@pytest.mark.parametrize(("goal", "too_few"), [(8.0, False), (40.0, True)])
def test_goal_beyond_what_a_replica_can_do_asks_for_too_few(goal: float, too_few: bool) -> None:  # noqa: FBT001
    """Forty requests are worked on, sixteen at once by each: one replica for all of them is not enough."""
    wanted = service("search", (1, 9), scale=Autoscale(goal=goal))
    assert too_few == overloaded(World(apps={"search": BUSY}), wanted, 1.0, "r1")


@pytest.mark.parametrize(("slower_times", "need"), [(1.0, 5.0), (2.0, 10.0)])
def test_slow_release_needs_more_replicas(slower_times: float, need: float) -> None:
    """Its requests are worked on for longer, so that more of them are in flight."""
    world = World(apps={"search": BUSY}, ailments={"r2": Ailment(slower_times=slower_times)})
    assert need == needed(world, service("search", (2, 9)), 1.0, "r2")


@pytest.mark.parametrize(("down_at", "violations"), [(59.0, 1), (61.0, 0)])
def test_what_was_decided_before_all_was_ordered_down_is_not_the_orders(
    down_at: float, violations: int
) -> None:
    """One of those that are needed ends first: wrong after the order, and none of its business before."""
    world = World()
    witness = Witness(world)
    witness.system = system(search=1, front=service("front", needs=("search",)))
    witness.down_at, witness.decided["a-1"] = down_at, 60.0
    world.start("search-1", "search", "r1", "a-0")
    scale = Scale(workload="search", release="r1", replicas=1, stops=("search-1",))
    seen, truth = facts(search=[up, up], front=[up]), world.truth()
    event = Applied(62.0, 61.5, scale, "a-1", 1, "", seen, truth, truth)
    assert violations == len(list(NeedsKept().look(event, witness)))


@pytest.mark.parametrize(("stopped", "violations"), [("search-1", 0), ("search-9", 1)])
def test_traffic_is_not_given_back_to_what_is_to_stop(stopped: str, violations: int) -> None:
    """A shift that failed is undone, unless all of the release that had the traffic is ordered to stop."""
    undo = Shift(workload="search", shares={"r1": 1.0})
    contract = Contract(gain="", deadline_s=1.0)
    moved = Shift(workload="search", shares={"r2": 1.0}), replace(contract, undo=undo)
    fewer = Scale(workload="search", release="r1", replicas=0, stops=(stopped,)), contract
    decisions = [
        Decision(
            id=f"a-{rank}",
            at=0.0,
            subject="search",
            chosen=Proposal("rollout", Priority.ROLLOUT, "search", action, promise, because=""),
            state="act",
            basis="",
        )
        for rank, (action, promise) in enumerate((moved, fewer))
    ]
    checker, witness = UndoKept(), Witness(World())
    inputs, failed = (
        Inputs(now=60.0, facts=facts(search=[up])),
        Closed(action="a-0", at=60.0, result="failed"),
    )
    assert not list(checker.hear(inputs, Result(decisions=tuple(decisions)), History(), witness))
    assert violations == len(list(checker.hear(inputs, Result(closed=(failed,)), History(), witness)))


@pytest.mark.parametrize(
    ("unwritten", "second", "violations"), [(True, "b", 0), (False, "b", 1), (True, "a", 1)]
)
def test_repairs_that_another_could_not_write_down_are_in_nobodys_count(
    unwritten: bool,  # noqa: FBT001
    second: str,
    violations: int,
) -> None:
    """On a full disk a successor knows nothing of what came before it; one that lived on does."""
    world, checker, found = World(), RepairsBounded(), list[str]()
    witness = Witness(world)
    witness.system = system(search=1)
    most = witness.system.services["search"].repair.attempts
    for number in range(most + 1):
        holder = "a" if number < most else second
        name, start = f"search-{number}", f"search-{number + 1}"
        action = Replace(workload="search", release="r1", replica=name, start=start)
        at = 60.0 + number
        truth = world.truth()
        found += checker.look(Applied(at, at, action, f"a-{number}", 1, holder, None, truth, truth), witness)
        witness.unwritten |= {start} if unwritten else set()
    assert violations == len(found)
