"""Figures, their bounds, and interleaved runs."""

import asyncio
import json
from pathlib import Path

import pytest
from benchmarks.report import (
    Bound,
    Figures,
    Options,
    as_document,
    at_least,
    at_most,
    exactly,
    interleaved,
    table,
    write_json,
)


@pytest.mark.parametrize(
    ("bound", "measured", "expected"),
    [
        (at_most(1.5), 1.5, True),
        (at_most(1.5), 1.6, False),
        (at_least(20_000), 19_999, False),
        (exactly(0), 0, True),
        (exactly(0), 1, False),
        (at_most(1.5), None, False),
    ],
)
def test_bound_holds_or_not(bound: Bound, measured: float | None, expected: bool) -> None:  # noqa: FBT001
    """A bound includes its value; what is not known does not hold."""
    assert expected is bound.holds(measured)


def test_table_shows_what_holds() -> None:
    """Bounded figures show target and verdict, unbounded ones only their value."""
    figures = Figures()
    figures.put("repair_p95_s", 0.9, at_most(1.5))
    figures.put("failed", 2, exactly(0))
    figures.put("share_cut", 0.01234567)
    assert [
        "figure       | measured | target | holds",
        "-------------+----------+--------+------",
        "repair_p95_s | 0.9      | <= 1.5 | yes",
        "failed       | 2        | = 0    | NO",
        "share_cut    | 0.01235",
    ] == table(figures).splitlines()
    assert ["failed"] == figures.missed()


def test_later_part_is_merged() -> None:
    """Figures of two parts stand together."""
    figures, other = Figures(figures={"a": 1.0}), Figures(figures={"b": 2.0}, parts={"kills": [1]})
    figures.merge(other)
    assert ({"a": 1.0, "b": 2.0}, {"kills": [1]}) == (figures.figures, figures.parts)


def test_document_has_the_agreed_keys(tmp_path: Path) -> None:
    """The JSON carries figures, baselines, machine, seed, commit and parts."""
    figures = Figures(figures={"repair_p95_s": 0.9}, baselines={"other_s": 2.0})
    write_json(tmp_path / "deep" / "x.json", as_document("local", figures, Options(seed=4)))
    document = json.loads((tmp_path / "deep" / "x.json").read_text())
    assert {"name", "figures", "baselines", "machine", "seed", "commit", "parts"} <= document.keys()
    assert {"cpu", "cores", "load", "memory_bytes", "python"} == document["machine"].keys()
    assert ("local", 4, {"repair_p95_s": 0.9}) == (document["name"], document["seed"], document["figures"])


def test_contestants_take_turns() -> None:
    """Each round runs all, and another one goes first in the next."""
    order: list[str] = []

    async def slow() -> float:
        order.append("slow")
        return 3.0

    def fast() -> float:
        order.append("fast")
        return float(len(order))

    spreads = asyncio.run(interleaved({"fast": fast, "slow": slow}, rounds=3))
    assert ["fast", "slow", "slow", "fast", "fast", "slow"] == order
    assert (4.0, 1.0, 5.0, 3.0) == (
        spreads["fast"].median, spreads["fast"].least, spreads["fast"].most, spreads["slow"].median,
    )  # fmt: skip


def test_parts_are_chosen() -> None:
    """Without a choice every part is wanted, with one only those named."""
    assert Options().wants("kills")
    assert not Options(only=frozenset({"repair"})).wants("kills")
