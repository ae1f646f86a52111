"""What seeds have found, each kept as a scenario: every one of these has gone wrong once."""

from msgspec.structs import replace

from lamplighter.model.facts import HEALTH
from lamplighter.model.intents import Up
from lamplighter.model.system import Guards, RolloutPolicy, Service, System
from lamplighter.targets.simulated import AnswerFaults, Faults, SourceFaults, Trouble
from lamplighter.targets.simulated.apps import App
from lamplighter.testing.builders import service, system
from lamplighter.testing.scenarios import (
    befalls,
    crash,
    down,
    eventually,
    full_disk,
    hang,
    kill_maintainer,
    never,
    nothing_left,
    order,
    scenario,
    silence,
)
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import Order, Story


def stepped(least: int, most: int, surge: int, *steps: float) -> Service:
    """Return a search service with these bounds and steps, short bakes and short drains."""
    policy = RolloutPolicy(steps=steps or (0.5, 1.0), bake_s=5.0, surge=surge)
    return service("search", (least, most), rollout=policy, drain_s=5.0)


def test_rollout_without_room_ends_where_it_was_going() -> None:
    """At `max` and with no surge a rollout goes through with one replica fewer, and never turns back."""
    made = scenario("no room").given(search=stepped(3, 4, 0), release="r2").load("search", (-60, 290))
    made.then(never(below=3), eventually(release="r2", replicas=4))


def test_shares_that_do_not_come_out_even_start_nothing_more() -> None:
    """A seventh of the traffic is rounded by the gateway; it still needs no second replica."""
    made = scenario("sevenths").given(search=stepped(7, 7, 1, 0.05, 0.15, 1.0), release="r2")
    made.then(never(below=7), eventually(release="r2", replicas=7))


def test_min_raised_during_a_rollout_holds_at_once() -> None:
    """The step that gives everything to the candidate waits until the new `min` of it is ready."""
    higher = replace(system(), services={"search": stepped(4, 4, 1)})
    raised = order(Up(id="up-higher", system=replace(higher, name="sim"), releases={"search": "r2"}))
    scenario("min raised").given(search=stepped(3, 3, 1), release="r2").at(2, raised).then(
        never(below=3), eventually(release="r2", replicas=4)
    )


def test_rollout_keeps_to_what_may_be_at_risk() -> None:
    """What a rollout drains at once is bounded as all else is; it goes on bit by bit."""
    made = scenario("little at risk").given(search=stepped(6, 6, 1), release="r2")
    made.guarded(Guards(at_risk=0.2)).then(never(below=6), eventually(release="r2", replicas=6))


def test_late_facts_undo_nothing() -> None:
    """Where every source is a second or two late, nothing is done twice and nothing is taken back."""
    faults = Faults(sources=SourceFaults(late_p=0.5, late_s=2.0))
    made = scenario("late facts").given(search=3, release="r2", faults=faults)
    made.at(30, crash("search/1")).at(31, crash("search/1")).then(
        never(below=1), eventually(release="r2", replicas=3), seed=5
    )


def test_dismantling_that_nobody_carried_out_is_not_done() -> None:
    """A maintainer that dies before the last action leaves it to its successor, and nothing is left."""
    for steps in range(12):
        made = scenario("killed at the end").given(search=1).at(0, down())
        made.at(1.2, kill_maintainer(steps)).then(nothing_left())


def test_names_given_without_a_record_are_not_given_again() -> None:
    """What a maintainer started on a full disk before it was killed keeps its names to itself."""
    made = (
        scenario("unrecorded names")
        .given(search=(2, 6))
        .load("search", (-60, 60), (5, 300), (60, 60), (110, 300))
    )
    made.at(0, full_disk(for_s=30, reserve_writes=0)).at(20, kill_maintainer()).then(never(below=2))


def test_noise_alone_does_not_swing_the_number() -> None:
    """Requests in flight scatter; a steady dozen of them keeps two replicas at two."""
    made = scenario("noise").given(search=(2, 6)).load("search", (-60, 120), (600, 120))
    report = made.then(never(below=2))
    assert report.actions < 10


def test_successor_that_hangs_too_is_replaced() -> None:
    """With room for one successor only, one that stops answering makes room for another."""
    made = scenario("two that hang").given(search=stepped(1, 1, 1)).at(0, hang("search/1"))
    made.at(6, silence(HEALTH, for_s=20)).at(10, hang("search/2")).then(eventually(replicas=1))


