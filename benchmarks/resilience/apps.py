"""The apps of the benchmarks: a backend of known capacity, and a caller with dependencies."""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lamplighter.runtime.resilience import CallError, Dependency, Settings, Shedding
from lamplighter.runtime.resilience.http import AsyncTransport


class Wanted(msgspec.Struct):
    """What an app is to be.

    Args:
        workers: how many requests a backend works on at once; each takes `work_s`.
        shedding: whether a backend refuses what it cannot do.
        calls: name to the URL that a caller calls under this name.
        policies: name to the settings of those calls; a name of none has a plain client.
        shared: names that share one policy, that of the first of them.
        plain: names whose calls are tried four times, with full jitter and no budget, instead of by a policy.
    """

    workers: int = 8
    work_s: float = 0.04
    shedding: bool = False
    calls: dict[str, str] = {}
    policies: dict[str, Settings] = {}
    shared: list[str] = []
    plain: list[str] = []


def backend() -> Callable[..., object]:
    """A server that works on `workers` requests at once, the others queue."""
    wanted = _wanted()
    places = asyncio.Semaphore(wanted.workers)

    async def work(_: Request) -> Response:
        async with places:
            await asyncio.sleep(wanted.work_s)
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/work", work)])
    return Shedding(app) if wanted.shedding else app


class _Counting(httpx.AsyncHTTPTransport):
    """Counts what is really sent, by second."""

    def __init__(self) -> None:
        super().__init__(limits=httpx.Limits(max_connections=None))
        self.sent: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Count, and send."""
        self.sent[int(time.monotonic())] += 1
        return await super().handle_async_request(request)


def caller() -> Callable[..., object]:
    """A server whose `/call/NAME` calls the dependency of that name once, under its policy."""
    wanted = _wanted()
    wires = {name: _Counting() for name in wanted.calls}
    known = {name: Dependency(name, wanted.policies.get(name, Settings())) for name in wanted.calls}
    known |= {name: known[wanted.shared[0]] for name in wanted.shared}  # noqa: C420 - it may be empty
    clients = {
        name: httpx.AsyncClient(
            transport=AsyncTransport(None, wires[name], _always(known[name])),
            timeout=None,  # noqa: S113 - the policy's
        )
        for name in wanted.calls
    }

    plain = {name: httpx.AsyncClient(transport=wires[name], timeout=1.0) for name in wanted.plain}
    asked: dict[str, Counter[int]] = {name: Counter() for name in wanted.calls}

    async def call(request: Request) -> Response:
        name = request.path_params["name"]
        asked[name][int(time.monotonic())] += 1
        url = f"{wanted.calls[name]}/work"
        try:
            answer = await (_stubborn(plain[name], url) if name in plain else clients[name].get(url))
        except (httpx.HTTPError, CallError) as error:
            return PlainTextResponse(type(error).__name__, status_code=503)
        return PlainTextResponse(answer.text, status_code=answer.status_code)

    async def sent(_: Request) -> Response:
        return JSONResponse({
            name: [[each, asked[name][each], wire.sent[each]] for each in sorted(asked[name] | wire.sent)]
            for name, wire in wires.items()
        })  # fmt: skip

    async def counted(_: Request) -> Response:
        return JSONResponse({name: each.counters.as_dict() for name, each in known.items()})

    routes = [Route("/call/{name}", call), Route("/sent", sent), Route("/counted", counted)]
    return Starlette(routes=routes)


async def _stubborn(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Try four times whatever comes, as retries without a budget do."""
    for attempt in range(3):
        with suppress(httpx.HTTPError):
            return await client.get(url)
        await asyncio.sleep(random.random() * 0.05 * 2**attempt)
    return await client.get(url)


def _always(dependency: Dependency) -> Callable[[httpx.URL], Dependency]:
    return lambda _: dependency


def _wanted() -> Wanted:
    return msgspec.convert(json.loads(os.environ["APP"]), Wanted)
