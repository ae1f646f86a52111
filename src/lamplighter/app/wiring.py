"""Wiring: which target a site's kind is, and with what it is built."""

from pathlib import Path

from lamplighter.adapters.secrets import LocalSecrets
from lamplighter.model.errors import UserError
from lamplighter.model.system import Site, System
from lamplighter.ports import Clock
from lamplighter.targets.local.target import LocalTarget

SECRETS = "secrets"
LOCAL = "lamplighter.app.wiring:local_target"
"""What the maintainer's process is told to build its target with."""


def local_target(state: Path, system: str, clock: Clock) -> LocalTarget:
    """Return the local target of a system. Kept secret versions are all that it needs of secrets."""
    return LocalTarget(state, system, clock, LocalSecrets(state / SECRETS, {}))


def secrets_of(system: System, state: Path) -> LocalSecrets:
    """Return the secrets that a spec names, read from where it says."""
    return LocalSecrets(state / SECRETS, system.secrets)


def require_built(site: Site) -> None:
    """Refuse a site whose target is not built yet.

    Raises:
        UserError: `target-not-yet`; nothing was touched.
    """
    if site.target != "local":
        raise UserError(
            f"site {site.name} is a {site.target} site, and that target is not built yet",
            code="target-not-yet",
            mend="choose a local site with --site, or leave `sites:` out of the spec",
        )
