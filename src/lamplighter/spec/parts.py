"""The smaller records of the spec: what a service, a site or a pool is made of."""

from lamplighter.model import system as model
from lamplighter.spec import references, words
from lamplighter.spec.records import UNITS, Ranges, Scales, Steps
from lamplighter.spec.shapes import Field, Named, Record, Short
from lamplighter.spec.words import duration, number, percentage, whole

REPLICAS_MAX = 10_000

GATEWAY = Record(
    model.GatewayPolicy,
    "the gateway",
    (
        Field(
            "port",
            whole(1, 65_535, "a port from 1 to 65535"),
            "The system's one public port.",
            default="8080",
        ),
        Field(
            "host",
            references.HOST,
            "The address to listen on; 0.0.0.0 is every network of this machine.",
            default="127.0.0.1",
        ),
    ),
)

SITE = Record(
    model.Site,
    "a site",
    (
        Field(
            "target",
            words.choice("local", "swarm", "kubernetes", "ray", "simulated"),
            "What runs the workloads at this site.",
            default="local",
        ),
        Field("region", references.NOTE, "The region, for prices and for placement."),
        Field("context", references.NOTE, "The kubectl or Docker context that reaches the site."),
        Field(
            "address",
            references.NOTE,
            "The host and port of the site's head or manager, where there is no context.",
        ),
    ),
)

PYTHON = Record(
    model.Python,
    "the Python environment",
    (
        Field(
            "requirements",
            references.FILE,
            "The lock file (uv.lock, pylock.toml) or requirements file, below the workload's folder.",
            required=True,
        ),
        Field(
            "version",
            references.PYTHON_VERSION,
            "The interpreter's version; the one that runs lamp if left out.",
        ),
    ),
)

REPLICAS = Short(
    Ranges(
        model.Range,
        "a range of replicas",
        (
            Field(
                "min",
                whole(0, REPLICAS_MAX),
                "The fewest; 0 lets the service go to zero while no one asks (scale: idle).",
                default="1",
            ),
            Field(
                "max",
                whole(1, REPLICAS_MAX),
                "The most; a rollout may exceed it by its surge.",
                default="min",
            ),
        ),
    ),
    whole(0, REPLICAS_MAX, "a number of replicas"),
    lambda count: model.Range(min=count, max=max(count, 1)),
    lambda wanted: wanted.min if wanted.max == max(wanted.min, 1) else None,
)

SCALE = Scales(
    model.Scale,
    "scaling",
    (
        Field("on", words.choice(*UNITS), "What load is measured by.", default="in_flight"),
        Field(
            "goal",
            words.GOAL,
            "The load of one replica to aim at: requests in flight, requests a second (rate), p99 (latency), "
            "or a share of the cpu it asks for (cpu).",
            default="8",
        ),
        Field(
            "window",
            duration(1, 86_400),
            "How long load is averaged before replicas go away.",
            attr="window_s",
            default="1m",
        ),
        Field(
            "panic_window",
            duration(1, 3600),
            "The short window: a rise within it adds replicas at once. It never takes any away.",
            attr="panic_window_s",
            default="6s",
        ),
        Field(
            "idle",
            duration(1, 2_592_000),
            "With replicas: {min: 0}, how long it must have had nothing to do before its last replica goes.",
            attr="idle_s",
            default="5m",
        ),
    ),
)

RESOURCES = Record(
    model.Resources,
    "resources",
    (
        Field("cpu", number(0, 1024), "Cores that one replica asks for.", default="no limit"),
        Field(
            "memory",
            words.SIZE,
            "Memory that one replica may take; beyond it is replaced.",
            attr="memory_bytes",
            default="no limit",
        ),
        Field("gpu", number(0, 64), "GPUs, or a share of one."),
    ),
)

