"""The chapter of the swarm: agents read the library, questions fan out, a host is killed, the answers come.

A system of its own beside the library, from the prototype's swarm.yaml, down again before the story ends.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from urllib.request import Request, urlopen

from examples.demo.record import NotHeldError, Record
from examples.demo.workplace import SWARM, Ran, Workplace

QUESTIONS = {
    "cartesian product of iterables": "itertools.product",
    "greatest common divisor": "math.gcd",
    "all permutations": "itertools.permutations",
    "factorial": "math.factorial",
    "accumulated sums": "itertools.accumulate",
    "sleep for some seconds": "time.sleep",
    "monotonic clock": "time.monotonic",
}
"""What is asked, and the section that must be cited; all stand early in a hall."""
ROUNDS = 3
KILL_AFTER_S = 0.05
ANSWER_S = 30.0
SPEC = ("--spec", "swarm.yaml")

Lamp = Callable[..., Awaitable[Ran]]
Say = Callable[..., None]


async def read(place: Workplace, readers: int, lamp: Lamp, say: Say, record: Record) -> None:
    """Tell the chapter.

    Raises:
        NotHeldError: a command failed, or a question was not answered.
    """
    await lamp("up", "-d", "-y", *SPEC)
    folder = place.states / SWARM / "agents" / "readers"
    await _load(place, folder.as_posix(), readers, say)
    victim = await _host(lamp)
    asked = [asyncio.create_task(asyncio.to_thread(_ask, place.swarm_port, n)) for n in range(_COUNT)]
    await asyncio.sleep(KILL_AFTER_S)
    say(f"kill -9 {victim}: a host of the swarm, while {_COUNT} questions fan out")
    os.kill(victim, signal.SIGKILL)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    right = [_cited(n, answer) for n, answer in enumerate(answers)]
    record.promise("agents answered while their host was killed", held=all(right), seen=_of(right))
    say(f"{_of(right)} questions were answered with the right section cited", "green")
    say(f"for example: {_example(answers)}", "green")
    counts = json.loads((await lamp("agents", "ls", "--json", *SPEC)).out)
    there = counts.get("kinds", counts).get("reader", 0)
    record.promise("no agent was lost", held=there == readers, seen=f"{there:,} of {readers:,} readers")
    say(f"{there:,} of {readers:,} readers are there, each with what it has read", "green")
    await lamp("down", *SPEC)


_COUNT = ROUNDS * len(QUESTIONS)


async def _load(place: Workplace, folder: str, readers: int, say: Say) -> None:
    words = ("library.load", "--hosts", "0", "--folder", folder, "--agents", str(readers))
    say(f"$ python -m library.load --agents {readers}", "blue")
    ran = await place.run(sys.executable, "-m", *words)
    for line in ran.out.splitlines()[:3]:
        say(line.strip())


async def _host(lamp: Lamp) -> int:
    """The process of the first host."""
    replicas = json.loads((await lamp("status", "--json", *SPEC)).out)["replicas"]
    pids = [each["pid"] for each in replicas if each.get("pid")]
    if not pids:
        raise NotHeldError("the swarm has hosts")
    return int(pids[0])


def _ask(port: int, number: int) -> dict[str, object]:
    """Ask a critic through the gateway, once: what is sent again has the same key."""
    question = [*QUESTIONS][number % len(QUESTIONS)]
    request = Request(
        f"http://127.0.0.1:{port}/agents/critic/visitor-{number}",
        json.dumps({"type": "Ask", "q": question}).encode(),
        {"content-type": "application/json", "idempotency-key": f"demo-{number}-{time.monotonic_ns()}"},
    )
    with urlopen(request, timeout=ANSWER_S) as reply:  # noqa: S310 - as above
        found: dict[str, object] = json.load(reply)
    return found


def _cited(number: int, answer: object) -> bool:
    """Whether the section that must be cited is."""
    wanted = [*QUESTIONS.values()][number % len(QUESTIONS)]
    return isinstance(answer, dict) and any(each["title"] == wanted for each in answer["citations"])


def _example(answers: list[dict[str, object] | BaseException]) -> str:
    for each in answers:
        if isinstance(each, dict) and isinstance(each["citations"], list) and each["citations"]:
            best = each["citations"][0]
            return f"{each['question']!r}: {best['title']}, line {best['line']} ({best['where']})"
    return f"none: {answers[0]}"


def _of(right: list[bool]) -> str:
    return f"{sum(right)} of {len(right)}"
