"""A Release: what exactly a replica is started from. Immutable once cut."""

from lamplighter.model.system import Health, Resources, Run
from lamplighter.model.value import Value, digest


class Release(Value):
    """One immutable version of one workload.

    `tree` is the digest of its files, `environment` of its lock file and interpreter; both name
    folders of the release store, empty where there is none. `interpreter` is the version of Python that
    runs it ("" where none does). `secrets` maps each secret's name to the version of its value (a keyed
    digest, never the value).
    """

    workload: str
    run: Run
    tree: str = ""
    environment: str = ""
    interpreter: str = ""
    folder: str = "."
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    resources: Resources = Resources()
    health: Health = Health()
    drain_s: float = 30.0

    @property
    def id(self) -> str:
        """Return the release's name: `r-` and ten hex digits of the digest of all of its parts."""
        return "r-" + digest(self, length=10)
