"""What is canonical already: told by its columns, so that it costs no way through its encoding."""

import pytest
from msgspec.structs import replace

from lamplighter.engine import canonical as module
from lamplighter.engine.canonical import (
    _plain,
    _plain_reals,
    _plain_text,
    _plain_wholes,
    canonical,
    canonical_facts,
    canonical_history,
)
from lamplighter.model.facts import Exit, Facts, Load, Phase, Replica
from lamplighter.model.history import History, Sample, WorkloadHistory


def replica(number: int, **changes: object) -> Replica:
    """Return a replica that serves."""
    plain = Replica(id=f"w-{number}", workload="w", release="r", phase=Phase.RUNNING, started_at=1.5)
    return replace(plain, **{"ready": True, "in_flight": number, "cpu": 0.5, **changes})


@pytest.mark.parametrize(
    ("column", "plain"),
    [
        ([0.0, 1.5], True),
        ([None, 0.0], True),
        ([None], True),
        ([-2.5, 3.0], True),
        ([1.5, -0.0], False),
        ([0.0, -0.0], False),
        ([1.5, float("nan")], False),
        ([float("inf")], False),
        ([1, 1.5], False),
        ([True], False),
    ],
)
def test_plain_fractions(column: list[object], *, plain: bool) -> None:
    """Floats or nothing, neither infinite nor a negative zero."""
    assert plain == _plain_reals(column)


@pytest.mark.parametrize(
    ("column", "plain"),
    [
        ([0, -1, 7], True),
        ([None, 3], True),
        ([None], True),
        ([2**63 - 1, -(2**63)], True),
        ([2**63], False),
        ([-(2**63) - 1], False),
        ([None, 2**63], False),
        ([1.0], False),
        ([True], False),
    ],
)
def test_plain_whole_numbers(column: list[object], *, plain: bool) -> None:
    """Whole numbers of 64 bits, or nothing."""
    assert plain == _plain_wholes(column)


@pytest.mark.parametrize(("column", "plain"), [(["a", ""], True), (["a", "ü"], False), (["a", None], False)])
def test_plain_text(column: list[object], *, plain: bool) -> None:
    """ASCII needs no look at what its encoding would make of it."""
    assert plain == _plain_text(column)


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"ready": None, "in_flight": None, "cpu": None}, True),
        ({"draining_since": 2.0, "memory_bytes": 7, "pid": 9}, True),
        ({"phase": "running"}, False),
        ({"started_at": 2}, False),
        ({"ready": 1}, False),
        ({"exit": Exit(at=3.0)}, False),
        ({"id": "ü"}, False),
        ({"workload": "ü"}, False),
        ({"release": "ü"}, False),
        ({"detail": "ü"}, False),
        ({"draining_since": 4}, False),
        ({"cpu": 1}, False),
        ({"in_flight": 1.0}, False),
        ({"pid": 1.0}, False),
        ({"memory_bytes": 2**63}, False),
    ],
)
def test_replicas_that_are_plain(changes: dict[str, object], *, plain: bool) -> None:
    """One odd value anywhere, and all go through their encoding."""
    assert plain == _plain((replica(1), replica(2, **changes)))


def encoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that gets the kind of whatever goes through its encoding from here on."""
    kinds: list[object] = []
    through = module._through

    def watched(value: object, kind: object) -> object:
        kinds.append(kind)
        return through(value, kind)

    monkeypatch.setattr(module, "_through", watched)
    return kinds


def test_history_of_which_only_loads_were_noted_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are made in canonical form; what else changed goes through its encoding, and only that."""
    before = canonical(History(workloads={f"w{n}": WorkloadHistory(ordinal=n) for n in range(3)}))
    loaded = replace(before.workloads["w1"], samples=(Sample(at=1.0, in_flight=2.0),))
    after = replace(before, workloads={**before.workloads, "w1": loaded})
    kinds = encoded(monkeypatch)
    made = canonical_history(after, before)
    assert [History] == kinds
    assert loaded is made.workloads["w1"]
    more = replace(after, workloads={**after.workloads, "w2": WorkloadHistory(ordinal=9)})
    canonical_history(more, before)
    assert [History, History, dict[str, WorkloadHistory]] == kinds


