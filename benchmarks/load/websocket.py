"""One WebSocket, held and spoken to: an echo each second, and a record of who closed it with which code."""

import asyncio
import time
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from benchmarks.load.http import named
from benchmarks.load.sample import GAVE_UP

ECHO_EVERY_S = 1.0
HANDSHAKE_OK = 101


@dataclass(slots=True)
class Held:
    """What was seen of one WebSocket; `opened_at` is monotonic, 0 if it never opened."""

    opened_at: float = 0.0
    status: int = 0
    replica: str = ""
    pid: int = 0
    reason: str = ""
    echoes: int = 0
    gap_s: float = 0.0
    close_code: int | None = None
    closed_by: str = ""
    why: str = ""
    connected: bool = True


async def hold(uri: str, headers: dict[str, str], seconds: float, give_up_s: float) -> Held:
    """Open a WebSocket, exchange an echo each second for `seconds`, close with 1000, tell what was seen."""
    held = Held()
    try:
        async with asyncio.timeout(give_up_s) as opening:
            async with connect(
                uri, additional_headers=headers, compression=None, proxy=None, open_timeout=None,
                ping_interval=None, close_timeout=give_up_s,
            ) as socket:  # fmt: skip
                opening.reschedule(None)
                _opened(held, socket.response)
                await _speak(socket, held, seconds, give_up_s)
            _closed(held, socket)
    except InvalidStatus as error:
        held.opened_at = time.monotonic()
        held.status = error.response.status_code
        held.reason = error.response.headers.get("x-lamp-reason", "")
    except TimeoutError:
        held.why = f"{GAVE_UP} opening"
    except InvalidHandshake as error:
        held.why = named(error)
    except (OSError, EOFError) as error:
        held.why, held.connected = named(error), not isinstance(error, ConnectionRefusedError)
    return held


async def _speak(socket: ClientConnection, held: Held, seconds: float, give_up_s: float) -> None:
    until = time.monotonic() + seconds
    closed = asyncio.ensure_future(socket.wait_closed())
    try:
        while not held.why and not closed.done() and time.monotonic() < until:
            pause_until = min(until, time.monotonic() + ECHO_EVERY_S)
            await _echo(socket, held, give_up_s)
            await asyncio.wait([closed], timeout=max(0.0, pause_until - time.monotonic()))
    except ConnectionClosed:
        return
    finally:
        closed.cancel()


async def _echo(socket: ClientConnection, held: Held, give_up_s: float) -> None:
    asked_at, question = time.monotonic(), f"echo {held.echoes}"
    try:
        async with asyncio.timeout(give_up_s):
            await socket.send(question)
            answer = await socket.recv()
    except TimeoutError:
        held.why = f"{GAVE_UP} waiting for an echo"
    else:
        held.echoes += 1
        held.why = "" if answer == question else f"answered {answer!r} to {question!r}"
    finally:
        held.gap_s = max(held.gap_s, time.monotonic() - asked_at)


def _opened(held: Held, response: Response | None) -> None:
    assert response is not None, "an open WebSocket had its handshake"
    held.opened_at, held.status = time.monotonic(), HANDSHAKE_OK
    held.replica = response.headers.get("x-replica", "")
    held.pid = int(response.headers.get("x-pid", "0"))


def _closed(held: Held, socket: ClientConnection) -> None:
    received = socket.protocol.close_rcvd
    if received is None:
        held.why = held.why or "connection ended without a close frame"
    if received is None or held.why:
        return
    held.close_code = received.code
    held.closed_by = "server" if socket.protocol.close_rcvd_then_sent else "client"
