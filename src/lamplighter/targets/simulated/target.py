"""The simulated target: `ports.Target` on a world. One for each maintainer that looks at that world.

What is refused, lost on the way, late or fenced is decided here, from the world's faults. Knows nothing of
why anything is asked.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from lamplighter.model.actions import (
    Action,
    Configure,
    Dismantle,
    Forget,
    Outcome,
    OutcomeState,
    Replace,
    Scale,
    Shift,
)
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding
from lamplighter.model.system import System
from lamplighter.model.value import Instant
from lamplighter.ports import Scope
from lamplighter.targets.simulated.journal import (
    Applied,
    Asked,
    Born,
    Draining,
    Ended,
    Event,
    Passing,
    Refused,
)
from lamplighter.targets.simulated.sources import Sources
from lamplighter.targets.simulated.world import World


class Order(NamedTuple):
    """An action on its way, with what its maintainer had seen when it sent it."""

    action: Action
    action_id: str
    token: int
    sent_at: Instant
    seen: Facts | None


Pause = Callable[[float], Awaitable[None]]
"""Lets so many seconds of the world's time go by."""

OBSERVE_S = 0.01
APPLY_S = 0.02
"""A call takes this long, about as long as one to a supervisor on the same machine."""
HINTED = (Born, Draining, Ended, Passing)
"""What a supervisor tells of as it happens."""
HINTS_MAX = 64
LOST_S = 2.0
"""For how long an answer is waited for that does not come."""


