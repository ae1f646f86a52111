"""Replay: every decision made again from what was recorded, and what another policy would have decided.

Needs nothing but the recording, and of that only what went into the passes: results may have been deleted.
Under another policy the facts stay as they were recorded, so from the first difference on the world would
have gone another way; each difference says whether it is the first for its subject. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from lamplighter import __version__
from lamplighter.engine.canonical import canonical
from lamplighter.engine.deciding import Step, decide
from lamplighter.model.actions import Configure, Outcome
from lamplighter.model.decisions import Decision
from lamplighter.model.errors import UserError
from lamplighter.model.history import History
from lamplighter.model.intents import Intent, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value, digest, encode
from lamplighter.ports import Recorded, Recordings

Policy = Callable[[System], System]
"""What another policy makes of a system."""


class Replayed(Value):
    """One pass, made again.

    `same` compares the decisions made now with the recorded ones, byte for byte; None where the recorded
    ones were deleted. `whole` does so for everything that came out, findings and answers included.
    `gap`: passes before this one are missing. `history_same`: whether the recording's own history before
    this pass, where it holds one, is the one that was replayed up to here; it is not if the recording was
    changed. None where there is none, and where another version recorded: it may keep more or less.
    `version`: of what decided from this pass on, where it is told anew.
    """

    number: int
    at: Instant
    wall: str
    decisions: tuple[Decision, ...] = ()
    recorded: tuple[Decision, ...] | None = None
    same: bool | None = None
    whole: bool | None = None
    gap: bool = False
    history_same: bool | None = None
    version: str = ""


class Difference(Value):
    """What two policies decided differently in one pass about one subject.

    `was` is what was decided, `would` what the other policy decides; one of them may be missing.
    `first` is False once this subject has differed before: the recorded facts no longer fit.
    """

    number: int
    at: Instant
    wall: str
    subject: str
    was: Decision | None = None
    would: Decision | None = None
    first: bool = True


class Report(Value):
    """What a replay came to."""

    passes: int = 0
    decisions: int = 0
    compared: int = 0
    first: int = 0
    last: int = 0
    unlike: tuple[int, ...] = ()
    gaps: tuple[int, ...] = ()
    history_differs: tuple[int, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every recorded decision came out the same, and there was one to compare with."""
        return not self.unlike and not self.history_differs


class Starts(Protocol):
    """A recording that tells at which passes and times its groups begin."""

    def starts(self) -> list[tuple[int, float, float]]:
        """Return first pass, instant and wall time (seconds since 1970) of each group."""
        ...


def replay(
    recordings: Recordings, step: Step, *, first: int = 0, last: int | None = None
) -> Iterator[Replayed]:
    """Yield each pass from `first` to `last`, decided again.

    Starts at the nearest place before `first` that the recording holds a history for. After a gap (passes
    that could not be recorded) it takes up the history that the recording holds after it; and so it does
    where another version took over, and after a pass that came out otherwise, since the recorded world went
    on from what was decided then.

    Raises:
        UserError: there is nothing recorded (`nothing-recorded`).
    """
    expected, version, skipped = 0, __version__, ""
    for recorded, before, result in rerun(recordings, step, first, last):
        gap, expected = bool(expected) and recorded.number != expected, recorded.number + 1
        earlier, version = version, recorded.version or version
        if recorded.number < first:
            skipped = recorded.version or skipped
            continue
        told, skipped = recorded.version or skipped, ""
        inputs, was = recorded.inputs, recorded.result
        noted = recorded.before if earlier == version == __version__ else None
        yield Replayed(
            number=recorded.number,
            at=inputs.now,
            wall=inputs.facts.wall,
            decisions=result.decisions,
            recorded=None if was is None else was.decisions,
            same=None if was is None else encode(was.decisions) == encode(result.decisions),
            whole=None if was is None else encode(was) == encode(result),
            gap=gap,
            history_same=None if noted is None else encode(noted) == encode(before),
            version=told,
        )


def report(replayed: Iterable[Replayed]) -> Report:
    """Return the sum of a replay, taking its passes one by one."""
    sums = dict.fromkeys(("passes", "decisions", "compared", "first", "last"), 0)
    unlike: list[int] = []
    gaps: list[int] = []
    histories: list[int] = []
    versions: set[str] = set()
    for each in replayed:
        sums["first"] = sums["first"] or each.number
        sums["last"] = each.number
        sums["passes"] += 1
        sums["decisions"] += len(each.decisions)
        sums["compared"] += each.same is not None
        versions |= {each.version} - {""}
        for numbers, noted in (
            (unlike, each.same is False),
            (gaps, each.gap),
            (histories, each.history_same is False),
        ):
            if noted:
                numbers.append(each.number)
    lists = {"unlike": unlike, "gaps": gaps, "history_differs": histories, "versions": sorted(versions)}
    return msgspec.convert(sums | lists, type=Report)


