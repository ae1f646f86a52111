"""Applying: decisions are carried out under their ids, each re-checked on fresh facts right before.

What touches one workload is done in order; workloads do not wait for each other; what touches the whole
site (the gateway, the records, its end) stands alone. The answers come back in the order of the decisions,
however long each took.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from lamplighter.engine.terms import Terms
from lamplighter.model.actions import Outcome
from lamplighter.model.decisions import Decision, Refusal
from lamplighter.model.errors import FencedError, LampError, OwnedError
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.ports import Clock, Target

FENCED = "fenced"


class Hands:
    """Carries out what was decided, and says what came of it."""

    def __init__(
        self, target: Target, clock: Clock, terms: Terms, observe: Callable[[], Awaitable[Facts]]
    ) -> None:
        self._target = target
        self._clock = clock
        self._terms = terms
        self._observe = observe
        self._facts = Facts(at=float("-inf"))
        self._reading = asyncio.Lock()

    async def carry_out(
        self, decisions: Sequence[Decision], history: History, facts: Facts
    ) -> tuple[Outcome, ...]:
        """Apply decisions and return an outcome for each, in their order.

        Args:
            decisions: what to apply, in the order that was settled.
            history: after the pass that decided.
            facts: of that pass; read again for each action that comes more than `fresh_s` later.

        Raises:
            OwnedError: the lease was lost; the action at hand and those after it were not applied.
            FencedError: the target has seen a newer maintainer.
        """
        self._facts = facts
        outcomes: dict[str, Outcome] = {}
        for chains in stages(decisions):
            await self._stage(chains, history, outcomes)
        return tuple(outcomes[each.id] for each in decisions)

    async def _stage(
        self, chains: Sequence[Sequence[Decision]], history: History, outcomes: dict[str, Outcome]
    ) -> None:
        async def chain(decisions: Sequence[Decision]) -> None:
            for each in decisions:
                outcomes[each.id] = await self._one(each, history)

        try:
            async with asyncio.TaskGroup() as group:
                for decisions in chains:
                    group.create_task(chain(decisions))
        except* LampError as errors:
            first = errors.exceptions[0]
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            stopped = first
        else:
            return
        raise stopped

    async def _one(self, decision: Decision, history: History) -> Outcome:
        facts = await self._fresh()
        if not self._terms.held():
            raise OwnedError(
                "the lease on this system was lost: another maintainer took it over",
                code="lease-lost",
                mend="nothing to do: the newer maintainer goes on",
            )
        refusal = self._revalidated(decision, facts, history)
        if refusal is not None:
            return self._answer(decision, "refused", refusal.code, refusal.detail)
        return await self._apply(decision)

    def _revalidated(self, decision: Decision, facts: Facts, history: History) -> Refusal | None:
        try:
            return self._terms.revalidate(decision, facts, history, self._clock.now())
        except Exception as error:  # noqa: BLE001 - a check that fails has not passed
            return Refusal(code="revalidate-failed", detail=f"{type(error).__name__}: {error}")

    async def _apply(self, decision: Decision) -> Outcome:
        """Hand one action to the target. If that goes wrong it may have happened: the outcome is unknown."""
        deadline_s = self._terms.pace.apply_deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                outcome = await self._target.apply(
                    decision.chosen.action, action_id=decision.id, token=self._terms.token
                )
        except FencedError:
            raise
        except TimeoutError:
            return self._answer(decision, "unknown", "no-answer", f"no answer within {deadline_s:g} s")
        except LampError as error:
            return self._answer(decision, "unknown", error.code, error.message)
        except Exception as error:  # noqa: BLE001 - the edge to a target: its faults must not end the loop
            return self._answer(decision, "unknown", "apply-failed", f"{type(error).__name__}: {error}")
        if outcome.state == "refused" and outcome.code == FENCED:
            raise FencedError(outcome.detail or "the target has seen a newer maintainer")
        return msgspec.structs.replace(outcome, action=decision.id)

    async def _fresh(self) -> Facts:
        """Return facts no older than `fresh_s`, read once for all that wait for them."""
        async with self._reading:
            if self._clock.now() - self._facts.at > self._terms.pace.fresh_s:
                self._facts = await self._observe()
            return self._facts

    def _answer(self, decision: Decision, state: str, code: str, detail: str) -> Outcome:
        plain = {
            "action": decision.id,
            "state": state,
            "at": self._clock.now(),
            "code": code,
            "detail": detail,
        }
        return msgspec.convert(plain, type=Outcome)


def stages(decisions: Sequence[Decision]) -> Iterator[list[list[Decision]]]:
    """Yield groups of chains: a stage waits for the one before it, the chains of a stage run side by side."""
    chains: dict[str, list[Decision]] = {}
    for each in decisions:
        workload = getattr(each.chosen.action, "workload", "")
        if workload:
            chains.setdefault(workload, []).append(each)
            continue
        if chains:
            yield list(chains.values())
            chains = {}
        yield [[each]]
    if chains:
        yield list(chains.values())
