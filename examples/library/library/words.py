"""Text to terms: what counts as the same word, and which words say little.

Used alike when the index is built and when it is asked, so that both speak of the same terms.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["STOPWORDS", "SYNONYMS", "name_terms", "stem", "terms"]

_WORD = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_VOWEL = re.compile(r"[aeiouy]")

STOPWORDS = frozenset(
    (  # noqa: SIM905 - a text of words is a text
        "a about all an and any are as at be been by can could did do does for from get give given had has "
        "have how i if in into is it its like make many may me much my need not of on one or our please "
        "python should show so some such tell than that the their them then there these they this those to "
        "two up us use used using want was way we were what when where which while who why will with would "
        "you your"
    ).split()
) | {name.lower() for name in keyword.kwlist}

# What people ask for and the word that the documentation says for it.
SYNONYMS = {
    "parse": ("load", "decode", "deserialize"),
    "read": ("load", "open"),
    "write": ("dump", "save"),
    "serialize": ("dump", "encode"),
    "delete": ("remove", "unlink"),
    "folder": ("directory", "tree"),
    "parallel": ("concurrent", "process", "thread"),
    "launch": ("run", "spawn"),
    "start": ("run",),
    "wait": ("sleep", "join"),
    "pause": ("sleep",),
    "unique": ("set", "uuid"),
    "average": ("mean",),
    "temporary": ("tempfile",),
    "date": ("datetime",),
    "website": ("url", "browser"),
    "download": ("urlopen", "url"),
    "memoize": ("cache",),
    "compress": ("gzip", "zip"),
    "unzip": ("zipfile", "extract"),
    "measure": ("timeit", "time"),
    "merge": ("update", "chain"),
    "email": ("message", "smtp"),
    "math": ("number",),
    "hash": ("digest",),
    "exception": ("error",),
    "loop": ("iterate", "while"),
}


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Take the common endings off a lower-case word, so that "parsing" meets "parse" and "parsed".

    A light cut in the manner of Harman's S-stemmer, extended by -ing, -ed and a final e.
    """
    if len(word) <= 3 or word[-1].isdigit():  # noqa: PLR2004 - nothing to cut from "set" or "utf8"
        return word
    if word.endswith(("ies", "ied")) and len(word) > 4:  # noqa: PLR2004
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return _without_verb_ending(word)


def _without_verb_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and _VOWEL.search(rest) and not word.endswith("eed"):  # noqa: PLR2004
            doubled = rest[-1] == rest[-2] and rest[-1] not in "lsz"
            return (rest[:-1] if doubled else rest).removesuffix("e")
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word  # noqa: PLR2004


def terms(text: str) -> Iterator[str]:
    """The terms of a running text, in its order, repeated as they are."""
    return map(stem, _WORD.findall(text.lower()))


def name_terms(name: str) -> set[str]:
    """The terms of a dotted name: each part whole, and cut at underscores and capitals.

    "zipfile.ZipFile.read_all" gives zipfile, zip, file, read, all (each stemmed).
    """
    whole = set(terms(name.replace("_", ""))) | set(terms(name))
    return whole | {stem(part.lower()) for part in _CAMEL.findall(name)}
