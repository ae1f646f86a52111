"""The generator sends when a request is due, whatever the server does."""

import asyncio
import os
import time
from typing import Any

import pytest
from benchmarks.load.driver import GeneratorError, measured, running
from benchmarks.load.generator import Event, Generator
from benchmarks.load.profile import Stage, arrivals
from benchmarks.load.sample import Fate, Sample
from benchmarks.load.tally import Report
from benchmarks.load.traffic import Kind, Traffic


def run(traffic: Traffic) -> tuple[Report, list[Sample]]:
    """A run in this process, with its samples."""
    events: list[Event] = []
    report = asyncio.run(Generator(traffic, events.append).run())
    return report, [event for event in events if isinstance(event, Sample)]


def ok(url: str, seconds: float, rate: float, **more: Any) -> Traffic:
    """GETs that are answered at once."""
    return Traffic(url=url, stages=(Stage(seconds, rate),), paths=dict.fromkeys(Kind, "/ok"), **more)


def test_a_stall_does_not_hold_back_what_is_due(scripted: Any) -> None:
    """While the server answers nothing for half a second, requests keep coming at their rate."""
    scripted.stall_until = time.monotonic() + 0.8
    run(ok(scripted.url, 1, 50, spacing="constant"))
    assert 49 <= len(scripted.arrived_at)
    assert 25 <= sum(at < scripted.stall_until for at in scripted.arrived_at)


def test_latency_counts_from_the_moment_a_request_was_due(scripted: Any) -> None:
    """Every request that fell into the stall is charged with what was left of it."""
    scripted.stall_until = time.monotonic() + 1.0
    _, samples = run(ok(scripted.url, 1, 50, spacing="constant"))
    stalled = [sample for sample in samples if sample.scheduled_at < scripted.stall_until - 0.1]
    assert len(stalled) > 25
    assert [] == [s for s in stalled if s.scheduled_at + s.latency_s < scripted.stall_until - 0.01]


def test_schedule_is_the_seeds(scripted: Any) -> None:
    """What is sent when is what the seed says, to the number and the offset."""
    report, samples = run(ok(scripted.url, 0.5, 100, seed=11))
    offsets = sorted(sample.scheduled_at - report.started_at for sample in samples)
    assert pytest.approx(list(arrivals((Stage(0.5, 100),), seed=11))) == offsets


def test_connections_are_kept(scripted: Any) -> None:
    """Requests one after the other share a connection."""
    _, samples = run(ok(scripted.url, 0.5, 100, spacing="constant"))
    assert scripted.connections <= 5
    assert sum(sample.reused for sample in samples) == len(samples) - scripted.connections


def test_connection_idle_for_too_long_is_not_used_again(scripted: Any) -> None:
    """After a pause longer than `idle_s` a new connection is made, so that no close is raced."""
    traffic = Traffic(
        url=scripted.url,
        stages=(Stage(0.11, 10), Stage(0.5, 0), Stage(0.11, 10)),
        spacing="constant",
        paths={Kind.GET: "/ok"},
        idle_s=0.2,
    )
    _, samples = run(traffic)
    assert ([False, False], 2) == ([sample.reused for sample in samples], scripted.connections)


def test_run_short_of_connections_is_invalid(scripted: Any) -> None:
    """A generator that could not open what it needed says so instead of blaming the server alone."""
    scripted.stall_until = time.monotonic() + 0.6
    report, samples = run(ok(scripted.url, 0.3, 100, connections_max=3))
    assert not report.generator.valid
    assert {Fate.CONNECT_ERROR, Fate.OK} == {sample.fate for sample in samples}


def test_process_of_its_own_streams_results_back(scripted: Any) -> None:
    """The driver sees every request, each once, and the report that sums them up."""

    async def driven() -> tuple[Report, list[Sample]]:
        async with running(ok(scripted.url, 1.5, 60, mix={Kind.GET: 3, Kind.POST: 1})) as load:
            report = await load.finished()
            assert load.progress is not None
            return report, load.samples

    report, samples = asyncio.run(driven())
    assert list(range(report.requests)) == sorted(sample.n for sample in samples)
    assert (len(samples), 0) == (report.count(fate="ok"), report.failed)
    assert 0 < report.generator.cpu_per_request_s < 0.02


def test_stopped_run_reports_what_it_did(scripted: Any) -> None:
    """A run of an hour can be stopped after a moment and still gives its report."""

    async def stopped() -> Report:
        async with running(ok(scripted.url, 3600, 50)) as load:
            await asyncio.sleep(0.7)
            return await load.stop()

    assert 0 < asyncio.run(stopped()).requests < 3600 * 50


def test_run_that_is_abandoned_leaves_no_process(scripted: Any) -> None:
    """When the body fails, the generator is gone with it."""

    async def abandoned() -> int:
        async with running(ok(scripted.url, 3600, 5)) as load:
            pid = load.pid
            raise KeyError(pid)

    with pytest.raises(KeyError) as caught:
        asyncio.run(abandoned())
    with pytest.raises(ProcessLookupError):
        os.kill(caught.value.args[0], 0)


def test_generator_that_cannot_start_says_why() -> None:
    """A host without an address is an error with the host's name, not an empty report."""
    with pytest.raises(GeneratorError, match=r"no-such-host\.invalid"):
        asyncio.run(measured(ok("http://no-such-host.invalid", 1, 1)))
