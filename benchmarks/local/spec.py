"""The spec of the system that is measured: one service that runs `workloads/work.py`. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

SYSTEM, SERVICE = "bench", "work"
MEAN_SERVICE_S = 0.1
"""What `work.py` takes for a request on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of `lamp`; `spec` makes the text of a lamp.yaml from it.

    Args:
        replicas: fewest and most.
        slots: requests that a replica works on at once; its capacity is `slots / MEAN_SERVICE_S` a second.
        start_s: how long the app blocks before it listens, beyond what starting Python takes.
        goal: requests in flight that a replica should have.
        window_s: of the calm window, before replicas go away.
        idle_s: with none as the fewest: how long it must have been idle before the last one goes.
        drain_s: the longest that requests in flight are waited for.
        steps, bake_s: of a rollout.
        mark: any text; another one makes another release.
        env: more environment for the app.
    """

    replicas: tuple[int, int]
    slots: int = 16
    start_s: float = 0.0
    goal: float = 8.0
    window_s: float = 60.0
    idle_s: float = 300.0
    drain_s: float = 30.0
    steps: tuple[str, ...] = ("25%", "100%")
    bake_s: float = 3.0
    mark: str = "first"
    env: dict[str, str] = field(default_factory=dict)

    @property
    def nominal_rate(self) -> float:
        """Requests a second that one replica bears if nothing but its slots limits it."""
        return self.slots / MEAN_SERVICE_S


def spec(wish: Wish, port: int) -> str:
    """Return the lamp.yaml (in its JSON form, which YAML contains) for a gateway on `port`."""
    least, most = wish.replicas
    env = {"WORK_SLOTS": str(wish.slots), "START_S": f"{wish.start_s:g}", "WORK_MARK": wish.mark, **wish.env}
    service: dict[str, Any] = {
        "app": "work:app",
        "route": "/",
        "env": env,
        "replicas": {"min": least, "max": most},
        "health": {"path": "/healthz"},
        "drain": f"{wish.drain_s:g}s",
        "rollout": {"steps": list(wish.steps), "bake": f"{wish.bake_s:g}s", "surge": 1},
    }
    if most > least:
        service["scale"] = {"on": "in_flight", "goal": wish.goal, "window": f"{wish.window_s:g}s"}
        if not least:
            service["scale"]["idle"] = f"{wish.idle_s:g}s"
    whole = {"version": 1, "system": SYSTEM, "gateway": {"port": port}, "services": {SERVICE: service}}
    return json.dumps(whole, indent=1) + "\n"
