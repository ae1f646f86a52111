"""The swarm: the same text, read by agents. No model is needed; one can be lent (`LIBRARY_MODEL_URL`).

    Reader   has read one section, and says which of its lines speak of what is sought
    Router   knows who below it knows which words: readers, or other routers
    Critic   asks the routers that may know, weighs what comes, and answers with citations

A `Librarian` remembers how many readers have their sections, for `library.load`.

Each has an address: `reader/1-0042` is the 43rd reader of hall 1, `router/1-01` knows him, `router/1` knows
all routers of the hall. A hall has every section of the library once; there can be many. The agents' fields
are their memory, and durable: what a turn has noted or sent is not lost, whatever is killed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from math import log
from urllib.request import Request, urlopen

from lamplighter.runtime import Agent, Message, Turn
from library.index import STOP_STEMS, counted, weighed
from library.passages import Passage
from library.words import terms

__all__ = [
    "Answer",
    "Ask",
    "Critic",
    "Excerpt",
    "HowFar",
    "Librarian",
    "Place",
    "Placed",
    "Reader",
    "Recall",
    "Router",
    "placement",
]

SHELF = 64
"""So many readers a router of the lower kind knows."""
KNOWN_WORDS = 24
"""So many words a reader is known for; a section says few things."""
REPORT_S = 0.5
"""A router that has learnt something waits so long for more before it tells the router above it."""
ROUTERS_ASKED, READERS_ASKED = 12, 8
"""How many a question is passed on to, at most, by a critic and by a router."""
READER_S, ROUTER_S = 2.0, 4.0
"""How long a router waits for its readers, and a critic for the routers. What comes later is left out."""
AGAIN_S = 30.0
"""After so long a critic asks again if somebody had not answered."""
MODEL_S = 20.0
# BM25 as in the index; a section is about eighteen words long, its name counts for some thirty more.
_K1, _B, _MEAN = 1.2, 0.6, 50.0


@dataclass(frozen=True)
class Excerpt:
    """A line that speaks of what is sought.

    Args:
        title: the section's name.
        where: a file and line of the standard library, or a call of `help`.
        line: the line's number in the section, from 1.
        text: the line itself.
        score: how well the section fits; compares within a question.
    """

    title: str
    where: str
    line: int
    text: str
    score: float


@dataclass(frozen=True)
class Lead:
    """Who may know, the likeliest first, and how much each word of the question is worth here."""

    who: list[str]
    weights: dict[str, float]


@dataclass(frozen=True)
class Answer:
    """An answer with its sources.

    Args:
        question: as it was asked.
        text: the answer; [1] is the first citation.
        citations: the best lines, the best first.
        asked: how many routers were asked.
        silent: how many of them did not answer in time; they are asked again later (see `Recall`).
    """

    question: str
    text: str
    citations: list[Excerpt]
    asked: int = 0
    silent: int = 0


class Place(Message):
    """To a reader: a section to be read, and the router to tell of it."""

    title: str
    where: str
    text: str
    kind: str
    router: str


class Know(Message):
    """To a router: who knows which words."""

    who: str
    words: list[str]


class Report(Message):
    """A router's reminder to tell what it has learnt to the router above it."""


class Where(Message):
    """To a router: who may know of these words (each with its weight)?"""

    words: dict[str, float]


class Seek(Message):
    """To a router or a reader: which lines speak of these words (each with its weight)?"""

    weights: dict[str, float]


class Ask(Message):
    """To a critic: a question, and the hall to ask in."""

    q: str
    hall: str = "1"
    k: int = 3


class Again(Message):
    """A critic's reminder that an answer lacks something."""

    ask: Ask


class Recall(Message):
    """To a critic: its last answer, as complete as it has become."""


class Placed(Message):
    """To the librarian: so many readers have their sections, of which each hall has `sections`."""

    readers: int
    sections: int


class HowFar(Message):
    """To the librarian: how many readers have their sections?"""


