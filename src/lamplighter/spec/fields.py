"""The one description of the spec: every key, its shape, its meaning, its default.

The parser, the JSON Schema, the reference and the printer are all made from `SYSTEM`.
"""

from lamplighter.model import system as model
from lamplighter.spec import references, words
from lamplighter.spec.parts import (
    CHECK,
    GATEWAY,
    HEALTH,
    OBJECTIVE,
    PYTHON,
    REPAIR,
    REPLICAS,
    RESILIENCE,
    RESOURCES,
    ROLLOUT,
    SCALE,
    SITE,
)
from lamplighter.spec.records import (
    Above,
    Agents,
    Approvals,
    Backups,
    Lifecycles,
    Secrets,
    Services,
    Way,
    Whole,
)
from lamplighter.spec.shapes import Field, Many, Named, Record, Several
from lamplighter.spec.sited import SITES_MAX, Sited
from lamplighter.spec.words import duration, number, percentage, whole

FOLDER = Field(
    "folder", references.FOLDER, "The folder with the workload's files, below that of lamp.yaml.", default="."
)
PYTHON_FIELD = Field("python", PYTHON, "The Python environment that it runs in.")
ENV = Field(
    "env",
    Named(words.VARIABLE, words.VALUE, "environment variables"),
    "Environment variables, as they stand: nothing is expanded.",
)
SECRETS = Field(
    "secrets",
    Many(words.SECRET, "names of secrets"),
    "Secrets that it gets, each in a variable of its name in capitals.",
)
NEEDS = Field(
    "needs", Many(words.NAME, "names of workloads"), "Workloads that must be ready before it starts."
)
RESOURCES_FIELD = Field("resources", RESOURCES, "What one replica asks for.")
SITE_FIELD = Field("site", words.NAME, "The one site that it runs at; every site if left out.")
REPLICAS_FIELD = Field("replicas", REPLICAS, "How many: a number, or a range to scale in.", default="1")

SERVICE = Services(
    model.Service,
    "a service",
    (
        Field("app", Way("app", references.APP), "An ASGI app, as module:name.", attr="run"),
        Field("command", Way("command", references.COMMAND), "A command that listens on $PORT.", attr="run"),
        Field(
            "image", Way("image", references.IMAGE), "A container image that listens on $PORT.", attr="run"
        ),
        Field(
            "protocol",
            words.choice("http1", "http2", "grpc"),
            "What its replicas speak; callers may speak any of them to the gateway.",
            default="http1",
        ),
        FOLDER,
        PYTHON_FIELD,
        ENV,
        SECRETS,
        NEEDS,
        REPLICAS_FIELD,
        Field("scale", SCALE, "What the number of replicas follows; in_flight if max is above min."),
        RESOURCES_FIELD,
        Field("health", HEALTH, "How a replica shows that it can serve."),
        Field(
            "route",
            references.ROUTE,
            "The path of the gateway under which it is reached; the longest that fits wins.",
        ),
        Field("checks", Many(CHECK, "checks"), "Questions to ask of a new release."),
        Field(
            "drain",
            duration(0, 86_400),
            "How long requests in flight may take to end when a replica goes.",
            attr="drain_s",
            default="30s",
        ),
        Field("rollout", ROLLOUT, "How a new release takes over."),
        Field("repair", REPAIR, "How often repair is tried before a person is asked."),
        Field("resilience", RESILIENCE, "How calls to it are protected."),
        Field("objective", OBJECTIVE, "What its users are promised."),
        SITE_FIELD,
    ),
    one_of=("app", "command", "image"),
)

AGENTS = Agents(
    model.AgentPool,
    "an agent pool",
    (
        Field(
            "agent",
            Several(references.AGENT, "an agent class such as library.swarm:Reader, a module, or several"),
            "What lives in the pool: classes as module:name, or modules with all their agents.",
            required=True,
        ),
        Field(
            "partitions",
            whole(1, 65_536),
            "Into how many parts the agents are divided; parts move, agents do not.",
            default="64",
        ),
        Field(
            "shards",
            whole(1, 256),
            "Into how many journals the parts are dealt, which is how many hosts can share them.",
            default="8",
        ),
        FOLDER,
        PYTHON_FIELD,
        ENV,
        SECRETS,
        NEEDS,
        Field("calls", Many(words.NAME, "names of workloads"), "Workloads that the agents call."),
        REPLICAS_FIELD,
        Field("scale", SCALE, "What the number of hosts follows; in_flight if max is above min."),
        RESOURCES_FIELD,
        Field(
            "start_timeout",
            duration(0.1, 86_400),
            "How long a host may take to open its shards.",
            attr="start_timeout_s",
            default="60s",
        ),
        Field(
            "route",
            references.ROUTE,
            "The path of the gateway before the agents' kinds; /agents/KIND for each class, or /agents for a "
            "module, if left out.",
        ),
        Field(
            "drain",
            duration(0, 86_400),
            "How long requests in flight may take to end when a host goes.",
            attr="drain_s",
            default="30s",
        ),
        Field("rollout", ROLLOUT, "How a new release takes over."),
        Field("repair", REPAIR, "How often repair is tried before a person is asked."),
        Field("resilience", RESILIENCE, "How calls to it are protected."),
        SITE_FIELD,
    ),
)

