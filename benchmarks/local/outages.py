"""Part `outages`: telemetry falls silent for 1 s to 3 min while load turns, replicas die and releases come.

The gateway's admin socket, the supervisor's, or both are taken away from outside (see `load.silence`), so
that nothing but the view of things is disturbed. What was done meanwhile is judged by others than the system
itself: by the process table, and by a reader of the ledger that knows who was killed.
"""

import asyncio
import json
import os
import re
import signal
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from benchmarks.load import Kind, Load, Report, running, strike
from benchmarks.load.silence import Silence, sockets
from benchmarks.local.loads import described, traffic
from benchmarks.local.processes import GATEWAY, REPLICA, of_role, prefer
from benchmarks.local.silences import (
    AFTER_S,
    HEARD_S,
    LONGEST_QUICK_S,
    LONGEST_S,
    Death,
    Outage,
    Window,
    destructive,
    outages,
    stages,
    unordered,
)
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, StandError, stand
from benchmarks.report import Figures, Options, at_most, exactly

OUTAGES, OUTAGES_QUICK = 20, 4
WISH = Wish(replicas=(4, 8), slots=4, goal=2.0, window_s=10.0, steps=("50%", "100%"), bake_s=2.0)
LOOK_S = 0.3
NICE = -10
"""Of the system's sessions and the load's: what else a shared machine does is not what is judged."""
ACTED_AFTER_S = 2.0
"""A replica is killed, or a release asked for, so long after the silence began."""
TOLD_AFTER_S = 4.0
SINCE_SLACK_S = 3.0
"""`lamp status` may be that wrong about since when: a pass and a reading's deadline."""
REPAIRED_S_MAX = 5.0
RECOVERED_S_MAX = 5.0
GATEWAY_STOPPED_S = 4.0
IDEMPOTENT = (Kind.GET, Kind.STREAM, Kind.POST_KEYED)
BOUNDS = {
    "outages_destructive_decisions": exactly(0),
    "outages_replicas_ended": exactly(0),
    "outages_idempotent_failed": exactly(0),
    "outages_status_untold": exactly(0),
    "outages_unrepaired": exactly(0),
    "outages_recovered_most_s": at_most(RECOVERED_S_MAX),
}


@dataclass(slots=True)
class Watch:
    """What is seen of the replicas' processes: who lives, and who ended when."""

    alive: dict[int, str] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    born: dict[int, float] = field(default_factory=dict)

    def look(self, site: Stand) -> None:
        """Compare the process table with the one before."""
        leaders = [each for each in site.processes() if each.leads]
        found = {each.pid: each.replica for each in leaders if each.role == REPLICA}
        now = time.time()
        prefer((each.pid for each in leaders if each.pid not in self.alive), NICE)
        self.deaths += [Death(name, pid, now) for pid, name in self.alive.items() if pid not in found]
        for pid in found.keys() - self.alive.keys():
            self.born[pid] = now
        self.alive = found


async def measure(figures: Figures, options: Options) -> None:
    """Bring a system up, silence its telemetry again and again under load, and judge what it did."""
    count, longest_s = (OUTAGES_QUICK, LONGEST_QUICK_S) if options.quick else (OUTAGES, LONGEST_S)
    planned = outages(count, options.seed, longest_s)
    prefer([os.getpid()], NICE)
    async with stand(WISH) as site:
        run = _Run(site, options)
        load = traffic(site, "outages", stages(planned), options)
        async with running(load) as under:
            watching = asyncio.create_task(run.watching())
            try:
                for each in planned:
                    await asyncio.sleep(max(0.0, under.started_at + each.begins_s - time.monotonic()))
                    await run.outage(each)
                report = await under.finished()
                stopped = await _gateway_stopped(run)
            finally:
                watching.cancel()
        _take(figures, run, report, under, await _entries(site))
        figures.put("outages_gateway_stopped_replicas_ended", stopped, exactly(0))
        figures.parts["outages"]["left"] = [each.role for each in await site.down()]


