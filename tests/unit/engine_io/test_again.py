"""Deciding again, on recordings that are lists: gaps, other versions, differences, and another policy."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.unit.engine_io.worlds import decision, system

from lamplighter import __version__
from lamplighter.engine.replay import (
    Difference,
    Replayed,
    Report,
    differences,
    number_at,
    replay,
    report,
    rerun,
)
from lamplighter.model.actions import Configure, Outcome, Scale
from lamplighter.model.errors import UserError
from lamplighter.model.facts import Facts
from lamplighter.model.history import History, Pending
from lamplighter.model.intents import Down, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import digest
from lamplighter.ports import Recorded

BIG, SMALL = system(), replace(system(), name="small")


def small(_wanted: System) -> System:
    """A policy: everything is small."""
    return SMALL


def step(history: History, inputs: Inputs) -> tuple[History, Result]:
    """Decide one Scale a pass, as large as the system's name, and count what was answered."""
    for each in inputs.intents:
        if isinstance(each, Up):
            history = replace(history, system=each.system)
    if history.system is None:
        return history, Result()
    size = len(history.system.name)
    scale = Scale(workload="search", release=inputs.facts.configured[:4], replicas=size)
    made = decision(f"a-{size}-{inputs.now:g}", inputs.now, scale)
    acts = history.acts + 1 + 100 * len(inputs.outcomes)
    return replace(history, acts=acts, pending={made.id: Pending(decision=made)}), Result(decisions=(made,))


class Listed:
    """A recording that is a list, with a history at its start and where one is given."""

    def __init__(self, *passes: Recorded, after: dict[int, History] | None = None) -> None:
        self.recorded = passes
        self.histories = after or {}

    def start(self, _first: int) -> tuple[int, History] | None:
        """Tell where it begins."""
        return (self.recorded[0].number, self.recorded[0].before or History()) if self.recorded else None

    def passes(self, *, first: int, last: int | None) -> Iterator[Recorded]:
        """Tell the passes of a range."""
        yield from (each for each in self.recorded if first <= each.number <= (last or 10**9))

    def after(self, number: int) -> History | None:
        """Tell the history after a pass, where it is known."""
        return self.histories.get(number)


def inputs(number: int, *intents: object, **changes: object) -> Inputs:
    """Return what a pass saw."""
    facts = Facts(at=float(number), wall=f"w{number}", configured=digest(BIG))
    return replace(Inputs(now=float(number), facts=facts, intents=intents), **changes)  # type: ignore[arg-type]


UP = Up(id="up-1", system=BIG, basis="b")


def recorded(*numbers: int, **changes: object) -> list[Recorded]:
    """Return passes as `step` decided them, one after the other."""
    history, made = History(), []
    for number in numbers:
        given = inputs(number, *((UP,) if number == numbers[0] else ()))
        before = history
        history, result = step(history, given)
        made.append(Recorded(number=number, inputs=given, result=result, before=before))
    return [replace(each, **changes) for each in made]


def test_report_is_the_sum_of_its_passes() -> None:
    """Which were unlike, came after a gap, or began with another history; and who decided."""
    one = decision("a-1", 1.0, Scale(workload="s", release="r", replicas=1))
    told = [
        Replayed(number=3, at=1.0, wall="", decisions=(one, one), same=True, version="1"),
        Replayed(number=4, at=1.0, wall="", same=None, gap=True),
        Replayed(number=7, at=1.0, wall="", decisions=(one,), same=False, history_same=False, version="2"),
        Replayed(number=8, at=1.0, wall="", same=True, history_same=True, version="1"),
    ]
    found = report(told)
    sums = {"passes": 4, "decisions": 3, "compared": 3, "first": 3, "last": 8}
    assert Report(**sums, unlike=(7,), gaps=(4,), history_differs=(7,), versions=("1", "2")) == found
    assert not found.exact
    assert report(told[:2]).exact


