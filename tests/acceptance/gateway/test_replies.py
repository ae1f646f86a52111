"""What the gateway answers itself, and how that differs from what an app answers."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable

from tests.acceptance.gateway.rig import Answer, Gateway, Upstream, ask, free_port, until

from lamplighter.targets.local.gateway import Endpoint

Start = Callable[..., Upstream]


def asked(gateway: Gateway, path: str, healthy: int, method: str = "GET") -> Answer:
    """One answer, once so many replicas are healthy."""

    async def story() -> Answer:
        await until(lambda: len(gateway.healthy()) == healthy)
        return await ask(gateway.table.port, path, method)

    return asyncio.run(story())


def test_no_replica(gateway: Gateway) -> None:
    """A service without replicas answers 503 `no-replica`, says so in JSON and when to come back."""
    gateway.start()
    answer = asked(gateway, "/search/x", 0)
    assert (503, "no-replica", "1") == (answer.status, answer.reason, answer.headers["retry-after"])
    assert ("no-replica", "search") == tuple(json.loads(answer.body)[key] for key in ("error", "service"))


def test_unreachable(gateway: Gateway) -> None:
    """Replicas that accept no connection make 503 `unreachable`."""
    gateway.start(Endpoint("gone", free_port()))
    answer = asked(gateway, "/search/x", 0)
    assert (503, "unreachable", "1") == (answer.status, answer.reason, answer.headers["retry-after"])


def test_overloaded(gateway: Gateway, replica: Start) -> None:
    """Above `max_in_flight` a request gets 503 `overloaded` at once; those within are served."""
    gateway.start(replica("a").endpoint(), max_in_flight=5)

    async def story() -> list[Answer]:
        await until(lambda: gateway.healthy() == {"a"})
        return list(await asyncio.gather(*(ask(gateway.table.port, "/search/busy/0.5") for _ in range(20))))

    answers = asyncio.run(story())
    assert {(200, ""): 5, (503, "overloaded"): 15} == Counter((a.status, a.reason) for a in answers)
    assert 15 == gateway.read().overloaded
    assert 0 == gateway.read().retries


def test_timeout(gateway: Gateway, replica: Start) -> None:
    """A POST without an answer in time gets 504 `timeout`, and is not told to come back."""
    gateway.start(replica("a").endpoint(), timeout_s=0.3)
    answer = asked(gateway, "/search/busy/5", 1, "POST")
    assert (504, "timeout", None) == (answer.status, answer.reason, answer.headers.get("retry-after"))


def test_no_route(gateway: Gateway, replica: Start) -> None:
    """A path nobody serves gets 404 `no-route`."""
    gateway.start(replica("a").endpoint())
    answer = asked(gateway, "/elsewhere", 1)
    assert (404, "no-route") == (answer.status, answer.reason)


def test_an_apps_own_error_is_not_marked(gateway: Gateway, replica: Start) -> None:
    """A 503 that the app answered is passed on as it is, with no reason of the gateway's."""
    gateway.start(replica("a").endpoint())
    answer = asked(gateway, "/search/status/503", 1)
    assert (503, "", "a") == (answer.status, answer.reason, answer.origin)
