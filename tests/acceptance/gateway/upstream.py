"""A replica for the gateway's tests: HTTP/1.1 with keep-alive, told by the path what to do.

Prints its port when it listens. Every answer names the replica in `x-from`.

    /healthz          200, or what `--health` says
    /busy/S           answers after S seconds
    /stream/N         N chunks, one each 0.1 s
    /echo             the request as it came, and the length of its body
    /slowecho         the length of the body, after `--slower` seconds
    /status/CODE      that status
    /work             answers after 0.1 s in one of `--slots`; whoever waits for one is served, gone or not
    /stall/S          for S seconds no work is done at all
    /executed         how many requests other than checks it has begun
    Upgrade: websocket is accepted with a plain byte echo behind the handshake.
"""

import argparse
import asyncio
import base64
import hashlib
import time

WORK_S = 0.1
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Replica:
    """One replica's behaviour; `executed` counts what it has begun."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.executed = 0
        self.slots = asyncio.Semaphore(options.slots)
        self.stalled_until = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has had enough."""
        try:
            while await self.one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow on the same connection."""
        async with asyncio.timeout(self.options.keep_alive):
            head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines if line)}
        body = await self.body(reader, headers)
        path = first.split(" ")[1].split("?")[0]
        if path not in {"/healthz", "/executed"}:
            self.executed += 1
        if "upgrade" in headers:
            await self.upgrade(reader, writer, headers)
            return False
        await self.answer(path, head, body, writer)
        return headers.get("connection") != "close"

    async def body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        """The request's body, by length or by chunks."""
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)

    async def answer(self, path: str, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        """Answer as the path says."""
        kind, _, rest = path.strip("/").partition("/")
        status, out = 200, self.options.name.encode()
        if kind == "healthz":
            status = self.options.health
        elif self.options.lies:
            status = 500
        elif kind in ("busy", "work", "stall"):
            await self.labour(kind, rest)
        elif kind == "slowecho":
            await asyncio.sleep(self.options.slower)
            out = str(len(body)).encode()
        elif kind == "stream":
            await self.stream(int(rest), writer)
            return
        elif kind == "echo":
            out = head + str(len(body)).encode()
        elif kind == "status":
            status = int(rest)
        elif kind == "executed":
            out = str(self.executed).encode()
        writer.write(self.head(status, f"content-length: {len(out)}") + out)
        await writer.drain()

    async def labour(self, kind: str, rest: str) -> None:
        """Take time: so many seconds, or a tenth of one in a slot of its own once nothing stands still."""
        if kind == "busy":
            await asyncio.sleep(float(rest) + self.options.slower)
            return
        if kind == "stall":
            self.stalled_until = time.monotonic() + float(rest)
            return
        async with self.slots:
            await asyncio.sleep(max(0.0, self.stalled_until - time.monotonic()))
            await asyncio.sleep(WORK_S)

    async def stream(self, chunks: int, writer: asyncio.StreamWriter) -> None:
        """An answer that takes its time."""
        writer.write(self.head(200, "transfer-encoding: chunked"))
        for _ in range(chunks):
            writer.write(b"5\r\ntick\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def upgrade(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
    ) -> None:
        """Become a byte echo."""
        digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID, usedforsecurity=False).digest()
        accept = f"sec-websocket-accept: {base64.b64encode(digest).decode()}"
        writer.write(self.head(101, f"upgrade: websocket\r\nconnection: upgrade\r\n{accept}"))
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()

    def head(self, status: int, more: str) -> bytes:
        """Status line and headers."""
        return f"HTTP/1.1 {status} -\r\nx-from: {self.options.name}\r\n{more}\r\n\r\n".encode()


async def main() -> None:
    """Listen, print the port, serve."""
    options = argparse.ArgumentParser()
    options.add_argument("name")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--health", type=int, default=200)
    options.add_argument("--slots", type=int, default=1000)
    options.add_argument("--lies", action="store_true")
    options.add_argument("--keep-alive", type=float, default=60.0)
    options.add_argument("--slower", type=float, default=0.0)
    options.add_argument("--delay", type=float, default=0.0)
    replica = Replica(options.parse_args())
    await asyncio.sleep(replica.options.delay)
    server = await asyncio.start_server(replica.serve, "127.0.0.1", replica.options.port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the tests read it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
