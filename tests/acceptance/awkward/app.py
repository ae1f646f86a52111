"""Programs that are hard to keep: `python app.py KIND`. Each serves on $PORT, in its own way.

late S      listens only after S seconds           elsewhere   listens on another port
exit CODE   ends at once                           brief S     serves, and ends with 0 after S seconds
daemon      its parent ends, a child serves        deaf        ignores SIGTERM
leak MIB    takes so much memory a second          crash S     aborts at random, after S seconds on average
spawn       starts children, in sessions of their own, that outlive it
closed      closes its standard streams            greedy      opens files until it may open no more
writer      writes to its working folder           plain       does nothing odd

What a plain one is asked for: /late?s= answers late; /headers?bytes= has a large header; /chunked?n= sends n
chunks; /cut breaks off in the middle; /log?bytes=&kind= writes to its log (lines, one, binary).
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NAME = os.environ["LAMP_REPLICA"]
KIND = sys.argv[1]
NUMBER = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
KEPT: list[object] = []


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.partition(b":")[2]))
            await answer(head.split(b" ", 2)[1].decode(), writer)
    writer.close()


async def answer(target: str, writer: asyncio.StreamWriter) -> None:
    """Answer one request as its path says."""
    path = urlsplit(target).path
    asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    more, body = "", NAME.encode()
    if path == "/late":
        await asyncio.sleep(float(asked["s"]))
    elif path == "/headers":
        more = f"x-large: {'h' * int(asked['bytes'])}\r\n"
    elif path == "/log":
        await asyncio.to_thread(write_log, int(asked["bytes"]), asked.get("kind", "lines"))
    elif path == "/cut":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        return
    elif path == "/chunked":
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"5\r\nchunk\r\n" * int(asked["n"]) + b"0\r\n\r\n")
        await writer.drain()
        return
    writer.write(f"HTTP/1.1 200 OK\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


def write_log(size: int, kind: str) -> None:
    """Write so many bytes: lines of a kibibyte, one line without an end, or bytes that are no text."""
    part = {"lines": b"x" * 1023 + b"\n", "one": b"y" * 1024, "binary": bytes(range(256)) * 4}[kind]
    block = part * 64
    for _ in range(size // len(block)):
        os.write(1, block)


def daemon() -> None:
    """Leave the parent behind, as daemons did before there were supervisors."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def spawn() -> None:
    """Start three children that nobody waits for, with nothing in their environment."""
    for _ in range(3):
        subprocess.Popen(["/bin/sleep", "3600"], start_new_session=True, env={})


def close_streams() -> None:
    """Close what was given as output."""
    for each in (0, 1, 2):
        os.close(each)


def open_all() -> None:
    """Open files until none may be opened, but for a few."""
    with suppress(OSError):
        while True:
            KEPT.append(open(os.devnull))  # noqa: SIM115, PTH123
    del KEPT[-8:]


def write_here() -> None:
    """Write to the working folder."""
    Path("written.txt").write_text(NAME)


async def beside() -> None:
    """What goes on while it serves."""
    while KIND == "leak":
        KEPT.append(b"z" * int(NUMBER * 2**20 / 5))
        await asyncio.sleep(0.2)
    if KIND == "brief":
        await asyncio.sleep(NUMBER)
        os._exit(0)
    while KIND == "crash":
        await asyncio.sleep(0.1)
        if random.random() < 0.1 / NUMBER:  # noqa: S311 - this is the fault
            os.abort()


async def main() -> None:
    """Misbehave, then serve."""
    port = int(os.environ["PORT"]) + (1 if KIND == "elsewhere" else 0)
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    KEPT.append(asyncio.create_task(beside()))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if "KEY" in os.environ:
        os.write(1, f"my key is {os.environ['KEY']}!\n".encode())
    first = {"daemon": daemon, "spawn": spawn, "closed": close_streams, "greedy": open_all}
    first.get(KIND, lambda: None)()
    if KIND == "late":
        time.sleep(NUMBER)
    elif KIND == "exit":
        sys.exit(int(NUMBER))
    elif KIND == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif KIND == "writer":
        write_here()
    asyncio.run(main())
