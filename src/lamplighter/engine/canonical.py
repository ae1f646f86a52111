"""Canonical form: a value as a recording gives it back, whoever made it.

Numbers have their declared type, keys are in order, and there is no NaN and no negative zero. What has not
changed since the value before stays the very object that it was there: so canonical form costs what
changed, and whoever comes after can tell by identity what did. Pure.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from math import copysign, isfinite
from operator import attrgetter, is_, is_not
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from lamplighter.model.changes import at, changed_places, columns, differing, note_places
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import Facts, Load, Phase, Replica
from lamplighter.model.history import Acted, Closed, History, Pending, WorkloadHistory
from lamplighter.model.passes import Inputs
from lamplighter.model.value import Value, encode

V = TypeVar("V", bound=Value)
T = TypeVar("T")

INT_MAX = 2**63
NO_FACTS = Facts(at=0.0)

_NEGATIVE_ZERO = re.compile(rb"(?<=[:\[,])-0\.0(?=[,\]}])")
_TEXT = ("id", "workload", "release", "detail")
_REALS = ("started_at", "draining_since", "cpu")
_WHOLES = ("in_flight", "pid", "memory_bytes")
_ABSENT = type(None)
_ID = attrgetter("id")
_KINDS: dict[str, set[type]] = {
    "phase": {Phase},
    "started_at": {float},
    "ready": {bool, _ABSENT},
    "exit": {_ABSENT},
}
_BUT_SAMPLES = attrgetter(*(each for each in WorkloadHistory.__struct_fields__ if each != "samples"))


def canonical(value: V) -> V:
    """Return the value as a recording gives it back, all of it made anew.

    Raises:
        msgspec.ValidationError: it holds what its type does not allow (a NaN, say).
    """
    made: V = _through(value, type(value))
    return made


def canonical_inputs(inputs: Inputs) -> Inputs:
    """Return inputs in canonical form, whose facts are so already."""
    return replace(canonical(replace(inputs, facts=NO_FACTS)), facts=inputs.facts)


def canonical_facts(facts: Facts, last: Facts | None) -> Facts:
    """Return facts in canonical form; replicas, loads and shares that are as they were are the `last` ones.

    Args:
        facts: as a target gave them.
        last: facts in canonical form, of a moment ago.
    """
    last = last or NO_FACTS
    given = _GIVEN[0][1] if _GIVEN and _GIVEN[0][0] is last else last
    others = canonical(replace(facts, replicas=(), loads={}, shares={}))
    made = replace(
        others,
        replicas=_replicas(facts.replicas, given.replicas, last.replicas),
        loads=_kept(facts.loads, given.loads, last.loads, Load),
        shares=_kept(facts.shares, given.shares, last.shares, dict[str, float]),
    )
    _GIVEN[:] = [(made, facts)]
    return made


_GIVEN: list[tuple[Facts, Facts]] = []
"""The newest facts in canonical form, and as a target gave them: its objects tell what did not change."""


def canonical_history(history: History, before: History) -> History:
    """Return a history in canonical form; what is the same as in the one `before` stays that object.

    Args:
        history: as a step made it from `before`.
        before: in canonical form.
    """
    if history is before:
        return history
    others = canonical(replace(history, system=None, workloads={}, pending={}, asked={}, acted=(), closed=()))
    system = history.system
    return replace(
        others,
        system=system if system is None or system is before.system else canonical(system),
        workloads=_changed(history.workloads, before.workloads, WorkloadHistory, _noted),
        pending=_changed(history.pending, before.pending, Pending),
        asked=_changed(history.asked, before.asked, Decision),
        acted=_lengthened(history.acted, before.acted, Acted),
        closed=_lengthened(history.closed, before.closed, Closed),
    )


def _through(value: Any, kind: Any) -> Any:
    """Bring a value through its encoding."""
    raw = encode(value)
    if b"-0.0" in raw:
        raw = _NEGATIVE_ZERO.sub(b"0.0", raw)
    return msgspec.json.decode(raw, type=kind)


def _kept(new: dict[str, T], given: dict[str, T], old: dict[str, T], kind: Any) -> dict[str, T]:
    """Return `new` in canonical form, with the values of `old` wherever they are equal.

    Args:
        new: as a target gave it.
        given: as it gave `old`, if that is known.
        old: in canonical form.
        kind: the type of its values.
    """
    if new is given and len(given) == len(old):
        return old
    fresh = {name: new[name] for name in differing(given, new) if old.get(name) != new[name]}
    if not fresh and len(new) == len(old):
        return old
    return _merged(new, old, _through(fresh, dict[str, kind]) if fresh else {})


def _changed(
    new: dict[str, V], old: dict[str, V], kind: type[V], as_it_is: Callable[[V, V], bool] | None = None
) -> dict[str, V]:
    """Return `new`, whose values are those of `old`, are canonical `as_it_is`, or are made so."""
    if new is old:
        return old
    fresh = {name: new[name] for name in differing(old, new)}
    if not fresh and len(new) == len(old):
        return old
    made = {}
    if as_it_is is not None:
        made = {name: each for name, each in fresh.items() if (was := old.get(name)) and as_it_is(each, was)}
    rest = {name: each for name, each in fresh.items() if name not in made} if made else fresh
    if rest:
        made.update(_through(rest, dict[str, kind]))  # type: ignore[valid-type]
    return _merged(new, old, made)


def _noted(memory: WorkloadHistory, before: WorkloadHistory) -> bool:
    """Return whether only a load was noted: samples are made in canonical form."""
    return all(map(is_, _BUT_SAMPLES(memory), _BUT_SAMPLES(before)))


def _merged(new: dict[str, T], old: dict[str, T], fresh: dict[str, T]) -> dict[str, T]:
    """Return `new` with its fresh values in place, its keys in order."""
    if len(new) == len(old) and fresh.keys() <= old.keys():
        return {**old, **fresh}
    return {name: fresh[name] if name in fresh else old[name] for name in sorted(new)}


def _lengthened(new: tuple[V, ...], old: tuple[V, ...], kind: type[V]) -> tuple[V, ...]:
    """Return `new`, which consists of values of `old` and some more."""
    if new is old or not new:
        return new
    known = set(map(id, old))
    fresh = [each for each in new if id(each) not in known]
    if not fresh:
        return new
    made = iter(_through(fresh, list[kind]))  # type: ignore[valid-type]
    return tuple(each if id(each) in known else next(made) for each in new)


# --- replicas


def _replicas(
    new: tuple[Replica, ...], given: tuple[Replica, ...], old: tuple[Replica, ...]
) -> tuple[Replica, ...]:
    """Return `new` in canonical form, with the very objects of `old` for those that are equal.

    Args:
        new: as a target gave them.
        given: as it gave `old`, if that is known.
        old: in canonical form.
    """
    places = changed_places(given, new)
    if places is None:
        listed = dict(zip(map(_ID, old), old, strict=True))
        return _as_given(tuple(_made([listed.get(each.id) for each in new], new)), new)
    if not places:
        return old
    before, after = at(old, places), at(new, places)
    made = list(_made(before, after))
    differ = list(compress(places, map(is_not, before, made)))
    if not differ:
        return old
    if given is old and all(map(is_, made, after)):
        kept = new
    elif len(places) == len(new):
        kept = _as_given(tuple(made), new)
    else:
        again = list(old)
        for place, each in zip(places, made, strict=True):
            again[place] = each
        kept = _as_given(tuple(again), new)
    note_places(old, kept, differ)
    return kept


def _as_given(made: tuple[Replica, ...], new: tuple[Replica, ...]) -> tuple[Replica, ...]:
    """Return the tuple that the target gave, if it holds these very objects: the next one then costs less."""
    return new if all(map(is_, made, new)) else made


def _made(known: Sequence[Replica | None], new: tuple[Replica, ...]) -> Iterator[Replica]:
    """Yield each of `new` in canonical form; the one that is `known` for it, if it is equal."""
    kept = [was if was is now or was == now else None for was, now in zip(known, new, strict=True)]
    fresh = tuple([now for was, now in zip(kept, new, strict=True) if was is None])
    fresh = new if len(fresh) == len(new) else fresh
    made = iter(fresh if _plain(fresh) else _through(fresh, list[Replica]) if fresh else ())
    for each in kept:
        yield next(made) if each is None else each


def _plain(replicas: tuple[Replica, ...]) -> bool:
    """Return whether all of them are surely canonical already, seen column by column."""
    seen = columns(replicas)
    for name, kinds in _KINDS.items():
        if not {*map(type, seen[name])} <= kinds:
            return False
    return (
        all(_plain_text(seen[each]) for each in _TEXT)
        and all(_plain_reals(seen[each]) for each in _REALS)
        and all(_plain_wholes(seen[each]) for each in _WHOLES)
    )


def _plain_text(column: list[Any]) -> bool:
    return {*map(type, column)} == {str} and all(map(str.isascii, column))


def _plain_reals(column: list[Any]) -> bool:
    kinds = {*map(type, column)}
    if not kinds <= {float, _ABSENT}:
        return False
    known = [each for each in column if each is not None] if _ABSENT in kinds else column
    if not isfinite(sum(known)):
        return False
    return 0.0 not in known or all(copysign(1.0, each) > 0 for each in known if not each)


def _plain_wholes(column: list[Any]) -> bool:
    kinds = {*map(type, column)}
    if not kinds <= {int, _ABSENT}:
        return False
    known = [each for each in column if each is not None] if _ABSENT in kinds else column
    return not known or -INT_MAX <= min(known) <= max(known) < INT_MAX
