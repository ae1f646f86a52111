"""What is wanted: the System, as a spec says it, with every default filled in.

Values only. Durations are seconds (`_s`), sizes bytes (`_bytes`), shares fractions between 0 and 1,
money US dollars (`_usd`). `spec` makes these from text; nothing here knows of YAML.
"""

from collections.abc import Collection
from typing import ClassVar, Literal, TypeVar

import msgspec

from lamplighter.model.naming import kind_name
from lamplighter.model.value import Value


class Run(Value):
    """How a workload is started: an ASGI app, a command that listens on `$PORT`, or an image.

    For agents it is the arguments of their host's process.
    """

    kind: Literal["app", "command", "image", "agents"]
    value: str


class Python(Value):
    """The Python environment of a workload: a lock file and, if pinned, an interpreter version."""

    requirements: str
    version: str = ""


class Range(Value):
    """How many replicas: at least `min`, at most `max` (a rollout may exceed it by its surge)."""

    min: int = 1
    max: int = 1


class Scale(Value):
    """What the autoscaler follows.

    `goal` is per replica: requests in flight, requests/s (`rate`), seconds at p99 (`latency`), or
    share of the cpu request (`cpu`). `window_s` is the calm window, `panic_window_s` the short one,
    which only ever scales up. A workload whose `min` is 0 goes to zero once it is known to have had
    nothing to do for `idle_s`.
    """

    LATER: ClassVar[tuple[str, ...]] = ("idle_s",)

    on: Literal["in_flight", "rate", "latency", "cpu"] = "in_flight"
    goal: float = 8.0
    window_s: float = 60.0
    panic_window_s: float = 6.0
    idle_s: float = 300.0


class Resources(Value):
    """What one replica asks for. Memory is watched and acted on; 0 means no limit."""

    cpu: float = 0.0
    memory_bytes: int = 0
    gpu: float = 0.0


class Health(Value):
    """How a replica shows that it can serve: `path` must answer 200 to 399; without one, a TCP connect.

    With `grpc` it is asked by the gRPC health protocol for the server as a whole instead. A replica must
    be ready `start_timeout_s` after its start. One that fails its checks for `unhealthy_after_s` is
    drained and replaced.
    """

    LATER: ClassVar[tuple[str, ...]] = ("grpc",)

    path: str = ""
    grpc: bool = False
    start_timeout_s: float = 60.0
    unhealthy_after_s: float = 3.0


class Expect(Value):
    """What a check expects: a status, and a value at a JSON path or a pattern in the body."""

    status: int = 200
    json: str = ""
    matches: str = ""


class Check(Value):
    """One question to ask of a new release, and what its answer must look like."""

    get: str
    expect: Expect = Expect()


class RolloutPolicy(Value):
    """Steps of traffic for a new release; `bake_s` between them; `surge` replicas beyond `max`."""

    steps: tuple[float, ...] = (0.05, 0.25, 1.0)
    bake_s: float = 120.0
    surge: int = 1


class Repair(Value):
    """Bound on recovery: after `attempts` repairs within `window_s` a person is asked."""

    attempts: int = 5
    window_s: float = 600.0
    backoff_s: float = 1.0


class Breaker(Value):
    """Circuit breaker: opens when `errors` (a share) of the calls within `window_s` fail."""

    errors: float = 0.5
    window_s: float = 10.0


class Resilience(Value):
    """How calls to a workload are protected. `timeout_s` bounds the wait for response headers."""

    timeout_s: float = 0.0
    retries: int = 2
    breaker: Breaker | None = None
    fallback: str = ""
    hedge: bool = False


class Objective(Value):
    """A service level objective: availability (a share) and latency (quantile to seconds)."""

    availability: float = 0.0
    latency_s: dict[str, float] = {}
    window_s: float = 2_592_000.0


