"""Upkeep: there is always a maintainer, whatever befalls it; sometimes there is one too many.

A part of the simulation. It runs the real loop, life after life, on the same stores.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

import msgspec

from lamplighter.engine.deciding import decide
from lamplighter.engine.loop import Loop
from lamplighter.engine.step import resting, step
from lamplighter.engine.terms import Terms
from lamplighter.model.errors import HeldError, LampError, OwnedError
from lamplighter.model.history import History
from lamplighter.model.intents import Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.ports import Target
from lamplighter.targets.simulated import MaintainerFaults, SimulatedTarget, Trouble, World
from lamplighter.targets.simulated.journal import Mishap
from lamplighter.testing.audit import audit
from lamplighter.testing.lives import HintedTarget, Life, MortalLedger, MortalRecordings, MortalTarget, Noted
from lamplighter.testing.report import Parts
from lamplighter.testing.stores import Cabinet, Disk, MemoryLeases
from lamplighter.testing.story import Story
from lamplighter.testing.virtual import VirtualClock, VirtualThread
from lamplighter.testing.witness import Witness

STEPS_MAX = 12
"""A maintainer is killed within so many steps of its time having come: about two passes."""
SYSTEM = "sim"


class Upkeep:
    """The maintainers of one world."""

    def __init__(
        self, world: World, story: Story, parts: Parts, noted: Noted, wrong: Callable[[str, str], None]
    ) -> None:
        """Begin with none. `unkept` are intents that were accepted and are in no record yet.

        Args:
            world: what they look after.
            story: how often they make a pass, and what they write to.
            parts: what they run on.
            noted: hears of each pass.
            wrong: is told of a maintainer that ended as none may.
        """
        self.disk = Disk()
        self.clock = VirtualClock(lambda: world.now, story.wall_at_s)
        self._cabinet = Cabinet(self.disk, self.clock, files=story.files)
        self.recordings, self._ledger = self._cabinet.recordings, self._cabinet.ledger
        self.lives = 0
        self.done = False
        self.unkept: set[str] = set()
        self._world, self._parts, self._noted, self._wrong = world, parts, noted, wrong
        self._story = story
        slow = any(each.kind == "disk-slow" for each in story.troubles)
        self._thread = VirtualThread(world.at, self._write_s) if slow else None
        self._leases = MemoryLeases(self.clock)
        self._present: tuple[Life, Loop] | None = None
        self._away_s = 1.0
        self._newest = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.owed: dict[str, Intent] = {}

    def begin(self) -> None:
        """Start a maintainer; it is given all that people still wait for."""
        self.lives += 1
        task = asyncio.get_running_loop().create_task(self._live(Life(f"maintainer-{self.lives}")))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def submit(self, intent: Intent) -> None:
        """Hand an intent to whoever maintains, now or next."""
        self.owed[intent.id] = intent
        if self._present is not None:
            with contextlib.suppress(HeldError):
                self._present[1].submit(intent)
        elif self.done:
            self.done = False
            self.begin()

    async def end(self) -> None:
        """End everything."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, life: Life) -> None:
        """Be one maintainer, until it is killed, is deposed, or has nothing left to do."""
        try:
            loop = self._loop(life)
            self._present = (life, loop)
            for intent in self.owed.values():
                loop.submit(intent)
            await loop.run()
            self.done = True
        except asyncio.CancelledError:
            raise
        except LampError as error:
            self._world.note(Mishap(self._world.now, life.name, f"ends: {error.message}"))
        except BaseException as error:  # noqa: BLE001 - a kill comes as whatever the loop makes of it
            if not life.dead:
                self._wrong("Loop", f"{life.name} ended by {error!r}")
            for each in sorted(self.unkept):
                self._wrong("IntentKept", f"{each} was accepted, and died with {life.name}")
        if self._present is None or self._present[0] is not life:
            return
        self._present = None
        self._leases.gone()
        await asyncio.sleep(self._away_s)
        if not self.done or self.owed:
            self.begin()

    def _loop(self, life: Life) -> Loop:
        lease = self._leases.acquire(SYSTEM)
        target: Target = SimulatedTarget(self._world, holder=life.name, pause=asyncio.sleep)
        pace = self._parts.pace or self._story.pace
        terms = Terms(
            system=SYSTEM,
            step=self._parts.step or resting(),
            revalidate=self._parts.revalidate,
            token=lease.token,
            held=lambda: self._leases.held(lease),
            pace=pace,
            threads=self._thread,
        )
        mortal = HintedTarget if self._story.hints else MortalTarget
        return Loop(
            mortal(self._parts.target(target), life),
            self.clock,
            MortalLedger(self._ledger, life),
            MortalRecordings(
                self.recordings,
                life,
                partial(self._heard, lease.token),
                partial(self._held, pace.record_deadline_s),
            ),
            terms,
        )

    def audit(self, witness: Witness) -> None:
        """Look through the records of the run: see `audit`."""
        for checker, message in audit(self._ledger, self.recordings, witness, self._parts.step, self._story):
            self._wrong(checker, message)

    def __enter__(self) -> None:
        """Open what is written to."""
        self._cabinet.open()
        self.recordings, self._ledger = self._cabinet.recordings, self._cabinet.ledger

    def __exit__(self, *_error: object) -> None:
        """Close and drop it."""
        self._cabinet.close()

    def _write_s(self) -> float:
        """Draw how long a write takes."""
        slow_s = self._world.befalling.size("disk-slow")
        return 0.0 if slow_s is None else self._world.chance.between("disk-slow", 0.0, slow_s)

    def _heard(self, token: int, inputs: Inputs, result: Result, after: History, *, recorded: bool) -> None:
        """Hear of a pass of whoever holds this token; none is recorded after one of a newer maintainer."""
        if recorded and token < self._newest and self._thread is None:
            self._wrong(
                "OneWriter", f"a pass under token {token} was recorded after one under {self._newest}"
            )
        self._newest = max(self._newest, token if recorded else 0)
        self._noted(inputs, result, after, recorded=recorded)

    def _held(self, waits_s: float, before: History, inputs: Inputs) -> tuple[Inputs, Result, History] | None:
        """Return how a pass ends of which nothing could be written: what was asked for in it is held.

        It stays as it was decided where nobody waits for the write any more.
        """
        if not inputs.intents or self._world.now - inputs.now >= waits_s:
            return None
        inputs = msgspec.structs.replace(inputs, recordable=False)
        after, result = decide(self._parts.step or step, before, inputs)
        return inputs, result, after

    # --- what befalls them

    def befall(self, trouble: Trouble) -> None:
        """Let a trouble befall maintainers, if it is one that does."""
        match trouble.kind:
            case "killed":
                self._away_s = trouble.for_s
                self.kill()
            case "reboot":
                self._away_s = trouble.for_s
                self.kill(0)
            case "deposed":
                self.depose(trouble.for_s)
            case "standing-still" if self._present is not None:
                self._present[0].stop(self._world.now + trouble.for_s)
            case "rival":
                self.rival()
            case "wall-jump":
                self.clock.jumped_s = trouble.size
            case "disk-full":
                self.fill(trouble.for_s, int(trouble.size))

    def rival(self) -> None:
        """Let a second maintainer try to take the lease from one that lives: it must not get it."""
        if self._present is None:
            return
        with contextlib.suppress(OwnedError):
            self._leases.acquire(SYSTEM)
            self._wrong("OneOwner", "a second maintainer got the lease while the first one lives")

    def await_troubles(self, faults: MaintainerFaults) -> None:
        """Draw when each kind of trouble will come, again and again."""
        self._away_s = faults.away_s
        self._again("killed", faults.killed_every_s, self.kill)
        self._again("deposed", faults.deposed_every_s, lambda: self.depose(faults.stopped_for_s))
        self._again("wall", faults.wall_jump_every_s, lambda: self.jump(faults.wall_jump_s))
        self._again(
            "disk",
            faults.disk_full_every_s,
            lambda: self.fill(faults.disk_full_for_s, faults.disk_reserve_writes),
        )

    def kill(self, after_steps: int | None = None) -> None:
        """Let the maintainer be killed at one of its next steps; which one is left to chance."""
        if self._present is None:
            return
        steps = after_steps
        if steps is None:
            steps = self._world.chance.stream("maintainer/steps").randrange(STEPS_MAX)
        self._present[0].strike(steps)
        self._world.note(Mishap(self._world.now, self._present[0].name, f"is killed in {steps} steps"))

    def depose(self, stopped_for_s: float) -> None:
        """Let the maintainer stand still in the middle of a pass, be succeeded, and wake up again."""
        if self._present is None:
            return
        life, _ = self._present
        life.stop(self._world.now + stopped_for_s)
        self._leases.gone()
        self._present = None
        self._world.note(Mishap(self._world.now, life.name, f"stands still for {stopped_for_s:g} s"))
        self.begin()

    def jump(self, by_s: float) -> None:
        """Let the wall clock be wrong by up to this much, either way."""
        self.clock.jumped_s = self._world.chance.between("maintainer/jump", -by_s, by_s)
        self._world.note(Mishap(self._world.now, "wall clock", f"jumps by {self.clock.jumped_s:+.0f} s"))

    def fill(self, for_s: float, reserve_writes: int) -> None:
        """Let the disk be full."""
        self.disk.fill(reserve_writes)
        self._world.note(Mishap(self._world.now, "disk", f"is full for {for_s:g} s"))
        self._world.at(self._world.now + for_s, lambda: self.disk.free(self._world.now))

    def calm(self) -> None:
        """End all troubles."""
        self.disk.free(self._world.now)
        self.clock.jumped_s = 0.0

    def _again(self, what: str, every_s: float, happen: Callable[[], None]) -> None:
        if every_s <= 0:
            return

        def once() -> None:
            happen()
            self._again(what, every_s, happen)

        wait_s = self._world.chance.wait_s(f"maintainer/{what}", every_s)
        self._world.at(self._world.now + wait_s, once, fault=True)