class SimulatedTarget:
    """One maintainer's way to a world."""

    def __init__(self, world: World, *, holder: str = "maintainer", pause: Pause | None = None) -> None:
        """Look at a world; changes nothing.

        Args:
            world: what there is.
            holder: who asks, for the journal; a target does not go by it.
            pause: lets time go by while an answer is on its way; by default the world just moves on.
        """
        self._world = world
        self._holder = holder
        self._pause = pause or self._move_on
        self._sources = Sources(world)
        self.seen: Facts | None = None

    async def observe(self, scope: Scope) -> Facts:
        """Return what the sources say now."""
        await self._pause(OBSERVE_S)
        while self._world.befalling.size("unanswered") is not None:
            await self._pause(LOST_S)
        self.seen = self._sources.hear(scope.now, scope.wall)
        return self.seen

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Carry out an action, or not: see `AnswerFaults`. An id that was carried out is not again."""
        world, order = self._world, Order(action, action_id, token, self._world.now, self.seen)
        await self._pause(APPLY_S + self._slow_s())
        if any(world.befalling.size(each) is not None for each in ("reboot", "supervisor-restart")):
            return self._outcome(action_id, "unknown", "unreachable", "connection refused")
        world.note(Asked(world.now, order.sent_at, action, action_id, token, self._holder))
        if token < world.token:
            detail = f"token {token} is older than {world.token}"
            return self._refused(action_id, "fenced", detail)
        world.token = token
        known = world.answers.get(action_id)
        return self._outcome(action_id, known) if known else await self._take(order)

    async def _take(self, order: Order) -> Outcome:
        """Carry out an action that is new to the target, if nothing comes between."""
        world, faults = self._world, self._world.faults.answers
        happens = world.befalling.happens
        if world.dismantling and not isinstance(order.action, Dismantle):
            return self._refused(order.action_id, "dismantling", "everything is being ended")
        if happens("refusals", faults.refused_p):
            return self._refused(order.action_id, "busy", "the target has too much to do")
        if happens("orders-lost", faults.lost_before_p):
            world.note(Refused(world.now, order.action_id, self._holder, "lost on its way there"))
            return await self._lost(order.action_id)
        late_s = world.befalling.size("orders-late")
        if late_s is not None or happens("orders-late", faults.late_p):
            late_s = faults.late_s if late_s is None else late_s
            world.note(Refused(world.now, order.action_id, self._holder, f"held up for {late_s:g} s"))
            world.at(world.now + late_s, lambda: self._arrive_late(order))
            return await self._lost(order.action_id)
        state = self._carry_out(order)
        again_s = world.befalling.size("orders-doubled")
        if again_s is not None:
            world.befalling.tally("orders-doubled")
            world.at(world.now + again_s, lambda: self._arrive_late(order))
        if happens("answers-lost", faults.lost_after_p):
            return await self._lost(order.action_id)
        return self._outcome(order.action_id, state)

    async def hints(self) -> AsyncIterator[str]:
        """Yield the subject of each change of a replica, as a supervisor tells of it."""
        changed: deque[str] = deque(maxlen=HINTS_MAX)
        bell = asyncio.Event()

        def heard(event: Event) -> None:
            if isinstance(event, HINTED):
                changed.append(event.replica)
                bell.set()

        self._world.listeners.append(heard)
        try:
            while True:
                await bell.wait()
                bell.clear()
                while changed:
                    yield changed.popleft()
        finally:
            self._world.listeners.remove(heard)

    def _slow_s(self) -> float:
        world, faults = self._world, self._world.faults.answers
        spell = world.befalling.size("slow-answers")
        if spell is not None:
            return world.chance.between("slow-answers", 0.0, spell)
        if world.befalling.happens("slow-answers", faults.slow_p):
            return world.chance.between("slow-answers", 0.0, 2 * faults.slow_s)
        return 0.0

    async def preview(self, action: Action) -> Sequence[Finding]:
        """Return nothing: a simulated target takes every action."""
        del action
        return ()

    def missing(self, system: System) -> Sequence[Finding]:
        """Return nothing: whatever a system asks for is only simulated."""
        del system
        return ()

    def _arrive_late(self, order: Order) -> None:
        """Carry it out unless a newer maintainer, the same action, or another on the same was there first.

        That is what the versions of backends come to: a write is refused once another has been made.
        """
        world = self._world
        if world.befalling.size("reboot") is not None:
            return
        overtaken = world.written_at.get(_written(order.action), order.sent_at) > order.sent_at
        known = order.action_id in world.answers or world.dismantling
        if order.token >= world.token and not known and not overtaken:
            self._carry_out(order)

    def _carry_out(self, order: Order) -> OutcomeState:
        """Have the effect, once, and remember the answer."""
        world, before = self._world, self._world.truth()
        state = _effect(world, order.action, order.action_id)
        world.answers[order.action_id] = state
        world.written_at[_written(order.action)] = world.now
        world.note(
            Applied(
                at=world.now,
                sent_at=order.sent_at,
                action=order.action,
                action_id=order.action_id,
                token=order.token,
                holder=self._holder,
                seen=order.seen,
                before=before,
                after=world.truth(),
            )
        )
        return state

    async def _lost(self, action_id: str) -> Outcome:
        await self._pause(LOST_S)
        return self._outcome(action_id, "unknown", "no-answer", "the answer was lost")

    def _refused(self, action_id: str, code: str, detail: str) -> Outcome:
        self._world.note(Refused(self._world.now, action_id, self._holder, f"refused: {code}"))
        return self._outcome(action_id, "refused", code, detail)

    def _outcome(self, action_id: str, state: OutcomeState, code: str = "", detail: str = "") -> Outcome:
        return Outcome(action=action_id, state=state, at=self._world.now, code=code, detail=detail)

    async def _move_on(self, seconds: float) -> None:
        self._world.advance(self._world.now + seconds)


def _written(action: Action) -> str:
    """Return what an action writes to: a workload, or the gateway."""
    return str(getattr(action, "workload", ""))


def _effect(world: World, action: Action, action_id: str) -> OutcomeState:
    match action:
        case Configure():
            world.configure(action.system)
            return "done"
        case Scale():
            for each in action.starts:
                world.start(each, action.workload, action.release, action_id)
            for each in action.stops:
                world.drain(each, action.drain_s, action_id)
            return "accepted"
        case Replace():
            world.start(action.start, action.workload, action.release, action_id)
            world.drain(action.replica, action.drain_s, action_id)
            return "accepted"
        case Shift():
            world.shift(action.workload, action.shares)
            return "done"
        case Forget():
            world.forget(action.replicas)
            return "done"
        case Dismantle():
            world.dismantle(action.grace_s)
            return "accepted"
