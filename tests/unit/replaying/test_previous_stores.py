"""Stores that the previous landing wrote: read, brought forward, gone on with; never harmed."""

import json
import re
import shutil
import socket
from pathlib import Path

import pytest
from tests.recordings.forms import forms
from tests.recordings.make import FOLDER
from tests.unit.replaying.test_kept_recordings import A_PATH

from lamplighter.adapters import ledger as ledgers
from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.database import Database
from lamplighter.adapters.ledger import SqliteLedger, anchors
from lamplighter.adapters.recordings import SCHEMA, SqliteRecordings
from lamplighter.engine.records import history_after
from lamplighter.engine.replay import replay, report
from lamplighter.engine.step import step
from lamplighter.model.errors import EnvironmentFault
from lamplighter.model.passes import Result
from lamplighter.model.value import encode
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.supervisor.processes import boot_id
from lamplighter.targets.local.supervisor.state import StateFile

PREVIOUS = Path(__file__).parents[2] / "recordings" / "previous"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a folder with copies of what the previous landing wrote."""
    return Path(shutil.copytree(PREVIOUS, tmp_path / "state"))


def test_a_recording_is_gone_on_with(kept: Path) -> None:
    """This version takes up the history that the old one ended with, and records behind it."""
    recordings = SqliteRecordings(kept / "recording.sqlite")
    latest = recordings.latest()
    assert latest is not None
    assert latest.history is not None
    history = history_after(latest, recordings, step)
    assert ({"search"}, True) == (set(history.workloads), history.stopped)
    number, inputs = recordings.newest, latest.recorded.inputs
    assert number + 1 == recordings.write(inputs, Result(), before=history, after=history)
    recordings.close()
    both = SqliteRecordings(kept / "recording.sqlite", read_only=True)
    assert number + 1 == report(replay(both, step)).passes
    assert history == both.after(number + 1)


def test_looking_at_an_older_store_leaves_it_to_its_writer(kept: Path) -> None:
    """Reading commands of this version may be used while the old maintainer still writes."""
    place = kept / "recording.sqlite"
    before = place.read_bytes()
    looking = SqliteRecordings(place, read_only=True)
    assert looking.latest() is not None
    looking.close()
    assert before == place.read_bytes()


def test_a_ledgers_chain_holds_over_both_versions(kept: Path) -> None:
    """What this version appends is chained to what the old one wrote, and verifies with its anchors."""
    written = SqliteLedger.open(kept / ledgers.FILE, VirtualClock())
    old = written.head()
    assert old is not None
    new = written.append("started", "maintainer", {"version": "this"})
    verified = written.verify(anchors(kept / ledgers.ANCHORS))
    assert (old.digest, None, new.number) == (new.previous, verified.damage, verified.entries)
    assert verified.anchored > 0


def test_a_supervisors_state_is_taken_up(kept: Path) -> None:
    """A supervisor of this version knows each replica, the routes and the token that the old one kept."""
    folder = kept / "supervisor"
    folder.mkdir()
    shutil.copy(kept / "supervisor.json", folder / "state.json")
    state = StateFile(folder).load()
    assert state is not None
    phases = {each.phase for each in state.replicas.values()}
    assert (1, True, True) == (state.token, "running" in phases, "exited" in phases)
    assert state.table is not None
    assert ["search"] == [each.name for each in state.table.backends]


def test_a_release_keeps_its_name(kept: Path) -> None:
    """What the old version cut is the same release still: bringing the system up again rolls nothing out."""
    store = ReleaseStore(kept)
    (kept / "releases").rename(store.records)
    names = {each.stem for each in store.records.glob("*.json")}
    assert (names, True) == ({each.id for each in store.all()}, len(names) > 0)


def test_what_is_kept_holds_nothing_of_the_machine(kept: Path) -> None:
    """No path but the story's own, no user, no host and no boot stands in ledger, state or releases."""
    entries = SqliteLedger.open(kept / ledgers.FILE, VirtualClock(), read_only=True).entries()
    others = [each.read_bytes() for each in sorted(kept.rglob("*.json"))]
    said = b"\n".join([*(encode(each) for each in entries), *others])
    paths = {each for each in A_PATH.findall(said) if not each.startswith(str(FOLDER).encode())}
    names = [each for each in (socket.gethostname(), boot_id()) if each.encode() in said]
    assert (set(), [], {b"operator"}) == (paths, names, set(re.findall(rb'"by":"([^"]+)"', said)))


def test_a_store_of_this_version_is_refused_by_an_older_one(kept: Path) -> None:
    """One that knows fewer schemas says which version to use, and changes nothing."""
    place = kept / "recording.sqlite"
    SqliteRecordings(place).close()
    before = place.read_bytes()
    with pytest.raises(EnvironmentFault) as caught:
        Database(place, SCHEMA[:-1])
    assert ("store-newer", True, before) == (caught.value.code, bool(caught.value.mend), place.read_bytes())


def test_another_form_of_what_is_stored_has_another_number() -> None:
    """Values that the previous landing would misread are kept from it: their store has a higher schema."""
    then, now = json.loads((PREVIOUS / "forms.json").read_text()), forms()
    same = then["values"] == now["values"]
    assert same or (then["recording"] < now["recording"] and then["ledger"] < now["ledger"]), (
        "the model has changed since the previous landing: add a group to SCHEMA of recordings and ledger"
    )
