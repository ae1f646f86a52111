"""Agents: how many are held, in what memory, and how fast they are there again after a crash.

`held` and `recovery` measure the durable half alone (`lamplighter.runtime.agents.store`), on a real folder,
each stage in a process of its own. The default is 10,000,000 agents for `held` and 1,000,000 for `recovery`;
`--quick` takes 100,000 for both, `--agents N` another number. `power` lives through losses of power on a
virtual disk, seed by seed; `stories` through those and all else that happens to pools, in virtual time;
`kills` ends real hosts at random moments; `ray` runs a pool on a cluster, `peers` is what a message costs
elsewhere.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.agents import clusters, kills, overload, peers, turns
from benchmarks.report import Figures, Options, at_most, exactly
from lamplighter.model.errors import LampError
from lamplighter.testing import powerloss
from lamplighter.testing.agent_stories import Story

PARTS = {
    "held": "memory of agents at rest, as its peak over filling and random turns; time to create them",
    "recovery": "seconds until a host is there again after kill -9, with the tail that its snapshots leave",
    "power": "seeds of stores that lose their power, torn and failing disks: what was synced must be there",
    "stories": "seeds of pools whose shards move, whose hosts, links and locks fail: no promise is broken",
    "kills": "kill -9 of a pool's hosts while messages come: none is lost or doubled, order is kept",
    "turns": "processor time a durable turn over all processes, turns a second, delay of acknowledgement",
    "overload": "goodput, refusals and memory at three times a host's capacity for a minute",
    "ray": "a pool on a Ray cluster of four nodes beside one of processes: rate for each core, delay",
    "peers": "processor time a message of Ray, autogen-core, DBOS, Temporal and NATS, each installed apart",
}
HELD, RECOVERED, QUICK = 10_000_000, 1_000_000, 100_000
BYTES_EACH, CREATE_S, RECOVERY_S = 400, 60.0, 3.0
MILLION = 1_000_000
TRIAL_S = 3600.0
SEEDS, SEEDS_QUICK, SEEDS_PRETENDING = 10_000, 300, 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this benchmark takes."""
    parser.add_argument("--agents", type=int, default=None, metavar="N", help=f"how many ({HELD})")
    parser.add_argument("--turns", type=int, default=None, metavar="N", help="random turns (a tenth)")
    parser.add_argument("--seeds", type=int, default=None, metavar="N", help=f"of stories ({SEEDS})")
    parser.add_argument("--kills", type=int, default=None, metavar="N", help=f"of hosts ({kills.KILLS})")
    parser.add_argument("--folder", type=Path, default=None, metavar="PATH", help="where the data goes")
    parser.add_argument("--cache", type=Path, default=None, metavar="PATH", help="where peers are installed")


def run(options: Options) -> Figures:
    """Run the parts that were asked for."""
    if options.wants("held"):
        _held(options, options.asked.agents or (QUICK if options.quick else HELD))
    if options.wants("recovery"):
        _recovery(options, options.asked.agents or (QUICK if options.quick else RECOVERED))
    if options.wants("power"):
        _power(options)
    if options.wants("stories"):
        _stories(options, options.asked.seeds or (SEEDS_QUICK if options.quick else SEEDS))
    if options.wants("kills"):
        kills.measure(options, options.asked.kills, options.asked.folder)
    if options.wants("turns"):
        turns.measure(options, options.asked.agents, options.asked.folder)
    if options.wants("overload"):
        overload.measure(options, options.asked.folder)
    if options.wants("ray"):
        clusters.measure(options, options.asked.cache)
    if options.wants("peers"):
        places = {"cache": options.asked.cache, "scratch": options.asked.folder}
        ours = partial(turns.message_cpu_us, options, options.asked.folder)
        peers.compare(options, ours, peers.PEERS.values(), **places)
    return options.figures


def _held(options: Options, agents: int) -> None:
    figures = options.figures
    folder = _folder(options)
    try:
        lived = _stage("live", folder, agents, options)
    finally:
        shutil.rmtree(folder)
    figures.put("held_agents", agents)
    bound = at_most(BYTES_EACH) if agents >= MILLION else None  # with few, the process itself is most of it
    figures.put("held_peak_bytes_each", lived["peak_bytes"] / agents, bound)
    figures.put("held_disk_bytes_each", lived["disk_bytes"] / agents)
    figures.put("created_million_s", lived["created_s"] * MILLION / agents, at_most(CREATE_S))
    figures.put("created_cpu_us", lived["created_cpu_s"] / agents * 1e6)
    figures.put("turn_random_cpu_us", lived["turns_cpu_s"] / lived["turns"] * 1e6)
    options.figures.parts["held"] = lived


def _recovery(options: Options, agents: int) -> None:
    figures = options.figures
    folder = _folder(options)
    try:
        lived = _stage("live", folder, agents, options)
        begun = time.monotonic()
        again = _stage("recover", folder, agents, options)
        whole_s = time.monotonic() - begun
    finally:
        shutil.rmtree(folder)
    figures.put("recovery_agents", agents)
    figures.put("recovery_tail_records", again["replayed"])
    figures.put("recovery_s", again["open_s"], at_most(RECOVERY_S))
    figures.put("recovery_process_s", whole_s)
    figures.put("recovery_cpu_s", again["open_cpu_s"])
    assert again["agents"] == agents, "every agent is there again"
    options.figures.parts["recovery"] = {"lived": lived, "again": again}


def _power(options: Options) -> None:
    """Live through stores on a virtual disk; then through some on a disk that only pretends to sync."""
    seeds = SEEDS_QUICK if options.quick else SEEDS
    wrong = 0
    for seed in range(options.seed, options.seed + seeds):
        if found := powerloss.told(seed):
            wrong += 1
            options.progress(f"seed {seed}: {found}")
    caught = sum(bool(powerloss.told(seed, honest=False)) for seed in range(SEEDS_PRETENDING))
    options.figures.put("power_seeds", seeds)
    options.figures.put("power_seeds_wrong", wrong, exactly(0))
    options.figures.put("power_pretending_caught", caught / SEEDS_PRETENDING, exactly(1))


def _stories(options: Options, seeds: int) -> None:
    """Tell stories in virtual time; then some on disks that only pretend to sync."""
    wrong = 0
    for seed in range(options.seed, options.seed + seeds):
        if found := _told(seed):
            wrong += 1
            options.progress(f"seed {seed}: {found}")
    caught = sum(bool(_told(seed, honest=False)) for seed in range(1, SEEDS_PRETENDING + 1))
    options.figures.put("story_seeds", seeds)
    options.figures.put("story_seeds_wrong", wrong, exactly(0))
    options.figures.put("story_pretending_caught", caught / SEEDS_PRETENDING)


def _told(seed: int, *, honest: bool = True) -> str:
    """What is wrong with a story; "" if nothing is."""
    try:
        Story(seed, honest=honest).run()
    except (AssertionError, LampError, OSError) as error:
        return str(error) or repr(error)
    return ""


def _folder(options: Options) -> Path:
    return Path(tempfile.mkdtemp(prefix="agents-", dir=options.asked.folder))


def _stage(stage: str, folder: Path, agents: int, options: Options) -> dict[str, Any]:
    """Run a stage in a process of its own and return what it printed."""
    turns = options.asked.turns or agents // 10
    options.progress(f"{stage}: {agents} agents, {turns} turns")
    numbers = map(str, (agents, turns, options.seed))
    command = [sys.executable, "-m", "benchmarks.agents.trial", stage, str(folder), *numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=TRIAL_S)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
