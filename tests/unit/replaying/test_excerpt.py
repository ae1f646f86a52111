"""An excerpt of a recording: nothing private is in it, and it decides all that the whole did."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from tests.recordings.review import recordings

from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.app.exporting import export
from lamplighter.engine import excerpt as engine_excerpt
from lamplighter.engine.private import private_free
from lamplighter.engine.replay import Report, replay, report
from lamplighter.engine.step import step
from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.model.facts import Facts, Source
from lamplighter.model.intents import Answer, Down, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Run, SecretSource, Service, Site, System
from lamplighter.model.value import Value, encode

V = TypeVar("V", bound=Value)

WHOLE = recordings()[-1]


def _report(place: Path) -> Report:
    """Replay a recording from its beginning to its end."""
    return report(replay(SqliteRecordings(place, read_only=True), step))


def private_system() -> System:
    """Return a system with something private wherever there can be."""
    run = Run(kind="command", value="serve --key hunter2 /home/ada/model")
    service = Service(name="web", run=run, env={"KEY": "hunter2"}, route="/api/web")
    secret = SecretSource(name="key", source="file", key="/home/ada/key")
    site = Site(name="here", context="hunter2", address="hunter2")
    return System(name="lab", services={"web": service}, secrets={"key": secret}, sites={"here": site})


def test_what_is_private_is_blanked_and_what_decides_stays() -> None:
    """Values of variables, commands, places and persons go; names and routes stay."""
    up = private_free(Up(id="up-1", system=private_system(), by="ada"), {}, b"key")
    assert [] == [each for each in (b"hunter2", b"ada", b"/home") if each in encode(up)]
    web = up.system.services["web"]
    assert (["KEY"], "/api/web", "command") == (list(web.env), web.route, web.run.kind)


def test_marks_tell_values_apart_and_no_more() -> None:
    """Two values that differ still do, else a change of one would be none; another key gives other marks."""
    one, other = (Service(name="web", run=Run(kind="app", value="a:b"), env={"K": each}) for each in "ab")
    assert private_free(one, {}, b"key") != private_free(other, {}, b"key")
    assert private_free(one, {}, b"key") != private_free(one, {}, b"another")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("no gateway in /home/ada/x/gateway: gone", "no gateway in (path): gone"),
        ("see ~/notes/a.txt", "see (path)"),
        ("http://127.0.0.1:8080/a/b refused", "http://127.0.0.1:8080/a/b refused"),
        ("search/r-1 is 1/2", "search/r-1 is 1/2"),
    ],
)
def test_paths_in_a_text_are_blanked(said: str, left: str) -> None:
    """A path of a file is no use to others; an address, a subject and a fraction are no paths."""
    assert left == private_free(Source(observed_at=1.0, fault=said), {}, b"key").fault


def test_names_are_translated_everywhere() -> None:
    """What refers to something that was changed refers to it as it is now."""
    assert "i-2" == private_free(Down(id="i-1"), {"i-1": "i-2"}, b"key").id


def test_an_excerpt_decides_what_the_whole_did(tmp_path: Path) -> None:
    """Cut from the middle, it keeps its numbers and its version, and replays byte for byte."""
    told = export(tmp_path, tmp_path / "cut.sqlite", source=str(WHOLE), first=40, last=100)
    whole = report(replay(SqliteRecordings(WHOLE, read_only=True), step, first=40, last=100))
    cut = _report(tmp_path / "cut.sqlite")
    assert (40, 100, whole.unlike) == (cut.first, cut.last, cut.unlike)
    assert (whole.decisions, cut.passes, whole.versions) == (cut.decisions, told.passes, cut.versions)
    recorded = replay(SqliteRecordings(tmp_path / "cut.sqlite", read_only=True), step)
    decided = sum(len(each.recorded or ()) for each in recorded)
    assert (40, 100, decided) == (told.first, told.last, told.decisions)


def test_an_excerpt_can_be_cut_again(tmp_path: Path) -> None:
    """What was exported once is a recording like any other."""
    first, again = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    export(tmp_path, first, source=str(WHOLE), last=60)
    told = export(tmp_path, again, source=str(first), first=20)
    assert ((20, 60), True) == ((told.first, told.last), _report(again).exact)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there stays as it is, and no part of an export is left beside it."""
    place = tmp_path / "mine.sqlite"
    place.write_bytes(b"mine")
    with pytest.raises(UserError, match="exists"):
        export(tmp_path, place, source=str(WHOLE))
    assert ([place], b"mine") == (list(tmp_path.iterdir()), place.read_bytes())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The fault names the file that cannot be written."""
    with pytest.raises(EnvironmentFault) as caught:
        export(tmp_path, tmp_path / "none" / "cut.sqlite", source=str(WHOLE))
    assert "not-writable" == caught.value.code


def without_facts(value: V, names: Mapping[str, str], key: bytes) -> V:
    """Blank far too much: a pass then sees no replica."""
    if not isinstance(value, Inputs):
        return private_free(value, names, key)
    return msgspec.structs.replace(value, facts=msgspec.structs.replace(value.facts, replicas=()))


def test_an_excerpt_that_would_decide_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be no record of what happened; nothing is written."""
    monkeypatch.setattr(engine_excerpt, "private_free", without_facts)
    with pytest.raises(UserError) as caught:
        export(tmp_path, tmp_path / "cut.sqlite", source=str(WHOLE))
    assert ("not-exported", []) == (caught.value.code, list(tmp_path.iterdir()))
    assert caught.value.mend.startswith("export passes before or after it")


def test_plan_that_was_refused_for_its_facts_stays_refused() -> None:
    """Only one that was accepted is let pass whatever its facts are now."""
    ups = tuple(Up(id=each, system=private_system(), basis="b") for each in ("yes", "no", "silent"))
    answers = (Answer(intent="yes", accepted=True), Answer(intent="no", accepted=False, code="facts-changed"))
    inputs = Inputs(now=1.0, facts=Facts(at=1.0), intents=(*ups, Down(id="down")))
    free = engine_excerpt._unfenced(inputs, Result(answers=answers)).intents
    assert ["", "b", "b"] == [each.basis for each in free if isinstance(each, Up)]
    assert Down(id="down") == free[-1]


def test_what_was_written_is_counted_from_nothing() -> None:
    """The first pass is the one that came first; decisions add up."""
    first = engine_excerpt._told(engine_excerpt.Excerpt(), 7, 3)
    assert engine_excerpt.Excerpt(first=7, last=7, passes=1, decisions=3) == first
    assert engine_excerpt.Excerpt(first=7, last=8, passes=2, decisions=5) == engine_excerpt._told(first, 8, 2)