class _Run:
    def __init__(self, site: Stand, options: Options) -> None:
        self.site, self._options = site, options
        self.watch, self.windows = Watch(), list[Window]()
        self._releases = 0

    async def watching(self) -> None:
        """Look at the process table without end."""
        while True:
            await asyncio.to_thread(self.watch.look, self.site)
            await asyncio.sleep(LOOK_S)

    async def outage(self, planned: Outage) -> None:
        """Silence, act meanwhile, ask what is told, give back, and wait until all is known again."""
        paths = sockets(self.site.state)
        chosen = [name for name in paths if planned.which in (name, "both")]
        hows = dict(zip(paths, planned.hows, strict=True))
        silences = [Silence(paths[name], hows[name], self._options.seed) for name in chosen]
        window = Window(planned, time.time())
        self.windows.append(window)
        begun = [await each.begin() for each in silences]
        assert all(begun), "both sockets are there while nothing of the system has been touched"
        began = time.monotonic()
        beside = asyncio.create_task(self._beside(window))
        try:
            await asyncio.sleep(min(TOLD_AFTER_S, planned.lasts_s))
            if planned.lasts_s > TOLD_AFTER_S + 1:
                window.said = await self._told(began)
            until = began + planned.lasts_s
            while time.monotonic() < until and not all(each.replaced for each in silences):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S / 3)
        finally:
            # A supervisor that is silent for long is replaced, and its successor is heard: that ends it, too.
            window.ended_at = time.time()
            window.kept = all([await each.end() for each in silences])
        await self._recovered(window)
        await beside
        names = " and ".join(f"{name} {hows[name]}" for name in chosen)
        self._options.progress(
            f"outages: {names}, {window.ended_at - window.began_at:.1f} s of {planned.lasts_s:.1f} s,"
            f" {planned.beside} beside; known again after"
            f" {window.recovered_s} s; {window.said or 'told as it should be'}"
        )

    async def _beside(self, window: Window) -> None:
        """Kill a replica or ask for a release, if that belongs to the outage."""
        if window.planned.lasts_s < ACTED_AFTER_S + 1 or window.planned.beside == "nothing":
            return
        await asyncio.sleep(ACTED_AFTER_S)
        if window.planned.beside == "kill":
            pid = min(self.watch.alive)
            window.killed[pid] = time.time()
            strike(pid)
        else:
            self._releases += 1
            wish = replace(WISH, mark=f"release {self._releases}")
            asked = self._options.started_at
            try:
                await self.site.up(wish)
            except StandError as error:
                self._options.progress(f"outages: {time.monotonic() - asked:.0f} s: {str(error)[:200]}")

    async def _told(self, began: float) -> str:
        """Return what is wrong with what `lamp status` says; empty if it says what is unknown since when."""
        ran = await self.site.lamp("status")
        status, asked = await self.site.status(), time.monotonic()
        if not re.search(r"unknown for [0-9.]+", ran.out):
            return f"lamp status says of no source that it is unknown: {ran.out[-300:]}"
        silent = [each for each in status["sources"].values() if each.get("silent")]
        off_s = [abs((status["at"] - each["since"]) - (asked - began)) for each in silent]
        wrong = [each for each in off_s if each > SINCE_SLACK_S]
        return f"since when is wrong by {max(wrong):.1f} s" if wrong or not silent else ""

    async def _recovered(self, window: Window) -> None:
        """Wait until every source is heard again."""
        given_back = time.monotonic()
        while time.monotonic() < given_back + AFTER_S:
            status = await self.site.status()
            silent = [each for each in status.get("sources", {}).values() if each.get("silent")]
            if status and not silent:
                window.recovered_s = round(time.monotonic() - given_back, 2)
                return
            await asyncio.sleep(0.1)