def differences(
    recordings: Recordings, step: Step, policy: Policy, *, first: int = 0, last: int | None = None
) -> Iterator[Difference]:
    """Yield, pass by pass, what the other policy would have decided differently on the recorded facts.

    The policy is put in the place of the recorded one in the history at the start and in every `up` since.
    Its own actions are taken to have been accepted; what they would have changed is not in the facts.

    Raises:
        UserError: there is nothing recorded (`nothing-recorded`).
    """
    other, expected = History(), 0
    given: tuple[Outcome, ...] = ()
    differed: set[str] = set()
    stands_for: dict[str, str] = {}
    for recorded, before, was in rerun(recordings, step, first, last):
        if recorded.number != expected:
            other, given = _under(before, policy), ()
        expected = recorded.number + 1
        stands_for |= _digests(before, recorded.inputs, policy)
        inputs = _configured_under(recorded.inputs, stands_for)
        inputs = _inputs_under(inputs, policy, other, given)
        other, would = decide(step, other, inputs)
        own = {each.id for each in would.decisions} - {each.id for each in was.decisions}
        given = tuple(_accepted(each, inputs.now) for each in sorted(own))
        if recorded.number < first:
            continue
        for each in _compared(recorded, was, would):
            yield msgspec.structs.replace(each, first=each.subject not in differed)
            differed.add(each.subject)


def number_at(recordings: Starts, wall_s: float) -> int:
    """Return the first pass of the group that was being recorded at a wall time (seconds since 1970)."""
    earlier = [number for number, _, wall in recordings.starts() if wall <= wall_s]
    return earlier[-1] if earlier else 0


def rerun(
    recordings: Recordings, step: Step, first: int, last: int | None
) -> Iterator[tuple[Recorded, History, Result]]:
    """Yield each pass from the nearest start on, with the history before it and its result made again.

    Where another version took over, its history is taken up: it went on from what the one before remembered.
    """
    start = recordings.start(first)
    if start is None:
        raise UserError("nothing is recorded yet", code="nothing-recorded", mend="run `lamp up` first")
    expected, history = start
    version = ""
    for recorded in recordings.passes(first=expected, last=last):
        succeeded = version not in ("", recorded.version or version)
        if recorded.before is not None and (succeeded or recorded.number != expected):
            history = recorded.before
        version = recorded.version or version
        before = history
        history, result = decide(step, history, recorded.inputs)
        expected = recorded.number + 1
        yield recorded, before, result
        if recorded.result is not None and encode(recorded.result.decisions) != encode(result.decisions):
            history = recordings.after(recorded.number) or history


def _under(history: History, policy: Policy) -> History:
    if history.system is None:
        return history
    return canonical(msgspec.structs.replace(history, system=policy(history.system)))


def _inputs_under(inputs: Inputs, policy: Policy, history: History, given: tuple[Outcome, ...]) -> Inputs:
    """Return the inputs as the other policy would have had them: its spec, and its own actions' outcomes."""
    known = [each for each in inputs.outcomes if each.action in history.pending]
    intents = tuple(_intent_under(each, policy) for each in inputs.intents)
    return canonical(msgspec.structs.replace(inputs, intents=intents, outcomes=(*known, *given)))


def _digests(before: History, inputs: Inputs, policy: Policy) -> dict[str, str]:
    """Return for the digest of each recorded system the digest of what the policy makes of it."""
    asked = [each.system for each in inputs.intents if isinstance(each, Up)]
    systems = [*asked, *([before.system] if before.system is not None else [])]
    return {digest(each): digest(canonical(policy(each))) for each in systems}


def _configured_under(inputs: Inputs, stands_for: Mapping[str, str]) -> Inputs:
    """Take a target that was configured with a recorded system to be so with what the policy made of it."""
    configured = stands_for.get(inputs.facts.configured, inputs.facts.configured)
    facts = msgspec.structs.replace(inputs.facts, configured=configured)
    return msgspec.structs.replace(inputs, facts=facts)


def _intent_under(intent: Intent, policy: Policy) -> Intent:
    if isinstance(intent, Up):
        return msgspec.structs.replace(intent, system=policy(intent.system), basis="")
    return intent


def _accepted(action: str, now: Instant) -> Outcome:
    return Outcome(action=action, state="accepted", at=now, code="replay", detail="taken to be accepted")


def _compared(recorded: Recorded, was: Result, would: Result) -> Iterator[Difference]:
    """Yield where two results differ in what is done about a subject, whatever the reasons."""
    before = {each.subject: each for each in was.decisions}
    after = {each.subject: each for each in would.decisions}
    for subject in sorted(before.keys() | after.keys()):
        old, new = before.get(subject), after.get(subject)
        if _essence(old) != _essence(new):
            inputs = recorded.inputs
            yield Difference(
                number=recorded.number,
                at=inputs.now,
                wall=inputs.facts.wall,
                subject=subject,
                was=old,
                would=new,
            )


def _essence(decision: Decision | None) -> bytes:
    """Return what is done; a gateway set as the spec says is the same under any spec."""
    if decision is None:
        return b""
    action = decision.chosen.action
    return encode(("configure" if isinstance(action, Configure) else action, decision.state))
