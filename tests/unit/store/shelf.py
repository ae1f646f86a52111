"""A small store on a virtual disk, for the tests of this folder."""

from lamplighter.runtime.agents.store import Limits, Store
from lamplighter.runtime.agents.store.records import Mail
from lamplighter.testing.disk import VirtualDisk

SMALL = Limits(segment_bytes=700, tail_records=4, segments_min=2, space=1.5)
ADDRESS = "reader/7"


def opened(disk: VirtualDisk, limits: Limits = SMALL) -> Store:
    """Open the store that is on a disk, of two partitions."""
    return Store.open(disk, host=0, partitions=2, holder="a test", limits=limits)


def write(store: Store, state: bytes, *, address: str = ADDRESS, partition: int = 0) -> None:
    """Commit one frame: an agent's state, and a mail that says the same."""
    held = store.partitions[partition]
    store.journal.write_states(held, [(address, 1, 0, state)])
    store.journal.write(held, Mail(held.desk.next_mail, address, state))
    commit(store)


def commit(store: Store) -> None:
    """Commit the open frame, and do the chore that comes of it."""
    sealed = store.seal(1.0)
    assert sealed is not None
    chore = store.chore()
    store.journal.commit(sealed)
    store.journal.synced(sealed)
    if chore is not None:
        chore.run()
        store.finish(chore)


def state(store: Store, address: str = ADDRESS, partition: int = 0) -> bytes | None:
    """An agent's state as it is read back."""
    found = store.state(store.partitions[partition], address)
    return None if found is None else found.state


def mail(store: Store, address: str = ADDRESS, partition: int = 0) -> list[bytes]:
    """What waits for an agent."""
    return [mail.message for mail in store.partitions[partition].desk.mail.get(address, {}).values()]
