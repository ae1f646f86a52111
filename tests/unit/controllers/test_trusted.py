"""Trusted facts: what a silent source said last is taken out, and nothing else."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.survey import trusted
from lamplighter.model.facts import HEALTH, MACHINE, PROCESSES, TRAFFIC, Load, Phase
from lamplighter.testing.builders import NOW, crashed, facts, up

BUSY = facts(web=[up, crashed])
BUSY = replace(
    BUSY,
    replicas=tuple(replace(each, in_flight=3, memory_bytes=7, cpu=0.5) for each in BUSY.replicas),
    loads={"web": Load(in_flight=3)},
)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        (PROCESSES, {"phase": Phase.UNKNOWN}),
        (HEALTH, {"ready": None}),
        (TRAFFIC, {"in_flight": None}),
        (MACHINE, {"memory_bytes": None, "cpu": None}),
    ],
)
def test_each_source_takes_its_own_with_it(source: str, changes: dict[str, object]) -> None:
    """A proven end stays: who has ended is as it was while only processes are silent."""
    silent = replace(BUSY, sources={**BUSY.sources, source: replace(BUSY.sources[source], fault="refused")})
    found = trusted(silent, NOW)
    ended = {} if source == PROCESSES else changes
    assert (replace(BUSY.replicas[0], **changes), replace(BUSY.replicas[1], **ended)) == found.replicas
    assert ({} if source == TRAFFIC else BUSY.loads) == found.loads
    assert (BUSY.replicas[1] is found.replicas[1]) == (source == PROCESSES)


@pytest.mark.parametrize(("late_s", "trusts"), [(5.0, True), (5.1, False)])
def test_source_is_silent_after_five_seconds(late_s: float, *, trusts: bool) -> None:
    """Until then all that was said counts, and the facts are the very ones."""
    assert trusts == (trusted(BUSY, NOW + late_s) is BUSY)


def test_everything_silent_leaves_only_proven_ends() -> None:
    """And of those nothing but that."""
    found = trusted(replace(BUSY, sources={}), NOW).replicas
    assert [Phase.UNKNOWN, Phase.EXITED] == [each.phase for each in found]
    assert {None} == {each.ready for each in found} | {each.cpu for each in found}
