"""What a soak does is drawn from its seed, and what it left is judged by what it says."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.load.profile import duration_s
from benchmarks.soak import judge, plan
from benchmarks.soak.picture import draw
from benchmarks.soak.slopes import slope


def left(folder: Path, **files: list[dict[str, Any]]) -> Path:
    """Write what a run would have left."""
    for name, said in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in said))
    return folder


def failure(**changes: Any) -> dict[str, Any]:
    """A GET that found nobody listening."""
    usual = {"ended": 50.0, "kind": "get", "fate": "connect-error", "took_s": 0.01, "late_s": 0.0, "pid": 0}
    return usual | changes


def test_same_seed_draws_the_same_faults() -> None:
    """A run can be done again, and another seed is another run."""
    assert plan.faults(600, 1) == plan.faults(600, 1) != plan.faults(600, 2)


def test_owners_rest_in_the_middle() -> None:
    """Nothing that ends an owner is done while it is watched for growth."""
    resting = [each for each in plan.faults(7200, 5) if 0.2 <= each.at_s / 7200 < 0.85]
    assert (True, set()) == (len(resting) > 100, {each.kind for each in resting} & plan.KILLS_OWNERS)


def test_waves_fill_the_run() -> None:
    """The load lasts exactly as long as was asked for and moves between low and high."""
    stages = plan.waves(1000, quick=True)
    assert (1000, plan.LOW, plan.HIGH) == (
        duration_s(stages),
        min(each.rate for each in stages),
        max(each.rate for each in stages),
    )


def test_no_replica_is_taken_that_is_needed() -> None:
    """A quarter more than the load must be left."""
    assert (True, False) == (plan.may_lose_one(4, 90.0), plan.may_lose_one(3, 90.0))


def test_growth_is_told_from_noise() -> None:
    """A line of 3 an hour over two lives is found, whatever level each has."""
    lives = [[(n / 60, 10 * level + 3 * n / 60 + (n % 2) / 10) for n in range(60)] for level in (1, 5)]
    found = slope(lives)
    assert found is not None
    assert (3.0, True) == (pytest.approx(found.per_h, abs=0.1), 3.0 < found.most_per_h < 3.3)


def looked_at(n: int) -> dict[str, Any]:
    """What is seen of an hour's soak at its n-th look: one owner fills up early, another grows for ever."""
    mib = {"maintainer": 30 + min(n, 100) / 50, "supervisor": 15 + n / 90}
    usual = {"pid": 7, "age_s": 10.0 * n, "files": 9, "pss_bytes": 0}
    owners = [{"role": role, "own_bytes": own * 2**20, **usual} for role, own in mib.items()]
    sizes = ("recording_bytes", "ledger_bytes", "log_most_bytes", "logs", "logs_bytes", "releases")
    return {"at": 10.0 * n, "p99_s": 0.1, "owners": owners, **dict.fromkeys(sizes, 0)}


def test_what_filled_up_early_is_no_growth(tmp_path: Path) -> None:
    """A cache that fills in the first third of a life is none; what goes on for ever is."""
    found = judge.figures(left(tmp_path, ticks=[looked_at(n) for n in range(360)]))
    missed = ["soak_maintainer_grows_at_most_mib_per_h", "soak_supervisor_grows_at_most_mib_per_h"]
    assert missed[1:] == [each for each in missed if each in found.missed()]


def test_too_few_points_tell_nothing() -> None:
    """A life of a few samples gives no slope rather than a wrong one."""
    assert slope([[(0.0, 1.0), (1.0, 2.0)]]) is None


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        (failure(), 1),
        (failure(kind="post"), 0),
        (failure(fate="slow", took_s=2.3, late_s=0.5), 0),
        (failure(ended=30.4), 0),
        (failure(ended=31.2), 1),
        (failure(ended=30.4, fate="server-error"), 1),
    ],
)
def test_what_counts_as_failed(tmp_path: Path, said: dict[str, Any], failed: int) -> None:
    """What a killed gateway took along is apart for a second; so is what was sent late, or had no key."""
    kill = {"at": 30.1, "began": 30.0, "kind": "kill-gateway", "done": "killed 7", "skipped": False}
    folder = left(tmp_path, failures=[said], faults=[kill], ticks=[{"at": 60.0, "fates": {}, "p99_s": 0.1}])
    assert failed == judge.figures(folder).figures["soak_idempotent_failed"]


def test_a_run_that_broke_off_is_judged_and_drawn(tmp_path: Path) -> None:
    """Half a line at the end is passed over; what could not be seen is unknown and holds nothing."""
    folder = left(tmp_path, ticks=[{"at": 10.0, "fates": {"get:ok": 5}, "p50_s": 0.1, "p99_s": 0.2}])
    with (folder / "ticks.jsonl").open("a") as torn:
        torn.write('{"at": 20.0, "fa')
    figures = judge.figures(folder)
    assert (5, True, True) == (
        figures.figures["soak_requests"],
        "soak_left_after_down" in figures.missed(),
        draw(folder).startswith("<svg"),
    )
