"""What decides: budget, breaker, slots, latencies, the gradient, pauses. By property and by seed."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamplighter.runtime.resilience import Priority
from lamplighter.runtime.resilience.breaker import Breaker
from lamplighter.runtime.resilience.concurrency import LIMIT_MIN, Gradient
from lamplighter.runtime.resilience.latencies import Latencies
from lamplighter.runtime.resilience.retry import Budget, pause
from lamplighter.runtime.resilience.slots import Slots


@settings(deadline=None)
@given(st.integers(1, 80), st.floats(0, 1))
def test_pause_is_jittered_fully_and_bounded(failures: int, drawn: float) -> None:
    """A pause lies between nothing and a bound that doubles up to its most."""
    bound = min(2.0, 0.05 * 2.0 ** (failures - 1))
    assert drawn * bound == pytest.approx(pause(failures, 0.05, 2.0, lambda: drawn))


@settings(deadline=None, max_examples=25)
@given(st.integers(10, 300), st.integers(1, 5), st.integers(0, 9))
def test_no_second_of_an_outage_has_more_than_a_fifth_on_top(rate: int, wanted: int, since: int) -> None:
    """Whatever the rate and however many tries are wanted, a second has at most a fifth on top."""
    budget, extra = Budget(0.1), [0.0] * 0
    for each in range(12 * rate):
        now = each / rate
        budget.earn(now)
        extra += [now] * sum(budget.spend(now) for _ in range(wanted if now >= since else 0))
    worst = max(sum(second <= each < second + 1 for each in extra) for second in range(12))
    assert worst <= 0.2 * rate + 1


def test_budget_forgets_a_quiet_hour() -> None:
    """What was earned long ago cannot be spent in a storm: only the spare one."""
    budget = Budget(0.1)
    for each in range(10_000):
        budget.earn(each / 1000)
    assert [True, False] == [budget.spend(3600.0), budget.spend(3600.0)]


def test_caller_of_few_calls_retries_now_and_then() -> None:
    """At one call a second a retry is allowed every ten seconds."""
    budget, allowed = Budget(0.1), 0
    for second in range(100):
        budget.earn(second)
        allowed += budget.spend(second)
    assert 10 == allowed


def test_breaker_opens_at_its_share_of_enough_calls() -> None:
    """Nine failures decide nothing when ten calls are needed; the tenth opens."""
    breaker = Breaker(0.5, 10.0, calls_min=10)
    for _ in range(9):
        breaker.failed(breaker.admit(1.0), 1.0)
    before = breaker.state
    breaker.failed(breaker.admit(1.0), 1.0)
    assert ("closed", "open", 0) == (before, breaker.state, breaker.admit(1.5))


def test_breaker_forgets_what_is_older_than_its_window() -> None:
    """Failures that left the window do not count together with later ones."""
    breaker = Breaker(0.5, 10.0, calls_min=10)
    for at in [1.0] * 9 + [12.5] * 9:
        breaker.failed(breaker.admit(at), at)
    assert "closed" == breaker.state


def opened(at: float = 0.0) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker(0.5, 10.0, calls_min=4, open_s=1.0, probes=3)
    for _ in range(4):
        breaker.failed(breaker.admit(at), at)
    return breaker


def test_half_open_lets_bounded_probes_through() -> None:
    """Of ten calls after the wait three are let through while none has ended."""
    breaker = opened()
    assert 3 == sum(breaker.admit(1.0) > 0 for _ in range(10))


def test_all_probes_must_succeed() -> None:
    """It closes with the last probe's success, not before."""
    breaker = opened()
    tickets = [breaker.admit(1.0) for _ in range(3)]
    states = []
    for each in tickets:
        breaker.succeeded(each, 1.1)
        states.append(breaker.state)
    assert ["half-open", "half-open", "closed"] == states


def test_a_failed_probe_opens_it_again() -> None:
    """After a failed probe it refuses for another second, whatever the other probes bring."""
    breaker = opened()
    first, second = breaker.admit(1.0), breaker.admit(1.0)
    breaker.failed(first, 1.0)
    breaker.succeeded(second, 1.1)
    assert (1.0, 0, True) == (breaker.refused_for(1.0), breaker.admit(1.9), breaker.admit(2.0) > 0)


