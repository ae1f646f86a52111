"""A real folder: what is written is read, files are replaced whole, trouble has a clear error."""

from pathlib import Path

import pytest
from tests.unit.store.shelf import SMALL, state, write

from lamplighter.model.errors import EnvironmentFault
from lamplighter.runtime.agents.store import Folder, Store, restore


def test_appended_and_replaced_and_cut(tmp_path: Path) -> None:
    """A file grows at its end, is replaced as a whole, is cut, and goes."""
    folder = Folder(tmp_path)
    folder.append("a", b"one")
    folder.append("a", b" two")
    folder.sync("a")
    grown = folder.read("a", 2, 99)
    folder.truncate("a", 3)
    folder.replace("b", [b"new", b" content"])
    folder.remove("a")
    assert (b"e two", ["b"], b"new content") == (grown, folder.names(), folder.read("b", 0, 99))


def test_what_was_left_half_replaced_is_cleared_away(tmp_path: Path) -> None:
    """A replacement that never came to its end is no file."""
    (tmp_path / "card.json.partial").write_bytes(b"half")
    assert [] == Folder(tmp_path).names()
    assert [] == list(tmp_path.iterdir())


def test_more_files_than_are_kept_open(tmp_path: Path) -> None:
    """A host with many segments reads from all of them."""
    folder = Folder(tmp_path)
    for number in range(300):
        folder.append(f"{number}", b"%d" % number)
    assert [b"%d" % n for n in range(300)] == [folder.read(f"{n}", 0, 9) for n in range(300)]
    assert len(folder._files) < 300


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A folder below a file is refused, naming it."""
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match=r"file/host cannot be used"):
        Folder(tmp_path / "file" / "host")


def test_folder_that_has_gone(tmp_path: Path) -> None:
    """A folder that somebody has deleted meanwhile is refused."""
    folder = Folder(tmp_path / "host")
    (tmp_path / "host").rmdir()
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        Store.open(folder, host=0, partitions=2, holder="a test")


def test_store_backed_up_and_restored_on_real_folders(tmp_path: Path) -> None:
    """The whole way: a store that sweeps and snapshots, a backup twice, a restored one, opened."""
    store = Store.open(Folder(tmp_path / "host"), host=0, partitions=2, holder="a test", limits=SMALL)
    to = Folder(tmp_path / "backup")
    for number in range(40):
        write(store, b"%02d" % number * 50, address=f"reader/{number % 3}")
        if number % 20 == 19:
            copy = store.backup(to)
            assert copy is not None
            copy.run()
            store.finish(copy)
    store.close()
    assert 40 == restore(to, Folder(tmp_path / "again"))
    again = Store.open(Folder(tmp_path / "again"), host=0, partitions=2, holder="a test")
    assert b"39" * 50 == state(again, "reader/0")
    again.close()
