"""Stories of seeds, as mutants meet them: short ones, and which checkers tell."""

from importlib import import_module

EXCEPTIONS = frozenset({"Pass", "Loop"})
"""What is found by something breaking, and not by a checker that looks on."""
CPU_S = 20.0


SHORT_S = 300.0
"""How long faults go on in a story that a mutant meets."""


def found(seed: int, length_s: float = SHORT_S) -> set[str]:
    """The checkers that tell of something in the story of a seed; imported late, so that mutants are met."""
    simulation = import_module("lamplighter.testing.simulation")
    story = import_module("lamplighter.testing.story").story
    parts = import_module("lamplighter.testing.report").Parts(cpu_s=CPU_S)
    broken: set[str] = simulation.simulate(story(seed, length_s=length_s), seed=seed, parts=parts).broken
    return broken
