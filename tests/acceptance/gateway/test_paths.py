"""Prefixes, what an app is told of them, and what a client cannot slip in."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.acceptance.gateway.rig import Gateway, Upstream, ask, until

from lamplighter.targets.local.gateway import Route, render, write

Start = Callable[..., Upstream]


@pytest.fixture
def serving(gateway: Gateway, replica: Start) -> Gateway:
    """A gateway with one healthy replica."""
    gateway.start(replica("a").endpoint())
    asyncio.run(healthy(gateway))
    return gateway


async def healthy(gateway: Gateway) -> None:
    """Wait until the replica is in rotation."""
    await until(lambda: gateway.healthy() == {"a"})


def seen(gateway: Gateway, path: str, **more: object) -> list[str]:
    """The request as the app got it, line by line."""
    port = more.pop("port", gateway.table.port)
    return asyncio.run(ask(port, path, **more)).body.decode().split("\r\n")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("/search/echo", "/echo"),
        ("/search/echo?q=/search/", "/echo?q=/search/"),
        ("/search/echo/search/x", "/echo/search/x"),
        ("/search/echo//x", "/echo//x"),
        ("/other/../search/echo", "/echo"),
    ],
)
def test_prefix_is_stripped_once(serving: Gateway, asked: str, got: str) -> None:
    """The app sees its own path, whatever else looks like the prefix."""
    assert f"GET {got} HTTP/1.1" == seen(serving, asked)[0]


@pytest.mark.parametrize("path", ["/searching", "/Search", "/search.json", "/"])
def test_prefix_ends_at_a_slash(serving: Gateway, path: str) -> None:
    """What only begins like the prefix is another path."""
    assert "no-route" == asyncio.run(ask(serving.table.port, path)).reason


def test_bare_prefix_is_the_root(serving: Gateway) -> None:
    """`/search` itself is the app's `/`."""
    answer = asyncio.run(ask(serving.table.port, "/search"))
    assert (200, b"a") == (answer.status, answer.body)


def test_app_is_told_its_prefix(serving: Gateway) -> None:
    """`x-forwarded-prefix` is the gateway's, whatever the client claims."""
    lines = seen(serving, "/search/echo", headers={"x-forwarded-prefix": "/evil"})
    assert ["x-forwarded-prefix: /search"] == [line for line in lines if "prefix" in line]


def test_internal_port_serves_by_name(serving: Gateway) -> None:
    """Callers inside reach every service under its name, whether or not it has a public route."""
    serving.table = msgspec.structs.replace(serving.table, routes=())
    write(serving.folder, render(serving.table))
    assert "GET /echo HTTP/1.1" == seen(serving, "/search/echo", port=serving.table.internal_port)[0]


def test_root_route_passes_paths_unchanged(serving: Gateway) -> None:
    """A service at `/` sees every path that no longer prefix takes."""
    serving.table = msgspec.structs.replace(
        serving.table, routes=(Route("/", "search"), Route("/b", "search"))
    )
    write(serving.folder, render(serving.table))
    asyncio.run(until(lambda: asyncio.run(ask(serving.table.port, "/x")).status == 200))
    assert ["GET /echo HTTP/1.1", "GET /echo HTTP/1.1"] == [seen(serving, p)[0] for p in ("/echo", "/b/echo")]


def test_client_cannot_ask_for_retries(serving: Gateway) -> None:
    """Envoy's own request headers have no effect: a POST the app refused is not sent again."""
    headers = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "9"}
    asyncio.run(ask(serving.table.port, "/search/status/500", "POST", headers=headers))
    assert 0 == serving.read().retries
