"""HTTP/2 on the gateway's port, without TLS, to replicas that speak it and to those that do not."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from tests.acceptance.gateway.rig import Gateway, Upstream, ask, free_port
from tests.acceptance.zero.rig import door

from lamplighter.targets.local.gateway import Endpoint
from lamplighter.targets.local.gateway.table import Check

Start = Callable[..., Upstream]
APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["http_version"].encode()})
"""


def client() -> httpx.AsyncClient:
    """Return a client that speaks HTTP/2 from the first byte."""
    return httpx.AsyncClient(http1=False, http2=True, timeout=30)


async def test_held_requests_of_one_http2_connection(gateway: Gateway, replica: Start) -> None:
    """Fifty wait side by side, and all are answered by a replica that speaks HTTP/1.1."""
    async with door(gateway) as here, client() as asking:
        url = f"http://127.0.0.1:{here.port}/search/echo"
        asked = [asyncio.create_task(asking.get(url)) for _ in range(50)]
        await here.holds(50)
        here.show(replica("a").endpoint())
        answers = await asyncio.gather(*asked)
    assert {(200, "HTTP/2")} == {(each.status_code, each.http_version) for each in answers}


async def test_a_replica_that_speaks_http2(gateway: Gateway, tmp_path: Path) -> None:
    """It is checked and asked in HTTP/2, whatever its callers speak."""
    port = free_port()
    (tmp_path / "plain.py").write_text(APP)
    command = [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "plain:app"]
    one = subprocess.Popen(  # noqa: ASYNC220 - it forks and returns
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it serves from a process of its own, which is to end with it
    )
    try:
        async with door(gateway, protocol="http2", check=Check(path="/healthz")) as here, client() as asking:
            here.show(Endpoint("a", port))
            old = await ask(here.port, "/search/", patience_s=30.0)
            new = await asking.get(f"http://127.0.0.1:{here.port}/search/")
    finally:
        os.killpg(one.pid, signal.SIGKILL)
        one.wait()
    assert (True, "2") == (b"\r\n2\r\n" in old.body, new.text)
