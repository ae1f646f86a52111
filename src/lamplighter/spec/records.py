"""Records whose keys depend on each other: each checks the keys of its own mapping and completes it.

What depends on other workloads or sites is not here but in `checks`.
"""

from typing import Any

import msgspec

from lamplighter.model.system import (
    Freeze,
    Guards,
    Health,
    Lifecycle,
    Money,
    Range,
    Run,
    Scale,
    SecretSource,
    Site,
    System,
)
from lamplighter.spec.faults import Faults, closest, quoted
from lamplighter.spec.shapes import WRONG, Many, Record, Schema, Shape, Written
from lamplighter.spec.sited import Sited
from lamplighter.spec.tree import Mapping, Node, Place, Scalar, Sequence
from lamplighter.spec.units import duration_text, number_text, percentage_text

IMPLICIT_SITE = "here"
"""With no sites in the spec there is one: this machine, under this name."""


def key_place(node: Mapping, key: str) -> Place:
    """Return where the value of `key` stands, or the mapping itself where it is left out."""
    below = node.get(key)
    return below.place if below else node.label


class Way(Shape):
    """One way to start a service (app, command or image), which makes a Run of that kind."""

    def __init__(self, kind: str, written: Written) -> None:
        self.kind = kind
        self.expected = written.expected
        self._written = written

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return the Run."""
        value = self._written.read(node, faults, name)
        return value if value is WRONG else Run(kind=self.kind, value=value)  # type: ignore[arg-type]

    def schema(self, *, partial: bool = False) -> Schema:
        """Return the schema of the text."""
        return self._written.schema(partial=partial)

    def plain(self, value: Any) -> Any:
        """Return the text, or None if the Run is of another kind."""
        return value.value if value.kind == self.kind else None


class Steps(Many):
    """The steps of a rollout: shares of the traffic that rise to 100%."""

    def read(self, node: Node, faults: Faults, name: str = "") -> Any:
        """Return the shares."""
        shares = super().read(node, faults, name)
        if shares is WRONG or not isinstance(node, Sequence) or len(shares) < len(node.items):
            return shares  # an item is wrong: whether the rest fits together cannot be told
        for index in range(1, len(shares)):
            if shares[index] <= shares[index - 1]:
                message = "each step must be more than the one before"
                faults.add(
                    "steps-not-ascending", node.items[index].place, message, "put them in ascending order"
                )
        if shares[-1] != 1.0:
            faults.add("steps-end", node.items[-1].place, "the last step must be 100%", "add 100% at the end")
        return shares


class Ranges(Record):
    """How many replicas; `max` follows `min` where it is left out."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the Range, if it is one."""
        least = values.get("min", 1)
        most = values.get("max", max(least, 1))
        if least > most:
            place = key_place(node, "min" if "min" in node.entries else "max")
            faults.add(
                "min-above-max",
                place,
                f"min is {least}, above max, which is {most}",
                "raise max or lower min",
            )
            return WRONG
        return Range(min=least, max=most)

    def plain(self, value: Any) -> Any:
        """Return both ends."""
        return {"min": value.min, "max": value.max}


UNITS = {"in_flight": "number", "rate": "number", "latency": "duration", "cpu": "percentage"}
SAMPLES = {"in_flight": "8", "rate": "50", "latency": "300ms", "cpu": "70%"}