def test_gateway_that_forgets_its_shares_in_a_rollout_leaves_nobody_alone() -> None:
    """What is left of stable is not given all of the traffic while the candidate carries most of it."""
    made = scenario("forgotten shares").given(search=stepped(3, 4, 1, 0.6, 1.0), release="r2")
    for at in range(4, 20, 2):
        made.at(at, befalls(Trouble(kind="gateway-restart", at=0.0)))
    made.then(eventually(release="r2", replicas=3, within_s=200))


def test_workload_that_comes_back_uses_no_name_again() -> None:
    """A workload that left the spec and came back goes on counting its replicas' names."""
    both = System(name="sim", services={each: service(each, 1) for each in ("search", "model")})
    alone = replace(both, services={"search": both.services["search"]})
    made = scenario("left and back").given(search=1, model=1)
    made.at(1, order(Up(id="up-alone", system=alone)))
    made.at(60, order(Up(id="up-both", system=both, releases={"model": "r1"})))
    made.then(eventually(release="r1", replicas=1))


def test_lost_answers_start_nothing_twice() -> None:
    """Half of all answers are lost or late, some repeats are refused: there are never more than asked for."""
    answers = AnswerFaults(lost_before_p=0.2, lost_after_p=0.2, late_p=0.2, refused_p=0.2)
    made = scenario("lost answers").given(search=(2, 6), release="r2", faults=Faults(answers=answers))
    made.load("search", (-60, 100), (5, 300), (60, 60), (120, 300))
    for seed in range(1, 6):
        made.then(never(below=2), seed=seed)


def test_release_that_stays_needs_no_bake_on_its_way_back() -> None:
    """A candidate that had all of the traffic, not promoted yet, gives it back as fast as there is room."""
    both = system(search=stepped(2, 3, 1, 0.1, 0.5, 1.0), model=service("model", 1, drain_s=30.0))
    ups = (Up(id=f"up-{each}", system=both, releases={"search": each}) for each in ("r2", "r1"))
    made = scenario("way back").given(**both.services).running("model", App(service_s=8.0))
    for when, happening in zip((0, 2, 8), (down(), *map(order, ups)), strict=True):
        made.at(when, happening)
    made.then(eventually(release="r1", workload="search", replicas=2))


def test_target_that_forgot_what_it_did_may_do_it_again() -> None:
    """A machine that starts anew gets an order without an answer again; nothing lives twice by it."""
    faults = Faults(answers=AnswerFaults(lost_after_p=1.0))
    made = scenario("reboot before the answer").given(search=2, faults=faults).at(0, crash("search/1"))
    made.at(1.5, befalls(Trouble(kind="reboot", at=0.0, for_s=3.0, size=1.0)))
    made.then(eventually(replicas=2))


def test_successor_that_could_not_be_recorded_is_known_for_one() -> None:
    """Who hangs and has a successor is not counted, and one more is started for the load all the same."""
    made = (
        scenario("unrecorded successor").given(search=(1, 4)).load("search", (-60, 40), (12, 40), (14, 200))
    )
    made.at(0, full_disk(for_s=10, reserve_writes=0)).at(1, hang("search/1"))
    made.at(6.5, silence(HEALTH, for_s=40)).then(eventually())


def test_name_that_left_no_trace_may_be_given_again() -> None:
    """What was started on a full disk and vanished before a successor looked is known to nobody."""
    made = scenario("no trace").given(search=2).at(0, full_disk(for_s=60, reserve_writes=0))
    made.at(1, crash("search/1")).at(5, kill_maintainer())
    made.at(5.5, befalls(Trouble(kind="vanish", at=0.0, subject="search", size=3.0)))
    made.then(eventually(replicas=2))


def test_order_that_a_disk_fills_up_on_is_asked_for_again() -> None:
    """Its record was on the way while the disk filled up: nobody is promised anything, and they ask again."""
    wanted = system(search=2)
    ups = [Up(id=f"up-{each}", system=wanted, releases={"search": each}) for each in ("r1", "r2")]
    made = Story(
        apps={"search": App()},
        orders=(Order(at=0.0, intent=ups[0]), Order(at=60.0, intent=ups[1])),
        troubles=(
            Trouble(kind="disk-slow", at=59.0, for_s=20.0, size=8.0),
            Trouble(kind="disk-full", at=63.0, for_s=30.0, size=0.0),
        ),
    )
    assert [] == [each.violations for seed in range(1, 7) if not (each := simulate(made, seed=seed)).sound]
