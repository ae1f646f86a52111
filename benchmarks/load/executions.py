"""Counts how often each request was really carried out, from the file the workloads append to.

A line is `began|done ID PID MOMENT`: the work was taken up, the work had its effect. An id is an idempotency
key or, for requests without one, the load id.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Executions:
    """What the file says.

    Args:
        done: id to how often the work had its effect.
        began: id to how often it was taken up.
    """

    began: Counter[str]
    done: Counter[str]

    @property
    def repeated(self) -> dict[str, int]:
        """The ids whose work had its effect more than once, and how often."""
        return {identity: count for identity, count in self.done.items() if count > 1}

    @property
    def retaken(self) -> dict[str, int]:
        """The ids whose work was taken up more than once: somebody sent the request again."""
        return {identity: count for identity, count in self.began.items() if count > 1}

    @property
    def lost(self) -> set[str]:
        """The ids whose work was taken up and never had its effect."""
        return {identity for identity in self.began if identity not in self.done}


def count_executions(path: Path) -> Executions:
    """Read the file; a line a killed process left unfinished is passed over, a missing file is empty."""
    counts = {"began": Counter[str](), "done": Counter[str]()}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        event, _, rest = line.partition(" ")
        identity, _, pid_and_moment = rest.partition(" ")
        if event in counts and pid_and_moment.count(" ") == 1:
            counts[event][identity] += 1
    return Executions(counts["began"], counts["done"])
