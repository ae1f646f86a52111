"""Cut a release of a service from a working folder: files, environment, configuration, secret versions."""

import platform
from pathlib import Path

from lamplighter.model.release import Release
from lamplighter.model.system import Service
from lamplighter.ports import Secrets
from lamplighter.targets.local.releases.environment import Say, build, environment_digest
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.releases.tree import keep_tree


def cut(service: Service, source: Path, store: ReleaseStore, secrets: Secrets, say: Say) -> Release:
    """Cut (or find again) the release of `service` from the files below `source`.

    The same files, lock file, interpreter, configuration and secret values give the same release.

    Args:
        service: what is wanted.
        source: the folder that holds the spec; the service's `folder` is below it.
        store: where releases are kept.
        secrets: asked for the versions of the service's secrets; values are not read here.
        say: told in one line what is being done, before anything slow.

    Returns:
        The release, kept in the store.

    Raises:
        UserError: something in the source is wrong; nothing was changed.
        EnvironmentFault: a secret cannot be had, the disk is full, or uv is missing.
    """
    store.prepare()
    tree = keep_tree(source / service.folder, store.trees)
    environment, interpreter = "", platform.python_version()
    if service.python is not None:
        asgi = service.run.kind == "app"
        environment = environment_digest(service.python, store.trees / tree, serves_asgi=asgi)
        place = store.environments / environment
        build(service.python, store.trees / tree, place, serves_asgi=asgi, say=say)
        interpreter = service.python.version or interpreter
    release = Release(
        workload=service.name,
        run=service.run,
        tree=tree,
        environment=environment,
        interpreter=interpreter,
        env=service.env,
        secrets={name: secrets.version(name) for name in service.secrets},
        resources=service.resources,
        health=service.health,
        drain_s=service.drain_s,
    )
    store.put(release)
    return release
