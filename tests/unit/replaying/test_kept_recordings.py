"""Recordings of real incidents: each decision comes out as it was made, or a person has said why not."""

import difflib
import getpass
import re
import socket
from pathlib import Path

import pytest
from tests.recordings import review
from tests.recordings.make import FOLDER

from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.engine.replay import replay
from lamplighter.engine.step import step
from lamplighter.model.value import encode

KINDS_ASKED = {"configure", "scale", "replace", "shift", "forget", "dismantle"}
BYTES_MAX = 300 * 1024
A_PATH = re.compile(rb"(?<![\w.:/])/(?:[\w.@+-]+/)+[\w.@+-]*")


@pytest.mark.parametrize("recording", review.recordings(), ids=lambda each: each.stem)
def test_every_decision_is_as_recorded_or_reviewed(recording: Path) -> None:
    """What replay finds otherwise is exactly what the file beside the recording gives reasons for."""
    expected, actual = review.reviewed(recording), review.found(recording)
    words = [[str(each._replace(reason="")) for each in entries] for entries in (expected, actual)]
    shown = "".join(difflib.unified_diff(*words, "reviewed", "found"))
    assert words[0] == words[1], f"renew it with `{review.COMMAND}` and review what changes:\n{shown}"
    assert [] == [each for each in expected if each.reason == review.OPEN], "give the reasons"


def test_the_kept_kill_test_has_every_kind_of_action() -> None:
    """A recording that tells little would hold little: kills, scaling, releases and rollbacks are in it."""
    opened = SqliteRecordings(review.recordings()[-1], read_only=True)
    replayed = list(replay(opened, step))
    recorded = [each for one in replayed for each in one.recorded or ()]
    kinds = {each.chosen.action.__struct_config__.tag for each in recorded}
    assert (KINDS_ASKED, True) == (kinds, len(recorded) > 30)


@pytest.mark.parametrize("recording", review.recordings(), ids=lambda each: each.stem)
def test_a_kept_recording_holds_nothing_private(recording: Path) -> None:
    """Neither paths, users nor hosts of the machine that it was made on; and it is small."""
    opened = SqliteRecordings(recording, read_only=True)
    said = b"\n".join(encode(part) for each in opened.passes() for part in (each, opened.noted("clock")))
    paths = {each for each in A_PATH.findall(said) if not each.startswith(str(FOLDER).encode())}
    persons = set(re.findall(rb'"(?:by|ordered_by)":"([^"]*)"', said))
    hosts = socket.gethostname().encode() in said or f'"{getpass.getuser()}"'.encode() in said
    assert (set(), False, True) == (paths, hosts, persons <= {b"operator", b"a person"})
    assert BYTES_MAX > recording.stat().st_size
