"""Cut a release of a service from a working folder: files, environment, configuration, secret versions.

`identify` says which release that would be and touches nothing; `cut` makes it.
"""

import platform
from pathlib import Path

from lamplighter.model.release import Release
from lamplighter.model.system import Service
from lamplighter.ports import Secrets
from lamplighter.targets.local.releases.environment import Say, build, compile_tree, environment_digest
from lamplighter.targets.local.releases.launch import binaries_of
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.releases.tree import keep_tree, listed, tree_digest


def identify(service: Service, source: Path, secrets: Secrets) -> Release:
    """Return the release that `cut` would make now of the files below `source`; keeps nothing.

    Raises:
        UserError: something in the source is wrong.
        EnvironmentFault: a secret cannot be had.
    """
    folder = source / service.folder
    versions = {name: secrets.version(name) for name in service.secrets}
    return _release(service, tree_digest(folder, listed(folder)), folder, versions)


def cut(service: Service, source: Path, store: ReleaseStore, secrets: Secrets, say: Say) -> Release:
    """Cut (or find again) the release of `service` from the files below `source`.

    The same files, lock file, interpreter, configuration and secret values give the same release.

    Args:
        service: what is wanted.
        source: the folder that holds the spec; the service's `folder` is below it.
        store: where releases are kept.
        secrets: keeps the values now in force, for every replica that is started from this release.
        say: told in one line what is being done, before anything slow.

    Returns:
        The release, kept in the store.

    Raises:
        UserError: something in the source is wrong; nothing was changed.
        EnvironmentFault: a secret cannot be had, the disk is full, or uv is missing.
    """
    store.prepare()
    tree = keep_tree(source / service.folder, store.trees)
    versions = {name: secrets.keep(name) for name in service.secrets}
    release = _release(service, tree, store.trees / tree, versions)
    if service.python is not None:
        place = store.environments / release.environment
        build(service.python, store.trees / tree, place, runs=service.run.kind, say=say)
    if not store.has(release.id):
        compile_tree(store.trees / tree, binaries_of(store.root, release.environment) / "python")
        store.put(release)
    return release


def _release(service: Service, tree: str, files: Path, secrets: dict[str, str]) -> Release:
    environment, interpreter = "", platform.python_version()
    if service.python is not None:
        environment = environment_digest(service.python, files, runs=service.run.kind)
        interpreter = service.python.version or interpreter
    return Release(
        workload=service.name,
        run=service.run,
        tree=tree,
        environment=environment,
        interpreter=interpreter,
        env=service.env,
        secrets=secrets,
        resources=service.resources,
        health=service.health,
        drain_s=service.drain_s,
    )