def test_pass_is_told_with_what_was_recorded_and_what_comes_out_now() -> None:
    """Its instant, its wall time and its version; the history is compared where there is one."""
    passes = recorded(3, 4, 5, version=__version__)
    passes[1] = replace(passes[1], before=None, version="")
    passes[2] = replace(passes[2], result=None)
    found = list(replay(Listed(*passes), step))  # type: ignore[arg-type]
    decisions = [each.result.decisions for each in recorded(3, 4, 5) if each.result]
    plain = [
        Replayed(number=n, at=float(n), wall=f"w{n}", decisions=d, recorded=d, same=True, whole=True)
        for n, d in zip((3, 4, 5), decisions, strict=True)
    ]
    first = replace(plain[0], history_same=True, version=__version__)
    last = replace(plain[2], recorded=None, same=None, whole=None, history_same=True, version=__version__)
    assert [first, plain[1], last] == found
    middle = replace(plain[1], version=__version__)
    assert [middle, last] == list(replay(Listed(*passes), step, first=4))  # type: ignore[arg-type]
    assert [first] == list(replay(Listed(*passes), step, last=3))  # type: ignore[arg-type]


def test_pass_that_came_out_otherwise_is_told_and_the_recorded_world_goes_on() -> None:
    """Its decisions are unlike, or only the rest of it; what follows is judged by the recording."""
    passes = recorded(1, 2, 3)
    other = replace(passes[1].result, decisions=())  # type: ignore[type-var]
    noted = replace(passes[2].result, retries=("a-0",))  # type: ignore[type-var]
    listed = Listed(passes[0], replace(passes[1], result=other), replace(passes[2], result=noted))
    found = [(each.same, each.whole) for each in replay(listed, step)]  # type: ignore[arg-type]
    assert [(True, True), (False, False), (True, False)] == found


@pytest.mark.parametrize(
    ("numbers", "version", "acts", "gaps"),
    [((1, 2, 3), "", [0, 1, 2], []), ((1, 2, 4), "", [0, 1, 50], [4]), ((1, 2, 3), "9", [0, 1, 50], [])],
)
def test_after_a_gap_or_another_version_the_recorded_history_is_taken_up(
    numbers: tuple[int, ...], version: str, acts: list[int], gaps: list[int]
) -> None:
    """Else the one that was decided on goes on."""
    passes = recorded(*numbers)
    passes[0] = replace(passes[0], version="1")
    stored = replace(passes[2].before, acts=50)  # type: ignore[type-var]
    passes[2] = replace(passes[2], before=stored, version=version)
    listed = Listed(*passes)
    assert acts == [before.acts for _, before, _ in rerun(listed, step, 0, None)]  # type: ignore[arg-type]
    assert gaps == [each.number for each in replay(listed, step) if each.gap]  # type: ignore[arg-type]


def test_history_that_another_version_kept_is_not_compared() -> None:
    """It may keep more or less."""
    for version, same in ((__version__, True), ("0.0.1", None)):
        passes = recorded(1, 2, version=version)
        assert [same] == [each.history_same for each in replay(Listed(*passes), step)][1:]  # type: ignore[arg-type]


def test_difference_names_what_was_and_what_would_be() -> None:
    """Each pass of a subject; only the first is surely so."""
    passes = recorded(3, 4)
    found = list(differences(Listed(*passes), step, small))  # type: ignore[arg-type]
    assert [(3, 3.0, "w3", "search", True), (4, 4.0, "w4", "search", False)] == [
        (each.number, each.at, each.wall, each.subject, each.first) for each in found
    ]
    sizes = [(_size(each.was), _size(each.would)) for each in found]
    assert [(7, 5), (7, 5)] == sizes
    assert [4] == [each.number for each in differences(Listed(*passes), step, small, first=4)]  # type: ignore[arg-type]


def _size(made: object) -> int:
    return made.chosen.action.replicas  # type: ignore[attr-defined, no-any-return]