class Service(Value):
    """A workload that answers requests. `at` holds the same service as wanted at another site.

    `protocol` is what its replicas speak; its callers may speak any of them to the gateway. `routes` are
    paths of the gateway besides `route`.
    """

    LATER: ClassVar[tuple[str, ...]] = ("protocol", "routes")

    name: str
    run: Run
    protocol: Literal["http1", "http2", "grpc"] = "http1"
    folder: str = "."
    python: Python | None = None
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    replicas: Range = Range()
    scale: Scale | None = None
    resources: Resources = Resources()
    health: Health = Health()
    route: str = ""
    routes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    drain_s: float = 30.0
    rollout: RolloutPolicy = RolloutPolicy()
    repair: Repair = Repair()
    resilience: Resilience = Resilience()
    objective: Objective | None = None
    site: str = ""
    at: dict[str, "Service"] = {}


AGENTS = "/agents"
"""The path of the gateway below which agents are reached."""


class AgentPool(Value):
    """A workload of many durable agents that talk to each other, spread over `partitions`.

    `agent` names classes (`module:Class`) or modules, which stand for all agents in them. Partitions are
    dealt to `shards`, and those to the hosts that there are; both numbers hold for as long as the pool's
    folder does. Without a `route` it is reached below `/agents`.
    """

    LATER: ClassVar[tuple[str, ...]] = (
        "shards",
        "scale",
        "start_timeout_s",
        "route",
        "drain_s",
        "rollout",
        "repair",
        "resilience",
    )

    name: str
    agent: tuple[str, ...]
    partitions: int = 64
    shards: int = 8
    folder: str = "."
    python: Python | None = None
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    replicas: Range = Range()
    scale: Scale | None = None
    resources: Resources = Resources()
    start_timeout_s: float = 60.0
    route: str = ""
    drain_s: float = 30.0
    rollout: RolloutPolicy = RolloutPolicy()
    repair: Repair = Repair()
    resilience: Resilience = Resilience()
    site: str = ""
    at: dict[str, "AgentPool"] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of the gateway: what `route` says, else one for each class, or for all agents."""
        if self.route:
            return (self.route,)
        return paths_of(self.agent)

    def service(self) -> Service:
        """Return the service that its hosts are: what is started, watched, rolled out and scaled."""
        first, *others = self.paths
        hosts = f"--agents {','.join(self.agent)} --partitions {self.partitions} --shards {self.shards}"
        return Service(
            name=self.name,
            run=Run(kind="agents", value=hosts),
            folder=self.folder,
            python=self.python,
            env=self.env,
            secrets=self.secrets,
            needs=self.needs,
            replicas=self.replicas,
            scale=self.scale,
            resources=self.resources,
            health=Health(path="/healthz", start_timeout_s=self.start_timeout_s),
            route=first,
            routes=tuple(others),
            drain_s=self.drain_s,
            rollout=self.rollout,
            repair=self.repair,
            resilience=self.resilience,
            site=self.site,
        )


def paths_of(agents: Collection[str]) -> tuple[str, ...]:
    """Return the gateway's paths for agents: one for each class; for a module all of `/agents`."""
    classes = [each.rpartition(":")[2] for each in agents if ":" in each]
    if len(classes) < len(agents):
        return (AGENTS,)
    return tuple(dict.fromkeys(f"{AGENTS}/{kind_name(each.rpartition('.')[2])}" for each in classes))


class Job(Value):
    """A workload that ends: once, or on a cron `schedule` in the system's time zone."""

    name: str
    command: str
    runs_on: Literal["process", "ray", "spark"] = "process"
    schedule: str = ""
    deadline_s: float = 0.0
    spot: bool = False
    checkpoint_s: float = 0.0
    folder: str = "."
    python: Python | None = None
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resources: Resources = Resources()
    site: str = ""
    at: dict[str, "Job"] = {}


class Site(Value):
    """A place to run: a target with its region, and how to reach it."""

    name: str
    target: Literal["local", "swarm", "kubernetes", "ray", "simulated"] = "local"
    region: str = ""
    context: str = ""
    address: str = ""


