"""Needs: what a workload that has never served waits for.

Knows who needs whom and who can serve; nothing of why anything is to be started.
"""

from functools import partial

from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Ready
from lamplighter.model.history import History
from lamplighter.model.system import Service, System


def lacking(system: System, survey: Survey, service: Service, history: History) -> tuple[str, ...]:
    """Return the services that a workload has to wait for before any of it is started.

    Those that it needs and that cannot serve; one at zero can, it starts when asked. A workload that has
    had a release before, or lives, waits for nobody: it finds there what it needs, or does not.
    """
    memory = history.workloads.get(service.name)
    if (memory is not None and memory.stable) or survey.live(service.name):
        return ()
    return tuple(
        each
        for each in service.needs
        if each in system.services and not survey.ready(each) and not _at_zero(history, each)
    )


def awaited(system: System, survey: Survey, service: Service, history: History) -> tuple[Ready, ...]:
    """Return what must hold right before a workload is started that had to wait for what it needs.

    Each of them that is not at zero serves, with the release that most of it is ready of.
    """
    memory = history.workloads.get(service.name)
    if (memory is not None and memory.stable) or survey.live(service.name):
        return ()
    needed = (each for each in service.needs if each in system.services and survey.ready(each))
    return tuple(
        Ready(workload=each, release=max(survey.releases(each), key=partial(survey.ready, each)), at_least=1)
        for each in needed
    )


def _at_zero(history: History, name: str) -> bool:
    memory = history.workloads.get(name)
    return memory is not None and bool(memory.stable) and memory.capacity == 0
