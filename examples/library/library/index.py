"""The index: an inverted file with BM25 weights, and the search in it.

All weights are worked out when it is built, so that a question only adds numbers up. Postings lie in
flat arrays: term t owns the slots `starts[t]` to `starts[t + 1]` of `places` and `impacts`.
"""

from __future__ import annotations

import keyword
from array import array
from collections import Counter
from dataclasses import dataclass
from heapq import nlargest
from itertools import pairwise
from math import log
from operator import neg
from typing import TypedDict

from library.passages import Passage
from library.words import STOPWORDS, SYNONYMS, name_terms, stem, terms

__all__ = ["STOP_STEMS", "Answer", "Index", "build", "counted", "weighed"]

# Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.
_K1, _B = 1.2, 0.6
# How many times in the text a term counts that is a whole name, a part of it, or stands in its owner's name.
_WHOLE_WEIGHT, _NAME_WEIGHT, _OWNER_WEIGHT = 20.0, 8.0, 3.0
_KIND_WEIGHT = {"module": 1.2, "class": 1.1, "function": 1.1, "method": 0.9, "topic": 1.0, "source": 0.7}
_SYNONYM_WEIGHT, _PAIR_WEIGHT, _KEYWORD_WEIGHT = 0.3, 0.8, 0.5
_COMMON = 400  # postings; a term with more only adds to passages that a rarer term has found
_EXTRACT_CHARS = 300

STOP_STEMS = frozenset(map(stem, STOPWORDS))
_KEYWORD_STEMS = frozenset(stem(name.lower()) for name in keyword.kwlist)
_SYNTAX_STEMS = frozenset(map(stem, ("block", "clause", "expression", "keyword", "loop", "statement")))
_SYNONYM_STEMS = {stem(word): [stem(other) for other in others] for word, others in SYNONYMS.items()}


class Answer(TypedDict):
    """One answer as it goes over the wire; a higher score is better, scores compare within a question."""

    title: str
    module: str
    score: float
    extract: str
    where: str


@dataclass(frozen=True, slots=True)
class Index:
    """What a search needs: the passages, each term's number, and the postings."""

    passages: list[Passage]
    terms: dict[str, int]
    starts: array[int]
    places: array[int]
    impacts: array[float]

    def search(self, question: str, k: int = 5) -> list[Answer]:
        """The k best passages for a question, best first; fewer if fewer have a word of it.

        Args:
            question: plain words or a dotted name; words that say little are left out unless alone.
            k: how many answers at most, 1 or more.
        """
        weights = {term: weight for term, weight in weighed(question).items() if term in self.terms}
        scores = self._scores(weights)
        ranked = nlargest(k * 3, zip(scores.values(), map(neg, scores), strict=True))
        best: dict[str, Answer] = {}
        for score, place in ranked:
            passage = self.passages[-place]
            best.setdefault(passage.title, _answer(passage, score, weights))
            if len(best) == k:
                break
        return list(best.values())

    def _scores(self, weights: dict[str, float]) -> dict[int, float]:
        """The sum of impacts for each passage, rarest term first."""
        scores: dict[int, float] = {}
        spans = [(*self._span(term), weight) for term, weight in weights.items()]
        for start, end, weight in sorted(spans, key=lambda span: span[1] - span[0]):
            postings = zip(self.places[start:end], self.impacts[start:end], strict=True)
            if scores and end - start > _COMMON:
                for place, impact in postings:
                    if place in scores:
                        scores[place] += impact * weight
            else:
                for place, impact in postings:
                    scores[place] = scores.get(place, 0.0) + impact * weight
        return scores

    def _span(self, term: str) -> tuple[int, int]:
        number = self.terms[term]
        return self.starts[number], self.starts[number + 1]


