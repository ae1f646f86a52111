"""What a crash leaves is cut off; what was altered is refused; nothing is ever silently wrong."""

import pytest
from tests.unit.store.shelf import mail, opened, state, write

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.store import DamagedError, Limits
from lamplighter.testing.disk import VirtualDisk

SEGMENT = "00000001.segment"
LARGE = Limits()


def copied(disk: VirtualDisk) -> VirtualDisk:
    """Another disk with the same files, all of them durable."""
    copy = VirtualDisk()
    for name in disk.names():
        copy.replace(name, [disk.read(name, 0, disk.size(name))])
    return copy


def written(*states: bytes) -> VirtualDisk:
    """A disk with one frame for each state, left without an orderly end."""
    disk = VirtualDisk()
    store = opened(disk, LARGE)
    for each in states:
        write(store, each)
    return copied(disk)


def test_torn_at_every_byte_of_the_last_frame() -> None:
    """Wherever the last write was cut short, the frame before it is what is found, and writing goes on."""
    whole = written(b"first", b"second")
    before = written(b"first").size(SEGMENT)
    for size in range(before, whole.size(SEGMENT)):
        disk = copied(whole)
        disk.truncate(SEGMENT, size)
        store = opened(disk)
        assert (b"first", [b"first"], size - before) == (state(store), mail(store), store.recovered.cut_bytes)
        write(store, b"third")
        store.close()
        assert b"third" == state(opened(disk))


def test_torn_at_every_byte_of_the_very_first_frame() -> None:
    """A first write that was cut short leaves an empty store, which can be written to."""
    whole = written(b"first")
    for size in range(whole.size(SEGMENT)):
        disk = copied(whole)
        disk.truncate(SEGMENT, size)
        store = opened(disk)
        assert (None, 0) == (state(store), store.journal.durable)
        write(store, b"again")
        disk.crash()
        assert b"again" == state(opened(disk))


def test_sectors_that_never_reached_the_disk() -> None:
    """A last frame of which sectors are still zero is cut off, though its own bytes are zeros too."""
    whole = written(b"first", bytes(1500) + b"x" * 600 + bytes(1400))
    before = written(b"first").size(SEGMENT)
    content = whole.read(SEGMENT, 0, whole.size(SEGMENT))
    assert 3500 == len(state(opened(copied(whole))) or b"")
    for at in range(-(-before // 512) * 512, len(content), 512):
        torn = content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :]
        if torn != content:
            disk = copied(whole)
            disk.replace(SEGMENT, [torn])
            assert b"first" == state(opened(disk))


@pytest.mark.parametrize("closed", [True, False])
def test_bit_flipped_at_every_byte(*, closed: bool) -> None:
    """One altered bit, wherever it is, is refused with an error, or changes nothing that is read."""
    disk = VirtualDisk()
    store = opened(disk)
    for number in range(9):
        write(store, b"%d" % number * 40, address=f"reader/{number % 3}")
    if closed:
        store.close()
    store = opened(copied(disk))
    expected = [(state(store, f"reader/{n}"), mail(store, f"reader/{n}")) for n in range(3)]
    accepted = 0
    for name in disk.names():
        for byte in range(disk.size(name)):
            altered = copied(disk)
            altered.flip(name, byte * 8 + byte % 8)
            try:
                store = opened(altered)
                found = [(state(store, f"reader/{n}"), mail(store, f"reader/{n}")) for n in range(3)]
            except LampError:
                continue
            assert expected == found, f"bit {byte % 8} of byte {byte} of {name}"
            accepted += 1
    assert accepted < sum(map(disk.size, disk.names())) / 2


def test_frame_altered_before_others() -> None:
    """A frame that does not match its check sum, with sound ones after it, is refused: no crash did that."""
    disk = written(b"first", b"second", b"third")
    disk.flip(SEGMENT, 8 * 100)
    with pytest.raises(DamagedError, match="altered in the frame at offset"):
        opened(disk)


def test_missing_file() -> None:
    """Whichever file of a folder has gone, the start is refused."""
    disk = VirtualDisk()
    store = opened(disk)
    for number in range(30):
        write(store, b"%02d" % number * 100, address=f"reader/{number % 5}", partition=number % 2)
    store.close()
    for name in disk.names():
        lacking = copied(disk)
        lacking.remove(name)
        with pytest.raises(DamagedError):
            opened(lacking)


def test_end_cut_off_after_an_orderly_end() -> None:
    """After an orderly end the card says which frame was the last, so a shortened journal shows."""
    disk = VirtualDisk()
    store = opened(disk, LARGE)
    write(store, b"first")
    before = disk.size(SEGMENT)
    write(store, b"second")
    store.close()
    disk.truncate(SEGMENT, before)
    with pytest.raises(DamagedError, match="ends with frame 1, but there was a frame 2"):
        opened(disk)


def test_living_state_altered_in_an_old_segment() -> None:
    """A state that nobody replays is checked when it is read."""
    disk = VirtualDisk()
    store = opened(disk)
    for number in range(12):
        write(store, b"%d" % (number % 10) * 200, address=f"reader/{number}")
    position = store.partitions[0].index["reader/0"]
    disk.flip(f"{position >> 30:08x}.segment", 8 * ((position & (1 << 30) - 1) + 60))
    with pytest.raises(DamagedError, match="state of reader/0 cannot be read"):
        state(store, "reader/0")
