"""Known questions find known places."""

import pytest
from library.index import Index, build
from library.passages import gather
from library.questions import WRITTEN, questions
from library.words import name_terms, stem


def titles(index: Index, question: str, k: int = 5) -> list[str]:
    """The titles of the k best answers."""
    return [answer["title"] for answer in index.search(question, k)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("zip", "builtins.zip"),
        ("how do I parse json", "json.loads"),
        ("with", 'with: The "with" statement'),
        ("for loop", 'for: The "for" statement'),
        ("greatest common divisor", "math.gcd"),
        ("walk through a directory tree", "os.walk"),
    ],
)
def test_a_known_question_finds_its_place_first(index: Index, question: str, first: str) -> None:
    """The best answer is the place that a person would be sent to."""
    assert first == titles(index, question)[0]


def test_nearly_every_written_question_is_answered_among_the_first_five(index: Index) -> None:
    """At least 95% of the questions with a known place find it."""
    missed = [
        asked
        for asked, begins in WRITTEN.items()
        if not any(title.startswith(begins) for title in titles(index, asked))
    ]
    assert len(missed) <= len(WRITTEN) * 0.05, missed


def test_every_question_has_an_answer(index: Index) -> None:
    """None of the 300 and more questions goes away empty-handed."""
    assert len(questions()) >= 300
    assert [] == [asked for asked in questions() if not index.search(asked)]


def test_scores_fall(index: Index) -> None:
    """Answers come best first, each title once, no more than asked for."""
    answers = index.search("open a file", 20)
    scores = [answer["score"] for answer in answers]
    assert sorted(scores, reverse=True) == scores
    assert 20 == len({answer["title"] for answer in answers})


def test_words_that_nobody_wrote_find_nothing(index: Index) -> None:
    """A question without a known word has no answers, and no guess."""
    assert [] == index.search("xyzzyplugh ???")


def test_an_answer_says_where_it_stands(index: Index) -> None:
    """Where is a file and line below the standard library, never a path of the machine."""
    (answer,) = index.search("json.loads", 1)
    assert answer["where"].startswith("json/__init__.py:")
    assert len(answer["extract"]) <= 310


def test_two_builds_are_the_same(index: Index) -> None:
    """The index follows from the interpreter alone."""
    again = build(gather())
    assert (index.passages, index.terms, index.impacts) == (again.passages, again.terms, again.impacts)


@pytest.mark.parametrize("word", ["parse", "parses", "parsed", "parsing"])
def test_forms_of_a_word_are_one_term(word: str) -> None:
    """Endings do not keep a question from its answer."""
    assert "pars" == stem(word)


def test_a_name_is_found_by_its_parts() -> None:
    """A name is split at capitals and underscores, and kept whole."""
    assert {"zipfil", "zip", "fil", "readall", "read", "all"} == name_terms("ZipFile.read_all")
