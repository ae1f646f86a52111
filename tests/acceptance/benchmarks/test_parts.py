"""What the parts make of what they saw: pure sums, and that a part which breaks off holds nothing."""

import asyncio
from types import SimpleNamespace

import pytest
from benchmarks import local
from benchmarks.load import Fate, Kind, Sample
from benchmarks.local.kill import BOUNDS
from benchmarks.local.loads import described, unexplained
from benchmarks.local.repair import Times
from benchmarks.report import Figures, Options, exactly


def sample(pid: int, ended_at: float) -> Sample:
    """An answer of a process that was cut at a moment."""
    return Sample(
        n=1,
        kind=Kind.STREAM,
        scheduled_at=ended_at - 1,
        late_s=0,
        latency_s=0.1,
        took_s=1,
        fate=Fate.CUT,
        pid=pid,
    )


def test_cut_is_explained_by_the_death_of_its_own_replica_only() -> None:
    """One that comes before it, long after it, or from another process is not."""
    cuts = [sample(1, 10.5), sample(1, 9.0), sample(1, 20.0), sample(2, 10.5)]
    assert cuts[1:] == unexplained(cuts, {1: 10.0})


def test_failure_is_told_with_what_was_done_before_it() -> None:
    """The last thing before its end stands beside it, with the time since."""
    told = described([sample(1, 10.5)], [(8.0, "first"), (10.0, "second"), (11.0, "third")])
    assert [("second", 0.5)] == [(each["after"], each["since_s"]) for each in told]


def test_own_start_is_taken_off_at_its_median() -> None:
    """A slow start by chance does not make a repair look faster than it was."""
    assert [1.0, 2.0] == Times(taken_s=[4.0, 3.0], own_s=[2.0, 9.0, 1.0]).beyond()


def test_part_that_breaks_off_holds_nothing_and_lets_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures stay unknown, why stands with it, and the next part is measured."""

    async def breaks(_figures: Figures, _options: Options) -> None:
        raise ZeroDivisionError

    async def works(figures: Figures, _options: Options) -> None:
        figures.put("idle_works", 1)

    broken = SimpleNamespace(BOUNDS=BOUNDS, measure=breaks)
    working = SimpleNamespace(BOUNDS={"idle_works": exactly(1)}, measure=works)
    monkeypatch.setattr(local, "_MODULES", {"kill": broken, "idle": working})
    figures = asyncio.run(local.run(Options(only=frozenset({"kill", "idle"}))))
    assert (list(BOUNDS), 1) == (figures.missed(), figures.figures["idle_works"])
    assert "ZeroDivisionError" in figures.parts["kill"]["broke_off"]


def test_every_part_is_described_and_can_be_run() -> None:
    """What the command lists is what there is, and only what asks for a clone has to be named."""
    assert set(local.PARTS) - {"specs"} == set(local._MODULES)
    assert {"fresh"} == local.ONLY_WHEN_NAMED
