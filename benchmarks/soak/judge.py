"""Judges a soak by what it left on disk, whole or broken off: what failed, what grew, what was left."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.load.sample import Fate
from benchmarks.report import Figures, at_least, at_most, exactly
from benchmarks.soak.journal import FAILURES, FAULTS, READS, TICKS, Line, lines, plan
from benchmarks.soak.sampling import OWNERS
from benchmarks.soak.slopes import slope

IDEMPOTENT = ("get", "stream", "post-key")
SLOW_S = 2.0
GATEWAY_BACK_S = 1.0
"""A gateway that was killed listens again within this."""
STRUCK = re.compile(r"(?:killed|stopped|paused) (\d+)")
WARM_SHARE = 0.5
"""Of the longest life of a role: nobody is looked at for growth before that age. What is kept for a while,
and caches and heaps with it, must have filled; what grows for ever still does afterwards."""
MIB_PER_H_MAX = 2.0
"""Python takes its small objects from arenas of 1 MiB: two of them an hour."""
FILES_PER_H_MAX = {"maintainer": 2.0, "supervisor": 10.0, "gateway": 40.0}
"""Open files go with what there is: two a replica at the supervisor, one a connection at the gateway."""
RECORDING_SPARE_BYTES = 5 << 20
"""What the file may have beyond the limit: its reserve and its write-ahead log."""
LOG_BYTES_MAX = (8 << 20) + (1 << 20)
"""A log is cut at 8 MiB, looked at now and then."""
LOGS_MAX = 2 * (40 + 12) + 8
LEDGER_BYTES_PER_ENTRY_MAX = 1024.0


def figures(folder: Path) -> Figures:
    """Return the figures of what a run left, with what they must hold."""
    found, about = Figures(), plan(folder)
    ticks = list(lines(folder, TICKS))
    faults = list(lines(folder, FAULTS))
    failures = list(lines(folder, FAILURES))
    reads = list(lines(folder, READS))
    samples = [each for each in ticks if "owners" in each]
    _requests(found, ticks, failures, faults)
    _faults(found, faults)
    _growth(found, samples)
    _files(found, samples, about)
    _stores(found, reads)
    found.parts["soak"] = {**about, "failures": failures[:200], "faults": faults, "kinds": _kinds(faults)}
    return found


def _requests(found: Figures, ticks: list[Line], failures: list[Line], faults: list[Line]) -> None:
    fates: Counter[str] = Counter()
    for each in ticks:
        fates.update(each.get("fates", {}))
    deaths = [each["began"] for each in faults if each["kind"] == "kill-gateway" and not each["skipped"]]
    apart = [each for each in failures if _of_a_gateway(each, deaths)]
    ours = [each for each in failures if each not in apart]
    bad = [each for each in ours if Fate(each["fate"]).failed and not _late_sent(each)]
    struck = {int(pid) for each in faults for pid in STRUCK.findall(str(each.get("done", "")))}
    seconds = max((each["at"] for each in ticks), default=0.0)
    found.put("soak_hours", seconds / 3600)
    found.put("soak_requests", sum(fates.values()))
    found.put("soak_idempotent_requests", _count(fates, IDEMPOTENT))
    found.put("soak_idempotent_failed", sum(each["kind"] in IDEMPOTENT for each in bad), exactly(0))
    unkeyed = _count(fates, ("post",))
    found.put("soak_unkeyed_failed_share", sum(each["kind"] == "post" for each in bad) / max(unkeyed, 1))
    cuts = [each for each in ours if each["fate"] == Fate.CUT]
    found.put("soak_cut", len(cuts))
    found.put("soak_cut_unexplained", sum(each["pid"] not in struck for each in cuts), exactly(0))
    found.put("soak_sent_late", sum(_late_sent(each) for each in ours))
    found.put("soak_gateway_kills", len(deaths))
    found.put("soak_gateway_lost", len(apart))
    found.put("soak_gateway_back_most_s", _back(failures, deaths), at_most(GATEWAY_BACK_S))
    found.put("soak_p99_median_s", _median([each["p99_s"] for each in ticks if each.get("fates")]))


def _of_a_gateway(failure: Line, deaths: list[float]) -> bool:
    """Whether a request was lost with a gateway: on its way at its death, or refused until it was back."""
    lost = failure["fate"] in (Fate.CONNECT_ERROR, Fate.NO_HEADERS, Fate.CUT)
    return lost and any(-0.1 <= failure["ended"] - each <= GATEWAY_BACK_S for each in deaths)


def _back(failures: list[Line], deaths: list[float]) -> float:
    """Return how long after a kill the last connection was refused, at most; 0 if none was."""
    refused = [each["ended"] for each in failures if each["fate"] == Fate.CONNECT_ERROR]
    latest = [(at, [each for each in deaths if each <= at]) for at in refused]
    return max((at - before[-1] for at, before in latest if before), default=0.0)


def _late_sent(failure: Line) -> bool:
    """Whether a slow answer was slow only since the generator sent the request late."""
    return bool(failure["fate"] == Fate.SLOW and failure["took_s"] - failure["late_s"] <= SLOW_S)


def _faults(found: Figures, faults: list[Line]) -> None:
    done = [each for each in faults if each.get("began") is not None and not each["skipped"]]
    found.put("soak_faults", len(done))
    found.put("soak_faults_broken", sum(str(each["done"]).startswith("broke") for each in faults), exactly(0))


def _kinds(faults: list[Line]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for each in faults:
        counted[each["kind"]]["skipped" if each.get("skipped") else "done"] += 1
    return {kind: dict(each) for kind, each in sorted(counted.items())}


def _growth(found: Figures, samples: list[Line]) -> None:
    for role in OWNERS:
        lives = _lives(samples, role)
        own = slope([[(at, one["own_bytes"] / 2**20) for at, one in life] for life in lives])
        files = slope([[(at, float(one["files"])) for at, one in life] for life in lives])
        looks = [one for life in lives for _, one in life]
        found.put(f"soak_{role}_pss_most_mib", max((one["pss_bytes"] for one in looks), default=0) / 2**20)
        found.put(f"soak_{role}_files_most", max((one["files"] for one in looks), default=0))
        found.put(f"soak_{role}_grows_mib_per_h", None if own is None else own.per_h)
        found.put(f"soak_{role}_grows_error_mib_per_h", None if own is None else own.error_per_h)
        most = None if own is None else own.most_per_h
        found.put(f"soak_{role}_grows_at_most_mib_per_h", most, at_most(MIB_PER_H_MAX))
        most = None if files is None else files.most_per_h
        found.put(f"soak_{role}_files_grow_at_most_per_h", most, at_most(FILES_PER_H_MAX[role]))
        found.put(f"soak_{role}_seen_for_h", None if own is None else own.hours)
        found.put(f"soak_{role}_seen_times", 0 if own is None else own.points)


def _lives(samples: list[Line], role: str) -> list[list[tuple[float, dict[str, Any]]]]:
    """Return the samples of each process of a role, its younger half left out, with the hours of each."""
    lives: dict[int, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for each in samples:
        for one in each["owners"]:
            if one["role"] == role:
                lives[one["pid"]].append((each["at"] / 3600, one))
    warm_s = WARM_SHARE * max((life[-1][1]["age_s"] for life in lives.values()), default=0.0)
    return [[each for each in life if each[1]["age_s"] >= warm_s] for life in lives.values()]


def _files(found: Figures, samples: list[Line], about: Line) -> None:
    def most(name: str) -> float:
        return max((float(each[name]) for each in samples), default=0.0)

    limit = float(about.get("recording_bytes", 0))
    found.put("soak_recording_limit_bytes", limit)
    found.put("soak_recording_most_bytes", most("recording_bytes"), at_most(limit + RECORDING_SPARE_BYTES))
    found.put("soak_log_most_bytes", most("log_most_bytes"), at_most(LOG_BYTES_MAX))
    found.put("soak_logs_most", most("logs"), at_most(LOGS_MAX))
    found.put("soak_logs_most_bytes", most("logs_bytes"))
    found.put("soak_ledger_most_bytes", most("ledger_bytes"))
    found.put("soak_releases_most", most("releases"))


def _stores(found: Figures, reads: list[Line]) -> None:
    replays = [each for each in reads if each["words"] == ["replay"]]
    verified = [each["code"] for each in reads if each["words"] == ["ledger", "--verify"]]
    polled = [each for each in reads if each["words"][0] not in ("replay", "down")]
    down = [each for each in reads if each["words"] == ["down"]]
    found.put("soak_replays", len(replays), at_least(1))
    firsts = [(each.get("report") or {}).get("first", 0) for each in replays]
    found.put("soak_recording_dropped_passes", max(0, max(firsts, default=0) - 1))
    found.put("soak_replayed_passes", sum((each.get("report") or {}).get("compared", 0) for each in replays))
    found.put("soak_replayed_decisions", sum(each["decisions"] for each in replays))
    unlike = sum(each["unlike"] + (each["code"] != 0) for each in replays)
    found.put("soak_replayed_otherwise", unlike, exactly(0))
    found.put("soak_ledger_verified", bool(verified) and not any(verified), exactly(1))
    found.put("soak_reads", len(polled))
    found.put("soak_reads_tracebacks", sum(bool(each.get("traceback")) for each in reads), exactly(0))
    found.put("soak_left_after_down", len(down[0]["left"]) if down else None, exactly(0))


def _count(fates: Counter[str], kinds: tuple[str, ...]) -> int:
    return sum(n for name, n in fates.items() if name.partition(":")[0] in kinds)


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
