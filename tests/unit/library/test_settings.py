"""What the environment may say, and what is answered when it says something else."""

import pytest
from library.settings import Settings, code_digest


def test_the_banner_is_the_greeting_of_the_language() -> None:
    """Another language shows at once, without a banner of one's own."""
    assert "Frag die Bibliothek" == Settings.read({"LIBRARY_LANG": "de"}).banner
    assert "Open late" == Settings.read({"LIBRARY_LANG": "de", "LIBRARY_BANNER": "Open late"}).banner


def test_the_release_is_named_by_whoever_started_it() -> None:
    """Without a name the code names itself."""
    assert "r7" == Settings.read({"LAMP_RELEASE": "r7"}).release
    assert code_digest() == Settings.read({}).release


def test_a_question_always_waits_as_long() -> None:
    """A range gives waits that differ between questions and never for one."""
    settings = Settings.read({"LIBRARY_THINK_MS": "20-500"})
    waits = [settings.wait_s(f"question {n}") for n in range(200)]
    assert waits == [settings.wait_s(f"question {n}") for n in range(200)]
    assert (0.02 <= min(waits) < 0.06, 0.46 < max(waits) <= 0.5) == (True, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIBRARY_LANG", "tlh"),
        ("LIBRARY_THINK_MS", "soon"),
        ("LIBRARY_THINK_MS", "500-20"),
        ("LIBRARY_THINK_MS", "-5"),
        ("LIBRARY_THINK_MS", "99999999"),
        ("LIBRARY_START_S", "nan"),
        ("LIBRARY_START_S", "-1"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    """The error names the variable, its value and what it can be."""
    with pytest.raises(ValueError, match=f"{name} is '{value}'; it can be"):
        Settings.read({name: value})
