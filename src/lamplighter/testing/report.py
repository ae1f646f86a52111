"""What goes into a simulated run besides its story, and what comes out of it."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lamplighter.engine.deciding import Revalidate, Step
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.terms import Pace
from lamplighter.model.value import Instant
from lamplighter.ports import Target
from lamplighter.targets.simulated.journal import Event, line
from lamplighter.testing.checkers import Checker, Violation, all_checkers

TRACE_LINES = 60


def _said(what: Event | str) -> str:
    return what if isinstance(what, str) else line(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What runs in a simulation. The defaults are the real parts; a test may put a broken one in.

    Without a `step` each maintainer has the real one, fresh; without a `pace` it is the story's.
    `trace_lines` is how many of the last events a report shows; `cpu_s` what a run may use at most.
    """

    step: Step | None = None
    revalidate: Revalidate = revalidate
    pace: Pace | None = None
    target: Callable[[Target], Target] = lambda each: each
    checkers: Callable[[], list[Checker]] = all_checkers
    trace_lines: int = TRACE_LINES
    cpu_s: float = 120.0


@dataclass(slots=True)
class Report:
    """How a run went. `rested_at` is when everything had come to rest; `trace` the last that happened.

    `faults` counts what went wrong by its kind, `outages_s` are the lengths of outages of telemetry, and
    `blind_stops` counts what was stopped in them unordered. `coverage` counts kinds of faults with the
    kinds of actions that were taken near them.
    """

    seed: int
    violations: list[Violation] = field(default_factory=list)
    passes: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    rested_at: Instant | None = None
    maintainers: int = 0
    actions: int = 0
    workloads: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outages_s: list[float] = field(default_factory=list)
    blind_stops: int = 0
    coverage: Counter[tuple[str, str]] = field(default_factory=Counter)
    trace: deque[Event | str] = field(default_factory=lambda: deque(maxlen=TRACE_LINES))

    @property
    def sound(self) -> bool:
        """Whether nothing happened that must never happen, and everything came to rest."""
        return not self.violations

    @property
    def broken(self) -> set[str]:
        """The names of the checkers that were violated."""
        return {each.checker for each in self.violations}

    def text(self, again: str = "") -> str:
        """Return what happened, for a person, with the command that makes it happen again."""
        lines = [f"seed {self.seed}: {len(self.violations)} violation(s)"]
        lines += [f"  {each.at:9.2f}  {each.checker}: {each.message}" for each in self.violations]
        lines += ["what came before:", *(f"  {_said(each)}" for each in self.trace)]
        lines.append(f"again: {again or f'python -m lamplighter.testing.simulate --seed {self.seed}'}")
        return "\n".join(lines)

    def summary(self) -> str:
        """Return one line on how it went and how fast."""
        rested = f"at rest at {self.rested_at:.0f} s" if self.rested_at is not None else "not at rest"
        rate = self.virtual_s / max(self.cpu_s, 1e-9) / 3600
        return (
            f"seed {self.seed}: {'sound' if self.sound else 'UNSOUND'}, {self.virtual_s:.0f} s in"
            f" {self.cpu_s:.2f} s of CPU ({rate:.2f} h/s), {self.passes} passes, {self.actions} actions,"
            f" {self.maintainers} maintainers, {rested}"
        )
