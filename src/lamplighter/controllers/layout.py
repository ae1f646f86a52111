"""Layout: which replicas of a snapshot belong to which workload, followed from one snapshot to the next.

Where a pass lists the same replicas in the same places, who belongs where need not be found out again.
Knows nothing of how they stand.
"""

from collections.abc import Iterator, KeysView, Mapping
from functools import cached_property
from operator import attrgetter

from lamplighter.model.changes import at, changed_places, columns
from lamplighter.model.facts import Replica

Replicas = tuple[Replica, ...]

RENEWED_PARTS = 8
"""Up to this part of a mapping is kept beside it before it is copied."""


class Layout:
    """The places of each workload's replicas in one snapshot."""

    def __init__(self, replicas: Replicas, places: dict[str, list[int]] | None = None) -> None:
        """Arrange replicas in one scan.

        Args:
            replicas: of one snapshot.
            places: where each workload's stand, if that is known already.
        """
        self.replicas = replicas
        if places is None:
            places = {}
            for place, each in enumerate(replicas):
                known = places.get(each.workload)
                if known is None:
                    places[each.workload] = [place]
                else:
                    known.append(place)
        self.places = places

    @cached_property
    def by_id(self) -> Mapping[str, Replica]:
        """Every replica by its id."""
        return dict(zip(map(attrgetter("id"), self.replicas), self.replicas, strict=True))

    def of(self, workload: str) -> list[Replica]:
        """Return the replicas of a workload, in the order of the snapshot."""
        replicas = self.replicas
        return [replicas[place] for place in self.places.get(workload, ())]

    def followed(self, replicas: Replicas, changed: list[int]) -> "Layout":
        """Return the layout of the next snapshot, which differs at `changed`, but not in who is there."""
        layout = Layout(replicas, self.places)
        if "by_id" in self.__dict__ and len(changed) * 4 < len(replicas):
            newer = {replicas[each].id: replicas[each] for each in changed}
            layout.by_id = _renewed(self.by_id, newer)
        return layout


class _Renewed(Mapping[str, Replica]):
    """Replicas by their ids, some of them newer than what stands in the mapping that all were in."""

    def __init__(self, base: Mapping[str, Replica], newer: dict[str, Replica]) -> None:
        self.base, self.newer = base, newer

    def __getitem__(self, name: str) -> Replica:
        found = self.newer.get(name)
        return self.base[name] if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self.base

    def __iter__(self) -> Iterator[str]:
        return iter(self.base)

    def __len__(self) -> int:
        return len(self.base)

    def keys(self) -> KeysView[str]:
        return self.base.keys()


def _renewed(known: Mapping[str, Replica], newer: dict[str, Replica]) -> Mapping[str, Replica]:
    """Return a mapping with some newer values; copied whole only now and then, or if it is small."""
    base, before = (known.base, known.newer) if isinstance(known, _Renewed) else (known, {})
    newer = {**before, **newer}
    if len(newer) * RENEWED_PARTS < len(base):
        return _Renewed(base, newer)
    return {**base, **newer}


def laid_out(replicas: Replicas) -> Layout:
    """Return the layout of a snapshot; of the same one again, the one that was made before."""
    known = _NEWEST[0] if _NEWEST else None
    if known is None or known.replicas is not replicas:
        known = Layout(replicas)
        _NEWEST[:] = [known]
    return known


_NEWEST: list[Layout] = []
"""Whoever revalidates asks for the same snapshot once for each decision."""


def who_changed(old: Replicas, new: Replicas) -> list[int] | None:
    """Return where two snapshots differ; None if they do not list the same replicas in the same places."""
    places = changed_places(old, new)
    if not places:
        return places
    before, after = at(old, places), at(new, places)
    was, now = columns(before), columns(after)
    same = all(was[each] == now[each] for each in ("workload", "release"))
    return places if same else None
