"""Agents in `lamp.yaml`: up, asked through the gateway, looked into, killed, rolled out, scaled, down, up."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.acceptance.agents.deployed import Writers, post, up, write
from tests.acceptance.cli.conftest import Prototype, prototype

__all__ = ["prototype"]


@pytest.fixture
def swarm(prototype: Prototype) -> Iterator[Prototype]:
    """Return a pool of agents that is up."""
    write(prototype)
    up(prototype)
    yield prototype
    prototype.lamp("down")


def test_a_pool_serves_is_looked_into_and_survives_down(swarm: Prototype) -> None:
    """What agents keep outlives `down`; on the way the command shows it, and every fault has its answer."""
    path = "/agents/line-keeper/1"
    assert [(200, 1), (200, 1)] == [
        post(swarm, path, {"type": "Put", "n": 7}, idempotency_key="a") for _ in range(2)
    ]
    assert {"line-keeper": 1, "tally": 1} == swarm.lamp("agents", "ls", "--json").json["kinds"]
    assert [7] == swarm.lamp("agents", "show", "line-keeper/1", "--json").json["state"]["numbers"]
    sent = swarm.lamp("agents", "send", "line-keeper/1", '{"type": "Put", "n": 8}', "--json")
    assert {"answer": 2} == sent.json
    asked = {"Fail": "", "Grow": "", "Wait": "0?wait=0.2", "Put": ""}
    statuses = [post(swarm, f"{path}{more}", {"type": kind})[0] for kind, more in asked.items()]
    assert [500, 500, 504, 422] == statuses
    letters = swarm.lamp("agents", "deadletters", "--json").json["letters"]
    assert {"handler-failed", "state-too-large"} == {each["reason"].split(":")[0] for each in letters}
    assert 0 == swarm.lamp("down").code
    up(swarm)
    assert (200, [7, 8]) == post(swarm, path, {"type": "Look"})


@pytest.mark.heavy
def test_nothing_acknowledged_is_lost_or_doubled(swarm: Prototype) -> None:
    """A host is killed, a release rolled out and back, hosts go from two to four to two: all under load."""
    writers = Writers(swarm, writers=4, agents=5)
    try:
        time.sleep(1)
        os.kill(swarm.pids()[0], signal.SIGKILL)
        time.sleep(3)
        for old, new in (
            ("WORD: one", "WORD: two"),
            ("replicas: 2", "replicas: 4"),
            ("replicas: 4", "replicas: 2"),
        ):
            swarm.edit(old, new)
            up(swarm)
            time.sleep(1)
        assert 0 == swarm.lamp("rollback", "swarm").code
    finally:
        writers.end()
    held = {agent: looked(swarm, agent) for agent in writers.acknowledged}
    assert writers.acknowledged == held
    assert writers.statuses["200"] >= 0.99 * writers.statuses.total(), "the gateway tries again by the key"
    assert sum(map(len, held.values())) == tallied(swarm, sum(map(len, held.values())))


def looked(swarm: Prototype, agent: str) -> Any:
    """What an agent has written down."""
    return post(swarm, f"/agents/line-keeper/{agent}", {"type": "Look"})[1]


def tallied(swarm: Prototype, wanted: int) -> Any:
    """What was counted across shards, once as much has come or time is up."""
    until = time.monotonic() + 20
    while True:
        found = post(swarm, "/agents/tally/all", {"n": 0})[1]
        if found == wanted or time.monotonic() > until:
            return found
        time.sleep(0.2)
