"""The simulation: the real engine on a simulated world, with checkers looking on.

First the safety phase: faults are on, and nothing that must never happen may happen. Then the liveness
phase: faults are off, and everything must come to rest in time. All on virtual time, from one seed.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial

from lamplighter.engine.deciding import Revalidate, Step
from lamplighter.engine.loop import Loop
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.step import step
from lamplighter.engine.terms import Pace, Terms
from lamplighter.model.errors import HeldError, LampError
from lamplighter.model.history import History
from lamplighter.model.intents import Approve, Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.ports import Target
from lamplighter.targets.simulated import MaintainerFaults, SimulatedTarget, World
from lamplighter.targets.simulated.journal import Event, Mishap, line
from lamplighter.testing.checkers import Checker, Violation, all_checkers
from lamplighter.testing.lives import Life, MortalLedger, MortalRecordings, MortalTarget
from lamplighter.testing.rest import unrest
from lamplighter.testing.stores import Disk, MemoryLeases, MemoryLedger, MemoryRecordings
from lamplighter.testing.story import Story
from lamplighter.testing.virtual import VirtualClock, run
from lamplighter.testing.witness import Witness

LOOK_S = 1.0
"""Between two looks at whether everything has come to rest."""
RESTING_S = 5.0
"""It must stay at rest for so long."""
THINKS_S = 4.0
"""A person who is asked for a yes takes about so long."""
STEPS_MAX = 12
"""A maintainer is killed within so many steps of its time having come: about two passes."""
TRACE_EVENTS = 60
UNEVENTFUL = frozenset({"rollout-waits", "load-unknown", "replica-dead", "telemetry-silent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What runs in a simulation. The defaults are the real parts; a test may put a broken one in."""

    step: Step = step
    revalidate: Revalidate = revalidate
    pace: Pace = field(default_factory=lambda: Pace(interval_s=1.0, busy_interval_s=0.4))
    target: Callable[[Target], Target] = lambda each: each
    checkers: Callable[[], list[Checker]] = all_checkers


