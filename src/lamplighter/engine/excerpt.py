"""An excerpt of a recording: some passes of it, without what is private, that replays as the whole did.

Taking private values out changes digests (of the spec, and so of facts and actions), so each pass is decided
twice, as it was and without them, and what refers to the one is made to refer to the other. An excerpt that
decides anything otherwise is refused: it would be no record of what happened. Pure but for what it is given.
"""

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

from lamplighter.engine.canonical import canonical
from lamplighter.engine.deciding import Step, decide
from lamplighter.engine.private import private_free
from lamplighter.engine.replay import rerun
from lamplighter.model.decisions import Decision
from lamplighter.model.errors import UserError
from lamplighter.model.history import History
from lamplighter.model.intents import Intent, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Value, digest, encode
from lamplighter.ports import Recordings

V = TypeVar("V", bound=Value)


class Writer(Protocol):
    """A recording that takes passes under the numbers that they had."""

    def begin(self, number: int, version: str) -> None:
        """Let the next pass have this number and stand on its own; a version decided from there on."""
        ...

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass."""
        ...


class Excerpt(Value):
    """What was written: which passes, how many, and how many decisions in them."""

    first: int = 0
    last: int = 0
    passes: int = 0
    decisions: int = 0


@dataclass(slots=True)
class _Names:
    """Ids and digests as they were, and as they are without the private parts."""

    key: bytes
    known: dict[str, str] = field(default_factory=dict)

    def free(self, value: V) -> V:
        return canonical(private_free(value, self.known, self.key))

    def systems(self, history: History, intents: tuple[Intent, ...]) -> None:
        """Learn the digests of the specs that are in force or asked for."""
        asked = [each.system for each in intents if isinstance(each, Up)]
        for system in (*asked, *([history.system] if history.system else [])):
            self.known[digest(system)] = digest(self.free(system))

    def decisions(self, was: tuple[Decision, ...], now: tuple[Decision, ...]) -> None:
        """Learn the ids and bases of decisions that were made twice."""
        for old, new in zip(was, now, strict=False):
            self.known |= {old.id: new.id, old.basis: new.basis}


def excerpt(
    recordings: Recordings, step: Step, writer: Writer, key: bytes, *, first: int = 0, last: int | None = None
) -> Excerpt:
    """Write passes `first` to `last` without what is private.

    Args:
        recordings: the whole.
        step: decides, as it did.
        writer: takes them.
        key: by chance, and to be forgotten: what stands for private values is made with it.
        first: the first pass.
        last: the last pass; None for the newest.

    Raises:
        UserError: there is nothing recorded (`nothing-recorded`), or a pass would decide otherwise without
            what is private (`not-exported`).
    """
    names, version, told = _Names(key), "", Excerpt()
    for recorded, before, result in rerun(recordings, step, first, last):
        version = recorded.version or version
        names.systems(before, recorded.inputs.intents)
        was = recorded.result or result
        inputs, history = names.free(_unfenced(recorded.inputs, was)), names.free(before)
        after, now = decide(step, history, inputs)
        names.decisions(result.decisions, now.decisions)
        if encode(names.free(result).decisions) != encode(now.decisions):
            raise _otherwise(recorded.number)
        if recorded.number < first:
            continue
        if encode(was.decisions) != encode(result.decisions):
            after = names.free(recordings.after(recorded.number) or after)
        if not told.passes or recorded.before is not None:
            writer.begin(recorded.number, version)
        writer.write(inputs, names.free(was), before=history, after=after)
        told = _told(told, recorded.number, len(was.decisions))
    return told


def _told(before: Excerpt, number: int, decisions: int) -> Excerpt:
    return Excerpt(
        first=before.first or number,
        last=number,
        passes=before.passes + 1,
        decisions=before.decisions + decisions,
    )


def _unfenced(inputs: Inputs, result: Result) -> Inputs:
    """Let an accepted plan pass: the digest of its facts is another without what is private."""
    accepted = {each.intent for each in result.answers if each.accepted}
    intents = tuple(
        msgspec.structs.replace(each, basis="") if isinstance(each, Up) and each.id in accepted else each
        for each in inputs.intents
    )
    return msgspec.structs.replace(inputs, intents=intents)


def _otherwise(number: int) -> UserError:
    return UserError(
        f"pass {number} would decide otherwise without what is private",
        code="not-exported",
        mend="export passes before or after it: --from, --to",
    )
