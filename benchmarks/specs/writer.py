"""Sound specs at random: every field of the spec is met within a few hundred of them.

Written by hand against the reference, not drawn from the parser's own description, so that a slip in
that description shows.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import yaml

Data = dict[str, Any]

SITES = ("here", "lab", "prod", "edge-2")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
SIZES = ("Mi", "M", "Ki", "Gi", "G", "MiB", "kB", "B")
NAMES = ("search", "model", "web", "api", "index", "ask", "embed-2", "a", "front", "rank")


@dataclass(frozen=True, slots=True)
class Draft:
    """A sound spec as data, with the names that are in it."""

    data: Data
    services: tuple[str, ...]
    secrets: tuple[str, ...]
    sites: tuple[str, ...]


def draft(chance: Random) -> Draft:
    """Return a sound spec."""
    names = chance.sample(NAMES, 7)
    sites = ("here", *chance.sample(SITES[1:], chance.randint(0, 3)))
    secrets = tuple(chance.sample(("model_key", "db_password", "token2"), chance.randint(0, 3)))
    services = tuple(names[: chance.randint(1, 4)])
    ground = _Ground(chance, services, secrets, sites)
    data: Data = {"system": chance.choice(("library", "x", "lab-7", "a" * 40))}
    parts = {
        "version": lambda: 1,
        "gateway": ground.gateway,
        "timezone": lambda: chance.choice(ZONES),
        "sites": lambda: {site: ground.site(site) for site in sites},
        "agents": lambda: {names[4]: ground.agents()},
        "jobs": lambda: {names[5]: ground.job()},
        "queues": lambda: {"events": {"broker": chance.choice(("nats", "kafka", "rabbitmq"))}},
        "stores": lambda: {"shelf_1": ground.store(), "rows": {"kind": "postgres"}},
        "tenants": lambda: {"lab-a": ground.tenant(), "lab_b": {}},
        "budget": ground.money,
        "freeze": ground.freezes,
        "guards": ground.guards,
        "approvals": lambda: ground.some({"above": lambda: ground.some({"blast_radius": ground.percent})}),
    }
    data |= ground.some(parts)
    if len(sites) > 1:
        data["sites"] = {site: ground.site(site) for site in sites}
    if "sites" in data:
        data |= ground.some({"default_site": lambda: chance.choice(sites)})
    data["services"] = {name: ground.service(number) for number, name in enumerate(services)}
    if secrets:
        data["secrets"] = {name: ground.secret() for name in secrets}
    keys = list(data)
    chance.shuffle(keys)
    return Draft({key: data[key] for key in keys}, services, secrets, sites)


class _Ground:
    """What one spec is drawn from."""

    def __init__(
        self, chance: Random, services: tuple[str, ...], secrets: tuple[str, ...], sites: tuple[str, ...]
    ) -> None:
        self.chance = chance
        self._services = services
        self._secrets = secrets
        self._sites = sites

    def some(self, parts: dict[str, Any]) -> Data:
        """Return about half of the parts."""
        return {key: make() for key, make in parts.items() if self.chance.random() < 0.5}

    def duration(self, least_s: float = 0, most_s: float = 3000) -> str:
        """Return a duration between bounds, in some unit."""
        seconds = self.chance.uniform(least_s, most_s)
        forms = [f"{seconds:.3f}s", f"{round(seconds * 1000)}ms"]
        if seconds >= max(60, least_s + 60):
            forms += [f"{int(seconds // 60)}m", f"{seconds / 3600:.3f}h"]
        return self.chance.choice(forms) if seconds >= least_s + 0.01 else f"{most_s:g}s"

    def percent(self) -> str:
        """Return a percentage above 0."""
        return self.chance.choice(("5%", "50%", "99.9%", "100%", "0.01%", f"{self.chance.randint(1, 100)}%"))

    def money(self) -> str:
        """Return a limit on spending."""
        per = self.chance.choice(("hour", "day", "week", "month"))
        return f"{self.chance.choice(('500', '0.25', '12.345'))} USD/{per}"

    def size(self) -> str:
        """Return a size."""
        return f"{self.chance.randint(1, 900)}{self.chance.choice(SIZES)}"

    def gateway(self) -> Data:
        """Return a gateway."""
        hosts = ("127.0.0.1", "0.0.0.0", "::1", "localhost")  # noqa: S104 - a spec may say so
        return self.some(
            {"port": lambda: self.chance.randint(1, 65535), "host": lambda: self.chance.choice(hosts)}
        )

    def site(self, name: str) -> Data:
        """Return a site; the first is always this machine, so that plans can be made."""
        targets = ("local",) if name == "here" else ("local", "swarm", "kubernetes", "ray", "simulated")
        return self.some(
            {
                "target": lambda: self.chance.choice(targets),
                "region": lambda: "eu-west-1",
                "context": lambda: "kind-prod@1",
                "address": lambda: "10.0.0.7:2377",
            }
        )

    def shared(self) -> Data:
        """Return what every kind of workload may have."""
        chance = self.chance
        python = {
            "requirements": chance.choice(("uv.lock", "env/requirements.txt")),
            **self.some({"version": lambda: "3.12"}),
        }
        env = {"LIBRARY_LANG": "en", "N": 3, "DEBUG": True, "EMPTY": "", "TEXT": "a: b # c", "ON": "on"}
        parts: dict[str, Any] = {
            "folder": lambda: chance.choice((".", "services/a b", "x")),
            "python": lambda: python,
            "env": lambda: dict(chance.sample(sorted(env.items(), key=str), 2)),
            "resources": lambda: self.some(
                {"cpu": lambda: chance.choice((0, 1, 0.5, 1.25)), "memory": self.size, "gpu": lambda: 0.25}
            ),
            "site": lambda: chance.choice(self._sites),
        }
        if self._secrets:
            parts["secrets"] = lambda: chance.sample(self._secrets, 1)
        return self.some(parts)

    def replicas(self, least: int = 0) -> Any:
        """Return a number or a range."""
        if self.chance.random() < 0.3:
            return self.chance.randint(least, 6)
        low = self.chance.randint(least, 4)
        return {"min": low, "max": max(1, low + self.chance.randint(0, 6))}

    def service(self, number: int) -> Data:
        """Return a service; it may need those before it, and has a route of its own."""
        chance, name = self.chance, self._services[number]
        way, text = chance.choice(
            (
                ("app", "library.search:app"),
                ("command", "python -m serve --port $PORT"),
                ("image", "ghcr.io/x/y:1.4"),
            )
        )
        data = {way: text, **self.shared(), **self._running(name)}
        if way != "app":
            data |= self.some({"protocol": lambda: chance.choice(("http1", "http2", "grpc"))})
        if data.get("protocol") == "grpc" and chance.random() < 0.5:
            data["health"] = {"grpc": True}
        if number and chance.random() < 0.5:
            data["needs"] = chance.sample(self._services[:number], 1)
        if chance.random() < 0.5 and "protocol" not in data:
            data["at"] = {site: self.override(name) for site in chance.sample(self._sites, 1)}
        return data

    def _running(self, name: str) -> Data:
        chance = self.chance
        return self.some(
            {
                "replicas": self.replicas,
                "scale": self.scale,
                "health": lambda: self.some(
                    {
                        "path": lambda: "/healthz?deep=1",
                        "start_timeout": lambda: self.duration(0.1),
                        "unhealthy_after": lambda: self.duration(0.1),
                    }
                ),
                "route": lambda: chance.choice((f"/{name}", f"/{name}/")),
                "checks": lambda: [self.check(), {"get": "/"}],
                "drain": self.duration,
                "rollout": self.rollout,
                "repair": lambda: self.some(
                    {"attempts": lambda: 3, "window": lambda: self.duration(1), "backoff": self.duration}
                ),
                "resilience": self.resilience,
                "objective": self.objective,
            }
        )

    def override(self, name: str) -> Data:
        """Return what is different at a site: any key of a service, some of them taken back."""
        chance = self.chance
        data = {**self.shared(), **self._running(f"{name}-at")}
        data.pop("site", None)
        data["replicas"] = self.replicas()
        data |= self.some({"needs": list, "drain": lambda: None, "scale": lambda: None})
        way = chance.choice(("app", "command", "image", ""))
        if way in {"command", "image"} and chance.random() < 0.3:
            data |= {"protocol": "grpc", "health": {"grpc": True, "path": None}}
        texts = {"app": "other.main:app", "command": "./run.sh", "image": "y@sha256:" + "0f" * 32}
        return data | ({way: texts[way]} if way else {})

    def scale(self) -> Data:
        """Return what the autoscaler follows, the goal in its unit."""
        on = self.chance.choice(("in_flight", "rate", "latency", "cpu"))
        goal = {"in_flight": 8, "rate": 12.5, "latency": "300ms", "cpu": "70%"}[on]
        windows = {
            "window": lambda: "2m",
            "panic_window": lambda: self.duration(1, 50),
            "idle": lambda: self.duration(1),
        }
        return {"on": on, "goal": goal, **self.some(windows)}

    def check(self) -> Data:
        """Return a check with what it expects."""
        parts = {"status": lambda: 200, "json": lambda: "$.answers[0]['a b']", "matches": lambda: r"^a+\d"}
        return {"get": "/ask?q=zip", **self.some({"expect": lambda: self.some(parts)})}

    def rollout(self) -> Data:
        """Return a rollout."""
        steps = self.chance.choice((["100%"], ["5%", "25%", "100%"], ["0.5%", "100%"]))
        return self.some(
            {"steps": lambda: steps, "bake": self.duration, "surge": lambda: self.chance.randint(1, 5)}
        )

    def resilience(self) -> Data:
        """Return how calls are protected."""
        breaker = {"errors": self.percent, "window": lambda: self.duration(0.1)}
        return self.some(
            {
                "timeout": self.duration,
                "retries": lambda: self.chance.randint(0, 10),
                "breaker": lambda: self.some(breaker),
                "fallback": lambda: "cached",
                "hedge": lambda: self.chance.random() < 0.5,
            }
        )

    def objective(self) -> Data:
        """Return an objective."""
        latency = {"p50": self.duration(0.01), "p999": "2s"}
        parts = {"availability": self.percent, "latency": lambda: latency, "window": lambda: "30d"}
        return self.some(parts)

    def agents(self) -> Data:
        """Return an agent pool, sometimes different at a site."""
        more = {
            "partitions": lambda: self.chance.randint(1, 4096),
            "calls": lambda: list(self._services),
            "needs": lambda: [self._services[0]],
            "replicas": lambda: self.replicas(1),
            "shards": lambda: self.chance.randint(1, 256),
            "scale": self.scale,
            "start_timeout": lambda: self.duration(0.1),
            "route": lambda: "/swarm/",
            "drain": self.duration,
            "rollout": self.rollout,
            "repair": lambda: self.some(
                {"attempts": lambda: 3, "window": lambda: self.duration(1), "backoff": self.duration}
            ),
            "resilience": self.resilience,
        }
        agent = self.chance.choice(("library.swarm:Reader", ["library.swarm", "library.swarm:Critic"]))
        data = {"agent": agent, **self.shared(), **self.some(more)}
        over = {"agent": "library.swarm:Other", **self.shared(), **self.some(more)}
        over.pop("site", None)
        return data | self.some({"at": lambda: {self._sites[-1]: over}})

    def job(self) -> Data:
        """Return a job, sometimes different at a site."""
        schedules = ("0 2 * * *", "*/15 0-6 1,15 jan-mar mon", "5 4 * * 7", "0 0 31 */2 *")
        more = {
            "runs_on": lambda: self.chance.choice(("process", "ray", "spark")),
            "schedule": lambda: self.chance.choice(schedules),
            "deadline": lambda: self.duration(1),
            "spot": lambda: True,
            "checkpoint": lambda: self.duration(1),
            "needs": lambda: [self._services[-1]],
        }
        data = {"command": "python -m library.index", **self.shared(), **self.some(more)}
        over = {"command": "make index", **self.shared(), **self.some(more)}
        over.pop("site", None)
        return data | self.some({"at": lambda: {self._sites[0]: over}})

    def store(self) -> Data:
        """Return a store."""
        cycle = {"archive": lambda: "30d", "delete": lambda: "365d"}
        return {
            "kind": self.chance.choice(("object", "volume", "postgres", "sqlite")),
            **self.some(
                {"backup": lambda: {"every": "1h", "keep": "7d"}, "lifecycle": lambda: self.some(cycle)}
            ),
        }

    def secret(self) -> Data:
        """Return where a secret is read."""
        forms: tuple[Data, ...] = (
            {"from": "env"},
            {"from": "env", "key": "OTHER"},
            {"from": "file", "key": "/run/x"},
        )
        return self.chance.choice(forms)

    def tenant(self) -> Data:
        """Return a tenant."""
        return self.some({"share": lambda: self.chance.choice((1, 2.5)), "budget": self.money})

    def freezes(self) -> list[str]:
        """Return weekly windows."""
        windows = ("Fri 18:00 - Mon 08:00", "Wed 00:00 - Wed 00:01", "Sun 23:59 - Mon 00:00")
        return self.chance.sample(windows, self.chance.randint(0, 3))

    def guards(self) -> Data:
        """Return the guards."""
        return self.some(
            {
                "actions": lambda: self.chance.choice((1, 30, 1000)),
                "window": lambda: self.duration(1),
                "at_risk": lambda: self.chance.choice(("0%", "50%", "100%")),
            }
        )


def written(made: Draft, chance: Random) -> str:
    """Return the spec as text, in one of the styles that people write YAML in."""
    return text_of(made.data, chance)


def text_of(data: Any, chance: Random) -> str:
    """Return data as YAML in some style: block, flow or mixed, narrow or wide, with comments."""
    style = chance.choice((None, None, False, True))
    text: str = yaml.dump(
        data,
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        default_flow_style=style,
        sort_keys=False,
        indent=chance.choice((2, 4)),
        width=chance.choice((60, 110, 10_000)),
        allow_unicode=chance.random() < 0.5,
    )
    return f"# a comment\n{text}\n# the end\n" if chance.random() < 0.3 else text


def touched(data: Any) -> set[str]:
    """Return the dotted paths of the schema's fields that are in the data."""
    from lamplighter.spec.schema import schema  # noqa: PLC0415 - a benchmark may run without it

    return _touched(data, schema(), "")


def _touched(data: Any, part: Data, above: str) -> set[str]:
    found: set[str] = set()
    for each in part.get("anyOf", ()):
        found |= _touched(data, each, above)
    if isinstance(data, dict):
        known, named = part.get("properties", {}), part.get("additionalProperties")
        for key, value in data.items():
            if key in known:
                found |= {f"{above}{key}", *_touched(value, known[key], f"{above}{key}.")}
            elif isinstance(named, dict):
                found |= _touched(value, named, f"{above}*.")
    if isinstance(data, list) and "items" in part:
        for value in data:
            found |= _touched(value, part["items"], f"{above.removesuffix('.')}[].")
    return found