class Reader(Agent):
    """Has read one section."""

    title: str = ""
    where: str = ""
    text: str = ""
    kind: str = "source"

    async def on_place(self, turn: Turn, place: Place) -> None:
        """Read the section, and tell the router. One that is known already is not told of twice."""
        if (self.title, self.where, self.text) == (place.title, place.where, place.text):
            return
        self.title, self.where, self.text, self.kind = place.title, place.where, place.text, place.kind
        turn.send(place.router, Know(turn.address, self._known_for()))

    async def on_seek(self, turn: Turn, seek: Seek) -> list[Excerpt]:
        """The line that fits best, if any does."""
        del turn
        score = self._score(seek.weights)
        if not score:
            return []
        line, text = self._best_line(seek.weights)
        return [Excerpt(self.title, self.where, line, text, round(score, 2))]

    def _counted(self) -> dict[str, float]:
        return counts_of(self.kind, self.title, self.text)

    def _known_for(self) -> list[str]:
        counts = self._counted()
        telling = ((count, word) for word, count in counts.items() if word not in STOP_STEMS)
        return [word for _, word in nlargest(KNOWN_WORDS, telling)]

    def _score(self, weights: dict[str, float]) -> float:
        counts = self._counted()
        norm = _K1 * (1 - _B + _B * sum(counts.values()) / _MEAN)
        found = ((counts.get(word, 0.0), weight) for word, weight in weights.items())
        return sum(weight * count * (_K1 + 1) / (count + norm) for count, weight in found)

    def _best_line(self, weights: dict[str, float]) -> tuple[int, str]:
        """The line with the most of it; of equals the first."""
        lines = self.text.splitlines()
        worth = [sum(weights.get(word, 0.0) for word in set(terms(line))) for line in lines]
        best = max(range(len(lines)), key=lambda n: (worth[n], bool(lines[n].strip()), -n))
        return best + 1, lines[best].strip()


class Router(Agent):
    """Knows who knows which words. Those it knows of are readers, or routers that know more."""

    who: list[str] = []
    words: dict[str, list[int]] = {}
    fresh: list[str] = []

    async def on_know(self, turn: Turn, know: Know) -> None:
        """Note it, and soon tell the router above which words are new here."""
        if know.who not in self.who:
            self.who.append(know.who)
        number = self.who.index(know.who)
        above = turn.address.rpartition("-")[0]
        for word in know.words:
            known = self.words.setdefault(word, [])
            if not known and above:
                if not self.fresh:
                    turn.after(REPORT_S, Report())
                self.fresh.append(word)
            if number not in known:
                known.append(number)

    async def on_report(self, turn: Turn, _: Report) -> None:
        """Tell the router above."""
        turn.send(turn.address.rpartition("-")[0], Know(turn.address, self.fresh))
        self.fresh = []

    async def on_where(self, turn: Turn, where: Where) -> Lead:
        """Who may know: those who are known for the rarest of the words."""
        del turn
        weights = self._worth(where.words)
        return Lead(self._likeliest(weights, ROUTERS_ASKED), weights)

    async def on_seek(self, turn: Turn, seek: Seek) -> list[Excerpt]:
        """Pass it on to those who may know, and gather what they say in time."""
        asked = [
            turn.ask(who, seek, timeout_s=READER_S) for who in self._likeliest(seek.weights, READERS_ASKED)
        ]
        said = await turn.every(*asked, failures=True)
        return [excerpt for each in said if isinstance(each, list) for excerpt in each]

    def _worth(self, words: dict[str, float]) -> dict[str, float]:
        """A word that few are known for says more (inverse document frequency)."""
        return {
            word: weight * log(1 + len(self.who) / len(self.words[word]))
            for word, weight in words.items()
            if word in self.words
        }

    def _likeliest(self, weights: dict[str, float], most: int) -> list[str]:
        marks: Counter[int] = Counter()
        for word, weight in weights.items():
            for number in self.words.get(word, ()):
                marks[number] += weight  # type: ignore[assignment]  # a counter of weights
        return [self.who[number] for number, _ in marks.most_common(most)]


