"""Replicas that die, hang or lie about their health: out of rotation, replaced, and the evidence is kept."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.faults.rig import WITHIN_S, Rig, Traffic, rigged, send, until

SPEC = """version: 1
system: NAME
gateway: {port: PORT}
services:
"""
SERVICE = """  SERVICE:
    command: exec PYTHON app.py
    env: {ORDERS: "ORDERS_FOLDER"}
    replicas: {min: 2, max: 4}
    health: {path: /healthz, start_timeout: 30s, unhealthy_after: 1s}
    resilience: {timeout: 1s}
    route: /SERVICE
    drain: 1s
    rollout: {steps: [100%], bake: 0s}
"""
FAULTS = {
    "killed": "",
    "stopped": "",
    "ended": "all-die",
    "silent": "all-hang",
    "blocked": "all-block",
    "lying": "500",
    "idle": "hang",
}
"""Each fault is tried on a service of its own, all of them at the same time."""
SIGNALS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
MAY_FAIL = {"lying": "500"}
"""What may reach a caller besides good answers: an error is an answer, too."""


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Rig]:
    """A system with a service for each fault."""
    spec = SPEC + "".join(SERVICE.replace("SERVICE", each) for each in FAULTS)
    with rigged(tmp_path, spec) as made:
        yield made


def test_each_is_replaced_and_no_request_is_lost(many: Rig) -> None:
    """Seven faults at once: callers get their answers, and each victim is replaced."""
    sent = {name: Traffic(many.port, per_s=16, path=f"/{name}") for name in FAULTS}
    time.sleep(1)
    for name in FAULTS:
        harm(many, name)
    took_s = {name: until(lambda n=name: healed(many, n), name) for name in FAULTS}  # type: ignore[misc]
    fates = {name: each.end() for name, each in sent.items()}
    wrong = {name: each for name, each in fates.items() if set(each) - {"ok", MAY_FAIL.get(name, "ok")}}
    assert ({}, True) == (wrong, fates["lying"]["500"] < 40)
    assert sum(took_s.values()) < WITHIN_S
    evidence(many)


def harm(many: Rig, service: str) -> None:
    """Do to a service's first replica what the service is named after."""
    replica = f"{service}-1"
    if service in SIGNALS:
        send(many.pid(replica), SIGNALS[service])
    else:
        many.order(replica, FAULTS[service])


def healed(many: Rig, service: str) -> bool:
    """Whether two replicas of a service are ready and the first is none of them."""
    ready = {each.id for each in many.replicas().values() if each.ready and each.workload == service}
    return len(ready) >= 2 and f"{service}-1" not in ready


def evidence(many: Rig) -> None:
    """Insist that what the dead left behind can still be read."""
    assert "last words" in many.lamp("logs", "ended").out
    dead = {each.id: each.exit for each in many.seen().replicas if each.exit}
    assert (3, signal.SIGKILL) == (dead["ended-1"].code, dead["killed-1"].signal)
    assert "MiB when last looked at" in dead["killed-1"].cause
    decision = next(each for each in many.lamp("ledger").out.splitlines() if "in place of ended-1" in each)
    assert "ended-1 ended with code 3" in many.lamp("explain", decision.split()[3]).out
