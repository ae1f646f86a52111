"""How long the app itself takes to start: the very command of a living replica, run once more beside it."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.local.stand import free_port

LOOK_S = 0.005
GIVE_UP_S = 60.0
_REQUEST = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def own_start_s(pid: int) -> float:
    """Return the seconds from starting a copy of the replica `pid` to its first good answer.

    The copy has the replica's command, folder and environment, another port, and is ended afterwards.
    """
    argv, env, folder, port = _copied(pid)
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: ASYNC220 - it forks and returns
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        while not await _answers(port):
            assert process.poll() is None, f"a copy of the app ended with {process.returncode}"
            assert time.monotonic() - began < GIVE_UP_S, "a copy of the app never answered"
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)


def _copied(pid: int) -> tuple[list[str], dict[str, str], str, int]:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    pairs = (each.partition(b"=") for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if each)
    env = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    old, port = env["PORT"], free_port()
    env["PORT"], env["LAMP_REPLICA"] = str(port), "copy"
    del env["LAMP_SITE"]  # else the supervisor would take it for one of its own
    argv = [str(port) if os.fsdecode(each) == old else os.fsdecode(each) for each in line]
    return argv, env, str(Path(f"/proc/{pid}/cwd").readlink()), port


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(_REQUEST)
        async with asyncio.timeout(GIVE_UP_S):
            return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()