class Critic(Agent):
    """Answers questions: has them looked up, weighs what is found, cites it. Keeps its last answer."""

    last: Answer | None = None

    class Config:
        """A critic that nobody has asked for a day is forgotten."""

        expires_s = 86_400.0

    async def on_ask(self, turn: Turn, ask: Ask) -> Answer:
        """Answer; if somebody was silent, ask again later, without being told to."""
        self.last = await self._answer(turn, ask)
        if self.last.silent:
            turn.after(AGAIN_S, Again(ask))
        return self.last

    async def on_again(self, turn: Turn, again: Again) -> None:
        """Ask once more, and keep the better answer."""
        answer = await self._answer(turn, again.ask)
        if self.last is None or answer.silent < self.last.silent:
            self.last = answer

    async def on_recall(self, turn: Turn, _: Recall) -> Answer | None:
        """The last answer."""
        del turn
        return self.last

    async def _answer(self, turn: Turn, ask: Ask) -> Answer:
        lead = await turn.ask(f"router/{ask.hall}", Where(weighed(ask.q)), timeout_s=ROUTER_S)
        seek = Seek(lead.weights)
        asked = [turn.ask(who, seek, timeout_s=ROUTER_S) for who in lead.who]
        said = await turn.every(*asked, failures=True)
        heard = [each for each in said if isinstance(each, list)]
        best = weigh((excerpt for each in heard for excerpt in each), ask.k)
        text = put_together(best)
        if best and os.environ.get("LIBRARY_MODEL_URL"):
            text = await turn.call(written, ask.q, [f"{each.title}: {each.text}" for each in best])
        return Answer(ask.q, text, best, len(asked), len(asked) - len(heard))


class Librarian(Agent):
    """Remembers how far the loading has come, so that it can be gone on with."""

    readers: int = 0
    sections: int = 0

    async def on_placed(self, turn: Turn, placed: Placed) -> None:
        """Note it."""
        del turn
        self.readers, self.sections = max(self.readers, placed.readers), placed.sections

    async def on_how_far(self, turn: Turn, _: HowFar) -> tuple[int, int]:
        """The readers that have their sections, and how many sections there were."""
        del turn
        return self.readers, self.sections


def placement(number: int, sections: Sequence[Passage]) -> tuple[str, Place]:
    """Whom the section of this running number (from 0) is for, and what is sent: halls fill one by one."""
    hall, n = divmod(number, len(sections))
    section = sections[n]
    router = f"router/{hall + 1}-{n // SHELF:02}"
    place = Place(section.title, section.where, section.text, section.kind, router)
    return f"reader/{hall + 1}-{n:04}", place


@lru_cache(maxsize=8192)
def counts_of(kind: str, title: str, text: str) -> dict[str, float]:
    """How often each word stands in a section; not counted anew for the reader of another hall."""
    return counted(Passage(kind, title, "", text, ""))


def weigh(found: Iterable[Excerpt], k: int) -> list[Excerpt]:
    """The k best, best first; of one section only its best line."""
    best: dict[str, Excerpt] = {}
    for each in sorted(found, key=lambda excerpt: (-excerpt.score, excerpt.title, excerpt.where)):
        best.setdefault(each.title, each)
    return list(best.values())[:k]


def put_together(best: list[Excerpt]) -> str:
    """An answer in the sections' own words."""
    if not best:
        return "Nobody here has read of that."
    return " ".join(f"{each.title}: {each.text} [{n}]" for n, each in enumerate(best, start=1))


def written(question: str, excerpts: list[str], key: str) -> str:
    """Let a language model write the answer (`LIBRARY_MODEL_URL`: an OpenAI-compatible chat completion).

    Called again after a crash only if its result was not noted, then with the same key.
    """
    sources = "\n".join(f"[{n}] {each}" for n, each in enumerate(excerpts, start=1))
    prompt = f"Answer in one sentence from these sources alone, citing them as [1]:\n{sources}\n\n{question}"
    body = {"messages": [{"role": "user", "content": prompt}], "model": os.environ.get("LIBRARY_MODEL", "")}
    headers = {"content-type": "application/json", "idempotency-key": key}
    request = Request(os.environ["LIBRARY_MODEL_URL"], json.dumps(body).encode(), headers)  # noqa: S310 - its owner's
    with urlopen(request, timeout=MODEL_S) as reply:  # noqa: S310 - as above
        return str(json.load(reply)["choices"][0]["message"]["content"])
