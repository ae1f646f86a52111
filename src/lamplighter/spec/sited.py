"""Workloads: records that can differ by site."""

from typing import Any, Final

import msgspec

from lamplighter.spec.faults import Faults
from lamplighter.spec.shapes import WRONG, Record, Schema, wrong_type
from lamplighter.spec.tree import Entry, Mapping, Node, is_null, merge

SITES_MAX: Final = 20


class Sited(Record):
    """A workload: a record with overrides per site under `at`.

    An override is laid on the workload key by key, and the whole is read again: what it breaks is
    reported where the override stands.
    """

    own: tuple[str, ...] = ("at", "site")

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return the workload, with what it becomes at each site in `at`."""
        overrides = node.entries.get("at") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or overrides is None:
            return super().read(node, faults, name)
        base = without(node, {"at"})
        value = super().read(base, faults, name)
        if not isinstance(overrides.node, Mapping):
            return wrong_type(overrides.node, "a mapping from sites to overrides", faults)
        if len(overrides.node.entries) > SITES_MAX:
            faults.add("too-large", overrides.key, f"more than {SITES_MAX} sites")
            return WRONG
        if value is WRONG:
            return WRONG
        at = {site: self._at(base, entry, faults, name) for site, entry in overrides.node.entries.items()}
        return msgspec.structs.replace(
            value, at={site: each for site, each in at.items() if each is not WRONG}
        )

    def _at(self, base: Mapping, override: Entry, faults: Faults, name: str) -> Any:
        if not isinstance(override.node, Mapping):
            return wrong_type(override.node, "a mapping of what is different at this site", faults)
        for key in self.own:
            if key in override.node.entries:
                place = override.node.entries[key].key
                faults.add("not-in-override", place, f'"{key}" cannot differ by site', "take it out")
        over = without(override.node, set(self.own))
        return super().read(self.merged(base, over), faults, name)

    def merged(self, base: Mapping, over: Mapping) -> Mapping:
        """Lay an override on the workload; another way to run takes the place of the first."""
        merged = merge(self.cleared(base, over), over)
        assert isinstance(merged, Mapping)
        return merged

    def cleared(self, base: Mapping, over: Mapping) -> Mapping:
        """Return the workload without its way to run, if the override has one."""
        given = any(key in over.entries and not is_null(over.entries[key].node) for key in self.one_of)
        return without(base, set(self.one_of)) if given else base

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of the workload and of its overrides."""
        schema = super().schema(partial=partial)
        if partial:
            for key in self.own:
                schema["properties"].pop(key, None)
        else:
            schema["properties"]["at"] = self.at_schema()
        return schema

    def at_schema(self) -> Schema:
        """Return the schema of `at`: the same keys, none required."""
        return {
            "type": "object",
            "description": AT_DOC,
            "additionalProperties": self.schema(partial=True),
            "maxProperties": SITES_MAX,
        }

    def plain(self, value: Any) -> Any:
        """Return the workload, each override as what differs."""
        base = super().plain(value)
        at = {
            site: difference(base, super(Sited, self).plain(each), self.own)
            for site, each in value.at.items()
        }
        return {**base, "at": at} if at else base


AT_DOC = "What is different at a site, by the site's name. Null takes a key back to its default."


def without(node: Mapping, keys: set[str]) -> Mapping:
    """Return the mapping without some of its keys."""
    left = Mapping({key: each for key, each in node.entries.items() if key not in keys}, node.place)
    left.label = node.label
    return left


def difference(base: dict[str, Any], other: dict[str, Any], leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what laid on `base` gives `other`: changed keys, and null for those that are gone."""
    found: dict[str, Any] = {key: None for key in base if key not in other and key not in leave}
    for key, value in other.items():
        below = base.get(key)
        if key in leave or value == below:
            continue
        both = isinstance(value, dict) and isinstance(below, dict)
        found[key] = difference(below, value) if both else value  # type: ignore[arg-type]
    return found
