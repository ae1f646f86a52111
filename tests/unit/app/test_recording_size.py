"""How much of the recording is kept, as the environment says."""

import pytest

from lamplighter.adapters.recordings import Limits
from lamplighter.app.places import RECORDING_SIZE, recording_limits
from lamplighter.model.errors import UserError


def test_recording_is_kept_to_the_usual_size_if_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, the usual limits hold."""
    monkeypatch.delenv(RECORDING_SIZE, raising=False)
    assert Limits() == recording_limits()


def test_recording_is_kept_to_the_size_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable takes sizes as the spec writes them."""
    monkeypatch.setenv(RECORDING_SIZE, "1Mi")
    assert 2**20 == recording_limits().total_bytes


@pytest.mark.parametrize("said", ["much", "1Ki", "-5"])
def test_size_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """No size, or one that holds hardly a pass, is a user's error that names the variable."""
    monkeypatch.setenv(RECORDING_SIZE, said)
    with pytest.raises(UserError) as fault:
        recording_limits()
    assert ("recording-size", True) == (fault.value.code, RECORDING_SIZE in fault.value.mend)