def weighed(question: str) -> dict[str, float]:
    """Each term of a question with its weight, in its order; words that say little are left out."""
    asked = list(terms(question))
    weights = {term: 1.0 for term in asked if term not in STOP_STEMS}
    if not weights:
        weights = dict.fromkeys([*asked, *map(_whole, asked)], 1.0)
    for term in asked:
        if term in _KEYWORD_STEMS:
            weights.setdefault(term, _KEYWORD_WEIGHT)
        for other in _SYNONYM_STEMS.get(term, ()):
            weights.setdefault(other, _SYNONYM_WEIGHT)
    for first, second in pairwise(asked):
        weights.setdefault(stem(first + second), _PAIR_WEIGHT)  # "zip file" also means zipfile
        if first in _KEYWORD_STEMS and second in _SYNTAX_STEMS:  # "for loop", not "for me"
            weights[_whole(first)] = 1.0
    return weights


def build(passages: list[Passage]) -> Index:
    """Count every passage's terms and turn the counts into BM25 impacts, by term and then by place."""
    counts_of = [counted(passage) for passage in passages]
    lengths = [sum(counts.values()) for counts in counts_of]
    mean = sum(lengths) / max(1, len(lengths))
    postings: dict[str, list[tuple[int, float]]] = {}
    for place, (passage, counts) in enumerate(zip(passages, counts_of, strict=True)):
        norm = _K1 * (1 - _B + _B * lengths[place] / mean)
        for term, count in counts.items():
            impact = _KIND_WEIGHT[passage.kind] * count * (_K1 + 1) / (count + norm)
            postings.setdefault(term, []).append((place, impact))
    return _packed(passages, postings)


def _packed(passages: list[Passage], postings: dict[str, list[tuple[int, float]]]) -> Index:
    starts, places, impacts = array("I", [0]), array("I"), array("f")
    for held in postings.values():
        rarity = log(1 + (len(passages) - len(held) + 0.5) / (len(held) + 0.5))
        places.extend(place for place, _ in held)
        impacts.extend(impact * rarity for _, impact in held)
        starts.append(len(places))
    return Index(passages, {term: n for n, term in enumerate(postings)}, starts, places, impacts)


def counted(passage: Passage) -> dict[str, float]:
    """How often each term stands in a passage; names count for more than text."""
    counts: dict[str, float] = dict(Counter(terms(passage.text)))
    for term, weight in _name_weights(passage).items():
        counts[term] = counts.get(term, 0) + weight
    return counts


def _name_weights(passage: Passage) -> dict[str, float]:
    """What the passage's name adds: the more parts a name has, the less each of them says."""
    if passage.kind == "topic":
        owner, _, name = passage.title.partition(": ")[::-1]
    else:
        owner, _, name = passage.title.rpartition(".")
    weights = dict.fromkeys(name_terms(owner), _OWNER_WEIGHT)
    parts = name_terms(name)
    weights |= dict.fromkeys(parts, _NAME_WEIGHT / len(parts) ** 0.5)
    return weights | dict.fromkeys((stem(name.lower()), _whole(stem(name.lower()))), _WHOLE_WEIGHT)


def _whole(term: str) -> str:
    """The term that only a passage of exactly this name has."""
    return f"={term}"


def _answer(passage: Passage, score: float, weights: dict[str, float]) -> Answer:
    return {
        "title": passage.title,
        "module": passage.module,
        "score": round(score, 3),
        "extract": _extract(passage.text, weights),
        "where": passage.where,
    }


def _extract(text: str, weights: dict[str, float]) -> str:
    """About 300 characters from where the passage first speaks of the question, whole words only."""
    lowered = text.lower()
    spoken = [at for term in weights if (at := lowered.find(term)) >= 0]
    at = min(spoken, default=0)
    start = 0 if at < _EXTRACT_CHARS // 2 else text.rfind("\n", 0, at) + 1
    flat = " ".join(text[start : start + 2 * _EXTRACT_CHARS].split())
    if len(flat) <= _EXTRACT_CHARS:
        return flat
    return flat[:_EXTRACT_CHARS].rpartition(" ")[0] + " ..."
