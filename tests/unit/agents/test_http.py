"""Agents over HTTP: each request its answer, each fault its status, and nothing twice under one key."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.unit.agents.crew import Critic, Reader, looped

from lamplighter.runtime import Agent, Message, Runtime, Turn
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.agents.http import Ingress, Limits
from lamplighter.runtime.agents.kinds import registry

LIMITS = Limits(body_bytes=2000, batch_bytes=4000, in_flight=4)


class Wait(Message):
    """Never answered."""


class Sleeper(Agent):
    """Does not come back."""

    class Config:
        """Room for one that waits."""

        mailbox = 1

    async def on_wait(self, turn: Turn, wait: Wait) -> None:
        """Sleep."""
        del wait
        await turn.sleep(3600)


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    json: Any


class Edge:
    """An ingress as a client sees it."""

    def __init__(self, ingress: Ingress) -> None:
        """Call it as a server would."""
        self.ingress = ingress

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        """Post a value as JSON; bytes as they stand."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.call("POST", path, [content], headers)

    async def call(self, method: str, path: str, parts: Iterable[bytes], headers: dict[str, str]) -> Reply:
        """Make one request, its body in parts."""
        chunks = [*parts]
        events = [{"type": "http.request", "body": each, "more_body": True} for each in chunks[:-1]]
        events.append({"type": "http.request", "body": chunks[-1], "more_body": False})
        sent: list[Any] = []

        async def receive() -> Any:
            return events.pop(0)

        async def send(event: Any) -> None:
            sent.append(event)

        path, _, query = path.partition("?")
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
        await self.ingress({**scope, "headers": named}, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = sent[1]["body"]
        return Reply(sent[0]["status"], told, json.loads(body) if "json" in told["content-type"] else body)


@asynccontextmanager
async def edge(folder: Path, limits: Limits = LIMITS) -> AsyncIterator[Edge]:
    """One host and its ingress."""
    sockets = [folder / "sock"]
    agents = [Reader, Critic, Sleeper]
    async with (
        Runtime(folder / "host", agents, sockets=sockets, partitions=4) as runtime,
        Caller(sockets, partitions=4) as caller,
    ):
        yield Edge(Ingress(caller, runtime.kinds, limits=limits))


@looped
async def test_answer(tmp_path: Path) -> None:
    """A message is answered by what its handler returns."""
    async with edge(tmp_path) as at:
        reply = await at.post("/agents/reader/1", {"type": "Ask", "q": "zip"})
    assert (200, {"type": "Answer", "text": "zip"}) == (reply.status, reply.json)


@looped
async def test_type_left_out(tmp_path: Path) -> None:
    """Where a kind takes one message only, its name may be left out."""
    async with edge(tmp_path) as at:
        reply = await at.post("/agents/critic/1", {"n": 3})
    assert (200, 3) == (reply.status, reply.json)


@looped
async def test_prefix_taken(tmp_path: Path) -> None:
    """What a gateway took of the path counts."""
    async with edge(tmp_path) as at:
        reply = await at.post("/1", {"n": 3}, x_forwarded_prefix="/agents/critic")
        whole = await at.post("/critic/1", {"n": 4}, x_forwarded_prefix="/agents")
    assert [3, 7] == [reply.json, whole.json]


@looped
async def test_accepted(tmp_path: Path) -> None:
    """Who prefers not to wait is answered once the message is durable."""
    async with edge(tmp_path) as at:
        replies = [
            await at.post("/agents/critic/1", {"n": 3}, prefer="respond-async"),
            await at.post("/agents/critic/1?wait=0", {"n": 3}),
        ]
        total = await at.post("/agents/critic/1", {"n": 0})
    assert ([202, 202], 6) == ([each.status for each in replies], total.json)


@looped
async def test_key(tmp_path: Path) -> None:
    """One key is one turn, with the same answer to whoever asks again."""
    async with edge(tmp_path) as at:
        first = await at.post("/agents/critic/1", {"n": 3}, idempotency_key="a")
        again = await at.post("/agents/critic/1", {"n": 3}, idempotency_key="a")
        other = await at.post("/agents/critic/1", {"n": 3}, idempotency_key="b")
    assert [3, 3, 6] == [each.json for each in (first, again, other)]


@looped
async def test_key_survives(tmp_path: Path) -> None:
    """A key is known to the host's next life, and to another ingress."""
    async with edge(tmp_path) as at:
        await at.post("/agents/critic/1", {"n": 3}, idempotency_key="a", prefer="respond-async")
    async with edge(tmp_path) as at:
        again = await at.post("/agents/critic/1", {"n": 3}, idempotency_key="a")
        total = await at.post("/agents/critic/1", {"n": 0})
    assert [3, 3] == [again.json, total.json]


@looped
async def test_keys_at_once(tmp_path: Path) -> None:
    """A retry that overtakes its first try waits for the same turn."""
    async with edge(tmp_path) as at:
        replies = await asyncio.gather(
            *(at.post("/agents/critic/1", {"n": 3}, idempotency_key="a") for _ in range(3))
        )
    assert [3, 3, 3] == [each.json for each in replies]


@looped
async def test_nothing_kept_without_key(tmp_path: Path) -> None:
    """A host forgets the session of a request that had no key."""
    async with edge(tmp_path) as at, Caller([tmp_path / "sock"], partitions=4):
        for _ in range(3):
            await at.post("/agents/critic/1", {"n": 1})
    async with Runtime(tmp_path / "host", [Reader, Critic, Sleeper], partitions=4) as runtime:
        marks = [mark for seat in runtime.host.context.seats if seat for mark in seat.partition.desk.marks]
    assert len(marks) <= 1, "the last may not have been told of"


@looped
async def test_batch(tmp_path: Path) -> None:
    """Each of a batch has a result of its own, in their order."""
    items = [{"to": "1", "n": 1}, {"to": "2", "n": "?"}, {"n": 1}, {"to": "1", "n": 2}]
    async with edge(tmp_path) as at:
        reply = await at.post("/agents/critic", items)
    assert [200, 422, 422, 200] == [each["status"] for each in reply.json]
    assert [1, 3] == [reply.json[0]["answer"], reply.json[3]["answer"]]


@looped
async def test_lines(tmp_path: Path) -> None:
    """A batch may be one object a line, and its key holds for each of it."""
    lines = b'{"to":"1","n":1}\n\n{"to":"1","n":1}\n'
    async with edge(tmp_path) as at:
        first = await at.post("/agents/critic", lines, idempotency_key="a")
        again = await at.post("/agents/critic", lines, idempotency_key="a")
    assert [1, 2] == [each["answer"] for each in first.json]
    assert first.json == again.json


FAULTS: list[tuple[str, str, Any, int, str]] = [
    ("POST", "/agents/nobody/1", {}, 404, "unknown-agent-kind"),
    ("POST", "/agents/nobody", [], 404, "unknown-agent-kind"),
    ("POST", "/elsewhere", {}, 404, "unknown-agent-kind"),
    ("POST", "/agents", {}, 404, "no-such-path"),
    ("GET", "/agents/critic/1", {}, 405, "not-post"),
    ("POST", "/agents/critic/1", {"n": "?"}, 422, "unknown-message"),
    ("POST", "/agents/critic/1", {"type": "Ask", "q": ""}, 422, "unknown-message"),
    ("POST", "/agents/reader/1", {"q": "no type"}, 422, "unknown-message"),
    ("POST", "/agents/critic/1", b"{", 422, "unknown-message"),
    ("POST", "/agents/critic/1", b'{"n": "\xff"}', 422, "unknown-message"),
    ("POST", f"/agents/critic/{'x' * 600}", {"n": 1}, 400, "bad-request"),
    ("POST", "/agents/critic", {"n": 1}, 200, ""),
    ("POST", "/agents/critic", b"[1", 400, "bad-request"),
    ("POST", "/agents/critic", [], 400, "bad-request"),
    ("POST", "/agents/critic/1?wait=long", {"n": 1}, 400, "bad-request"),
    ("POST", "/agents/critic/1", {"n": 1, "x": "x" * 3000}, 413, "body-too-large"),
    ("POST", "/agents/reader/1", {"type": "Fail", "times": 9}, 500, "handler-failed"),
    ("POST", "/agents/reader/1", {"type": "Grow", "size": 1500}, 500, "state-too-large"),
    ("POST", "/agents/sleeper/1?wait=0.1", {}, 504, "ask-timeout"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), FAULTS)
@looped
async def test_faults(tmp_path: Path, method: str, path: str, body: Any, status: int, code: str) -> None:
    """Each fault has its status, and its code in the body and in the counts."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with edge(tmp_path) as at:
        reply = await at.call(method, path, [content], {})
        assert (status, code) == (reply.status, reply.json.get("code", "") if code else "")
        assert not code or 1 == at.ingress.counts[code]


@looped
async def test_body_in_parts(tmp_path: Path) -> None:
    """A body that grows too large as it comes is not read to its end."""
    async with edge(tmp_path) as at:
        reply = await at.call("POST", "/agents/critic/1", [b"x" * 1500] * 3, {})
    assert (413, "close") == (reply.status, reply.headers["connection"])


@looped
async def test_full_mailbox(tmp_path: Path) -> None:
    """An agent whose mailbox is full is refused at once; others go on."""
    async with edge(tmp_path) as at:
        for _ in range(2):
            await at.post("/agents/sleeper/1", {}, prefer="respond-async")
        reply = await at.post("/agents/sleeper/1", {}, idempotency_key="a")
        other = await at.post("/agents/critic/1", {"n": 1})
    assert (429, "overloaded", "1") == (reply.status, reply.json["code"], reply.headers["retry-after"])
    assert 200 == other.status


@looped
async def test_full_ingress(tmp_path: Path) -> None:
    """No more messages wait at an ingress than it may have; it has room again once they are gone."""
    async with edge(tmp_path) as at:
        waiting = [asyncio.create_task(at.post(f"/agents/sleeper/{n}?wait=0.3", {})) for n in range(4)]
        await asyncio.sleep(0.1)
        refused = await at.post("/agents/critic/1", {"n": 1})
        await asyncio.gather(*waiting)
        after = await at.post("/agents/critic/1", {"n": 1})
    assert [429, 200] == [refused.status, after.status]


@looped
async def test_nobody_there(tmp_path: Path) -> None:
    """A shard that nobody holds is waited for, and then 503; it goes on once somebody does."""
    async with Caller([tmp_path / "sock"], partitions=4, patience_s=0.2) as caller:
        at = Edge(Ingress(caller, registry([Critic])))
        reply = await at.post("/agents/critic/1", {"n": 1})
        asked = asyncio.create_task(at.post("/agents/critic/1", {"n": 1}, idempotency_key="a"))
        async with edge(tmp_path):
            assert 200 == (await asked).status
    assert (503, "agents-unreached", "1") == (reply.status, reply.json["code"], reply.headers["retry-after"])


@looped
async def test_health_and_metrics(tmp_path: Path) -> None:
    """An ingress says whether it is ready, and what became of what was asked."""
    async with edge(tmp_path) as at:
        await at.post("/agents/critic/1", {"n": 1})
        health = await at.call("GET", "/healthz", [b""], {})
        metrics = await at.call("GET", "/metrics", [b""], {})
    assert (200, {"ready": True}) == (health.status, health.json)
    assert b'lamp_agents_messages_total{outcome="answered"} 1' in metrics.json
