"""Transports for clients of httpx (extra `http`): each host is a dependency, each request a call.

Methods that may be repeated are (RFC 9110, 9.2.2), others only with an `Idempotency-Key`. The deadline and
the priority of the context travel in headers. A 429, 502, 503 or 504 is tried again; the last one is handed
to the caller as the response that it is.
"""

from collections.abc import Callable, MutableMapping

import httpx

from lamplighter.runtime.resilience.deadline import carry, remaining
from lamplighter.runtime.resilience.dependency import Dependency, registry
from lamplighter.runtime.resilience.judging import TRANSIENT_STATUS
from lamplighter.runtime.resilience.policy import Policy
from lamplighter.runtime.resilience.settings import Settings
from lamplighter.runtime.resilience.shedding import PRIORITY, PRIORITY_HEADER
from lamplighter.runtime.resilience.slots import Priority

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

Naming = Callable[[httpx.URL], Dependency]


class _TroubleError(Exception):
    """An answer that says: come again."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


class AsyncTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=AsyncTransport())`.

    Args:
        settings: for hosts of which the environment says nothing.
        within: the transport that really sends.
        naming: which dependency a URL is; None: its host and port, or the workload of a `LAMP_URL_*`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        within: httpx.AsyncBaseTransport | None = None,
        naming: Naming | None = None,
    ) -> None:
        self._within = within or httpx.AsyncHTTPTransport()
        self._naming = naming or _by_host(settings)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through its dependency's policy."""

        async def send() -> httpx.Response:
            _prepare(request)
            response = await self._within.handle_async_request(request)
            if response.status_code in TRANSIENT_STATUS:
                await response.aread()
                raise _TroubleError(response)
            return response

        policy = Policy(self._naming(request.url), repeatable=_repeatable(request))
        try:
            return await policy(send)()
        except _TroubleError as trouble:
            return trouble.response

    async def aclose(self) -> None:
        """Close the transport that really sends."""
        await self._within.aclose()


class Transport(httpx.BaseTransport):
    """For `httpx.Client(transport=Transport())`; the time left is also the client's own timeout.

    Args:
        settings: for hosts of which the environment says nothing.
        within: the transport that really sends.
        naming: which dependency a URL is; None: its host and port, or the workload of a `LAMP_URL_*`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        within: httpx.BaseTransport | None = None,
        naming: Naming | None = None,
    ) -> None:
        self._within = within or httpx.HTTPTransport()
        self._naming = naming or _by_host(settings)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request through its dependency's policy."""

        def send() -> httpx.Response:
            _prepare(request)
            response = self._within.handle_request(request)
            if response.status_code in TRANSIENT_STATUS:
                response.read()
                raise _TroubleError(response)
            return response

        policy = Policy(self._naming(request.url), repeatable=_repeatable(request))
        try:
            return policy(send)()
        except _TroubleError as trouble:
            return trouble.response

    def close(self) -> None:
        """Close the transport that really sends."""
        self._within.close()


def _prepare(request: httpx.Request) -> None:
    """Write the time left and the priority into a request, and bound the client's own timeouts by it."""
    headers: MutableMapping[str, str] = request.headers
    carry(headers)
    if PRIORITY.get() is not Priority.NORMAL:
        headers.setdefault(PRIORITY_HEADER, PRIORITY.get().name.lower())
    left = remaining()
    if left is not None:
        timeouts = request.extensions.get("timeout", {})
        bounded = {
            name: left if (own := timeouts.get(name)) is None else min(own, left)
            for name in ("connect", "read", "write", "pool")
        }
        request.extensions["timeout"] = bounded


def _repeatable(request: httpx.Request) -> bool:
    return request.method in REPEATABLE or "idempotency-key" in request.headers


def _by_host(settings: Settings | None) -> Naming:
    """Name a dependency by its workload, if the URL is one that a target gave, else by host and port."""

    def name(url: httpx.URL) -> Dependency:
        known = registry()
        return known.dependency(known.workload_of(str(url)) or url.netloc.decode(), settings)

    return name