def test_what_began_before_it_opened_does_not_close_it() -> None:
    """An answer to an older call is no probe."""
    breaker = opened()
    early = 1
    probe = breaker.admit(1.0)
    for _ in range(3):
        breaker.succeeded(early, 1.1)
    assert ("half-open", True) == (breaker.state, probe > 0)


def test_a_forgotten_probe_makes_room_for_another() -> None:
    """A cancelled probe does not keep the circuit half-open for ever."""
    breaker = opened()
    tickets = [breaker.admit(1.0) for _ in range(3)]
    breaker.forget(tickets[0])
    assert [True, False] == [breaker.admit(1.2) > 0, breaker.admit(1.2) > 0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["take", "wait", "leave", "give up"]), st.sampled_from(Priority))))
def test_slots_are_never_more_than_the_limit_and_none_is_lost(steps: list[tuple[str, Priority]]) -> None:
    """Whoever comes, waits, leaves and gives up: what is in flight is what was granted and not given back."""
    slots, held, waiters = Slots(3, 4), 0, []
    for what, priority in steps:
        if what == "take":
            held += slots.take()
        elif what == "wait" and slots.in_flight >= slots.limit:
            waiter = slots.wait(priority, lambda: None)
            waiters += [waiter] if waiter is not None else []
        elif what == "leave" and held + sum(each.granted for each in waiters):
            held, gone = (held - 1, None) if held else (held, next(each for each in waiters if each.granted))
            waiters = [each for each in waiters if each is not gone]
            slots.leave()
        elif what == "give up" and waiters:
            slots.give_up(waiters.pop())
        assert held + sum(each.granted for each in waiters) == slots.in_flight <= 3
        assert slots.waiting == sum(not each.over for each in waiters) <= 4


def test_high_priority_goes_first_and_pushes_out_the_low() -> None:
    """With all places taken, a high one takes that of the youngest low one, and has the next slot."""
    slots, woken = Slots(1, 2), []
    slots.take()
    for name, priority in (("low", Priority.LOW), ("lower", Priority.LOW), ("high", Priority.HIGH)):
        slots.wait(priority, lambda name=name: woken.append(name))
    slots.leave()
    assert ["lower", "high"] == woken


def test_equals_do_not_push_each_other_out() -> None:
    """A newcomer of the same priority is refused."""
    slots = Slots(1, 1)
    slots.take()
    slots.wait(Priority.LOW, lambda: None)
    assert slots.wait(Priority.LOW, lambda: None) is None


def test_p95_is_that_of_the_last_calls() -> None:
    """Of the numbers 1 to 256 it is 243; before twenty calls it is not known."""
    latencies = Latencies()
    latencies.add(1.0)
    before = latencies.p95_s
    for each in range(2, 257):
        latencies.add(float(each))
    assert (None, 243.0) == (before, latencies.p95_s)


@pytest.mark.parametrize("seed", range(10))
def test_gradient_finds_the_capacity_and_keeps_it(seed: int) -> None:
    """A server of 8 workers under endless load: the limit stays near it for two minutes, never far beyond."""
    random, gradient, now, limits = Random(seed), Gradient(), 0.0, []  # noqa: S311
    while now < 120.0:
        in_flight = gradient.limit
        took = 0.04 * max(1.0, in_flight / 8) * random.uniform(0.5, 1.5)
        now += took / in_flight
        gradient.sample(took, in_flight, now)
        limits.append(gradient.limit)
    late = sorted(limits[len(limits) // 4 :])
    assert (True, True) == (8 <= late[len(late) // 2] <= 24, late[-1] <= 40)


def test_gradient_refreshes_with_few_let_in() -> None:
    """When the least latency was not seen for long, the limit falls to its least for a moment."""
    gradient, now, least = Gradient(refresh_s=5.0), 0.0, []
    while now < 12.0:
        now += 0.05 * max(1.0, gradient.limit / 8) / gradient.limit
        gradient.sample(0.05 * max(1.0, gradient.limit / 8), gradient.limit, now)
        least += [now] if gradient.limit == LIMIT_MIN else []
    assert {0, 5, 10} <= {int(each) for each in least} <= {0, 5, 6, 10, 11}
