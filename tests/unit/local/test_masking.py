"""Secret values are not shown in what is read of logs."""

from pathlib import Path

from lamplighter.model.release import Release
from lamplighter.model.system import Run
from lamplighter.targets.local.masking import Mask
from lamplighter.targets.local.releases.store import ReleaseStore


class Values:
    """Gives values by name."""

    def version(self, name: str) -> str:
        """Return a version."""
        return f"{name}-v"

    def keep(self, name: str) -> str:
        """Return a version."""
        return self.version(name)

    def value(self, name: str, version: str = "") -> str:
        """Return a value."""
        assert version == self.version(name)
        return {"long": "first-line\nsecond-line", "short": "abc", "longer": "first-line-and-more"}[name]


def mask(folder: Path) -> Mask:
    """Return the mask of a store with one release."""
    store = ReleaseStore(folder)
    store.prepare()
    secrets = {name: f"{name}-v" for name in ("long", "longer", "short")}
    store.put(Release(workload="web", run=Run(kind="command", value="x"), tree="t", secrets=secrets))
    return Mask(store, Values())


def test_each_line_of_a_value_is_replaced_by_its_name(tmp_path: Path) -> None:
    """A key of several lines is found line by line, and the longest value first."""
    masked = mask(tmp_path)
    assert "<[secret long]> [secret longer]" == masked("<second-line> first-line-and-more")


def test_short_values_and_all_else_stay(tmp_path: Path) -> None:
    """What is shorter than six characters would be found in everything."""
    assert "abc of nothing" == mask(tmp_path)("abc of nothing")
