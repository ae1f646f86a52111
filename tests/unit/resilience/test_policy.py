"""The decorator: each part alone and together, on plain and coroutine functions, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest
from tests.unit.resilience.clocks import Clock, Flaky, VirtualLoop, dependency, virtually

from lamplighter.runtime.resilience import (
    BreakerSettings,
    CircuitOpenError,
    DeadlineExceededError,
    Policy,
    PolicyError,
    RefusedError,
    Settings,
    TooManyCallsError,
    blocking,
    cached,
    deadline,
    refusal,
    remaining,
)
from lamplighter.runtime.resilience.dependency import Registry
from lamplighter.runtime.resilience.judging import Rules


def test_a_failed_call_is_tried_again() -> None:
    """One failure of the connection, then an answer: the caller sees the answer."""
    clock, flaky = Clock(), Flaky(1)
    made = dependency(clock, pause_s=0.2)
    answer = blocking.call(made, flaky, Rules(), rest=clock.rest)
    assert ("found", 2, 100.1) == (answer, flaky.calls, clock.now)


def test_a_coroutine_is_tried_again() -> None:
    """The same, awaited; the pause passes in the loop's own time."""

    async def story(loop: VirtualLoop) -> tuple[str, float]:
        asked = Policy(dependency(loop.time, pause_s=0.2))(Flaky(1).awaited())
        return await asked(), loop.time()

    assert ("found", pytest.approx(100.1)) == virtually(story)


def test_an_answer_is_not_tried_again() -> None:
    """A wrong argument says nothing of the dependency: it is raised at once."""
    flaky = Flaky(3, ValueError("what?"))
    with pytest.raises(ValueError, match="what"):
        Policy(dependency(Clock()))(flaky.__call__)()
    assert 1 == flaky.calls


def test_what_must_not_be_repeated_is_not() -> None:
    """Without `repeatable` a lost connection is the caller's to judge."""
    flaky = Flaky(1)
    with pytest.raises(ConnectionError):
        Policy(dependency(Clock()), repeatable=False)(flaky.__call__)()
    assert 1 == flaky.calls


def test_an_outage_costs_no_more_than_the_budget() -> None:
    """A hundred calls a second to what is dead, for a minute: in no second more than 120 tries."""
    clock = Clock()
    made = dependency(clock, retries=5, pause_s=0.0)
    seconds = []
    for _ in range(60):
        before = made.counters.tries
        for _ in range(100):
            clock.rest(0.01)
            with pytest.raises(ConnectionError):
                blocking.call(made, Flaky(99), Rules(), rest=clock.rest)
        seconds.append(made.counters.tries - before)
    assert (True, 6000) == (max(seconds) <= 120, made.counters.calls)


def test_an_open_circuit_refuses_without_a_call() -> None:
    """Ten failures open it: the eleventh call is not made, and says when to come back."""
    clock, flaky = Clock(), Flaky(99)
    ask = Policy(dependency(clock, retries=0, breaker=BreakerSettings()))(flaky.__call__)
    for _ in range(10):
        with pytest.raises(ConnectionError):
            ask()
    with pytest.raises(CircuitOpenError) as caught:
        ask()
    assert (10, 1.0, "search") == (flaky.calls, caught.value.retry_after_s, caught.value.dependency)


def test_a_slow_try_is_ended_and_a_second_one_answers() -> None:
    """A coroutine that hangs is given up after `timeout_s`; the next try answers."""

    async def story(loop: VirtualLoop) -> tuple[str, float]:
        waits = [60.0, 0.0]

        @Policy(dependency(loop.time, draw=0.0, timeout_s=2.0))
        async def ask() -> str:
            await asyncio.sleep(waits.pop(0))
            return "found"

        return await ask(), loop.time()

    assert ("found", pytest.approx(102.0)) == virtually(story)


def test_the_deadline_bounds_all_tries_together() -> None:
    """Tries of two seconds each within three: the error comes after three, not six."""

    async def story(loop: VirtualLoop) -> float:
        @Policy(dependency(loop.time, timeout_s=2.0, deadline_s=3.0))
        async def ask() -> None:
            await asyncio.sleep(60)

        with pytest.raises(DeadlineExceededError):
            await ask()
        return loop.time()

    assert pytest.approx(103.0) == virtually(story)


def test_an_outer_deadline_is_seen_within() -> None:
    """A caller with one second left leaves its callee no more, whatever its own settings say."""

    async def story(loop: VirtualLoop) -> float | None:
        @Policy(dependency(loop.time, timeout_s=5.0))
        async def ask() -> float | None:
            return remaining(loop.time)

        with deadline(1.0, loop.time):
            return await ask()

    assert pytest.approx(1.0) == virtually(story)


def test_nothing_is_called_when_the_time_is_up() -> None:
    """With an outer deadline that is over, the function is not entered."""
    clock, flaky = Clock(), Flaky(0)
    ask = Policy(dependency(clock))(flaky.__call__)
    with deadline(1.0, clock):
        clock.rest(1.5)
        with pytest.raises(DeadlineExceededError):
            ask()
    assert 0 == flaky.calls


