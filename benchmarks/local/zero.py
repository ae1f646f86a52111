"""Part `zero`: from the first request to a service at zero to its answer; 500 at a time, none lost.

What the app itself takes to start is measured in the same run and taken off: its median, so that a slow
start by chance counts against the waking. The legs tell where the rest goes: until the replica's process is
there (the hint, the pass, its record, the order), and from the app's being able to answer to the answer (the
gateway's check, the activator's word).
"""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.load.tally import nearest_rank
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, at_rest, stand
from benchmarks.local.starting import own_start_s
from benchmarks.report import Figures, Options, at_most, exactly
from lamplighter.targets.local.supervisor.protocol import SeenReplica

BEYOND_S_MAX = 0.3
WAKES, WAKES_QUICK = 20, 3
CROWDS, CROWDS_QUICK = 5, 1
CROWD = 500
FAST_START_S, SLOW_START_S = 0.15, 4.85
"""With what starting Python takes, an app that starts in 0.3 s and one that starts in 5 s."""
IDLE_S = 2.0
WAIT_S = 120.0
LOST_S = 60.0
_REQUEST = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"

BOUNDS = {
    "zero_fast_app_p95_beyond_start_s": at_most(BEYOND_S_MAX),
    "zero_slow_app_p95_beyond_start_s": at_most(BEYOND_S_MAX),
    "zero_first_requests_failed": exactly(0),
    "zero_500_concurrent_failed": exactly(0),
}


@dataclass(slots=True)
class Wakes:
    """What was timed, wake by wake, in seconds."""

    taken_s: list[float] = field(default_factory=list)
    ordered_s: list[float] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    failed: int = 0

    def beyond(self) -> list[float]:
        """How much longer each took than the app's own start beside it, under the same load, least first."""
        return sorted(taken - own for taken, own in zip(self.taken_s, self.own_s, strict=True))

    def noticed(self) -> float:
        """The median time from when the app could have answered to the answer."""
        steps = zip(self.taken_s, self.ordered_s, self.own_s, strict=True)
        return statistics.median(taken - ordered - own for taken, ordered, own in steps)

    def plain(self) -> dict[str, Any]:
        """Everything, rounded, for the record."""
        return {
            "taken_s": [round(each, 3) for each in self.taken_s],
            "until_started_s": [round(each, 3) for each in self.ordered_s],
            "own_start_s": [round(each, 3) for each in self.own_s],
        }


async def measure(figures: Figures, options: Options) -> None:
    """Wake an app that starts at once and one that does not, again and again; then in crowds."""
    failed = 0
    for name, start_s in (("fast", FAST_START_S), ("slow", SLOW_START_S)):
        wakes = await _wakes(start_s, options)
        beyond = wakes.beyond()
        failed += wakes.failed
        figures.put(f"zero_{name}_app_start_s", statistics.median(wakes.own_s))
        figures.put(f"zero_{name}_app_p95_beyond_start_s", nearest_rank(beyond, 0.95))
        figures.put(f"zero_{name}_app_median_beyond_start_s", statistics.median(beyond))
        figures.put(f"zero_{name}_app_until_started_s", statistics.median(wakes.ordered_s))
        figures.put(f"zero_{name}_app_until_noticed_s", wakes.noticed())
        figures.parts.setdefault("zero", {})[name] = wakes.plain()
    figures.put("zero_first_requests_failed", failed)
    await _crowds(figures, options)


async def _wakes(start_s: float, options: Options) -> Wakes:
    wakes, draw = Wakes(), Random(options.seed)
    async with stand(Wish(replicas=(0, 1), start_s=start_s, idle_s=IDLE_S)) as site:
        for turn in range(WAKES_QUICK if options.quick else WAKES):
            await _asleep(site, draw)
            began = time.monotonic()
            answer = await _ask(site.port)
            wakes.taken_s.append(time.monotonic() - began)
            wakes.failed += not answer.startswith(b"HTTP/1.1 200")
            newest = await _newest(site)
            wakes.ordered_s.append(newest.started_at - began)
            assert newest.pid is not None, "what has just answered lives"
            wakes.own_s.append(await own_start_s(newest.pid))
            options.progress(f"zero: {turn + 1}: {wakes.taken_s[-1]:.3f} s, own {wakes.own_s[-1]:.3f} s")
        await site.down()
    return wakes


async def _crowds(figures: Figures, options: Options) -> None:
    """Wake a service by many requests at one time, and count those that got no good answer."""
    draw, failed, taken_s = Random(options.seed), 0, []
    async with stand(Wish(replicas=(0, 1), start_s=FAST_START_S, idle_s=IDLE_S)) as site:
        for _ in range(CROWDS_QUICK if options.quick else CROWDS):
            await _asleep(site, draw)
            began = time.monotonic()
            answers = await asyncio.gather(*(_ask(site.port) for _ in range(CROWD)))
            taken_s.append(time.monotonic() - began)
            failed += sum(not each.startswith(b"HTTP/1.1 200") for each in answers)
            options.progress(f"zero: {CROWD} answered in {taken_s[-1]:.2f} s, {failed} failed so far")
        await site.down()
    figures.put("zero_500_concurrent_failed", failed)
    figures.put("zero_500_concurrent_all_answered_s", statistics.median(taken_s))
    figures.parts["zero"]["crowds_s"] = [round(each, 3) for each in taken_s]


async def _asleep(site: Stand, draw: Random) -> None:
    """Wait until the service is at zero and nothing is under way; then a little, so as to hit any phase."""
    await site.until(lambda status: at_rest(status, 0), WAIT_S, "at zero")
    await asyncio.sleep(0.5 + draw.random())


async def _newest(site: Stand) -> SeenReplica:
    """Return the replica that was started last, as the supervisor knows it."""
    observed = await site.supervised()
    assert observed is not None, "the supervisor answers"
    return max(observed.replicas, key=lambda each: each.started_at)


async def _ask(port: int) -> bytes:
    """Send one request, once, and return what came of it; nothing if that was nothing."""
    try:
        async with asyncio.timeout(LOST_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_REQUEST)
            answer = await reader.read()
            writer.close()
    except OSError:
        return b""
    return answer
