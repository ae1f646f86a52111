"""Controllers: what is noticed and proposed, one short module each, readable as a specification.

Each is a pure function of the system, a survey of the facts and the history; it keeps no state. They
never decide: their proposals meet in one place, in the engine.
"""

from collections.abc import Callable

from lamplighter.controllers.configure import configure
from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.kinds import KINDS, Kind
from lamplighter.controllers.repair import repair
from lamplighter.controllers.rollout import rollout
from lamplighter.controllers.scaling import scaling
from lamplighter.controllers.survey import Survey
from lamplighter.controllers.teardown import removal, teardown
from lamplighter.model.decisions import Verdict
from lamplighter.model.history import History
from lamplighter.model.system import System

Controller = Callable[[System, Survey, History], Verdict]

KEEPING: tuple[Controller, ...] = (configure, repair, rollout, removal, scaling, housekeeping)
"""What runs while a system is wanted."""
ENDING: tuple[Controller, ...] = (teardown, housekeeping)
"""What runs once it was ordered down."""

__all__ = ["ENDING", "KEEPING", "KINDS", "Controller", "Kind", "Survey"]