def seen_by(policy_step: list[Inputs], *passes: Recorded) -> list[Difference]:
    """Return the differences, and note what the other policy's passes saw."""

    def watching(history: History, given: Inputs) -> tuple[History, Result]:
        after, result = step(history, given)
        if after.system == SMALL:
            policy_step.append(given)
        return after, result

    return list(differences(Listed(*passes), watching, small))  # type: ignore[arg-type]


def test_other_policy_sees_its_own_world_as_far_as_it_can_be_had() -> None:
    """Its spec in each order and in the gateway, its own actions accepted, and no answer to another's."""
    passes = recorded(3, 4)
    mine = Outcome(action="a-7-3", state="accepted", at=4.0)
    passes[1] = replace(passes[1], inputs=replace(passes[1].inputs, outcomes=(mine,)))
    saw: list[Inputs] = []
    seen_by(saw, *passes)
    first, second = saw
    assert (Up(id="up-1", system=SMALL),) == first.intents
    assert {digest(SMALL)} == {each.facts.configured for each in saw}
    accepted = Outcome(action="a-5-3", state="accepted", at=3.0, code="replay", detail="taken to be accepted")
    assert ((), (accepted,)) == (first.outcomes, second.outcomes)


def test_other_intents_and_other_gateways_are_left_as_they_are() -> None:
    """Only what holds a spec is changed."""
    passes = recorded(3, 4)
    down = inputs(4, Down(id="d-1"), facts=Facts(at=4.0, configured="elsewhere"))
    saw: list[Inputs] = []
    seen_by(saw, passes[0], replace(passes[1], inputs=down))
    assert ((Down(id="d-1"),), "elsewhere") == (saw[1].intents, saw[1].facts.configured)


def test_after_a_gap_the_other_policy_begins_anew() -> None:
    """From the recorded history under its spec, with nothing of its own under way."""
    passes = recorded(3, 4, 9)
    saw: list[Inputs] = []
    found = seen_by(saw, *passes)
    assert [3, 4, 9] == [each.number for each in found]
    assert () == saw[2].outcomes


def test_gateway_that_is_set_is_no_difference() -> None:
    """It is set as the spec says under any spec; another state of the same decision is one."""

    def setting(state: str) -> object:
        def made(history: History, given: Inputs) -> tuple[History, Result]:
            after, _ = step(history, given)
            assert after.system is not None
            plain = decision("a-1", given.now, Configure(system=after.system))
            wanted = state if after.system == SMALL else "act"
            return after, Result(decisions=(replace(plain, subject="gateway", state=wanted),))

        return made

    for state, count in (("act", 0), ("held", 1)):
        passes = recorded(3)
        assert count == len(list(differences(Listed(*passes), setting(state), small)))  # type: ignore[arg-type]


def test_what_only_one_of_the_two_decides_is_a_difference() -> None:
    """The other side of it is missing."""

    def lazy(history: History, given: Inputs) -> tuple[History, Result]:
        after, result = step(history, given)
        return after, Result() if after.system == SMALL else result

    (found,) = differences(Listed(*recorded(3)), lazy, small)  # type: ignore[arg-type]
    assert (None, 7) == (found.would, _size(found.was))


class _Starts:
    def starts(self) -> list[tuple[int, float, float]]:
        """Tell where groups begin."""
        return [(1, 0.0, 100.0), (6, 5.0, 105.0), (11, 9.0, 109.0)]


@pytest.mark.parametrize(("wall_s", "number"), [(99.0, 0), (100.0, 1), (105.0, 6), (108.9, 6), (999.0, 11)])
def test_wall_time_lies_in_the_group_that_began_before_it(wall_s: float, number: int) -> None:
    """At its very beginning already."""
    assert number == number_at(_Starts(), wall_s)


def test_nothing_to_decide_again_is_an_error_with_a_mend() -> None:
    """A person who has not begun is told how to."""
    with pytest.raises(UserError) as caught:
        list(replay(Listed(), step))  # type: ignore[arg-type]
    assert ("nothing-recorded", "run `lamp up` first") == (caught.value.code, caught.value.mend)
