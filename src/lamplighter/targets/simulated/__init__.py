"""The simulated target: a world with a virtual clock, load and faults, all drawn from one seed."""

from lamplighter.targets.simulated.apps import Ailment, App, Demand
from lamplighter.targets.simulated.chance import Chance
from lamplighter.targets.simulated.faults import (
    STORM,
    AnswerFaults,
    Faults,
    MaintainerFaults,
    ReplicaFaults,
    SourceFaults,
    drawn,
)
from lamplighter.targets.simulated.target import SimulatedTarget
from lamplighter.targets.simulated.troubles import Trouble
from lamplighter.targets.simulated.world import World

__all__ = [
    "STORM",
    "Ailment",
    "AnswerFaults",
    "App",
    "Chance",
    "Demand",
    "Faults",
    "MaintainerFaults",
    "ReplicaFaults",
    "SimulatedTarget",
    "SourceFaults",
    "Trouble",
    "World",
    "drawn",
]
