"""The parts of the demo that tell: what counts as held, the spec it runs, the picture."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.load.sample import Fate
from examples.demo.picture import draw
from examples.demo.record import Look, Mark, Record, Replayed
from examples.demo.svg import rows_for
from examples.demo.table import judged, table, verdict
from examples.demo.traffic import Answer
from examples.demo.workplace import EXAMPLE, Tuning, tuned

from lamplighter.spec import parse

FINE = Answer(1.0, 0.3, Fate.OK, release="r-1", greeting="hello")


def record(unlike: int = 0) -> Record:
    """Return a run of ten seconds in which two replicas served."""
    looks = [Look(float(at), {"r-1": 2}) for at in range(10)]
    marks = [Mark(2.0, "maintainer killed"), Mark(4.0, "taken up")]
    return Record(0.0, 0.0, 10.0, marks, looks=looks, releases=["r-1"], replayed=Replayed(9, 3, unlike))


def test_a_clean_run_is_said_to_have_held() -> None:
    """With nothing failed and all decided again, everything held."""
    run = record()
    judged(run, [FINE], 1)
    assert "Everything held, in 10 s." == verdict(run)


@pytest.mark.parametrize("fate", [Fate.CONNECT_ERROR, Fate.NO_HEADERS, Fate.SERVER_ERROR, Fate.SLOW])
def test_one_failed_question_breaks_the_promise(fate: Fate) -> None:
    """Each way to fail is named in the last word, and counted in the table."""
    run, answers = record(), [FINE, Answer(2.0, 2.5, fate)]
    judged(run, answers, 2)
    assert ["no question failed"] == [each.what for each in run.broken]
    assert "2 asked, 1 failed" in table(run, answers, 0.0)


def test_a_cut_answer_is_counted_apart() -> None:
    """A body that was cut after its headers does not count as failed, and is shown."""
    run, answers = record(), [Answer(2.0, 0.3, Fate.CUT)]
    judged(run, answers, 1)
    assert [] == run.broken
    assert "1 cut after their headers" in table(run, answers, 0.0)


def test_a_question_without_an_end_is_noticed() -> None:
    """What was asked and never ended breaks a promise, though it did not fail."""
    run = record()
    judged(run, [FINE], 2)
    assert ["every question has ended"] == [each.what for each in run.broken]


def test_a_decision_that_comes_out_otherwise_is_noticed() -> None:
    """One pass that differs breaks the promise of the replay."""
    run = record(unlike=1)
    judged(run, [FINE], 1)
    assert ["every decision came out the same"] == [each.what for each in run.broken]


def test_the_spec_of_the_demo_is_sound() -> None:
    """The example's spec, changed as the demo needs it, has its port, its windows and its bake time."""
    spec = (EXAMPLE / "lamp.yaml").read_text()
    system = parse(tuned(spec, 9000, Path("/cache"), Tuning(9.0, 3.0, 1.0)), file="lamp.yaml")
    search = system.services["search"]
    assert search.scale is not None
    assert (9000, 9.0, 1.0) == (system.gateway.port, search.scale.window_s, search.rollout.bake_s)
    assert "200-400" == search.env["LIBRARY_THINK_MS"]


def test_the_picture_is_an_image_with_every_mark() -> None:
    """The drawing is well-formed, has its title and description, and names what happened."""
    drawn = draw(record(), [FINE, Answer(2.0, 2.5, Fate.SLOW)])
    assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - drawn here
    assert [True] * 4 == [
        each in drawn for each in ("2 questions, 1 failed", "<desc", "taken up", 'class="bad"')
    ]


def test_labels_do_not_cover_each_other() -> None:
    """A label that would run into the one before goes into the next row, and the next may come back."""
    assert [0, 1, 0] == rows_for([(0, "maintainer killed"), (50, "taken up"), (200, "rollback")])
