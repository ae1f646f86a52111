"""A store keeps what was synced, refuses a second owner, fails for good, and stays small."""

import errno
from pathlib import Path

import pytest
from tests.unit.store.shelf import ADDRESS, SMALL, commit, mail, opened, state, write

from lamplighter.model.errors import OwnedError, UserError
from lamplighter.runtime.agents.store import (
    DamagedError,
    DiskError,
    Folder,
    Limits,
    Store,
    TakenError,
    TooLargeError,
)
from lamplighter.runtime.agents.store import journal as journals
from lamplighter.runtime.agents.store.records import Done, Gone, State
from lamplighter.testing.disk import VirtualDisk


def test_what_was_synced_is_there_again() -> None:
    """States and mail come back after a loss of power."""
    disk = VirtualDisk()
    store = opened(disk)
    write(store, b"read")
    disk.crash()
    store = opened(disk)
    assert (b"read", [b"read"], 2) == (state(store), mail(store), store.card.epoch)


def test_state_is_read_back_wherever_its_frame_is() -> None:
    """A state can be read from the open frame, from the one being synced, and from the disk."""
    store = opened(VirtualDisk())
    store.journal.write_states(store.partitions[0], [(ADDRESS, 1, 0, b"s" * 3000)])
    found = [state(store)]
    sealed = store.seal(1.0)
    assert sealed is not None
    found.append(state(store))
    store.journal.commit(sealed)
    store.journal.synced(sealed)
    assert [b"s" * 3000] * 3 == [*found, state(store)]


def test_states_written_together_are_as_if_written_singly() -> None:
    """The written-out loop leaves the same bytes and the same index as one record after the other."""
    one, other = opened(VirtualDisk()), opened(VirtualDisk())
    rows = [(f"reader/{n % 4}", 1, n, b"%d" % n) for n in range(9)]
    one.journal.write_states(one.partitions[1], rows)
    for row in rows:
        other.journal.write(other.partitions[1], State(*row))
    assert one.partitions[1].index == other.partitions[1].index
    assert one.partitions[1].stale == other.partitions[1].stale
    assert getattr(one.seal(1.0), "data", None) == getattr(other.seal(1.0), "data", 0)


def test_deleted_agent_stays_deleted() -> None:
    """An agent that is gone is gone after a restart too, though its old state is still in a segment."""
    disk = VirtualDisk()
    store = opened(disk)
    write(store, b"old")
    store.journal.write(store.partitions[0], Gone(ADDRESS))
    commit(store)
    disk.crash()
    assert None is state(opened(disk))


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("operation", ["append", "sync"])
def test_disk_error_ends_the_host(error: int, operation: str) -> None:
    """After an error nothing more is written; what was acknowledged is found, or the doubtful frame."""
    disk = VirtualDisk()
    store = opened(disk)
    write(store, b"kept")
    disk.fail_at(disk.steps + (1 if operation == "append" else 2), error)
    with pytest.raises(DiskError, match="could not be written"):
        write(store, b"doubt")
    with pytest.raises(DiskError, match="must end"):
        write(store, b"later")
    disk.crash()
    assert state(opened(disk)) in {b"kept", b"doubt"}


def test_full_disk() -> None:
    """A disk that is full refuses the frame whole; with room again the store opens with what it had."""
    disk = VirtualDisk()
    store = opened(disk)
    write(store, b"kept")
    disk.capacity_bytes = sum(map(disk.size, disk.names())) + 20
    with pytest.raises(DiskError, match="No space"):
        write(store, b"lost" * 99)
    disk.crash()
    with pytest.raises(DiskError, match="cannot be opened"):
        opened(disk)
    disk.capacity_bytes = None
    assert b"kept" == state(opened(disk))


def test_second_owner_is_refused(tmp_path: Path) -> None:
    """The folder of a living host is refused by the kernel's lock, naming the holder; then it is free."""
    store = Store.open(Folder(tmp_path), host=0, partitions=2, holder="process 4711")
    with pytest.raises(OwnedError, match="held by process 4711"):
        Store.open(Folder(tmp_path), host=0, partitions=2, holder="process 4712")
    store.close()
    assert 2 == Store.open(Folder(tmp_path), host=0, partitions=2, holder="process 4712").card.epoch


def test_who_lost_a_folder_to_another_writes_no_more() -> None:
    """Where locks do not work, the former owner is told at its next frame, and nothing of that is written."""
    disk = VirtualDisk()
    first = opened(disk, Limits())
    write(first, b"one")
    disk.release()
    second = opened(disk, Limits())
    write(second, b"two")
    with pytest.raises(TakenError):
        write(first, b"late")
    disk.release()
    assert b"two" == state(opened(disk))


