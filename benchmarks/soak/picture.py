"""The picture of a soak: requests and what failed, how long they took, memory, files, and the faults."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from examples.demo.svg import LEFT, RIGHT, WIDTH, Drawing, Panel, Point

from benchmarks.soak.journal import FAILURES, FAULTS, TICKS, Line, lines, plan
from benchmarks.soak.sampling import OWNERS

HEIGHT, GAP, TOP, ROW = 96.0, 36.0, 76.0, 13.0
MIB = 2**20
STYLES = ("al", "bl", "mark")
LEGEND = ("a", "b", "m")
TICK_S = 10.0


def draw(folder: Path) -> str:
    """Return what a run left in a folder as SVG."""
    ticks = list(lines(folder, TICKS))
    seconds = max([each["at"] for each in ticks], default=1.0)
    samples = [each for each in ticks if "owners" in each]
    failed = [each["ended"] for each in lines(folder, FAILURES) if each["fate"] != "cut"]
    requests = sum(sum(each.get("fates", {}).values()) for each in ticks)
    title = f"A soak of {seconds / 3600:.2f} h: {requests} requests under random faults"
    drawing = Drawing(max(seconds, 1.0), title, _about(folder, requests, len(failed)))
    drawing.text(LEFT, 22, title, "t h")
    drawing.text(LEFT, 40, _about(folder, requests, len(failed)), "m")
    tops = [TOP + n * (HEIGHT + GAP) for n in range(4)]
    _asked(Panel(drawing, tops[0], HEIGHT, 160), ticks, failed)
    _latency(Panel(drawing, tops[1], HEIGHT, 2.0), ticks)
    _memory(Panel(drawing, tops[2], HEIGHT, 120), samples)
    _files(Panel(drawing, tops[3], HEIGHT, 16), samples)
    bottom = _faults(drawing, list(lines(folder, FAULTS)), tops[-1] + HEIGHT + 34)
    for share in range(5):
        at = seconds * share / 4
        drawing.text(drawing.x(at), bottom + 14, f"{at / 60:.0f} min", "m", "middle")
    return drawing.written(bottom + 26)


def _about(folder: Path, requests: int, failed: int) -> str:
    about = plan(folder)
    return (
        f"{requests} requests, {failed} failed, of any kind; seed {about.get('seed', '?')},"
        f" commit {str(about.get('commit', '?'))[:12]}. Marks below are faults."
    )


def _asked(panel: Panel, ticks: list[Line], failed: list[float]) -> None:
    panel.frame("requests a second", [0, 80, 160])
    panel.legend([("a", "answered"), ("bad", "failed, within 10 s")])
    points: list[Point] = []
    for before, each in pairwise(ticks):
        took_s = each["at"] - before["at"]
        if took_s > 1 and each.get("fates"):
            points.append((each["at"], sum(each["fates"].values()) / took_s))
    panel.area(points, "a soft")
    panel.line(points, "al")
    counted: defaultdict[int, int] = defaultdict(int)
    for at in failed:
        counted[int(at // TICK_S)] += 1
    for slot, count in counted.items():
        height = max(3.0, panel.y(0) - panel.y(count))
        x = panel.on.x(slot * TICK_S)
        panel.on.box(x, panel.y(0) - height, max(1.5, panel.on.x((slot + 1) * TICK_S) - x), height, "bad")


def _latency(panel: Panel, ticks: list[Line]) -> None:
    panel.frame("seconds to a whole answer", [0, 1, 2], " s")
    panel.legend([("a", "p50"), ("b", "p99 of 10 s")])
    timed = [each for each in ticks if each.get("fates")]
    panel.line([(each["at"], each["p99_s"]) for each in timed], "bl")
    panel.line([(each["at"], each["p50_s"]) for each in timed], "al")


def _memory(panel: Panel, samples: list[Line]) -> None:
    panel.frame("memory of the owners (proportional set size)", [0, 60, 120], " MiB")
    panel.legend(list(zip(LEGEND, OWNERS, strict=True)))
    for style, role in zip(STYLES, OWNERS, strict=True):
        for life in _lives(samples, role).values():
            panel.line([(at, one["pss_bytes"] / MIB) for at, one in life], style)


def _files(panel: Panel, samples: list[Line]) -> None:
    panel.frame("files on disk", [0, 8, 16], " MiB")
    names = ("recording_bytes", "ledger_bytes", "log_most_bytes")
    panel.legend(list(zip(LEGEND, ("recording", "ledger", "largest log"), strict=True)))
    for style, name in zip(STYLES, names, strict=True):
        panel.line([(each["at"], each[name] / MIB) for each in samples], style)


def _lives(samples: list[Line], role: str) -> dict[int, list[tuple[float, Line]]]:
    lives: defaultdict[int, list[tuple[float, Line]]] = defaultdict(list)
    for each in samples:
        for one in each["owners"]:
            if one["role"] == role:
                lives[one["pid"]].append((each["at"], one))
    return lives


def _faults(drawing: Drawing, faults: list[Line], top: float) -> float:
    """Draw a row of marks for each kind of fault; return where the rows end."""
    done = [each for each in faults if each.get("began") is not None and not each["skipped"]]
    kinds = sorted({each["kind"] for each in done})
    for row, kind in enumerate(kinds):
        y = top + row * ROW
        drawing.shape([(LEFT, y), (WIDTH - RIGHT, y)], "grid line")
        drawing.text(WIDTH - RIGHT, y - 2, kind, "m", "end")
        for each in done:
            if each["kind"] == kind:
                x = drawing.x(each["began"])
                width = max(2.0, drawing.x(each["at"]) - x)
                drawing.box(x, y - 5, width, 6, "b")
    return top + len(kinds) * ROW
