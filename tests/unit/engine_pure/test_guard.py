"""Guard: what is held, why, and what may pass."""

from itertools import pairwise

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.contracts import Timing, Why, grow, shift, substitute
from lamplighter.controllers.survey import Survey
from lamplighter.engine.freeze import frozen, week_minute
from lamplighter.engine.guard import Watch, guard, guarded
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH
from lamplighter.model.system import Freeze, Guards, Range
from lamplighter.testing.builders import facts, of, settled, survey, up

WEEKEND = (Freeze(start_min=4 * 1440 + 18 * 60, end_min=8 * 60, text="Fri 18:00 - Mon 08:00"),)
SATURDAY = "2026-11-28T12:00:00+00:00"


def held(here: World) -> list[str]:
    """Return the reasons of what is held now."""
    return [reason for each in here.results[-1].decisions if each.state == "held" for reason in each.reasons]


def test_rollout_does_not_start_in_a_freeze() -> None:
    """A new release waits for the end of the window, with the window as the reason."""
    here = World(system(freeze=WEEKEND)).settle()
    here.wall = SATURDAY
    here.up("r2")
    here.run(10)
    assert (["frozen: Fri 18:00 - Mon 08:00 (UTC)"], []) == (held(here), here.live("r2"))
    here.wall = "2026-11-30T09:00:00+00:00"
    here.run(5)
    assert 1 == len(here.live("r2"))


@pytest.mark.parametrize(("release", "state"), [("r1", "act"), ("r2", "held")])
def test_load_starts_no_rollout_in_a_freeze(release: str, state: str) -> None:
    """More is started of what serves; the first of a candidate waits, whoever wants it."""
    here = World(system(freeze=WEEKEND)).settle()
    here.wall = SATURDAY
    here.up("r2")
    wants = grow("web", release, (0, 0, 3), Why("scaling", Priority.SCALING, "load"), Timing(9.0, 9.0))
    decision = Decision(id="a-1", at=here.now, subject=wants.subject, chosen=wants, state="act", basis="b")
    assert (
        state == guard(decision, Watch(here.history, Survey(here.facts(), here.now), recordable=True)).state
    )


def test_first_release_repair_scaling_and_rollback_pass_a_freeze() -> None:
    """A freeze holds what is new and can wait, nothing that keeps the system alive."""
    here = World(system(freeze=WEEKEND)).settle()
    here.up("r2")
    here.run(40)
    here.wall = SATURDAY
    here.rollback()
    here.run(10)
    here.kill(here.ready("r1")[0])
    here.load(60)
    here.run(10)
    assert ({"r1": 1.0}, 6) == (here.shares["web"], len(here.ready()))


def test_rollout_under_way_goes_on_into_a_freeze() -> None:
    """Only the start is held; half a rollout is worse than one."""
    here = World(system(freeze=WEEKEND)).settle()
    here.up("r2")
    here.run(8)
    here.wall = SATURDAY
    here.run(40)
    assert "r2" == here.history.workloads["web"].stable


@pytest.mark.parametrize(
    ("wall", "inside"),
    [
        ("2026-11-27T17:59:00+00:00", False),
        ("2026-11-27T18:00:00+00:00", True),
        (SATURDAY, True),
        ("2026-11-30T07:59:00+00:00", True),
        ("2026-11-30T08:00:00+00:00", False),
        ("", True),
        ("2026-11-25T12:00:00", True),
    ],
)
def test_week_window(wall: str, inside: bool) -> None:  # noqa: FBT001
    """A window runs over the weekend; a wall time that cannot be told lies in it."""
    assert inside == (frozen(system(freeze=WEEKEND), wall) is not None)


def test_windows_are_in_the_systems_own_time_zone() -> None:
    """Summer and winter time are the zone's business."""
    minutes = [week_minute(f"2026-0{month}-01T12:00:00+00:00", "Europe/Berlin") for month in (6, 2)]
    assert [0 * 1440 + 14 * 60, 6 * 1440 + 13 * 60] == minutes


def test_budget_of_actions_holds_the_rest() -> None:
    """Once the window's actions are used up the next one waits, and says so."""
    here = World(system(guards=Guards(actions=3, window_s=100.0))).settle()
    for _ in range(3):
        here.kill(here.ready()[0])
        here.run(6)
    assert (2, ["3 actions in 100 s, 3 are allowed"]) == (len(here.did(Replace)), held(here))
    here.run(100)
    assert 2 == len(here.ready())


