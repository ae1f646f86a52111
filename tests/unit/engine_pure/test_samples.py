"""Samples: how a reading of the load is noted, in steps, at each bound and just beside it."""

import pytest
from msgspec.structs import replace

from lamplighter.engine.samples import Heard, Samples, continued, reading, sampled
from lamplighter.model.facts import Load
from lamplighter.model.history import Sample
from lamplighter.model.system import Scale
from lamplighter.testing.builders import NOW, facts, hung, service, survey, up

LIKE = Scale(on="in_flight", goal=10.0, window_s=60.0, panic_window_s=6.0)
"""Fine parts of a second, coarse ones of ten; nothing older than seventy seconds is looked at."""
WEB = service("web", (1, 9), scale=LIKE)


def held(at: float, in_flight: float, readings: int = 2) -> Sample:
    """Return a load from an instant on."""
    return Sample(at=at, in_flight=in_flight, readings=readings)


def unheard(at: float) -> Sample:
    """Return that nothing is known from an instant on."""
    return Sample(at=at, readings=0)


def noted(samples: Samples, load: int | None, heard: Heard = (NOW - 2, NOW - 1)) -> Samples:
    """Return the samples with a reading of so many in flight folded in (None: not known)."""
    seen = facts(at=NOW, web=[up])
    loads = {} if load is None else {"web": Load(in_flight=load)}
    return sampled(samples, WEB, survey(replace(seen, loads=loads)), heard)


@pytest.mark.parametrize(
    ("on", "load", "read"),
    [
        ("in_flight", Load(in_flight=3, rate_per_s=9.0), Sample(at=0.0, in_flight=3.0)),
        ("in_flight", Load(in_flight=3, queued=4), Sample(at=0.0, in_flight=7.0)),
        ("in_flight", Load(queued=4), Sample(at=0.0)),
        ("rate", Load(in_flight=3, rate_per_s=9.0), Sample(at=0.0, rate_per_s=9.0)),
        ("cpu", Load(in_flight=3, cpu=0.5), Sample(at=0.0, cpu=0.5)),
        ("latency", Load(in_flight=3, latency_p99_s=0.2), Sample(at=0.0, latency_p99_s=0.2, ready=2.0)),
        ("latency", None, Sample(at=0.0, readings=0)),
    ],
)
def test_only_what_is_followed_is_read(on: str, load: Load | None, read: Sample) -> None:
    """Requests that wait count among those in flight; where latency is followed, so do those that serve."""
    scale = replace(LIKE, on=on)
    seen = replace(facts(web=[up, up, hung]), loads={"web": load} if load else {})
    assert read == reading(replace(WEB, scale=scale), scale, survey(seen))


@pytest.mark.parametrize(
    ("heard", "follows"), [((), False), ((NOW - 5.0,), True), ((NOW - 5.1,), False), ((0.0, NOW - 1), True)]
)
def test_pass_follows_on_one_whose_facts_still_counted_as_known(heard: Heard, *, follows: bool) -> None:
    """Five seconds, and only the last one counts."""
    assert follows == continued(heard, NOW)


@pytest.mark.parametrize(
    ("samples", "load", "heard"),
    [
        ((), None, (NOW - 1,)),
        ((), None, ()),
        ((held(9.0, 3.0),), 3, (NOW - 2, NOW - 1)),
        ((unheard(9.0),), None, (NOW - 1,)),
        ((unheard(9.0),), None, (NOW - 20,)),
        ((unheard(9.0),), None, ()),
        ((held(NOW - 2.0, 3.0),), 3, ()),
        ((held(NOW - 2.0, 3.0),), None, ()),
        ((held(9.0, 3.0),), 7, (NOW,)),
        ((held(9.0, 3.0),), 7, (NOW + 1,)),
    ],
)
def test_what_stays_as_it_was_adds_nothing(samples: Samples, load: int | None, heard: Heard) -> None:
    """Nor does a pass at an instant that was read already, or what is not known where nothing was."""
    assert samples is noted(samples, load, heard)


def test_nothing_is_noted_of_what_is_not_followed() -> None:
    """A fixed number of replicas has no samples."""
    kept = (held(9.0, 3.0),)
    assert kept is sampled(kept, replace(WEB, scale=None), survey(facts(web=[up])), (NOW - 1,))


