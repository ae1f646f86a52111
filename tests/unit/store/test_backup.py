"""Backups are made while a store lives, and are restored as they were at any moment since."""

import pytest
from tests.unit.store.shelf import SMALL, mail, opened, state, write

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.store import DamagedError, Limits, Store, restore
from lamplighter.runtime.agents.store.records import Done
from lamplighter.testing.disk import VirtualDisk


def grown(store: Store, first: int, last: int) -> None:
    """Commit a frame for each of these seconds; the state is the second."""
    for second in range(first, last):
        held = store.partitions[0]
        store.journal.write_states(held, [("reader/7", 1, 0, b"%d" % second * 30)])
        store.journal.write(held, Done(second))
        sealed = store.seal(float(second))
        assert sealed is not None
        chore = store.chore()
        store.journal.commit(sealed)
        store.journal.synced(sealed)
        if chore is not None:
            chore.run()
            store.finish(chore)


def backed_up(store: Store, to: VirtualDisk) -> None:
    """Back a store up, as it is."""
    store.seal(0.0)
    copy = store.backup(to)
    assert copy is not None
    copy.run()
    store.finish(copy)


def restored(backup: VirtualDisk, until_s: float = float("inf")) -> bytes | None:
    """The agent's state in a folder that was restored, to a moment."""
    folder = VirtualDisk()
    restore(backup, folder, until_s=until_s)
    return state(opened(folder))


def test_backup_of_a_living_store() -> None:
    """What was durable at the backup is in it; what came later is not."""
    store, to = opened(VirtualDisk()), VirtualDisk()
    grown(store, 1, 30)
    backed_up(store, to)
    grown(store, 30, 40)
    assert b"29" * 30 == restored(to)


def test_restored_to_every_moment_since_the_base() -> None:
    """With backups that follow each other closely, any moment from the base on comes back exactly."""
    store, to = opened(VirtualDisk(), Limits(3000, 20, 4, 2, 1.5)), VirtualDisk()
    grown(store, 1, 10)
    for at in range(10, 60, 2):
        backed_up(store, to)
        grown(store, at, at + 2)
    backed_up(store, to)
    seconds = range(10, 60)
    assert [b"%d" % second * 30 for second in seconds] == [restored(to, second) for second in seconds]


def test_moment_before_the_base() -> None:
    """A moment that the backup does not reach back to is refused, and says so."""
    store, to = opened(VirtualDisk()), VirtualDisk()
    grown(store, 1, 60)
    backed_up(store, to)
    with pytest.raises(UserError, match="does not reach back"):
        restored(to, 5)


def test_gap_begins_a_new_base() -> None:
    """A backup that comes so late that segments have gone meanwhile begins anew, and is whole."""
    store, to = opened(VirtualDisk()), VirtualDisk()
    grown(store, 1, 10)
    backed_up(store, to)
    grown(store, 10, 200)
    backed_up(store, to)
    assert b"199" * 30 == restored(to)
    with pytest.raises(UserError, match="does not reach back"):
        restored(to, 9)


@pytest.mark.parametrize("step", range(1, 14))
def test_backup_that_was_cut_short_is_made_anew(step: int) -> None:
    """After an error in the middle, the next backup into the same folder is whole."""
    store, to = opened(VirtualDisk()), VirtualDisk()
    grown(store, 1, 30)
    to.fail_at(step, 28)
    store.seal(0.0)
    copy = store.backup(to)
    assert copy is not None
    try:
        copy.run()
    except OSError:
        copy.run()
    store.finish(copy)
    assert b"29" * 30 == restored(to)


def test_backup_of_another_host_is_refused() -> None:
    """A folder with the backups of another host is left alone."""
    to = VirtualDisk()
    backed_up(opened(VirtualDisk()), to)
    other = Store.open(VirtualDisk(), host=1, partitions=2, holder="a test", limits=SMALL)
    with pytest.raises(UserError, match="another host"):
        backed_up(other, to)


def test_altered_backup_is_refused() -> None:
    """Restoring checks every frame."""
    disk, to = VirtualDisk(), VirtualDisk()
    store = opened(disk)
    write(store, b"first" * 40)
    write(store, b"second" * 40)
    backed_up(store, to)
    to.flip("00000001.segment", 8 * 150)
    with pytest.raises(DamagedError):
        restored(to)
    assert 2 == len(mail(store))
