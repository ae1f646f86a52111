"""The loop: observe, decide, record, apply, again and again; the one place where deciding meets the world.

What a pass decided is on disk before any of it is applied, and what came of it goes into the next pass. So a
successor, started from the recording, offers again what was under way, under the same ids, and decides
nothing twice. The loop itself decides nothing and remembers nothing that the recording does not hold.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import msgspec

from lamplighter.engine.applying import Hands
from lamplighter.engine.canonical import canonical, canonical_inputs
from lamplighter.engine.deciding import decide
from lamplighter.engine.observing import observed
from lamplighter.engine.records import Records
from lamplighter.engine.terms import Terms
from lamplighter.model.actions import Outcome
from lamplighter.model.decisions import Decision
from lamplighter.model.errors import FencedError, HeldError, LampError, OwnedError
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding, Severity
from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Value
from lamplighter.ports import Clock, Ledger, Recordings, Target

INTENTS_MAX = 256
"""Intents that may wait for a pass; more are turned away until there is room."""
RESTARTED = "maintainer-restarted"
UNWRITTEN, MAYBE_WRITTEN = 0, -1
"""In the place of a pass's number: nothing of it was written, or that is not known yet."""
ATTEMPTS_WITH_OUTCOMES = 3
"""Passes that may fail on the same outcomes before these are dropped."""
HINT_RETRY_S = 1.0
DISK_LOW_BYTES = 2**20
UNRECORDABLE = "the ledger or the recording cannot be written, so nothing destructive is done"
DISK_FULL = Finding(
    kind="disk-full",
    subject="engine",
    message="the disk is full or refuses to be written; records go into the room that was kept for this,"
    " for as long as it lasts",
    severity=Severity.URGENT,
)

T = TypeVar("T")


class Seen(Value):
    """The newest pass, for whoever wants to look: what went in, what came out, what is remembered.

    `number` is 0 if it could not be recorded, and `held` then says why. `troubles` are the loop's own.
    """

    number: int
    inputs: Inputs
    result: Result
    history: History
    held: str = ""
    troubles: tuple[Finding, ...] = ()