@pytest.mark.parametrize("field", ["in_flight", "rate_per_s", "latency_p99_s", "cpu", "ready"])
def test_any_followed_value_that_changes_is_a_new_sample(field: str) -> None:
    """Whichever it is, beside others that stayed."""
    on = {"rate_per_s": "rate", "latency_p99_s": "latency", "cpu": "cpu", "ready": "latency"}
    web = replace(WEB, scale=replace(LIKE, on=on.get(field, "in_flight")))
    seen = facts(web=[up, up])
    load = Load(in_flight=2, rate_per_s=2.0, latency_p99_s=2.0, cpu=2.0)
    assert web.scale is not None
    read = reading(web, web.scale, survey(replace(seen, loads={"web": load})))
    before = replace(read, **{"at": 9.0, field: 3.0})
    after = sampled((before,), web, survey(replace(seen, loads={"web": load})), (NOW - 2, NOW - 1))
    assert replace(read, at=NOW - 1) == after[-1]


@pytest.mark.parametrize(
    ("samples", "load", "heard", "after"),
    [
        ((), 5, (NOW - 1,), (held(59.0, 5.0, 1),)),
        ((held(9.0, 3.0),), 5, (58.0, 59.0), (held(9.0, 3.0), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0),), None, (58.0, 59.0), (held(9.0, 3.0), unheard(59.0))),
        ((unheard(9.0),), 5, (58.0, 59.0), (unheard(9.0), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0, 1),), 5, (58.0, 59.0), (held(9.0, 3.0, 2), held(59.0, 5.0, 1))),
        ((held(58.0, 3.0, 1),), 5, (58.0, 59.0), (held(58.0, 3.0, 1), held(59.0, 5.0, 1))),
        ((held(57.9, 3.0, 1),), 5, (58.0, 59.0), (held(57.9, 3.0, 2), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0, 1),), 5, (59.0,), (held(9.0, 3.0, 1), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0, 7),), 5, (58.0, 59.0), (held(9.0, 3.0, 7), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0), held(59.0, 4.0)), 5, (59.0,), (held(9.0, 3.0), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0), held(59.5, 4.0)), 5, (59.0,), (held(9.0, 3.0), held(59.5, 5.0, 1))),
    ],
)
def test_reading_stands_from_the_pass_before(
    samples: Samples, load: int | None, heard: Heard, after: Samples
) -> None:
    """It ends the last one, read twice if a pass saw it stand; at the same instant it replaces it."""
    assert after == noted(samples, load, heard)


@pytest.mark.parametrize(
    ("samples", "load", "heard", "after"),
    [
        ((), 5, (40.0,), (held(59.0, 5.0, 1),)),
        ((), 5, (), (held(59.0, 5.0, 1),)),
        ((held(9.0, 3.0),), 5, (40.0,), (held(9.0, 3.0), unheard(40.0), held(59.0, 5.0, 1))),
        ((held(9.0, 3.0),), 3, (40.0,), (held(9.0, 3.0), unheard(40.0), held(59.0, 3.0, 1))),
        ((held(9.0, 3.0),), None, (40.0,), (held(9.0, 3.0), unheard(40.0))),
        ((held(9.0, 3.0), held(30.0, 4.0)), None, (), (held(9.0, 3.0), held(30.0, 4.0), unheard(31.0))),
        ((held(9.0, 3.0), held(58.0, 4.0)), 5, (), (held(9.0, 3.0), held(58.0, 4.0), held(59.0, 5.0, 1))),
        ((held(57.9, 4.0),), 4, (), (held(57.9, 4.0), unheard(58.9), held(59.0, 4.0, 1))),
        ((unheard(9.0),), 5, (40.0,), (unheard(9.0), held(59.0, 5.0, 1))),
    ],
)
def test_of_a_time_in_which_nobody_looked_nothing_is_known(
    samples: Samples, load: int | None, heard: Heard, after: Samples
) -> None:
    """From the last pass on, or a second after the last sample where there is none, until a second ago."""
    assert after == noted(samples, load, heard)