def test_a_cancelled_call_is_cancelled_and_gives_its_slot_back() -> None:
    """Cancellation goes through; what it held is free."""

    async def story(loop: VirtualLoop) -> tuple[bool, int]:
        made = dependency(loop.time, concurrency=1, timeout_s=60.0, breaker=BreakerSettings())
        task = asyncio.ensure_future(Policy(made)(lambda_sleep)())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert made.slots is not None
        return task.cancelled(), made.slots.in_flight

    assert (True, 0) == virtually(story)


async def lambda_sleep() -> None:
    """Take ten seconds."""
    await asyncio.sleep(10)


def test_a_full_bulkhead_refuses_beyond_those_that_wait() -> None:
    """One under way, one waiting, a third: the third is refused at once, the second has its turn."""

    async def story(loop: VirtualLoop) -> tuple[list[str], float]:
        made = dependency(loop.time, concurrency=1, waiting=1, retries=0)
        calls = [Policy(made)(lambda_sleep)() for _ in range(3)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        return [type(each).__name__ for each in ended], loop.time()

    assert (["NoneType", "NoneType", "TooManyCallsError"], pytest.approx(120.0)) == virtually(story)


def test_who_waits_for_a_slot_gives_up_at_its_deadline() -> None:
    """A wait that outlasts the deadline ends in a refusal, and leaves nothing behind."""

    async def story(loop: VirtualLoop) -> tuple[float, int]:
        made = dependency(loop.time, concurrency=1, waiting=5)
        first = asyncio.ensure_future(Policy(made)(lambda_sleep)())
        await asyncio.sleep(0)
        with deadline(2.0, loop.time), pytest.raises(TooManyCallsError):
            await Policy(made)(lambda_sleep)()
        first.cancel()
        assert made.slots is not None
        return loop.time(), made.slots.waiting

    assert (pytest.approx(102.0), 0) == virtually(story)


def test_a_slow_read_is_hedged_and_the_faster_answer_counts() -> None:
    """Once p95 is known, a call that is slower gets a second try; the first is ended."""

    async def story(loop: VirtualLoop) -> tuple[str, float, int]:
        made = dependency(loop.time, hedge=True)
        waits = [0.2] * 2 + [0.1] * 18 + [60.0, 0.05]

        @Policy(made)
        async def ask() -> str:
            await asyncio.sleep(waits.pop(0))
            return "found"

        for _ in range(20):
            await ask()
        for _ in range(20):
            made._budget.earn(loop.time())
        before = loop.time()
        return await ask(), loop.time() - before, made.counters.hedges

    assert ("found", pytest.approx(0.25), 1) == virtually(story)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ([lambda: "extract"], "extract"),
        ([Flaky(9).__call__, lambda: "second"], "second"),
        ([cached(), lambda: "nothing remembered"], "nothing remembered"),
    ],
)
def test_the_chain_answers_in_order(chain: list[Callable[[], str]], expected: str) -> None:
    """When nothing else can, the first step that returns is the answer."""
    assert expected == Policy(dependency(Clock(), retries=0), fallback=chain)(Flaky(99).__call__)()


def test_the_last_good_answer_is_remembered_by_arguments() -> None:
    """Cached answers are those to the same arguments."""
    up = [True]

    @Policy(dependency(Clock(), retries=0), fallback=[cached(), refusal("no answer today")])
    def ask(question: str) -> str:
        if not up[0]:
            raise ConnectionError
        return question.upper()

    ask("why")
    up[0] = False
    with pytest.raises(RefusedError, match="no answer today"):
        ask("who")
    assert "WHY" == ask("why")


def test_generators_are_refused() -> None:
    """A decorated generator would protect nothing; it is told at the definition."""

    def stream() -> object:
        yield 1

    with pytest.raises(PolicyError, match="generator"):
        Policy(dependency(Clock()))(stream)


def test_one_name_is_one_state_with_one_setting() -> None:
    """Who names the same dependency shares its state; other settings in code are a mistake."""
    registry = Registry({"model": Settings(retries=0)})
    search = registry.dependency("search", Settings(retries=1))
    with pytest.raises(PolicyError, match="two different settings"):
        registry.dependency("search", Settings(retries=2))
    given = registry.dependency("model", Settings(retries=5)).settings.retries
    assert (True, 0) == (registry.dependency("search") is search, given)


def test_no_pause_outlasts_the_deadline() -> None:
    """When the pause would end after the deadline, the error comes at once instead."""
    clock, flaky = Clock(), Flaky(1)
    made = dependency(clock, deadline_s=0.5, pause_s=2.0)
    with pytest.raises(ConnectionError):
        blocking.call(made, flaky, Rules(), rest=clock.rest)
    assert (100.0, 1) == (clock.now, flaky.calls)


def test_a_probe_without_a_slot_is_no_probe() -> None:
    """A half-open circuit whose probe is refused by the bulkhead lets the next one through."""
    clock = Clock()
    made = dependency(clock, retries=0, concurrency=1, breaker=BreakerSettings(calls_min=1, probes=1))
    ask = Policy(made)(Flaky(1).__call__)
    with pytest.raises(ConnectionError):
        ask()
    clock.rest(1.5)
    assert made.slots is not None
    made.slots.take()
    with pytest.raises(TooManyCallsError):
        ask()
    made.slots.leave()
    assert "found" == ask()
