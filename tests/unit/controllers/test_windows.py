"""Windows: what the load needs, told in two ways: as `load` does, and slice by slice from a timeline."""

from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lamplighter.controllers.load import Demand, asked, before, demand, heard, horizon, needed, quiet
from lamplighter.model.facts import Load
from lamplighter.model.history import History, Sample
from lamplighter.model.system import Resources, Scale
from lamplighter.testing.builders import service

SLICE_S, NOW = 0.5, 120.0
WINDOW_S, PANIC_S, PARTS = 60.0, 6.0, 6
SERVICE = replace(service("web", (1, 9)), scale=Scale(on="in_flight", goal=1.0))

SPANS = st.lists(
    st.tuples(st.integers(1, 30), st.one_of(st.none(), st.integers(0, 9)), st.integers(1, 2)),
    min_size=1,
    max_size=30,
)
Span = tuple[int, int | None, int]


def samples_of(spans: list[Span]) -> tuple[Sample, ...]:
    """Return samples that end now; each lasts so many slices and has so much in flight."""
    end, made = NOW, list[Sample]()
    for slices, in_flight, readings in spans:
        end -= slices * SLICE_S
        made.append(Sample(at=end, in_flight=in_flight, readings=0 if in_flight is None else readings))
    return tuple(reversed(made))


def slices(samples: tuple[Sample, ...], since: float) -> list[tuple[float, Sample]]:
    """Return the middle of each slice since then in which the load was known, and whose it is."""
    middles = [since + SLICE_S * (each + 0.5) for each in range(round((NOW - since) / SLICE_S))]
    held = ((middle, [each for each in samples if each.at <= middle]) for middle in middles)
    return [(at, there[-1]) for at, there in held if there and there[-1].in_flight is not None]


def mean(samples: tuple[Sample, ...], since: float) -> float | None:
    """Return the mean since then; None where fewer than two readings tell of it."""
    known = slices(samples, since)
    if sum(each.readings for each in {each.at: each for _, each in known}.values()) < 2:
        return None
    return sum(each.in_flight or 0 for _, each in known) / len(known)


def panic(samples: tuple[Sample, ...]) -> float | None:
    """Return the mean of the panic window, or of its last third where that is two fifths higher."""
    whole, last = mean(samples, NOW - PANIC_S), mean(samples, NOW - PANIC_S / 3)
    return last if last is not None and (whole is None or last > whole * 1.4) else whole


def calm(samples: tuple[Sample, ...]) -> float | None:
    """Return the highest mean of a part of the calm window, the one cut by its beginning being whole."""
    width_s = WINDOW_S / PARTS
    first = floor((NOW - WINDOW_S) / width_s)
    parts: dict[int, list[float]] = {}
    for at, each in slices(samples, first * width_s):
        parts.setdefault(floor(at / width_s), []).append(each.in_flight or 0.0)
    if any(number not in parts for number in range(first + 1, first + PARTS)):
        return None
    return max(sum(each) / len(each) for each in parts.values())


def near(one: float | None, other: float | None) -> bool:
    """Return whether two means are the same but for rounding, or both not known."""
    return one == other or (one is not None and other is not None and abs(one - other) < 1e-9)


@settings(max_examples=150, deadline=None)
@given(SPANS)
def test_windows_are_means_over_time(spans: list[Span]) -> None:
    """However long each reading held, and wherever the windows cut it."""
    samples = samples_of(spans)
    found = demand(samples, SERVICE, NOW)
    assert near(panic(samples), found.panic)
    assert near(calm(samples), found.calm)
    assert heard(samples, SERVICE, NOW) == (found.panic is not None)


@pytest.mark.parametrize(
    ("readings", "at", "passed_at", "needs"),
    [(1, 110.0, None, None), (1, 110.0, 119.0, 3.0), (1, 119.0, 119.0, None), (2, 110.0, None, 3.0)],
)
def test_load_that_stood_in_the_pass_before_was_read_twice(
    readings: int, at: float, passed_at: float | None, needs: float | None
) -> None:
    """One reading alone scales nothing; a load that has not changed since was there to be read again."""
    samples = (Sample(at=at, in_flight=3.0, readings=readings),)
    assert needs == demand(samples, SERVICE, NOW, passed_at).panic
    assert (needs is not None) == heard(samples, SERVICE, NOW, passed_at)


def test_only_the_newest_can_have_been_read_again() -> None:
    """An older one has ended: it was read as often as it says."""
    samples = (Sample(at=115.0, in_flight=3.0), Sample(at=117.0, readings=0))
    assert Demand(None, None) == demand(samples, SERVICE, NOW, 119.0)


def test_no_window_looks_further_than_its_parts() -> None:
    """A calm window, and one part more since parts count whole."""
    assert 50.0 == horizon(Scale(window_s=60.0), NOW)


@pytest.mark.parametrize(("passes", "at"), [((), None), ((3.0,), None), ((2.0, 3.0), 2.0)])
def test_pass_before_is_the_last_but_one_that_was_heard(passes: tuple[float, ...], at: float | None) -> None:
    """This pass's own facts are in the history already."""
    assert at == before(History(heard=passes))


@pytest.mark.parametrize(
    ("load", "requests", "is_quiet"),
    [
        (None, None, False),
        (Load(), None, False),
        (Load(queued=0), None, False),
        (Load(queued=2), 2, False),
        (Load(in_flight=0), 0, False),
        (Load(in_flight=0, rate_per_s=0.0), 0, True),
        (Load(in_flight=0, queued=0, rate_per_s=0.0), 0, True),
        (Load(in_flight=0, queued=1, rate_per_s=0.0), 1, False),
        (Load(in_flight=3, queued=2, rate_per_s=0.0), 5, False),
        (Load(in_flight=0, rate_per_s=0.5), 0, False),
    ],
)
def test_what_is_asked_and_what_is_quiet(load: Load | None, requests: int | None, *, is_quiet: bool) -> None:
    """What waits is asked too, and is known even where nothing else is; quiet is known to be so."""
    assert (requests, is_quiet) == (asked(load), quiet(load))


@pytest.mark.parametrize(
    ("on", "sample", "cpu", "needs"),
    [
        ("in_flight", Sample(at=0.0, in_flight=6.0), 0.0, 3.0),
        ("rate", Sample(at=0.0, rate_per_s=6.0), 0.0, 3.0),
        ("cpu", Sample(at=0.0, cpu=6.0), 0.0, 3.0),
        ("cpu", Sample(at=0.0, cpu=6.0), 0.5, 6.0),
        ("latency", Sample(at=0.0, latency_p99_s=6.0, ready=2.0), 0.0, 6.0),
        ("latency", Sample(at=0.0, latency_p99_s=6.0), 0.0, None),
        ("latency", Sample(at=0.0, ready=2.0), 0.0, None),
        ("in_flight", Sample(at=0.0, rate_per_s=6.0), 0.0, None),
        ("rate", Sample(at=0.0, in_flight=6.0), 0.0, None),
        ("cpu", Sample(at=0.0, in_flight=6.0), 0.0, None),
    ],
)
def test_need_of_one_sample(on: str, sample: Sample, cpu: float, needs: float | None) -> None:
    """By what is followed, for a goal of two; None where that is not known."""
    assert needs == needed(sample, Scale(on=on, goal=2.0), Resources(cpu=cpu))  # type: ignore[arg-type]