JOB = Sited(
    model.Job,
    "a job",
    (
        Field(
            "command",
            references.COMMAND,
            "The command; the job has succeeded when it exits with 0.",
            required=True,
        ),
        Field("runs_on", words.choice("process", "ray", "spark"), "What runs it.", default="process"),
        Field(
            "schedule",
            words.SCHEDULE,
            "When it runs: five cron fields, in the system's time zone. Once if left out.",
        ),
        Field(
            "deadline", duration(1, 2_592_000), "How long it may take.", attr="deadline_s", default="no limit"
        ),
        Field("spot", words.FLAG, "Whether it may run on machines that can be taken away.", default="false"),
        Field(
            "checkpoint",
            duration(1, 2_592_000),
            "How often it saves what it has done.",
            attr="checkpoint_s",
            default="never",
        ),
        FOLDER,
        PYTHON_FIELD,
        ENV,
        SECRETS,
        NEEDS,
        RESOURCES_FIELD,
        SITE_FIELD,
    ),
)

QUEUE = Record(
    model.Queue,
    "a queue",
    (
        Field(
            "broker", words.choice("nats", "kafka", "rabbitmq"), "What carries the messages.", required=True
        ),
    ),
)

STORE = Record(
    model.Store,
    "a store",
    (
        Field(
            "kind",
            words.choice("object", "volume", "postgres", "sqlite"),
            "What kind of store.",
            required=True,
        ),
        Field(
            "backup",
            Backups(
                model.Backup,
                "a backup",
                (
                    Field(
                        "every",
                        duration(60, 31_536_000),
                        "How often a copy is made.",
                        attr="every_s",
                        required=True,
                    ),
                    Field("keep", duration(60), "How long a copy is kept.", attr="keep_s", required=True),
                ),
            ),
            "Copies of the store.",
        ),
        Field(
            "lifecycle",
            Lifecycles(
                model.Lifecycle,
                "a lifecycle",
                (
                    Field(
                        "archive",
                        duration(60),
                        "When objects move to cheaper storage.",
                        attr="archive_s",
                        default="never",
                    ),
                    Field(
                        "delete", duration(60), "When objects are deleted.", attr="delete_s", default="never"
                    ),
                ),
            ),
            "What becomes of old objects.",
        ),
    ),
)

SECRET = Secrets(
    model.SecretSource,
    "a secret",
    (
        Field("from", words.choice("env", "file"), "Where the value is read.", attr="source", required=True),
        Field(
            "key",
            references.KEY,
            "The variable (its own name in capitals if left out), or the file's path.",
            default="NAME",
        ),
    ),
)

TENANT = Record(
    model.Tenant,
    "a tenant",
    (
        Field("share", number(0.001, 1_000_000), "Its weight when capacity is short.", default="1"),
        Field("budget", words.MONEY, "What it may spend."),
    ),
)

GUARDS = Record(
    model.Guards,
    "the guards",
    (
        Field("actions", whole(1, 100_000), "The most actions within the window.", default="120"),
        Field(
            "window",
            duration(1, 604_800),
            "The window in which actions are counted.",
            attr="window_s",
            default="10m",
        ),
        Field(
            "at_risk",
            percentage(zero=True),
            "The share of a workload's capacity that may be stopped at a time; one replica always may.",
            default="50%",
        ),
    ),
)

APPROVALS = Record(
    Approvals,
    "approvals",
    (
        Field(
            "above",
            Record(
                Above,
                "a bound",
                (
                    Field(
                        "blast_radius",
                        percentage(zero=True),
                        "The share of a workload's capacity that an action stops.",
                    ),
                ),
            ),
            "Actions above this bound wait for a person's yes.",
        ),
    ),
)

SYSTEM = Whole(
    model.System,
    "a spec",
    (
        Field("version", words.VERSION, "The version of the spec's language.", default="1"),
        Field("system", words.NAME, "The system's name.", attr="name", required=True),
        Field("gateway", GATEWAY, "Where the system listens."),
        Field("timezone", words.TIMEZONE, "The time zone of schedules and freeze windows.", default="UTC"),
        Field(
            "default_site", words.NAME, "The site that is meant when none is named.", default="the only one"
        ),
        Field(
            "sites",
            Named(words.NAME, SITE, "sites", most=SITES_MAX),
            "Places to run.",
            default="here: {target: local}",
        ),
        Field("services", Named(words.WORKLOAD, SERVICE, "services"), "Workloads that answer requests."),
        Field("agents", Named(words.WORKLOAD, AGENTS, "agent pools"), "Workloads of many durable agents."),
        Field("jobs", Named(words.WORKLOAD, JOB, "jobs"), "Workloads that end."),
        Field("queues", Named(words.LABEL, QUEUE, "queues"), "Named streams of messages."),
        Field("stores", Named(words.LABEL, STORE, "stores"), "Places for data."),
        Field(
            "secrets",
            Named(words.SECRET, SECRET, "secrets"),
            "Where the values of secrets are read; never the values.",
        ),
        Field("tenants", Named(words.LABEL, TENANT, "tenants"), "Who shares the system."),
        Field("budget", words.MONEY, "What the whole system may spend."),
        Field(
            "freeze", Many(words.FREEZE, "weekly windows"), "Weekly windows in which nothing is rolled out."
        ),
        Field("guards", GUARDS, "What the loop may do without asking."),
        Field("approvals", APPROVALS, "What needs a person's yes."),
    ),
)