class Scales(Record):
    """What the autoscaler follows; the goal's unit depends on it."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the Scale."""
        on = values.get("on", "in_flight")
        kind, goal = values.pop("goal", (None, Scale().goal))
        if kind is None and on != "in_flight":
            mend = f"add goal: {SAMPLES[on]}"
            faults.add("missing-key", key_place(node, "on"), f"scaling on {on} needs a goal", mend)
        if kind is not None and (kind != UNITS[on] or goal <= 0):
            message = f"the goal of {on} is a {UNITS[on]} above 0"
            faults.add("goal-unit", key_place(node, "goal"), message, f"as in goal: {SAMPLES[on]}")
        scale = Scale(**values, goal=goal)
        if scale.panic_window_s > scale.window_s:
            place = key_place(node, "panic_window" if "panic_window" in node.entries else "window")
            faults.add("windows-swapped", place, "the panic window must be the shorter of the two")
        return scale

    def plain(self, value: Any) -> Any:
        """Return the keys, the goal in its unit."""
        written = {"latency": duration_text, "cpu": percentage_text}.get(value.on, number_text)
        return {**super().plain(value), "on": value.on, "goal": written(value.goal)}


class Lifecycles(Record):
    """When objects are archived and deleted."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the Lifecycle."""
        cycle = Lifecycle(**values)
        if cycle.archive_s and 0 < cycle.delete_s <= cycle.archive_s:
            message = "objects would be deleted before they are archived"
            faults.add("deleted-first", key_place(node, "delete"), message, "make delete later than archive")
        return cycle


class Backups(Record):
    """How often copies are made and how long they are kept."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the Backup."""
        if values["keep_s"] < values["every_s"]:
            message = "a copy would be gone before the next one is made"
            faults.add(
                "kept-too-short", key_place(node, "keep"), message, "keep copies at least one interval long"
            )
        return self.build(**values)


class Secrets(Record):
    """Where a secret is read from. The variable is the secret's name in capitals unless said otherwise."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the SecretSource."""
        if values["source"] == "file" and "key" not in values and "key" not in node.entries:
            message = "a secret from a file needs the file's path"
            faults.add("missing-key", node.label, message, "add key: <path of the file>")
            return WRONG
        return SecretSource(**{"key": variable_of(values["name"]), **values})

    def plain(self, value: Any) -> Any:
        """Return the keys, without a variable that follows from the name."""
        found = super().plain(value)
        if value.source == "env" and value.key == variable_of(value.name):
            found.pop("key", None)
        return found


def variable_of(secret: str) -> str:
    """Return the environment variable that a secret is read from and handed over in."""
    return secret.upper()


class Services(Sited):
    """A service: with room to scale, it scales; what may go to zero must be able to come back."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the service."""
        replicas = values.get("replicas", Range())
        unsaid = "scale" not in node.entries or replicas.min == 0
        if values.get("scale") is None and replicas.max > replicas.min and unsaid:
            values["scale"] = Scale()
        _spoken(values, node, faults)
        if len(values.get("route", "")) > 1:
            values["route"] = values["route"].rstrip("/")
        return super().finish(values, node, faults)


class Agents(Sited):
    """A pool of agents: with room to scale, it scales; it never goes to zero, for its timers need a host."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the pool."""
        replicas = values.get("replicas", Range())
        if replicas.min == 0:
            message = "agents have timers and mail, which need a host"
            faults.add("agents-at-zero", key_place(node, "replicas"), message, "let min be 1 or more")
        if values.get("scale") is None and "scale" not in node.entries and replicas.max > replicas.min:
            values["scale"] = Scale()
        if len(values.get("route", "")) > 1:
            values["route"] = values["route"].rstrip("/")
        return super().finish(values, node, faults)


def _spoken(values: dict[str, Any], node: Mapping, faults: Faults) -> None:
    """Refuse a protocol that what is run cannot speak, and a check in a protocol that it does not."""
    protocol = values.get("protocol", "http1")
    if protocol != "http1" and "app" in node.entries:
        message = f"an app is served by uvicorn, which speaks HTTP/1.1 and not {protocol}"
        mend = "give a command whose server does, such as: command: hypercorn --bind 127.0.0.1:$PORT app:app"
        faults.add("app-speaks-http1", key_place(node, "protocol"), message, mend)
    health: Health = values.get("health", Health())
    if health.grpc and protocol != "grpc":
        place = key_place(node, "health")
        faults.add("grpc-health", place, "the health protocol of gRPC needs protocol: grpc")
    elif health.grpc and health.path:
        place = key_place(node, "health")
        faults.add("grpc-health", place, "health is asked by path or by grpc, not by both", "leave one out")


