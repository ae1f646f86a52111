"""Plain functions: slots across threads, hedges in threads, counters that add up."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.resilience.clocks import VirtualLoop, dependency, virtually

from lamplighter.runtime.resilience import DeadlineExceededError, Dependency, Policy, TooManyCallsError
from lamplighter.runtime.resilience.awaiting import call as awaited_call
from lamplighter.runtime.resilience.judging import Rules


def test_threads_never_exceed_the_bulkhead() -> None:
    """Eight threads, three slots, places for all to wait: three within at most, all answered."""
    made = dependency(time.monotonic, concurrency=3, waiting=8, retries=0)
    within, most, lock = [0], [0], threading.Lock()

    @Policy(made)
    def ask(number: int) -> int:
        with lock:
            within[0] += 1
            most[0] = max(most[0], within[0])
        time.sleep(0.005)
        with lock:
            within[0] -= 1
        return number

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(24)))
    assert (list(range(24)), 3, 24) == (answers, most[0], made.counters.tries)


def test_a_thread_without_a_place_is_refused() -> None:
    """One within, none may wait: the other thread is told at once, and counted."""
    made = dependency(time.monotonic, concurrency=1, retries=0)
    entered, leave = threading.Event(), threading.Event()

    @Policy(made)
    def ask() -> None:
        entered.set()
        leave.wait(5)

    other = threading.Thread(target=ask)
    other.start()
    entered.wait(5)
    with pytest.raises(TooManyCallsError):
        ask()
    leave.set()
    other.join()
    assert 1 == made.counters.refused_full


def hedged(**settings: float) -> Dependency:
    """Return a dependency whose calls have taken 20 ms so far, and which has earned five extra tries."""
    made = dependency(time.monotonic, hedge=True, retries=0, **settings)
    assert made.latencies is not None
    for _ in range(50):
        made.latencies.add(0.02)
        made._budget.earn(made.clock())
    return made


def test_a_hanging_plain_call_is_hedged() -> None:
    """The second try answers while the first still hangs in its thread."""
    made, hangs, calls = hedged(timeout_s=30.0), threading.Event(), []

    @Policy(made)
    def ask() -> str:
        calls.append(1)
        if len(calls) == 1:
            hangs.wait(20)
            return "late"
        return "found"

    answer = ask()
    hangs.set()
    assert ("found", 1) == (answer, made.counters.hedges)


def test_a_hanging_plain_call_that_may_be_hedged_is_given_up() -> None:
    """Where it runs in a thread, even a plain function has a real deadline."""
    made, hangs = hedged(timeout_s=0.2, extra_share=0.0), threading.Event()

    @Policy(made)
    def ask() -> None:
        hangs.wait(20)

    with pytest.raises(DeadlineExceededError):
        ask()
    hangs.set()
    assert (1, 0) == (made.counters.late, made.counters.hedges)


def test_a_coroutine_that_swallows_nothing_is_driven_as_await_would() -> None:
    """After its first step it is sent, thrown into and closed like any awaited coroutine."""
    seen: list[str] = []

    async def story(loop: VirtualLoop) -> str:
        async def ask() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                await asyncio.sleep(0)
                seen.append("cleaned up")
            return "never"

        made = dependency(loop.time, timeout_s=1.0, retries=0)
        with pytest.raises(DeadlineExceededError):
            await awaited_call(made, ask, Rules())
        return f"{loop.time():.0f}"

    assert ("101", ["cancelled", "cleaned up"]) == (virtually(story), seen)


def test_a_time_limit_leaves_no_trace_in_its_task() -> None:
    """After a try was ended by its time the task can still be cancelled, and is not cancelled already."""

    async def story(loop: VirtualLoop) -> tuple[int, bool]:
        made = dependency(loop.time, timeout_s=1.0, retries=0)

        async def story_of_task() -> int:
            with pytest.raises(DeadlineExceededError):
                await awaited_call(made, lambda: asyncio.sleep(60), Rules())
            task = asyncio.current_task()
            assert task is not None
            left = task.cancelling()
            await awaited_call(made, lambda: asyncio.sleep(0.5, left), Rules())
            return left

        task = asyncio.ensure_future(story_of_task())
        await asyncio.sleep(1.2)
        task.cancel()
        await asyncio.wait([task])
        return made.counters.failures, task.cancelled()

    assert (1, True) == virtually(story)
