"""A small server for tests: answers after a while, streams, speaks WebSocket, and misbehaves on request.

Run as `python app.py [--start S] [--ignore-term] [--spawn] [--abrupt]`; listens on $PORT.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve /, /slow?s=, /stream?s=, /env?name=, /log?bytes=, and WebSockets that echo."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        await answer(scope, send)


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and stop without ado."""
    while True:
        message = await receive()
        if "--abrupt" in sys.argv:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def echo(receive: Receive, send: Send) -> None:
    """Send back what comes."""
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            return


async def answer(scope: Message, send: Send) -> None:
    """Answer one request."""
    query = dict(part.partition("=")[::2] for part in scope["query_string"].decode().split("&"))
    if scope["path"] == "/slow":
        await asyncio.sleep(float(query["s"]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        until = time.monotonic() + float(query["s"])
        while time.monotonic() < until:
            await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
            await asyncio.sleep(0.1)
    if scope["path"] == "/log":
        line = b"x" * 1023 + b"\n"
        for _ in range(int(query["bytes"]) // 1024):
            os.write(1, line)
    body = {
        "replica": os.environ["LAMP_REPLICA"],
        "pid": os.getpid(),
        "value": os.environ.get(query.get("name", "")),
    }
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def main() -> None:
    """Misbehave as told, then serve."""
    if "--start" in sys.argv:
        time.sleep(float(sys.argv[sys.argv.index("--start") + 1]))
    if "--spawn" in sys.argv:
        spawn_daemon()
    if "--ignore-term" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b"deaf\n")
        while True:
            time.sleep(3600)
    import uvicorn  # noqa: PLC0415 - only what serves pays for it

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")


def spawn_daemon() -> None:
    """Leave a process behind that is in another session and has another parent."""
    code = (
        "import os, sys, time\n"
        "if os.fork(): sys.exit()\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "time.sleep(3600)"
    )
    with contextlib.suppress(OSError):
        subprocess.run([sys.executable, "-c", code], check=False)


if __name__ == "__main__":
    main()
