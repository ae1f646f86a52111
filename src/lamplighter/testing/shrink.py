"""Shrinking: of a story that fails, the smallest found that still fails in the same way.

What a failure does not need is left out: troubles, orders, faults by chance, workloads, the time after it.
Halves first, then single pieces (delta debugging: Zeller and Hildebrandt, IEEE TSE 28, 2002). A story is a
value, so what is left can be pasted into a test as it is written.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from lamplighter.model.intents import Up
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import Faults
from lamplighter.testing.plot import without
from lamplighter.testing.report import Parts
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import SETTLING_S, Order, Story

RUNS_MAX = 200
"""So often a story is run to see whether it still fails."""
AFTER_S = 1.0

T = TypeVar("T")


class Shrinking:
    """One failing story and seed, and the checker that tells of it."""

    def __init__(self, story: Story, seed: int, checker: str, parts: Parts | None = None) -> None:
        """Begin with the whole story.

        Args:
            story: what fails.
            seed: with this seed.
            checker: the name of the checker that must go on telling of it.
            parts: what runs; a test may have planted something.
        """
        self.story = story
        self.runs = 0
        self._seed, self._checker, self._parts = seed, checker, parts or Parts()

    def run(self) -> Story:
        """Return the smallest story found that fails in the same way."""
        self._cut()
        while self.runs < RUNS_MAX:
            before = self.story
            self._fewer("troubles")
            self._fewer("orders")
            self._calmer()
            self._smaller()
            self._cut()
            if before == self.story:
                break
        return self.story

    def _fails(self, story: Story) -> Instant | None:
        """Return when a story fails by the same checker, None if it does not."""
        if self.runs >= RUNS_MAX:
            return None
        self.runs += 1
        report = simulate(story, seed=self._seed, parts=self._parts)
        return next((each.at for each in report.violations if each.checker == self._checker), None)

    def fails(self, story: Story) -> bool:
        """Return whether a story fails by the checker that it is all about."""
        return self._fails(story) is not None

    def _try(self, story: Story) -> bool:
        fails = story != self.story and self._fails(story) is not None
        if fails:
            self.story = story
        return fails

    def _cut(self) -> None:
        """Let the story end right after it has failed, and drop what comes later."""
        at = self._fails(self.story)
        if at is None or at >= self.story.calm_at:
            return
        ends = round(at + AFTER_S, 1)
        self._try(
            replace(
                self.story,
                calm_at=ends,
                end_at=ends + SETTLING_S,
                troubles=tuple(each for each in self.story.troubles if each.at <= at),
                orders=tuple(each for each in self.story.orders if each.at <= at),
            )
        )

    def _fewer(self, field: str) -> None:
        """Leave out as many of the troubles or orders as can be, in ever smaller parts."""
        size = len(getattr(self.story, field))
        while size >= 1:
            for rest in _without(getattr(self.story, field), size):
                if self._try(replace(self.story, **{field: rest})):
                    break
            else:
                size //= 2
            size = min(size, len(getattr(self.story, field)))

    def _calmer(self) -> None:
        """Leave out faults by chance, part by part."""
        self._try(replace(self.story, faults=Faults()))
        for part in self.story.faults.__struct_fields__:
            calm = replace(self.story.faults, **{part: getattr(Faults(), part)})
            self._try(replace(self.story, faults=calm))

    def _smaller(self) -> None:
        """Leave out workloads, one by one."""
        for name in sorted(self.story.apps):
            if len(self.story.apps) > 1:
                self._try(_without_workload(self.story, name))


def _without(pieces: tuple[T, ...], size: int) -> Iterator[tuple[T, ...]]:
    """Yield the pieces without so many in a row, from each place in turn."""
    for at in range(0, len(pieces), size):
        yield pieces[:at] + pieces[at + size :]


def _without_workload(story: Story, name: str) -> Story:
    orders = tuple(_order_without(each, name) for each in story.orders)
    return replace(
        story,
        apps={each: app for each, app in story.apps.items() if each != name},
        orders=tuple(each for each in orders if each is not None),
        troubles=tuple(each for each in story.troubles if each.subject != name),
    )


def _order_without(order: Order, name: str) -> Order | None:
    intent = order.intent
    if isinstance(intent, Up):
        releases = {each: release for each, release in intent.releases.items() if each != name}
        return replace(order, intent=replace(intent, system=without(intent.system, name), releases=releases))
    return None if getattr(intent, "workload", "") == name else order


def literal(story: Story, seed: int, checker: str) -> str:
    """Return a test that runs this story, to be pasted: it needs the names that its values are made of."""
    return (
        f"def test_{checker.lower()}_of_seed_{seed}() -> None:\n"
        f'    """{checker} told of this story once: say here what had gone wrong."""\n'
        f"    story = {written(story)}\n"
        f"    report = simulate(story, seed={seed})\n"
        "    assert report.sound, report.text()\n"
    )


def written(value: Any) -> str:
    """Return a value as Python that makes it again; fields at their defaults are left out."""
    if isinstance(value, msgspec.Struct):
        plain = {field.name: field for field in msgspec.structs.fields(value)}
        kept = ((name, getattr(value, name)) for name in plain)
        said = (f"{name}={written(each)}" for name, each in kept if not _default(plain[name], each))
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + "".join(f"{written(each)}, " for each in value) + ")"
    return repr(value)


def _default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    made = field.default_factory() if callable(field.default_factory) else field.default
    return type(made) is type(value) and made == value


def shrunk(story: Story, seed: int, parts: Parts | None = None) -> tuple[Story, str] | None:
    """Return the smallest story that fails as this one does, with the test to paste; None if it is sound."""
    report = simulate(story, seed=seed, parts=parts)
    if report.sound:
        return None
    checker = report.violations[0].checker
    small = Shrinking(story, seed, checker, parts).run()
    return small, literal(small, seed, checker)
