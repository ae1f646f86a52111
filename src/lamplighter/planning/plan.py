"""The plan: the loop's own step, run against an ideal world until nothing is left to do.

What is planned is what the loop would decide, since it is the loop that decides here; only the world
is ideal. Time is virtual and jumps over what is merely waited for.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from lamplighter.model.actions import Outcome
from lamplighter.model.decisions import Decision, Plan, Step
from lamplighter.model.errors import UserError
from lamplighter.model.findings import Finding
from lamplighter.model.history import History
from lamplighter.model.intents import Approve, Down, Intent, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import Instant, digest
from lamplighter.planning.basis import basis
from lamplighter.planning.missing import placed, possible
from lamplighter.planning.preview import capacity, effect, settled
from lamplighter.planning.risks import Ground, placed_risks, risks

Pass = Callable[[History, Inputs], tuple[History, Result]]
"""The loop's step: history and inputs in, new history and result out. Pure."""

PASSES_MAX = 400
STEPS_MAX = 200
QUIET_PASSES = 3
"""So many passes that decide nothing, with nothing on its way: all has settled."""
PASS_S = 1.0
STUCK = ("rollout-has-no-room",)
"""Findings that, where the preview ends with them, mean that what was asked for does not come about."""


def plan(
    step: Pass,
    history: History,
    inputs: Inputs,
    *,
    missing: Iterable[Finding] = (),
    places: Mapping[str, str] = {},
) -> Plan:
    """Return what would be done, in which order, and what to mind.

    Args:
        step: the loop's step.
        history: what is remembered; empty for a first `up`.
        inputs: now, the facts as they are, and the intents to plan for (an Up, usually).
        missing: what the target cannot run yet, by dotted path of the spec.
        places: where the parts of the spec stand, by dotted path.

    Raises:
        UserError: an intent was refused, with the refusal's code and reason.
    """
    left_out = tuple(missing)
    wanted = _wanted(history, inputs)
    system = possible(wanted, left_out)
    preview = _Preview(step, history, replace(inputs, intents=_possible(inputs.intents, system)))
    if system.services or history.system or inputs.facts.replicas:
        preview.run()
    ending = any(isinstance(each, Down) for each in inputs.intents)
    ground = Ground(system=system, facts=inputs.facts, now=inputs.now, ending=ending)
    releases = [each.releases for each in inputs.intents if isinstance(each, Up)]
    return Plan(
        system=wanted.name,
        spec=digest(wanted),
        basis=basis(inputs.facts, history),
        steps=tuple(preview.steps),
        missing=placed(left_out, places),
        risks=(
            *placed_risks(preview.stuck, places),
            *risks(ground, preview.steps, cut_short=preview.cut_short),
        ),
        releases=releases[-1] if releases else {},
    )


def _wanted(history: History, inputs: Inputs) -> System:
    """Return the system that the intents ask for, or the one in force."""
    asked = [each.system for each in inputs.intents if isinstance(each, Up)]
    system = asked[-1] if asked else history.system
    if system is None:
        raise UserError(
            "nothing is running, and no system was asked for", mend="lamp up", code="nothing-to-plan"
        )
    return system


def _possible(intents: Iterable[Intent], system: System) -> tuple[Intent, ...]:
    return tuple(replace(each, system=system) if isinstance(each, Up) else each for each in intents)


