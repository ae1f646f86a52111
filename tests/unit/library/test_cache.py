"""An index on disk is the one that was built, or is built anew."""

from pathlib import Path

import pytest
from library import cache
from library.index import Index


@pytest.fixture
def folder(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds the index; a build in it would only give an empty one."""
    folder = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(cache, "gather", lambda: index.passages)
        cache.load_or_build(folder)
    monkeypatch.setattr(cache, "gather", list)
    return folder


def test_a_kept_index_comes_back_whole(folder: Path, index: Index) -> None:
    """Passages, terms and every array are those of the build."""
    loaded, from_cache = cache.load_or_build(folder)
    assert (True, index) == (from_cache, loaded)


@pytest.mark.parametrize("at", [0, 30, 5000, -1])
def test_a_damaged_file_is_built_anew(folder: Path, at: int) -> None:
    """A flipped byte, wherever it is, never reaches an answer."""
    (path,) = folder.glob("*.index")
    held = bytearray(path.read_bytes())
    held[at] ^= 0x41
    path.write_bytes(held)
    assert (False, []) == (cache.load_or_build(folder)[1], cache.load_or_build(folder)[0].passages)


def test_a_cut_file_is_built_anew(folder: Path) -> None:
    """Half a file counts as none."""
    (path,) = folder.glob("*.index")
    path.write_bytes(path.read_bytes()[:100_000])
    assert not cache.load_or_build(folder)[1]


def test_a_folder_that_others_can_write_to_is_not_used(folder: Path) -> None:
    """Nobody else can put words into the library's mouth."""
    folder.chmod(0o777)
    assert not cache.load_or_build(folder)[1]


def test_no_folder_builds_without_keeping(folder: Path) -> None:
    """Without a cache, and with one that cannot be made, the index is built all the same."""
    file = folder / "a-file"
    file.touch()
    assert [False, False] == [cache.load_or_build(place)[1] for place in (None, file / "below")]


def test_old_indexes_are_let_go(folder: Path) -> None:
    """A new one leaves the three newest of those before it."""
    for path in folder.glob("*.index"):
        path.unlink()
    for n in range(6):
        (folder / f"{n}.index").touch()
    cache.load_or_build(folder)
    assert 4 == len(list(folder.glob("*.index")))
