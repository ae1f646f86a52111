"""Configure: keep the gateway on the spec in force.

Knows only which spec the target was last configured with; nothing of replicas.
"""

from lamplighter.controllers import contracts
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Configure
from lamplighter.model.decisions import Priority, Verdict
from lamplighter.model.history import History
from lamplighter.model.system import System
from lamplighter.model.value import digest


def configure(system: System, survey: Survey, _history: History) -> Verdict:
    """Propose to configure the target whenever it is not configured with the system in force.

    1. Configured with this very system: nothing.
    2. Being configured with it now: nothing.
    3. Else: configure, before anything is started or shifted (rollout and scaling wait for it;
       repair does not).
    """
    under_way = survey.motion.actions.get("gateway")
    if configured(system, survey) or (isinstance(under_way, Configure) and under_way.system == system):
        return Verdict()
    why = contracts.Why(
        controller="configure",
        priority=Priority.SAFETY,
        because="the gateway is not set as the spec in force says",
    )
    return Verdict(proposals=(contracts.configure(system, why),))


def configured(system: System, survey: Survey) -> bool:
    """Return whether the target was last configured with this very system."""
    return survey.facts.configured == digest(system)
