"""What was seen in one run, for the table, the picture and the exit code. Values only."""

from dataclasses import dataclass, field
from typing import NamedTuple


class NotHeldError(Exception):
    """Something that the story promises did not come about; the message is the promise.

    `evidence` is more that was seen, in many lines or none.
    """

    def __init__(self, promise: str, evidence: str = "") -> None:
        super().__init__(promise)
        self.evidence = evidence


class Mark(NamedTuple):
    """A moment to show in the picture; `at` is monotonic."""

    at: float
    label: str


class Promise(NamedTuple):
    """Something that must hold, whether it did, and what was seen."""

    what: str
    held: bool
    seen: str = ""


class Look(NamedTuple):
    """The replicas at one moment: how many serve, by release, and how many are on their way in or out."""

    at: float
    serving: dict[str, int]
    starting: int = 0
    draining: int = 0


class Repaired(NamedTuple):
    """One repair: who was killed with how much in flight, and the time to its successor's first answer."""

    replica: str
    in_flight: int
    took_s: float


class Acted(NamedTuple):
    """One action of the maintainer, from the ledger; `at_s` counts from the beginning of the story."""

    at_s: float
    controller: str
    what: str
    because: str


class Replayed(NamedTuple):
    """What `lamp replay` came to; `unlike` passes decided otherwise."""

    passes: int
    decisions: int
    unlike: int


@dataclass(slots=True)
class Record:
    """Everything of one run. Moments are monotonic seconds; `began_wall` is when it began since 1970.

    The picture ends at `drawn_until`, when the library has gone down; 0 if it did not come to that.
    """

    began: float = 0.0
    began_wall: float = 0.0
    ended: float = 0.0
    marks: list[Mark] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    repairs: list[Repaired] = field(default_factory=list)
    acted: list[Acted] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    replayed: Replayed | None = None
    ledger: str = ""
    drawn_until: float = 0.0

    def promise(self, what: str, *, held: bool, seen: str = "") -> None:
        """Note whether something held; the story goes on."""
        self.promises.append(Promise(what, held, seen))

    @property
    def broken(self) -> list[Promise]:
        """What did not hold."""
        return [each for each in self.promises if not each.held]