@pytest.mark.parametrize(
    ("samples", "after"),
    [
        ((held(50.0, 1.0), held(58.0, 2.0), held(58.75, 6.0)), (held(50.0, 1.0), held(58.0, 3.0, 4))),
        (
            (held(50.0, 1.0), held(57.9, 2.0), held(58.75, 6.0)),
            (held(50.0, 1.0), held(57.9, 2.0), held(58.75, 6.0)),
        ),
        ((held(58.0, 2.0), held(58.75, 6.0)), (held(58.0, 3.0, 4),)),
        ((held(58.0, 2.0), unheard(58.5)), (held(58.0, 2.0),)),
        ((unheard(58.0), held(58.5, 2.0)), (held(58.0, 2.0),)),
    ],
)
def test_what_ends_within_one_fine_part_is_one_sample(samples: Samples, after: Samples) -> None:
    """Each weighs as long as it held; what only one of them knows is known."""
    assert (*after, held(59.0, 5.0, 1)) == noted(samples, 5, (58.9, 59.0))


@pytest.mark.parametrize(
    "samples",
    [
        (held(50.2, 1.0), unheard(50.5)),
        (held(30.0, 1.0), unheard(34.0), held(45.0, 5.0), held(55.0, 6.0)),
    ],
)
def test_load_that_is_not_known_any_more_is_not_taken_to_go_on(samples: Samples) -> None:
    """However soon after the last reading its source fell silent: the silence stays one."""
    assert samples == noted(samples, 5, (58.9, 59.0))[: len(samples)]


@pytest.mark.parametrize(
    ("samples", "after"),
    [
        ((held(40.0, 1.0), held(44.0, 3.0), held(54.0, 5.0)), (held(40.0, 17 / 7, 4), held(54.0, 5.0))),
        ((held(40.0, 1.0), held(44.0, 3.0), held(54.1, 5.0)), None),
        ((held(39.9, 1.0), held(44.0, 3.0), held(54.0, 5.0)), None),
        ((held(40.0, 1.0), held(50.0, 3.0), held(54.0, 5.0)), None),
        (
            (held(40.0, 1.0), held(44.0, 3.0), held(48.0, 5.0), held(52.0, 7.0)),
            (held(40.0, 1.0), held(44.0, 4.0, 4), held(52.0, 7.0)),
        ),
        (
            (held(40.0, 1.0), held(44.0, 3.0), held(48.0, 5.0), held(56.0, 7.0), held(57.0, 8.0)),
            (held(40.0, 2.0, 4), held(48.0, 5.0), held(56.0, 7.0), held(57.0, 8.0)),
        ),
        (
            (held(40.0, 1.0), held(44.0, 3.0), held(48.0, 5.0), held(54.0, 7.0), held(57.0, 8.0)),
            (held(40.0, 1.0), held(44.0, 4.2, 4), held(54.0, 7.0), held(57.0, 8.0)),
        ),
    ],
)
def test_what_the_panic_window_has_left_becomes_coarse(samples: Samples, after: Samples | None) -> None:
    """The newest two that ended before it, if of one part of ten seconds; None: nothing is joined."""
    expected = samples if after is None else after
    found = noted(samples, 9)
    assert [each.in_flight for each in (*expected, held(59.0, 9.0))] == pytest.approx(
        [each.in_flight for each in found]
    )
    assert [(each.at, each.readings) for each in expected] == [
        (each.at, each.readings) for each in found[:-1]
    ]


@pytest.mark.parametrize(
    ("samples", "dropped"),
    [
        ((held(-30.0, 1.0), held(-10.0, 2.0), held(20.0, 3.0)), 1),
        ((held(-30.0, 1.0), held(-9.9, 2.0), held(20.0, 3.0)), 0),
        ((held(-50.0, 1.0), held(-30.0, 2.0), held(-20.0, 3.0), held(20.0, 4.0)), 1),
        ((held(-90.0, 1.0),), 0),
    ],
)
def test_what_no_window_sees_is_dropped(samples: Samples, dropped: int) -> None:
    """One in a pass, once the next one began before them all."""
    assert (*samples[dropped:], held(59.0, 9.0, 1)) == noted(samples, 9)