class GatewayPolicy(Value):
    """The system's one public port and the address that it listens on."""

    port: int = 8080
    host: str = "127.0.0.1"


class Queue(Value):
    """A named stream of messages and the broker that carries it."""

    name: str
    broker: Literal["nats", "kafka", "rabbitmq"]


class Backup(Value):
    """How often a store is copied, and for how long copies are kept."""

    every_s: float
    keep_s: float


class Lifecycle(Value):
    """When stored objects move to cheaper storage and when they are deleted; 0 is never."""

    archive_s: float = 0.0
    delete_s: float = 0.0


class Store(Value):
    """A place for data: objects, files or a database."""

    name: str
    kind: Literal["object", "volume", "postgres", "sqlite"]
    backup: Backup | None = None
    lifecycle: Lifecycle | None = None


class SecretSource(Value):
    """Where a secret's value is read from: an environment variable or a file, by name."""

    name: str
    source: Literal["env", "file"]
    key: str


class Money(Value):
    """A limit on spending over a period."""

    usd: float
    per: Literal["hour", "day", "week", "month"] = "month"


class Tenant(Value):
    """Who shares the system: a weight for fair shares, and a budget."""

    name: str
    share: float = 1.0
    budget: Money | None = None


class Freeze(Value):
    """A weekly window in which nothing is rolled out. Minutes count from Monday 00:00, local time."""

    start_min: int
    end_min: int
    text: str = ""


class Guards(Value):
    """What the loop may do without asking.

    At most `actions` in `window_s`; at most `at_risk`, a share of a workload's capacity, stopped or
    starved at a time (never less than one replica); an action whose blast radius is above
    `approve_above` waits for a person.
    """

    actions: int = 120
    window_s: float = 600.0
    at_risk: float = 0.5
    approve_above: float = 1.0


class System(Value):
    """All that is wanted of one system, at one site: every default filled in."""

    name: str
    gateway: GatewayPolicy = GatewayPolicy()
    timezone: str = "UTC"
    default_site: str = "here"
    sites: dict[str, Site] = {}
    services: dict[str, Service] = {}
    agents: dict[str, AgentPool] = {}
    jobs: dict[str, Job] = {}
    queues: dict[str, Queue] = {}
    stores: dict[str, Store] = {}
    secrets: dict[str, SecretSource] = {}
    tenants: dict[str, Tenant] = {}
    budget: Money | None = None
    freeze: tuple[Freeze, ...] = ()
    guards: Guards = Guards()

    def at(self, site: str) -> "System":
        """Return the system as wanted at `site`: overrides applied, other sites' workloads left out.

        What is left out is also taken from what others need and call. The hosts of each pool of agents stand
        among the services, under its name.
        """
        services, agents, jobs = _here(self.services, site), _here(self.agents, site), _here(self.jobs, site)
        services |= {name: each.service() for name, each in agents.items()}
        there = {*services, *agents, *jobs}
        return msgspec.structs.replace(
            self,
            default_site=site,
            services={name: _among(each, there) for name, each in services.items()},
            agents={name: _among(each, there) for name, each in agents.items()},
            jobs={name: _among(each, there) for name, each in jobs.items()},
        )


Workload = TypeVar("Workload", Service, AgentPool, Job)


def _here(named: dict[str, Workload], site: str) -> dict[str, Workload]:
    chosen = {name: each.at.get(site, each) for name, each in named.items()}
    return {name: each for name, each in chosen.items() if each.site in ("", site)}


def _among(workload: Workload, there: set[str]) -> Workload:
    changes: dict[str, object] = {"at": {}, "needs": tuple(each for each in workload.needs if each in there)}
    if isinstance(workload, AgentPool):
        changes["calls"] = tuple(each for each in workload.calls if each in there)
    return msgspec.structs.replace(workload, **changes)