@dataclass(slots=True)
class Report:
    """How a run went. `rested_at` is when everything had come to rest; `trace` the last that happened."""

    seed: int
    violations: list[Violation] = field(default_factory=list)
    passes: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    rested_at: Instant | None = None
    maintainers: int = 0
    actions: int = 0
    trace: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing happened that must never happen, and everything came to rest."""
        return not self.violations

    def text(self) -> str:
        """Return what happened, for a person, with the command that makes it happen again."""
        lines = [f"seed {self.seed}: {len(self.violations)} violation(s)"]
        lines += [f"  {each.at:9.2f}  {each.checker}: {each.message}" for each in self.violations]
        lines += ["what came before:", *(f"  {each}" for each in self.trace)]
        lines.append(f"again: python -m lamplighter.testing.simulate --seed {self.seed}")
        return "\n".join(lines)


def simulate(story: Story, *, seed: int = 0, parts: Parts | None = None) -> Report:
    """Run a story to its end, or to its first violation.

    Args:
        story: what happens.
        seed: of everything in the world that is left to chance.
        parts: what runs; the real engine by default.
    """
    return Simulation(story, seed, parts or Parts()).report()


class Simulation:
    """One run."""

    def __init__(self, story: Story, seed: int, parts: Parts) -> None:
        self.world = World(seed, story.apps, story.faults, story.ailing)
        self._story, self._parts = story, parts
        self._clock = VirtualClock(lambda: self.world.now)
        self._disk = Disk()
        self.witness = Witness(self.world, self._disk)
        self.recordings = MemoryRecordings(self._disk)
        self._ledger = MemoryLedger(self._clock, self._disk)
        self._leases = MemoryLeases(self._clock)
        self._checkers = parts.checkers()
        self._report = Report(seed=seed)
        self._trace: deque[str] = deque(maxlen=TRACE_EVENTS)
        self._owed: dict[str, Intent] = {}
        self._present: tuple[Life, Loop] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._history = History()
        self._standing: frozenset[str] = frozenset()
        self.world.listeners.append(self._look)

    def report(self) -> Report:
        """Run, and tell how it went."""
        began_s = time.process_time()
        run(self._run(), self.world.advance)
        report = self._report
        report.cpu_s = time.process_time() - began_s
        report.virtual_s, report.passes = self.world.now, self.witness.passes
        report.trace = list(self._trace)
        return report

    # --- the course of a run

    async def _run(self) -> None:
        for order in self._story.orders:
            self.world.at(order.at, partial(self._order, order.intent))
        self._await_troubles(self._story.faults.maintainer)
        self.world.at(self._story.calm_at, self._calm)
        self._begin_life()
        resting = self._go(self._until_rest())
        await self._over.wait()
        for task in (*self._tasks, resting):
            task.cancel()
        await asyncio.gather(*self._tasks, resting, return_exceptions=True)

    async def _until_rest(self) -> None:
        """Wait for everything to come to rest once it is calm; not to is a violation."""
        await asyncio.sleep(self._story.calm_at + LOOK_S)
        since: Instant | None = None
        while self.world.now < self._story.end_at:
            left = self._unrest()
            since = None if left else since if since is not None else self.world.now
            if since is not None and self.world.now - since >= RESTING_S:
                self._report.rested_at = since
                self._over.set()
                return
            await asyncio.sleep(LOOK_S)
        self._violated("Convergence", "; ".join(self._unrest()) or "it does not stay at rest")

    def _unrest(self) -> list[str]:
        left = unrest(self.world, self.witness, self._story)
        left += [f"{each} is still under way" for each in self._history.pending]
        return left + [f"{each} has not been answered" for each in self._owed]

    def _calm(self) -> None:
        self.world.calm()
        self._disk.free()
        self._clock.jumped_s = 0.0

    # --- maintainers

    def _begin_life(self) -> None:
        self._report.maintainers += 1
        life = Life(f"maintainer-{self._report.maintainers}")
        self._go(self._live(life))

    async def _live(self, life: Life) -> None:
        """Be one maintainer, until it is killed, is deposed, or has nothing left to do."""
        try:
            loop = self._loop(life)
            self._present = (life, loop)
            for intent in self._owed.values():
                self._submit(loop, intent)
            await loop.run()
        except LampError as error:
            self._say(f"{life.name} ends: {error.message}")
        except BaseException as error:
            if not life.dead and not self._over.is_set():
                self._violated("Loop", f"{life.name} ended by {error!r}")
            if isinstance(error, asyncio.CancelledError):
                raise
        if self._present is None or self._present[0] is not life or self._over.is_set():
            return
        self._leases.gone()
        await asyncio.sleep(self._story.faults.maintainer.away_s)
        if not self._all_down():
            self._begin_life()

    def _loop(self, life: Life) -> Loop:
        lease = self._leases.acquire("sim")
        target: Target = SimulatedTarget(self.world, holder=life.name, pause=asyncio.sleep)
        terms = Terms(
            system="sim",
            step=self._parts.step,
            revalidate=self._parts.revalidate,
            token=lease.token,
            held=lambda: self._leases.held(lease),
            pace=self._parts.pace,
        )
        return Loop(
            MortalTarget(self._parts.target(target), life),
            self._clock,
            MortalLedger(self._ledger, life),
            MortalRecordings(self.recordings, life, self._noted),
            terms,
        )

    def _all_down(self) -> bool:
        return self.witness.down_at is not None and not self.world.configured and not self._owed

    # --- people

    def _order(self, intent: Intent) -> None:
        self._say(f"a person: {type(intent).__name__} {intent.id}")
        self._owed[intent.id] = intent
        if self._present is not None:
            self._submit(self._present[1], intent)

    def _submit(self, loop: Loop, intent: Intent) -> None:
        with contextlib.suppress(HeldError):
            loop.submit(intent)

    def _asked(self, action: str) -> None:
        """A person thinks for a while, then says yes."""
        after_s = self.world.chance.wait_s("person", THINKS_S)
        yes = Approve(id=f"yes-{action}", action=action, by="a person")
        self.world.at(self.world.now + after_s, lambda: self._order(yes))

    # --- looking on

    def _noted(self, inputs: Inputs, result: Result, after: History) -> None:
        """Hear of a pass that has just been recorded, before anything of it is applied."""
        for decision in result.decisions:
            if decision.state == "asked" and decision.id not in self.witness.asked:
                self._asked(decision.id)
            if decision.state == "act":
                self._say(
                    f"decided     {decision.id} {decision.chosen.controller}: {decision.chosen.because}"
                )
        self.witness.heard(inputs, result)
        self._history = after
        for intent in inputs.intents:
            self._owed.pop(intent.id, None)
        self._say_findings(result)
        for each in result.findings:
            if each.kind == "pass-failed":
                self._violated("Pass", each.message)

    def _say_findings(self, result: Result) -> None:
        said = frozenset(
            f"{each.kind} {each.subject}: {each.message}"
            for each in result.findings
            if each.kind not in UNEVENTFUL
        )
        for each in result.closed:
            self._say(f"closed      {each.action} {each.result}: {each.detail}")
        for text in sorted(said - self._standing):
            self._say(f"found       {text}")
        self._standing = said

    def _look(self, event: Event) -> None:
        self._trace.append(line(event))
        self._report.actions += type(event).__name__ == "Applied"
        for checker in self._checkers:
            self._judge(type(checker).__name__, checker.look(event, self.witness))

    def _judge(self, name: str, sentences: Iterable[str]) -> None:
        for each in sentences:
            self._violated(name, each)

    def _violated(self, checker: str, message: str) -> None:
        self._say(f"VIOLATION   {checker}: {message}")
        self._report.violations.append(Violation(self.world.now, checker, message))
        self._over.set()

    def _say(self, text: str) -> None:
        self._trace.append(f"{self.world.now:9.2f}  {text}")

    # --- what befalls maintainers

    def _await_troubles(self, faults: MaintainerFaults) -> None:
        self._again("killed", faults.killed_every_s, self._kill)
        self._again("deposed", faults.deposed_every_s, lambda: self._depose(faults.stopped_for_s))
        self._again("wall", faults.wall_jump_every_s, lambda: self._jump(faults.wall_jump_s))
        self._again("disk", faults.disk_full_every_s, lambda: self._fill(faults))

    def _again(self, what: str, every_s: float, happen: Callable[[], None]) -> None:
        if every_s <= 0:
            return

        def once() -> None:
            happen()
            self._again(what, every_s, happen)

        wait_s = self.world.chance.wait_s(f"maintainer/{what}", every_s)
        self.world.at(self.world.now + wait_s, once, fault=True)

    def _kill(self) -> None:
        if self._present is not None:
            steps = self.world.chance.stream("maintainer/steps").randrange(STEPS_MAX)
            self._present[0].strike(steps)
            self.world.note(Mishap(self.world.now, self._present[0].name, f"is killed in {steps} steps"))

    def _depose(self, for_s: float) -> None:
        if self._present is None:
            return
        life, _ = self._present
        life.stop(self.world.now + for_s)
        self._leases.gone()
        self.world.note(Mishap(self.world.now, life.name, f"stands still for {for_s:g} s and is succeeded"))
        self._present = None
        self._begin_life()

    def _jump(self, by_s: float) -> None:
        self._clock.jumped_s = self.world.chance.between("maintainer/jump", -by_s, by_s)
        self.world.note(Mishap(self.world.now, "wall clock", f"jumps to {self._clock.jumped_s:+.0f} s"))

    def _fill(self, faults: MaintainerFaults) -> None:
        self._disk.fill(faults.disk_reserve_writes)
        self.world.note(Mishap(self.world.now, "disk", f"is full for {faults.disk_full_for_s:g} s"))
        self.world.at(self.world.now + faults.disk_full_for_s, self._disk.free)

    def _go(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
