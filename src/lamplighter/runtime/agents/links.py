"""What goes between hosts: runs of parcels with contiguous numbers, acknowledgements, requests to go back."""

from collections.abc import Iterable, Iterator

import msgspec


class Run(msgspec.Struct, array_like=True, tag=0, gc=False):
    """Parcels from one partition to another, numbered from `first` on."""

    to: int
    sender: int
    first: int
    parcels: list[bytes]


class Taken(msgspec.Struct, array_like=True, tag=1, gc=False):
    """Partition `by` has accepted all that `sender` sent it, up to a sequence."""

    sender: int
    by: int
    sequence: int


class Again(msgspec.Struct, array_like=True, tag=2, gc=False):
    """Partition `by` wants all that `sender` sent it again, from a sequence on."""

    sender: int
    by: int
    sequence: int


Link = Run | Taken | Again


def runs(parcels: Iterable[tuple[int, int, int, bytes]]) -> Iterator[Run]:
    """Put parcels (to, sender, sequence, packed) of a link together that follow each other."""
    open_runs: dict[tuple[int, int], Run] = {}
    for to, sender, sequence, packed in parcels:
        run = open_runs.get((to, sender))
        if run is not None and run.first + len(run.parcels) == sequence:
            run.parcels.append(packed)
            continue
        if run is not None:
            yield run
        open_runs[to, sender] = Run(to, sender, sequence, [packed])
    yield from open_runs.values()
