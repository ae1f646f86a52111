"""Notes: repeats are safe, and memory is bounded."""

import pytest
from library.notes import Notes, note_text
from library.web import Refused


def test_a_repeat_with_its_key_gets_the_same_id() -> None:
    """The second time nothing is stored, here or in another process."""
    notes = Notes()
    note, is_new = notes.store("milk", "key-1")
    assert ((note, False), (note, True)) == (notes.store("milk", "key-1"), Notes().store("milk", "key-1"))
    assert is_new


def test_a_key_for_two_notes_is_refused() -> None:
    """A key that comes back with another text is the caller's mistake."""
    notes = Notes()
    notes.store("milk", "key-1")
    with pytest.raises(Refused) as refused:
        notes.store("eggs", "key-1")
    assert 422 == refused.value.status


def test_without_a_key_every_note_is_new() -> None:
    """The same text twice is two notes."""
    notes = Notes()
    assert notes.store("milk", None)[0] != notes.store("milk", None)[0]


def test_the_oldest_note_is_let_go() -> None:
    """Never more notes than may be kept."""
    notes = Notes(kept_max=2)
    first, second, third = (notes.store(text, None)[0] for text in ("a", "b", "c"))
    assert ["b", "c"] == [notes.read(second), notes.read(third)]
    with pytest.raises(Refused):
        notes.read(first)


@pytest.mark.parametrize(
    "body", [b"", b"milk", b"[]", b"{}", b'{"text": 5}', b'{"text": " "}', b"\xff", b"[" * 60_000]
)
def test_a_body_that_is_no_note_is_refused(body: bytes) -> None:
    """Whatever comes, the answer says what was expected."""
    with pytest.raises(Refused) as refused:
        note_text(body)
    assert (400, True) == (refused.value.status, '{"text": "..."}' in refused.value.expected)
