"""A small writer of SVG: a frame with a time axis, lines, steps, bars and labels. Knows nothing of the story.

Colours are classes, so that one picture suits light and dark surroundings; it has its own background, since
what surrounds it is not always what the reader's system is set to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT = 960, 52, 18
CHAR = 6.1
"""Mean width of a character at 11 px, to keep labels apart."""
ROW = 15

STYLE = """\
.bg{fill:#fff}.t{fill:#1f2328}.m{fill:#59636e}.grid{stroke:#d8dee4}.mark{stroke:#8c959f;stroke-dasharray:3 3}
.a{fill:#0969da}.b{fill:#e16f24}.al{stroke:#0969da}.bl{stroke:#e16f24}.soft{opacity:.3}.bad{fill:#cf222e}
.band{fill:#8c959f;opacity:.14}.line{fill:none;stroke-width:1.5;stroke-linejoin:round}
text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.h{font-size:15px;font-weight:600}
.p{font-weight:600}text{paint-order:stroke;stroke:#fff;stroke-width:3px}
@media(prefers-color-scheme:dark){.bg{fill:#0d1117}.t{fill:#e6edf3}.m{fill:#9198a1}.grid{stroke:#2f3742}
.mark{stroke:#6e7681}.a{fill:#4493f8}.b{fill:#f0883e}.al{stroke:#4493f8}.bl{stroke:#f0883e}.bad{fill:#ff6a69}
text{stroke:#0d1117}}"""

Point = tuple[float, float]


@dataclass(slots=True)
class Drawing:
    """A drawing over `seconds` of time; parts are added and then written out as one text, words on top."""

    seconds: float
    title: str
    about: str
    parts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def x(self, second: float) -> float:
        """Return where a second stands."""
        share = min(1.0, max(0.0, second / self.seconds))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def text(self, x: float, y: float, words: str, style: str = "t", anchor: str = "start") -> None:
        """Write words."""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.words.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}"{where}>{escape(words)}</text>')

    def shape(self, points: Iterable[Point], style: str, *, closed: bool = False) -> None:
        """Draw a line through points, or what it encloses."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if path:
            self.parts.append(f'<path d="M{path}{"Z" if closed else ""}" class="{style}"/>')

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Fill a rectangle."""
        size = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
        self.parts.append(f'<rect {size} class="{style}"/>')

    def written(self, height: float) -> str:
        """Return the whole picture."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            f'aria-labelledby="title about"><title id="title">{escape(self.title)}</title>'
            f'<desc id="about">{escape(self.about)}</desc><style>{STYLE}</style>'
        )
        ground = f'<rect width="{WIDTH}" height="{height:.0f}" rx="6" class="bg"/>'
        return "\n".join([head, ground, *self.parts, *self.words, "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class Panel:
    """A strip of the drawing with an axis of its own, from 0 to `most`."""

    on: Drawing
    top: float
    height: float
    most: float

    def y(self, value: float) -> float:
        """Return where a value stands."""
        return self.top + self.height * (1 - min(1.0, max(0.0, value / self.most)))

    def frame(self, name: str, ticks: Sequence[float], unit: str = "") -> None:
        """Draw the grid, and write the panel's name above it."""
        for tick in ticks:
            self.on.shape([(LEFT, self.y(tick)), (WIDTH - RIGHT, self.y(tick))], "grid line")
            self.on.text(LEFT - 6, self.y(tick) + 4, f"{tick:g}{unit}", "m", "end")
        self.on.text(LEFT, self.top - 8, name, "t p")

    def legend(self, names: Sequence[tuple[str, str]]) -> None:
        """Write what the colours stand for, at the right above the panel: style and name of each."""
        x = float(WIDTH - RIGHT)
        for style, name in reversed(names):
            x -= len(name) * CHAR
            self.on.text(x, self.top - 7, name, "m")
            x -= 14
            self.on.box(x, self.top - 15, 9, 9, style)
            x -= 14

    def line(self, values: Iterable[Point], style: str) -> None:
        """Draw a line through values over seconds."""
        self.on.shape([(self.on.x(at), self.y(value)) for at, value in values], f"{style} line")

    def area(self, values: Sequence[Point], style: str) -> None:
        """Fill below a line through values over seconds."""
        if values:
            ends = [(values[-1][0], 0.0), (values[0][0], 0.0)]
            points = [(self.on.x(at), self.y(value)) for at, value in [*values, *ends]]
            self.on.shape(points, style, closed=True)

    def steps(self, lower: Sequence[Point], upper: Sequence[Point], style: str) -> None:
        """Fill between two courses of steps (at second, value), which last until the next one or the end."""
        if any(low[1] != high[1] for low, high in zip(lower, upper, strict=True)):
            outline = [*self._course(upper), *reversed(self._course(lower))]
            self.on.shape(outline, style, closed=True)

    def _course(self, values: Sequence[Point]) -> list[Point]:
        course: list[Point] = []
        for at, value in values:
            x, y = self.on.x(at), self.y(value)
            if course and course[-1][1] == y:
                continue
            course += [(x, course[-1][1]), (x, y)] if course else [(x, y)]
        return [*course, (self.on.x(values[-1][0]), course[-1][1])] if course else []


def rows_for(labels: Sequence[tuple[float, str]]) -> list[int]:
    """Return a row for each label (place, words) so that none covers another."""
    ends: list[float] = []
    chosen: list[int] = []
    for x, words in labels:
        row = next((n for n, end in enumerate(ends) if end <= x), len(ends))
        ends[row : row + 1] = [x + len(words) * CHAR + 10]
        chosen.append(row)
    return chosen