async def _gateway_stopped(run: _Run) -> int:
    """Stop the gateway itself for a while, with no load on it; return how many replicas that cost."""
    pids = of_role(run.site.processes(), GATEWAY)
    before = len(run.watch.deaths)
    for pid in pids:
        strike(pid, signal.SIGSTOP)
    await asyncio.sleep(GATEWAY_STOPPED_S)
    for pid in pids:
        strike(pid, signal.SIGCONT)
    return len(run.watch.deaths) - before


async def _entries(site: Stand) -> list[dict[str, Any]]:
    """Return the decisions of the ledger, read from its file by the command."""
    ran = await site.must("ledger", "--json", "--last", "100000")
    entries = [json.loads(line) for line in ran.out.split("\n") if line]
    return [
        {**each["body"], "wall_s": datetime.fromisoformat(each["wall"]).timestamp()}
        for each in entries
        if each["kind"] == "decision"
    ]


def _take(figures: Figures, run: _Run, report: Report, under: Load, entries: list[dict[str, Any]]) -> None:
    windows = run.windows
    dead = {death.replica for death in run.watch.deaths if any(death.pid in one.killed for one in windows)}
    harmful = destructive(entries, windows, dead)
    ended = unordered(run.watch.deaths, windows, _ordered(entries))
    unrepaired = [one for one in windows if _expects_repair(one) and not _repaired(one, run.watch)]
    figures.put("outages_outages", len(windows))
    figures.put("outages_silent_s", sum(one.ended_at - one.began_at for one in windows))
    figures.put("outages_destructive_decisions", len(harmful))
    figures.put("outages_replicas_ended", len(ended))
    figures.put("outages_idempotent_failed", sum(report.failed_of(kind) for kind in IDEMPOTENT))
    figures.put("outages_idempotent_requests", sum(report.count(kind) for kind in IDEMPOTENT))
    figures.put("outages_status_untold", sum(bool(one.said) for one in windows))
    figures.put("outages_status_asked", sum(one.planned.lasts_s > TOLD_AFTER_S + 1 for one in windows))
    figures.put("outages_unrepaired", len(unrepaired))
    figures.put("outages_repairs_expected", sum(_expects_repair(one) for one in windows))
    recovered = [AFTER_S if one.recovered_s is None else one.recovered_s for one in windows]
    figures.put("outages_recovered_most_s", max(recovered, default=None))
    moments = [(under.started_at + one.planned.begins_s, f"outage {n}") for n, one in enumerate(windows)]
    figures.parts["outages"] = {
        "windows": [asdict(one) for one in windows],
        "destructive": harmful,
        "ended": ended,
        "decisions_in_silence": _within(entries, windows),
        "totals": report.totals,
        "failures": described(report.failures, moments),
        "generator": msgspec.to_builtins(report.generator),
    }


def _ordered(entries: list[dict[str, Any]]) -> dict[str, float]:
    """Return for each replica the first moment at which its end was decided."""
    found: dict[str, float] = {}
    for each in entries:
        action = each["action"]
        ends = [*action.get("stops", ()), *([action["replica"]] if action["type"] == "replace" else [])]
        for replica in ends if each["state"] == "act" else ():
            found.setdefault(replica, each["wall_s"])
    return found


def _expects_repair(window: Window) -> bool:
    """Whether processes were known while a replica was killed, and long enough for a repair."""
    killed = next(iter(window.killed.values()), None)
    known = window.planned.which == "gateway"
    return killed is not None and known and window.ended_at - killed >= REPAIRED_S_MAX


def _repaired(window: Window, watch: Watch) -> bool:
    killed = next(iter(window.killed.values()))
    return any(killed < born <= killed + REPAIRED_S_MAX + HEARD_S for born in watch.born.values())


def _within(entries: list[dict[str, Any]], windows: list[Window]) -> list[dict[str, Any]]:
    """Return in short what was decided during silences, for people."""
    return [
        {"state": each["state"], "action": each["action"]["type"], "because": each["because"], "outage": n}
        for each in entries
        for n, one in enumerate(windows)
        if one.holds(each["wall_s"])
    ]