def test_action_above_the_limit_asks_and_is_taken_once_approved() -> None:
    """A blast radius above the limit waits for a yes to that very action."""
    here = World(system(guards=Guards(approve_above=0.3))).settle()
    here.hang("web-1")
    here.run(8)
    (asked,) = here.history.asked.values()
    assert ("asked", "approval-asked" in here.kinds()) == (asked.state, True)
    assert here.approve(asked.id).accepted
    here.run(5)
    assert [asked.id] == [each.id for each in here.did(Replace)]


def test_asked_action_keeps_its_id_while_nothing_changes() -> None:
    """Otherwise nobody could ever approve it; not even shifting load may change who is meant."""
    here = World(system(guards=Guards(approve_above=0.1))).settle()
    here.load(60)
    here.run(70)
    ids = set()
    here.load(0)
    for turn in range(100):
        for rank, each in enumerate(here.live()):
            known = here.replicas[each]
            here.replicas[each] = type(known)(
                **{name: getattr(known, name) for name in known.__struct_fields__}
                | {"in_flight": (rank * 7 + turn) % 5}
            )
        here.once()
        if turn > 80:
            ids |= set(here.history.asked)
    assert 1 == len(ids)


def test_approval_lapses_when_the_facts_change() -> None:
    """A death in the workload makes it another question, in the very pass of the approval too."""
    here = World(
        system(
            guards=Guards(approve_above=0.3),
        ),
        start_s=1.0,
    ).settle()
    here.hang("web-1")
    here.run(8)
    (asked,) = here.history.asked
    here.kill("web-2")
    answer = here.approve(asked)
    assert (False, "lapsed") == (answer.accepted, answer.code)
    assert "lapsed" == here.approve(asked).code


def test_approval_of_something_else_is_refused() -> None:
    """Only what is asked about now can be approved."""
    assert "unknown-action" == World().settle().approve("a-0000").code


def test_blackout_holds_what_is_destructive() -> None:
    """Health that falls silent in the pass of the decision holds the drain, with the source as reason."""
    here = World(system(service("web"), service("old"))).settle()
    here.silence(HEALTH)
    here.up("r1", system(service("web")))
    here.run(10)
    assert 2 == len(here.live(workload="old"))


def test_without_a_record_nothing_destructive_is_done_but_repair_goes_on() -> None:
    """A full disk holds the drain of an unresponsive replica, not the replacement of a dead one."""
    here = World(system(service(replicas=Range(min=3, max=3)))).settle()
    here.recordable = False
    here.hang("web-1")
    here.kill("web-2")
    here.run(10)
    assert (["web-2"], "unrecordable" in here.kinds()) == (
        [each.chosen.action.replica for each in here.did(Replace)],
        True,
    )


def test_person_passes_the_guards_for_judgement() -> None:
    """A rollback needs neither budget nor approval."""
    here = World().settle()
    here.up("r2")
    here.run(40)
    here.up("r2", system(guards=Guards(actions=0, approve_above=0.0, at_risk=0.0)))
    here.rollback()
    here.run(10)
    assert {"r1": 1.0} == here.shares["web"]


def test_failures_make_the_next_try_wait_longer() -> None:
    """Refused actions come back at growing intervals."""
    here = World().settle()
    here.refuses = lambda action: "no" if isinstance(action, Scale) else ""
    here.load(60)
    here.run(40)
    refused = [each.at for each in here.history.closed if each.result == "refused"]
    gaps = [late - early for early, late in pairwise(refused)]
    assert (gaps, True) == (sorted(gaps), gaps[-1] >= 8)


@pytest.mark.parametrize(
    ("stops", "share", "state"), [("web-2", 0.5, "held"), ("web-1", 0.5, "act"), ("web-2", 0.1, "act")]
)
def test_release_gains_no_traffic_in_the_pass_in_which_one_of_it_is_stopped(
    stops: str, share: float, state: str
) -> None:
    """Both rest on who serves: what was settled later waits, unless it is about another release."""
    wanted = system(service(replicas=Range(min=1, max=4)))
    seen = replace(facts(web=[up, of("r2")]), shares={"web": {"r1": 0.8, "r2": 0.2}})
    watch = Watch(settled(wanted), survey(seen), recordable=True)
    why = Why("rollout", Priority.ROLLOUT, "step 2")
    one = substitute(watch.survey.replicas[stops], 0.0, why, Timing(60.0, 30.0), ())
    two = shift(watch.survey, "web", {"r1": 1 - share, "r2": share}, why)
    decisions = [
        Decision(id=f"a-{each.subject}", at=60.0, subject="", chosen=each, state="act", basis="")
        for each in (one, two)
    ]
    assert [("act", state), ("act", state)] == [
        tuple(each.state for each in guarded(order, Watch(settled(wanted), survey(seen), recordable=True)))
        for order in (decisions, decisions[::-1])
    ]
