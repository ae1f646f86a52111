"""A replica that starts in a tenth of a second and does, at any moment, what a test tells it to.

Each request looks for a file named after the replica in the folder $ORDERS; the word in it is what the
replica does from then on, to every request but its health page, or (with `all-` in front) to that too:

    answer    says its name (the default)        hang      takes the request and never answers
    500       answers 500                        block     blocks its event loop for good
    late      answers after 0.5 s                die       ends with code 3
"""

import asyncio
import os
import sys
import time
from pathlib import Path

NAME = os.environ["LAMP_REPLICA"]
ORDERS = Path(os.environ["ORDERS"]) / NAME
MEMORY: list[bytes] = []


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests on one connection until it is closed."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await answer(head.split(b" ", 2)[1].decode(), writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def answer(path: str, writer: asyncio.StreamWriter) -> None:
    """Do as told, then answer one request."""
    order = ORDERS.read_text().strip() if ORDERS.exists() else "answer"
    checked = path == "/healthz"
    word = order.removeprefix("all-") if order.startswith("all-") or not checked else "answer"
    if word == "hang":
        await asyncio.sleep(3600)
    elif word == "block":
        time.sleep(3600)  # noqa: ASYNC251 - this is the fault
    elif word == "late":
        await asyncio.sleep(0.5)
    elif word == "die":
        sys.stdout.write("last words\n")
        sys.stdout.flush()
        os._exit(3)
    status = "500 Broken" if word == "500" else "200 OK"
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(NAME)}\r\nx-replica: {NAME}\r\n\r\n"
    writer.write(head.encode() + NAME.encode())
    await writer.drain()


async def main() -> None:
    """Listen on $PORT until told to end."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
