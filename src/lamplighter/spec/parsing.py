"""From the text of a spec to a System, or to every fault it has."""

from lamplighter.model.errors import Fault
from lamplighter.model.system import System
from lamplighter.model.value import Value
from lamplighter.spec.checks import cross_check
from lamplighter.spec.compose import compose, decode
from lamplighter.spec.doubts import doubts
from lamplighter.spec.dump import dump
from lamplighter.spec.faults import Faults
from lamplighter.spec.fields import SERVICE, SYSTEM
from lamplighter.spec.tree import Entry, Mapping, Node, merge, walk


class Checked(Value):
    """A spec that is sound: the system it wants, and what is legal but doubtful in it."""

    system: System
    warnings: tuple[Fault, ...] = ()


def check(text: str | bytes, *, file: str = "lamp.yaml") -> Checked:
    """Read a spec.

    Args:
        text: the whole file; bytes must be UTF-8.
        file: its name, for the places of faults.

    Returns:
        The system with every default filled in, and warnings.

    Raises:
        SpecError: with every fault found, each with its place and a mend. Never worth a retry.
    """
    return _checked(_tree(text, file))


def parse(text: str | bytes, *, file: str = "lamp.yaml") -> System:
    """Return the system that a spec wants. As `check`, without the warnings."""
    return check(text, file=file).system


def overlay(
    base: System | str | bytes, over: str | bytes, *, file: str = "lamp.yaml", over_file: str = "policy.yaml"
) -> System:
    """Lay a partial spec on a whole one: key by key, lists whole; null takes a key back to its default.

    Args:
        base: a system, or the text of a spec.
        over: any part of a spec.
        file: the name of the file that `base` came from, for places.
        over_file: the name of the file that `over` came from.

    Raises:
        SpecError: either is not sound, or the two together are not.
    """
    below = _tree(dump(base) if isinstance(base, System) else base, file)
    above = _tree(over, over_file)
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        below = _ways(below, above)
    return _checked(merge(below, above)).system


def places(text: str | bytes, *, file: str = "lamp.yaml") -> dict[str, str]:
    """Return where each part of a spec stands: `services.search.image` to `lamp.yaml:14:5`, and so on."""
    return {path: str(place) for path, place in walk(_tree(text, file))}


def _tree(text: str | bytes, file: str) -> Node:
    return compose(decode(text, file) if isinstance(text, bytes) else text, file)


def _checked(tree: Node) -> Checked:
    faults = Faults()
    system = SYSTEM.read(tree, faults)
    if isinstance(tree, Mapping):
        cross_check(tree, faults)
    faults.raise_any()
    assert isinstance(system, System)
    assert isinstance(tree, Mapping)
    return Checked(system=system, warnings=doubts(tree, system))


def _ways(below: Mapping, above: Mapping) -> Mapping:
    """Return `below` without the way to run of each service that `above` runs in another way."""
    services, over = below.get("services"), above.get("services")
    if not isinstance(services, Mapping) or not isinstance(over, Mapping):
        return below
    entries = dict(services.entries)
    for name, (key, node) in services.entries.items():
        other = over.get(name)
        if isinstance(node, Mapping) and isinstance(other, Mapping):
            entries[name] = Entry(key, SERVICE.cleared(node, other))
    key = below.entries["services"].key
    return Mapping({**below.entries, "services": Entry(key, Mapping(entries, services.place))}, below.place)
