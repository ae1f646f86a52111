"""A project: the spec in a folder, as wanted at one site, and where its state stands."""

from dataclasses import dataclass, field
from pathlib import Path

from lamplighter.app.places import state_of
from lamplighter.model.errors import Fault, UserError
from lamplighter.model.system import Site, System
from lamplighter.spec import check, places

SPEC = "lamp.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A spec that is sound, the folder it stands in, and the system it wants at the site chosen."""

    file: Path
    system: System
    warnings: tuple[Fault, ...] = ()
    places: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return the folder that the services' own folders are below."""
        return self.file.parent

    @property
    def state(self) -> Path:
        """Return the folder of the system's state."""
        return state_of(self.system.name)


def load(file: str = "", site: str = "") -> Project:
    """Read a spec.

    Args:
        file: the spec, or "" for lamp.yaml in this folder.
        site: one of its sites, or "" for its default site.

    Raises:
        SpecError: it has faults. UserError: there is no such file or site, or its target is not built yet.
    """
    path = Path(file or SPEC)
    text = _text(path)
    checked = check(text, file=str(path))
    system = _at(checked.system, site)
    return Project(
        file=path.absolute(), system=system, warnings=checked.warnings, places=places(text, file=str(path))
    )


def site_of(system: System) -> Site:
    """Return the site that a resolved system is wanted at."""
    return system.sites.get(system.default_site, Site(name=system.default_site))


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"there is no {path}",
            code="no-spec",
            mend="go to the folder of the prototype and run `lamp init`, or name the spec: --spec FILE",
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", code="no-spec") from error


def _at(system: System, site: str) -> System:
    chosen = site or system.default_site
    if system.sites and chosen not in system.sites:
        known = ", ".join(sorted(system.sites))
        raise UserError(f"the spec has no site {chosen}", code="unknown-site", mend=f"one of: {known}")
    return system.at(chosen)
