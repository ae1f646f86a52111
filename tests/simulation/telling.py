"""What was decided in short stories, in words: kept beside the tests, so that no decision changes unseen.

`python -m tests.simulation.telling` writes the files anew; the difference is read, and goes into the commit
that makes it. The last line of each is a digest of all that was decided and remembered, pass by pass: where
only that changes, something is remembered or reasoned otherwise that changed no decision in that story.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lamplighter.engine.chronicle import chronicle
from lamplighter.engine.step import resting
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import encode
from lamplighter.planning import describe
from lamplighter.testing.report import Parts
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import story

HERE = Path(__file__).parent / "told"
SEEDS = range(1, 31)
LENGTH_S = 300.0
"""How long faults go on in each."""
COMMAND = "python -m tests.simulation.telling"
"""Writes the files anew."""
DUST = re.compile(rb"\d+\.\d{9,}(?:e-?\d+)?")
"""Numbers with more digits than anything rests on: how floats are summed differs between Pythons."""


class Teller:
    """A step that writes down what each pass came to."""

    def __init__(self) -> None:
        """Begin with everybody awake."""
        self._step = resting()
        self._all = hashlib.blake2b(digest_size=8)
        self._before = Result()
        self.lines: list[str] = []

    def __call__(self, history: History, inputs: Inputs) -> tuple[History, Result]:
        """Decide one pass, and note it."""
        after, result = self._step(history, inputs)
        for part in (after, result):
            self._all.update(DUST.sub(lambda found: b"%.6g" % float(found[0]), encode(part)))
        self.lines += [f"{inputs.now:9.2f}  {each}" for each in _said(self._before, inputs, result)]
        self._before = result
        return after, result

    @property
    def text(self) -> str:
        """What was decided so far, and the digest of all."""
        return "\n".join([*self.lines, f"in all     {self._all.hexdigest()}", ""])


def _said(before: Result, inputs: Inputs, result: Result) -> Iterator[str]:
    """What was asked, decided, and came to nothing; in the words of people."""
    words = {each.id: (each.state, each.chosen) for each in result.decisions}
    for line in chronicle(0, before, inputs, result):
        if line.kind == "decision":
            state, chosen = words[line.subject]
            yield f"{state} {describe(chosen.action)} - {chosen.because}"
        elif line.kind == "closing" and line.body["result"] != "verified":
            yield f"{line.subject} {line.body['result']} {line.body.get('detail', '')}".rstrip()
        elif line.kind == "intent":
            yield f"asked {line.subject}"


def told(seed: int) -> str:
    """Return what is decided in the story of a seed."""
    teller = Teller()
    simulate(story(seed, length_s=LENGTH_S), seed=seed, parts=Parts(step=teller))
    return teller.text


def place(seed: int) -> Path:
    """Return where it is kept what was decided in the story of a seed."""
    return HERE / f"{seed}.txt"


def main() -> None:
    """Write all of them anew."""
    HERE.mkdir(exist_ok=True)
    for seed in SEEDS:
        place(seed).write_text(told(seed), encoding="utf-8")
    sys.stdout.write(f"{len(SEEDS)} stories are told anew; read what `git diff` shows\n")


if __name__ == "__main__":
    main()
