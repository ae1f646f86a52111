"""What simulated hours came to, for people and for programs."""

from collections import Counter
from collections.abc import Mapping

from lamplighter.faces.cli.render.paint import columns, paint, seconds
from lamplighter.testing.rehearsal import Fare
from lamplighter.testing.runs import Runs

HEAD = (
    "",
    "",
    "answered",
    "worst run",
    "replicas",
    "least-most",
    "none could serve",
    "p99 half the time",
    "at 99%",
)


def compared(results: Mapping[str, Runs]) -> str:
    """Return a table: each service, under each policy, then what was done and what went wrong."""
    rows = [[paint(each, "dim") for each in HEAD]]
    names = sorted({name for each in results.values() for name in each.fares})
    for name in names:
        rows += [
            _row(name if at == 0 else "", policy, each.fares[name], each.worst[name])
            for at, (policy, each) in enumerate(results.items())
            if name in each.fares
        ]
    lines = columns(rows)
    for policy, each in results.items():
        title = f" ({policy})" if len(results) > 1 else ""
        lines += ["", f"done{title}: {_counts(each.actions)}"]
    first = next(iter(results.values()))
    lines += [f"went wrong: {_counts(first.faults)}", *map(_verdict, results.values())]
    return "\n".join(lines)


def plain(runs: Runs) -> dict[str, object]:
    """Return it as plain data: shares, seconds, requests."""
    return {
        "runs": runs.runs,
        "sound": runs.sound,
        "virtual_hours": round(runs.hours, 3),
        "services": {
            name: {
                "asked": round(fare.asked),
                "lost": round(fare.lost, 3),
                "answered": fare.answered,
                "answered_worst_run": runs.worst[name],
                "replicas": fare.replicas,
                "replicas_least": fare.least,
                "replicas_most": fare.most,
                "none_could_serve_longest_s": fare.longest_s,
                "waited_for_first_s": fare.waited_s,
                "latency_p99_s": {"median": fare.latency_s(0.5), "p99": fare.latency_s(0.99)},
            }
            for name, fare in sorted(runs.fares.items())
        },
        "actions": dict(runs.actions),
        "faults": dict(runs.faults),
        "traces": runs.texts,
    }


def _row(name: str, policy: str, fare: Fare, worst: float) -> list[str]:
    least = "?" if fare.least is None else str(fare.least)
    return [
        name,
        policy,
        f"{fare.answered:.3%}",
        f"{worst:.3%}",
        f"{fare.replicas:.2f}",
        f"{least}-{fare.most}",
        seconds(fare.longest_s) if fare.longest_s else "never",
        seconds(fare.latency_s(0.5)),
        seconds(fare.latency_s(0.99)),
    ]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "nothing"


def _verdict(runs: Runs) -> str:
    hours = f"{runs.hours:.1f} virtual hours in {runs.runs} runs"
    if runs.sound == runs.runs:
        return paint(f"{hours}: nothing happened that must never happen, and all came to rest", "green")
    return paint(
        f"{hours}: {runs.runs - runs.sound} not sound, a fault of Lamplighter: please report it", "red"
    )
