"""Deploying: from a project to a plan, and from a plan to an intent that a maintainer takes."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import msgspec

from lamplighter.adapters.secrets import LocalSecrets
from lamplighter.app.places import prepare
from lamplighter.app.project import Project, site_of
from lamplighter.app.reading import observe, remembered
from lamplighter.app.wiring import local_target, require_built, secrets_of
from lamplighter.engine.step import step
from lamplighter.model.decisions import Plan
from lamplighter.model.errors import ConflictError, UserError
from lamplighter.model.intents import Up
from lamplighter.model.passes import Inputs
from lamplighter.model.system import System
from lamplighter.model.value import Value
from lamplighter.planning import plan, possible
from lamplighter.targets.local.releases import PLAN_FORMAT, ReleaseStore, cut, identify

Say = Callable[[str], None]
RELEASES = "releases"
RELEASES_KEPT = 5
"""The newest releases of each service are kept besides all that run and all that can be gone back to."""


class Planned(Value):
    """A plan with the system it is for: what `lamp plan --out` writes and `lamp apply` reads.

    `format` comes first in the file, so that a plan is told from the files of a release.
    """

    format: str
    plan: Plan
    system: System


def make_plan(project: Project) -> Planned:
    """Return what `up` would do now; starts, cuts and stops nothing.

    Raises:
        UserError: the site's target is not built yet, or a release cannot be cut from what is there.
    """
    require_built(site_of(project.system))
    state = project.state
    secrets = secrets_of(project.system, state)
    history, _, clock = remembered(state)
    facts = observe(state, project.system.name, clock)
    left_out = tuple(local_target(state, project.system.name, clock).missing(project.system))
    system = possible(project.system, left_out)
    if any(each.secrets for each in system.services.values()):
        prepare(state)  # versions of secrets are keyed, and the key is kept
    releases = {
        name: identify(service, project.folder, secrets).id for name, service in system.services.items()
    }
    up = Up(id="plan", system=project.system, releases=releases)
    inputs = Inputs(now=clock.now(), facts=facts, intents=(up,))
    made = plan(step, history, inputs, missing=left_out, places=project.places)
    return Planned(format=PLAN_FORMAT, plan=made, system=system)


def cut_releases(project: Project, planned: Planned, say: Say) -> None:
    """Cut the releases that a plan names.

    Raises:
        ConflictError: the files have changed since the plan was made (`source-changed`).
        UserError, EnvironmentFault: a release cannot be cut; nothing was changed.
    """
    prepare(project.state)
    store = ReleaseStore(project.state / RELEASES)
    store.prepare()
    secrets = secrets_of(project.system, project.state)
    with store.alone():
        for name, service in planned.system.services.items():
            release = cut(service, project.folder, store, secrets, say)
            if release.id != planned.plan.releases[name]:
                raise ConflictError(
                    f"the files or the configuration of {name} have changed since the plan was made",
                    code="source-changed",
                    mend="make a new plan: lamp plan",
                )
        _forget_old_releases(project, store, secrets, set(planned.plan.releases.values()))


def _forget_old_releases(
    project: Project, store: ReleaseStore, secrets: LocalSecrets, fresh: set[str]
) -> None:
    """Delete releases, and the secret versions of only those, that nothing runs and nobody can go back to."""
    history, _, clock = remembered(project.state)
    used = set(fresh)
    for memory in history.workloads.values():
        used |= {memory.stable, *memory.earlier, *memory.wanted}
        used |= {memory.rollout.stable, memory.rollout.candidate} if memory.rollout else set()
    used |= {each.release for each in observe(project.state, project.system.name, clock).replicas}
    for name in {each.workload for each in store.all()}:
        used |= {each.id for each in store.all(name)[-RELEASES_KEPT:]}
    store.prune(used)
    secrets.prune({pair for each in store.all() for pair in each.secrets.items()})


def require_room(project: Project, system: System) -> None:
    """Refuse early what this machine lacks: Linux, a free gateway port, a writable state folder.

    Raises:
        EnvironmentFault: with what is in the way and a mend; nothing was started.
    """
    prepare(project.state)
    _, _, clock = remembered(project.state)
    asyncio.run(local_target(project.state, system.name, clock).require(system))


def up_intent(planned: Planned, *, fenced: bool) -> Up:
    """Return the intent that carries out a plan; `fenced`: only while its facts still hold."""
    return Up(
        id=f"up-{uuid4().hex[:12]}",
        system=planned.system,
        releases=planned.plan.releases,
        basis=planned.plan.basis if fenced else "",
    )


def read_plan(content: bytes, name: str) -> Planned:
    """Return a plan that `lamp plan --out` wrote.

    Raises:
        UserError: it is no plan, or was cut short (`bad-plan`).
    """
    try:
        return msgspec.json.decode(content, type=Planned)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UserError(
            f"{name} is not a plan: {error}", code="bad-plan", mend=f"make a new one: lamp plan --out {name}"
        ) from error
