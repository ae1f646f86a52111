"""Specs by the hundred: a plan, or a fault with a place."""

from benchmarks.specs import run_specs


def test_generated_and_mutated_specs() -> None:
    """Sound specs reach a plan, mutated ones a plan or a clear fault; nothing crashes, nothing hangs."""
    figures = run_specs(300, seed=20_250)
    assert ([], []) == (figures.missed(), figures.parts["specs"]["failures"])