def test_facts_that_are_plain_cost_no_encoding_of_their_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large site that changes is taken as its target gave it."""
    last = canonical_facts(Facts(at=1.0, replicas=tuple(map(replica, range(5)))), None)
    kinds = encoded(monkeypatch)
    busy = replace(last.replicas[2], in_flight=9)
    canonical_facts(replace(last, replicas=(*last.replicas[:2], busy, *last.replicas[3:])), last)
    assert [Facts] == kinds


CHANGES = {
    "one": lambda all_of: (*all_of[:2], *[replace(each, in_flight=9) for each in all_of[2:3]], *all_of[3:]),
    "two": lambda all_of: (
        *[replace(each, cpu=1) for each in all_of[:1]],
        *all_of[1:4],
        *[replace(each, detail="ü") for each in all_of[4:]],
    ),
    "all": lambda all_of: tuple(replace(each, in_flight=8) for each in all_of),
    "equal": lambda all_of: tuple(replace(each) for each in all_of),
    "gone": lambda all_of: (*all_of[:1], *all_of[3:]),
    "come": lambda all_of: (*all_of, replica(9)),
    "first": lambda all_of: (replica(9, started_at=2), *all_of),
    "turned": lambda all_of: tuple(reversed(all_of)),
    "none": lambda _all_of: (),
}


@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("second", CHANGES)
@pytest.mark.parametrize("own", [False, True])
def test_site_that_changes_twice_is_as_encoded_and_keeps_what_stayed(
    first: str, second: str, *, own: bool
) -> None:
    """Whether a target gives its own objects or the loop's back: equal ones are those from before."""
    given = tuple(map(replica, range(5)))
    last = canonical_facts(Facts(at=1.0, replicas=given), None)
    for at, name in ((2.0, first), (3.0, second)):
        given = CHANGES[name](last.replicas if own else given)
        made = canonical_facts(Facts(at=at, replicas=given), last)
        assert repr(canonical(Facts(at=at, replicas=given))) == repr(made)
        known = {each.id: each for each in last.replicas}
        assert all(each is known[each.id] for each in made.replicas if each == known.get(each.id))
        last = made
    assert canonical_facts(Facts(at=4.0, replicas=tuple(map(replace, given))), last).replicas == last.replicas


@pytest.mark.parametrize(
    "later",
    [
        {},
        {"a": Load(in_flight=1)},
        {"a": Load(in_flight=2), "b": Load(in_flight=1)},
        {"b": Load(in_flight=1), "a": Load(in_flight=1)},
        {"a": Load(rate_per_s=1), "b": Load(in_flight=1)},  # type: ignore[arg-type]
        {"0": Load(in_flight=7), "a": Load(in_flight=1), "b": Load(in_flight=1)},
        {"b": Load(in_flight=1), "c": Load(cpu=-0.0)},
    ],
)
def test_loads_are_as_encoded_and_keep_what_stayed(later: dict[str, Load]) -> None:
    """In the order of their names, whoever came, went or changed."""
    last = canonical_facts(Facts(at=1.0, loads={"a": Load(in_flight=1), "b": Load(in_flight=1)}), None)
    made = canonical_facts(Facts(at=2.0, loads=later), last)
    assert repr(canonical(Facts(at=2.0, loads=later))) == repr(made)
    assert all(each is last.loads[name] for name, each in made.loads.items() if each == last.loads.get(name))


def test_history_that_a_pass_left_alone_is_the_same_one() -> None:
    """Nothing of it is made anew."""
    history = canonical(History(acts=3))
    assert history is canonical_history(history, history)


def test_target_is_compared_with_what_it_gave_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own objects tell what did not change, though others stand for them here."""
    compared: list[object] = []
    places = module.changed_places

    def watched(old: tuple[Replica, ...], new: tuple[Replica, ...]) -> list[int] | None:
        compared.append(old)
        return places(old, new)

    monkeypatch.setattr(module, "changed_places", watched)
    odd = Facts(at=1.0, replicas=(replica(1, detail="ü"), replica(2)))
    last = canonical_facts(odd, None)
    again = canonical_facts(replace(odd, at=2.0), last)
    assert odd.replicas is compared[-1]
    assert last.replicas is again.replicas
    canonical_facts(replace(odd, at=3.0), last)
    assert last.replicas is compared[-1]
