"""The simulation: the real engine on a simulated world, with checkers looking on.

First the safety phase: faults are on, and nothing that must never happen may happen. Then the liveness
phase: faults are off, and everything must come to rest in time. All on virtual time, from one seed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Approve, Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import Trouble, World
from lamplighter.targets.simulated.journal import Applied, Closing, Event
from lamplighter.targets.simulated.troubles import OUTAGES
from lamplighter.testing.checkers import Hear, Violation
from lamplighter.testing.checkers.seen import workload_of
from lamplighter.testing.nearness import Nearness
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.rest import beyond_help, unrest
from lamplighter.testing.story import Story
from lamplighter.testing.upkeep import Upkeep
from lamplighter.testing.virtual import run
from lamplighter.testing.watchdog import watched
from lamplighter.testing.witness import Witness

LOOK_S = 1.0
"""Between two looks at whether everything has come to rest."""
RESTING_S = 5.0
"""It must stay at rest for so long."""
ASKS_AGAIN_S = 5.0
"""A person who was told to wait asks again after so long."""
UNEVENTFUL = frozenset({"rollout-waits", "load-unknown", "replica-dead", "telemetry-silent"})
"""Findings that say what the events beside them say already."""


def simulate(story: Story, *, seed: int = 0, parts: Parts | None = None) -> Report:
    """Run a story to its end, or to its first violation.

    Args:
        story: what happens.
        seed: of everything in the world that is left to chance.
        parts: what runs; the real engine by default.
    """
    return Simulation(story, seed, parts or Parts()).report()


class Simulation:
    """One run. Before it starts, things may be put down with `at`; what they need is in `world` and `upkeep`.

    `wants` are asked, once it is calm, what is still not as it should be (empty: nothing).
    """

    def __init__(self, story: Story, seed: int, parts: Parts) -> None:
        """Make the world; nothing happens yet."""
        self.world = World(seed, story.apps, story.faults, story.ailing)
        self.upkeep = Upkeep(self.world, story, parts, self._noted, self.violated)
        self.witness = Witness(self.world, self.upkeep.disk)
        self._story, self._cpu_s = story, parts.cpu_s
        self.checkers = parts.checkers()
        self.wants: list[Callable[[], str]] = []
        self._report = Report(seed=seed, trace=deque(maxlen=parts.trace_lines))
        self._over = asyncio.Event()
        self._history = History()
        self._standing: frozenset[str] = frozenset()
        self._thinking: set[str] = set()
        self._nearness = Nearness(self.world.befalling)
        self.world.listeners.append(self._look)

    def at(self, when: Instant, happen: Callable[[], object]) -> None:
        """Have something happen."""
        self.world.at(when, happen)

    def report(self) -> Report:
        """Run, and tell how it went."""
        began_s = time.process_time()
        with watched(self._cpu_s), self.upkeep:
            run(self._run(), self.world.advance)
        report = self._report
        report.cpu_s, report.virtual_s = time.process_time() - began_s, self.world.now
        report.passes, report.maintainers = self.witness.passes, self.upkeep.lives
        report.blind_stops = self.witness.blind_stops
        report.faults = self.world.befalling.counts
        report.coverage = self._nearness.pairs
        report.outages_s = [each.for_s for each in self._story.troubles if each.kind in OUTAGES]
        report.workloads = len(self._story.apps)
        return report

    def violated(self, checker: str, message: str) -> None:
        """Note a violation; the run ends."""
        self._say(f"VIOLATION   {checker}: {message}")
        self._report.violations.append(Violation(self.world.now, checker, message))
        self._over.set()

    # --- the course of a run

    async def _run(self) -> None:
        for order in self._story.orders:
            self.world.at(order.at, partial(self._order, order.intent))
        for trouble in self._story.troubles:
            self.world.at(trouble.at, partial(self._befall, trouble), fault=True)
        self.upkeep.await_troubles(self._story.faults.maintainer)
        self.world.at(self._story.calm_at, self._calm)
        self.upkeep.begin()
        resting = asyncio.create_task(self._until_rest())
        resting.add_done_callback(self._looked)
        await self._over.wait()
        resting.cancel()
        await self.upkeep.end()

    async def _until_rest(self) -> None:
        """Wait for everything to come to rest once it is calm; not to is a violation."""
        await asyncio.sleep(self._story.calm_at + LOOK_S)
        since: Instant | None = None
        while self.world.now < self._story.end_at:
            left = self._unrest()
            since = None if left else since if since is not None else self.world.now
            if since is not None and self.world.now - since >= RESTING_S:
                self._report.rested_at = since
                self.upkeep.audit(self.witness)
                self._over.set()
                return
            await asyncio.sleep(LOOK_S)
        self.violated("Convergence", "; ".join(self._unrest()) or "it does not stay at rest")

    def _looked(self, resting: asyncio.Task[None]) -> None:
        """End a run whose end could not be looked for."""
        if not resting.cancelled() and (error := resting.exception()):
            self.violated("Simulation", repr(error))

    def _unrest(self) -> list[str]:
        left = unrest(self.world, self.witness, self._story)
        left += [each for want in self.wants if (each := want())]
        beyond = beyond_help(self.witness, self._story)
        left += [
            f"{name} is still under way"
            for name, each in self._history.pending.items()
            if workload_of(each.decision.chosen.action) not in beyond
        ]
        return left + [f"{each} has not been answered" for each in self.upkeep.owed]

    def _befall(self, trouble: Trouble) -> None:
        self.world.befalling.befall(trouble)
        self._nearness.befell(trouble.kind, self.world.now)
        self.upkeep.befall(trouble)

    def _calm(self) -> None:
        self.world.calm()
        self.upkeep.calm()

    # --- people

    def _order(self, intent: Intent) -> None:
        self._say(f"a person    {type(intent).__name__} {intent.id}")
        self.upkeep.submit(intent)

    def _asked(self, action: str) -> None:
        """A person thinks for a while, then says yes; once for each time of being asked."""
        if action in self._thinking:
            return
        self._thinking.add(action)
        after_s = self.world.chance.wait_s("person", self._story.thinks_s)
        yes = Approve(id=f"yes-{action}", action=action, by="a person")
        self.world.at(self.world.now + after_s, partial(self._order, yes))

    def _answered(self, answer: Answer) -> None:
        """A person takes an answer for one, but asks again later what was only held back."""
        intent = self.upkeep.owed.pop(answer.intent, None)
        self._thinking.discard(answer.intent.removeprefix("yes-"))
        if intent is not None and answer.code == "held":
            self.world.at(self.world.now + ASKS_AGAIN_S, partial(self._order, intent))

    # --- looking on

    def _noted(self, inputs: Inputs, result: Result, after: History, *, recorded: bool) -> None:
        """Hear of a pass before anything of it is applied, whether it could be recorded or not."""
        for decision in result.decisions:
            if decision.state == "asked":
                self._asked(decision.id)
            if decision.state == "act":
                chosen, how = decision.chosen, "decided   " if recorded else "unrecorded"
                self._say(f"{how}  {decision.id} {chosen.controller}: {chosen.because}")
        self.witness.heard(inputs, result, after, recorded=recorded)
        self._let_hear(inputs, result, after)
        accepted = {each.intent for each in result.answers if each.accepted}
        self.upkeep.unkept = set() if recorded else self.upkeep.unkept | accepted
        self._history = after
        if recorded:
            self._closed(result, inputs.now)
        for each in result.answers:
            self._answered(each)
            self._say(f"answered    {each.intent} {'yes' if each.accepted else each.code}: {each.detail}")
        self._say_findings(result)
        for finding in result.findings:
            if finding.kind == "pass-failed":
                self.violated("Pass", finding.message)

    def _let_hear(self, inputs: Inputs, result: Result, after: History) -> None:
        for checker in tuple(self.checkers):
            hear: Hear | None = getattr(checker, "hear", None)
            if hear is not None:
                for sentence in hear(inputs, result, after, self.witness):
                    self.violated(type(checker).__name__, sentence)

    def _closed(self, result: Result, at: Instant) -> None:
        for closed in result.closed:
            self._judge(Closing(at, closed, self.witness.decisions.get(closed.action)))

    def _say_findings(self, result: Result) -> None:
        for each in result.closed:
            if each.result != "verified":
                self._say(f"closed      {each.action} {each.result}: {each.detail}")
        kinds = {(each.kind, each.subject): each.message for each in result.findings}
        standing = frozenset(f"{kind} {subject}" for kind, subject in kinds if kind not in UNEVENTFUL)
        begun = standing - self._standing
        for (kind, subject), message in sorted(kinds.items()) if begun else ():
            if f"{kind} {subject}" in begun:
                self._say(f"found       {kind} {subject}: {message}")
        self._standing = standing

    def _look(self, event: Event) -> None:
        self._report.trace.append(event)
        if isinstance(event, Applied):
            self._report.actions += 1
            self._nearness.applied(event.action, event.at)
        self._judge(event)

    def _judge(self, event: Event) -> None:
        for checker in tuple(self.checkers):
            for sentence in checker.look(event, self.witness):
                self.violated(type(checker).__name__, sentence)

    def _say(self, text: str) -> None:
        self._report.trace.append(f"{self.world.now:9.2f}  {text}")
