"""Cross checks: what one part of a spec says of another must be true.

They read the tree, not the values, so that they still run where some value is wrong, and so that each
fault has its place. What holds within one mapping is checked in `records`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lamplighter.model.system import paths_of
from lamplighter.spec.faults import Faults, closest, quoted
from lamplighter.spec.tree import Entry, Mapping, Node, Place, Scalar, Sequence, is_null, locate

SECTIONS = ("services", "agents", "jobs")


class Seen(NamedTuple):
    """A workload as the tree has it, with its overrides by site."""

    section: str
    name: str
    key: Place
    node: Mapping
    over: dict[str, Mapping]

    def effective(self, key: str, site: str) -> Node | None:
        """Return what stands under `key` at a site (empty: without overrides)."""
        own = self.over[site].get(key) if site in self.over else None
        found = own if own is not None else self.node.get(key)
        return None if found is None or is_null(found) else found


def workloads(tree: Mapping) -> list[Seen]:
    """Return every workload of a spec that is a mapping at all."""
    found: list[Seen] = []
    for section in SECTIONS:
        for name, entry in _entries(tree.get(section)):
            if isinstance(entry.node, Mapping):
                over = {
                    site: each.node
                    for site, each in _entries(entry.node.get("at"))
                    if isinstance(each.node, Mapping)
                }
                found.append(Seen(section, name, entry.key, entry.node, over))
    return found


def cross_check(tree: Mapping, faults: Faults) -> None:
    """Add a fault for each name that means nothing, each cycle of needs, each route that two claim."""
    seen = workloads(tree)
    _names(tree, faults)
    _references(tree, seen, faults)
    _sites(tree, seen, faults)
    for site in sorted({"", *(site for each in seen for site in each.over)}):
        _routes(seen, site, faults)
        _cycles(seen, site, faults)


def _entries(node: Node | None) -> Iterator[tuple[str, Entry]]:
    if isinstance(node, Mapping):
        yield from node.entries.items()


def _texts(node: Node | None) -> Iterator[Scalar]:
    if isinstance(node, Sequence):
        yield from (each for each in node.items if isinstance(each, Scalar) and each.type == "str")


def _names(tree: Mapping, faults: Faults) -> None:
    """One name, one workload: decisions, logs and addresses go by it."""
    first: dict[str, tuple[str, Place]] = {}
    for section in SECTIONS:
        for name, entry in _entries(tree.get(section)):
            if name in first:
                other, place = first[name]
                message = f"{quoted(name)} is already in {other}, on line {place.line}"
                faults.add("duplicate-workload", entry.key, message, "give one of them another name")
            first.setdefault(name, (section, entry.key))


def _references(tree: Mapping, seen: list[Seen], faults: Faults) -> None:
    """What `needs`, `calls` and `secrets` name must exist."""
    known = {name: entry.key for section in SECTIONS for name, entry in _entries(tree.get(section))}
    secrets = {name: entry.key for name, entry in _entries(tree.get("secrets"))}
    for each in seen:
        for node in (each.node, *each.over.values()):
            for key in ("needs", "calls"):
                for item in _texts(node.get(key)):
                    if item.text not in known:
                        _unknown(item, "unknown-workload", known, faults)
            for item in _texts(node.get("secrets")):
                if item.text not in secrets:
                    _unknown(item, "unknown-secret", secrets, faults)


_NOTHING = {
    "unknown-workload": "no service, agent pool or job has this name",
    "unknown-secret": "no secret has this name",
    "unknown-site": "no site has this name",
}


def _unknown(item: Scalar, code: str, known: dict[str, Place], faults: Faults) -> None:
    near = "" if faults.full else closest(item.text, known)
    if near:
        mend = f'did you mean "{near}" (line {known[near].line})?'
    elif code == "unknown-secret":
        mend = f"add it: secrets: {{{item.text[:40]}: {{from: env}}}}"
    else:
        mend = f"known: {', '.join(list(known)[:8])}" if known else "add it, or take this out"
    faults.add(code, item.place, _NOTHING[code], mend)


def _sites(tree: Mapping, seen: list[Seen], faults: Faults) -> None:
    """`site` and the keys of `at` must name sites; without `sites` there is one, `here`."""
    known = {name: entry.key for name, entry in _entries(tree.get("sites"))} or {"here": tree.place}
    for each in seen:
        named = each.node.get("site")
        if isinstance(named, Scalar) and named.type == "str" and named.text not in known:
            _unknown(named, "unknown-site", known, faults)
        for site, entry in _entries(each.node.get("at")):
            if site not in known:
                _unknown(Scalar(site, entry.key, plain=False), "unknown-site", known, faults)


def _routes(seen: list[Seen], site: str, faults: Faults) -> None:
    """No two workloads may be reached under one path."""
    first: dict[str, tuple[str, Place]] = {}
    for each in seen:
        for path, written in _paths(each, site):
            if path in first:
                other, place = first[path]
                message = f"{quoted(path)} is the route of {other} already, on line {place.line}"
                faults.add("duplicate-route", written, message, "give each a route of its own")
            first.setdefault(path, (each.name, written))


def _paths(workload: Seen, site: str) -> Iterator[tuple[str, Place]]:
    """Yield the gateway's paths of a workload, with where they are said or follow from."""
    route = workload.effective("route", site)
    if workload.section in ("services", "agents") and isinstance(route, Scalar):
        yield route.text.rstrip("/") or "/", route.place
    elif workload.section == "agents":
        agent = workload.effective("agent", site)
        named = [agent] if isinstance(agent, Scalar) else list(_texts(agent))
        for path in paths_of([each.text for each in named]) if named else ():
            yield path, named[0].place


def _cycles(seen: list[Seen], site: str, faults: Faults) -> None:
    """Nothing may need itself, by whatever way: none of them could start first."""
    needs = {
        each.name: {item.text: item.place for item in _texts(each.effective("needs", site))} for each in seen
    }
    done: set[str] = set()
    for name in needs:
        _search(name, needs, done, faults)


def _search(start: str, needs: dict[str, dict[str, Place]], done: set[str], faults: Faults) -> None:
    """Walk depth first without recursion; a step back onto the path closes a cycle."""
    path: list[str] = [start]
    turns = [iter(needs.get(start, ()))] if start not in done else []
    while turns:
        below = next(turns[-1], None)
        if below is None:
            done.add(path.pop())
            turns.pop()
        elif below in path:
            cycle = [*path[path.index(below) :], below]
            way = " → ".join(cycle if len(cycle) <= 8 else [*cycle[:7], "…", below])  # noqa: PLR2004 - one line
            message = f"these need each other, so none can start: {way}"
            faults.add(
                "needs-cycle", needs[path[-1]][below], message, "take one of them out; calls may go round"
            )
        elif below not in done and below in needs:
            path.append(below)
            turns.append(iter(needs[below]))


def at(tree: Node, *path: str | int) -> Place:
    """Return the place of what is at `path`, or of the nearest thing above it that is there."""
    for length in range(len(path), 0, -1):
        parent = locate(tree, *path[: length - 1])
        if isinstance(parent, Mapping) and path[length - 1] in parent.entries:
            entry = parent.entries[str(path[length - 1])]
            return entry.node.place if isinstance(entry.node, Scalar) else entry.key
    return tree.place
