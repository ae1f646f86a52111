"""The layout of a snapshot, followed from one to the next, is the one that would be made anew."""

import random

from msgspec.structs import replace

from lamplighter.controllers.layout import Layout, who_changed
from lamplighter.model.facts import Phase, Replica

COUNT, SNAPSHOTS = 40, 30


def test_followed_layout_knows_the_newest_of_each_replica() -> None:
    """However many snapshots follow on each other, a replica is found by its id as it stands now."""
    chance = random.Random(7)  # noqa: S311 - not for secrets
    replicas = tuple(
        Replica(id=f"w-{each}", workload="w", release="r", phase=Phase.RUNNING, started_at=0.0)
        for each in range(COUNT)
    )
    layout = Layout(replicas)
    assert COUNT == len(layout.by_id)
    for number in range(SNAPSHOTS):
        drawn = {chance.randrange(COUNT) for _ in range(3)}
        newer = tuple(replace(each, pid=number) if at in drawn else each for at, each in enumerate(replicas))
        layout = layout.followed(newer, who_changed(replicas, newer) or [])
        replicas = newer
        assert {each.id: each for each in newer} == dict(layout.by_id)