def test_who_loses_a_folder_while_it_writes_acknowledges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that was written before another took the folder, and synced after that, is not durable."""
    disk = VirtualDisk()
    first = opened(disk, Limits())
    sync = disk.sync

    def slowly(name: str) -> None:
        monkeypatch.setattr(disk, "sync", sync)
        sync(name)
        disk.release()
        opened(disk, Limits())

    monkeypatch.setattr(disk, "sync", slowly)
    with pytest.raises(TakenError):
        write(first, b"one")
    assert first.journal.failed


def test_who_lost_a_folder_touches_it_no_more_at_its_end() -> None:
    """Neither its snapshots nor its card replace those of the owner."""
    disk = VirtualDisk()
    first = opened(disk, Limits())
    disk.release()
    second = opened(disk, Limits())
    card = disk.read("card.json", 0, 1000)
    first.close()
    assert card == disk.read("card.json", 0, 1000)
    write(second, b"two")


def test_second_owner_that_wrote_all_the_same_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of an older epoch after those of a newer one mean two writers, and are refused."""
    disk = VirtualDisk()
    first = opened(disk, Limits())
    write(first, b"one")
    disk.release()
    second = opened(disk, Limits())
    write(second, b"two")
    monkeypatch.setattr(first.journal, "_owned", lambda: None)
    write(first, b"late")
    disk.release()
    with pytest.raises(DamagedError):
        opened(disk)


def test_a_folder_without_its_lock_is_told_by_its_card(tmp_path: Path) -> None:
    """A real folder whose lock was removed: the second owner gets it, the first one ends."""
    first = Store.open(Folder(tmp_path), host=0, partitions=2, holder="process 4711")
    write(first, b"one")
    (tmp_path / ".lock").unlink()
    second = Store.open(Folder(tmp_path), host=0, partitions=2, holder="process 4712")
    with pytest.raises(TakenError):
        write(first, b"late")
    write(second, b"two")
    assert b"two" == state(second)


def test_unfit_numbers_are_refused() -> None:
    """Another number of partitions than the folder was made with, or none at all, is a user's error."""
    disk = VirtualDisk()
    opened(disk).close()
    with pytest.raises(UserError, match="partitions is 3; it must be 2, as in this folder"):
        Store.open(disk, host=0, partitions=3, holder="a test")
    with pytest.raises(UserError, match="host is 300; it must be 0 to 255"):
        Store.open(disk, host=300, partitions=2, holder="a test")
    opened(disk)


def test_record_too_large_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record larger than a frame may hold is refused, and the frame goes on without it."""
    monkeypatch.setattr(journals, "RECORD_BYTES_MAX", 100)
    store = opened(VirtualDisk())
    with pytest.raises(TooLargeError, match="larger than the 100"):
        store.journal.write(store.partitions[0], State(ADDRESS, 1, 0, b"s" * 200))
    assert (True, {}) == (store.journal.empty, store.partitions[0].index)


def test_store_stays_small() -> None:
    """However often few agents change, what is on the disk stays within a few times what lives."""
    disk = VirtualDisk()
    store = opened(disk)
    for number in range(400):
        write(store, b"%03d" % number * 20, address=f"reader/{number % 7}")
        store.journal.write(store.partitions[0], Done(number + 1))
    assert sum(map(disk.size, disk.names())) < 20 * 7 * 200
    assert b"399" * 20 == state(store, f"reader/{399 % 7}")


def test_states_that_rest_are_carried_along() -> None:
    """An agent that is never touched again keeps its state while the segments around it are swept."""
    disk = VirtualDisk()
    store = opened(disk)
    write(store, b"resting", address="reader/still", partition=1)
    begun = store.partitions[1].index["reader/still"]
    for number in range(200):
        write(store, b"%03d" % number * 20, address=f"reader/{number % 3}")
        store.journal.write(store.partitions[0], Done(number + 1))
    assert begun != store.partitions[1].index["reader/still"]
    disk.crash()
    assert b"resting" == state(opened(disk), "reader/still", 1)


def test_expired_agents_are_let_go() -> None:
    """An agent that has expired is not copied when its segment is swept."""
    disk = VirtualDisk()
    store = Store.open(
        disk, host=0, partitions=2, holder="a", limits=SMALL, expired=lambda state: "still" in state.address
    )
    write(store, b"resting", address="reader/still", partition=1)
    for number in range(200):
        write(store, b"%03d" % number * 20, address=f"reader/{number % 3}")
    assert None is state(store, "reader/still", 1)


def test_replay_is_bounded() -> None:
    """However much was written, only what came after the oldest snapshot is replayed."""
    disk = VirtualDisk()
    store = opened(disk)
    for number in range(300):
        write(store, b"%d" % number)
    disk.crash()
    assert opened(disk).recovered.replayed < 30
