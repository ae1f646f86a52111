"""The registry of kinds of findings, and the survey's honesty."""

import re
from pathlib import Path

import pytest
from tests.unit.engine_pure.world import World

from lamplighter import controllers, engine
from lamplighter.controllers.kinds import KINDS, finding
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.facts import HEALTH, MACHINE, PROCESSES, TRAFFIC, Phase


def sources() -> str:
    """Return the text of all that makes findings."""
    folders = (Path(controllers.__file__).parent, Path(engine.__file__).parent)
    return "\n".join(path.read_text() for folder in folders for path in sorted(folder.glob("*.py")))


def test_every_kind_that_is_made_is_registered() -> None:
    """No controller reports what `lamp explain` cannot explain."""
    made = set(re.findall(r"\bfinding\(\s*\"([a-z-]+)\"", sources()))
    assert (set(), True) == (made - KINDS.keys(), len(made) > 15)


def test_unregistered_kind_is_a_broken_invariant() -> None:
    """A kind that nobody wrote down cannot be reported."""
    with pytest.raises(KeyError):
        finding("surprise", "web", "?")


def test_every_kind_says_what_it_means() -> None:
    """A kind is explained by a sentence."""
    assert [] == [kind for kind, each in KINDS.items() if not each.meaning.endswith(".")]


@pytest.mark.parametrize(
    ("source", "field", "value"),
    [
        (HEALTH, "ready", None),
        (PROCESSES, "phase", Phase.UNKNOWN),
        (TRAFFIC, "in_flight", None),
        (MACHINE, "memory_bytes", None),
    ],
)
def test_what_a_silent_source_said_is_not_used(source: str, field: str, value: object) -> None:
    """Each source's own values become unknown when it falls silent."""
    here = World().settle()
    here.silence(source)
    known = trusted(here.facts(), here.now).replicas[0]
    assert value == getattr(known, field)


def test_proven_exit_survives_the_silence_of_processes() -> None:
    """An exit is never taken back."""
    here = World().settle()
    here.kill("web-1")
    here.silence(PROCESSES)
    phases = {each.id: each.phase for each in trusted(here.facts(), here.now).replicas}
    assert {"web-1": Phase.EXITED, "web-2": Phase.UNKNOWN} == phases


def test_ordered_replicas_count_before_they_are_seen() -> None:
    """What was ordered and is not yet in the facts is coming, so that it is not ordered twice."""
    here = World()
    here.up("r1")
    here.once()
    survey = Survey(here.facts(), here.now, here.history.pending)
    here.replicas.clear()
    blind = Survey(here.facts(), here.now, here.history.pending)
    assert (2, 2, 0) == (survey.count("web", "r1"), blind.count("web", "r1"), blind.live("web"))
