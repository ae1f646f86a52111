"""The mutation tool: its bugs are bugs, take the place of what is there in a child alone, and are counted."""

import ast
import functools
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from benchmarks.mutation import children, expressions, placing, results, warm
from benchmarks.mutation.control import Control
from benchmarks.mutation.draw import Stratum, drawn, rate
from benchmarks.mutation.mutants import Mutant, modules, mutants, same_code
from benchmarks.mutation.places import outline
from benchmarks.mutation.results import EXCEPTION, SURVIVED, Outcome
from benchmarks.mutation.trial import CHECKER, UNIT

from lamplighter.engine import freeze

WEEK = "lamplighter.engine.freeze"
every = functools.cache(mutants)


def test_every_module_that_decides_is_mutated() -> None:
    """Nothing of the engine and of the controllers is left out but what holds no code of its own."""
    found = {name for name in modules() if every(name)}
    assert {"lamplighter.engine"} == set(modules()) - found


def test_mutants_are_in_code_and_not_in_words() -> None:
    """Docstrings, annotations, assertions, and what only ends up in a message are left alone."""
    text = '''
def told(one: int | None) -> str:
    """Words."""
    assert one != 2
    times = one + 1
    message = f"{times} of {one - 1}"
    return message if one > 3 else ""
'''
    kinds = [type(each.node) for each in outline(ast.parse(text), ModuleType("m"))]
    assert ast.Compare in kinds
    assert ast.BinOp not in kinds
    assert ast.Assert not in kinds


def test_unions_of_classes_and_lengths_that_are_checked_are_left_alone() -> None:
    """Classes stand in no order, and `strict` checks as an assertion does; dicts have an order."""
    text = """
def mixed(one: dict[str, int], other: dict[str, int]) -> object:
    if isinstance(one, list | tuple):
        return one | other
    return zip(one, other, strict=True)
"""
    found = [
        (name, edit.text)
        for place in outline(ast.parse(text), ModuleType("m"))
        if isinstance(place.node, ast.expr)
        for name, edit in expressions.edits(place, ModuleType("m"))
        if name in ("union-order", "constant")
    ]
    assert [("union-order", "(other | one)")] == found


def test_no_mutant_compiles_to_what_is_there() -> None:
    """Each is another program, and none is there twice."""
    made = mutants(WEEK)
    plain = compile(Path(freeze.__file__).read_text(encoding="utf-8"), "freeze", "exec")
    assert len({each.source for each in made}) == len(made)
    assert not any(same_code(compile(each.source, "freeze", "exec"), plain) for each in made)


def test_mutant_acts_in_its_child_alone() -> None:
    """The function does something else there, for whoever has imported it, and the same as before here."""
    (forced,) = [
        each for each in mutants(WEEK) if each.after == "if True:" and "minute is None" in each.before
    ]

    def asks(mutant: Mutant) -> list[object]:
        return [placing.place(mutant), freeze.week_minute("2026-11-23T01:00:00+00:00", "UTC")]

    other = [
        each
        for each in mutants(WEEK)
        if each.function == "week_minute" and each.after.endswith("* 61 + local.minute")
    ]
    ended = list(children.each([*other, forced], asks, jobs=2, cpu_s=30, asleep_s=60))
    assert sorted([[True, 61], [True, 60]]) == sorted(each.answer for each in ended)
    assert freeze.week_minute("2026-11-23T01:00:00+00:00", "UTC") == 60


def test_child_that_never_ends_is_ended() -> None:
    """What uses more CPU than it may is told by that, and the others go on."""

    def work(spins: bool) -> str:  # noqa: FBT001
        while spins:
            pass
        return "done"

    ended = list(children.each([True, False], work, jobs=2, cpu_s=1, asleep_s=60))
    assert [(False, "done", ""), (True, None, "signal 24")] == sorted(
        (each.task, each.answer, each.why) for each in ended
    )


def test_control_knows_nothing_of_what_was_changed_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in the copy from before a mutant was put in place fails without it, and tells nothing."""
    broken = {"always"}
    monkeypatch.setattr(warm, "settle_in", lambda _item: None)
    monkeypatch.setattr(warm, "failed", lambda item: item in broken)
    with Control({"always": "always", "now": "now"}) as control:  # type: ignore[dict-item]
        broken.add("now")
        assert [True, False] == [control.fails([each], placed=True) for each in ("always", "now")]
        assert ["always"] == control.failed


@pytest.mark.parametrize(("hows", "share"), [([UNIT, CHECKER, SURVIVED, EXCEPTION], 0.5), ([], 1.0)])
def test_rate_counts_what_was_told(hows: list[str], share: float) -> None:
    """What merely breaks something in a story is not told; what makes no difference is left out."""
    count = results.Counter([*hows, results.EQUIVALENT])
    assert share == results.rate(count)


def test_outcomes_are_kept_until_something_changes(tmp_path: pytest.TempPathFactory) -> None:
    """What was told is taken over; what survived only while tests and sources are the same."""
    path = tmp_path / "kept.jsonl"  # type: ignore[operator]
    told, left = mutants(WEEK)[:2]
    kept = results.Kept(path, "tree")
    kept.add(told, Outcome(UNIT, "a test"))
    kept.add(left, Outcome(SURVIVED))
    assert {told.key, left.key} == set(results.Kept(path, "tree").known)
    assert {told.key} == set(results.Kept(path, "another").known)


def test_what_makes_no_difference_is_there_and_explained() -> None:
    """Each line of the reviewed list is a mutant of today, so that the list does not outlive the code."""
    there = {
        (results.short(each.module), each.before, each.after) for name in modules() for each in every(name)
    }
    reasons = results.explained()
    assert set() == reasons.keys() - there
    assert all(len(reason) > 20 for reason in reasons.values())


def test_draw_is_in_proportion_and_the_same_each_time() -> None:
    """Each module gives its part, two at least; the same seed draws the same, and no size draws all."""
    there = {name: every(name) for name in modules() if every(name)}
    total = sum(map(len, there.values()))
    picked = drawn(there, 400, seed=3)
    counts = Counter(each.module for each in picked)
    assert picked == drawn(there, 400, seed=3) != drawn(there, 400, seed=4)
    assert all(abs(count - max(2, 400 * len(there[name]) / total)) <= 1 for name, count in counts.items())
    assert (total, len(there)) == (len(drawn(there, None, seed=3)), len(counts))


def test_interval_of_a_draw_is_wilsons() -> None:
    """90 of 100 drawn out of very many: 82.6 to 94.5%; where all were tried, nothing is left open."""
    assert (0.9, 0.8256, 0.9448) == tuple(round(each, 4) for each in rate([Stratum(10**9, 100, 100, 90)]))
    assert (0.9, 0.9, 0.9) == rate([Stratum(100, 100, 100, 90)])


def test_mutant_counts_for_as_many_as_it_stands_for() -> None:
    """Half of a large module and all of a small one are little more than half of both."""
    large, small = Stratum(900, 10, 10, 5), Stratum(100, 20, 10, 10)
    assert 0.5263 == round(rate([large, small]).share, 4)
