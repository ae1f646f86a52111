"""Troubles: what goes wrong in a story at a set time, one by one, each a value that can be left out.

Besides them `faults` go wrong by chance. A trouble names its kind, when it begins, for how long it lasts,
what it befalls and how bad it is; `befalling` knows what that comes to. Values only.
"""

from typing import NamedTuple

from lamplighter.model.value import Instant, Value


class Trouble(Value):
    """One thing that goes wrong. `subject`: a workload or a source; what `size` is, its kind says."""

    kind: str
    at: Instant
    for_s: float = 0.0
    subject: str = ""
    size: float = 1.0


class Sort(NamedTuple):
    """What a kind of trouble is, and from what its length and size are drawn.

    `on`: what its subject is. `lasts_s` and `sizes` are ranges; a length of (0, 0) is a moment.
    """

    meaning: str
    on: str = ""
    lasts_s: tuple[float, float] = (0.0, 0.0)
    sizes: tuple[float, float] = (1.0, 1.0)


REPLICAS = {
    "crash": Sort("so many live replicas of a workload end by themselves", "workload", sizes=(1, 3)),
    "vanish": Sort("a replica ends and its record is lost with it", "workload", sizes=(1, 2)),
    "hang": Sort("a replica stops answering, and wakes up later", "workload", (1, 300)),
    "hang-for-good": Sort("a replica stops answering for ever", "workload"),
    "lie": Sort("a replica passes its checks and fails its requests", "workload", (5, 120)),
    "leak": Sort("a replica uses more and more memory", "workload"),
    "checks-flap": Sort(
        "a replica passes and fails its checks in turns of so many seconds", "workload", (5, 60), (0.5, 5)
    ),
    "crash-loop": Sort("what starts ends before it is ready", "workload", (5, 240), (0.6, 1.0)),
    "late-crash": Sort("what starts ends so many seconds after it is ready", "workload", (5, 240), (1, 30)),
    "slow-start": Sort("what starts takes so much longer", "workload", (10, 240), (5, 90)),
    "never-ready": Sort("what starts never passes its checks", "workload", (5, 180)),
    "deaf": Sort("what is told to end does not, until it is killed", "workload", (10, 300)),
}
"""What befalls replicas."""

MACHINE = {
    "reboot": Sort("everything dies at once and comes back empty", lasts_s=(2, 60), sizes=(0, 1)),
    "gateway-restart": Sort("the gateway forgets all shares and its configuration"),
    "supervisor-restart": Sort(
        "nothing answers for a while, and what was answered is forgotten", "", (1, 10)
    ),
}
"""What befalls the machine. A reboot of size 0.5 or more loses the records of what died too."""

SOURCES = {
    "silent": Sort("a source says that it cannot answer", "source", (1, 2400)),
    "stuck": Sort("a source repeats what it said last, with its old date", "source", (1, 2400)),
    "flapping": Sort(
        "a source answers and is silent in turns of about so many seconds", "source", (10, 600), (1, 20)
    ),
    "unanswered": Sort("a reading of all sources never ends", "", (1, 120)),
    "late": Sort("facts are so many seconds old", "source", (5, 600), (0.5, 4.5)),
    "gaps": Sort("so many of all values cannot be had", "", (5, 600), (0.02, 0.5)),
    "blips": Sort("so many of all checks fail though nothing is wrong", "", (5, 300), (0.005, 0.1)),
    "contradictions": Sort("health praises what has ended, loads do not add up", "", (5, 600), (0.1, 1.0)),
    "health-lies": Sort(
        "health says that a replica fails its checks, which passes them", "workload", (1, 30)
    ),
    "load-lies": Sort("loads are said to be so many times what they are", "workload", (5, 300), (0, 5)),
    "list-short": Sort("a replica is left out where all are listed", "workload", (0.5, 3.5)),
}
"""What befalls facts."""

ANSWERS = {
    "orders-lost": Sort("an order does not arrive, and nobody says so", "", (5, 300), (0.3, 1.0)),
    "answers-lost": Sort("an order is carried out, and the answer is lost", "", (5, 300), (0.3, 1.0)),
    "orders-late": Sort("an order arrives so many seconds later, unannounced", "", (5, 300), (0.5, 4.5)),
    "orders-doubled": Sort("an order arrives again so many seconds later", "", (5, 300), (0.1, 20)),
    "refusals": Sort("the target refuses what it is asked", "", (5, 300), (0.3, 1.0)),
    "slow-answers": Sort("an answer takes up to so many seconds", "", (5, 300), (1, 9)),
}
"""What befalls actions on their way."""

MAINTAINERS = {
    "killed": Sort(
        "the maintainer is killed at one of its next steps, and a successor starts", "", (0.5, 30)
    ),
    "deposed": Sort("the maintainer stands still, is succeeded, and wakes up again", "", (1, 120)),
    "standing-still": Sort(
        "the maintainer stands still, with nobody in its place, and wakes up", "", (1, 60)
    ),
    "rival": Sort("a second maintainer tries to take over from one that lives"),
    "wall-jump": Sort("the wall clock is set so many seconds off", sizes=(-200_000, 200_000)),
    "disk-full": Sort("nothing can be written but so many more passes", "", (5, 300), (0, 6)),
    "disk-slow": Sort("a write takes up to so many seconds", "", (5, 120), (0.5, 30)),
}
"""What befalls the maintainer and what it writes to."""

LOAD = {
    "burst": Sort("requests are so many times what they were", "workload", (2, 240), (1.5, 8)),
    "lull": Sort("hardly any requests come", "workload", (5, 400), (0, 0.2)),
}
"""What befalls the load."""

KINDS: dict[str, Sort] = {**REPLICAS, **MACHINE, **SOURCES, **ANSWERS, **MAINTAINERS, **LOAD}
"""Every kind of trouble, by its name."""

OUTAGES = ("silent", "stuck", "flapping", "unanswered")
"""Kinds that are outages of telemetry."""
EVERYTHING = "all"
"""The subject of an outage of all sources at once."""
