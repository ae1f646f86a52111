"""The transports of httpx: retries by method, headers that travel, the last answer handed on."""

import asyncio

import httpx
import pytest

from lamplighter.runtime.resilience import Priority, Settings, deadline
from lamplighter.runtime.resilience.dependency import Dependency, Registry
from lamplighter.runtime.resilience.http import AsyncTransport, Transport
from lamplighter.runtime.resilience.settings import urls
from lamplighter.runtime.resilience.shedding import PRIORITY


class Server:
    """Answers the statuses given, one after the other, then 200; keeps the requests."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.asked.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 200)


def client(server: Server, **settings: float) -> httpx.Client:
    """Return a client of the server whose retries do not wait."""
    made = Dependency("search", Settings(pause_s=0.0, **settings))  # type: ignore[arg-type]
    return httpx.Client(transport=Transport(None, httpx.MockTransport(server), lambda _: made))


@pytest.mark.parametrize(
    ("method", "key", "expected"),
    [("GET", "", 200), ("POST", "", 503), ("POST", "one", 200), ("PUT", "", 200)],
)
def test_what_may_be_repeated_is(method: str, key: str, expected: int) -> None:
    """A 503 is tried again for methods that may be repeated, and with an idempotency key."""
    headers = {"idempotency-key": key} if key else {}
    with client(Server(503)) as http:
        assert expected == http.request(method, "http://search/", headers=headers).status_code


def test_the_last_answer_is_handed_on() -> None:
    """When tries are used up the caller gets the server's own words."""
    with client(Server(503, 503, 503), retries=0) as http:
        assert 503 == http.get("http://search/").status_code


def test_deadline_and_priority_travel() -> None:
    """What the context says is in the request's headers and its timeouts."""
    server = Server()
    token = PRIORITY.set(Priority.HIGH)
    with client(server) as http, deadline(2.0):
        http.get("http://search/")
    PRIORITY.reset(token)
    asked = server.asked[0]
    left_s = int(asked.headers["x-lamp-deadline-ms"]) / 1000
    assert ("high", True) == (asked.headers["x-lamp-priority"], 1.5 < left_s <= 2.0)
    assert asked.extensions["timeout"]["read"] <= 2.0


def test_coroutines_have_the_same() -> None:
    """The transport of the asynchronous client tries again too."""

    async def story() -> int:
        made = Dependency("search", Settings(pause_s=0.0))
        transport = AsyncTransport(None, httpx.MockTransport(Server(502)), lambda _: made)
        async with httpx.AsyncClient(transport=transport) as http:
            return (await http.get("http://search/")).status_code

    assert 200 == asyncio.run(story())


def test_a_workload_is_known_by_its_url() -> None:
    """A URL below one of LAMP_URL_* is a call to that workload, and to no other."""
    registry = Registry({}, urls({"LAMP_URL_MY_MODEL": "http://127.0.0.1:9/my-model", "HOME": "/home"}))
    found = [
        registry.workload_of(f"http://127.0.0.1:9/{each}")
        for each in ("my-model", "my-model/ask", "my-models")
    ]
    assert ["my-model", "my-model", ""] == found