class Above(msgspec.Struct, frozen=True):
    """The part of the spec under `approvals: above:`."""

    blast_radius: float = 1.0


class Approvals(msgspec.Struct, frozen=True):
    """The part of the spec under `approvals:`."""

    above: Above = Above()


class Whole(Record):
    """The system itself: the root of a spec."""

    def finish(self, values: dict[str, Any], node: Mapping, faults: Faults) -> Any:
        """Return the System, with its sites and guards completed."""
        values.pop("version", None)
        approvals: Approvals = values.pop("approvals", Approvals())
        guards: Guards = values.get("guards", Guards())
        values["guards"] = msgspec.structs.replace(guards, approve_above=approvals.above.blast_radius)
        return System(**{**values, **_sites(values, node, faults)})

    def plain(self, value: Any) -> Any:
        """Return the keys; sites are left out where they are the implicit one."""
        system: System = value
        approvals = Approvals(above=Above(blast_radius=system.guards.approve_above))
        found: dict[str, Any] = {"version": 1}
        for key, field in self.fields.items():
            if key in ("version", "approvals"):
                continue
            each = getattr(system, field.attr)
            if key == "services":  # at a site, the hosts of agents are among them
                each = {name: service for name, service in each.items() if name not in system.agents}
            if field.required or each != self._default(field.attr):
                found[key] = field.shape.plain(each)
        if approvals != Approvals():
            found["approvals"] = self.fields["approvals"].shape.plain(approvals)
        if system.sites == {IMPLICIT_SITE: Site(name=IMPLICIT_SITE)}:
            found.pop("sites", None)
        elif system.sites:
            found["default_site"] = system.default_site
        return {key: each for key, each in found.items() if each not in ({}, None)}


def _sites(values: dict[str, Any], node: Mapping, faults: Faults) -> dict[str, Any]:
    """Return the sites and which of them is meant when none is named."""
    written = node.get("sites")
    named = list(written.entries) if isinstance(written, Mapping) else []
    if not named:
        if values.get("default_site", IMPLICIT_SITE) != IMPLICIT_SITE:
            _no_default(values["default_site"], [IMPLICIT_SITE], node, faults)
        return {"sites": {IMPLICIT_SITE: Site(name=IMPLICIT_SITE)}, "default_site": IMPLICIT_SITE}
    default = values.get("default_site")
    if default is None and "default_site" not in node.entries:
        default = IMPLICIT_SITE if IMPLICIT_SITE in named or len(named) > 1 else named[0]
    if default is not None and default not in named:
        _no_default(default, named, node, faults)
    return {"default_site": default or named[0]}


def _no_default(default: str, named: list[str], node: Mapping, faults: Faults) -> None:
    given = node.get("default_site")
    if isinstance(given, Scalar):
        near = closest(default, named)
        mend = f'did you mean "{near}"?' if near else f"one of {', '.join(named)}"
        faults.add("unknown-site", given.place, f"no site is named {quoted(default)}", mend)
    else:
        message = f"{len(named)} sites, and none is said to be the default"
        faults.add("no-default-site", node.entries["sites"].key, message, f"add default_site: {named[0]}")


def windows(values: tuple[Freeze, ...]) -> int:
    """Return how many minutes of the week are frozen, windows that overlap counted once."""
    frozen = set[int]()
    for each in values:
        end = each.end_min if each.end_min > each.start_min else each.end_min + 10_080
        frozen.update(minute % 10_080 for minute in range(each.start_min, end))
    return len(frozen)


HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0}
"""Hours of a period; a month is a twelfth of a year of 8760 hours."""


def hourly(limit: Money) -> float:
    """Return the limit in US dollars an hour."""
    return limit.usd / HOURS[limit.per]