class _Preview:
    """One run of the step against the ideal world."""

    def __init__(self, step: Pass, history: History, inputs: Inputs) -> None:
        self.steps: list[Step] = []
        self.cut_short = False
        self.stuck: tuple[Finding, ...] = ()
        self._step = step
        self._history = history
        self._inputs = inputs
        self._start = inputs.now
        self._waiting: dict[str, int] = {}

    def run(self) -> None:
        """Make passes until nothing happens any more, or a bound is met."""
        quiet = 0
        for _ in range(PASSES_MAX):
            self._history, result = self._step(self._history, self._inputs)
            self._refused(result)
            self.stuck = tuple(each for each in result.findings if each.kind in STUCK)
            busy = self._take(result)
            quiet = 0 if busy else quiet + 1
            now = self._next(quiet)
            if now is None or len(self.steps) >= STEPS_MAX:
                break
            self._inputs = self._later(result, now)
        else:
            now = self._inputs.now
        self.cut_short = now is not None or bool(self._history.pending)

    def _refused(self, result: Result) -> None:
        for answer in result.answers:
            if not answer.accepted:
                raise UserError(answer.detail or "the intent was refused", code=answer.code)

    def _take(self, result: Result) -> bool:
        """Write down what was decided and make it true; return whether anything was.

        What was decided before and is tried again is made true too, but is no step of this plan.
        """
        for each in result.retries:
            again = self._history.pending[each].decision.chosen.action
            self._inputs = replace(self._inputs, facts=effect(again, self._inputs.facts, self._inputs.now))
        fresh = [self._note(each) for each in result.decisions]
        return any(fresh) or bool(self._history.pending)

    def _note(self, decision: Decision) -> bool:
        """Add or complete the step of one decision; return whether the plan went on by it."""
        key = digest((decision.subject, decision.chosen.action))
        known = self._waiting.get(key)
        facts = self._inputs.facts
        if decision.state == "act":
            facts = effect(decision.chosen.action, facts, self._inputs.now)
            self._inputs = replace(self._inputs, facts=facts)
        made = Step(
            action=decision.chosen.action,
            contract=decision.chosen.contract,
            because=decision.chosen.because,
            at_s=round(self._inputs.now - self._start, 3),
            capacity=capacity(facts),
            state=decision.state,
            reasons=decision.reasons,
        )
        if known is None:
            self.steps.append(made)
            if decision.state != "act":
                self._waiting[key] = len(self.steps) - 1
        elif decision.state == "act":
            self.steps[known] = _allowed(self.steps[known], made)
            del self._waiting[key]
        return known is None or decision.state == "act"

    def _next(self, quiet: int) -> Instant | None:
        """Return when the next pass is due, or None when all has settled."""
        now = self._inputs.now
        if quiet < QUIET_PASSES:
            return now + PASS_S
        wakes = [each for each in _wakes(self._history) if each > now]
        if wakes:
            return min(wakes)
        window = self._history.system.guards.window_s if self._history.system else 0.0
        waited = PASS_S * 2 ** (quiet - QUIET_PASSES)
        held = any(self.steps[index].state == "held" for index in self._waiting.values())
        return now + waited if held and waited <= window else None

    def _later(self, result: Result, now: Instant) -> Inputs:
        """Return what the next pass sees: what was applied has worked, what was asked is allowed."""
        acted = [each.id for each in result.decisions if each.state == "act"]
        outcomes = tuple(Outcome(action=each, state="done", at=now) for each in (*acted, *result.retries))
        asked = [each for each in result.decisions if each.state == "asked"]
        allowed = tuple(
            Approve(id=f"preview-{each.id}", action=each.id, by="preview", at=now) for each in asked
        )
        facts = settled(self._inputs.facts, now, _wall(self._inputs.facts.wall, now - self._inputs.now))
        return Inputs(now=now, facts=facts, intents=allowed, outcomes=outcomes)


def _allowed(waited: Step, made: Step) -> Step:
    """Return a step that was asked about or held, once it goes ahead: asked stays asked."""
    if waited.state == "asked":
        return replace(waited, capacity=made.capacity)
    return replace(made, reasons=waited.reasons)


def _wakes(history: History) -> Iterable[Instant]:
    """Yield when each step that bakes has baked, and when each replica that fails has failed long enough."""
    for name, memory in history.workloads.items():
        service = history.system.services.get(name) if history.system else None
        if service is None:
            continue
        state = memory.rollout
        if state and not state.verdict and state.step_since is not None:
            yield state.step_since + service.rollout.bake_s
        yield from (since + service.health.unhealthy_after_s for since in memory.not_ready_since.values())


def _wall(wall: str, seconds: float) -> str:
    """Return the wall time so much later; what is not a time stays as it is."""
    try:
        return (datetime.fromisoformat(wall) + timedelta(seconds=seconds)).isoformat()
    except (ValueError, OverflowError):
        return wall