class Loop:
    """The loop of one system at one site."""

    def __init__(
        self, target: Target, clock: Clock, ledger: Ledger, recordings: Recordings, terms: Terms
    ) -> None:
        """Take up where the recording ends; touches nothing yet.

        Raises:
            EnvironmentFault: the recording is damaged.
        """
        self._target = target
        self._clock = clock
        self._terms = terms
        self._records = Records(ledger, recordings, terms.step)
        self._hands = Hands(target, clock, terms, self._observe)
        self._history, self._facts = self._records.restore()
        self._down_before = self._history.stopped
        self._outcomes = _lost_answers(self._history, clock)
        self._intents: deque[tuple[Intent, asyncio.Future[Answer]]] = deque()
        self._failures = 0
        self._failing = False
        self._troubles: tuple[Finding, ...] = ()
        self._wake = asyncio.Event()
        self._passed = asyncio.Event()
        self._stopping = False
        self.seen: Seen | None = None

    async def once(self) -> Result:
        """Make one pass: observe, decide, record, apply. What came of it goes into the next one.

        Raises:
            OwnedError: the lease was lost. FencedError: the target has seen a newer maintainer.
        """
        self._require_lease()
        facts = await self._observe()
        inputs = await self._gather(facts)
        before, (after, result) = self._history, decide(self._terms.step, self._history, inputs)
        self._require_lease()  # one that was stopped meanwhile and woke must not write among a successor's
        number, held = await self._record(inputs, result, before, after)
        self._require_lease()  # a successor that has begun meanwhile may know nothing of this pass
        if number == UNWRITTEN and self._records.missing:
            inputs, (after, result) = self._decided_again(before, inputs, (after, result))
        self._remember(inputs, result, after)
        self._show(max(number, 0), inputs, result, held)
        self._answer(inputs, result)
        self._outcomes += await self._act(result, after, facts, held)
        return result

    async def run(self) -> None:
        """Make passes until stopped, until everything has been taken down, or until the lease is lost.

        Raises:
            OwnedError: the lease was lost. FencedError: the target has seen a newer maintainer.
        """
        ended: LampError | None = None
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            try:
                await self._passes()
            except LampError as error:
                ended = error
            finally:
                listening.cancel()
        if ended is not None:
            raise ended

    def stop(self) -> None:
        """End `run` after the pass under way. Workloads go on."""
        self._stopping = True
        self._wake.set()

    def submit(self, intent: Intent) -> asyncio.Future[Answer]:
        """Queue an intent for the next pass; the future is done once that pass has been recorded.

        Raises:
            HeldError: too many are waiting already (`intents-full`).
        """
        for queued, answer in self._intents:
            if queued.id == intent.id:
                return answer
        if len(self._intents) >= INTENTS_MAX:
            raise HeldError(
                f"{INTENTS_MAX} intents are waiting already",
                code="intents-full",
                mend="try again in a second",
            )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._intents.append((canonical(intent), future))
        self._wake.set()
        return future

    def wake(self) -> None:
        """Make the next pass soon: something has changed."""
        self._wake.set()

    async def passed(self) -> None:
        """Wait until another pass has been made."""
        await self._passed.wait()

    async def _passes(self) -> None:
        pace, now = self._terms.pace, asyncio.get_running_loop().time
        while not self._stopping:
            began = now()
            self._wake.clear()
            await self._once_whatever_happens()
            if self._stopping or self._all_down():
                return
            interval_s = pace.busy_interval_s if self._busy() else pace.interval_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(began + interval_s):
                    await self._wake.wait()
            await asyncio.sleep(began + pace.floor_s - now())

    async def _once_whatever_happens(self) -> None:
        try:
            await self.once()
        except (OwnedError, FencedError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the loop: one bad pass must not end it
            why = f"{type(error).__name__}: {error}"
            self._terms.log("pass-failed", why=why, exc_info=error)
            self._failing = True
            self._trouble(
                Finding(kind="pass-failed", subject="engine", message=why, severity=Severity.URGENT)
            )
        else:
            self._failing = False
            self._trouble(*([DISK_FULL] if self._records.starved or _no_room(self._facts) else []))

    def _trouble(self, *troubles: Finding) -> None:
        """Note a trouble of the loop itself, or that there is none any more; once, not at each pass."""
        if troubles != self._troubles:
            self._records.trouble(self._troubles, troubles)
            self._troubles = troubles
            if self.seen is not None:
                self.seen = msgspec.structs.replace(self.seen, troubles=troubles)

    async def _observe(self) -> Facts:
        self._facts = await observed(self._target, self._clock, self._terms, self._facts)
        return self._facts

    async def _gather(self, facts: Facts) -> Inputs:
        recordable = await self._blocking(self._records.writable)
        inputs = Inputs(
            now=self._clock.now(),
            facts=facts,
            intents=tuple(intent for intent, _ in self._intents),
            outcomes=self._outcomes,
            recordable=bool(recordable),
        )
        return canonical_inputs(inputs)

    async def _record(
        self, inputs: Inputs, result: Result, before: History, after: History
    ) -> tuple[int, str]:
        """Record a pass; return its number, or why destructive actions are held since it has none."""
        try:
            number = await self._blocking(lambda: self._records.write(inputs, result, before, after))
        except HeldError as error:
            self._terms.log("record-held", code=error.code, why=error.message)
            return UNWRITTEN, error.message
        if number is None:
            return (
                MAYBE_WRITTEN,
                f"the record was not written within {self._terms.pace.record_deadline_s:g} s",
            )
        return number, ""

    def _decided_again(
        self, before: History, inputs: Inputs, made: tuple[History, Result]
    ) -> tuple[Inputs, tuple[History, Result]]:
        """Return a pass of which nothing was written as one that could not be: its intents are held.

        What was promised must outlive who promised it; so they change nothing, and are to be asked again.
        """
        if inputs.intents:
            inputs = msgspec.structs.replace(inputs, recordable=False)
            made = decide(self._terms.step, before, inputs)
        self._records.miss(inputs, made[1])
        return inputs, made

    async def _act(self, result: Result, history: History, facts: Facts, held: str) -> tuple[Outcome, ...]:
        """Apply what was decided, and once more what got no answer. No record, no destructive action."""
        again = [history.pending[each].decision for each in result.retries if each in history.pending]
        wanted = [*again, *(each for each in result.decisions if each.state == "act")]
        barred = [each for each in wanted if held and each.chosen.contract.destructive]
        refused = [_refused(each, held, self._clock) for each in barred]
        outcomes = await self._hands.carry_out(
            [each for each in wanted if each not in barred], history, facts
        )
        if any(each.state != "unknown" for each in outcomes):
            self._wake.set()
        for each in (*outcomes, *refused):
            self._terms.log("outcome", action=each.action, state=each.state, code=each.code)
        return (*outcomes, *refused)

    def _remember(self, inputs: Inputs, result: Result, after: History) -> None:
        """Take over what the pass came to. One that failed keeps its outcomes for a few more."""
        failed = any(each.kind == "pass-failed" for each in result.findings)
        self._failures = self._failures + 1 if failed else 0
        if not failed or self._failures >= ATTEMPTS_WITH_OUTCOMES:
            self._outcomes = ()
        self._history = after
        self._down_before = self._down_before and after.stopped
        for each in result.decisions:
            _log_decision(self._terms, each)
        if failed:
            self._terms.log("pass-failed", why=result.findings[0].message, outcomes=len(inputs.outcomes))

    def _answer(self, inputs: Inputs, result: Result) -> None:
        """Answer the intents of this pass; they are those that were queued first."""
        answers = {each.intent: each for each in result.answers}
        for each in inputs.intents:
            intent, future = self._intents.popleft()
            assert intent.id == each.id, "intents are answered in the order of their queue"
            if not future.done():
                future.set_result(
                    answers.get(each.id, Answer(intent=each.id, accepted=False, code="overlooked"))
                )

    def _show(self, number: int, inputs: Inputs, result: Result, held: str) -> None:
        self.seen = Seen(
            number=number,
            inputs=inputs,
            result=result,
            history=self._history,
            held=held or ("" if inputs.recordable else UNRECORDABLE),
            troubles=self._troubles,
        )
        self._passed.set()
        self._passed = asyncio.Event()

    def _busy(self) -> bool:
        return not self._failing and bool(self._history.pending or self._outcomes or self._intents)

    def _all_down(self) -> bool:
        """Whether everything was taken down while this loop ran: there is nothing left to maintain."""
        return self._history.stopped and not self._down_before and not self._busy()

    def _require_lease(self) -> None:
        if not self._terms.held():
            raise OwnedError("the lease on this system was lost to another maintainer", code="lease-lost")

    async def _listen(self) -> None:
        """Wake the loop at each hint of a target that gives them; listen again if it breaks off."""
        hints = getattr(self._target, "hints", None)
        while hints is not None:
            try:
                async for _ in hints():
                    self._wake.set()
            except Exception as error:  # noqa: BLE001 - hints only wake; losing them costs nothing but time
                self._terms.log("hints-lost", why=f"{type(error).__name__}: {error}")
            await asyncio.sleep(HINT_RETRY_S)

    async def _blocking(self, work: Callable[[], T]) -> T | None:
        """Do what may block on a disk where it does not hold up the rest; None if it takes too long."""
        if self._terms.threads is None:
            return work()
        running = asyncio.get_running_loop().run_in_executor(self._terms.threads, work)
        try:
            async with asyncio.timeout(self._terms.pace.record_deadline_s):
                return await asyncio.shield(running)
        except TimeoutError:
            running.add_done_callback(lambda late: late.cancelled() or late.exception())
            return None


def _no_room(facts: Facts | None) -> bool:
    """Whether the disk is as good as full; the reserve may bear for long, and it should be said at once."""
    free_bytes = facts.machine.disk_free_bytes if facts else None
    return free_bytes is not None and free_bytes < DISK_LOW_BYTES


def _lost_answers(history: History, clock: Clock) -> tuple[Outcome, ...]:
    """Return an `unknown` outcome for each action whose answer died with the maintainer before."""
    return tuple(
        Outcome(
            action=name,
            state="unknown",
            at=clock.now(),
            code=RESTARTED,
            detail="the maintainer ended before it could note the answer",
        )
        for name, each in history.pending.items()
        if each.state == "decided" and each.outcome is None
    )


def _refused(decision: Decision, why: str, clock: Clock) -> Outcome:
    return Outcome(action=decision.id, state="refused", at=clock.now(), code="held", detail=why)


def _log_decision(terms: Terms, decision: Decision) -> None:
    if decision.state == "act":
        terms.log(
            "decision",
            action=decision.id,
            subject=decision.subject,
            controller=decision.chosen.controller,
            because=decision.chosen.because,
        )
