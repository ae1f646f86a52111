"""The picture of a run: what was asked and failed, how many replicas served of which release, how fast."""

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.load.sample import Fate
from benchmarks.load.tally import percentiles
from examples.demo.record import Look, Record
from examples.demo.svg import LEFT, RIGHT, ROW, WIDTH, Drawing, Panel, Point, rows_for
from examples.demo.traffic import Answer

HEIGHT, GAP, TITLE = 104.0, 38.0, 48.0
LAYERS = ("a", "b", "m soft")
DEFINED = (
    "Open-loop, no question is asked twice. Failed: connection error, no headers, 5xx, or slower than 2 s. "
    "Every question takes the service itself 0.2 to 0.4 s."
)
BAND = ("maintainer killed", "taken up")
"""Between these two marks there is no maintainer."""


def draw(record: Record, answers: Sequence[Answer]) -> str:
    """Return the run as SVG."""
    seconds = max(1.0, (record.drawn_until or record.ended) - record.began)
    by_second = _by_second(record, answers)
    failed = sum(each.fate.failed for each in answers)
    title = f"One run of the demo: {len(answers)} questions, {failed} failed"
    drawing = Drawing(seconds, title, _about(record))
    drawing.text(LEFT, 22, drawing.title, "t h")
    drawing.text(LEFT, 39, DEFINED, "m")
    top = TITLE + _marks_height(drawing, record) + 26
    panels = [top + n * (HEIGHT + GAP) for n in range(3)]
    bottom = panels[-1] + HEIGHT
    _band(drawing, record, panels[0], bottom)
    _asked(Panel(drawing, panels[0], HEIGHT, _round(max(map(len, by_second.values()), default=1))), by_second)
    _replicas(Panel(drawing, panels[1], HEIGHT, 8), record)
    _latency(Panel(drawing, panels[2], HEIGHT, 1.0), by_second)
    _marks(drawing, record, bottom)
    for second in range(0, int(seconds) + 1, 10):
        drawing.text(drawing.x(second), bottom + 17, f"{second} s", "m", "middle")
    return drawing.written(bottom + 28)


def _asked(panel: Panel, by_second: dict[int, list[Answer]]) -> None:
    panel.frame("questions a second", [0, panel.most / 2, panel.most])
    panel.legend([("a", "asked"), ("bad", "failed")])
    asked: list[Point] = [(at + 0.5, len(each)) for at, each in sorted(by_second.items())]
    panel.area(asked, "a soft")
    panel.line(asked, "al")
    width = panel.on.x(1) - panel.on.x(0)
    for at, each in by_second.items():
        if failed := sum(one.fate.failed for one in each):
            height = max(3.0, panel.y(0) - panel.y(failed))
            panel.on.box(panel.on.x(at), panel.y(0) - height, width, height, "bad")


def _replicas(panel: Panel, record: Record) -> None:
    panel.frame("replicas", [0, 2, 4, 6, 8])
    first, second = [*record.releases, "", ""][:2]
    names = (f"release {first}", f"release {second}", "starting or draining")
    panel.legend([each for each in zip(LAYERS, names, strict=True) if each[1] != "release "])
    base = [0.0] * len(record.looks)
    for layer in range(len(LAYERS)):
        tops = [low + _counted(each, first)[layer] for low, each in zip(base, record.looks, strict=True)]
        panel.steps(_timed(record, base), _timed(record, tops), LAYERS[layer])
        base = tops


def _counted(look: Look, first: str) -> tuple[int, int, int]:
    """Return how many serve of the first release and of any other, and how many come or go."""
    of_first = look.serving.get(first, 0)
    return of_first, sum(look.serving.values()) - of_first, look.starting + look.draining


def _latency(panel: Panel, by_second: dict[int, list[Answer]]) -> None:
    panel.frame("seconds to an answer", [0, 0.5, 1.0], " s")
    panel.legend([("a", "p50"), ("b", "p99 of each second")])
    for share, style in (("p99", "bl"), ("p50", "al")):
        values: list[Point] = []
        for at, each in sorted(by_second.items()):
            took = percentiles([one.took_s for one in each if one.fate is Fate.OK])
            values += [(at + 0.5, getattr(took, share))] if took.count else []
        panel.line(values, style)


def _band(drawing: Drawing, record: Record, top: float, bottom: float) -> None:
    """Shade the time without a maintainer."""
    band = [drawing.x(each.at - record.began) for each in record.marks if each.label in BAND]
    if len(band) == len(BAND):
        drawing.box(band[0], top, band[1] - band[0], bottom - top, "band")


def _marks(drawing: Drawing, record: Record, bottom: float) -> None:
    """Write what happened above dashed lines."""
    labels = [(drawing.x(each.at - record.began), each.label) for each in record.marks]
    for (x, label), row in zip(labels, rows_for(labels), strict=True):
        y = TITLE + ROW * (row + 1)
        drawing.shape([(x, y + 3), (x, bottom)], "mark line")
        near_end = x + len(label) * 6 > WIDTH - RIGHT
        drawing.text(x - 3 if near_end else x + 3, y, label, "t", "end" if near_end else "start")


def _marks_height(drawing: Drawing, record: Record) -> float:
    rows = rows_for([(drawing.x(each.at - record.began), each.label) for each in record.marks])
    return ROW * (max(rows, default=0) + 1)


def _timed(record: Record, values: Sequence[float]) -> list[Point]:
    return [(each.at - record.began, value) for each, value in zip(record.looks, values, strict=True)]


def _by_second(record: Record, answers: Sequence[Answer]) -> dict[int, list[Answer]]:
    found: defaultdict[int, list[Answer]] = defaultdict(list)
    for each in answers:
        found[int(each.due - record.began)].append(each)
    return dict(found)


def _round(value: float) -> int:
    """Return the next multiple of 20 above a value."""
    return int(value // 20 + 1) * 20


def _about(record: Record) -> str:
    told = "; ".join(f"{each.at - record.began:.0f} s: {each.label}" for each in record.marks)
    most = max((sum(each.serving.values()) for each in record.looks), default=0)
    return f"Up to {most} replicas served. {told}."