HEALTH = Record(
    model.Health,
    "health",
    (
        Field(
            "path",
            references.PATH,
            "Must answer 200 to 399 when the replica can serve. Without it, a TCP connect must do.",
        ),
        Field(
            "grpc",
            words.FLAG,
            "Ask by the gRPC health protocol instead, for the server as a whole.",
            default="false",
        ),
        Field(
            "start_timeout",
            duration(0.1, 86_400),
            "How long a replica may take from its start until it is ready.",
            attr="start_timeout_s",
            default="1m",
        ),
        Field(
            "unhealthy_after",
            duration(0.1, 86_400),
            "How long a replica may fail its checks before it is drained and replaced.",
            attr="unhealthy_after_s",
            default="3s",
        ),
    ),
)

CHECK = Record(
    model.Check,
    "a check",
    (
        Field(
            "get", references.PATH, "The path to ask, with its query, at the service itself.", required=True
        ),
        Field(
            "expect",
            Record(
                model.Expect,
                "the expected answer",
                (
                    Field("status", whole(100, 599), "The status.", default="200"),
                    Field("json", words.JSON_PATH, "A JSON path at which the body must have a value."),
                    Field(
                        "matches", references.PATTERN, "A regular expression that must be found in the body."
                    ),
                ),
            ),
            "What the answer must look like.",
            default="status 200",
        ),
    ),
)

ROLLOUT = Record(
    model.RolloutPolicy,
    "a rollout",
    (
        Field(
            "steps",
            Steps(percentage(), "a list of percentages", least=1, unique=False),
            "Shares of the traffic that a new release is given, one after the other.",
            default="[5%, 25%, 100%]",
        ),
        Field(
            "bake",
            duration(0, 604_800),
            "How long each step is watched before the next.",
            attr="bake_s",
            default="2m",
        ),
        Field(
            "surge",
            whole(0, 100),
            "How many replicas may be there beyond max meanwhile; with 0 one ends before another starts.",
            default="1",
        ),
    ),
)

REPAIR = Record(
    model.Repair,
    "repair",
    (
        Field(
            "attempts",
            whole(1, 1000),
            "Repairs within the window after which a person is asked.",
            default="5",
        ),
        Field(
            "window",
            duration(1, 604_800),
            "The window in which repairs are counted.",
            attr="window_s",
            default="10m",
        ),
        Field(
            "backoff",
            duration(0, 3600),
            "The wait before the second repair; it doubles each time.",
            attr="backoff_s",
            default="1s",
        ),
    ),
)

RESILIENCE = Record(
    model.Resilience,
    "resilience",
    (
        Field(
            "timeout",
            duration(0, 86_400),
            "The longest wait for the head of an answer; 0s waits on.",
            attr="timeout_s",
            default="no limit",
        ),
        Field(
            "retries",
            whole(0, 10),
            "How often a call that may be repeated is sent to another replica.",
            default="2",
        ),
        Field(
            "breaker",
            Record(
                model.Breaker,
                "a breaker",
                (
                    Field(
                        "errors", percentage(), "The share of failed calls at which it opens.", default="50%"
                    ),
                    Field(
                        "window",
                        duration(0.1, 3600),
                        "The window in which calls are counted.",
                        attr="window_s",
                        default="10s",
                    ),
                ),
            ),
            "A circuit breaker: opens when too many calls fail.",
        ),
        Field(
            "fallback", words.choice("cached"), "What callers get when nothing answers: the last good answer."
        ),
        Field(
            "hedge",
            words.FLAG,
            "Whether a slow call that may be repeated is sent to a second replica.",
            default="false",
        ),
    ),
)

OBJECTIVE = Record(
    model.Objective,
    "an objective",
    (
        Field("availability", percentage(), "The share of calls that must succeed."),
        Field(
            "latency",
            Named(words.QUANTILE, duration(0.000_001, 86_400), "quantiles", most=10),
            "The longest that calls may take, by quantile: {p99: 300ms}.",
            attr="latency_s",
        ),
        Field(
            "window",
            duration(60, 31_536_000),
            "The window that both are judged over.",
            attr="window_s",
            default="30d",
        ),
    ),
)
