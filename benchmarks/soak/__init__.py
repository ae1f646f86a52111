"""A soak: two hours at half capacity under random faults; nothing may fail, nothing may grow without bound.

`--data DIR` keeps what was seen as it goes: one that breaks off is reported from there by `--only report`.
"""

import argparse
import asyncio
import json
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from benchmarks.load import Event, Progress, Sample, Traffic, running
from benchmarks.local.loads import MIX, STREAM_S
from benchmarks.local.processes import prefer
from benchmarks.report import Figures, Options, commit, machine
from benchmarks.soak import judge, picture
from benchmarks.soak.acts import Acts
from benchmarks.soak.journal import FAILURES, READS, TICKS, Journal
from benchmarks.soak.plan import LEAST, Fault, faults, rate_at, waves
from benchmarks.soak.sampling import look
from benchmarks.soak.site import RECORDING_QUICK_KIB, WISH, Site, apart, priority, site
from benchmarks.soak.tallying import Tick

PARTS = {"run": "the soak itself, then its report", "report": "what a run left in --data DIR, judged again"}
HOURS, HOURS_QUICK = 2.0, 1 / 6
NICE = -10
TICK_S = 10.0
READ_EVERY_S = 15.0
PREFER_EVERY_S = 2.0
REPLAY_EVERY_S, REPLAY_EVERY_QUICK_S = 900.0, 180.0
CALM_WAIT_S = 180.0
READS_OF = (
    ("status",), ("status", "--json"), ("ledger", "--last", "50"), ("plan",), ("logs", "work", "--tail", "5"),
)  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only a soak takes."""
    parser.add_argument("--hours", type=float, metavar="H", help="how long (2, quick: 10 minutes)")


def run(options: Options) -> Figures:
    """Soak a system, or judge what an earlier run left."""
    folder = options.data or Path(tempfile.mkdtemp(prefix="soak-"))
    if options.wants("run"):
        asyncio.run(_soaked(folder, options))
    options.figures.merge(judge.figures(folder))
    (folder / "soak.svg").write_text(picture.draw(folder), encoding="utf-8")
    options.progress(f"what was seen, and its picture: {folder}")
    return options.figures


async def _soaked(folder: Path, options: Options) -> None:
    hours = getattr(options.asked, "hours", None) or (HOURS_QUICK if options.quick else HOURS)
    own_mounts, nice = apart(), priority(NICE)
    async with site(folder / "stores") as made:
        options.progress("soak: bringing the system up")
        if hours < 1:
            made.recording_kib = RECORDING_QUICK_KIB
        await made.up(WISH)
        await made.settled(LEAST + 1)
        journal = Journal(folder)
        stages = waves(hours * 3600, quick=options.quick)
        journal.plan({
            "hours": hours, "seed": options.seed, "quick": options.quick, "commit": commit(),
            "machine": machine(), "nice": nice, "own_mounts": own_mounts, "small_disk": made.small_disk,
            "recording_bytes": made.recording_kib << 10,
            "stages": [[each.seconds, each.rate, each.end_rate] for each in stages],
        })  # fmt: skip
        traffic = Traffic(
            url=made.url, stages=stages, mix=MIX, stream_s=STREAM_S, name="soak", seed=options.seed,
            failures_max=5,
        )  # fmt: skip
        await _Soak(made, journal, traffic, options).run(hours * 3600)


class _Soak:
    """One run: the load, the faults, the samples and the reads, side by side."""

    def __init__(self, made: Site, journal: Journal, traffic: Traffic, options: Options) -> None:
        self._site, self._journal, self._traffic, self._options = made, journal, traffic, options
        self._tick = Tick()
        self._acts = Acts(made, journal, lambda: rate_at(traffic.stages, journal.at()))
        self._acting: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def run(self, seconds: float) -> None:
        """Soak for so long, let everything come to rest, look at the stores, and take it down.

        SIGTERM or SIGINT ends it early and in good order.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with running(self._traffic, self._seen, keep=False) as load:
            self._journal.began_at = load.started_at
            lasting = (self._sampling(), self._reading(), self._replaying(), self._preferring())
            beside = [asyncio.create_task(each) for each in lasting]
            try:
                for fault in faults(seconds, self._options.seed):
                    if await self._stopped(fault.at_s):
                        break
                    self._start(fault)
                await self._stopped(seconds)
                report = await load.stop()
                await asyncio.gather(*self._acting)
            finally:
                for each in beside:
                    each.cancel()
        self._flush({})
        honesty = msgspec.to_builtins(report.generator)
        self._journal.add(TICKS, {"end": report.totals, "generator": honesty})
        await self._ended()

    async def _stopped(self, until_s: float) -> bool:
        """Wait until a moment of the run; return whether it is to end before that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until_s - self._journal.at())):
                await self._stop.wait()
        return self._stop.is_set()

    def _start(self, fault: Fault) -> None:
        task = asyncio.create_task(self._acts.carry_out(fault))
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def _seen(self, event: Event) -> None:
        if isinstance(event, Sample):
            self._tick.add(event)
            if event.fate.failed or event.fate.value == "cut":
                self._journal.add(FAILURES, _line(event, self._journal))
        elif isinstance(event, Progress):
            self._tick.lag_p99_s = max(self._tick.lag_p99_s, event.lag_p99_s)

    async def _sampling(self) -> None:
        turn = 0
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, turn * TICK_S - self._journal.at()))
            self._flush(await asyncio.to_thread(look, self._site))

    async def _preferring(self) -> None:
        """Give what is new the priority of the rest: each replica is a session of its own."""
        while True:
            found = await asyncio.to_thread(self._site.processes)
            prefer((each.pid for each in found if each.leads), NICE)
            await asyncio.sleep(PREFER_EVERY_S)

    def _flush(self, sample: dict[str, Any]) -> None:
        tick, self._tick = self._tick, Tick()
        self._journal.add(TICKS, {**tick.line(), **sample})
        self._options.progress(
            f"soak: {self._journal.at():.0f} s, {tick.requests} requests, {tick.failed} failed,"
            f" {tick.cut} cut, p99 {tick.p99_s():.2f} s, {sample.get('replicas', '?')} replicas,"
            f" {len(self._acting)} faults on"
        )

    async def _reading(self) -> None:
        draw = Random(f"reads:{self._options.seed}")
        while True:
            await asyncio.sleep(READ_EVERY_S)
            await self._read(*draw.choice(READS_OF))

    async def _read(self, *words: str) -> None:
        ran = await self._site.lamp(*words)
        self._journal.add(READS, {
            "words": words, "code": ran.code, "took_s": round(ran.took_s, 2),
            "traceback": "Traceback" in ran.err + ran.out, "said": ran.err[-500:] if ran.code else "",
        })  # fmt: skip

    async def _replaying(self) -> None:
        while True:
            await asyncio.sleep(REPLAY_EVERY_QUICK_S if self._options.quick else REPLAY_EVERY_S)
            await self._replay()

    async def _replay(self) -> None:
        """Make every decision that is still recorded again, in a process of its own."""
        ran = await self._site.lamp("replay", "--json")
        found = json.loads(ran.out) if ran.out.startswith("{") else {}
        decided = found.get("decided", ())
        self._journal.add(READS, {
            "words": ["replay"], "code": ran.code, "took_s": round(ran.took_s, 2), "said": ran.err[-500:],
            "decisions": len(decided), "unlike": sum(each.get("same") is False for each in decided),
            "report": found.get("report"), "traceback": "Traceback" in ran.err,
        })  # fmt: skip

    async def _ended(self) -> None:
        """Bring all to rest, verify the stores, and see that nothing is left."""
        self._options.progress(f"soak: {await self._acts.taken_up()}")
        await self._replay()
        await self._read("ledger", "--verify")
        left = await self._site.lamp("down")
        await asyncio.sleep(1.0)
        lives = [f"{each.role} {each.pid}" for each in self._site.processes()]
        line = {"words": ["down"], "code": left.code, "left": lives, "said": left.err[-500:]}
        self._journal.add(READS, line)
        await self._read("ledger", "--verify")


def _line(event: Sample, journal: Journal) -> dict[str, Any]:
    return {
        "due": journal.at(event.scheduled_at), "ended": journal.at(event.scheduled_at + event.took_s),
        "kind": event.kind.value, "fate": event.fate.value, "why": event.why, "status": event.status,
        "reason": event.reason, "replica": event.replica, "pid": event.pid, "took_s": round(event.took_s, 3),
        "late_s": round(event.late_s, 3), "n": event.n,
    }  # fmt: skip
